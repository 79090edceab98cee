"""TensorFlow's formats: frozen graph, LiteRT (.tflite) and SavedModel.

All are written from a model for inference on the TensorFlow backend of Keras, BatchNorm as in
inference, with the static input `image` `(1, height, width, 3)` float32 RGB 0..255 and the output
`output_0`. Writers take the arguments that `formats.Format` names; graphs hold no classes.
"""

from pathlib import Path

import numpy as np

from segmentation.data import arrays, image_io
from segmentation.export import tflite_metadata
from segmentation.export.options import Options, Written
from segmentation.quiet import silenced

CALIBRATION_IMAGES = 100  # TensorFlow's guide to integer quantization asks for 100 to 500


def to_frozen_graph(model, path, classes=None, options=None):
    """Write `model` to `path` as a GraphDef whose weights are constants."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,  # TensorFlow's own freezing; it has no public name
    )

    function = _serving_function(model)
    with silenced():
        frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    Path(path).write_bytes(frozen.graph.as_graph_def().SerializeToString(deterministic=True))


def to_saved_model(model, path, classes=None, options=None):
    """Write `model` to `path`, a folder, with the signature `serving_default`."""
    import tensorflow as tf

    module = tf.Module()  # not Keras' ExportArchive: that writes each weight twice
    module.weights = [variable.value for variable in model.variables]
    with silenced():
        tf.saved_model.save(
            module, str(path), signatures={"serving_default": _serving_function(model)}
        )


def to_tflite(model, path, classes, options=None):
    """Write `model` to `path`, a name ending in `.tflite`, LiteRT's own operators, with metadata.

    Args:
        model: `keras.Model` for inference.
        path: of the file.
        classes: `Classes`, for the metadata.
        options: `Options`. Its precision is `float32`; `float16`, of the weights; or `int8`, of
            weights and arithmetic, which takes the range of each tensor from `calibration`. The
            input of int8 is then uint8 RGB 0..255, and its output uint8, whose scale and zero point
            give probabilities.

    Returns:
        `Written` with the steps of a uint8 output.
    """
    import keras
    import tensorflow as tf

    options = options or Options()
    precision, calibration = options.precision, options.calibration
    # Keras also allows TensorFlow's operators, which a phone's LiteRT lacks: better an error here.
    operators = tf.lite.OpsSet.TFLITE_BUILTINS
    converter, target = {}, {}
    if precision == "float16":
        converter = {"optimizations": [tf.lite.Optimize.DEFAULT]}
        target = {"supported_types": [tf.float16]}
    elif precision == "int8":
        operators = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        converter = {
            "optimizations": [tf.lite.Optimize.DEFAULT],
            "representative_dataset": lambda: _one_by_one(calibration),
            "inference_input_type": tf.uint8,
            "inference_output_type": tf.uint8,
        }
    signature = keras.InputSpec(shape=(1, *model.input_shape[1:]), dtype="float32", name="image")
    with silenced():
        model.export(
            path,
            format="litert",
            verbose=False,
            input_signature=[signature],
            target_spec={"supported_ops": [operators], **target},
            **converter,
        )
    count = len(calibration) if precision == "int8" else 0
    tflite_metadata.attach(path, classes, precision, count)
    return Written(steps=_output_steps(path) if precision == "int8" else None)


def _output_steps(path):
    """Return `(scale, zero point)` of the output of the .tflite at `path`."""
    from ai_edge_litert.interpreter import Interpreter

    with silenced():
        (output,) = Interpreter(str(path)).get_output_details()
    scale, zero_point = output["quantization"]
    return float(scale), int(zero_point)


def with_background(model):
    """Return the one-class `model` with a channel for the background before its own: [1 - p, p]."""
    import keras

    (probability,) = model.outputs
    both = keras.ops.concatenate([1 - probability, probability], axis=-1)
    return keras.Model(model.input, both, name=model.name)


def calibration_images(source, img_size, count=CALIBRATION_IMAGES):
    """Return images to calibrate an int8 file on, evenly spread over those that are there.

    Args:
        source: folder of images, or an `images-….npy` that data.py wrote.
        img_size: `(height, width)` in pixels.
        count: how many at most.

    Returns:
        `(n, height, width, 3)` uint8 RGB, `1 <= n <= count`.

    Raises:
        InputError: if there are none, or one cannot be read.
    """
    if Path(source).suffix == ".npy":
        images = arrays.open_images(source)
        chosen = image_io.spread(len(images), count)
        return np.stack([image_io.resize(np.asarray(images[row]), img_size) for row in chosen])
    return image_io.sample(source, img_size, count)


def _one_by_one(calibration):
    """Yield images as the converter wants them, the first with a black and a white pixel.

    With these the input's scale is 1 and its zero point 0, whatever the images hold: an app passes
    its bytes unchanged.
    """
    images = calibration.astype(np.float32)
    images[0, 0, 0], images[0, 0, 1] = 0, 255
    for image in images:
        yield [image[None]]


def _serving_function(model):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, *model.input_shape[1:]), name="image")])
    def predict(image):
        # A layer may have been left in training mode: BatchNorm must not follow it.
        return {"output_0": tf.identity(model(image, training=False), name="output_0")}

    return predict
