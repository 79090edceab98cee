"""The encoders by name, and what a decoder may ask of one.

The module of an encoder holds two functions:

    encode(name, img_size, alpha)
        returns `(image, features)`: the input of the network, RGB 0..255, and the features at
        strides 2, 4, 8, 16 and 32. Normalisation is part of it, since each encoder has its own.
    imagenet_file(name, model)
        returns the path of ImageNet's weights for the encoder in `model`, or raises ValueError.

A new encoder is such a module and a row in `ENCODERS`.
"""

import importlib

# By name on the command line.
ENCODERS = {
    "efficientnet_lite0": "nets.efficientnet_lite",
    "efficientnet_lite0_short": "nets.efficientnet_lite",
    "efficientnet_lite0_half": "nets.efficientnet_lite",
    "efficientnet_lite1": "nets.efficientnet_lite",
    "efficientnet_lite2": "nets.efficientnet_lite",
    "efficientnet_lite_small": "nets.efficientnet_lite",
    "mobilenet": "nets.mobilenet",
}
STRIDES = (2, 4, 8, 16, 32)  # of the features


def encode(name, img_size, alpha):
    """Build an encoder.

    Args:
        name: a key of `ENCODERS`.
        img_size: `(height, width)` of the input in pixels, multiples of 32.
        alpha: width multiplier.

    Returns:
        `(image, features)`: `keras.Input` `(batch, height, width, 3)`, RGB 0..255, and a list of
        tensors at `STRIDES`.

    Raises:
        ValueError: if the name is unknown, or the encoder refuses an argument.
    """
    return _module(name).encode(name, img_size, alpha)


def imagenet_file(name, model):
    """Return the path of ImageNet's weights for the encoder in a model.

    Args:
        name: a key of `ENCODERS`.
        model: `keras.Model` with the encoder in it.

    Raises:
        ValueError: if there are none, or they are not installed or cannot be fetched.
    """
    return _module(name).imagenet_file(name, model)


def _module(name):
    if name not in ENCODERS:
        raise ValueError(f"unknown encoder {name!r}; expected one of {', '.join(ENCODERS)}")
    return importlib.import_module(ENCODERS[name])
