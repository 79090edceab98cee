"""Losses against values worked out by hand."""

import keras
import numpy as np
import pytest

from segmentation.training import losses
from segmentation.training.config import LOSSES

TRUE = np.array([[[1, 0], [0, 0]]], np.uint8)  # one pixel of four
HALF = np.full((1, 2, 2, 1), 0.5, np.float32)


def value(loss, true, pred):
    return float(loss(true, np.asarray(pred, np.float32)))


def test_dice_by_hand():
    # overlap 0.5, sums 1 + 2: 1 − (1 + 1) / (3 + 1)
    assert value(losses.build("dice"), TRUE, HALF) == pytest.approx(0.5)
    assert value(losses.build("dice"), TRUE, TRUE[..., None]) == pytest.approx(0)


def test_dice_of_an_empty_mask_is_0_for_an_empty_prediction_and_grows_with_a_full_one():
    empty = np.zeros((1, 2, 2), np.uint8)
    assert value(losses.build("dice"), empty, np.zeros((1, 2, 2, 1))) == 0
    assert value(losses.build("dice"), empty, HALF) == pytest.approx(2 / 3)  # s = 2 of s + 1
    assert value(losses.build("dice"), empty, np.ones((1, 2, 2, 1))) == pytest.approx(4 / 5)


def test_dice_is_taken_per_image():
    true = np.concatenate([TRUE, np.zeros_like(TRUE)])
    pred = np.concatenate([TRUE, np.ones_like(TRUE)])[..., None]
    assert value(losses.build("dice"), true, pred) == pytest.approx((0 + 4 / 5) / 2)


def test_dice_of_several_classes_is_their_mean_or_weighted_mean_by_hand():
    true = np.array([[[0, 1], [2, 2]]], np.uint8)
    pred = np.zeros((1, 2, 2, 3), np.float32)
    pred[..., 0] = 1  # all background
    # background: 1 − (2 + 1) / (1 + 4 + 1); class 1: 1 − 1 / 2; class 2: 1 − 1 / 3
    parts = np.array([1 / 2, 1 / 2, 2 / 3])
    assert value(losses.build("dice"), true, pred) == pytest.approx(parts.mean())
    weighted = value(losses.build("dice", class_weights=[0, 1, 3]), true, pred)
    assert weighted == pytest.approx((1 / 2 + 3 * 2 / 3) / 4)


def test_dice_of_several_classes_leaves_out_those_that_the_mask_does_not_show():
    true = np.array([[[0, 1], [255, 1]]], np.uint8)
    pred = np.zeros((1, 2, 2, 3), np.float32)
    pred[..., 0], pred[..., 2] = 0.75, 0.25
    # background: 1 − (2 · 0.75 + 1) / (1 + 3 · 0.75 + 1); class 1: 1 − 1 / (2 + 1)
    parts = np.array([1 - 2.5 / 4.25, 2 / 3])
    assert value(losses.build("dice"), true, pred) == pytest.approx(parts.mean())
    weighted = value(losses.build("dice", class_weights=[1, 3, 100]), true, pred)
    assert weighted == pytest.approx((parts[0] + 3 * parts[1]) / 4)


def test_binary_crossentropy_agrees_with_keras():
    pred = np.array([0.9, 0.2, 0.4, 0.1], np.float32).reshape(1, 2, 2, 1)
    expected = keras.losses.BinaryCrossentropy()(TRUE[..., None].astype("float32"), pred)
    assert value(losses.build("crossentropy"), TRUE, pred) == pytest.approx(float(expected), 1e-5)


def test_categorical_crossentropy_agrees_with_keras():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, (2, 4, 5)).astype(np.uint8)
    pred = rng.dirichlet([1, 1, 1], (2, 4, 5)).astype(np.float32)
    expected = keras.losses.SparseCategoricalCrossentropy()(true, pred)
    assert value(losses.build("categorical"), true, pred) == pytest.approx(float(expected), 1e-5)


def test_focal_agrees_with_keras():
    pred = np.array([0.9, 0.2, 0.4, 0.1], np.float32).reshape(1, 2, 2, 1)
    expected = keras.losses.BinaryFocalCrossentropy(gamma=2.0)(
        TRUE[..., None].astype("float32"), pred
    )
    assert value(losses.build("focal"), TRUE, pred) == pytest.approx(float(expected), 1e-5)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("channels", [1, 3])
def test_ignored_pixels_change_nothing(name, channels):
    rng = np.random.default_rng(1)
    true = rng.integers(0, max(channels, 2), (1, 4, 4)).astype(np.uint8)
    pred = rng.uniform(0.1, 0.9, (1, 4, 4, channels)).astype(np.float32)
    pred = pred if channels == 1 else pred / pred.sum(-1, keepdims=True)
    true[0, 1] = losses.IGNORED
    changed = pred.copy()
    changed[0, 1] = 1 - changed[0, 1]
    loss = losses.build(name)
    assert value(loss, true, pred) == pytest.approx(value(loss, true, changed), 1e-6)
    assert value(loss, np.full_like(true, losses.IGNORED), pred) == pytest.approx(0, abs=1e-6)


def test_class_weights_count_a_pixel_as_much_as_its_true_class():
    loss = losses.build("crossentropy", class_weights=[1, 3])
    pred = np.array([0.8, 0.4, 0.4, 0.4], np.float32).reshape(1, 2, 2, 1)
    expected = -(3 * np.log(0.8) + 3 * np.log(0.6)) / 4
    assert value(loss, TRUE, pred) == pytest.approx(expected, 1e-5)
    rare = value(loss, np.ones_like(TRUE), HALF)
    assert rare == pytest.approx(3 * value(loss, np.zeros_like(TRUE), HALF), 1e-5)


def test_the_sum_is_the_sum():
    parts = value(losses.build("dice"), TRUE, HALF) + value(losses.build("binary"), TRUE, HALF)
    assert value(losses.build("dice+crossentropy"), TRUE, HALF) == pytest.approx(parts)


@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_predictions_are_reduced_in_float32(name):
    # 65,536 pixels: their sum overflows float16, and their mean is lost in bfloat16.
    true = np.zeros((1, 256, 256), np.uint8)
    true[:, :100] = 1
    pred = np.full((1, 256, 256, 1), 0.25, np.float32)
    loss = losses.build(name)
    half = float(loss(true, keras.ops.cast(pred, "float16")))
    assert half == pytest.approx(value(loss, true, pred), 1e-3)


def test_a_confident_mistake_is_finite():
    assert np.isfinite(value(losses.build("binary"), TRUE, 1 - TRUE[..., None]))


def test_an_unknown_loss_names_the_known():
    with pytest.raises(ValueError, match="focal"):
        losses.build("hinge")
