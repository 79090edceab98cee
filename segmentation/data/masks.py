"""Mask files: which of the usual ways a set of them stores its classes, and the class ids.

Three formats are known:
    rgb     part masks of LFW: pure red is hair, pure green face, pure blue background
    binary  black and white (0 and 255), or 0 and 1
    index   a class id per pixel, in one channel, three equal ones, or as palette index; 255 marks
            pixels of no class, as in PASCAL VOC

One file often does not tell: a mask of 0 and 1 may belong to a set of two classes or of twenty,
and the red, green and blue of a palette may be colours for the eye. So each file is read into
codes with a legend, and all that the set shows decides.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from segmentation.data import image_io
from segmentation.data.labels import IGNORED
from segmentation.errors import InputError

FORMATS = ("rgb", "index", "binary")
PART_NAMES = ["background", "hair", "face"]
PART_COLORS = [(0, 0, 255), (255, 0, 0), (0, 255, 0)]  # by class id
BINARY_NAMES = ["background", "object"]
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
MAX_COLORS = 256
KNOWN = "known are red/green/blue parts, 0/255, 0/1 and class ids"
BLENDED = "JPEG and smooth scaling blend masks: save them as PNG, unscaled"
COLORED = "where each class has a colour, save its id in place of that: a grey or palette PNG"
FEW_COLORS = 32  # more are blended, or a photo
# What blends may be class ids as well. A WebP may be without loss; its name does not tell.
LOSSY = (".jpg", ".jpeg", ".jfif", ".webp", ".avif", ".heic", ".heif")


class Legend(NamedTuple):
    """What the codes of a mask stand for.

    `palette` holds three bytes, red, green, blue, per code. `indexed`: the codes are the file's
    own numbers, grey values or palette indices, and may be class ids.
    """

    indexed: bool
    palette: bytes

    def color(self, code):
        """Return `(red, green, blue)` of a code; `()` if the palette is too short for it."""
        return tuple(self.palette[3 * code : 3 * code + 3])


GREY = Legend(True, bytes(value for value in range(256) for _ in range(3)))
PARTS = Legend(False, bytes(value for color in PART_COLORS for value in color))


def read(path, size):
    """Read a mask file and stretch it to `size`, `(height, width)`, by nearest neighbour.

    Returns:
        `(codes, legend, shown, file_size)`: `(height, width)` uint8, their `Legend`, the sorted
        codes of all pixels of the file, and the file's own `(height, width)`.

    Raises:
        image_io.UnreadableError: if the file is damaged.
        InputError: if its colours cannot be those of a mask, whatever the rest of the set is.
    """
    image = _plain(image_io.decode(path), path)
    counted = image.getcolors(MAX_COLORS)
    if counted is None:
        colors = [color for _, color in image.getcolors(image.width * image.height)]
        raise InputError(
            f"{path}: the colours {_listed(colors)} fit no mask format; {KNOWN} ({BLENDED})"
        )
    shown = sorted(value for _, value in counted)
    if image.mode == "L" and _few_bits(path) and not {*shown} <= {0, 255}:
        raise InputError(
            f"{path}: grey of 2 or 4 bits, which may be class ids or shades; save it with 8 bits"
        )
    height, width = size
    small = image.resize((width, height), Image.Resampling.NEAREST)
    if image.mode == "P":
        codes, legend = np.array(small), Legend(True, bytes(image.getpalette()))
    elif image.mode == "L":
        codes, legend = np.array(small), GREY
    elif all(red == green == blue for red, green, blue in shown):
        codes, legend = np.array(small.getchannel(0)), GREY
        shown = [red for red, _, _ in shown]
    else:
        codes, legend, shown = _parts(small, shown, path), PARTS, _part_ids(shown, path)
    telling = {legend.color(code) for code in shown} <= {BLACK, WHITE, *PART_COLORS}
    if _is_lossy(path) and not telling:
        raise InputError(
            f"{path}: the values {_listed(shown)} fit no mask format that such files can hold "
            f"({BLENDED})"
        )
    return codes, legend, shown, (image.height, image.width)


def _plain(image, path):
    """Convert a decoded file to mode L, P or RGB without touching the numbers that may be ids."""
    if image.mode in ("L", "P", "RGB"):
        return image
    if image.mode in image_io.DEEP_GREY:
        values = np.asarray(image)
        if set(np.unique(values)) <= {0, image_io.DEEP_WHITE}:
            values = values // 257
        if values.min() < 0 or values.max() > 255:
            raise InputError(f"{path}: holds values up to {values.max()}; class ids end at 254")
        return Image.fromarray(values.astype(np.uint8))
    if image.mode == "F":
        raise InputError(f"{path}: holds floating-point values, so no mask; {KNOWN}")
    if image.mode in ("LA", "RGBA"):
        *colors, alpha = image.getextrema()
        if alpha[0] != alpha[1] and all(low == high for low, high in colors):
            raise InputError(
                f"{path}: one colour, its shape in the transparency alone; save it as black and "
                "white without transparency"
            )
    try:
        return image.convert("L" if image.mode in ("1", "LA", "La") else "RGB")
    except ValueError:
        raise image_io.UnreadableError(f"{path}: cannot be read as a mask") from None


def _few_bits(path):
    """Tell whether this is a PNG of grey values that Pillow multiplied to fill 8 bits."""
    with open(path, "rb") as file:
        header = file.read(26)  # signature and IHDR; 24 is the bit depth, 25 the colour type
    return header[:4] == b"\x89PNG" and header[24] in (2, 4) and header[25] == 0


def _is_lossy(path):
    return str(path).lower().endswith(LOSSY)


def _part_ids(colors, path):
    odd = set(colors) - set(PART_COLORS)
    if odd:
        blended = len(odd) > FEW_COLORS or _is_lossy(path)
        advice = BLENDED if blended else COLORED
        raise InputError(
            f"{path}: the colours {_listed(odd)} fit no mask format; {KNOWN} ({advice})"
        )
    return sorted(PART_COLORS.index(color) for color in colors)


def _parts(image, colors, path):
    """Return class ids of a picture in red, green and blue."""
    pixels = np.array(image.convert("RGBA")).view("<u4")[:, :, 0]  # one number to compare
    ids = np.zeros(pixels.shape, np.uint8)
    for index in _part_ids(colors, path):
        red, green, blue = PART_COLORS[index]
        ids[pixels == (255 << 24 | blue << 16 | green << 8 | red)] = index
    return ids


def recognize(seen, wanted=None, names=None):
    """Decide in which format a set of masks is.

    Args:
        seen: `{legend: {code: first file that shows it}}`, all that the set shows.
        wanted: one of `FORMATS` to settle a doubtful case, or None.
        names: the class names, if the user gave them.

    Returns:
        `(format, names)`; without given names the format's own: background, hair, face;
        background, object; or background, class_1, class_2 ….

    Raises:
        InputError: if no format fits every file, more than one does, or the names do not fit.
    """
    found = wanted or _recognize(seen, names)
    for legend, files in seen.items():
        misfits = _misfits(found, legend, files)
        if misfits:
            raise InputError(f"{_description(legend, misfits)} do not fit --mask_format {found}")
    own = {"rgb": PART_NAMES, "binary": BINARY_NAMES}.get(found)
    if own and names and len(names) != len(own):
        raise InputError(
            f"the masks are {found}, which hold {', '.join(own)}: the labels file must name "
            f"{len(own)} classes, not {len(names)}"
        )
    if not own and names:
        for files in seen.values():
            for code, path in files.items():
                if len(names) <= code < IGNORED:
                    raise InputError(
                        f"{path}: holds class {code}, and the labels file ends at {len(names) - 1}"
                    )
    return found, names or own or _numbered_names(seen)


def _recognize(seen, names):
    if not any(_misfits("rgb", legend, files) for legend, files in seen.items()):
        return "rgb"
    if not any(_misfits("binary", legend, files) for legend, files in seen.items()):
        one, white = _file_with_1(seen), _file_with_255(seen)
        if one and white:
            raise InputError(
                f"{one} holds 1 and {white} holds 255: --mask_format binary takes both for the "
                "object, --mask_format index takes 255 for no class"
            )
        few_of_many = names and len(names) != len(BINARY_NAMES) and not white
        return "index" if few_of_many else "binary"
    parts = next((files for legend, files in seen.items() if not legend.indexed), None)
    if parts:
        for legend, files in seen.items():
            misfits = _misfits("rgb", legend, files)
            if misfits:
                first = next(iter(parts.values()))
                raise InputError(
                    f"{_description(legend, misfits)} do not go with the parts of {first}; "
                    "prepare sets of different formats one by one"
                )
    between = {code: path for code, path in seen.get(GREY, {}).items() if 0 < code < IGNORED}
    if between and not names and _file_with_255(seen):
        raise InputError(
            f"{_description(GREY, between)}, in masks that also hold 255, are class ids (say "
            "--mask_format index) or blends of black and white (save the masks unblended, as PNG)"
        )
    return "index"


def _misfits(format_name, legend, files):
    """Return the part of `files`, first file by code, that a format cannot explain."""
    if format_name == "rgb":
        good = [code for code in files if legend.color(code) in PART_COLORS]
    elif not legend.indexed:
        good = []
    elif format_name == "index" or _black_and_white(legend, files):
        good = files
    else:
        good = (0, 1, IGNORED)
    return {code: path for code, path in files.items() if code not in good}


def _black_and_white(legend, codes):
    return all(legend.color(code) in (BLACK, WHITE) for code in codes)


def _file_with_1(seen):
    for legend, files in seen.items():
        if 1 in files and not _black_and_white(legend, files):
            return files[1]
    return None


def _file_with_255(seen):
    """Return the first file with white or 255; a palette may show another index in white."""
    for legend, files in seen.items():
        white = _black_and_white(legend, files)
        for code, path in files.items():
            if code == IGNORED or (white and legend.color(code) == WHITE):
                return path
    return None


def _numbered_names(seen):
    highest = max(code for files in seen.values() for code in {0, *files} - {IGNORED})
    if highest == 0:
        raise InputError(
            "the masks hold no class but 0 (255 means no class): say --mask_format binary if 255 "
            "is the object"
        )
    return ["background", *(f"class_{index}" for index in range(1, highest + 1))]


def table(legend, codes, format_name):
    """Return the `(256,)` uint8 that turns the codes of a legend into class ids.

    `codes` are those that the set shows.
    """
    ids = np.zeros(256, np.uint8)
    black_and_white = _black_and_white(legend, codes)
    for code in codes:
        if format_name == "rgb":
            ids[code] = PART_COLORS.index(legend.color(code))
        elif format_name == "index":
            ids[code] = code
        elif black_and_white:
            ids[code] = legend.color(code) == WHITE
        else:
            ids[code] = code != 0
    return ids


def _description(legend, files):
    """Describe what the first of some files shows."""
    path = next(iter(files.values()))
    codes = [code for code, first in files.items() if first == path]
    if legend.indexed:
        return f"{path}: the values {_listed(codes)}"
    return f"{path}: the colours {_listed(map(legend.color, codes))}"


def _listed(values, limit=5):
    """Join values for a message; of many, the first ones and how many more there are."""
    values = sorted(values)
    shown = ", ".join(str(value) for value in values[:limit])
    return f"{shown} and {len(values) - limit} more" if len(values) > limit else shown


def resize(ids, size):
    """Stretch `(H, W)` uint8 class ids to `size`, (height, width), without mixing any."""
    if ids.shape == tuple(size):
        return ids
    height, width = size
    return np.asarray(Image.fromarray(ids).resize((width, height), Image.Resampling.NEAREST))
