"""Weights by median frequency, by hand, and files of them."""

import json
import types

import numpy as np
import pytest

from segmentation.data.classes import Classes
from segmentation.data.statistics import ClassStatistics
from segmentation.errors import InputError
from segmentation.training import class_weights

NAMES = ["background", "cat", "dog"]


def data():
    """4 images, one of which shows the dog, on a tenth of it."""
    statistics = ClassStatistics(np.array([0.775, 0.2, 0.025]), np.array([4, 4, 1]), 4)
    return types.SimpleNamespace(classes=Classes.of_names(NAMES), statistics=statistics)


def test_a_class_weighs_the_median_frequency_over_its_own_where_it_is_shown():
    # Frequencies 0.775, 0.2 and, on the one image that shows it, 0.1.
    expected = [0.2 / 0.775, 1, 2]
    np.testing.assert_allclose(class_weights.of_option("balanced", data()), expected)


def test_a_class_that_is_never_shown_weighs_1_and_is_no_frequency():
    statistics = ClassStatistics(np.array([0.75, 0.25, 0.0]), np.array([4, 4, 0]), 4)
    weights = class_weights.balanced(statistics)
    np.testing.assert_allclose(weights, [0.5 / 0.75, 0.5 / 0.25, 1])


def test_weights_of_a_file_come_in_the_order_of_the_classes(tmp_path):
    path = tmp_path / "weights.json"
    path.write_text(json.dumps({"dog": 3, "background": 0, "cat": 1.5}))
    assert class_weights.of_option(str(path), data()) == [0, 1.5, 3]
    assert class_weights.of_option("none", data()) is None


@pytest.mark.parametrize(
    "text,message",
    [
        ("{", "not JSON"),
        ('{"cat": 1, "background": 1}', "lacks dog"),
        ('{"cat": 1, "background": 1, "dgo": 1}', "lacks dog and names unknown classes .dgo"),
        ('{"cat": -1, "background": 1, "dog": 1}', "expected numbers ≥ 0"),
        ('{"cat": true, "background": 1, "dog": 1}', "expected numbers ≥ 0"),
        ('{"cat": 0, "background": 0, "dog": 0}', "all weights are 0"),
        ("[1, 2, 3]", "expected numbers ≥ 0 by class name"),
    ],
)
def test_other_files_are_refused_with_the_reason(tmp_path, text, message):
    path = tmp_path / "weights.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        class_weights.of_option(str(path), data())
    assert str(path) in str(error.value) and "\n" not in str(error.value)
