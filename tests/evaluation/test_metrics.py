"""The confusion matrix, boundary IoU and scores: by hand, against Keras and plain loops."""

import keras
import numpy as np
import pytest

from segmentation.evaluation import metrics


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


def test_pixel_counts_and_their_iou_by_hand():
    counts = metrics.pixel_counts(np.array([[5, 1, 0], [2, 3, 0], [0, 0, 0]]))
    assert counts.tp.tolist() == [5, 3, 0]
    assert counts.support.tolist() == [6, 5, 0]
    assert counts.predicted.tolist() == [7, 4, 0]
    np.testing.assert_allclose(metrics.iou(counts), [5 / 8, 3 / 6, np.nan])
    two = metrics.PixelCounts(*(np.stack([each, each]) for each in counts))
    np.testing.assert_allclose(metrics.iou(two)[1], metrics.iou(counts))


def test_the_bands_of_a_square_and_of_one_next_to_it_by_hand():
    true, predicted = np.zeros((2, 10, 10), np.uint8)
    true[3:7, 3:7] = predicted[3:7, 4:8] = 1
    # 2 % of this diagonal is less than a pixel, so the band has one: 16 - 4 pixels of the square,
    # 20 around it, and the 36 along the border of the image are background too.
    # Both squares have rows 3 and 6 from column 4 to 6 in their bands; the background rows 2 and 7
    # from column 3 to 7, and the border.
    found = metrics.boundary_counts(true, predicted, 2)
    assert np.array(found).tolist() == [[36 + 10, 6], [36 + 20, 12], [36 + 20, 12]]
    np.testing.assert_allclose(metrics.iou(found), [46 / 66, 6 / 18])


def test_the_band_follows_the_border_of_the_image_where_that_cuts_an_object():
    true = np.zeros((10, 10), np.uint8)
    true[:, :3] = 1
    found = metrics.boundary_counts(true, true, 2)
    assert [count[1] for count in found] == [30 - 8] * 3  # column 1, rows 1 to 8, is inside
    whole = np.ones((60, 80), np.uint8)  # a diagonal of 100: the band has two pixels
    found = metrics.boundary_counts(whole, whole, 2)
    assert [count[1] for count in found] == [60 * 80 - 56 * 76] * 3


def test_ignored_pixels_are_in_no_band_and_a_perfect_prediction_scores_1_next_to_them():
    true = np.zeros((10, 10), np.uint8)
    true[3:7, 3:7] = 1
    true[:, 6:8] = 255
    predicted = np.zeros((10, 10), np.uint8)
    predicted[3:7, 3:9] = 1  # goes on into ignored pixels, and wrongly beyond: column 8
    found = metrics.boundary_counts(true, predicted, 2)
    # Three columns of the square are left, of which the middle column is inside in two rows.
    assert [count[1] for count in found] == [10, 10, 10 + 4]
    perfect = np.where(true == 255, 1, true).astype(np.uint8)
    assert metrics.iou(metrics.boundary_counts(true, perfect, 2)).tolist() == [1, 1]


def test_all_classes_at_once_agree_with_the_paper_class_by_class():
    blocks = np.random.default_rng(0).integers(0, 5, (6, 8)).astype(np.uint8)
    true = np.kron(blocks, np.ones((15, 15), np.uint8))
    predicted = np.roll(true, 2, axis=(0, 1))
    true[20:40, 30:50] = 255
    width = 3  # of 90x120 pixels, a diagonal of 150

    def band(mask):
        around = np.lib.stride_tricks.sliding_window_view(np.pad(mask, width), (2 * width + 1,) * 2)
        return mask & ~around.all((2, 3))

    found = metrics.boundary_counts(true, predicted, 5)
    for index in range(5):
        first, second = band(true == index), band((predicted == index) & (true != 255))
        expected = [(first & second).sum(), first.sum(), second.sum()]
        assert [count[index] for count in found] == expected and expected[0] > 0


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


def test_one_channel_has_the_threshold_one_half_and_ignored_pixels_are_left_out():
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
