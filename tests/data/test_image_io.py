"""Every kind of image file comes out as upright RGB bytes, and resizing keeps its place."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from segmentation.data import image_io, masks
from segmentation.errors import InputError

RED_LEFT = np.zeros((8, 16, 3), np.uint8)  # left half red, right half blue
RED_LEFT[:, :8, 0] = RED_LEFT[:, 8:, 2] = 255


def saved(path, image, **options):
    image.save(path, **options)
    return image_io.read(path)


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [
        *((".png", mode) for mode in ("RGB", "RGBA", "P")),
        *((".tif", mode) for mode in ("RGB", "RGBA", "P", "CMYK", "YCbCr")),
        *((".jpg", mode) for mode in ("RGB", "YCbCr", "CMYK")),
        *((".webp", mode) for mode in ("RGB", "RGBA")),
        *((suffix, "RGB") for suffix in (".ppm", ".bmp")),
    ],
)
def test_color_files_keep_their_colors(tmp_path, suffix, mode):
    Image.fromarray(RED_LEFT).convert(mode).save(tmp_path / f"a{suffix}")
    read = image_io.read(tmp_path / f"a{suffix}").astype(int)
    assert read.shape == (8, 16, 3)
    assert np.abs(read[:, [1, 14]] - RED_LEFT[:, [1, 14]]).max() <= 12  # JPEG and WebP are lossy


def test_grey_becomes_three_equal_channels(tmp_path):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for name, image in {"l.png": Image.fromarray(grey), "p.pgm": Image.fromarray(grey)}.items():
        assert (saved(tmp_path / name, image) == grey[:, :, None]).all()
    bits = Image.fromarray(grey > 99).convert("1")
    assert (saved(tmp_path / "bits.png", bits)[:, :, 2] == (grey > 99) * 255).all()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_16_bits_are_scaled_not_clipped(tmp_path, suffix):
    deep = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    read = saved(tmp_path / f"deep{suffix}", Image.fromarray(deep))
    assert (read == np.arange(256).reshape(16, 16, 1)).all()


def test_floating_point_and_32_bits_have_no_known_range(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(InputError, match="float.tif: holds floating-point"):
        image_io.read(tmp_path / "float.tif")
    Image.fromarray(np.full((4, 4), 70000, np.int32)).save(tmp_path / "wide.tif")
    with pytest.raises(InputError, match="wide.tif: holds values beyond 16 bits"):
        image_io.read(tmp_path / "wide.tif")


def test_alpha_is_dropped_not_blended(tmp_path):
    clear = np.zeros((4, 4, 4), np.uint8)
    clear[..., 0] = 200  # red, fully transparent
    assert (saved(tmp_path / "a.png", Image.fromarray(clear)) == (200, 0, 0)).all()
    grey_alpha = Image.fromarray(np.full((4, 4), 9, np.uint8)).convert("LA")
    assert (saved(tmp_path / "la.png", grey_alpha) == 9).all()
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    assert (saved(tmp_path / "p.png", palette, transparency=1) == (10, 20, 30)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    # What a camera held that way stores, by the table of the EXIF standard.
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](RED_LEFT)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    assert (saved(tmp_path / "a.png", image, exif=exif) == RED_LEFT).all()


def test_a_turned_picture_of_an_iphone_is_turned_once(tmp_path):
    # Left half red, right half blue, 64 x 32 pixels, orientation 6: its left belongs at the top.
    path = Path(__file__).with_name("turned.heic")
    read = image_io.read(path)
    assert read.shape == (64, 32, 3)
    assert (read[:30] > (200, -1, -1)).all() and (read[34:] > (-1, -1, 200)).all()
    (tmp_path / "half.heic").write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match="half.heic: "):
        image_io.read(tmp_path / "half.heic")


@pytest.mark.skipif(not features.check("avif"), reason="a Pillow without AVIF")
def test_an_avif_that_calls_itself_an_image_file_only_is_read(tmp_path):
    path = tmp_path / "a.avif"
    Image.fromarray(RED_LEFT).save(path)
    data = path.read_bytes()
    assert data[4:12] == b"ftypavif"
    path.write_bytes(data[:8] + b"mif1" + data[12:])  # the brand that HEIC may have as well
    assert (image_io.read(path)[:, 1] > (200, -1, -1)).all()


def test_progressive_and_adobe_cmyk_jpeg(tmp_path):
    read = saved(tmp_path / "p.jpg", Image.fromarray(RED_LEFT), progressive=True, quality=95)
    assert np.abs(read[:, [1, 14]].astype(int) - RED_LEFT[:, [1, 14]]).max() <= 12
    Image.fromarray(RED_LEFT).convert("CMYK").save(tmp_path / "c.jpg", quality=95)
    assert b"Adobe" in (tmp_path / "c.jpg").read_bytes()  # whose inks are stored inverted
    assert (image_io.read(tmp_path / "c.jpg")[:, 1] > (200, -1, -1)).all()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".ppm", ".bmp", ".tif", ".webp"])
def test_a_truncated_file_is_named(tmp_path, suffix):
    path = tmp_path / f"half{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(image_io.UnreadableError) as error:
        image_io.read(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_what_is_no_picture_is_named(tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.png").write_text("hello")
    for name in ("empty.jpg", "text.png"):
        with pytest.raises(InputError, match=f"{name}: not an image"):
            image_io.read(tmp_path / name)
    with pytest.raises(InputError, match="none.jpg: no such file"):
        image_io.read(tmp_path / "none.jpg")
    with pytest.raises(InputError, match="cannot be read"):
        image_io.read(tmp_path)


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    Image.new("1", (100, 100)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4999)  # the limit is twice that
    with pytest.raises(InputError, match="bomb.png: cannot be read .*decompression bomb"):
        image_io.read(tmp_path / "bomb.png")


def test_pictures_are_found_sorted_without_the_rest(tmp_path):
    for name in ("b.JPG", "a.png", "._a.png", ".DS_Store", "notes.txt", "c.ppm"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "inner.png").mkdir()
    assert [path.name for path in image_io.find(tmp_path)] == ["a.png", "b.JPG", "c.ppm"]
    with pytest.raises(InputError, match="none: not a readable folder"):
        image_io.find(tmp_path / "none")


def test_shrinking_is_antialiased():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than the result can show: its mean must stay
    small = image_io.resize(stripes, (16, 16))
    assert small.shape == (16, 16, 3) and np.abs(small.astype(int) - 127).max() <= 16


def test_size_is_height_then_width_and_the_picture_is_stretched():
    assert image_io.resize(RED_LEFT, (32, 4)).shape == (32, 4, 3)
    assert (image_io.resize(RED_LEFT, (32, 4))[:, 0] == (255, 0, 0)).all()
    assert (image_io.resize(RED_LEFT, (8, 16)) == RED_LEFT).all()


def resized_both_ways(shape, size, folder):
    """Return a grey image resized as a mask file and as an image, both as booleans."""
    Image.fromarray(shape).save(folder / "mask.png")
    return masks.read(folder / "mask.png", size)[0] > 127, image_io.resize(shape, size) > 127


@given(st.integers(20, 90), st.integers(20, 90), st.floats(0.3, 0.7), st.floats(0.3, 0.7))
def test_mask_and_picture_stay_aligned(tmp_path_factory, height, width, y, x):
    # A box, resized as a mask and as an image: where the centre of mass moves, a border moved.
    shape = np.zeros((height, width), np.uint8)
    shape[int(height * (y - 0.25)) : int(height * y), int(width * (x - 0.25)) : int(width * x)] = (
        255
    )
    mask, image = resized_both_ways(shape, (32, 32), tmp_path_factory.getbasetemp())
    if mask.any() and image.any():
        for axis in (0, 1):
            places = [np.nonzero(each)[axis].mean() for each in (mask, image)]
            assert abs(places[0] - places[1]) <= 0.75


def test_mask_and_picture_are_aligned_without_bias(tmp_path):
    # Over many places the half-pixel rounding of each border averages out; a shift would stay.
    shifts = []
    for left in range(10, 140):
        shape = np.zeros((16, 250), np.uint8)
        shape[:, left : left + 90] = 255
        mask, image = resized_both_ways(shape, (16, 128), tmp_path)
        shifts.append(np.nonzero(mask)[1].mean() - np.nonzero(image)[1].mean())
    assert abs(np.mean(shifts)) < 0.05
