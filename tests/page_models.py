"""Models of a few layers whose masks are known, as `.tflite`, and images for them."""

import keras
import numpy as np

from segmentation.data.classes import Classes
from segmentation.export.job import Exporter
from segmentation.export.options import Options

SIZE = (64, 96)  # not square, so that swapped sides show
RED = Classes(("red",), ((255, 0, 0),))
COLORS = Classes(("background", "red", "blue"), ((0, 0, 0), (255, 0, 0), (0, 0, 255)))
GAIN = 0.2  # of a logit per step of a colour: borders are clear


def red_model(gain=GAIN):
    """Return a model that gives 1 where red is much stronger than green and blue."""
    kernel = np.array([gain, -gain / 2, -gain / 2]).reshape(1, 1, 3, 1)
    return _model("sigmoid", kernel, [-40 * gain], stride=1)


def quarter_model():
    """Return a model of background, red and blue whose output is a quarter as high and wide."""
    kernel = np.array([[0, GAIN, -GAIN], [0, -GAIN, -GAIN], [0, -GAIN, GAIN]]).reshape(1, 1, 3, 3)
    return _model("softmax", kernel, [0, 0, 0], stride=4)


def _model(activation, kernel, bias, stride):
    image = keras.Input((*SIZE, 3), name="image")
    x = keras.layers.AveragePooling2D(stride)(image) if stride > 1 else image
    score = keras.layers.Conv2D(kernel.shape[-1], 1, name="score")
    model = keras.Model(image, keras.layers.Activation(activation, name="mask")(score(x)))
    score.set_weights([kernel, np.array(bias)])
    return model


def images(count, size, seed=0):
    """Return `(count, *size, 3)` uint8: smooth random colours, with noise on them."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (count, 5, 6, 3))
    tiles = np.kron(coarse, np.ones((1, -(-size[0] // 5), -(-size[1] // 6), 1)))
    noise = generator.normal(0, 12, tiles.shape)
    return np.clip(tiles + noise, 0, 255).astype(np.uint8)[:, : size[0], : size[1]]


def write(path, model, classes, precision="float32"):
    """Write a model as `.tflite`; return the path."""
    calibration = images(8, SIZE, seed=1) if precision == "int8" else None
    Exporter(model, classes).write(path, Options(precision, calibration))
    return path
