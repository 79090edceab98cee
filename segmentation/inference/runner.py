"""What every reader of a model format returns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Runner:
    """A model in its runtime.

    Attributes:
        run: function from `(N, height, width, 3)` uint8 RGB to `(N, h, w, C)` float32
            probabilities.
        img_size: `(height, width)` of the input in pixels.
        num_channels: C, of the output.
        metadata: what the file says about itself, a dictionary; empty for most formats.
        gives_ids_only: whether the model gives class ids, which `run` turns into probabilities of
            0 and 1.
        model: the `keras.Model` for inference behind a `.keras` or `.h5` file, else None.
    """

    run: Callable
    img_size: tuple[int, int]
    num_channels: int
    metadata: dict = field(default_factory=dict)
    gives_ids_only: bool = False
    model: Any = None


def one_by_one(run_one, input_shape, output_shape, **attributes):
    """Return the `Runner` of a float32 function of batch size 1, the one that phones use.

    Args:
        run_one: function from `(1, height, width, 3)` float32, 0..255, to `(1, h, w, C)` float32.
        input_shape: the shape of its input.
        output_shape: the shape of its output.
        attributes: further attributes of the `Runner`.

    Raises:
        ValueError: if the shapes are not those of an RGB image of one size and a mask.
    """

    def run(images):
        return np.concatenate([run_one(image[None].astype(np.float32)) for image in images])

    return Runner(run, *sizes(input_shape, output_shape), **attributes)


def sizes(input_shape, output_shape):
    """Return the `(height, width)` of an input and the number of channels of an output.

    Raises:
        ValueError: if the shapes are not those of an RGB image of one size and a mask.
    """
    source, target = tuple(input_shape), tuple(output_shape)
    if len(source) != 4 or len(target) != 4 or None in source[1:] or source[3] != 3:
        raise ValueError(f"it maps {source} to {target}, not an RGB image of one size to a mask")
    return (int(source[1]), int(source[2])), int(target[3])
