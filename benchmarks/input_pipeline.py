"""Compare the input pipeline for TFRecords with that of the older ADE20K project.

    python benchmarks/input_pipeline.py data/room/room.tfrecord --img_size 768

That project decoded, resized, padded to twice the size by reflection, rotated, zoomed and cropped
back the image and the mask, and made three one-hot targets. Ours warps each once, to class ids.
Both use as many threads as training and the same records, in one run of a minute or two; the best
of three counts.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from segmentation.cli import options, terminal
from segmentation.quiet import start_keras

BATCH_SIZE = 8
REPEATS = 3
ANGLE = 3.14159265 / 6  # radians, either way
ZOOM = (0.85, 1.75)  # extent that is seen


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument("tfrecord_data")
    parser.add_argument("-l", "--label_filename", help="default: labels.txt beside the data")
    parser.add_argument("-s", "--img_size", type=options.img_size, default=(768, 768))
    parser.add_argument("--pictures", type=options.count, default=256, help="(%(default)s)")
    args = parser.parse_args(argv)
    if args.pictures < 2 * BATCH_SIZE:
        parser.error(f"--pictures: {2 * BATCH_SIZE} at least")
    return args


def main(argv=None):
    """Measure both and print images per second and their ratio."""
    args = parse_args(argv)
    start_keras()
    from segmentation.data import tfrecords

    data = tfrecords.open_records(args.tfrecord_data, args.label_filename)
    speeds = {"older order": 0.0, "one warp": 0.0}
    for _ in range(REPEATS):
        for name, batches in (("older order", older(args, data)), ("one warp", ours(args, data))):
            next(batches)  # what is built once does not count
            start = time.perf_counter()
            seen = sum(len(images) for images, _ in batches)
            speeds[name] = max(speeds[name], seen / (time.perf_counter() - start))
    for name, speed in speeds.items():
        print(f"{name:12} {speed:6.1f} images/s")
    ratio = speeds["one warp"] / speeds["older order"]
    terminal.print_result({"pictures_per_second": speeds, "ratio": round(ratio, 2)})


def ours(args, data):
    """Yield batches as training gets them."""
    import numpy as np

    from segmentation.data import augmentation, pipeline
    from segmentation.data.dataset import Subset

    options = pipeline.BatchOptions(
        args.img_size,
        BATCH_SIZE,
        affine_ranges=augmentation.SCENES,
        steps_per_epoch=args.pictures // BATCH_SIZE,
    )
    targets = [(np.arange(256, dtype=np.uint8), stride) for stride in (4, 8, 16)]
    batches = pipeline.TrainingBatches(Subset(data, range(len(data))), targets, options)
    with ThreadPoolExecutor(pipeline.WORKERS) as pool:
        yield from pool.map(batches.__getitem__, range(len(batches)))


def older(args, data):
    """Yield batches in the older order of work, with tf.data."""
    import tensorflow as tf

    from segmentation.data import pipeline, tfrecords

    height, width = args.img_size
    num_classes = len(data.labels)

    def changed(record):
        names = (tfrecords.IMAGE, tfrecords.MASK)
        fields = {name: tf.io.FixedLenFeature([], tf.string) for name in names}
        parsed = tf.io.parse_single_example(record, fields)
        image = tf.io.decode_image(parsed[tfrecords.IMAGE], 3, expand_animations=False)
        mask = tf.io.decode_png(parsed[tfrecords.MASK], 1)
        angle, zoom = tf.random.uniform([], -ANGLE, ANGLE), tf.random.uniform([], *ZOOM)
        flip = tf.random.uniform([]) < 0.5
        image, mask = (moved(array, angle, zoom, flip) for array in (image, mask))
        sizes = [(height // n, width // n) for n in (4, 8, 16)]
        small = [tf.image.resize(mask, size, "nearest")[..., 0] for size in sizes]
        masks = [tf.one_hot(ids, num_classes) for ids in small]
        return tf.cast(image, tf.float32) / 255 - 0.5, tuple(masks)

    def moved(array, angle, zoom, flip):
        array = tf.image.resize(array, (height, width), "nearest")
        margins = [[height // 2, height // 2], [width // 2, width // 2], [0, 0]]
        array = tf.pad(array, margins, "REFLECT")[None]
        cos, sin = tf.cos(angle), tf.sin(angle)
        x, y = float(width) - 0.5, float(height) - 0.5  # the centre
        matrix = [cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y, 0.0, 0.0]
        array = tf.raw_ops.ImageProjectiveTransformV3(
            images=array,
            transforms=[matrix],
            output_shape=[2 * height, 2 * width],
            fill_value=0.0,
            interpolation="NEAREST",
        )
        low, high = 0.5 - 0.5 * zoom, 0.5 + 0.5 * zoom
        array = tf.image.crop_and_resize(
            array, [[low, low, high, high]], [0], (2 * height, 2 * width), "nearest"
        )
        array = tf.image.central_crop(tf.cast(array[0], tf.uint8), 0.5)
        return tf.image.flip_left_right(array) if flip else array

    files = [str(path) for path in tfrecords.paths(args.tfrecord_data)]
    dataset = tf.data.TFRecordDataset(files).repeat().map(changed, pipeline.WORKERS)
    yield from dataset.batch(BATCH_SIZE).take(args.pictures // BATCH_SIZE).as_numpy_iterator()


if __name__ == "__main__":
    terminal.run(main)
