"""Which samples a network is trained on, and which it is validated on."""

from dataclasses import dataclass

import numpy as np

from segmentation.data import labels
from segmentation.data.dataset import Subset
from segmentation.errors import InputError


@dataclass(frozen=True)
class Split:
    """Samples to train on and other samples to validate on, with the same labels.

    Both are subsets of one data set where a part of it was held out.
    """

    training: Subset
    validation: Subset


def hold_out(dataset, fraction, seed):
    """Return a `Split` that holds out whole groups of a `Dataset` for validation.

    Args:
        dataset: `Dataset`.
        fraction: of the samples to hold out, 0..1.
        seed: of the choice.

    Raises:
        InputError: if either part would be empty.
    """
    training, validation = split(dataset.groups, fraction, seed)
    return Split(Subset(dataset, training), Subset(dataset, validation))


def of_two(training, validation):
    """Return a `Split` of one `Dataset` to train on and another one to validate on.

    Raises:
        InputError: if their labels differ.
    """
    if not labels.same(validation.labels, training.labels):
        raise InputError(
            f"training and validation data have other classes: {training.labels} and "
            f"{validation.labels}"
        )
    return Split(
        Subset(training, np.arange(len(training))), Subset(validation, np.arange(len(validation)))
    )


def split(groups, fraction, seed):
    """Hold out whole groups, so that no person is in both parts.

    Args:
        groups: the group of each row, a string; an empty string is a group of its own.
        fraction: of the rows to hold out, 0..1; reached, or exceeded by less than one group.
        seed: of the choice.

    Returns:
        `(training_rows, validation_rows)`, sorted int arrays.

    Raises:
        InputError: if either part would be empty.
    """
    keys = np.array([group or f"\n{row}" for row, group in enumerate(groups)])
    names, members, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    before = np.cumsum(sizes[order]) - sizes[order]
    held_out = np.isin(members, order[before < fraction * len(groups)])
    training, validation = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    if not len(training) or not len(validation):
        raise InputError(
            f"{len(groups)} images of {len(names)} groups cannot be split at {fraction}: "
            "give separate validation data (--val_img_file or --val_tfrecord_data), or another "
            "--validation_split"
        )
    return training, validation
