"""Weights of classes in the loss, so that common classes do not drown rare ones."""

import json
import math
from pathlib import Path

import numpy as np

from segmentation.data import labels
from segmentation.errors import InputError


def check_option(config, classes):
    """Raise InputError if `--class_weights` of a `TrainConfig` is a mistake, before masks are read.

    Args:
        config: `TrainConfig`.
        classes: `Classes` to learn.
    """
    if config.class_weights == "none":
        return
    if config.loss == "dice" and len(classes) == 1:
        raise InputError("--class_weights: the dice loss of one class has nothing to weigh")
    if config.class_weights != "balanced":
        _read(Path(config.class_weights), classes.id_names)


def of_option(option, data):
    """Return what `--class_weights` asks for: floats in the order of the classes, or None.

    Args:
        option: `none`, `balanced`, or the path of a JSON object of weights by class name.
        data: `pipeline.TrainingData`.

    Raises:
        InputError: if the file is missing, holds no such object, or weighs other classes.
    """
    if option == "none":
        return None
    if option == "balanced":
        return balanced(data.statistics)
    return _read(Path(option), data.classes.id_names)


def balanced(statistics):
    """Return median-frequency weights (https://arxiv.org/abs/1411.4734).

    The frequency of a class is its mean fraction of the images that show it; its weight is the
    median frequency of all classes divided by its own.

    Args:
        statistics: `ClassStatistics` of C classes.

    Returns:
        list of C floats; 1 for a class that no image shows.
    """
    sums, images = statistics.fractions * statistics.num_images, statistics.images
    shown = images > 0
    frequencies = np.divide(sums, images, where=shown, out=np.ones(len(sums)))
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
        raise InputError(f"{path}: not JSON ({error})") from None
    example = json.dumps(dict.fromkeys(names[:2], 1.0))
    if not isinstance(found, dict) or not all(map(_is_weight, found.values())):
        raise InputError(f"{path}: expected numbers ≥ 0 by class name, like {example}")
    if not any(found.values()):
        raise InputError(f"{path}: all weights are 0; there would be nothing to learn")
    if found.keys() != set(names):
        missing, unknown = set(names) - found.keys(), found.keys() - set(names)
        parts = [f"lacks {labels.listed(sorted(missing))}"] * bool(missing)
        parts += [f"names unknown classes ({labels.listed(sorted(unknown))})"] * bool(unknown)
        raise InputError(f"{path}: {' and '.join(parts)}; the classes are {labels.listed(names)}")
    return [float(found[name]) for name in names]


def _is_weight(value):
    return type(value) in (int, float) and math.isfinite(value) and value >= 0
