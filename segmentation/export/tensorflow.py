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
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,  # TensorFlow's own freezing; it has no public name
    )

    model = nets.inference_model(model)

    @tf.function(input_signature=[tf.TensorSpec((1, *model.input_shape[1:]), name="image")])
    def predict(image):
        return tf.identity(model(image, training=False), name="output_0")

    with silenced():
        frozen = convert_variables_to_constants_v2(predict.get_concrete_function())
    Path(path).write_bytes(frozen.graph.as_graph_def().SerializeToString(deterministic=True))


def to_tflite(model, path):
    """Write `model` to `path`, a name ending in `.tflite`, float32, LiteRT's own operators."""
    import tensorflow as tf

    model = nets.inference_model(model)
    # Keras also allows TensorFlow's operators, which a phone's LiteRT lacks: better an error here.
    operators = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    with silenced():
        model.export(
            path,
            format="litert",
            verbose=False,
            input_signature=[_signature(model)],
            target_spec=operators,
        )


def to_saved_model(model, path):
    """Write `model` to `path`, a folder, with the signature `serving_default`."""
    import keras

    model = nets.inference_model(model)
    archive = keras.export.ExportArchive()
    archive.track(model)
    with silenced():
        archive.add_endpoint(
            "serve",
            lambda image: model(image, training=False),  # `Model.export` would leave that to layers
            input_signature=[_signature(model)],
        )
        archive.write_out(str(path), verbose=False)


def _signature(model):
    import keras

    return keras.InputSpec(shape=(1, *model.input_shape[1:]), dtype="float32", name="image")
