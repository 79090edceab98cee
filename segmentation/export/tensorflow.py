"""TensorFlow's formats: frozen graph, LiteRT (.tflite) and SavedModel.

All are written from a model for inference on the TensorFlow backend of Keras, BatchNorm as in
inference, with the static input `image` `(1, height, width, 3)` float32 RGB 0..255 and the output
`output_0`. Writers take the arguments that `formats.Format` names; graphs hold no classes.
"""

import tempfile
from pathlib import Path

import numpy as np

from segmentation.data import arrays, image_io
from segmentation.export import parity, tflite_metadata
from segmentation.export.options import Options, Written
from segmentation.export.sharing import once
from segmentation.quiet import silenced

CALIBRATION_IMAGES = 100  # TensorFlow's guide to integer quantization asks for 100 to 500


def to_frozen_graph(model, path, classes=None, options=None):
    """Write `model` to `path` as a GraphDef whose weights are constants."""
    with silenced():
        graph = _frozen(model).graph.as_graph_def()
    Path(path).write_bytes(graph.SerializeToString(deterministic=True))


def to_saved_model(model, path, classes=None, options=None):
    """Write `model` to `path`, a folder, with the signature `serving_default`."""
    import tensorflow as tf

    module = tf.Module()  # not Keras' ExportArchive: that writes each weight twice
    module.weights = [variable.value for variable in model.variables]
    with silenced():
        tf.saved_model.save(
            module, str(path), signatures={"serving_default": serving_function(model)}
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
    import tensorflow as tf

    options = options or Options()
    precision, calibration = options.precision, options.calibration
    with tempfile.TemporaryDirectory() as folder, silenced():
        # Frozen before: a SavedModel with variables takes four times as long to write and to read.
        # From the frozen function itself the file would have no signature.
        frozen = _frozen(model)

        @tf.function(input_signature=input_signature(model))
        def predict(image):
            return {"output_0": frozen(image)[0]}

        tf.saved_model.save(tf.Module(), folder, signatures={"serving_default": predict})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        # LiteRT's own alone: a phone's lacks TensorFlow's operators, so better an error here.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        elif precision == "int8":
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: _one_by_one(calibration)
            converter.inference_input_type = converter.inference_output_type = tf.uint8
        content = converter.convert()
    Path(path).write_bytes(content)
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
        source: folder for `readers.find_images`, or an `images-….npy` that data.py wrote.
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
    return parity.check_images(img_size, source, count)


def _one_by_one(calibration):
    """Yield images as the converter wants them, the first with a black and a white pixel.

    With these the input's scale is 1 and its zero point 0, whatever the images hold: an app passes
    its bytes unchanged.
    """
    images = calibration.astype(np.float32)
    images[0, 0, 0], images[0, 0, 1] = 0, 255
    for image in images:
        yield [image[None]]


@once
def _frozen(model):
    """Return the serving function of a model with constants for weights."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,  # TensorFlow's own freezing; it has no public name
    )

    return convert_variables_to_constants_v2(serving_function(model).get_concrete_function())


@once
def serving_function(model):
    """Return a model as a function of one image, `input_signature`, to `{"output_0": scores}`."""
    import tensorflow as tf

    @tf.function(input_signature=input_signature(model))
    def predict(image):
        # A layer may have been left in training mode: BatchNorm must not follow it.
        return {"output_0": tf.identity(model(image, training=False), name="output_0")}

    return predict


def input_signature(model):
    """Return the signature of the serving function of a model."""
    import tensorflow as tf

    return [tf.TensorSpec((1, *model.input_shape[1:]), name="image")]
