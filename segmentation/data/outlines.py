"""Outlines in JSON files, as annotation tools write them: read, checked, and drawn as masks.

What is drawn by native code is checked first: a number that is not one, or lies far outside the
image, must be a message.
"""

import json
import math
import mmap
import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from segmentation.errors import InputError

MAX_CLASSES = 254  # beside the background
CONTROL = re.compile(r"[\0\t\n\r]")


def has_keys(path, *keys):
    """Return whether a file has each of some keys of JSON, wherever; it is not read as JSON."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return all(data.find(f'"{key}"'.encode()) >= 0 for key in keys)
    except (OSError, ValueError):  # of an empty file
        return False


def read_json(path, other="utf-8-sig"):
    """Return the object that a JSON file holds, a dictionary.

    Args:
        path: of the file.
        other: encoding of files that are no UTF-8.

    Raises:
        InputError: if the file is missing or damaged, or holds something else.
    """
    try:
        data = Path(path).read_bytes()
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode(other)
        found = json.loads(text)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # no UTF-8 is a ValueError, too
        raise InputError(f"{path}: is no JSON, or damaged ({str(error)[:80]})") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: holds no JSON object")
    return found


def size_of(found, where):
    """Return `(height, width)` of the entries `height` and `width` of a dictionary.

    Raises:
        InputError: if they are no positive integers, or too many pixels.
    """
    height, width = (found.get(name) for name in ("height", "width"))
    if not all(type(value) is int and value > 0 for value in (height, width)):
        raise InputError(f"{where}: height and width must be positive integers")
    if height * width > Image.MAX_IMAGE_PIXELS:
        raise InputError(f"{where}: {width}x{height} pixels are too many")
    return height, width


def points_of(values, size, where):
    """Return checked points, `(N, 2)` float64, x and y in pixels.

    Args:
        values: list of x, y, x, y …, or of pairs.
        size: `(height, width)` of the image.
        where: what messages call the outline.

    Raises:
        InputError: if they are no such numbers, or lie farther outside the image than it is large.
    """
    flat = values
    if isinstance(values, list) and values and all(isinstance(each, list) for each in values):
        flat = [value for pair in values if len(pair) == 2 for value in pair]
        flat = flat if len(flat) == 2 * len(values) else None
    numbers = isinstance(flat, list) and len(flat) % 2 == 0
    if not numbers or not all(type(value) in (int, float) for value in flat):
        raise InputError(f"{where}: its points are no pairs of numbers")
    height, width = size
    if not all(math.isfinite(value) and abs(value) < 2**31 for value in flat):
        raise InputError(f"{where}: a point is no number")
    points = np.array(flat, float).reshape(-1, 2)
    if (points < (-width, -height)).any() or (points > (2 * width, 2 * height)).any():
        raise InputError(f"{where}: a point lies far outside the image of {width}x{height} pixels")
    return points


def counts_of(counts, size, where):
    """Return the checked runs of a run-length encoding, `(N,)` int64, as COCO defines it.

    Args:
        counts: list of run lengths, or COCO's compressed string.
        size: `(height, width)` of the image; the runs go down its columns.
        where: what messages call it.

    Raises:
        InputError: if it is neither, or the runs are not as many pixels as the image has.
    """
    if isinstance(counts, str):
        counts = _decompressed(counts, where)
    if not isinstance(counts, list) or not all(type(run) is int and run >= 0 for run in counts):
        raise InputError(f"{where}: its counts are no run lengths")
    if sum(counts) != size[0] * size[1]:
        raise InputError(
            f"{where}: its runs are {sum(counts)} pixels, and the image has {size[0] * size[1]}"
        )
    return np.array(counts, np.int64)


def _decompressed(text, where):
    """Return the runs of COCO's string: 5 bits a character, and differences from the third on."""
    runs, value, shift = [], 0, 0
    for sign in text:
        bits = ord(sign) - 48
        if not 0 <= bits < 64 or shift > 30:
            raise InputError(f"{where}: its counts are no run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value, shift = 0, 0
    if shift:
        raise InputError(f"{where}: its counts are cut short")
    return runs


def runs_to_mask(runs, size):
    """Return the `(H, W)` bool mask of runs, in turn background and object, down the columns."""
    object_or_not = np.arange(len(runs)) % 2 == 1
    return np.repeat(object_or_not, runs).reshape(size[::-1]).T


def draw_shape(kind, points, size, where):
    """Return the `(H, W)` bool mask of a shape of labelme, drawn as its `shape_to_mask` does.

    Args:
        kind: `polygon`, `rectangle` or `circle`.
        points: of `points_of`.
        size: `(height, width)` of the image.
        where: what messages call it.

    Raises:
        InputError: for another kind, or a number of points that it cannot have.
    """
    image = Image.new("1", size[::-1])
    draw = ImageDraw.Draw(image)
    pairs = [tuple(point) for point in points.tolist()]
    if kind == "polygon" and len(pairs) > 2:
        draw.polygon(pairs, outline=1, fill=1)
    elif kind == "rectangle" and len(pairs) in (2, 4):
        corners = (*points.min(0).tolist(), *points.max(0).tolist())
        draw.rectangle(corners, outline=1, fill=1)
    elif kind == "circle" and len(pairs) == 2:
        (x, y), radius = pairs[0], math.dist(*pairs)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=1, fill=1)
    else:
        raise InputError(
            f"{where}: {kind!r} of {len(pairs)} points covers no area; draw a polygon of three or "
            "more, a rectangle or a circle, or remove it"
        )
    return np.array(image)


def as_text(value, where):
    """Return a name that a file gives, of a class or a file, without surrounding blanks.

    Raises:
        InputError: if it is no text, or has tabs or line breaks.
    """
    if not isinstance(value, str) or not value.strip() or CONTROL.search(value):
        raise InputError(f"{where}: {value!r} is no name")
    return value.strip()
