"""TensorFlow's formats: frozen graph, LiteRT (.tflite) and SavedModel.

All are written from `nets.inference_model`, BatchNorm as in inference, with the static input
`image` `(1, height, width, 3)` float32 RGB 0..255 and the output `output_0`. They need the
TensorFlow backend of Keras.
"""

from pathlib import Path

import nets
from segmentation.chatter import silenced


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


def to_tflite(model, path):
    """Write `model` to `path`, a name ending in `.tflite`, float32, LiteRT's own operators."""
    import keras
    import tensorflow as tf

    model = nets.inference_model(model)
    # Keras also allows TensorFlow's operators, which a phone's LiteRT lacks: better an error here.
    operators = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    signature = keras.InputSpec(shape=(1, *model.input_shape[1:]), dtype="float32", name="image")
    with silenced():
        model.export(
            path,
            format="litert",
            verbose=False,
            input_signature=[signature],
            target_spec=operators,
        )


def _serving_function(model):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, *model.input_shape[1:]), name="image")])
    def predict(image):
        # A layer may have been left in training mode: BatchNorm must not follow it.
        return {"output_0": tf.identity(model(image, training=False), name="output_0")}

    return predict
