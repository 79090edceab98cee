"""Mask files, one at a time: their codes, and what can be no mask."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mask_files import BLUE, GREEN, RED, SIZE, quarters, save
from segmentation.data import image_io, masks
from segmentation.errors import InputError


def test_one_odd_pixel_is_seen_though_it_falls_between_the_samples(tmp_path):
    array = np.full((64, 64, 3), BLUE, np.uint8)
    array[0, 0] = (1, 2, 3)
    Image.fromarray(array).save(tmp_path / "a.png")
    mask = masks.read(tmp_path / "a.png", (2, 2))
    assert mask.shown == [0, 1] and mask.pixels == [4095, 1]
    assert [mask.legend.color(code) for code in (0, 1)] == [BLUE, (1, 2, 3)]
    assert mask.codes.tolist() == [[0, 0], [0, 0]]


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
    with pytest.raises(InputError, match="b.png: grey of fewer than 8 bits.*8 bits"):
        masks.read(grey_of_4_bits(tmp_path / "b.png", 0, 1), (1, 2))
    (tmp_path / "c.pgm").write_bytes(b"P5 # drawn\n# by hand\n2 1\n3\n\0\1")
    with pytest.raises(InputError, match="c.pgm: grey of fewer than 8 bits.*8 bits"):
        masks.read(tmp_path / "c.pgm", (1, 2))
    (tmp_path / "d.pgm").write_bytes(b"P5\n2 1\n255\n\0\1")
    assert masks.read(tmp_path / "d.pgm", (1, 2)).codes.tolist() == [[0, 1]]


def test_a_truncated_mask_is_damaged_not_wrong(tmp_path):
    path = tmp_path / "a.ppm"
    save(path, BLUE, RED, GREEN, RED)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(image_io.UnreadableError, match="a.ppm"):
        masks.read(Path(path), SIZE)


def test_the_codes_keep_the_size_of_the_file_or_are_stretched(tmp_path):
    save(tmp_path / "a.png", 0, 3, 7, 3)
    mask = masks.read(tmp_path / "a.png")
    assert (mask.codes == quarters(0, 3, 7, 3)).all() and mask.legend == masks.GREY
    assert (mask.shown, mask.size) == ([0, 3, 7], (4, 4))
    mask = masks.read(tmp_path / "a.png", (2, 6))
    assert mask.codes.tolist() == [[0, 0, 0, 3, 3, 3], [7, 7, 7, 3, 3, 3]]
    assert (mask.shown, mask.size) == ([0, 3, 7], (4, 4))
