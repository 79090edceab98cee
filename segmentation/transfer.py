"""Beginning with the weights of another model."""

from dataclasses import dataclass
from pathlib import Path

import nets
from segmentation import older_models, predictor
from segmentation.errors import InputError


@dataclass(frozen=True)
class Taken:
    """Names of layers with weights: `loaded`, of `other_shape` in the file, `missing` from it."""

    loaded: list[str]
    other_shape: list[str]
    missing: list[str]


def load_weights(model, path):
    """Give each layer of `model` the weights of its name and shapes in another model.

    Args:
        model: built network.
        path: `.keras` or `.h5` file of a model, of any size of picture and other classes.

    Returns:
        `Taken`.

    Raises:
        InputError: if the file is no readable model, or has no layer for this one.
    """
    path = Path(path)
    with predictor.reading(path):
        source = older_models.load(path)
    weights = {layer.name: layer.get_weights() for layer in source.layers}
    taken = Taken(*nets.take_weights(model, weights))
    if not taken.loaded:
        raise InputError(
            f"{path}: none of its layers fits this network ({len(taken.other_shape)} have another "
            f"shape, {len(taken.missing)} are not in the file); check --model and --alpha"
        )
    return taken
