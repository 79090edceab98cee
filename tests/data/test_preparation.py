"""Thresholds: how many classes a fraction of them is."""

import pytest

from segmentation.data import preparation


@pytest.mark.parametrize(
    ("threshold", "classes", "needed"),
    [(0.6, 10, 6), (0.7, 10, 7), (1.0, 4, 4), (0.61, 10, 7), (0, 5, 0), (0.05, 10, 1), (0.3, 3, 1)],
)
def test_a_threshold_is_a_number_of_classes_whatever_floats_do(threshold, classes, needed):
    assert preparation.required(threshold, classes) == needed


def test_thresholds_that_are_shown_mean_what_is_said_of_them():
    for classes in range(1, 151):
        for count in range(classes + 1):
            assert preparation.required(preparation.threshold_of(count, classes), classes) == count
