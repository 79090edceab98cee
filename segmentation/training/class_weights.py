"""Weights of classes in the loss, so that rare ones are not drowned by the common."""

import json
import math
from pathlib import Path

import numpy as np

from segmentation.data import labels
from segmentation.errors import InputError


def of_option(option, data):
    """Return what `--class_weights` asks for: floats in the order of the classes, or None.

    Args:
        option: `none`, `balanced`, or the path of a JSON object of weights by class name.
        data: `input_pipeline.Dataset`.

    Raises:
        InputError: if the file is missing, no such object, or weighs other classes.
    """
    if option == "none":
        return None
    if option == "balanced":
        return balanced(data.shares * data.card["data"]["training_pictures"], data.pictures)
    return _read(Path(option), data.classes.id_names)


def balanced(shares, pictures):
    """Return median-frequency weights (https://arxiv.org/abs/1411.4734).

    The frequency of a class is its mean share of the pictures that show it; its weight is the
    median frequency of all classes over its own.

    Args:
        shares: `(C,)`, the sum over all pictures of the share that each class covers.
        pictures: `(C,)`, how many show it.

    Returns:
        list of C floats; of a class that no picture shows, 1.
    """
    shown = pictures > 0
    frequencies = np.divide(shares, pictures, where=shown, out=np.ones(len(shares)))
    weights = np.where(shown, np.median(frequencies[shown]) / frequencies, 1.0)
    return weights.tolist()


def _read(path, names):
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); "
            "--class_weights is none, balanced or a file"
        ) from None
    except ValueError as error:
        raise InputError(f"{path}: no JSON ({error})") from None
    example = json.dumps(dict.fromkeys(names[:2], 1.0))
    if not isinstance(found, dict) or not all(map(_is_weight, found.values())):
        raise InputError(f"{path}: must hold numbers from 0 on by class name, like {example}")
    if not any(found.values()):
        raise InputError(f"{path}: all weights are 0; there would be nothing to learn")
    if found.keys() != set(names):
        missing, unknown = set(names) - found.keys(), found.keys() - set(names)
        parts = [f"lacks {labels.listed(sorted(missing))}"] * bool(missing)
        parts += [f"names {labels.listed(sorted(unknown))} besides"] * bool(unknown)
        raise InputError(f"{path}: {' and '.join(parts)}; the classes are {labels.listed(names)}")
    return [float(found[name]) for name in names]


def _is_weight(value):
    return type(value) in (int, float) and math.isfinite(value) and value >= 0
