"""Which of the usual ways a set of masks stores its classes, and the class id of each code.

Three formats are known:
    rgb     part masks of LFW: pure red is hair, pure green face, pure blue background
    binary  black and white (0 and 255), or 0 and 1
    index   a class id per pixel, in one channel, three equal ones, or as palette index; 255 marks
            pixels of no class, as in PASCAL VOC
"""

import numpy as np

from segmentation.data.labels import IGNORED
from segmentation.data.masks import BLACK, GREY, PART_COLORS, PART_NAMES, WHITE, listed
from segmentation.errors import InputError

FORMATS = ("rgb", "index", "binary")
BINARY_NAMES = ["background", "object"]


def note(seen, mask, path):
    """Add what a `masks.Mask` shows to `seen`: `{legend: {code: first file that shows it}}`."""
    first = seen.setdefault(mask.legend, {})
    for code in mask.shown:
        first.setdefault(code, path)


def recognize(seen, wanted=None, names=None):
    """Return the format of a set of masks, and the names of its classes.

    Args:
        seen: all that the set shows, as `note` gathers it.
        wanted: one of `FORMATS`, to settle a doubtful case, or None.
        names: the class names by id, if the user gave them.

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

    Args:
        legend: `masks.Legend`.
        codes: those that the set shows.
        format_name: one of `FORMATS`.
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
        return f"{path}: the values {listed(codes)}"
    return f"{path}: the colours {listed(map(legend.color, codes))}"
