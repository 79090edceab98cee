"""In which format a set of masks is, and the class ids of each pixel."""

import numpy as np
import pytest
from PIL import Image

from mask_files import BLUE, GREEN, RED, SIZE, VOC, quarters, save, save_palette
from segmentation.data import image_io, mask_formats, masks
from segmentation.errors import InputError


def ids(folder, wanted=None, names=None):
    """Read every mask of a folder as the whole set asks for: format, names, corners of each."""
    seen, read = {}, []
    for path in image_io.find(folder):
        mask = masks.read(path, SIZE)
        mask_formats.note(seen, mask, path)
        read.append(mask)
    found, names = mask_formats.recognize(seen, wanted, names)
    corners = [
        mask_formats.table(mask.legend, seen[mask.legend], found)[mask.codes][::2, ::2]
        .reshape(-1)
        .tolist()
        for mask in read
    ]
    return found, names, corners


def test_red_green_blue_parts(tmp_path):
    save(tmp_path / "a.ppm", BLUE, RED, GREEN, RED)
    save(tmp_path / "b.png", GREEN, GREEN, BLUE, BLUE)
    save_palette(tmp_path / "c.png", [*RED, *BLUE, *GREEN], 0, 1, 2, 0)
    found, names, corners = ids(tmp_path)
    assert found == "rgb" and names == ["background", "hair", "face"]
    assert corners == [[0, 1, 2, 1], [2, 2, 0, 0], [1, 0, 2, 1]]


def test_black_and_white(tmp_path):
    save(tmp_path / "a.png", 0, 255, 0, 0)
    save(tmp_path / "b.png", (0, 0, 0), (255, 255, 255), (0, 0, 0), (0, 0, 0))
    save_palette(tmp_path / "c.png", [255, 255, 255, 0, 0, 0], 1, 0, 1, 1)  # 0 is the white one
    Image.fromarray(quarters(0, 255, 0, 0)).convert("1").save(tmp_path / "d.png")
    Image.fromarray(quarters(0, 255, 0, 0)).convert("LA").save(tmp_path / "e.png")
    Image.fromarray(quarters(0, 1, 0, 0).astype(np.uint16) * 65535).save(tmp_path / "f.png")
    found, names, corners = ids(tmp_path)
    assert found == "binary" and names == ["background", "object"]
    assert corners == [[0, 1, 0, 0]] * 6


def test_zero_and_one(tmp_path):
    save(tmp_path / "a.png", 0, 1, 0, 0)
    save(tmp_path / "b.png", 0, 0, 0, 0)
    assert ids(tmp_path) == ("binary", ["background", "object"], [[0, 1, 0, 0], [0, 0, 0, 0]])


def test_class_ids_in_any_carrier(tmp_path):
    save(tmp_path / "a.png", 0, 1, 2, 3)
    save(tmp_path / "b.png", (0, 0, 0), (1, 1, 1), (2, 2, 2), (3, 3, 3))
    Image.fromarray(quarters(0, 1, 2, 3).astype(np.uint16)).save(tmp_path / "c.png")
    save_palette(tmp_path / "d.png", VOC, 0, 1, 2, 3)
    found, names, corners = ids(tmp_path)
    assert found == "index" and names == ["background", "class_1", "class_2", "class_3"]
    assert corners == [[0, 1, 2, 3]] * 4


def test_the_whole_set_decides_what_0_and_1_are(tmp_path):
    save(tmp_path / "a.png", 0, 1, 0, 0)
    assert ids(tmp_path)[0] == "binary"
    assert ids(tmp_path, names=["none", "wall", "door"])[0] == "index"
    save(tmp_path / "b.png", 2, 2, 0, 0)
    assert ids(tmp_path)[0] == "index"


def test_a_palette_of_pure_colors_is_for_the_eye_when_the_set_has_more(tmp_path):
    palette = [*BLUE, *RED, *GREEN, 255, 255, 0]
    save_palette(tmp_path / "a.png", palette, 0, 1, 2, 1)
    assert ids(tmp_path)[0] == "rgb"
    save_palette(tmp_path / "b.png", palette, 3, 1, 2, 1)
    found, _, corners = ids(tmp_path)
    assert found == "index" and corners == [[0, 1, 2, 1], [3, 1, 2, 1]]


def test_255_in_class_ids_marks_no_class(tmp_path):
    save_palette(tmp_path / "a.png", VOC, 0, 1, 2, 255)
    assert ids(tmp_path) == ("index", ["background", "class_1", "class_2"], [[0, 1, 2, 255]])


def test_blended_masks_are_doubtful(tmp_path):
    save(tmp_path / "a.png", 0, 255, 255, 0)
    save(tmp_path / "b.png", 0, 127, 255, 0)
    with pytest.raises(InputError, match=r"b.png: the values 127, in masks that also hold 255"):
        ids(tmp_path)
    assert ids(tmp_path, wanted="index")[2][1] == [0, 127, 255, 0]
    with pytest.raises(InputError, match="b.png: the values 127 do not fit --mask_format binary"):
        ids(tmp_path, wanted="binary")


def test_1_and_255_in_one_set_are_doubtful(tmp_path):
    save(tmp_path / "a.png", 0, 255, 255, 0)
    save(tmp_path / "b.png", 0, 1, 1, 0)
    with pytest.raises(InputError, match=r"b.png holds 1 and .*a.png holds 255: --mask_format"):
        ids(tmp_path)
    assert ids(tmp_path, wanted="binary")[2] == [[0, 1, 1, 0]] * 2


def test_colors_that_fit_nothing_are_named(tmp_path):
    save(tmp_path / "a.png", BLUE, RED, GREEN, (255, 255, 0))
    with pytest.raises(InputError, match=r"a.png: the colours \(255, 255, 0\) fit no mask format"):
        ids(tmp_path)
    with pytest.raises(InputError, match="where each class has a colour, save its id"):
        ids(tmp_path)


def test_formats_do_not_mix(tmp_path):
    save(tmp_path / "a.ppm", BLUE, RED, GREEN, RED)
    save(tmp_path / "b.png", 0, 255, 0, 0)
    with pytest.raises(InputError, match="b.png: the values 0, 255 do not go with the parts of"):
        ids(tmp_path)
    with pytest.raises(InputError, match=r"a.ppm: the colours .* do not fit --mask_format index"):
        ids(tmp_path, wanted="index")
    with pytest.raises(InputError, match="b.png: the values 0, 255 do not fit --mask_format rgb"):
        ids(tmp_path, wanted="rgb")


def test_names_must_be_as_many_as_the_classes(tmp_path):
    save(tmp_path / "a.png", 0, 255, 0, 0)
    assert ids(tmp_path, names=["none", "dog"])[1] == ["none", "dog"]
    with pytest.raises(InputError, match="must name 2 classes, not 3"):
        ids(tmp_path, names=["none", "dog", "cat"])


def test_an_id_without_a_name_is_told_with_its_file(tmp_path):
    save(tmp_path / "a.png", 0, 1, 2, 1)
    save(tmp_path / "b.png", 0, 1, 3, 1)
    with pytest.raises(InputError, match="b.png: holds class 3, and the labels file ends at 2"):
        ids(tmp_path, names=["none", "dog", "cat"])


def test_masks_without_a_class_are_told(tmp_path):
    save(tmp_path / "a.png", 0, 255, 0, 0)
    with pytest.raises(InputError, match="no class but 0"):
        ids(tmp_path, wanted="index")


def test_a_shape_in_the_transparency_alone_is_refused(tmp_path):
    white = np.full((4, 4, 4), 255, np.uint8)
    white[:2, :, 3] = 0
    Image.fromarray(white).save(tmp_path / "a.png")
    with pytest.raises(
        InputError, match="a.png: one colour, and its shape in the transparency alone"
    ):
        masks.read(tmp_path / "a.png", SIZE)
    white[:2, :, :3] = 0  # the same shape in the colours: that is what counts
    Image.fromarray(white).save(tmp_path / "a.png")
    assert ids(tmp_path)[2] == [[0, 0, 1, 1]]
