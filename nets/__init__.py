"""The networks by name: build them, load them, reduce them to what inference needs.

Functions that need Keras are imported on first use: commands list the networks in `--help` at once.
"""

import importlib

from nets.encoders import ENCODERS
from nets.names import ARGUMENTS, AUX, OUTPUT, UPSAMPLINGS
from nets.presets import PRESETS
from nets.registry import (
    NETWORKS,
    arguments,
    arguments_of_card,
    build,
    encoder_end,
    grid_sizes,
    heads,
    imagenet_file,
    scene_arguments,
    score_layers,
)

_NEED_KERAS = (
    "features",
    "freeze_until",
    "full_resolution",
    "inference_model",
    "load",
    "macs",
    "strides",
    "take_weights",
    "with_aux_head",
)
__all__ = [
    "ARGUMENTS",
    "AUX",
    "ENCODERS",
    "NETWORKS",
    "OUTPUT",
    "PRESETS",
    "UPSAMPLINGS",
    "arguments",
    "arguments_of_card",
    "build",
    "encoder_end",
    "grid_sizes",
    "heads",
    "imagenet_file",
    "scene_arguments",
    "score_layers",
]
__all__ += _NEED_KERAS


def __getattr__(name):
    if name not in _NEED_KERAS:
        raise AttributeError(f"module 'nets' has no attribute {name!r}")
    return getattr(importlib.import_module("nets.models"), name)
