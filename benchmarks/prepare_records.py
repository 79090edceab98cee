"""Compare `data.py ade20k` with the plain way of making TFRecords, in one run.

    python benchmarks/prepare_records.py camvid/images/training camvid/annotations/training \
        camvid/objectInfoCamVid.txt "Sky|Building|Road|Car"

The plain way is one process that decodes every file with Pillow, relabels class by class, encodes
both again (JPEG of quality 95, PNG) and writes with TensorFlow. Both are called within this
process: TensorFlow's import, which only the plain way needs, counts for neither. Both keep every
picture; the best of three runs counts.
"""

import io
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image

from segmentation.cli import options, terminal
from segmentation.data import image_io, labels, pairing, tfrecords
from segmentation.data.readers import ade20k
from segmentation.quiet import start_keras

REPEATS = 3


def plain(pairs, output, ids):
    """Write all pairs to one file."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(output)) as writer:
        for path, annotation_path in pairs:
            mask = np.array(Image.open(annotation_path))
            relabelled = np.zeros(mask.shape, np.uint8)
            for new, old in ids:
                relabelled[np.where(mask == old)] = new
            Image.open(path).convert("RGB").save(image := io.BytesIO(), "JPEG", quality=95)
            Image.fromarray(relabelled).save(annotation := io.BytesIO(), "PNG")
            feature = {
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[file.getvalue()]))
                for name, file in ((tfrecords.IMAGE, image), (tfrecords.MASK, annotation))
            }
            features = tf.train.Features(feature=feature)
            writer.write(tf.train.Example(features=features).SerializeToString())


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    for name in ("image_dir", "annotation_dir", "label_filename", "whitelist"):
        parser.add_argument(name)
    return parser.parse_args(argv)


def main(argv=None):
    """Measure both, and print pictures a second and their ratio."""
    args = parse_args(argv)
    start_keras()  # and with it TensorFlow
    names, _ = labels.read_object_info(args.label_filename)
    _, table = labels.whitelist(names, args.whitelist)
    ids = [(table[old], old) for old in names if table[old]]
    folders = (args.image_dir, args.annotation_dir)
    images, annotations = (pairing.by_stem(image_io.find(folder)) for folder in folders)
    stems, *_ = pairing.match(images, annotations, *folders)
    pairs = [(images[stem], annotations[stem]) for stem in stems]
    rates = dict.fromkeys(("plain", "one thread", "two threads"), 0.0)
    for way in [*rates] * REPEATS:
        with tempfile.TemporaryDirectory() as folder:
            output, start = Path(folder, "all.tfrecord"), time.perf_counter()
            if way == "plain":
                plain(pairs, output, ids)
            else:
                given = (*folders, output, args.label_filename, args.whitelist)
                workers = 1 if way == "one thread" else 2
                ade20k.prepare(*given, threshold=0, workers=workers)
            rates[way] = max(rates[way], len(pairs) / (time.perf_counter() - start))
    for way, rate in rates.items():
        print(f"{way:12} {rate:6.0f} pictures/s")
    ratios = {way: round(rates[way] / rates["plain"], 2) for way in rates if way != "plain"}
    terminal.print_result({"pictures_per_second": rates, "ratio": ratios})


if __name__ == "__main__":
    terminal.run(main)
