"""Tables of the classes of colours, as annotation tools write them."""

import pytest

from segmentation.data import color_tables
from segmentation.errors import InputError

FILES = {
    "labelmap.txt": "# label:color_rgb:parts:actions\ncat:48,112,32::\nbackground:0,0,0::\n"
    "dog:176,112,32::\n",
    "class_dict.csv": "name,r,g,b\ncat,48,112,32\nbackground,0,0,0\ndog,176,112,32\n",
    "label_colors.txt": "48 112 32\tcat\n0 0 0\t\tbackground\n176 112 32\tdog\n",
    "labels.txt": "idx\tlabel\tcolor\n0\tbackground\t0,0,0\n1\tcat\t#307020\n2\tdog\t176,112,32\n",
}


@pytest.mark.parametrize("name", FILES)
def test_each_form_is_found_and_read_with_the_background_first(tmp_path, name):
    (tmp_path / name).write_text(FILES[name])
    assert color_tables.find(tmp_path) == tmp_path / name
    table = color_tables.open_table(tmp_path / name)
    assert table.names == ("background", "cat", "dog")
    assert table.ids == {(0, 0, 0): 0, (48, 112, 32): 1, (176, 112, 32): 2}


def test_void_counts_nowhere_and_without_a_background_class_0_is_a_class(tmp_path):
    path = tmp_path / "class_dict.csv"
    path.write_text("name, r, g, b\nSky,128,128,128\nVoid,0,0,0\nRoad,128,64,128\n")
    table = color_tables.open_table(path)
    assert table.names == ("Sky", "Road")
    assert table.ids == {(128, 128, 128): 0, (0, 0, 0): 255, (128, 64, 128): 1}
    renamed = table.renumbered(["none", "Road", "Sky"])
    assert renamed.ids == {(128, 128, 128): 2, (0, 0, 0): 255, (128, 64, 128): 1}


def test_a_labels_file_without_colors_is_no_table_and_two_tables_are_one_too_many(tmp_path):
    (tmp_path / "labels.txt").write_text("idx\tlabel\n0\tnone\n1\tcat\n")
    assert color_tables.find(tmp_path) is None
    for name in ("labelmap.txt", "class_dict.csv"):
        (tmp_path / name).write_text(FILES[name])
    with pytest.raises(InputError, match="holds labelmap.txt, class_dict.csv: say which"):
        color_tables.find(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "gives no class a colour"),
        ("cat,48,112,32\n", "line 1: no colour of a class; known are"),
        ("cat:48,112,256::\n", "line 1: expected a name and red"),
        ("cat:1,2,3\ndog:1,2,3\n", r"gives the colour \(1, 2, 3\) to two classes"),
        ("name,r,g,b\ncat,1,2\n", "line 2: expected a name and red"),
        ("void:0,0,0\n", "gives no class a colour"),
        ("cat:1,2,3\n", "class 0 is missing or alone"),
    ],
)
def test_a_malformed_table_is_named(tmp_path, text, message):
    path = tmp_path / "labelmap.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        color_tables.open_table(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
