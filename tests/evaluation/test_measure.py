"""Measuring: scores worked out by hand, of a model whose answers are given."""

import dataclasses
import math

import numpy as np
import pytest

from segmentation import probabilities
from segmentation.data import arrays
from segmentation.errors import InputError
from segmentation.evaluation import measure, summary
from segmentation.evaluation.metrics import PixelCounts
from tiny_models import fake_predictor

NAMES = ["background", "hair", "face"]


def samples_of(ids):
    return arrays.Arrays(
        images=np.zeros((*ids.shape, 3), np.uint8),
        masks=ids,
        stems=[f"p{index}" for index in range(len(ids))],
        groups=[""] * len(ids),
        labels=list(NAMES),
    )


def counts_of(predict, data):
    return measure.measure(predict, data, measure.match_classes(predict, data)).counts


def test_one_class_counts_the_background_and_leaves_out_what_is_no_class(tmp_path):
    ids = np.array([[[1, 1, 0, 2]], [[0, 0, 0, 255]]], np.uint8)
    p = np.array([[[0.9, 0.4, 0.8, 0.1]], [[0.2, 0.3, 0.4, 0.9]]], np.float32)[..., None]
    counts = counts_of(fake_predictor(tmp_path, p, ["hair"]), samples_of(ids))
    names = ["background", "hair"]
    assert list(counts.names) == names
    assert counts.confusion.tolist() == [[4, 1], [1, 1]]
    assert counts.per_image.tp.tolist() == [[1, 1], [3, 0]]
    assert counts.per_image.support.tolist() == [[2, 2], [3, 0]]
    assert counts.per_image.predicted.tolist() == [[2, 2], [3, 0]]
    of_truth = [0.9, 0.4, 0.2, 0.9, 0.8, 0.7, 0.6]
    assert counts.crossentropy == pytest.approx(-sum(map(math.log, of_truth)) / 7, rel=1e-5)
    found = summary.summarize(counts)
    assert found["confusion"] == [[4, 1], [1, 1]] and found["classes"] == names
    assert found["boundary_iou"] == found["iou"]  # one line of pixels is all outline
    assert found["mean_boundary_iou"] == found["mean_iou"]
    assert found["iou"] == pytest.approx({"background": 4 / 6, "hair": 1 / 3}, abs=1e-5)
    assert found["mean_iou"] == pytest.approx((4 / 6 + 1 / 3) / 2, abs=1e-5)
    assert found["dice"]["hair"] == found["precision"]["hair"] == found["recall"]["hair"] == 0.5
    assert found["pixel_accuracy"] == pytest.approx(5 / 7, abs=1e-5)
    # The second image shows no hair: it counts only for the background.
    per_image = {"background": (1 / 3 + 1) / 2, "hair": 1 / 3}
    assert found["picture_iou"] == pytest.approx(per_image, abs=1e-5)


def test_several_classes_are_matched_by_name_and_one_that_nobody_shows_is_none(tmp_path):
    ids = np.array([[[2, 2, 0, 1]]], np.uint8)  # 1 is hair, which this model does not know
    classes = ["background", "face", "hat"]
    p = np.eye(3, dtype=np.float32)[[[[1, 0, 0, 0]]]] * 0.8 + 0.1
    predict = fake_predictor(tmp_path, p, classes)
    data = samples_of(ids)
    data.labels.append("hat")
    matched = measure.match_classes(predict, data)
    assert list(matched.id_names) == classes
    assert matched.table[[0, 1, 2, 3, 255]].tolist() == [0, 0, 1, 2, 255]
    counts = measure.measure(predict, data, matched).counts
    assert counts.confusion.tolist() == [[2, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert counts.crossentropy == pytest.approx(-(3 * math.log(0.9) + math.log(0.1)) / 4, rel=1e-5)
    found = summary.summarize(counts)
    for key in ("iou", "boundary_iou", "picture_iou", "dice", "precision", "recall"):
        assert found[key]["hat"] is None
    assert found["mean_iou"] == pytest.approx((2 / 3 + 1 / 2) / 2, abs=1e-5)


def test_a_class_that_the_data_lacks_is_named(tmp_path):
    predict = fake_predictor(tmp_path, np.zeros((1, 1, 4, 1), np.float32), ["hare"])
    with pytest.raises(InputError, match="fake.keras does not fit.*hare.*did you mean 'hair'"):
        measure.match_classes(predict, samples_of(np.zeros((1, 1, 4), np.uint8)))


def test_the_ignored_class_of_the_training_counts_nowhere(tmp_path):
    predict = fake_predictor(tmp_path, np.zeros((1, 1, 4, 1), np.float32), ["hair"])
    predict.classes = dataclasses.replace(predict.classes, ignored="face")
    table = measure.match_classes(predict, samples_of(np.zeros((1, 1, 4), np.uint8))).table
    assert table[[0, 1, 2]].tolist() == [0, 1, 255]


def test_a_model_that_ignores_the_background_has_no_channel_for_it(tmp_path):
    ids = np.array([[[1, 2, 1, 0]]], np.uint8)
    p = np.array([[[[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.5, 0.5]]]], np.float32)
    predict, data = fake_predictor(tmp_path, p, ["face", "hair"]), samples_of(ids)
    for ignored in ("none", None):  # as other data may call it, or nobody may say
        predict.classes = dataclasses.replace(predict.classes, ignored=ignored)
        matched = measure.match_classes(predict, data)
        assert list(matched.id_names) == ["face", "hair"]
        assert matched.table[:3].tolist() == [255, 1, 0]
    counts = measure.measure(predict, data, matched).counts
    assert counts.confusion.tolist() == [[1, 0], [1, 1]]  # hair taken for face, face and hair found
    assert counts.crossentropy == pytest.approx(-sum(map(math.log, [0.1, 0.8, 0.7])) / 3, rel=1e-5)
    assert summary.rank(counts) == [(0, 0.5)]


@pytest.mark.parametrize(("first", "true"), [("hair", [1, 0]), ("void", [2, 1])])
def test_a_model_keeps_its_background_on_data_that_have_none(tmp_path, first, true):
    p = np.eye(3, dtype=np.float32)[[[[2, 1]]]]
    predict = fake_predictor(tmp_path, p, ["background", "hair", "face"])
    predict.classes = dataclasses.replace(predict.classes, ignored="void")
    data = samples_of(np.array([[true]], np.uint8))
    data.labels[:] = [first, *(name for name in ("hair", "face") if name != first)]
    counts = counts_of(predict, data)
    assert len(counts.names) == 3
    assert counts.confusion.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_probabilities_are_upsampled_to_the_mask_before_the_threshold(tmp_path):
    # Upsampled by 2, 0.1 and 0.7 become 0.1, 0.25, 0.55, 0.7: the third is the first above 0.5.
    p = np.array([[[0.1, 0.7]]], np.float32)[..., None]
    data = samples_of(np.array([[[0, 0, 1, 1], [0, 0, 1, 1]]], np.uint8))
    counts = counts_of(fake_predictor(tmp_path, p, ["hair"]), data)
    assert counts.confusion.tolist() == [[4, 0], [0, 4]]


def test_boundary_iou_is_over_all_pixels_of_the_set_and_not_a_mean_over_images(tmp_path):
    ids = np.zeros((2, 10, 10), np.uint8)
    ids[0, 3:7, 3:7] = ids[1, :, :3] = 1
    guess = ids.copy()
    guess[0] = np.roll(ids[0], 1, axis=1)  # a pixel to the right; the other image is perfect
    predict = fake_predictor(tmp_path, guess[..., None].astype(np.float32), ["hair"])
    found = summary.summarize(counts_of(predict, samples_of(ids)))
    # By hand, as in test_metrics.py: 6 of 18 pixels agree in the first band, all 22 in the second.
    assert found["boundary_iou"]["hair"] == pytest.approx(28 / 40, abs=1e-6)
    assert found["iou"]["hair"] == pytest.approx((12 + 30) / (20 + 30), abs=1e-6)
    assert found["picture_iou"]["hair"] == pytest.approx((12 / 20 + 1) / 2, abs=1e-6)


@pytest.mark.parametrize("floats, batches", [(16, [2, 2, 1]), (1, [1] * 5), (10**6, [5])])
def test_large_probabilities_come_in_small_batches(tmp_path, monkeypatch, floats, batches):
    monkeypatch.setattr(probabilities, "MAX_FLOATS", floats)  # an image has 4 pixels of 2 classes
    ids = (np.arange(20).reshape(5, 1, 4) % 3 == 0).astype(np.uint8)
    predict = fake_predictor(tmp_path, ids[..., None].astype(np.float32), ["hair"])
    answer, sizes = predict.runner.run, []
    predict.runner = dataclasses.replace(
        predict.runner, run=lambda images: sizes.append(len(images)) or answer(images)
    )
    counts = counts_of(predict, samples_of(ids))
    assert sizes == batches and counts.confusion.tolist() == [[13, 0], [0, 7]]


def test_images_are_ranked_by_their_iou_without_background_if_their_mask_shows_more():
    images = [  # tp, support and predicted by class
        [[9, 1, 2], [9, 4, 2], [9, 1, 2]],  # 1/4 and 1
        [[0, 9, 0], [0, 9, 0], [0, 9, 0]],  # 1, and a class that neither shows
        [[9, 0, 0], [9, 0, 0], [9, 1, 0]],  # no class in the mask, but in the prediction
        [[0, 1, 0], [0, 2, 0], [0, 1, 3]],  # 1/2, and 0 for one that only the prediction shows
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],  # damaged
    ]
    per_image = PixelCounts(*np.moveaxis(images, 1, 0))
    ranked = summary.rank(measure.Counts(NAMES, None, per_image, None, 0.0, []))
    assert ranked == [(1, 1.0), (0, 0.625), (3, 0.25)]


def test_extremes_are_three_of_each_kind():
    found = summary.extremes([(index, 1 - index / 10) for index in range(10)])
    assert [kind for kind, _, _ in found] == ["best"] * 3 + ["middle"] * 3 + ["worst"] * 3
    assert [index for _, index, _ in found] == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    assert found[0] == ("best", 0, 1.0)


def test_of_few_images_none_is_shown_twice():
    assert summary.extremes([(0, 0.7), (1, 0.5)]) == [("best", 0, 0.7), ("best", 1, 0.5)]
