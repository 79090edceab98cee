"""The networks by name: build them, load them, reduce them to what inference needs.

Functions that need Keras are imported on first use: commands list the networks in `--help` at once.
"""

import importlib

from nets.names import ARGUMENTS, AUX, OUTPUT, UPSAMPLINGS
from nets.registry import (
    NETWORKS,
    arguments,
    build,
    encoder_end,
    grid_sizes,
    heads,
    score_layers,
    strides,
)

_NEED_KERAS = (
    "features",
    "freeze_until",
    "full_resolution",
    "inference_model",
    "load",
    "macs",
    "take_weights",
    "with_aux_head",
)
__all__ = [
    "ARGUMENTS",
    "AUX",
    "NETWORKS",
    "OUTPUT",
    "UPSAMPLINGS",
    "arguments",
    "build",
    "encoder_end",
    "grid_sizes",
    "heads",
    "score_layers",
    "strides",
]
__all__ += _NEED_KERAS


def __getattr__(name):
    if name not in _NEED_KERAS:
        raise AttributeError(f"module 'nets' has no attribute {name!r}")
    return getattr(importlib.import_module("nets.models"), name)
