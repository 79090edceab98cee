"""The networks by name: building one, and what its module says of it.

A module of a network holds a function of the network's name in CamelCase and these constants:

    ENCODER_END   the last layer of the encoder, which transfer freezes
    GRID_SIZES    sides in pixels of the untrained networks that time a device
    SCORE_LAYERS  layers with a channel for each class (default: `score`)
    HEADS         outputs for training alone: weights of their losses by name (default: none)
    STRIDES       the stride of each output (default: 1, the size of the input)

Keras is imported when a network is built: commands list the networks in `--help`, at once.
"""

import importlib
import inspect

# Name on the command line: module and function that builds it.
NETWORKS = {
    "mobile_unet": "nets.mobile_unet:MobileUNet",
    "icnet": "nets.icnet:ICNet",
    "mobile_pspnet": "nets.mobile_pspnet:MobilePSPNet",
}


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
        ValueError: for an unknown name, or an argument that the network lacks or refuses.
    """
    if name not in NETWORKS:
        raise ValueError(f"no network is called {name!r}; there are {', '.join(NETWORKS)}")
    function = _function(name)
    for argument in arguments:
        if argument not in inspect.signature(function).parameters:
            raise ValueError(f"{name} has no {argument}")
    return function(img_size, num_classes, **arguments)


def arguments(name, given):
    """Return all arguments of the network called `name`: its defaults and, over them, `given`."""
    parameters = inspect.signature(_function(name)).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    return {key: value for key, value in defaults.items() if key != "num_classes"} | given


def heads(name):
    """Return the outputs that the network called `name` has for training: weights of the losses."""
    return getattr(_module(name), "HEADS", {})


def strides(name):
    """Return the stride of each output of the network called `name`, in pixels of the input."""
    return getattr(_module(name), "STRIDES", (1,))


def score_layers(name):
    """Return the names of the layers of that network that have a channel for each class."""
    return getattr(_module(name), "SCORE_LAYERS", ("score",))


def encoder_end(name):
    """Return the name of the last layer of the encoder of the network called `name`."""
    return _module(name).ENCODER_END


def grid_sizes(name):
    """Return the sides, in pixels, of the untrained networks of that name that time a device."""
    return _module(name).GRID_SIZES


def _module(name):
    return importlib.import_module(NETWORKS[name].partition(":")[0])


def _function(name):
    return getattr(_module(name), NETWORKS[name].partition(":")[2])
