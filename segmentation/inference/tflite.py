"""Running `.tflite` files with LiteRT, and reading their metadata."""

import json
import zipfile

import numpy as np

from segmentation.inference.runner import one_by_one

OWN_FILE = "segmentation.json"  # holds, inside a `.tflite`, what TFLite Metadata has no place for


def read(path):
    """Return the `Runner` of a `.tflite` with one input and one output, both float32 or uint8.

    It runs on one thread.

    Raises:
        ValueError: if the file is damaged, or no such model.
    """
    interpreter = open_interpreter(path, threads=1)
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    for details in (source, target):
        if details["dtype"] not in (np.float32, np.uint8):
            raise ValueError(f"it works on {details['dtype'].__name__}, not on float32 or uint8")

    def run_one(image):
        interpreter.set_tensor(source["index"], _quantized(image, source))
        interpreter.invoke()
        return _dequantized(interpreter.get_tensor(target["index"]), target)

    return one_by_one(run_one, source["shape"], target["shape"], metadata=read_metadata(path))


def open_interpreter(path, threads):
    """Return LiteRT's interpreter of a `.tflite` of any origin, its tensors allocated.

    Raises:
        ValueError: if the file is damaged.
        RuntimeError: if it needs an op that LiteRT lacks.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter


def read_metadata(path):
    """Return what our converter wrote into a `.tflite`; {} for a file of another origin.

    Returns:
        dictionary with `classes`, `colors` and `ignored_class`, as in a model card, `precision` and
        `calibration_pictures`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(OWN_FILE))
    except (zipfile.BadZipFile, KeyError, ValueError):
        return {}


def _quantized(values, details):
    """Return float32 values as the tensor of `details` stores them."""
    if details["dtype"] == np.float32:
        return values
    scale, zero_point = details["quantization"]
    return np.clip(np.rint(values / scale) + zero_point, 0, 255).astype(np.uint8)


def _dequantized(values, details):
    """Return the float32 values that the tensor of `details` stores."""
    if details["dtype"] == np.float32:
        return values
    scale, zero_point = details["quantization"]
    return (values.astype(np.float32) - zero_point) * np.float32(scale)
