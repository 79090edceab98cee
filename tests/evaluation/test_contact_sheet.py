"""Agreement with the truth, and contact sheets."""

import numpy as np

from segmentation.evaluation.contact_sheet import (
    CELL,
    FALSE,
    HIT,
    MARGIN,
    MISSED,
    REST,
    SHEET_WIDTH,
    agreement,
    contact_sheet,
)
from segmentation.inference.visualization import CAPTION, GAP, NARROWEST


def test_contact_sheet_has_a_column_per_image_and_room_for_the_caption():
    wide, high = np.zeros((10, 20, 3), np.uint8), np.zeros((20, 10, 3), np.uint8)
    sheet = contact_sheet([("best 0.90\na", [wide] * 4), ("worst 0.10\nb", [high] * 4)])
    gap, caption, margin = GAP, CAPTION, MARGIN
    second = NARROWEST  # the tall images are narrower, but not their captions
    width = margin + 2 * CELL + second + 3 * gap
    assert sheet.shape == (4 * CELL + 6 * gap + 2 * caption, width, 3)
    assert (sheet[gap : gap + CELL, margin + gap : margin + gap + 2 * CELL] == 0).all()
    below = sheet[-2 * caption - gap :, margin:]
    for line in (below[:caption], below[caption : 2 * caption]):
        assert (line[:, :40] < 128).any() and (line[:, 2 * CELL + gap :] < 128).any()
    assert (sheet[:, -gap:] == 255).all()


def test_many_columns_continue_below_in_bands_of_equal_length():
    square = np.zeros((8, 8, 3), np.uint8)
    one, twelve = (contact_sheet([("a\nb", [square] * 4)] * count) for count in (1, 12))
    assert twelve.shape[0] == 2 * one.shape[0]
    six = contact_sheet([("a\nb", [square] * 4)] * 6)
    np.testing.assert_array_equal(twelve, np.concatenate([six, six]))
    assert six.shape[1] <= SHEET_WIDTH


def test_long_captions_stay_within_their_column():
    black = np.zeros((8, 8, 3), np.uint8)
    sheet = contact_sheet([("W" * 80, [black] * 4), ("", [black] * 4)])
    left = MARGIN + CELL + GAP
    below = sheet[-2 * CAPTION - GAP :]
    assert (below[:, left - 40 : left - 12] < 128).any() and (below[:, left - 6 :] == 255).all()


def test_agreement_by_hand():
    truth = np.array([[0, 0, 1, 1, 2, 255]], np.uint8)
    prediction = np.array([[0, 1, 1, 0, 1, 1]], np.uint8)
    expected = [[REST, FALSE, HIT, MISSED, MISSED, REST]]
    np.testing.assert_array_equal(agreement(truth, prediction), expected)
    expected = [[HIT, MISSED, HIT, MISSED, MISSED, REST]]
    np.testing.assert_array_equal(agreement(truth, prediction, 255), expected)
