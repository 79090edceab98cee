"""The predictions for a few images as epochs go by: which are kept, and what is shown of them."""

import io

import numpy as np
import pytest
from PIL import Image

from segmentation.data import arrays
from segmentation.data.classes import Classes
from segmentation.evaluation.contact_sheet import CELL
from segmentation.training import sample_predictions
from segmentation.training.sample_predictions import SamplePredictions

NAMES = ["background", "hair", "face"]
SIZE = (32, 64)


class Everywhere:
    """A model whose every pixel is of one class."""

    def __init__(self, channel, channels=3, heads=0):
        self.scores = np.zeros((1, 8, 16, channels), np.float32)
        self.scores[..., channel] = 1
        self.heads = heads

    def predict_on_batch(self, images):
        assert images.shape == (1, *SIZE, 3) and images.dtype == np.float32
        return [self.scores, *[1 - self.scores] * self.heads] if self.heads else self.scores


def watched(count=2, img_size=SIZE):
    levels = np.arange(100, 100 + count, dtype=np.uint8)[:, None, None, None]
    images = np.tile(levels, (1, *SIZE, 3))
    masks = np.full((count, *SIZE), 2, np.uint8)
    masks[:, :16] = 1
    stems = [f"p{row}" for row in range(count)]
    data = arrays.Arrays(images, masks, stems, stems, NAMES)
    classes = Classes.of_data(NAMES, ["hair", "face"])
    return images, SamplePredictions(data, classes, img_size)


def test_the_masks_of_powers_of_two_of_the_best_and_of_the_last_epoch_are_kept():
    _, samples = watched()
    kept = []
    for epoch in range(1, 12):
        samples.add(Everywhere(epoch % 3), epoch, best_epoch=min(epoch, 6))
        kept.append(sorted(samples.masks))
    assert kept[2] == [1, 2, 3] and kept[4] == [1, 2, 4, 5]
    assert kept[6] == [1, 2, 4, 6, 7] and kept[10] == [1, 2, 4, 6, 8, 11]
    for epoch, masks in samples.masks.items():
        assert masks.shape == (2, *SIZE) and masks.dtype == np.uint8 and (masks == epoch % 3).all()


def test_the_first_of_several_outputs_is_shown():
    _, samples = watched()
    samples.add(Everywhere(2, heads=1), 1, best_epoch=1)
    assert (samples.masks[1] == 2).all()


def test_the_sheet_has_a_column_for_the_image_the_truth_and_each_epoch(monkeypatch, tmp_path):
    images, samples = watched()
    for epoch in (1, 2, 3):
        samples.add(Everywhere(epoch % 3), epoch, best_epoch=2)
    drawn = {}

    def contact_sheet(columns, rows, legend):
        drawn.update(columns)
        drawn["rows"] = rows
        return draw(columns, rows, legend)

    draw = sample_predictions.contact_sheet
    monkeypatch.setattr(sample_predictions, "contact_sheet", contact_sheet)
    samples.save(tmp_path / "a.samples.png", best_epoch=2)
    assert list(drawn) == ["image", "truth", "epoch 1", "epoch 2\nbest", "epoch 3", "rows"]
    assert drawn["rows"] == ["1 p0", "2 p1"]
    np.testing.assert_array_equal(drawn["image"], images)
    hair, face, nothing = (drawn[name] for name in ("epoch 1", "epoch 2\nbest", "epoch 3"))
    np.testing.assert_array_equal(nothing, images)
    upper = np.arange(32)[:, None, None] < 16
    np.testing.assert_array_equal(drawn["truth"], np.where(upper, hair, face))
    with Image.open(tmp_path / "a.samples.png") as sheet:
        assert 3 * 2 * CELL < sheet.width < 4 * 2 * CELL  # in two bands
        assert 4 * CELL < sheet.height < 5 * CELL


def test_large_images_are_kept_at_the_size_of_a_cell():
    _, samples = watched(img_size=(640, 320))
    assert [image.shape for image in samples._images] == [(CELL, CELL // 2, 3)] * 2


def test_tensorboard_gets_the_images_once_and_a_prediction_per_epoch(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    images, samples = watched()
    for epoch in (1, 2, 3):
        samples.add(Everywhere(0), epoch, best_epoch=1)
        samples.log(tmp_path)
    events = EventAccumulator(str(tmp_path / "samples"))
    events.Reload()
    kinds = ("image", "truth", "prediction")
    tags = {f"{stem}/{kind}" for stem in ("1 p0", "2 p1") for kind in kinds}
    assert set(events.Tags()["images"]) == tags
    assert [event.step for event in events.Images("1 p0/image")] == [1]
    predictions = events.Images("2 p1/prediction")
    assert [event.step for event in predictions] == [1, 2, 3]
    shown = np.asarray(Image.open(io.BytesIO(predictions[-1].encoded_image_string)))
    assert shown.shape == (*SIZE, 3)
    np.testing.assert_allclose(shown, images[1], atol=2)
