"""The check of an export: what it measures and what it lets through."""

import numpy as np
import pytest
from PIL import Image

from segmentation.data import image_io
from segmentation.errors import ExportError, InputError
from segmentation.export import parity
from segmentation.synthetic import check_images


def one_channel(rows):
    return np.array(rows, np.float32)[None, :, :, None]


def test_mask_iou_of_one_channel_is_that_of_the_class_alone():
    ours = one_channel([[0.9, 0.9, 0.1, 0.1]])
    theirs = one_channel([[0.9, 0.1, 0.1, 0.6]])  # 1 pixel in both, 3 in either
    found = parity.compare(ours, theirs)
    assert found["mask_iou"] == pytest.approx(1 / 3)
    assert found["largest_difference"] == pytest.approx(0.8)


def test_mask_iou_is_the_mean_over_the_classes_that_either_mask_shows():
    ours = np.eye(4, dtype=np.float32)[[[[0, 0, 0, 1]]]]
    theirs = np.eye(4, dtype=np.float32)[[[[0, 0, 2, 1]]]]
    # The background 2/3, the first class 1, the second nothing; the third is in neither.
    assert parity.compare(ours, theirs)["mask_iou"] == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_all_images_count_together():
    ours = np.stack([one_channel([[0.9, 0.9]])[0], one_channel([[0.9, 0.1]])[0]])
    theirs = np.stack([one_channel([[0.9, 0.1]])[0], one_channel([[0.9, 0.3]])[0]])
    found = parity.compare(iter(ours), iter(theirs))
    assert found["mask_iou"] == pytest.approx(2 / 3)  # 1 of 2 and 1 of 1
    assert found["largest_difference"] == pytest.approx(0.8)


def test_a_mask_that_is_empty_in_both_agrees():
    nothing = one_channel([[0.1, 0.2]])
    assert parity.compare(nothing, nothing)["mask_iou"] == 1


@pytest.mark.parametrize(("precision", "ids_only"), [("int8", False), ("float32", True)])
def test_images_that_show_one_class_prove_nothing_where_masks_alone_are_compared(
    precision, ids_only
):
    nothing = one_channel([[0.1, 0.2, 0.505]])  # whose one pixel of the class is near the threshold
    with pytest.raises(ExportError, match="a.tflite: the model sees one class.*--check_images"):
        parity.require_two_classes(nothing, precision, "a.tflite", ids_only)
    everywhere = np.eye(3, dtype=np.float32)[[[[1, 1, 1, 1]]]]
    with pytest.raises(ExportError, match="one class alone"):
        parity.require_two_classes(everywhere, precision, "a.tflite", ids_only)
    parity.require_two_classes(one_channel([[0.1, 0.6]]), precision, "a.tflite", ids_only)
    parity.require_two_classes(
        nothing, "float16", "a.tflite"
    )  # there differences of probabilities are the proof


def test_pixels_near_the_decision_threshold_are_not_held_against_the_export():
    ours = one_channel([[0.9, 0.505, 0.495, 0.1, 0.6]])
    theirs = one_channel([[0.9, 0.495, 0.505, 0.1, 0.4]])  # of 3 confident pixels 2 agree
    found = parity.compare(ours, theirs)
    assert found["mask_iou"] == pytest.approx(1 / 4) and found["decided_iou"] == pytest.approx(0.5)
    ours = np.array([[[[0.4, 0.39, 0.21], [0.5, 0.3, 0.2]]]])  # margins of 0.005 and 0.1
    theirs = np.array([[[[0.39, 0.4, 0.21], [0.5, 0.3, 0.2]]]])
    found = parity.compare(ours, theirs)
    assert found["mask_iou"] == pytest.approx((1 / 2 + 0) / 2) and found["decided_iou"] == 1


def test_a_shape_that_differs_is_refused():
    with pytest.raises(ExportError, match=r"\(2, 2, 1\)"):
        parity.compare(np.zeros((1, 4, 4, 1)), np.zeros((1, 2, 2, 1)))


@pytest.mark.parametrize(
    ("precision", "difference", "iou", "passes"),
    [
        ("float32", 1e-4, 1.0, True),
        ("float32", 1.1e-4, 1.0, False),
        ("float32", None, 0.9989, False),  # of class ids
        ("float16", 5e-2, 0.999, True),
        ("float16", 5.1e-2, 1.0, False),
        ("float16", 1e-3, 0.9989, False),
    ],
)
def test_limits(precision, difference, iou, passes):
    comparison = {"largest_difference": difference, "mask_iou": 0.5, "decided_iou": iou}
    if passes:
        parity.require(comparison, precision, "a.tflite")
    else:
        with pytest.raises(ExportError, match="a.tflite") as failure:
            parity.require(comparison, precision, "a.tflite")
        assert "\n" not in str(failure.value)


@pytest.mark.parametrize("broken", ["reference", "candidate"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_nan_anywhere_fails(broken, channels):
    arrays = {name: np.full((2, 4, 4, channels), 0.3) for name in ("reference", "candidate")}
    arrays[broken][1, 2, 3, 0] = np.nan
    for precision in parity.LIMITS:
        with pytest.raises(ExportError, match="nan"):
            parity.require(parity.compare(**arrays), precision, "a.pb")


@pytest.mark.parametrize("img_size", [(32, 64), (64, 96), (384, 480)])
def test_default_images_are_the_same_every_time_and_fill_the_range_of_every_channel(img_size):
    images = parity.check_images(img_size)
    assert images.shape == (8, *img_size, 3) and images.dtype == np.uint8
    assert images.min((0, 1, 2)).tolist() == [0, 0, 0]
    assert images.max((0, 1, 2)).tolist() == [255, 255, 255]
    np.testing.assert_array_equal(images[:4], parity.check_images(img_size, count=4))
    assert len({image.tobytes() for image in images}) == 8


def test_default_images_are_small_package_data_that_can_be_made_again(tmp_path):
    check_images.write(tmp_path)
    paths = sorted(parity.CHECK_IMAGES.iterdir())
    assert [path.name for path in paths] == [f"{index}.jpg" for index in range(parity.COUNT)]
    assert sum(path.stat().st_size for path in paths) < 500_000
    for path in paths:
        difference = image_io.read(path).astype(int) - image_io.read(tmp_path / path.name)
        assert np.abs(difference).mean() < 1  # another libjpeg rounds in another way


def test_images_from_a_folder_are_spread_over_it_and_stretched(tmp_path):
    for level in range(5):
        Image.new("RGB", (10, 20), (level * 50,) * 3).save(tmp_path / f"{level}.png")
    images = parity.check_images((32, 64), tmp_path, count=3)
    assert images.shape == (3, 32, 64, 3)
    assert images[:, 0, 0, 0].tolist() == [0, 100, 200]
    assert len(parity.check_images((32, 32), tmp_path, count=9)) == 5


def test_an_empty_folder_is_a_mistake_of_the_user(tmp_path):
    with pytest.raises(InputError, match="no images"):
        parity.check_images((32, 32), tmp_path)
