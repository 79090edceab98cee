"""Mask files: which of the usual ways a set of them stores its classes, and the class ids.

Three formats are known:
    rgb     part masks of LFW: pure red is hair, pure green face, pure blue background
    binary  black and white (0 and 255), or 0 and 1
    index   a class id per pixel, in one channel, three equal ones, or as palette index; 255 marks
            pixels of no class, as in PASCAL VOC

One file often does not tell: a mask of 0 and 1 may belong to a set of two classes or of twenty.
So each file is read into codes with a legend, and the legends of the whole set decide.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from segmentation import pictures
from segmentation.errors import InputError
from segmentation.labels import IGNORED

FORMATS = ("rgb", "index", "binary")
PART_IDS = {(255, 0, 0): 1, (0, 255, 0): 2, (0, 0, 255): 0}
PART_NAMES = ["background", "hair", "face"]
BINARY_NAMES = ["background", "object"]
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
KNOWN = "red/green/blue parts, 0/255, 0/1 or class ids"
MAX_COLORS = 256


class Legend(NamedTuple):
    """What the codes of one mask stand for: `colors` is ((code, (red, green, blue)), …).

    `indexed`: the codes are the file's own numbers (grey values or palette indices), which may be
    class ids. In a colour picture they are mere ranks.
    """

    indexed: bool
    colors: tuple

    def codes(self):
        """Return the set of codes."""
        return {code for code, _ in self.colors}

    def rgb(self):
        """Return the set of colours."""
        return {color for _, color in self.colors}


def read(path, size):
    """Read a mask file and stretch it to `size`, `(height, width)`, by nearest neighbour.

    Returns:
        `(codes, legend, file_size)`: `(height, width)` uint8, the `Legend` of all pixels of the
        file, and its own `(height, width)`.

    Raises:
        pictures.UnreadableError: if the file is damaged.
        InputError: if its colours cannot be those of a mask in any format.
    """
    image = _plain(pictures.open_upright(path), path)
    height, width = size
    small = image.resize((width, height), Image.Resampling.NEAREST)
    counted = image.getcolors(MAX_COLORS)
    if counted is None:
        raise InputError(f"{path}: over {MAX_COLORS} colours, so no mask ({KNOWN})")
    values = sorted(value for _, value in counted)
    if image.mode == "P":
        palette = image.getpalette()
        colors = tuple((index, tuple(palette[3 * index : 3 * index + 3])) for index in values)
        legend = Legend(True, colors)
        codes = np.array(small)
    elif image.mode == "L":
        legend = Legend(True, tuple((value, (value,) * 3) for value in values))
        codes = np.array(small)
    elif all(red == green == blue for red, green, blue in values):
        legend = Legend(True, tuple((value[0], value) for value in values))
        codes = np.array(small)[:, :, 0]
    else:
        legend = Legend(False, tuple(enumerate(values)))
        pixels = np.array(small)
        codes = np.zeros(pixels.shape[:2], np.uint8)
        for code, color in legend.colors:
            codes[(pixels == color).all(axis=-1)] = code
    _check_possible(legend, path)
    return codes, legend, (image.height, image.width)


def _plain(image, path):
    """Convert a decoded file to mode L, P or RGB without touching the numbers that may be ids."""
    if image.mode in ("L", "P", "RGB"):
        return image
    if image.mode in pictures.DEEP_GREY:
        values = np.asarray(image)
        if set(np.unique(values)) <= {0, pictures.DEEP_WHITE}:
            values = values // 257
        if values.min() < 0 or values.max() > 255:
            raise InputError(f"{path}: holds values up to {values.max()}; class ids end at 254")
        return Image.fromarray(values.astype(np.uint8))
    if image.mode == "F":
        raise InputError(f"{path}: holds floating-point values, so no mask ({KNOWN})")
    try:
        return image.convert("L" if image.mode in ("1", "LA", "La") else "RGB")
    except ValueError:
        raise pictures.UnreadableError(f"{path}: cannot be read as a mask") from None


def _check_possible(legend, path):
    """Refuse at once what no other file of the set could explain."""
    if not legend.indexed and not legend.rgb() <= PART_IDS.keys():
        raise InputError(
            f"{path}: the colours {_listed(legend.rgb() - PART_IDS.keys())} fit no mask format "
            f"({KNOWN}); JPEG and smooth scaling blend colours: save masks as PNG"
        )
    lossy = str(path).lower().endswith((".jpg", ".jpeg", ".jfif"))
    if lossy and legend.indexed and not legend.rgb() <= {BLACK, WHITE}:
        raise InputError(
            f"{path}: the grey values {_listed(legend.codes())} in a JPEG fit no mask format, "
            "JPEG blends them: save masks as PNG"
        )


def recognize(legends, wanted=None, names=None):
    """Decide in which format a set of masks is.

    Args:
        legends: dictionary from each different `Legend` to the first file that has it, in the
            order of the files.
        wanted: one of `FORMATS` to settle a doubtful case, or None.
        names: the class names, if the user gave them.

    Returns:
        `(format, names)`; without given names the format's own: background, hair, face;
        background, object; or background, class_1, class_2 ….

    Raises:
        InputError: if no format fits every file, more than one does, or the names do not fit.
    """
    found = wanted or _recognize(legends, names)
    for legend, path in legends.items():
        if not _fits(found, legend):
            raise InputError(f"{path}: {_description(legend)} do not fit --mask_format {found}")
    if names is None:
        names = _default_names(found, legends)
    if found != "index" and len(names) != len(_own_names(found)):
        raise InputError(
            f"{found} masks hold {', '.join(_own_names(found))}: give {len(_own_names(found))} "
            f"class names, not {len(names)}"
        )
    if found == "index":
        for legend, path in legends.items():
            beyond = {code for code in legend.codes() - {IGNORED} if code >= len(names)}
            if beyond:
                raise InputError(
                    f"{path}: class {_listed(beyond)} has no name: the labels file ends at "
                    f"{len(names) - 1}"
                )
    return found, names


def _recognize(legends, names):
    if all(_fits("rgb", legend) for legend in legends):
        return "rgb"
    if all(_fits("binary", legend) for legend in legends):
        one = next((path for legend, path in legends.items() if _holds_one(legend)), None)
        white = next((path for legend, path in legends.items() if _holds_255(legend)), None)
        if one and white:
            raise InputError(
                f"{one} marks pixels with 1 and {white} with 255: --mask_format binary takes both "
                "for the object, --mask_format index takes 255 for no class"
            )
        few_of_many = names is not None and len(names) != len(BINARY_NAMES) and not white
        return "index" if few_of_many else "binary"
    if not all(legend.indexed for legend in legends):
        first = next(iter(legends))
        for legend, path in legends.items():
            if _fits("rgb", legend) != _fits("rgb", first):
                raise InputError(
                    f"{path}: {_description(legend)} do not go with {_description(first)} in "
                    f"{legends[first]}; prepare sets of different formats one by one"
                )
    for legend, path in legends.items():
        between = legend.codes() - {0, IGNORED}
        if between and names is None and any(IGNORED in other.codes() for other in legends):
            raise InputError(
                f"{path}: the grey values {_listed(between)} in masks that also have 255 are "
                "class ids (say --mask_format index) or a blended 0/255 mask (save it unblended)"
            )
    return "index"


def _fits(format_name, legend):
    if format_name == "rgb":
        return legend.rgb() <= PART_IDS.keys()
    if format_name == "binary":
        return _black_and_white(legend) or (legend.indexed and legend.codes() <= {0, 1, IGNORED})
    return legend.indexed


def _black_and_white(legend):
    return legend.rgb() <= {BLACK, WHITE}


def _holds_255(legend):
    return WHITE in legend.rgb() or IGNORED in legend.codes()


def _holds_one(legend):
    return 1 in legend.codes() and not _black_and_white(legend)


def _own_names(format_name):
    return PART_NAMES if format_name == "rgb" else BINARY_NAMES


def _default_names(format_name, legends):
    if format_name != "index":
        return list(_own_names(format_name))
    highest = max(code for legend in legends for code in legend.codes() - {IGNORED} | {0})
    if highest == 0:
        raise InputError(
            f"{next(iter(legends.values()))} and all other masks hold no class but 0 (255 means "
            "no class): say --mask_format binary if 255 is the object"
        )
    return ["background", *(f"class_{index}" for index in range(1, highest + 1))]


def table(legend, format_name):
    """Return the `(256,)` uint8 that turns the codes of one mask into class ids."""
    ids = np.zeros(256, np.uint8)
    for code, color in legend.colors:
        if format_name == "rgb":
            ids[code] = PART_IDS[color]
        elif format_name == "index":
            ids[code] = code
        elif _black_and_white(legend):
            ids[code] = color == WHITE
        else:
            ids[code] = code != 0
    return ids


def _description(legend):
    if legend.indexed:
        return f"the values {_listed(legend.codes())}"
    return f"the colours {_listed(legend.rgb())}"


def _listed(values, limit=5):
    """Join values for a message; of many, the first ones and how many more there are."""
    values = sorted(values)
    shown = ", ".join(str(value) for value in values[:limit])
    return f"{shown} and {len(values) - limit} more" if len(values) > limit else shown
