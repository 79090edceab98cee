"""The networks, by name, and how to build, load and strip them for inference."""

import keras

from nets.mobile_unet import MobileUNet

NETWORKS = {"mobile_unet": MobileUNet}
OUTPUT = "mask"  # name of the layer whose output leaves the training model for the phone


def build(name, img_size, num_classes, **arguments):
    """Build the network called `name`.

    Args:
        name: a key of `NETWORKS`.
        img_size: `(height, width)` in pixels, multiples of 32.
        num_classes: channels of the output: 1 for one class (sigmoid), else classes + background.
        arguments: the network's own, such as `alpha`.

    Returns:
        `keras.Model` from RGB 0..255 to probabilities.

    Raises:
        ValueError: for an unknown name or arguments that the network refuses.
    """
    if name not in NETWORKS:
        raise ValueError(f"no network is called {name!r}; there are {', '.join(NETWORKS)}")
    return NETWORKS[name](img_size, num_classes, **arguments)


def load(path):
    """Load a whole model from a `.keras` or `.h5` file, without its optimizer.

    Raises:
        ValueError, OSError: if the file is missing, damaged or no model.
    """
    return keras.models.load_model(path, compile=False, safe_mode=True)


def inference_model(model):
    """Return the float32 model from the picture to `mask`: no training heads, no mixed precision.

    Weights are copied when the precision changes and shared otherwise.
    """
    if any(layer.compute_dtype != "float32" for layer in model.layers):
        clone = keras.Model.from_config(_float32(model.get_config()))
        clone.set_weights(model.get_weights())
        model = clone
    if len(model.outputs) == 1:
        return model
    return keras.Model(model.input, model.get_layer(OUTPUT).output, name=model.name)


def _float32(config):
    """Copy a (nested) layer configuration with every dtype policy replaced by float32."""
    if isinstance(config, dict):
        return {
            key: "float32" if key == "dtype" else _float32(value) for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(_float32(value) for value in config)
    return config
