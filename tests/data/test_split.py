"""Who is held out for validation."""

import numpy as np
import pytest

from segmentation.data import arrays, split
from segmentation.errors import InputError


def test_no_group_is_in_both_parts_and_the_fraction_is_reached():
    groups = [f"person {i % 37}" for i in range(200)]
    training, validation = split.split(groups, 0.2, seed=1)
    assert sorted([*training, *validation]) == list(range(200))
    assert not {groups[i] for i in training} & {groups[i] for i in validation}
    assert 40 <= len(validation) < 46
    again = split.split(groups, 0.2, seed=1)[1]
    np.testing.assert_array_equal(validation, again)
    assert not np.array_equal(validation, split.split(groups, 0.2, seed=2)[1])


def test_rows_of_unknown_people_are_split_one_by_one():
    training, validation = split.split([""] * 10, 0.3, seed=0)
    assert (len(training), len(validation)) == (7, 3)


@pytest.mark.parametrize("groups,fraction", [(["a"] * 5, 0.2), (["a", "b"], 0.0)])
def test_an_empty_part_is_an_error(groups, fraction):
    with pytest.raises(InputError, match="cannot be split"):
        split.split(groups, fraction, seed=0)


def named(count, labels=("none", "hair")):
    images = np.zeros((count, 2, 2, 3), np.uint8)
    stems = [str(row) for row in range(count)]
    return arrays.Arrays(images, images[..., 0], stems, stems, list(labels))


def test_held_out_samples_are_of_one_data_set_and_others_of_two():
    data, other = named(10), named(3)
    parts = split.hold_out(data, 0.3, seed=0)
    assert parts.training.dataset is parts.validation.dataset is data
    assert sorted(parts.training.stems + parts.validation.stems) == data.stems
    parts = split.of_two(data, other)
    assert (parts.training.dataset, parts.validation.dataset) == (data, other)
    assert (parts.training.stems, parts.validation.stems) == (data.stems, other.stems)


def test_two_data_sets_must_have_the_same_labels():
    with pytest.raises(InputError, match="have other classes"):
        split.require_same_labels(named(2), named(2, ["none", "cat"]))


def parts_that_show(shown, seed, groups=None, fraction=0.2):
    """Return `(parts, classes)` bool: which classes training and validation show."""
    shown = np.array(shown, bool)
    groups = groups or [""] * len(shown)
    parts = split.split(groups, fraction, seed, shown)
    assert sorted(np.concatenate(parts)) == list(range(len(shown)))
    return np.array([shown[rows].any(0) for rows in parts]), parts


@pytest.mark.parametrize("seed", range(10))
def test_a_class_that_two_groups_show_is_in_both_parts(seed):
    shown = np.zeros((20, 3), bool)
    shown[:, 0] = True  # the background
    shown[[3, 11], 1] = True
    shown[[4, 5, 11], 2] = True
    found, (_, validation) = parts_that_show(shown, seed)
    assert found.all() and 3 <= len(validation) <= 6


@pytest.mark.parametrize("seed", range(10))
def test_a_class_that_fills_the_validation_part_returns_to_training(seed):
    shown = np.ones((6, 2), bool)
    shown[:4, 1] = False  # two images of six, and half are held out
    assert parts_that_show(shown, seed, fraction=0.5)[0].all()


def test_a_class_of_a_single_group_stays_where_it_is():
    shown = np.zeros((6, 1), bool)
    shown[[0, 1]] = True
    groups = ["a", "a", "b", "c", "d", "e"]
    for seed in range(5):
        found, parts = parts_that_show(shown, seed, groups)
        assert found.sum() == 1
        for ours, plain in zip(parts, split.split(groups, 0.2, seed), strict=True):
            np.testing.assert_array_equal(ours, plain)


def test_a_split_that_shows_every_class_is_left_alone():
    shown = np.ones((20, 2), bool)
    for ours, plain in zip(
        split.split([""] * 20, 0.2, 3, shown), split.split([""] * 20, 0.2, 3), strict=True
    ):
        np.testing.assert_array_equal(ours, plain)
