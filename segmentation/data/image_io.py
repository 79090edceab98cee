"""Find the image files in a folder, read them as RGB whatever their format, and resize them."""

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pi_heif
from PIL import Image, ImageOps

from segmentation.errors import InputError

logger = logging.getLogger(__name__)

Image.init()  # first what Pillow reads by itself: AVIF and HEIC share a container
pi_heif.register_heif_opener()  # an iPhone's own format

SUFFIXES = frozenset(
    ".jpg .jpeg .jfif .png .ppm .pgm .pbm .pnm .bmp .gif .tif .tiff .webp .avif .heic .heif".split()
)
DEEP_GREY = ("I", "I;16", "I;16L", "I;16B", "I;16N")  # Pillow's modes of 16-bit grey files
DEEP_WHITE = 65535


class UnreadableError(InputError):
    """A damaged file or pair of files. Whoever reads a whole set may name it and leave it out."""


def find(folder):
    """Return the image files of a folder (not of its subfolders), sorted by name, as paths.

    Hidden files are left out: macOS puts a `._0001.jpg` next to `0001.jpg` on foreign disks.

    Args:
        folder: where to look.

    Raises:
        InputError: if there is no such folder.
    """
    folder = Path(folder)
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: not a readable folder ({error.strerror})") from None
    visible = [path for path in entries if path.is_file() and not path.name.startswith(".")]
    kinds = Counter(path.suffix.lower() or "without suffix" for path in visible)
    others = [f"{count} {kind}" for kind, count in sorted(kinds.items()) if kind not in SUFFIXES]
    if others:
        logger.warning("%s: left out %s; .jpg, .png and .heic are read", folder, ", ".join(others))
    return [path for path in visible if path.suffix.lower() in SUFFIXES]


def find_some(folder):
    """Return the image files of a folder as `find` does; InputError also if there are none."""
    found = find(folder)
    if not found:
        raise InputError(
            f"{folder}: no images in this folder (subfolders are not read); name one with .jpg "
            "or .png files"
        )
    return found


def sample(folder, img_size, count):
    """Read up to `count` images of a folder, evenly spread over it, stretched to one size.

    Args:
        folder: where to look, as `find` does.
        img_size: `(height, width)`, pixels.
        count: how many at most.

    Returns:
        `(n, height, width, 3)` uint8 RGB, `1 <= n <= count`.

    Raises:
        InputError: if the folder holds no image or a chosen one cannot be read.
    """
    found = find_some(folder)
    return np.stack([resize(read(found[i]), img_size) for i in spread(len(found), count)])


def spread(total, count):
    """Return up to `count` of the numbers from 0 to `total` - 1, evenly spread, as an array."""
    return np.unique(np.linspace(0, total - 1, count).round().astype(int))


def decode(path, name=None, turned=True):
    """Open and decode an image file.

    Args:
        path: of the file, or an open file.
        name: what messages call it; default: its path.
        turned: whether to apply its EXIF orientation.

    Returns:
        `PIL.Image.Image`, in the mode of the file.

    Raises:
        UnreadableError: if the file is missing, truncated, damaged, not an image, or so large that
            Pillow takes it for a decompression bomb.
    """
    name = name or path
    try:
        with Image.open(path) as image:
            image.load()
            return ImageOps.exif_transpose(image) if turned else image
    except FileNotFoundError:
        raise UnreadableError(f"{name}: no such file") from None
    except Image.UnidentifiedImageError:
        raise UnreadableError(f"{name}: not an image, or damaged from its first bytes on") from None
    except Exception as error:  # Pillow's parsers answer damage with a dozen kinds of exception
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnreadableError(f"{name}: cannot be read ({reason.splitlines()[0]})") from None


def read(path, name=None, turned=True):
    """Read an image file as RGB.

    Grey, palette and CMYK are converted and 16 bits scaled to 8. Alpha is dropped, not blended: a
    phone's camera gives none. Of an animation, the first frame is read.

    Args:
        path: of the file, or an open file.
        name: what messages call it; default: its path.
        turned: whether to apply its EXIF orientation.

    Returns:
        `(H, W, 3)` uint8, 0..255.

    Raises:
        UnreadableError: as `decode` does, or for pixels without a known range.
    """
    name = name or path
    image = decode(path, name, turned)
    if image.mode in DEEP_GREY:
        deep = np.asarray(image)
        if deep.min() < 0 or deep.max() > DEEP_WHITE:
            raise UnreadableError(f"{name}: holds values beyond 16 bits; save it with 8 or 16 bits")
        grey = (deep.astype(np.uint32) * 255 + DEEP_WHITE // 2) // DEEP_WHITE
        return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    if image.mode == "F":
        raise UnreadableError(f"{name}: holds floating-point pixels; save it with 8 or 16 bits")
    try:
        if image.mode in ("P", "PA", "La", "RGBa"):  # keeps the colour under transparent pixels
            image = image.convert("RGBA")
        return np.array(image.convert("RGB"))
    except ValueError:
        raise UnreadableError(f"{name}: cannot be read as RGB from {image.mode}") from None


def resize(image, size):
    """Stretch an image to `size`, antialiased when it shrinks.

    Args:
        image: `(H, W, 3)` or `(H, W)` uint8.
        size: `(height, width)`, pixels.

    Returns:
        uint8 of that size: each pixel is a triangle-weighted mean around its centre, as in
        Pillow's BILINEAR, torchvision's `antialias=True` and `tf.image.resize(antialias=True)`.
    """
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
