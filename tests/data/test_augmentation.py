"""Image and mask move together, repeatably, and the mask stays made of class ids."""

import dataclasses

import numpy as np

from segmentation.data import augmentation, masks


def disc(size=96):
    """A bright red disc on dark grey, off centre, and its mask."""
    y, x = np.mgrid[:size, :size]
    mask = ((x - 60) ** 2 + (y - 40) ** 2 < 22**2).astype(np.uint8) * 7
    image = np.where(mask[..., None] > 0, [250, 40, 40], [20, 20, 20]).astype(np.uint8)
    return image, mask


def test_the_same_numbers_give_the_same_result_and_others_another():
    image, mask = disc()
    first, again = (augmentation.augment(image, mask, (3, 2, 1)) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    for other in ((4, 2, 1), (3, 3, 1), (3, 2, 2)):
        assert not np.array_equal(first[0], augmentation.augment(image, mask, other)[0])


def test_image_and_mask_stay_aligned():
    image, mask = disc()
    for index in range(50):
        warped, moved = augmentation.augment(image, mask, (0, 0, index))
        red = warped[..., 0].astype(int) - warped[..., 1] > 60
        iou = np.sum(red & (moved > 0)) / np.sum(red | (moved > 0))
        assert iou > 0.95, index


def test_masks_hold_no_new_ids_and_inputs_are_left_alone():
    image, mask = disc()
    before = image.copy(), mask.copy()
    for index in range(20):
        _, moved = augmentation.augment(image, mask, (0, 0, index))
        assert set(np.unique(moved)) <= {0, 7} and moved.dtype == np.uint8
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])


def test_half_of_the_images_are_flipped():
    left = np.zeros((64, 64), np.uint8)
    left[16:48, 8:24] = 1
    image = np.repeat(left[..., None] * 200, 3, axis=2)
    flipped = sum(
        augmentation.augment(image, left, (0, 0, index))[1][:, 32:].any() for index in range(200)
    )
    assert 60 < flipped < 140


def test_images_that_are_not_square_keep_their_size():
    image, mask = np.zeros((32, 64, 3), np.uint8), np.zeros((32, 64), np.uint8)
    warped, moved = augmentation.augment(image, mask, (0, 0, 0))
    assert warped.shape == (32, 64, 3) and moved.shape == (32, 64)


def test_stretching_and_moving_is_one_warp_and_keeps_both_aligned():
    image, mask = disc()
    for index in range(20):
        for size in ((48, 128), (192, 160)):
            warped, moved = augmentation.augment(
                image, mask, (0, 0, index), size, augmentation.SCENES
            )
            assert warped.shape == (*size, 3) and moved.shape == size
            red = warped[..., 0].astype(int) - warped[..., 1] > 60
            assert np.sum(red & (moved > 0)) / np.sum(red | (moved > 0)) > 0.9, (index, size)


def test_without_a_transform_a_mask_is_stretched_as_in_validation(monkeypatch):
    monkeypatch.setattr(augmentation, "FLIP", 0)
    still = augmentation.AffineRanges(rotation=0, shear=0, zoom=(1, 1), aspect=0, shift=0)
    image, mask = disc()
    _, moved = augmentation.augment(image, mask, (0, 0, 0), (32, 288), still)
    np.testing.assert_array_equal(moved, masks.resize(mask, (32, 288)))


def test_scenes_shrink_and_grow_and_are_upside_down_only_when_asked():
    low = np.zeros((64, 64), np.uint8)
    low[34:46, 24:40] = 1
    image = np.repeat(low[..., None] * 200, 3, axis=2)
    upright = augmentation.AffineRanges(rotation=0, shear=0, zoom=(0.85, 1.75), aspect=0, shift=0)
    heads = augmentation.AffineRanges(
        rotation=0, shear=0, zoom=(1, 1), aspect=0, shift=0, flip_up_down=True
    )
    turned, sizes = 0, []
    for index in range(60):
        moved = augmentation.augment(image, low, (0, 0, index), affine_ranges=upright)[1]
        assert not moved[:32].any()
        sizes.append(moved[32:48, 32].sum() / 12)  # below, its reflection
        turned += augmentation.augment(image, low, (0, 0, index), affine_ranges=heads)[1][:30].any()
    assert 0.5 < min(sizes) < 0.65 and 1.1 < max(sizes) < 1.25
    assert 15 < turned < 45


def test_a_flip_makes_the_left_one_the_right_one_and_half_a_turn_does_not():
    # The left third is red and of class 1, the right third of class 2, and the upper half green.
    image, mask = np.zeros((60, 60, 3), np.uint8), np.zeros((60, 60), np.uint8)
    image[:, :20, 0], image[:30, :, 1] = 200, 200
    mask[:, :20], mask[:, 40:] = 1, 2
    table = np.arange(256, dtype=np.uint8)
    table[[1, 2]] = 2, 1
    ranges = augmentation.AffineRanges(0, 0, (1, 1), aspect=0, shift=0, flip_up_down=True)
    sided = dataclasses.replace(ranges, mirrored=table)
    seen = set()
    for index in range(20):
        key = (0, 0, index)
        warped, plain = augmentation.augment(image, mask, key, affine_ranges=ranges)
        same, swapped = augmentation.augment(image, mask, key, affine_ranges=sided)
        np.testing.assert_array_equal(warped, same)
        red, green, _ = warped.astype(int).transpose(2, 0, 1)
        to_the_right = red[:, 50].mean() > red[:, 10].mean()
        upside_down = green[45].mean() > green[15].mean()
        expected = table[plain] if to_the_right != upside_down else plain
        np.testing.assert_array_equal(swapped, expected)
        seen.add((to_the_right, upside_down))
    assert len(seen) == 4
