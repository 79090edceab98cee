"""How long a model takes for one image: the way in which every command here measures it.

A `.tflite` is timed as LiteRT's interpreter runs it, `invoke` alone: what an app does to get its
image into the input and the mask out is its own. Files of every other format are timed as their
`Predictor` is called, conversions included.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segmentation.formats import FORMATS
from segmentation.inference import onnx, predictor, tflite

WARM_UP = 3  # runs that do not count: the first ones allocate and pack weights
SEED = 0  # of the image: every file of one size sees the same


@dataclass(frozen=True)
class Timed:
    """A model, ready to run again and again.

    Attributes:
        run: function without arguments that runs it once on a random image.
        img_size: `(height, width)` of its input in pixels; None if that is no image.
        precision: what the file says about itself, such as `int8`, or None.
    """

    run: Callable
    img_size: tuple[int, int] | None
    precision: str | None


def load(path, threads=1):
    """Load a model of any format to time it. A `.tflite` may be of any origin, and need no image.

    Args:
        path: of a file or folder in one of `formats.FORMATS`.
        threads: that LiteRT or ONNX Runtime may use. What limits the others is not set here.

    Returns:
        `Timed`.

    Raises:
        InputError: if there is no such file, or it is not a model that runs here.
    """
    path = Path(path)
    if path.suffix.lower() == FORMATS["onnx"].suffix:
        with predictor.reading(path):
            runner = onnx.read(path, threads)
        return of_predictor(predictor.Predictor(path, runner))
    if path.suffix.lower() != FORMATS["tflite"].suffix:
        return of_predictor(predictor.load(path))
    with predictor.reading(path):
        interpreter = tflite.open_interpreter(path, threads)
        sources = interpreter.get_input_details()
        for details in sources:
            interpreter.set_tensor(
                details["index"], random_image(details["shape"], details["dtype"])
            )
        interpreter.invoke()
    shapes = [tuple(map(int, details["shape"])) for details in sources]
    img_size = next((shape[1:3] for shape in shapes if len(shape) == 4), None)
    precision = tflite.read_metadata(path).get("precision")
    return Timed(interpreter.invoke, img_size, precision)


def of_predictor(predict):
    """Return the `Timed` of a `Predictor`; that of a `.tflite` gets an interpreter of its own."""
    if predict.path.suffix.lower() == FORMATS["tflite"].suffix:
        return load(predict.path)
    image = random_image((1, *predict.img_size, 3), np.uint8)
    precision = predict.runner.metadata.get("precision")
    return Timed(lambda: predict(image), predict.img_size, precision)


def random_image(shape, dtype):
    """Return an array of whole numbers: 0..255, or -128..127 in int8."""
    lowest = -128 if np.dtype(dtype) == np.int8 else 0
    values = np.random.default_rng(SEED).integers(lowest, lowest + 256, shape)
    return values.astype(dtype)


def milliseconds(run, count, warm_up=WARM_UP):
    """Return how long each of `count` runs took, in milliseconds, after `warm_up` others."""
    taken = []
    for _ in range(warm_up + count):
        started = time.perf_counter()
        run()
        taken.append(1000 * (time.perf_counter() - started))
    return taken[warm_up:]
