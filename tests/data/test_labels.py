"""Class names, their file, their colours, and the table from class ids to channels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentation.data import labels
from segmentation.data.classes import Classes, choose, of_channels
from segmentation.errors import InputError

NAMES = ["background", "hair", "face", "hat"]
class_names = st.lists(
    st.text(st.characters(exclude_categories=("C", "Z")), min_size=1), max_size=20, unique=True
).map(lambda names: ["none", *(name for name in names if not labels.is_background(name))])


@given(class_names)
def test_what_is_written_is_read(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("labels") / "labels.txt"
    labels.write(path, names)
    assert labels.read(path) == names


def test_background_and_none_are_the_same_class_0(tmp_path):
    path = tmp_path / "labels.txt"
    labels.write(path, ["background", "sky"])
    labels.write(path, ["none", "sky"])
    assert labels.read(path) == ["background", "sky"]
    with pytest.raises(InputError, match="already names other classes"):
        labels.write(path, ["none", "road"])


def test_the_file_is_tab_separated_with_a_header(tmp_path):
    labels.write(tmp_path / "labels.txt", ["background", "hair"])
    assert (tmp_path / "labels.txt").read_bytes() == b"idx\tlabel\n0\tbackground\n1\thair\n"


def test_blanks_line_ends_and_byte_order_marks_do_not_matter(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_bytes(b"\xef\xbb\xbfidx\tlabel\r\n0\tnone \r\n1\t traffic light\r\n\r\n")
    assert labels.read(path) == ["none", "traffic light"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line"),
        ("0\tbackground\n1\thair\n", "first line"),
        ("idx\tlabel\n0\tbackground\n2\thair\n", "line 3: expected '1'"),
        ("idx\tlabel\n0 background\n", "line 2"),
        ("idx\tlabel\n0\tbackground\n1\t\n", "line 3"),
        ("idx\tlabel\n0\thair\n1\tface\n", "class 0"),
        ("idx\tlabel\n", "class 0"),
        ("idx\tlabel\n0\tnone\n1\thair\n2\thair\n", "'hair' is given twice"),
        ("idx\tlabel\n0\tnone\n1\tBackground\n", "class 1 cannot be called 'Background'"),
        ("idx\tlabel\n0\tnone\n" + "".join(f"{i}\tc{i}\n" for i in range(1, 256)), "255 at most"),
    ],
)
def test_a_malformed_file_is_named(tmp_path, text, message):
    path = tmp_path / "labels.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        labels.read(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_missing_or_binary_file_is_named(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        labels.read(tmp_path / "labels.txt")
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InputError, match="no UTF-8"):
        labels.read(tmp_path / "picture.jpg")


def test_other_names_are_not_overwritten(tmp_path):
    path = tmp_path / "labels.txt"
    labels.write(path, ["none", "wall"])
    before = path.stat().st_mtime_ns
    labels.write(path, ["none", "wall"])
    with pytest.raises(InputError, match="already names other classes"):
        labels.write(path, ["none", "floor"])
    assert path.stat().st_mtime_ns == before and labels.read(path) == ["none", "wall"]


def test_colors_of_the_known_classes():
    assert labels.colors(NAMES)[:3] == [[0, 0, 0], [255, 0, 0], [0, 255, 0]]
    # PASCAL VOC: 3 is (128, 128, 0); 20, tv monitor, is (0, 64, 128)
    assert labels.colors(NAMES)[3] == [128, 128, 0]
    assert labels.colors(["none", *"abcdefghijklmnopqrst"])[20] == [0, 64, 128]


def test_all_colors_differ():
    names = ["background", "hair", "face", *(f"class_{index}" for index in range(3, 255))]
    assert len({tuple(color) for color in labels.colors(names)}) == 255


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
        (["hair"], 4, "none of the ids 0 to 3"),
    ],
)
def test_a_wrong_choice_is_explained(chosen, ignored, message):
    with pytest.raises(InputError, match=message):
        Classes.of_data(NAMES, chosen, ignored)


def test_one_class_needs_pixels_of_another():
    with pytest.raises(InputError, match="nothing to tell 'hair' from"):
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
        ("hair,", 3, "no class name"),
        ("background", 1, "given twice"),
    ],
)
def test_names_that_fit_no_channels_are_refused(text, number, message):
    with pytest.raises(InputError, match=message):
        of_channels(text, number)


def test_ade20ks_classes_have_the_colors_of_its_palette():
    assert len(labels.ade20k()) == 150
    names = ["none", "pillow", "my own", "wall", "floor, flooring ", "sky", "hair", "flag"]
    assert labels.colors(names) == [
        *([0, 0, 0], [0, 235, 255], [0, 128, 0], [120, 120, 120], [80, 50, 50], [6, 230, 230]),
        *([255, 0, 0], [92, 0, 255]),
    ]
    # The published palette gives one colour twice.
    road, skyscraper = labels.colors(["none", "road, route", "skyscraper"])[1:]
    assert road == [140, 140, 140] != skyscraper


def test_a_color_near_one_of_the_palette_is_replaced():
    # The seventh of VOC is (128, 128, 128), and a wall (120, 120, 120).
    names = ["none", "wall", *"abcdefg"]
    wall, *others = labels.colors(names)[1:]
    assert others[4] == [0, 128, 128]  # the sixth of VOC, as ever
    assert others[5] == [128, 0, 0]  # the first, which no other class has
    assert len({tuple(color) for color in labels.colors(names)}) == len(names)


def test_all_colors_of_a_full_list_with_ade20k_differ():
    names = ["none", *labels.ade20k(), *map(str, range(104))]
    assert len({tuple(color) for color in labels.colors(names)}) == 255


INFO = "Idx\tRatio\tTrain\tVal\tName\n1\t0.5\t9\t1\twall\n22 \t0.25\t9\t1\tsofa, couch, lounge \n"


def test_object_info_is_read_without_the_blanks_of_the_real_one(tmp_path):
    path = tmp_path / "info.txt"
    path.write_text(INFO)
    names, shares = labels.read_object_info(path)
    assert names == {1: "wall", 22: "sofa, couch, lounge"} and shares == {1: 0.5, 22: 0.25}
    path.write_text("idx\tlabel\n0\tnone\n1\tsky\n")
    assert labels.read_object_info(path) == ({1: "sky"}, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line must name the columns"),
        ("wall\nfloor\n", "first line must name the columns"),
        ("Idx\tName\n", "names no class"),
        ("Idx\tName\n0\tnone\n", "names no class"),
        ("Idx\tName\n1\n", "line 2: expected an id below 255 and a name"),
        ("Idx\tName\n255\tx\n", "line 2: expected an id below 255"),
        ("Idx\tName\n1\tx\n1\ty\n", "line 3: the class 1 'y' is named before"),
        ("Idx\tName\n1\tx\n2\tx \n", "line 3: the class 2 'x' is named before"),
        ("Idx\tRatio\tName\n1\tmuch\tx\n", "line 2: its ratio is no number"),
    ],
)
def test_a_malformed_object_info_is_named(tmp_path, text, message):
    path = tmp_path / "info.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        labels.read_object_info(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_whitelist_gives_names_and_a_table():
    names = {1: "person", 2: "car", 5: "truck", 9: "van", 12: "sea"}
    found, table = labels.whitelist(names, "person|truck : car:van")
    assert found == ["none", "person", "truck"]  # a merged group is called by its first member
    assert table[[0, 1, 2, 5, 9, 12, 255]].tolist() == [0, 1, 2, 2, 2, 0, 255]
    found, table = labels.whitelist(names)
    assert found == ["none", *names.values()]
    assert table[[0, 1, 2, 5, 9, 12, 255]].tolist() == [0, 1, 2, 3, 4, 5, 255]


def test_every_unknown_name_is_listed_with_its_nearest():
    names = dict(enumerate(labels.ade20k(), start=1))
    with pytest.raises(InputError) as error:
        labels.whitelist(names, "chiar|wall|Sky|couch|qqq")
    message = str(error.value)
    assert "'chiar' (did you mean 'chair'" in message and "'Sky' (did you mean 'sky'" in message
    assert "'couch' (did you mean 'sofa, couch, lounge'" in message and "'qqq';" in message
    assert "'wall'" not in message and "\n" not in message


def test_all_classes_are_chosen_but_the_background_and_the_ignored_one():
    names = ["none", "wall", "sky", "tree"]
    assert choose(names) == ["wall", "sky", "tree"]
    assert choose(names, ignore_class=2) == ["wall", "tree"]
    assert choose(["background", "hair", "hat"]) == ["hair", "hat"]
    assert choose(["background", "hair", "face"]) == ["hair"]
    assert choose(["background", "hair", "face"], ignore_class=2) == ["hair"]
    assert choose(["background", "hair", "face"], ignore_class=1) == ["face"]


@pytest.mark.parametrize("row", ["2\tsky", "sky"])
def test_a_short_row_of_an_object_info_is_named(tmp_path, row):
    path = tmp_path / "info.txt"
    path.write_text(f"Idx\tName\tRatio\n1\twall\t0.5\n{row}\n")
    with pytest.raises(InputError, match="line 3"):
        labels.read_object_info(path)
