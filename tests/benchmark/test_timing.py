"""One way of timing: what is run, how often, and on what."""

import numpy as np
import pytest

from segmentation.errors import InputError
from segmentation.inference import predictor, timing


def test_runs_that_warm_up_are_made_and_do_not_count():
    calls = []
    taken = timing.milliseconds(lambda: calls.append(len(calls)), 4, warm_up=2)
    assert len(calls) == 6 and len(taken) == 4
    assert all(each >= 0 for each in taken)


@pytest.mark.parametrize(
    ("dtype", "lowest", "highest"), [("uint8", 0, 255), ("int8", -128, 127), ("float32", 0, 255)]
)
def test_the_image_is_random_whole_numbers_of_the_range_and_always_the_same(dtype, lowest, highest):
    image = timing.random_image((1, 64, 64, 3), dtype)
    assert image.shape == (1, 64, 64, 3) and image.dtype == dtype
    assert (image.min(), image.max()) == (lowest, highest)
    np.testing.assert_array_equal(image, np.rint(image))
    np.testing.assert_array_equal(image, timing.random_image((1, 64, 64, 3), dtype))


def test_a_tflite_of_others_is_timed_without_a_card_whatever_its_inputs(foreign):
    timed = timing.load(foreign)
    assert timed.img_size == (32, 64) and timed.precision is None
    assert len(timing.milliseconds(timed.run, 2)) == 2


def test_a_file_of_ours_says_its_precision_and_is_timed_by_path_or_predictor(own):
    assert timing.load(own).precision == "float32"
    timed = timing.of_predictor(predictor.load(own))
    assert timed.img_size == (32, 32) and timed.precision == "float32"
    assert timed.run() is None  # LiteRT's invoke, not the predictor, which gives probabilities


def test_what_cannot_be_run_is_one_line(tmp_path):
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(b"no model")
    with pytest.raises(InputError, match="damaged.tflite: not a readable model"):
        timing.load(damaged)
    with pytest.raises(InputError, match="absent.tflite: no such file"):
        timing.load(tmp_path / "absent.tflite")
