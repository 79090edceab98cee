"""A network of two layers, for tests of what surrounds a network; as a script, train_full.

With KILLED_SAVE=N in the environment the script kills itself in the middle of the N-th checkpoint;
with CPU_DEVICES=N TensorFlow sees so many devices (JAX has a flag of its own for that). DROPOUT is
the rate of the dropout.
"""

import csv
import io
import itertools
import os
import signal
import sys
from pathlib import Path

SMALL = ["--model", "tiny", "--batch_size", "4", "--seed", "3"]
ENCODER_END = "conv_relu"
GRID_SIZES = (64, 32)


def Tiny(img_size, num_classes=1, alpha=1.0):
    """Build a network whose training graph compiles in a second."""
    import keras

    image = keras.Input((*img_size, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(int(8 * alpha), 3, padding="same", use_bias=False, name="conv")(x)
    x = keras.layers.BatchNormalization(name="conv_bn")(x)
    x = keras.layers.ReLU(name="conv_relu")(x)
    # Has random state, which a checkpoint must hold; without a seed PyTorch keeps it to itself.
    x = keras.layers.Dropout(float(os.environ.get("DROPOUT", 0.1)), seed=1)(x)
    x = keras.layers.Conv2D(num_classes, 1, name="score")(x)
    activation = "sigmoid" if num_classes == 1 else "softmax"
    mask = keras.layers.Activation(activation, dtype="float32", name="mask")(x)
    return keras.Model(image, mask, name="tiny")


def register(set_item):
    """Make `--model tiny` known, with `set_item(dictionary, key, value)`."""
    import nets

    set_item(nets.NETWORKS, "tiny", "tiny_network:Tiny")
    # As a script this module has another name.
    set_item(sys.modules, "tiny_network", sys.modules[__name__])


def write_arrays(folder, count=20, size=32, shown=1):
    """Write arrays of images whose bright disc is the class `shown`, two of each person."""
    import numpy as np

    from segmentation.data import arrays, labels

    rng = np.random.default_rng(0)
    masks = np.zeros((count, size, size), np.uint8)
    y, x = np.mgrid[:size, :size]
    for mask, (cx, cy, radius) in zip(masks, rng.integers(8, 20, (count, 3)), strict=True):
        mask[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] = shown
    images = (60 + 120 * masks[..., None] + rng.integers(0, 60, (count, size, size, 3))).astype(
        "u1"
    )
    folder.mkdir(exist_ok=True)
    img_file, mask_file, names_file, label_file = arrays.paths(folder, (size, size))
    np.save(img_file, images)
    np.save(mask_file, masks)
    arrays.write_names(
        names_file, [str(i) for i in range(count)], [f"p{i // 2}" for i in range(count)]
    )
    labels.write(label_file, ["background", "hair", "face"])
    return str(img_file)


def write_records(folder):
    """Write the arrays of the fixture `data` as a TFRecord."""
    import numpy as np
    from PIL import Image

    from segmentation.data import labels, tfrecords

    images, masks = (np.load(folder / f"data/{name}-32.npy") for name in ("images", "masks"))

    def encoded(array):
        file = io.BytesIO()
        Image.fromarray(array).save(file, "PNG")
        return file.getvalue()

    with open(folder / "discs.tfrecord", "wb") as file:
        for index, (image, mask) in enumerate(zip(images, masks, strict=True)):
            file.write(
                tfrecords.record(str(index), encoded(image), "png", mask.shape, encoded(mask))
            )
    labels.write(folder / "labels.txt", ["background", "hair", "face"])


def train_tiny(*options):
    """Train the network on the arrays in `data`, those of 32 px, by the command."""
    import train_full

    train_full.main(["--img_file", "data/images-32.npy", *SMALL, *options])


def save_constant(path, probabilities, names, size=32):
    """Save a model, with a card, that says the same of every pixel; return the path."""
    import keras
    import numpy as np

    from segmentation import model_card
    from segmentation.data.classes import Classes

    image = keras.Input((size, size, 3), name="image")
    count, several = len(probabilities), len(probabilities) > 1
    activation = "softmax" if several else "sigmoid"
    score = keras.layers.Conv2D(count, 1, activation=activation, name="mask")
    model = keras.Model(image, score(keras.layers.Rescaling(1 / 255)(image)))
    values = np.array(probabilities)
    logits = np.log(values) if several else np.log(values / (1 - values))
    score.set_weights([np.zeros((1, 1, 3, count)), logits])
    model.save(path)
    model_card.write(path, {"img_size": [size, size], **Classes.of_names(names).to_card()})
    return path


def history(path):
    """Return the rows of a run's history, dictionaries of strings."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def die_while_saving(number):
    """Make the `number`-th checkpoint end half-written, by kill -9."""
    import numpy as np

    whole, calls = np.savez, itertools.count(1)

    def savez(path, **arrays):
        whole(path, **arrays)
        if next(calls) == number:
            os.truncate(path, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    np.savez = savez


def divide_cpu(number):
    """Make TensorFlow see `number` devices in the CPU."""
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    parts = [tf.config.LogicalDeviceConfiguration()] * number
    tf.config.set_logical_device_configuration(cpu, parts)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import train_full
    from segmentation.cli import terminal

    register(dict.__setitem__)
    if "CPU_DEVICES" in os.environ:
        divide_cpu(int(os.environ["CPU_DEVICES"]))
    die_while_saving(int(os.environ.get("KILLED_SAVE", 0)))
    terminal.run(train_full.main)
