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
        split.of_two(named(2), named(2, ["none", "cat"]))
