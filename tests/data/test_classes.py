"""The classes of a model: their channels, and the table from class ids to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from class_names import NAMES, class_names
from segmentation.data import labels
from segmentation.data.classes import Classes, choose, mirrored, of_channels
from segmentation.errors import InputError


def test_one_class_is_a_yes_or_no():
    found = Classes.of_data(NAMES, ["face"])
    names, table = list(found.names), found.table
    assert names == ["face"]
    assert table[:4].tolist() == [0, 0, 1, 0] and table[255] == labels.IGNORED


def test_several_classes_follow_the_background_in_the_order_chosen():
    found = Classes.of_data(NAMES, [" hat", "hair"])
    names, table = list(found.names), found.table
    assert names == ["background", "hat", "hair"]
    assert table[:4].tolist() == [0, 2, 0, 1] and table.dtype == np.uint8


def test_an_ignored_class_counts_nowhere():
    assert Classes.of_data(NAMES, ["hair", "hat"], ignore_class=2).table[:4].tolist() == [
        0,
        1,
        255,
        2,
    ]
    assert Classes.of_data(NAMES, ["hair"], ignore_class=2).table[:4].tolist() == [0, 1, 255, 0]
    assert Classes.of_data(NAMES, ["hair"], ignore_class=0).table[:4].tolist() == [255, 1, 0, 0]


def test_without_background_there_is_no_channel_for_what_is_left_over():
    found = Classes.of_data(NAMES, ["hat", "hair"], ignore_class=0)
    names, table = list(found.names), found.table
    assert names == ["hat", "hair"]
    assert table[:4].tolist() == [255, 1, 255, 0] and (table[4:] == 255).all()


@pytest.mark.parametrize(
    ("chosen", "ignored", "message"),
    [
        (["hiar"], None, "there are hair, face, hat; did you mean 'hair'"),
        (["background", "hair"], None, "class 0"),
        (["hair", "face", "hair"], None, "twice"),
        ([], None, "no class is chosen"),
        (["hair"], 1, "both chosen and ignored"),
        (["hair"], 4, "not one of the ids 0 to 3"),
    ],
)
def test_a_wrong_choice_is_explained(chosen, ignored, message):
    with pytest.raises(InputError, match=message):
        Classes.of_data(NAMES, chosen, ignored)


def test_one_class_needs_pixels_of_another():
    with pytest.raises(InputError, match="there is nothing but 'hair'"):
        Classes.of_data(["background", "hair"], ["hair"], ignore_class=0)


@given(class_names.filter(lambda names: len(names) > 1), st.data())
def test_each_id_has_the_channel_of_its_name(names, data):
    chosen = data.draw(st.lists(st.sampled_from(names[1:]), min_size=1, unique=True))
    found = Classes.of_data(names, chosen)
    channel_names, table = list(found.names), found.table
    for index, name in enumerate(names):
        if len(chosen) == 1:
            assert table[index] == (name == chosen[0])
        else:
            assert channel_names[table[index]] == (name if name in chosen else names[0])


def test_channels_are_named_in_their_order():
    assert of_channels("hair", 1) == ["hair"]
    assert of_channels("hair, face", 3) == ["background", "hair", "face"]
    assert of_channels("none|floor, flooring|wall", 3) == [
        "none",
        "floor, flooring",
        "wall",
    ]
    assert of_channels("floor,wall", 2) == ["floor", "wall"]  # of one without background


@pytest.mark.parametrize(
    ("text", "number", "message"),
    [
        ("hair", 3, "names hair, the model has 3 channels"),
        ("hair,face", 1, "names hair, face, the model has 1 channel:"),
        ("hair,hair", 3, "given twice"),
        ("hair,", 3, "not a class name"),
        ("background", 1, "given twice"),
    ],
)
def test_names_that_fit_no_channels_are_refused(text, number, message):
    with pytest.raises(InputError, match=message):
        of_channels(text, number)


def test_all_classes_are_chosen_but_the_background_and_the_ignored_one():
    names = ["none", "wall", "sky", "tree"]
    assert choose(names) == ["wall", "sky", "tree"]
    assert choose(names, ignore_class=2) == ["wall", "tree"]
    assert choose(["background", "hair", "hat"]) == ["hair", "hat"]
    assert choose(["background", "hair", "face"]) == ["hair"]
    assert choose(["background", "hair", "face"], ignore_class=2) == ["hair"]
    assert choose(["background", "hair", "face"], ignore_class=1) == ["face"]


def test_data_without_a_background_have_a_channel_for_each_class():
    names = ["road", "sidewalk", "building"]
    assert choose(names) == names
    found = Classes.of_data(names, names)
    assert found.names == tuple(names) and found.table[[0, 1, 2, 255]].tolist() == [0, 1, 2, 255]
    part = Classes.of_data(names, ["building", "sidewalk"])
    assert part.names == ("none", "building", "sidewalk")
    assert part.table[[0, 1, 2, 255]].tolist() == [0, 2, 1, 255]
    one = Classes.of_data(names, ["road"])
    assert one.id_names == ("none", "road") and one.table[[0, 1, 2, 255]].tolist() == [1, 0, 0, 255]
    ignored = Classes.of_data(names, ["sidewalk", "building"], ignore_class=0)
    assert ignored.names == ("sidewalk", "building") and ignored.table[0] == 255
    others = Classes.of_data(names, ["building", "road"], others_ignored=True)
    assert others.names == ("building", "road") and others.table[[0, 1, 2]].tolist() == [1, 255, 0]


def test_a_mirror_exchanges_the_sides_that_names_say():
    names = ["background", "l_eye", "Right arm", "r_eye", "left arm", "left over", "leftover", "r"]
    table, pairs, unpaired = mirrored(names)
    assert pairs == [("l_eye", "r_eye"), ("left arm", "Right arm")]
    assert table[:9].tolist() == [0, 3, 4, 1, 2, 5, 6, 7, 8] and table[255] == 255
    assert unpaired == ["left over"]
    assert mirrored(["background", "hair", "face"])[1:] == ([], [])
    names = ["leftEye", "rightEye", "LArm", "RArm", "Upright", "FootLeft", "footRight", "EarRight"]
    table, pairs, unpaired = mirrored(names)
    assert table[:8].tolist() == [1, 0, 3, 2, 4, 6, 5, 7] and unpaired == ["EarRight"]
    assert pairs == [("leftEye", "rightEye"), ("LArm", "RArm"), ("FootLeft", "footRight")]
