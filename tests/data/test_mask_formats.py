"""In which format a set of masks is, and the class ids of each pixel."""

import numpy as np
import pytest
from PIL import Image

from mask_files import BLUE, GREEN, RED, SIZE, VOC, quarters, save, save_palette
from segmentation.data import color_tables, image_io, mask_evidence, mask_formats, masks
from segmentation.errors import InputError


def ids(folder, wanted=None, names=None, table=None, must=False):
    """Read every mask of a folder as the whole set asks for: format, names, corners of each."""
    seen, read = {}, []
    for path in image_io.find(folder):
        mask = masks.read(path, SIZE)
        mask_evidence.note(seen, mask, path)
        read.append(mask)
    found = mask_formats.recognize(seen, wanted, names, table, must)
    corners = [found.table(mask.legend)[mask.codes][::2, ::2].reshape(-1).tolist() for mask in read]
    return found.format, found.names, corners


def test_red_green_blue_parts(tmp_path):
    save(tmp_path / "a.ppm", BLUE, RED, GREEN, RED)
    save(tmp_path / "b.png", GREEN, GREEN, BLUE, BLUE)
    save_palette(tmp_path / "c.png", [*RED, *BLUE, *GREEN], 0, 1, 2, 0)
    found, names, corners = ids(tmp_path)
    assert found == "rgb" and names == ["background", "hair", "face"]
    assert corners == [[0, 1, 2, 1], [2, 2, 0, 0], [1, 0, 2, 1]]


def test_names_of_parts_stand_where_their_colors_do(tmp_path):
    save(tmp_path / "a.ppm", BLUE, RED, GREEN, RED)
    for names in (["none", "hair", "face"], ["none", "fur", "snout"], ["none", "Hair", "skin"]):
        assert ids(tmp_path, names=names) == ("rgb", names, [[0, 1, 2, 1]])
    for names, wrong in (
        (["none", "face", "hair"], "class 1 'face'"),
        (["none", "fur", "Hair"], "class 2 'Hair'"),
    ):
        message = f"red 1, hair, and green 2, face, but the labels file calls {wrong}: put .*order"
        with pytest.raises(InputError, match=message):
            ids(tmp_path, names=names)


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


def test_a_few_greys_between_black_and_white_are_doubtful(tmp_path):
    save(tmp_path / "a.png", 0, 255, 255, 0)
    save(tmp_path / "b.png", 0, 127, 255, 0)
    with pytest.raises(InputError, match=r"b.png: the values 127, in masks that also hold 255"):
        ids(tmp_path)
    assert ids(tmp_path, wanted="index")[2][1] == [0, 127, 255, 0]
    assert ids(tmp_path, wanted="binary")[2] == [[0, 1, 1, 0], [0, 0, 1, 0]]
    assert ids(tmp_path, names=["none", "dog"])[:2] == ("binary", ["none", "dog"])


def test_low_ids_without_a_name_are_no_blends(tmp_path):
    save(tmp_path / "a.png", 0, 1, 2, 255)
    with pytest.raises(InputError, match="holds class 2, and the labels file ends at 1"):
        ids(tmp_path, names=["none", "dog"])
    with pytest.raises(InputError, match="values 2 do not fit --mask_format binary"):
        ids(tmp_path, wanted="binary")


def blended(size=64, radius=20):
    """Return a white disc on black with edges of many greys, as drawing programs make them."""
    y, x = np.mgrid[:size, :size] - size / 2 + 0.3
    return np.clip(128 + 60 * (radius - np.hypot(y, x)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_blended_masks_are_divided_in_the_middle_and_the_greys_counted(tmp_path, capsys, suffix):
    disc = blended()
    for name in ("a", "b"):
        Image.fromarray(disc).save(tmp_path / f"{name}{suffix}")
    stored = np.asarray(Image.open(tmp_path / f"a{suffix}"))
    seen = {}
    for path in image_io.find(tmp_path):
        mask_evidence.note(seen, mask := masks.read(path), path)
    found = mask_formats.recognize(seen)
    assert (found.format, found.names) == ("binary", ["background", "object"])
    np.testing.assert_array_equal(found.table(mask.legend)[mask.codes], stored >= 128)
    grey = 2 * ((stored > 0) & (stored < 255)).sum()
    assert f"{grey} of 8192 pixels" in capsys.readouterr().err
    with pytest.raises(InputError, match="are blends of black and white, not class ids: say"):
        mask_formats.recognize(seen, "index")


def test_class_ids_in_jpegs_are_refused_though_they_are_nearly_black(tmp_path):
    Image.fromarray(quarters(0, 1, 2, 2).repeat(9, 0).repeat(9, 1)).save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="a.jpg: the values .* fit no mask format.*JPEG"):
        ids(tmp_path)


def test_a_file_is_a_jpeg_by_what_it_holds(tmp_path):
    for name, values in (("a", (0, 1, 2, 2)), ("b", (0, 1, 3, 2))):
        array = quarters(*values).repeat(9, 0).repeat(9, 1)
        Image.fromarray(array).save(
            tmp_path / f"{name}.png", format="JPEG" if name == "b" else None
        )
    with pytest.raises(InputError, match="b.png: the values .* fit no mask format.*JPEG"):
        ids(tmp_path, names=["none", "road", "car", "sky", "tree", "pole"])


def test_greys_of_a_palette_are_not_taken_for_their_indices(tmp_path):
    greys = [grey for value in (0, 1, 2, 5) for grey in (value,) * 3]
    save_palette(tmp_path / "a.png", greys, 0, 1, 3, 3)
    names = ["none", "road", "car", "sky", "tree", "wall"]
    for of_six in (None, names):
        with pytest.raises(
            InputError,
            match=r"a.png: the colours .*\(5, 5, 5\) .* without palettes if these greys are",
        ):
            ids(tmp_path, names=of_six)
    assert ids(tmp_path, names=names[:5])[0] == "index"  # a grey of 5 would have no name
    assert ids(tmp_path, wanted="index")[0] == "index"
    save_palette(tmp_path / "a.png", [0, 0, 0, 255, 255, 255], 0, 1, 1, 0)
    assert ids(tmp_path)[0] == "binary"


def test_many_ids_beside_255_are_no_blends(tmp_path):
    values = np.arange(256, dtype=np.uint8).repeat(16).reshape(64, 64)
    Image.fromarray(values).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="are class ids"):
        ids(tmp_path)
    assert ids(tmp_path, wanted="index")[0] == "index"


def test_1_and_255_are_ids_where_names_say_so(tmp_path):
    save(tmp_path / "a.png", 0, 1, 255, 0)
    for names in (["road", "sidewalk"], ["none", "dog", "cat"]):
        assert ids(tmp_path, names=names) == ("index", names, [[0, 1, 255, 0]])


def test_1_and_255_in_one_set_are_doubtful(tmp_path):
    save(tmp_path / "a.png", 0, 255, 255, 0)
    save(tmp_path / "b.png", 0, 1, 1, 0)
    with pytest.raises(InputError, match=r"b.png holds 1 and .*a.png holds 255: --mask_format"):
        ids(tmp_path)
    assert ids(tmp_path, wanted="binary")[2] == [[0, 1, 1, 0]] * 2


GREENISH, BROWN = (48, 112, 32), (176, 112, 32)
TABLE = color_tables.ColorTable(
    "labelmap.txt", ("background", "cat", "dog"), {(0, 0, 0): 0, GREENISH: 1, BROWN: 2}
)


def test_colors_without_names_are_named(tmp_path):
    save(tmp_path / "a.png", BLUE, RED, GREEN, (255, 255, 0))
    with pytest.raises(InputError, match=r"a.png: the colours .*\(255, 255, 0\) have no names"):
        ids(tmp_path)
    with pytest.raises(InputError, match="name the class of each colour in a file, --colors FILE"):
        ids(tmp_path)


def test_colors_become_the_classes_of_their_table(tmp_path):
    save(tmp_path / "a.png", (0, 0, 0), GREENISH, BROWN, BROWN)
    save(tmp_path / "b.png", BROWN, BROWN, BROWN, BROWN)
    save(tmp_path / "c.png", 0, 0, 0, 0)
    save_palette(tmp_path / "d.png", [*BROWN, *GREENISH, 0, 0, 0], 2, 1, 0, 0)  # as quantised
    corners = [[0, 1, 2, 2], [2, 2, 2, 2], [0, 0, 0, 0], [0, 1, 2, 2]]
    assert ids(tmp_path, table=TABLE) == ("colors", ["background", "cat", "dog"], corners)
    renamed = ids(tmp_path, names=["none", "dog", "cat"], table=TABLE)
    assert renamed[1:] == (["none", "dog", "cat"], [[0, 2, 1, 1], [1] * 4, [0] * 4, [0, 2, 1, 1]])
    with pytest.raises(InputError, match="gives colours to cat, which the labels file does not"):
        ids(tmp_path, names=["none", "dog", "cow"], table=TABLE)


def test_a_table_that_was_given_must_explain_each_color_and_one_that_was_found_may_not(tmp_path):
    save(tmp_path / "a.png", 0, 1, 2, 2)
    assert ids(tmp_path, table=TABLE)[0] == "index"
    save(tmp_path / "b.png", BROWN, GREENISH, (1, 2, 3), BROWN)
    with pytest.raises(InputError, match=r"b.png: the colours \(1, 2, 3\) are not in labelmap.txt"):
        ids(tmp_path, table=TABLE)
    (tmp_path / "b.png").unlink()
    with pytest.raises(InputError, match=r"\(1, 1, 1\), \(2, 2, 2\) are not in labelmap.txt"):
        ids(tmp_path, table=TABLE, must=True)


def test_palettes_in_the_order_of_image_software_are_no_ids(tmp_path, capsys):
    names = ["none", "apple", "pea"]
    for method in (Image.Quantize.MEDIANCUT, Image.Quantize.FASTOCTREE):
        for stem, corners in (("a", [(0, 0, 0), GREENISH, BROWN]), ("b", [GREENISH, BROWN])):
            colors = quarters((0, 0, 0), (0, 0, 0), *([corners[-2], corners[-1]]))
            colors = colors.repeat(8, 0).repeat(8, 1)
            colors[-4:] = 0  # frequency, too, is in some order
            Image.fromarray(colors).quantize(256, method).save(tmp_path / f"{stem}.png")
        with pytest.raises(InputError, match=r"colours \(0, 0, 0\), \(48, .* have no names") as e:
            ids(tmp_path, names=names)
        assert ("--mask_format index" in str(e.value)) == (method == Image.Quantize.FASTOCTREE)
        assert ids(tmp_path, table=TABLE)[0] == "colors"
        assert ids(tmp_path, wanted="index")[0] == "index"
        assert "their indices are class ids because --mask_format" in capsys.readouterr().err


def test_a_palette_that_differs_between_files_holds_no_ids(tmp_path):
    save_palette(tmp_path / "a.png", [0, 0, 0, *GREENISH, *BROWN], 0, 1, 2, 2)
    assert ids(tmp_path)[0] == "index"
    save_palette(tmp_path / "b.png", [0, 0, 0, *BROWN, *GREENISH], 0, 1, 2, 2)
    with pytest.raises(InputError, match="have no names"):
        ids(tmp_path)
    assert ids(tmp_path, table=TABLE)[2] == [[0, 1, 2, 2], [0, 2, 1, 1]]


def test_one_color_on_black_needs_no_table(tmp_path):
    save(tmp_path / "a.png", (0, 0, 0), (0, 0, 0), BROWN, BROWN)
    save_palette(tmp_path / "b.png", [*BROWN, 0, 0, 0], 1, 0, 1, 1)
    assert ids(tmp_path) == ("binary", ["background", "object"], [[0, 0, 1, 1], [0, 1, 0, 0]])
    assert ids(tmp_path, names=["none", "dog"])[1] == ["none", "dog"]
    with pytest.raises(InputError, match="have no names"):
        ids(tmp_path, names=["none", "dog", "cat"])


def test_one_grey_on_black_is_an_object_where_two_classes_are_named(tmp_path):
    save(tmp_path / "a.png", 0, 90, 90, 0)
    assert ids(tmp_path, names=["none", "dog"])[2] == [[0, 1, 1, 0]]
    with pytest.raises(InputError, match="values 0, 90, which as class ids need names up to 90"):
        ids(tmp_path)


def test_pascal_vocs_colors_are_known_by_their_border(tmp_path):
    save(tmp_path / "a.png", (0, 0, 0), (0, 128, 0), (128, 0, 0), (128, 0, 0))
    with pytest.raises(InputError, match="or say --colors voc if they are PASCAL VOC's"):
        ids(tmp_path)
    save(tmp_path / "b.png", (0, 0, 0), (224, 224, 192), (128, 0, 0), (128, 0, 0))
    found = ids(tmp_path)
    assert found == ("colors", ["background", "class_1", "class_2"], [[0, 2, 1, 1], [0, 255, 1, 1]])
    assert ids(tmp_path, names=["none", "dog", "cat", "cow"])[1] == ["none", "dog", "cat", "cow"]
    voc = {"table": color_tables.voc(), "must": True}
    assert ids(tmp_path, **voc)[1][15] == "person"
    assert ids(tmp_path, names=["none", "dog", "cat"], **voc)[1] == ["none", "dog", "cat"]
    with pytest.raises(InputError, match="show class 2 of PASCAL VOC's palette, and the labels"):
        ids(tmp_path, names=["none", "dog"], **voc)


def test_black_and_white_masks_need_a_background_among_their_names(tmp_path):
    save(tmp_path / "a.png", 0, 255, 0, 0)
    with pytest.raises(InputError, match="must name 2 classes, not 2, the background first"):
        ids(tmp_path, names=["dog", "cat"])


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
