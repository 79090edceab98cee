"""The networks by name: how to build one, and the facts that its module states.

The module of a network holds a function with the network's name in CamelCase, and these constants:

    ENCODER_END   the last layer of the encoder, up to which transfer learning freezes
    ENCODER       the encoder, a key of `encoders.ENCODERS`, if no argument names it (default: none)
    GRID_SIZES    sides in pixels of the untrained networks for timing a device
    SCORE_LAYERS  the layers with one channel per class (default: `score`)
    SCENE_ARGUMENTS  arguments that suit scenes of many classes (default: none)
    EARLIER_ARGUMENTS  arguments of models whose card does not name them yet (default: none)
    HEADS         loss weights of the training heads by output name (default: none)

Keras is imported when a network is built: commands list the networks in `--help` at once.
"""

import importlib
import inspect
import pkgutil

from nets import encoders

# By name on the command line: the module and the function that builds the network.
NETWORKS = {
    "mobile_unet": "nets.mobile_unet:MobileUNet",
    "unet": "nets.unet:UNet",
    "icnet": "nets.icnet:ICNet",
    "mobile_pspnet": "nets.mobile_pspnet:MobilePSPNet",
}


def build(name, img_size, num_classes, **arguments):
    """Build a network.

    Args:
        name: a key of `NETWORKS`.
        img_size: `(height, width)` in pixels, multiples of 32.
        num_classes: channels of the output: 1 for one class (sigmoid), else classes + background
            (softmax).
        arguments: arguments of the network's function, such as `alpha`.

    Returns:
        `keras.Model` from RGB 0..255 to probabilities.

    Raises:
        ValueError: if the name is unknown, or the network lacks or refuses an argument.
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; expected one of {', '.join(NETWORKS)}")
    function = _function(name)
    for argument in arguments:
        if argument not in inspect.signature(function).parameters:
            raise ValueError(f"{name} has no {argument}")
    return function(img_size, num_classes, **arguments)


def arguments(name, given):
    """Return all arguments of a network: its defaults, overridden by `given`."""
    parameters = inspect.signature(_function(name)).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    return {key: value for key, value in defaults.items() if key != "num_classes"} | given


def arguments_of_card(card):
    """Return the arguments with which the network of a model card was built, without `weights`."""
    known = getattr(_module(card["network"]), "EARLIER_ARGUMENTS", {}) | card.get("arguments", {})
    return {name: value for name, value in known.items() if name != "weights"}


def scene_arguments(name):
    """Return the arguments of a network that suit scenes of many classes."""
    return getattr(_module(name), "SCENE_ARGUMENTS", {})


def heads(name):
    """Return the loss weights of a network's training heads, by output name."""
    return getattr(_module(name), "HEADS", {})


def score_layers(name):
    """Return the names of a network's layers with one channel per class."""
    return getattr(_module(name), "SCORE_LAYERS", ("score",))


def encoder_end(name):
    """Return the name of the last layer of a network's encoder."""
    return _module(name).ENCODER_END


def imagenet_file(name, given, model):
    """Return the path of ImageNet's weights for the encoder of a network.

    Args:
        name: of the network.
        given: arguments that it was built with.
        model: the network.

    Raises:
        ValueError: if there are none, or they are not installed or cannot be fetched.
    """
    encoder = arguments(name, given).get("encoder") or getattr(_module(name), "ENCODER", None)
    if encoder is None:
        raise ValueError(f"there are no ImageNet weights for {name}; choose --model unet")
    return encoders.imagenet_file(encoder, model)


def grid_sizes(name):
    """Return the sides, in pixels, at which an untrained network times a device."""
    return _module(name).GRID_SIZES


def _module(name):
    return importlib.import_module(NETWORKS[name].partition(":")[0])


def _function(name):
    return pkgutil.resolve_name(NETWORKS[name])
