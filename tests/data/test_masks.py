"""In which format a set of masks is, and the class ids of each pixel."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segmentation.data import image_io, masks
from segmentation.errors import InputError

SIZE = (4, 4)
BLUE, RED, GREEN = masks.PART_COLORS
VOC = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0] + [64] * 753 + [224, 224, 192]  # 255: its border


def quarters(*values):
    """Return a 4 x 4 array whose quarters hold four values (colours or numbers)."""
    array = np.array(values, np.uint8)
    array = array.reshape(2, 2, *array.shape[1:])
    return array.repeat(2, axis=0).repeat(2, axis=1)


def save_palette(path, palette, *indices):
    image = Image.fromarray(quarters(*indices)).convert("L")
    paletted = Image.new("P", image.size)
    paletted.putdata(list(image.get_flattened_data()))
    paletted.putpalette(palette)
    paletted.save(path)


def ids(folder, wanted=None, names=None):
    """Read every mask of a folder as the whole set asks for: format, names, corners of each."""
    seen, read = {}, []
    for path in image_io.find(folder):
        codes, legend, shown, _ = masks.read(path, SIZE)
        for code in shown:
            seen.setdefault(legend, {}).setdefault(code, path)
        read.append((codes, legend))
    found, names = masks.recognize(seen, wanted, names)
    corners = [
        masks.table(legend, seen[legend], found)[codes][::2, ::2].reshape(-1).tolist()
        for codes, legend in read
    ]
    return found, names, corners


def save(path, *values):
    Image.fromarray(quarters(*values)).save(path)


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


def test_one_odd_pixel_is_seen_though_it_falls_between_the_samples(tmp_path):
    array = np.full((64, 64, 3), BLUE, np.uint8)
    array[0, 0] = (1, 2, 3)
    Image.fromarray(array).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"\(1, 2, 3\)"):
        masks.read(tmp_path / "a.png", (2, 2))


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
@pytest.mark.parametrize("values", [(BLUE, RED, GREEN, RED), (0, 90, 200, 255)])
def test_masks_in_files_that_blend_are_refused(tmp_path, values, suffix):
    array = quarters(*values).repeat(9, axis=0).repeat(9, axis=1)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(array).save(path, quality=60)
    with pytest.raises(InputError, match=f"a{suffix}: .* fit no mask format.*JPEG .*blend"):
        masks.read(path, SIZE)


def test_a_photograph_is_no_mask(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    with pytest.raises(
        InputError, match=r"a.png: the colours \(0, .* and \d+ more fit no mask format"
    ):
        masks.read(tmp_path / "a.png", SIZE)


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


def test_values_beyond_a_byte_and_floats_are_refused(tmp_path):
    Image.fromarray(np.full((4, 4), 300, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(InputError, match="deep.png: holds values up to 300"):
        masks.read(tmp_path / "deep.png", SIZE)
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(InputError, match="float.tif: holds floating-point"):
        masks.read(tmp_path / "float.tif", SIZE)


def grey_of_4_bits(path, low, high):
    """Write a PNG of 2 x 1 pixels, which Pillow reads but does not write."""

    def chunk(kind, content):
        sizes = struct.pack(">I", len(content)), struct.pack(">I", zlib.crc32(kind + content))
        return sizes[0] + kind + content + sizes[1]

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 4, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes([0, low << 4 | high])))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b""))
    return path


def test_grey_of_few_bits_is_black_and_white_or_refused(tmp_path):
    codes, *_ = masks.read(grey_of_4_bits(tmp_path / "a.png", 0, 15), (1, 2))
    assert codes.tolist() == [[0, 255]]
    with pytest.raises(InputError, match="b.png: grey of 2 or 4 bits.*8 bits"):
        masks.read(grey_of_4_bits(tmp_path / "b.png", 0, 1), (1, 2))


def test_a_truncated_mask_is_damaged_not_wrong(tmp_path):
    path = tmp_path / "a.ppm"
    save(path, BLUE, RED, GREEN, RED)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(image_io.UnreadableError, match="a.ppm"):
        masks.read(Path(path), SIZE)


def test_a_shape_in_the_transparency_alone_is_refused(tmp_path):
    white = np.full((4, 4, 4), 255, np.uint8)
    white[:2, :, 3] = 0
    Image.fromarray(white).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="a.png: one colour, its shape in the transparency alone"):
        masks.read(tmp_path / "a.png", SIZE)
    white[:2, :, :3] = 0  # the same shape in the colours: that is what counts
    Image.fromarray(white).save(tmp_path / "a.png")
    assert ids(tmp_path)[2] == [[0, 0, 1, 1]]
