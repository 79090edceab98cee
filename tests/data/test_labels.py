"""Class names and the files that hold them."""

import pytest
from hypothesis import given

from class_names import class_names
from segmentation.data import labels
from segmentation.errors import InputError


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


def test_class_0_may_be_a_class_like_others(tmp_path):
    path = tmp_path / "labels.txt"
    labels.write(path, ["road", "sidewalk"])
    assert labels.read(path) == ["road", "sidewalk"]
    assert labels.read_object_info(path)[0] == {0: "road", 1: "sidewalk"}
    with pytest.raises(InputError, match="already names other classes"):
        labels.write(path, ["none", "sidewalk"])


def test_a_column_of_colors_is_no_part_of_the_names(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("idx\tlabel\tcolor\n0\tnone\t0,0,0\n1\tsky\t#0080ff\n")
    assert labels.read(path) == ["none", "sky"] and labels.has_colors(path)
    assert labels.read_colors(path) == [(0, 0, 0), (0, 128, 255)]
    path.write_text("idx\tlabel\tcolour\n0\tnone\t0,0\n1\tsky\t256,0,0\n")
    with pytest.raises(InputError, match="line 2: 'none' needs a colour"):
        labels.read_colors(path)


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
        ("idx\tlabel\n0\thair\n", "class 0 is missing or alone"),
        ("idx\tlabel\tcolor\n0\tnone\t0,0,0\n1\n", "line 3: expected '1'"),
        ("idx\tlabel\tsize\n0\tnone\t7\n", "first line"),
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
    (tmp_path / "image.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InputError, match="no UTF-8"):
        labels.read(tmp_path / "image.jpg")


def test_other_names_are_not_overwritten(tmp_path):
    path = tmp_path / "labels.txt"
    labels.write(path, ["none", "wall"])
    before = path.stat().st_mtime_ns
    labels.write(path, ["none", "wall"])
    with pytest.raises(InputError, match="already names other classes"):
        labels.write(path, ["none", "floor"])
    assert path.stat().st_mtime_ns == before and labels.read(path) == ["none", "wall"]


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
        ("Idx\tName\n", "names no classes"),
        ("Idx\tName\n0\tnone\n", "names no classes"),
        ("Idx\tName\n1\n", "line 2: expected an id below 255 and a name"),
        ("Idx\tName\n255\tx\n", "line 2: expected an id below 255"),
        ("Idx\tName\n1\tx\n1\ty\n", "line 3: the class 1 'y' is already named above"),
        ("Idx\tName\n1\tx\n2\tx \n", "line 3: the class 2 'x' is already named above"),
        ("Idx\tRatio\tName\n1\tmuch\tx\n", "line 2: its ratio is not a number"),
    ],
)
def test_a_malformed_object_info_is_named(tmp_path, text, message):
    path = tmp_path / "info.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        labels.read_object_info(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("row", ["2\tsky", "sky"])
def test_a_short_row_of_an_object_info_is_named(tmp_path, row):
    path = tmp_path / "info.txt"
    path.write_text(f"Idx\tName\tRatio\n1\twall\t0.5\n{row}\n")
    with pytest.raises(InputError, match="line 3"):
        labels.read_object_info(path)
