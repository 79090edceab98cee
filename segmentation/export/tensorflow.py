"""TensorFlow's formats: frozen graph, LiteRT (.tflite) and SavedModel.

All are written from `nets.inference_model`, BatchNorm as in inference, with the static input
`image` `(1, height, width, 3)` float32 RGB 0..255 and the output `output_0`. They need the
TensorFlow backend of Keras.
"""

from pathlib import Path

import numpy as np

import nets
from segmentation.data import arrays, image_io
from segmentation.export import tflite_metadata
from segmentation.quiet import silenced

CALIBRATION_PICTURES = 100  # TensorFlow's guide to integer quantization asks for 100 to 500


def to_frozen_graph(model, path):
    """Write `model` to `path` as a GraphDef whose weights are constants."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,  # TensorFlow's own freezing; it has no public name
    )

    function = _serving_function(nets.inference_model(model))
    with silenced():
        frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    Path(path).write_bytes(frozen.graph.as_graph_def().SerializeToString(deterministic=True))


def to_saved_model(model, path):
    """Write `model` to `path`, a folder, with the signature `serving_default`."""
    import tensorflow as tf

    model = nets.inference_model(model)
    module = tf.Module()  # not Keras' ExportArchive: that writes each weight twice
    module.weights = [variable.value for variable in model.variables]
    with silenced():
        tf.saved_model.save(
            module, str(path), signatures={"serving_default": _serving_function(model)}
        )


def to_tflite(model, path, classes, precision="float32", calibration=None):
    """Write `model` to `path`, a name ending in `.tflite`, LiteRT's own operators, with metadata.

    Args:
        model: `keras.Model` with one input and one output.
        path: of the file.
        classes: `Classes`, for the metadata.
        precision: `float32`; `float16`, of the weights; or `int8`, of weights and arithmetic. The
            input of int8 is then uint8 RGB 0..255, and its output uint8, whose scale and zero point
            give probabilities.
        calibration: `(N, height, width, 3)` uint8 RGB, pictures such as the app will see, from
            which int8 takes the range of each tensor.
    """
    import keras
    import tensorflow as tf

    model = nets.inference_model(model)
    # Keras also allows TensorFlow's operators, which a phone's LiteRT lacks: better an error here.
    operators = tf.lite.OpsSet.TFLITE_BUILTINS
    options, target = {}, {}
    if precision == "float16":
        options = {"optimizations": [tf.lite.Optimize.DEFAULT]}
        target = {"supported_types": [tf.float16]}
    elif precision == "int8":
        operators = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        options = {
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
            **options,
        )
    count = len(calibration) if precision == "int8" else 0
    tflite_metadata.attach(path, classes, precision, count)


def output_steps(path):
    """Return `(scale, zero point)` of the output of the .tflite at `path`."""
    from ai_edge_litert.interpreter import Interpreter

    with silenced():
        (output,) = Interpreter(str(path)).get_output_details()
    scale, zero_point = output["quantization"]
    return float(scale), int(zero_point)


def with_background(model):
    """Return the one-class `model` with a channel for the background before its own: [1 - p, p]."""
    import keras

    model = nets.inference_model(model)
    (probability,) = model.outputs
    both = keras.ops.concatenate([1 - probability, probability], axis=-1)
    return keras.Model(model.input, both, name=model.name)


def calibration_pictures(source, img_size, count=CALIBRATION_PICTURES):
    """Return pictures to calibrate an int8 file on, evenly spread over those that are there.

    Args:
        source: folder of pictures, or an `images-….npy` that data.py wrote.
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
    """Yield pictures as the converter wants them, the first with a black and a white pixel.

    With these the input's scale is 1 and its zero point 0, whatever the pictures hold: an app hands
    over its bytes as they are.
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
