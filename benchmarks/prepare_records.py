"""Compare `data.py ade20k` with the plain way of making TFRecords, in one run.

    python benchmarks/prepare_records.py camvid/images/training camvid/annotations/training \
        camvid/objectInfoCamVid.txt "Sky|Building|Road|Car"

The plain way is one process that decodes every file with Pillow, relabels class by class, encodes
both again (JPEG of quality 95, PNG) and writes with TensorFlow. Both ways run in this process:
importing TensorFlow, which only the plain way needs, counts for neither. Where Dask is installed,
two of its workers are compared as well; starting them does not count. All keep every image; the
best of three runs counts.
"""

import contextlib
import importlib.util
import io
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image

from segmentation.cli import options, terminal
from segmentation.data import engines, labels, preparation, tfrecords
from segmentation.data.readers import ade20k
from segmentation.data.whitelist import apply_whitelist
from segmentation.data.writers import RecordsWriter
from segmentation.quiet import start_keras

REPEATS = 3


def plain(samples, output, ids):
    """Write all samples to one file."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(output)) as writer:
        for sample in samples:
            mask = np.array(Image.open(sample.mask))
            relabelled = np.zeros(mask.shape, np.uint8)
            for new, old in ids:
                relabelled[np.where(mask == old)] = new
            Image.open(sample.image).convert("RGB").save(image := io.BytesIO(), "JPEG", quality=95)
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
    for name in ("image_dir", "annotation_dir", "label_file", "whitelist"):
        parser.add_argument(name)
    return parser.parse_args(argv)


def main(argv=None):
    """Measure both, and print images per second and their ratios."""
    args = parse_args(argv)
    start_keras()  # and with it TensorFlow
    names, _ = labels.read_object_info(args.label_file)
    _, table = apply_whitelist(names, args.whitelist)
    ids = [(table[old], old) for old in names if table[old]]
    samples = ade20k.open_reader(**vars(args)).samples
    with contextlib.ExitStack() as stack:
        ways = {"plain": None, "one thread": engines.Threads(1), "two threads": engines.Threads(2)}
        if importlib.util.find_spec("distributed"):
            ways["two Dask workers"] = stack.enter_context(engines.open_dask(workers=2))
        speeds = dict.fromkeys(ways, 0.0)
        for way in [*ways] * REPEATS:
            with tempfile.TemporaryDirectory() as folder:
                output, start = Path(folder, "all.tfrecord"), time.perf_counter()
                if way == "plain":
                    plain(samples, output, ids)
                else:
                    reader = ade20k.open_reader(**vars(args))
                    preparation.prepare(reader, RecordsWriter(output), ways[way])
                speeds[way] = max(speeds[way], len(samples) / (time.perf_counter() - start))
    for way, speed in speeds.items():
        print(f"{way:16} {speed:6.0f} images/s")
    ratios = {way: round(speeds[way] / speeds["plain"], 2) for way in speeds if way != "plain"}
    terminal.print_result({"pictures_per_second": speeds, "ratio": ratios})


if __name__ == "__main__":
    terminal.run(main)
