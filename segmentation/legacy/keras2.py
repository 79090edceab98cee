"""Rebuilding a network from the configuration that Keras 2 wrote."""

import keras

from nets.layers import BilinearUpSampling2D
from segmentation.legacy.hdf5 import valid_name

# Options that tf.keras wrote with their only value, and Keras 3 refuses. DepthwiseConv2D and
# Conv2DTranspose inherited theirs from Conv2D.
REFUSED = {
    "DepthwiseConv2D": {"groups": 1},
    "Conv2DTranspose": {"groups": 1},
    "BilinearUpSampling2D": {"data_format": "channels_last"},
}


def from_config(config, version):
    """Return the network of a Keras 2 `model_config`, without its weights.

    Args:
        config: dictionary with `class_name` and `config`.
        version: of the Keras that wrote it.

    Raises:
        ValueError: if it is not a functional model of known layers.
    """
    if config["class_name"] not in ("Model", "Functional"):
        raise ValueError(f"it is a {config['class_name']}, not a functional model")
    config = _readable(config["config"])
    objects = {"BilinearUpSampling2D": BilinearUpSampling2D}
    model = keras.Model.from_config(config, custom_objects=objects)
    if any(isinstance(layer, keras.Model) for layer in model.layers):
        raise ValueError("it holds a model within the model")
    return upsampling_as_trained(model, version)


def _readable(config, key=None):
    """Return a (nested) Keras 2 configuration in a form that Keras 3 reads."""
    if key == "batch_input_shape":  # begins with a batch size where training read from a queue
        return [None, *config[1:]]
    if key == "dtype":  # mixed precision is of no use after training
        return "float32"
    if isinstance(config, str):
        return valid_name(config)
    if isinstance(config, list):
        return [_readable(value) for value in config]
    if not isinstance(config, dict):
        return config
    config = {name: _readable(value, name) for name, value in config.items()}
    for name, value in REFUSED.get(config.get("class_name"), {}).items():
        if config["config"].get(name) == value:
            del config["config"][name]
    return config


def upsampling_as_trained(model, version):
    """Return `model` with the bilinear upsampling of the TensorFlow that trained it.

    Keras up to 2.3 called `resize_bilinear` of TensorFlow 1; tf.keras, from 2.2.4-tf on, calls that
    of TensorFlow 2, as Keras 3 does.

    Args:
        model: functional `keras.Model`.
        version: of the Keras that wrote the file.
    """
    if "tf" in version or int(version.split(".")[1]) > 3:
        return model

    def copied(layer):
        if isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation == "bilinear":
            return BilinearUpSampling2D(layer.size, name=layer.name)
        return type(layer).from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=copied)
