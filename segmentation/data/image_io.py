"""Find the image files in a folder, read them as RGB whatever their format, and resize them."""

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pi_heif
from PIL import ExifTags, Image, ImageOps

from segmentation.errors import InputError

logger = logging.getLogger(__name__)

Image.init()  # first what Pillow reads by itself: AVIF and HEIC share a container
pi_heif.register_heif_opener()  # an iPhone's own format

SUFFIXES = frozenset(
    ".jpg .jpeg .jfif .png .ppm .pgm .pbm .pnm .bmp .gif .tif .tiff .webp .avif .heic .heif".split()
)
DEEP_GREY = ("I", "I;16", "I;16L", "I;16B", "I;16N")  # Pillow's modes of 16-bit grey files
DEEP_WHITE = 65535
DARK = 1 << 14  # a set of 16 bits whose highest value is below a quarter of white
RANGES = {255: 8, 1023: 10, 4095: 12, DEEP_WHITE: 16}  # the highest value of so many bits
TURNED = range(2, 9)  # EXIF orientations that are not upright
SIDEWAYS = range(5, 9)  # those that exchange height and width


@dataclass(frozen=True)
class Reading:
    """How the files of a set are read: what shows only in all of them, or was asked for.

    Attributes:
        turned: whether EXIF orientations are applied.
        white: the value of white in files of 16 bits, of which cameras may use 10 or 12.
    """

    turned: bool = True
    white: int = DEEP_WHITE


class UnreadableError(InputError):
    """A damaged file or pair of files. Whoever reads a whole set may name it and leave it out."""


class SizesDifferError(UnreadableError):
    """An image and a mask that are of different sizes."""


def find(folder, read_too=()):
    """Return the image files of a folder (not of its subfolders), sorted by name, as paths.

    Hidden files are left out: macOS puts a `._0001.jpg` next to `0001.jpg` on foreign disks.

    Args:
        folder: where to look.
        read_too: suffixes of files that are no images, and are read as well.

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
    others = [
        f"{count} {kind}"
        for kind, count in sorted(kinds.items())
        if kind not in (*SUFFIXES, *read_too)
    ]
    if others:
        logger.warning("%s: left out %s; .jpg, .png and .heic are read", folder, ", ".join(others))
    return [path for path in visible if path.suffix.lower() in SUFFIXES]


def holds_images(folder):
    """Return whether a folder, not its subfolders, has a file with the suffix of an image."""
    return folder.is_dir() and any(path.suffix.lower() in SUFFIXES for path in folder.iterdir())


def find_some(folder):
    """Return the image files of a folder as `find` does; InputError also if there are none."""
    found = find(folder)
    if not found:
        raise InputError(
            f"{folder}: no images in this folder (subfolders are not read); name one with .jpg "
            "or .png files"
        )
    return found


def sample(paths, count):
    """Read up to `count` images of a set, evenly spread over it.

    Args:
        paths: of the files of the set.
        count: how many at most.

    Yields:
        `(H, W, 3)` uint8 RGB, of their own sizes.

    Raises:
        UnreadableError: if a chosen one cannot be read.
    """
    white = survey(paths)[0].white
    for index in spread(len(paths), count):
        yield read(paths[index], white=white)


def spread(total, count):
    """Return up to `count` of the numbers from 0 to `total` - 1, evenly spread, as an array."""
    return np.unique(np.linspace(0, total - 1, count).round().astype(int))


def decode(path, name=None, turned=True, white=DEEP_WHITE):
    """Open and decode an image file.

    Args:
        path: of the file, or an open file.
        name: what messages call it; default: its path.
        turned: whether to apply its EXIF orientation.
        white: as for `read`, for colours of 16 bits, which become 8.

    Returns:
        `PIL.Image.Image`, in the mode of the file.

    Raises:
        UnreadableError: if the file is missing, truncated, damaged, not an image, or so large that
            Pillow takes it for a decompression bomb.
    """
    name = name or path
    try:
        with Image.open(path) as image:
            deep = white != DEEP_WHITE and _is_deep_color(image)
            image.load()
            if deep:
                image = _of_deep_color(path, image, white)
            return ImageOps.exif_transpose(image) if turned else image
    except FileNotFoundError:
        raise UnreadableError(f"{name}: no such file") from None
    except Image.UnidentifiedImageError:
        raise UnreadableError(f"{name}: not an image, or damaged from its first bytes on") from None
    except Exception as error:  # Pillow's parsers answer damage with a dozen kinds of exception
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnreadableError(f"{name}: cannot be read ({reason.splitlines()[0]})") from None


def _of_deep_color(path, image, white):
    """Return a loaded image of 16 bits a channel with those up to `white` scaled to 8."""
    if hasattr(path, "seek"):
        path.seek(0)
    scaled = Image.fromarray(_to_bytes(_deep_color(path), white))
    scaled.getexif().update(image.getexif())
    return scaled


def orientation(path):
    """Return the EXIF orientation of an image file, 1 if it has none or cannot be opened."""
    return _header(path)[0]


def size(path):
    """Return `(height, width)` of an image file, turned upright, from its header.

    Raises:
        UnreadableError: if that cannot be read.
    """
    try:
        with Image.open(path) as image:
            found = image.height, image.width
            return found[::-1] if _orientation(image) in SIDEWAYS else found
    except Exception:
        decode(path)  # says what is wrong
        raise UnreadableError(f"{path}: has no readable size") from None


def survey(paths, turned=True, workers=4):
    """Look at the headers of all files of a set, and at the pixels of those of 16 bits.

    Says how many have transparency, which `read` drops, and in which range those of 16 bits are.

    Args:
        paths: of the files. Those that cannot be read are passed over: reading them tells.
        turned: whether EXIF orientations will be applied.
        workers: threads.

    Returns:
        `(Reading, orientations)`: how to read them, and the EXIF orientation of each, 1 if it is
        upright.
    """

    def look(path):
        found, is_deep, has_alpha = _header(path)
        return found, _highest(path) if is_deep else 0, has_alpha

    with ThreadPoolExecutor(workers) as pool:
        looks = list(pool.map(look, paths))
    with_alpha = [path for path, look in zip(paths, looks, strict=True) if look[2]]
    if with_alpha:
        logger.info(
            "%d of %d images have transparency, %s first: it is dropped, so that the colours "
            "stored under it count",
            *(len(with_alpha), len(paths), with_alpha[0]),
        )
    highest = max((value for _, value, _ in looks), default=0)
    deep = sum(value > 0 for _, value, _ in looks)
    white = next((white for white in RANGES if highest <= white), DEEP_WHITE)
    if not highest:
        white = DEEP_WHITE
    elif white != DEEP_WHITE:
        logger.info(
            "%d images of 16 bits hold values up to %d: taken for %d bits, white is %d",
            *(deep, highest, RANGES[white], white),
        )
    elif highest < DARK:
        logger.warning(
            "warning: %d images of 16 bits hold values up to %d of %d: they are dark; if white is "
            "less, scale them to 8 bits",
            *(deep, highest, white),
        )
    return Reading(turned, white), [found for found, _, _ in looks]


def _orientation(image):
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # getexif() would decode all pixels to find it behind them
    return image.getexif().get(ExifTags.Base.Orientation, 1)


def _header(path):
    """Return the EXIF orientation, and whether the file holds 16 bits a channel, and alpha."""
    try:
        with Image.open(path) as image:
            is_deep = image.mode in DEEP_GREY or _is_deep_color(image)
            return _orientation(image), is_deep, image.has_transparency_data
    except Exception:  # of a dozen kinds; whoever reads the pixels is told what is wrong
        return 1, False, False


def _is_deep_color(image):
    """Return whether an image, opened and not loaded, has colours of 16 bits a channel.

    Pillow keeps the upper 8 of them.
    """
    return image.mode in ("RGB", "RGBA", "LA") and any(";16" in str(tile[3]) for tile in image.tile)


def _highest(path):
    """Return the highest value in a file of 16 bits, 0 if it cannot be read."""
    try:
        with Image.open(path) as image:
            pixels = _deep_color(path) if _is_deep_color(image) else np.asarray(image)
            return int(pixels.max())
    except Exception:
        return 0


def _deep_color(path):
    """Return `(H, W, 3)` uint16 RGB of a file of 16 bits a channel, not turned."""
    import cv2  # here: `data.py --help` does without

    data = path.read() if hasattr(path, "read") else Path(path).read_bytes()
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ValueError("not decoded")
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    return pixels[:, :, 2::-1]


def _to_bytes(pixels, white):
    """Scale integers from 0..white to uint8 0..255; what is above white is white."""
    pixels = np.minimum(pixels.astype(np.uint32), white)
    return ((pixels * 255 + white // 2) // white).astype(np.uint8)


def read(path, name=None, turned=True, white=DEEP_WHITE):
    """Read an image file as RGB.

    Grey, palette and CMYK are converted and 16 bits scaled to 8. Alpha is dropped, not blended: a
    phone's camera gives none. Of an animation, the first frame is read.

    Args:
        path: of the file, or an open file.
        name: what messages call it; default: its path.
        turned: whether to apply its EXIF orientation.
        white: the value that becomes 255 in files of 16 bits: see `survey`.

    Returns:
        `(H, W, 3)` uint8, 0..255.

    Raises:
        UnreadableError: as `decode` does, or for pixels without a known range.
    """
    name = name or path
    image = decode(path, name, turned, white)
    if image.mode in DEEP_GREY:
        deep = np.asarray(image)
        if deep.min() < 0 or deep.max() > DEEP_WHITE:
            raise UnreadableError(f"{name}: holds values beyond 16 bits; save it with 8 or 16 bits")
        return np.repeat(_to_bytes(deep, white)[:, :, None], 3, axis=2)
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
    # Columns first, as in the apps and on the page. From version 13 on, Pillow begins with the rows
    # where an image loses far more of its height, and rounding in between differs by one in 255.
    wide = Image.fromarray(image).resize((width, image.shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(wide.resize((width, height), Image.Resampling.BILINEAR))
