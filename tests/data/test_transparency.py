"""Masks that image editors export: drawn in colours on a transparent ground."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

import data
from mask_files import quarters, save
from segmentation.data import color_tables, mask_evidence, mask_formats, masks, samples
from segmentation.errors import InputError

SIDE = 16
DOG, CAT = (176, 112, 32), (48, 112, 32)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
TABLE = color_tables.ColorTable("colors.txt", ("background", "dog", "cat"), {DOG: 1, CAT: 2})


def drawn(hidden, edge=255, color=DOG):
    """Return RGBA pixels: 4 x 4 of a colour with a frame of alpha `edge`, the rest transparent."""
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[..., :3] = hidden
    pixels[5:11, 5:11] = *color, edge
    pixels[6:10, 6:10, 3] = 255
    return pixels


def areas(path, pixels, table=None, names=None):
    """Save a mask; return the format of a set of it and the pixels of each class id."""
    Image.fromarray(pixels).save(path)
    mask, seen = masks.read(path), {}
    mask_evidence.note(seen, mask, path)
    found = mask_formats.recognize(seen, names=names, table=table, must=bool(table))
    ids = found.table(mask.legend)[mask.codes]
    return found.format, {i: int((ids == i).sum()) for i in np.unique(ids).tolist()}


@pytest.mark.parametrize("hidden", [BLACK, WHITE, DOG, (1, 2, 3)])
def test_transparent_is_background_whatever_colour_is_stored_there(tmp_path, hidden):
    assert areas(tmp_path / "a.png", drawn(hidden)) == ("binary", {0: 220, 1: 36})
    assert areas(tmp_path / "a.png", drawn(hidden), TABLE) == ("colors", {0: 220, 1: 36})
    white = drawn(hidden, color=WHITE)
    assert areas(tmp_path / "a.png", white) == ("binary", {0: 220, 1: 36})
    grey = np.ascontiguousarray(white[..., [0, 3]])  # LA
    assert areas(tmp_path / "a.png", grey) == ("binary", {0: 220, 1: 36})


@pytest.mark.parametrize(("edge", "area"), [(127, 16), (128, 36)])
def test_edges_are_divided_at_half_and_their_pixels_counted(tmp_path, caplog, edge, area):
    # Browsers keep colours multiplied with alpha, and bring them back rounded.
    pixels = drawn(WHITE, edge)
    stored = np.round(np.round(np.multiply(DOG, edge / 255)) * 255 / edge)
    pixels[pixels[..., 3] == edge, :3] = stored
    assert (stored != DOG).any()
    assert areas(tmp_path / "a.png", pixels, TABLE) == ("colors", {0: 256 - area, 1: area})
    assert "transparent ground: 1" in caplog.text and "20 of 256 pixels" in caplog.text


def test_opaque_masks_are_read_by_their_colours(tmp_path, caplog):
    pixels = drawn(BLACK)
    pixels[..., 3] = 255
    assert areas(tmp_path / "a.png", pixels) == ("binary", {0: 220, 1: 36})
    assert not caplog.records


def test_ids_on_a_transparent_ground(tmp_path):
    pixels = np.stack([quarters(7, 1, 2, 3), quarters(0, 255, 255, 255)], -1)
    assert areas(tmp_path / "a.png", pixels) == ("index", {0: 4, 1: 4, 2: 4, 3: 4})
    with pytest.raises(InputError, match="transparent pixels, .* class 0 is 'road'"):
        areas(tmp_path / "a.png", pixels, names=["road", "car", "sky", "wall"])


def test_the_ground_is_the_background_of_a_table_or_its_void(tmp_path):
    white = color_tables.ColorTable("t", ("none", "dog"), {WHITE: 0, DOG: 1})
    assert areas(tmp_path / "a.png", drawn(CAT), white) == ("colors", {0: 220, 1: 36})
    void = color_tables.ColorTable("t", ("dog",), {BLACK: 255, DOG: 0})
    assert areas(tmp_path / "a.png", drawn(CAT), void) == ("colors", {0: 36, 255: 220})
    black_cat = color_tables.ColorTable("t", ("none", "dog", "cat"), {DOG: 1, BLACK: 2})
    with pytest.raises(InputError, match="class 2 is 'cat': t gives it black"):
        areas(tmp_path / "a.png", drawn(CAT), black_cat)


def test_black_elsewhere_is_not_taken_for_the_ground(tmp_path):
    Image.fromarray(drawn(CAT)).save(tmp_path / "a.png")
    save(tmp_path / "b.png", DOG, BLACK, DOG, DOG)
    seen = {}
    for name in ("a.png", "b.png"):
        mask_evidence.note(seen, masks.read(tmp_path / name), name)
    with pytest.raises(InputError, match=r"the colours \(0, 0, 0\) are not in colors.txt"):
        mask_formats.recognize(seen, table=TABLE, must=True)


def test_grounds_that_are_not_plain_are_refused(tmp_path):
    black = drawn(WHITE, color=BLACK)
    with pytest.raises(InputError, match="a.png: shows black beside transparent pixels"):
        areas(tmp_path / "a.png", black)
    for alpha in (40, 102, 200):
        half = drawn(WHITE)
        half[half[..., 3] == 255, 3] = alpha
        with pytest.raises(InputError, match=f"a.png: is drawn half transparent .alpha {alpha}"):
            areas(tmp_path / "a.png", half)
    one_of_two = drawn(WHITE)
    one_of_two[:3, :3] = *CAT, 102
    with pytest.raises(InputError, match="half transparent .alpha 102"):
        areas(tmp_path / "a.png", one_of_two)
    hidden = drawn(WHITE)
    hidden[..., 3] = 0
    with pytest.raises(InputError, match="a.png: every pixel is transparent, and there are shapes"):
        areas(tmp_path / "a.png", hidden)


def test_palettes_may_have_a_transparent_0_alone(tmp_path):
    indices = Image.fromarray(quarters(0, 1, 1, 1)).convert("P")
    for palette in ([*WHITE, *DOG], [*BLACK, *DOG]):
        indices.putpalette(palette)
        indices.save(tmp_path / "a.png", transparency=0)
        mask = masks.read(tmp_path / "a.png")
        assert mask.clear == 4 and mask.legend.color(0) == BLACK and mask.legend.color(1) == DOG
    indices.save(tmp_path / "a.png", transparency=bytes([255, 128]))  # to lie over an image
    assert masks.read(tmp_path / "a.png").clear == 0
    indices.putpalette([*WHITE, *BLACK])  # would be read the wrong way round
    indices.save(tmp_path / "a.png", transparency=0)
    with pytest.raises(InputError, match="shows black beside transparent"):
        masks.read(tmp_path / "a.png")
    indices.save(tmp_path / "a.png", transparency=1)
    with pytest.raises(InputError, match="a.png: its palette shows 1 as transparent"):
        masks.read(tmp_path / "a.png")


def test_layouts_of_ids_take_no_ground(tmp_path):
    pixels = np.stack([quarters(0, 1, 2, 3), quarters(0, 255, 255, 255)], -1)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    check = samples.ids_among({0, 1, 2, 3}, "which nothing names")
    with pytest.raises(InputError, match="a.png: has transparent pixels, which hold ids or none"):
        check(tmp_path / "a.png", masks.read(tmp_path / "a.png"))


def test_a_set_from_an_image_editor_is_prepared_and_its_empty_masks_named(tmp_path, capsys):
    own = tmp_path / "own"
    for name in ("images", "masks"):
        (own / name).mkdir(parents=True)
    for number in range(4):
        image = Image.new("RGBA", (64, 64), (90, 90, 90, 255 - number))
        image.save(own / "images" / f"{number}.png")
        mask = Image.new("RGBA", (64, 64), (*DOG, 0))
        if number:
            ImageDraw.Draw(mask).rectangle((0, 0, 31, 63), fill=(*DOG, 255))
        mask.save(own / "masks" / f"{number}.png")
    data.main(["prepare", "-d", str(own), "-s", "32", "-o", str(tmp_path / "out")])
    shown = capsys.readouterr().err
    assert "4 of 4 images have transparency" in shown
    assert "transparent ground: 4" in shown
    assert f"Transparent everywhere: 1, {own}/masks/0.png first" in shown
    prepared = np.load(tmp_path / "out" / "masks-32.npy")
    assert [int(mask.sum()) for mask in prepared] == [0, 512, 512, 512]
