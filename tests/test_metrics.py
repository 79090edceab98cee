"""The confusion matrix and its scores, against Keras and a plain loop."""

import keras
import numpy as np
import pytest

from segmentation import metrics


def draw(seed=0, num_classes=3):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, num_classes, (4, 8, 8)).astype(np.uint8)
    pred = rng.dirichlet(np.ones(num_classes), true.shape).astype(np.float32)
    return true, pred


def test_confusion_matrix_and_scores_by_hand():
    true = np.array([0, 0, 1, 1, 1, 255])
    predicted = np.array([0, 1, 1, 1, 0, 0])
    matrix = metrics.confusion_matrix(true, predicted, 3)
    np.testing.assert_array_equal(matrix, [[1, 1, 0], [1, 2, 0], [0, 0, 0]])
    scores = metrics.scores(matrix)
    np.testing.assert_allclose(scores["iou"], [1 / 3, 1 / 2, np.nan], rtol=1e-6)
    np.testing.assert_allclose(scores["dice"], [1 / 2, 2 / 3, np.nan], rtol=1e-6)
    np.testing.assert_allclose(scores["precision"], [1 / 2, 2 / 3, np.nan], rtol=1e-6)
    np.testing.assert_allclose(scores["recall"], [1 / 2, 2 / 3, np.nan], rtol=1e-6)
    assert scores["mean_iou"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert scores["pixel_accuracy"] == pytest.approx(3 / 5)


def test_scores_agree_with_a_loop_over_pixels():
    true, pred = draw(1)
    guess = pred.argmax(-1)
    scores = metrics.scores(metrics.confusion_matrix(true, guess, 3))
    for index in range(3):
        both = sum(t == index and g == index for t, g in zip(true.flat, guess.flat, strict=True))
        any_ = sum(t == index or g == index for t, g in zip(true.flat, guess.flat, strict=True))
        assert scores["iou"][index] == pytest.approx(both / any_)


def test_the_keras_metric_agrees_with_numpy_and_with_keras_mean_iou_over_batches():
    metric = metrics.ConfusionScores(["background", "hair", "face"])
    reference = keras.metrics.MeanIoU(3)
    matrix = np.zeros((3, 3))
    for seed in range(3):
        true, pred = draw(seed)
        metric.update_state(true, pred)
        reference.update_state(true, pred.argmax(-1))
        matrix += metrics.confusion_matrix(true, pred.argmax(-1), 3)
    result = {name: float(value) for name, value in metric.result().items()}
    expected = metrics.scores(matrix)
    assert result["mean_iou"] == pytest.approx(float(reference.result()), rel=1e-6)
    assert result["pixel_accuracy"] == pytest.approx(expected["pixel_accuracy"], rel=1e-6)
    assert result["recall_face"] == pytest.approx(expected["recall"][2], rel=1e-6)


def test_one_channel_is_decided_at_one_half_and_ignored_pixels_are_left_out():
    metric = metrics.ConfusionScores(["background", "hair"])
    true = np.array([[[1, 1, 0, 255]]], np.uint8)
    metric.update_state(true, np.array([0.6, 0.4, 0.3, 0.9], np.float32).reshape(1, 1, 4, 1))
    result = metric.result()
    assert float(result["iou_hair"]) == pytest.approx(1 / 2)
    assert float(result["iou_background"]) == pytest.approx(1 / 2)
    assert float(result["pixel_accuracy"]) == pytest.approx(2 / 3)


def test_counts_stay_exact_beyond_what_int32_and_float32_hold():
    metric = metrics.ConfusionScores(["background", "hair"])
    true, pred = np.ones((1, 2, 2), np.uint8), np.ones((1, 2, 2, 1), np.float32)
    metric.high.assign([0, 0, 0, 5000])  # 5·10⁹ pixels so far
    metric.low.assign([0, 0, 0, metrics.LIMB - 2])
    metric.update_state(true, pred)
    np.testing.assert_array_equal(metric.high, [0, 0, 0, 5001])
    np.testing.assert_array_equal(metric.low, [0, 0, 0, 2])


def test_reset_forgets():
    metric = metrics.ConfusionScores(["background", "hair"])
    metric.update_state(np.ones((1, 2, 2), np.uint8), np.ones((1, 2, 2, 1), np.float32))
    metric.reset_state()
    assert not np.any(metric.low)
