"""Overlays and contact sheets."""

import numpy as np
from PIL import Image

from segmentation import visualization
from segmentation.visualization import CELL, OPACITY, contact_sheet, overlay

GREY = np.full((2, 3, 3), 100, np.uint8)


def blended(color):
    return np.rint(100 * (1 - OPACITY) + np.array(color) * OPACITY)


def test_overlay_colours_classes_and_leaves_the_background_alone():
    mask = np.array([[0, 1, 2], [0, 0, 2]], np.uint8)
    found = overlay(GREY, mask, [[0, 0, 0], [255, 0, 0], [0, 255, 0]])
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found[0, 0], [100, 100, 100])
    np.testing.assert_allclose(found[0, 1], blended([255, 0, 0]), atol=1)
    np.testing.assert_allclose(found[1, 2], blended([0, 255, 0]), atol=1)


def test_a_class_that_is_absent_does_not_shift_the_colours_of_others():
    mask = np.array([[0, 0, 2], [0, 0, 0]], np.uint8)
    found = overlay(GREY, mask, [[0, 0, 0], [255, 0, 0], [0, 0, 255]])
    np.testing.assert_allclose(found[0, 2], blended([0, 0, 255]), atol=1)


def test_without_background_id_0_has_a_colour_and_what_is_ignored_none():
    mask = np.array([[0, 1, 255], [255, 255, 0]], np.uint8)
    found = overlay(GREY, mask, [[255, 0, 0], [0, 0, 255]])
    np.testing.assert_allclose(found[[0, 1], [0, 2]], [blended([255, 0, 0])] * 2, atol=1)
    np.testing.assert_allclose(found[0, 1], blended([0, 0, 255]), atol=1)
    np.testing.assert_array_equal(found[0, 2], [100, 100, 100])


def test_the_only_colour_is_that_of_channel_one():
    found = overlay(GREY, np.ones((2, 3), np.uint8), [[0, 255, 0]])
    np.testing.assert_allclose(found, np.broadcast_to(blended([0, 255, 0]), found.shape), atol=1)


def test_a_mask_of_background_leaves_every_pixel():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    np.testing.assert_array_equal(overlay(image, np.zeros((8, 8), np.uint8), [[1, 2, 3]]), image)


def test_contact_sheet_has_a_column_per_picture_and_room_for_the_caption():
    wide, high = np.zeros((10, 20, 3), np.uint8), np.zeros((20, 10, 3), np.uint8)
    sheet = contact_sheet([("best 0.90 a", [wide] * 3), ("worst 0.10 b", [high] * 3)])
    gap, caption = visualization.GAP, visualization.CAPTION
    assert sheet.shape == (3 * CELL + 4 * gap + caption, 2 * CELL + CELL // 2 + 3 * gap, 3)
    assert (sheet[gap : gap + CELL, gap : gap + 2 * CELL] == 0).all()
    below = sheet[-caption - gap :]
    assert (below[:, : 2 * CELL] < 128).any() and (sheet[:, -gap:] == 255).all()


def test_agreement_by_hand():
    truth = np.array([[0, 0, 1, 1, 2, 255]], np.uint8)
    prediction = np.array([[0, 1, 1, 0, 1, 1]], np.uint8)
    rest, false, hit, missed = (
        getattr(visualization, name) for name in ("REST", "FALSE", "HIT", "MISSED")
    )
    expected = [[rest, false, hit, missed, missed, rest]]
    np.testing.assert_array_equal(visualization.agreement(truth, prediction), expected)
    expected = [[hit, missed, hit, missed, missed, rest]]
    np.testing.assert_array_equal(visualization.agreement(truth, prediction, 255), expected)


def test_curves_are_drawn_for_a_single_epoch(tmp_path):
    row = {"epoch": 1, "loss": 1.0, "val_loss": 2.0, "iou_hair": 0.1, "val_iou_hair": 0.2}
    visualization.curves([row], "val_iou_hair", tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (900, 350)
