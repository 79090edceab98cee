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


def hold_out(dataset, fraction, seed, shown=None):
    """Return a `Split` that holds out whole groups of a `Dataset` for validation.

    Args:
        dataset: `Dataset`.
        fraction: of the samples to hold out, 0..1.
        seed: of the choice.
        shown: as for `split`.

    Raises:
        InputError: if either part would be empty.
    """
    training, validation = split(dataset.groups, fraction, seed, shown)
    return Split(Subset(dataset, training), Subset(dataset, validation))


def of_two(training, validation):
    """Return a `Split` of one `Dataset` to train on and another one to validate on."""
    return Split(
        Subset(training, np.arange(len(training))), Subset(validation, np.arange(len(validation)))
    )


def require_same_labels(training, validation):
    """Raise InputError if two data sets have other classes."""
    if not labels.same(validation.labels, training.labels):
        raise InputError(
            f"training and validation data have other classes: {training.labels} and "
            f"{validation.labels}"
        )


def split(groups, fraction, seed, shown=None):
    """Hold out whole groups, so that no person is in both parts.

    Each class that two groups show is in both parts, if any choice of groups gives that.

    Args:
        groups: the group of each row, a string; an empty string is a group of its own.
        fraction: of the rows to hold out, 0..1; reached, or exceeded by less than one group, before
            groups change places for the sake of classes.
        seed: of the choice.
        shown: `(rows, classes)` bool, which classes each row shows; None: classes are left out of
            account.

    Returns:
        `(training_rows, validation_rows)`, sorted int arrays.

    Raises:
        InputError: if either part would be empty.
    """
    keys = np.array([group or f"\n{row}" for row, group in enumerate(groups)])
    names, members, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    before = np.cumsum(sizes[order]) - sizes[order]
    held_out = np.zeros(len(names), bool)
    held_out[order[before < fraction * len(groups)]] = True
    if held_out.all() or not held_out.any():
        raise InputError(
            f"{len(groups)} images of {len(names)} groups cannot be split at {fraction}: "
            "give separate validation data (--val_img_file or --val_tfrecord_data), or another "
            "--validation_split"
        )
    if shown is not None:
        of_groups = np.zeros((len(names), np.shape(shown)[1]), bool)
        np.logical_or.at(of_groups, members, shown)
        _put_classes_into_both(held_out, of_groups, order)
    held_out_rows = held_out[members]
    return np.flatnonzero(~held_out_rows), np.flatnonzero(held_out_rows)


def _put_classes_into_both(held_out, shown, order):
    """Change `held_out` so that each class that two groups show is shown by either part.

    The rarest class is seen to first. A group changes its part only where that leaves to the part
    each of the classes that it has.

    Args:
        held_out: `(groups,)` bool, changed in place.
        shown: `(groups, classes)` bool.
        order: of the groups, in which they are considered.
    """
    counts = shown.sum(0)
    for number in np.argsort(counts, kind="stable"):
        has = shown[:, number]
        parts = held_out[has]
        if counts[number] < 2 or parts.any() and not parts.all():
            continue
        giving = held_out == parts[0]  # the part that has all of the groups
        others = shown[giving].sum(0)  # groups of it that show each class
        for group in order[has[order]]:
            if (others[shown[group]] >= 2).all():
                held_out[group] = not held_out[group]
                break
