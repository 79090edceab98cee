"""Overlays and heat maps."""

import tracemalloc

import numpy as np
import pytest

from segmentation.data.classes import Classes
from segmentation.inference import visualization
from segmentation.inference.visualization import OPACITY, heat_maps, overlay

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


def test_an_overlay_of_a_large_photo_takes_a_few_times_its_bytes():
    image, mask = np.full((1000, 1000, 3), 100, np.uint8), np.ones((1000, 1000), np.uint8)
    tracemalloc.start()
    overlay(image, mask, [[0, 0, 0], [0, 255, 0]])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert image.nbytes < most < 5 * image.nbytes


def test_an_absent_class_does_not_shift_the_colours_of_others():
    mask = np.array([[0, 0, 2], [0, 0, 0]], np.uint8)
    found = overlay(GREY, mask, [[0, 0, 0], [255, 0, 0], [0, 0, 255]])
    np.testing.assert_allclose(found[0, 2], blended([0, 0, 255]), atol=1)


def test_without_background_id_0_is_coloured_and_ignored_pixels_are_not():
    mask = np.array([[0, 1, 255], [255, 255, 0]], np.uint8)
    found = overlay(GREY, mask, [[255, 0, 0], [0, 0, 255]])
    np.testing.assert_allclose(found[[0, 1], [0, 2]], [blended([255, 0, 0])] * 2, atol=1)
    np.testing.assert_allclose(found[0, 1], blended([0, 0, 255]), atol=1)
    np.testing.assert_array_equal(found[0, 2], [100, 100, 100])


def test_a_single_class_has_the_id_1():
    hair = Classes(("hair",), ((0, 255, 0),))
    found = overlay(GREY, np.ones((2, 3), np.uint8), hair.id_colors)
    np.testing.assert_allclose(found, np.broadcast_to(blended([0, 255, 0]), found.shape), atol=1)


def test_a_mask_of_background_changes_no_pixel():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    hair = Classes(("hair",), ((1, 2, 3),))
    found = overlay(image, np.zeros((8, 8), np.uint8), hair.id_colors)
    np.testing.assert_array_equal(found, image)


VIRIDIS = {0.0: [68, 1, 84], 0.5: [33, 145, 140], 1.0: [253, 231, 37]}  # as published


def test_heat_maps_have_the_colours_of_their_probabilities():
    image = np.full((20, 40, 3), 100, np.uint8)
    probabilities = np.zeros((4, 8, 3), np.float32)
    probabilities[..., 0] = 0.5
    probabilities[:, 4:, 1] = 1  # the right half
    sheet = heat_maps(image, probabilities, ["a", "b", "c"])
    gap, width, height = visualization.GAP, visualization.HEAT_CELL, visualization.HEAT_CELL // 2
    cells = [
        sheet[gap : gap + height, left : left + width]
        for left in range(gap, 4 * (width + gap), width + gap)
    ]
    assert (cells[0] == 100).all()
    np.testing.assert_allclose(cells[1], np.broadcast_to(VIRIDIS[0.5], cells[1].shape), atol=2)
    np.testing.assert_allclose(cells[2][height // 2, 0], VIRIDIS[0.0], atol=2)
    np.testing.assert_allclose(cells[2][height // 2, -1], VIRIDIS[1.0], atol=2)
    np.testing.assert_allclose(cells[3], np.broadcast_to(VIRIDIS[0.0], cells[3].shape), atol=2)
    bar = sheet[gap + height + visualization.CAPTION + gap]  # the top line of the scale
    np.testing.assert_allclose(bar[3 * gap], VIRIDIS[0.0], atol=2)
    np.testing.assert_allclose(bar[3 * gap + visualization.SCALE_WIDTH - 1], VIRIDIS[1.0], atol=2)


@pytest.mark.parametrize("shape", [(20, 40), (3000, 40), (40, 3000)])
@pytest.mark.parametrize("count", [1, 150])
def test_a_sheet_of_heat_maps_keeps_within_its_limit(shape, count):
    probabilities = np.ones((3, 5, count), np.float32)
    image = np.full((*shape, 3), (255, 0, 255), np.uint8)
    sheet = heat_maps(image, probabilities, ["name"] * count)
    assert max(sheet.shape) <= visualization.HEAT_SHEET
    yellow = (np.abs(sheet.astype(int) - VIRIDIS[1.0]) <= 2).all(-1).sum()
    cell = (sheet == image[0, 0]).all(-1).sum()
    assert yellow >= count * cell > 0
