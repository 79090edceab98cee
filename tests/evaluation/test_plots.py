"""Plots show the values they are given, read from the colours of their pixels."""

import numpy as np
import pytest
from PIL import Image

from segmentation.evaluation import plots

BLUE, ORANGE = (31, 119, 180), (255, 127, 14)  # matplotlib's first two colours
VIRIDIS = {0.25: (59, 82, 139), 0.75: (94, 201, 98)}  # as published


def where(path, color):
    """Return the pixels of a colour, as (rows, columns)."""
    image = np.array(Image.open(path).convert("RGB")).astype(int)
    return (np.abs(image - color) <= 3).all(-1)


def test_training_curves_are_blue_and_validation_curves_orange_with_the_loss_on_the_left(tmp_path):
    names = ("loss", "val_loss", "iou_hair", "val_iou_hair")
    history = [
        {"epoch": epoch} | dict(zip(names, values, strict=True))
        for epoch, values in ((1, (1.0, 2.0, 0.9, 0.1)), (2, (1.0, 2.0, 0.9, 0.1)))
    ]
    path = tmp_path / "a.png"
    plots.curves(history, "val_iou_hair", path)
    for left, blue_is_above in ((True, False), (False, True)):
        half = slice(0, 450) if left else slice(450, 900)
        # The longest row of each colour: the legend has some pixels of it too.
        blue, orange = (where(path, color)[:, half].sum(1) for color in (BLUE, ORANGE))
        assert blue.max() > 200 and orange.max() > 200
        assert (blue.argmax() < orange.argmax()) == blue_is_above


def test_a_single_epoch_gives_no_empty_plot(tmp_path):
    row = {"epoch": 1, "loss": 1.0, "val_loss": 2.0, "iou_hair": 0.1, "val_iou_hair": 0.2}
    plots.curves([row], "val_iou_hair", tmp_path / "a.png")
    for half in (slice(0, 450), slice(450, 750)):  # the legend is farther to the right
        assert where(tmp_path / "a.png", BLUE)[:, half].any()


def test_the_rows_of_a_confusion_matrix_are_fractions_of_the_true_pixels(tmp_path):
    path = tmp_path / "a.png"
    plots.confusion(np.array([[6, 2, 0], [2, 6, 0], [0, 0, 0]]), ["a", "b", "c"], path)
    high, low = where(path, VIRIDIS[0.75]), where(path, VIRIDIS[0.25])
    cell = high.sum() / 2  # 0.75 twice, on the diagonal: the left one above
    assert cell > 1000 and low.sum() == pytest.approx(2 * cell, rel=0.1)
    rows, columns = np.nonzero(high[:, : round(Image.open(path).width * 0.7)])
    assert np.corrcoef(rows, columns)[0, 1] > 0.5
    empty = where(path, (68, 1, 84)).sum()  # zeros of the first two rows; the third is left white
    assert empty == pytest.approx(2 * cell, rel=0.15)


def test_bars_are_as_long_as_the_scores_and_a_class_without_score_has_none(tmp_path):
    path = tmp_path / "a.png"
    plots.class_bars({"a": 1.0, "b": None}, {"a": 0.5, "b": None}, path)
    blue, orange = where(path, BLUE).sum(1), where(path, ORANGE).sum(1)
    assert blue.max() == pytest.approx(2 * orange.max(), rel=0.02) and orange.max() > 200
    assert np.flatnonzero(blue > 100).max() < len(blue) / 2  # the class on top


def test_bars_of_a_histogram_are_as_high_as_the_number_of_images(tmp_path):
    path = tmp_path / "a.png"
    plots.iou_histogram([0.12, 0.12, 0.12, 0.12, 1.0, 1.0], path)
    columns = where(path, BLUE).sum(0)
    middle = len(columns) // 2
    left, right = columns[:middle].max(), columns[middle:].max()
    assert left == pytest.approx(2 * right, rel=0.03) and right > 50


@pytest.mark.parametrize("count", [2, 150])
def test_names_of_any_kind_and_number_are_drawn(tmp_path, count):
    names = [
        "a$^$b",
        *(f"a name with synonyms, and more of them {index}" for index in range(1, count)),
    ]
    scores = dict.fromkeys(names, 0.5)
    plots.confusion(np.eye(count, dtype=int), names, tmp_path / "confusion.png")
    plots.class_bars(scores, scores, tmp_path / "classes.png")
    for path in tmp_path.iterdir():
        assert max(Image.open(path).size) <= 3000
