"""Mask files, one at a time: read into codes with a legend, and resized without mixing classes.

What the codes mean shows only in the whole set of masks (`mask_formats`): a mask of 0 and 1 may
belong to a set of two classes or of twenty, and the red, green and blue of a palette may be colours
for the eye.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from segmentation.data import image_io, transparency
from segmentation.errors import InputError

PART_NAMES = ["background", "hair", "face"]  # of LFW's part labels
PART_COLORS = [(0, 0, 255), (255, 0, 0), (0, 255, 0)]  # by class id
PART_ORDER = "blue is class 0, the background, red 1, hair, and green 2, face"
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
MAX_COLORS = 256
KNOWN = "known are red/green/blue parts, 0/255, 0/1 and class ids"
BLENDED = "JPEG and smooth scaling blend masks: save them as PNG, unscaled"
MID = slice(64, 192)  # greys that are neither nearly black nor nearly white
FEW_MID = 0.2  # of the pixels of a mask: its edges, if they are blended
HEADER = 512  # bytes at the start of a file, in which its kind and the depth of its values stand
NETPBM = re.compile(rb"P[25](?:\s|#[^\n]*\n)+\d+(?:\s|#[^\n]*\n)+\d+(?:\s|#[^\n]*\n)+(\d+)\s")


class Legend(NamedTuple):
    """What the codes of a mask file look like.

    `palette` holds three bytes, red, green, blue, per code. `indexed`: the codes are the file's
    own numbers, grey values or palette indices, and may be class ids.
    """

    indexed: bool
    palette: bytes

    def color(self, code):
        """Return `(red, green, blue)` of a code; `()` if the palette is too short for it."""
        return tuple(self.palette[3 * code : 3 * code + 3])


GREY = Legend(True, bytes(value for value in range(256) for _ in range(3)))


class Mask(NamedTuple):
    """A mask file that has been read: `(H, W)` uint8 codes, and what the whole file holds.

    `shown` lists the codes of all pixels of the file, sorted, `pixels` how many each has, and
    `size` is the file's own `(height, width)`; `codes` may have been stretched to another. `lossy`:
    the file is of a kind that blends values, and holds some that may be blends. `clear` pixels were
    transparent, which is black here, and `soft` ones partly so.
    """

    codes: np.ndarray
    legend: Legend
    shown: list[int]
    size: tuple[int, int]
    pixels: list[int]
    lossy: bool = False
    clear: int = 0
    soft: int = 0


@dataclass(frozen=True)
class Drawing:
    """A mask that is no image file: outlines in a JSON file, or a file for each class.

    Attributes:
        path: the file that messages name.
        draw: function without arguments; returns `(H, W)` uint8 class ids. Raises
            image_io.UnreadableError for damage, InputError for what cannot be drawn.
        what: which mask of the file, for messages.
    """

    path: Path
    draw: Callable
    what: str = ""

    def __str__(self):
        """Return what messages call it."""
        return f"{self.path}{self.what and f' ({self.what})'}"

    @property
    def name(self):
        """The name of the file, as of a path."""
        return self.path.name

    @property
    def parent(self):
        """The folder of the file, as of a path."""
        return self.path.parent


def read(path, size=None, turned=True):
    """Read a mask file, or draw one.

    Args:
        path: of the file, or a `Drawing`.
        size: `(height, width)` to stretch the codes to, by nearest neighbour; None keeps the
            file's own.
        turned: whether an EXIF orientation of the file is applied.

    Returns:
        `Mask`.

    Raises:
        image_io.UnreadableError: if the file is damaged.
        InputError: if its colours cannot be those of a mask, whatever the rest of the set is.
    """
    if isinstance(path, Drawing):
        (image, *ground), header = transparency.Flat(Image.fromarray(path.draw()), 0, 0), b""
    else:
        image, *ground = _plain(image_io.decode(path, turned=turned), path)
        with open(path, "rb") as file:
            header = file.read(HEADER)
    counted = image.getcolors(MAX_COLORS)
    if counted is None:
        colors = [color for _, color in image.getcolors(image.width * image.height)]
        raise InputError(
            f"{path}: the colours {listed(colors)} fit no mask format; {KNOWN} ({BLENDED})"
        )
    shown = sorted(value for _, value in counted)
    pixels = [count for count, _ in sorted(counted, key=lambda each: each[1])]
    if image.mode == "L" and not {*shown} <= {0, 255} and _are_scaled(header):
        raise InputError(
            f"{path}: grey of fewer than 8 bits, which may be class ids or shades; save it with 8 "
            "bits"
        )
    height, width = size or (image.height, image.width)
    stretched = image.resize((width, height), Image.Resampling.NEAREST)
    if image.mode == "P":
        codes, legend = np.array(stretched), Legend(True, bytes(image.getpalette()))
    elif image.mode == "L":
        codes, legend = np.array(stretched), GREY
    elif all(red == green == blue for red, green, blue in shown):
        codes, legend = np.array(stretched.getchannel(0)), GREY
        shown = [red for red, _, _ in shown]
    else:
        codes = _color_codes(stretched, shown)
        legend = Legend(False, bytes(value for color in shown for value in color))
        shown = list(range(len(shown)))
    unmistakable = {legend.color(code) for code in shown} <= {BLACK, WHITE, *PART_COLORS}
    lossy = _is_lossy(header) and not unmistakable
    if lossy and not _nearly_black_and_white(legend, shown, pixels):
        if not legend.indexed:
            colors = listed(map(legend.color, shown))
            raise InputError(
                f"{path}: the colours {colors} fit no mask format; {KNOWN} ({BLENDED})"
            )
        raise InputError(lossy_values(path, shown))
    return Mask(codes, legend, shown, (image.height, image.width), pixels, lossy, *ground)


def lossy_values(path, codes):
    """Return what to say of a mask that is `lossy`, and may not be."""
    return (
        f"{path}: the values {listed(codes)} fit no mask format that such files can hold "
        f"({BLENDED})"
    )


def _plain(image, path):
    """Convert a decoded file to mode L, P or RGB without touching the numbers that may be ids.

    Returns:
        `transparency.Flat`.
    """
    if image.mode in image_io.DEEP_GREY:
        values = np.asarray(image)
        if set(np.unique(values)) <= {0, image_io.DEEP_WHITE}:
            values = values // 257
        if values.min() < 0 or values.max() > 255:
            raise InputError(f"{path}: holds values up to {values.max()}; class ids end at 254")
        image = Image.fromarray(values.astype(np.uint8))
    if image.mode == "F":
        raise InputError(f"{path}: holds floating-point values, so it is no mask; {KNOWN}")
    try:
        if image.has_transparency_data:
            return transparency.flatten(image, path)
        if image.mode not in ("L", "P", "RGB"):
            image = image.convert("L" if image.mode == "1" else "RGB")
    except ValueError:
        raise image_io.UnreadableError(f"{path}: cannot be read as a mask") from None
    return transparency.Flat(image, 0, 0)


def _are_scaled(header):
    """Return whether a file holds grey values that Pillow multiplied to fill 8 bits."""
    if header[:4] == b"\x89PNG":  # IHDR follows: 24 is the bit depth, 25 the colour type
        return header[24] in (2, 4) and header[25] == 0
    match = NETPBM.match(header)
    return bool(match) and int(match[1]) < 255


def _is_lossy(header):
    """Return whether a file is a JPEG, WebP, AVIF or HEIC, whatever it is called."""
    return header[:3] == b"\xff\xd8\xff" or header[8:12] == b"WEBP" or header[4:8] == b"ftyp"


def _nearly_black_and_white(legend, shown, pixels):
    """Return whether few pixels of a grey mask are far from black and from white."""
    middle = sum(
        count for code, count in zip(shown, pixels, strict=True) if MID.start <= code < MID.stop
    )
    return legend == GREY and middle <= FEW_MID * sum(pixels)


def _color_codes(image, colors):
    """Return the place of each pixel's colour among up to 256 sorted ones, `(H, W)` uint8."""
    pixels = np.array(image.convert("RGBA")).view("<u4")[:, :, 0]  # one number to compare
    keys = np.array([255 << 24 | blue << 16 | green << 8 | red for red, green, blue in colors])
    order = np.argsort(keys)
    return order.astype(np.uint8)[np.searchsorted(keys[order], pixels)]


def listed(values, limit=5):
    """Join values for a message; of many, the first ones and how many more there are."""
    values = sorted(values)
    shown = ", ".join(str(value) for value in values[:limit])
    return f"{shown} and {len(values) - limit} more" if len(values) > limit else shown


def resize(ids, size):
    """Stretch `(H, W)` uint8 class ids to `size`, `(height, width)`, without mixing any."""
    if ids.shape == tuple(size):
        return ids
    height, width = size
    return np.asarray(Image.fromarray(ids).resize((width, height), Image.Resampling.NEAREST))
