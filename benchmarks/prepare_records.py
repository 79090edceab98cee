"""Compare `data.py ade20k` with the plain way of making TFRecords, in one run.

    python benchmarks/prepare_records.py camvid/images/training camvid/annotations/training \
        camvid/objectInfoCamVid.txt "Sky|Building|Road|Car"

The plain way is one process that decodes every file with Pillow, relabels class by class, encodes
both again (JPEG of quality 95, PNG) and writes with TensorFlow. Both are called within this
process: TensorFlow's import, which only the plain way needs, counts for neither. Both keep every
picture. Prints pictures/s, best of three each, and their ratio.
"""

import io
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import tensorflow as tf
from PIL import Image

from segmentation import ade20k, labels, tfrecords


def plain(image_dir, annotation_dir, output, ids):
    """Write all pairs to one file."""
    with tf.io.TFRecordWriter(str(output)) as writer:
        for path in sorted(Path(image_dir).iterdir()):
            mask = np.array(Image.open(Path(annotation_dir, f"{path.stem}.png")))
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


image_dir, annotation_dir, label_filename, whitelist = sys.argv[1:]
names, _shares = labels.read_object_info(label_filename)
ids = [
    (new, old)
    for new, group in enumerate(whitelist.split("|"), start=1)
    for old, name in names.items()
    if name.strip() in [member.strip() for member in group.split(":")]
]
count, best = len(list(Path(image_dir).iterdir())), {}
for _ in range(3):
    for way, workers in (("plain", 0), ("one thread", 1), ("two threads", 2)):
        with tempfile.TemporaryDirectory() as folder:
            output, start = Path(folder, "all.tfrecord"), time.perf_counter()
            if way == "plain":
                plain(image_dir, annotation_dir, output, ids)
            else:
                folders = (image_dir, annotation_dir, output, label_filename)
                ade20k.prepare(*folders, whitelist, threshold=0, workers=workers)
            best[way] = max(best.get(way, 0), count / (time.perf_counter() - start))
for way, speed in best.items():
    print(f"{way:12}{speed:8.0f} pictures/s{speed / best['plain']:8.1f} times the plain way")
