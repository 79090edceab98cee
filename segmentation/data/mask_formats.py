"""Which of the usual ways a set of masks stores its classes, and the class id of each code.

Four formats are known:
    rgb     part masks of LFW: pure red is hair, pure green face, pure blue background
    binary  black and white (0 and 255), with blended edges or without; 0 and 1; one colour on black
    index   a class id per pixel, in one channel, three equal ones, or as palette index; 255 marks
            pixels of no class, as in PASCAL VOC
    colors  a colour for each class, as a table names them (`color_tables`)
"""

import functools
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from segmentation.data import color_tables, labels, mask_evidence
from segmentation.data.labels import IGNORED
from segmentation.data.mask_evidence import describe
from segmentation.data.masks import (
    BLACK,
    BLENDED,
    GREY,
    KNOWN,
    PART_COLORS,
    PART_NAMES,
    PART_ORDER,
    WHITE,
    listed,
    lossy_values,
)
from segmentation.data.transparency import MIDDLE  # black and white are divided there as well
from segmentation.errors import InputError

logger = logging.getLogger(__name__)

FORMATS = ("rgb", "index", "binary", "colors")
BINARY_NAMES = ["background", "object"]
MANY_COLORS = 32  # more are blends, or photos
HOW_TO_NAME = (
    "name the class of each colour in a file, --colors FILE, by lines such as dog:176,112,32 or a "
    "column color in labels.txt"
)


@dataclass(frozen=True)
class Recognized:
    """How a set of masks stores its classes.

    Attributes:
        format: one of `FORMATS`.
        names: class names by id.
        seen: what the set shows.
        colors: `color_tables.ColorTable` of colour masks, else None.
        blended: whether greys between black and white are blends of the two.
    """

    format: str
    names: list[str]
    seen: dict[Any, mask_evidence.Shown]
    colors: color_tables.ColorTable | None = None
    blended: bool = False

    @functools.cached_property
    def _on_black(self):
        return mask_evidence.one_on_black(self.seen)

    def table(self, legend):
        """Return the `(256,)` uint8 that turns the codes of a `masks.Legend` into class ids."""
        ids = np.zeros(256, np.uint8)
        for code in self.seen[legend]:
            ids[code] = self._class_id(legend, code)
        return ids

    def _class_id(self, legend, code):
        color = legend.color(code)
        if self.format == "index":
            return code
        if self.format == "rgb":
            return PART_COLORS.index(color)
        if self.format == "colors":
            return self.colors.ids[color]
        if self._on_black:
            return color != BLACK
        if mask_evidence.in_black_and_white(legend, self.seen[legend]):
            return color == WHITE
        return code >= MIDDLE if self.blended else code != 0


def recognize(seen, wanted=None, names=None, table=None, must=False):
    """Return how a set of masks stores its classes, as `Recognized`.

    Args:
        seen: all that the set shows, as `mask_evidence.note` gathers it.
        wanted: one of `FORMATS`, to settle a doubtful case, or None.
        names: the class names by id, if the user gave them; else they are the format's own:
            background, hair, face; background, object; those of the table; or background, class_1,
            class_2 ….
        table: `color_tables.ColorTable` that was given, or found beside the masks, or None. It has
            to explain each colour of masks without numbers.
        must: whether it was given, and has to explain the colours of palettes and greys, too.

    Raises:
        InputError: if no format fits every file, more than one does, the names do not fit, or what
            is transparent would be another class than the background.
    """
    found = _found(seen, wanted, names, table, must)
    if mask_evidence.ground(seen):
        _check_ground(seen, found)
        _say_ground(seen)
    return found


def _found(seen, wanted, names, table, must):
    if wanted == "colors" and not table:
        raise InputError(f"--mask_format colors: {HOW_TO_NAME}, or say --colors voc")
    if wanted in (None, "colors"):
        table = _fitting(seen, names, table, must or wanted == "colors")
        if table:
            _refuse_lossy(seen, blended=False)
            return Recognized("colors", list(table.names), seen, table)
    found = wanted or _recognize(seen, names)
    blended = found == "binary" and _has_blends(seen)
    for legend, files in seen.items():
        misfits = _misfits(found, legend, files, blended or mask_evidence.one_on_black(seen))
        if misfits:
            raise InputError(f"{describe(legend, misfits)} do not fit --mask_format {found}")
    if found == "index" and mask_evidence.are_blended(seen, two_classes=len(names or ()) == 2):
        raise InputError(
            f"{describe(GREY, mask_evidence.greys(seen))} are blends of black and white, not class "
            "ids: say --mask_format binary"
        )
    if found == "index" and not mask_evidence.palettes_are_ids(seen):
        logger.warning(
            "warning: the palettes of the masks differ, or are in an order of image software: "
            "their indices are class ids because --mask_format index says so"
        )
    _refuse_lossy(seen, blended)
    if blended:
        _say_blended(seen)
    own = {"rgb": PART_NAMES, "binary": BINARY_NAMES}.get(found)
    _check_names(seen, found, own, names)
    return Recognized(found, names or own or _numbered(_highest(seen)), seen, blended=blended)


def _check_names(seen, found, own, names):
    if not names:
        return
    if own and (len(names) != len(own) or not labels.is_background(names[0])):
        raise InputError(
            f"the masks are {found}, which hold {', '.join(own)}: the labels file must name "
            f"{len(own)} classes, not {len(names)}, the background first"
        )
    if found == "rgb" and (wrong := labels.misplaced(names, own)):
        raise InputError(
            f"the masks are rgb, in which {PART_ORDER}, but the labels file calls class "
            f"{wrong[0]} '{wrong[1]}': put its names in this order; if the colours mean something "
            f"else, {HOW_TO_NAME}"
        )
    for files in [] if own else seen.values():
        for code, path in files.items():
            if len(names) <= code < IGNORED:
                raise InputError(
                    f"{path}: holds class {code}, and the labels file ends at {len(names) - 1}"
                )


def _fitting(seen, names, table, must):
    """Return the `ColorTable`, with the ids of `names`, by which masks are read, or None."""
    if not table and mask_evidence.in_voc_colors(seen):
        table = color_tables.voc()
        names = names or _numbered(_highest_of(seen, table))
        logger.info("the masks are in PASCAL VOC's colours: the place in its palette is the class")
    if not table:
        return None
    if mask_evidence.ground(seen) and not mask_evidence.shows_black(seen):
        table = table.with_ground()
    unknown = {}
    for legend, files in seen.items():
        if must or not legend.indexed:
            unknown |= {legend.color(c): path for c, path in files.items()}
    unknown = {color: path for color, path in unknown.items() if color not in table.ids}
    if unknown:
        clear = "; what is transparent counts as black" if mask_evidence.ground(seen) else ""
        raise InputError(
            f"{next(iter(unknown.values()))}: the colours {listed(unknown)} are not in "
            f"{table.source}: complete it (blended masks must be saved anew, unblended, as PNG"
            f"{clear})"
        )
    if not mask_evidence.colors(seen) <= {*table.ids}:
        return None
    table = table.renumbered(names) if names else table
    if _highest_of(seen, table) >= len(table.names):
        raise InputError(
            f"the masks show class {_highest_of(seen, table)} of {table.source}, and the labels "
            f"file ends at {len(names) - 1}"
        )
    return table


def _highest_of(seen, table):
    shown = {table.ids[color] for color in mask_evidence.colors(seen)}
    return max(shown - {IGNORED}, default=0)


def _recognize(seen, names):
    two_classes = len(names or ()) == len(BINARY_NAMES)
    if all(not _misfits("rgb", legend, files) for legend, files in seen.items()):
        return "rgb"
    palettes_are_ids = mask_evidence.palettes_are_ids(seen) and not _greys_may_be_ids(seen, names)
    if palettes_are_ids and all(not _misfits("binary", *each) for each in seen.items()):
        one, white = mask_evidence.file_with_1(seen), mask_evidence.file_with_white(seen)
        ids = names and not (two_classes and labels.is_background(names[0]))
        if one and ids:
            return "index"
        if one and white:
            raise InputError(
                f"{one} holds 1 and {white} holds 255: --mask_format binary takes both for the "
                "object, --mask_format index takes 255 for no class"
            )
        return "index" if ids and not white else "binary"
    if two_classes or not names:
        if mask_evidence.are_blended(seen, two_classes):
            return "binary"
        if mask_evidence.one_on_black(seen) and (two_classes or not palettes_are_ids):
            return "binary"
    if not palettes_are_ids:
        raise InputError(_nameless(seen))
    if not names:
        _refuse_doubtful_numbers(seen)
    return "index"


def _greys_may_be_ids(seen, names):
    """Return whether class ids may be the greys that palettes show, and not their indices."""
    greys = [g for legend, files in seen.items() for g in mask_evidence.other_greys(legend, files)]
    highest = max({*greys} - {IGNORED}, default=0)
    return bool(greys) and (highest < len(names) if names else not _is_sparse(highest, len(greys)))


def _is_sparse(highest, count):
    """Return whether so few values can hardly be class ids, as most would be of no class."""
    return highest > 3 * count + 5


def _refuse_doubtful_numbers(seen):
    """Raise InputError for numbers that may be no class ids, where nothing names classes."""
    between = mask_evidence.greys(seen)
    if between and mask_evidence.file_with_white(seen):
        shades = mask_evidence.may_be_shades(seen)
        blends = (
            f"say --mask_format binary, for which {MIDDLE} and more is the object"
            if shades
            else "save the masks unblended, as PNG"
        )
        raise InputError(
            f"{describe(GREY, between)}, in masks that also hold 255, are class ids (say "
            f"--mask_format index, for which 255 is no class) or blends of black and white "
            f"({blends})"
        )
    codes = {code for files in seen.values() for code in files} - {IGNORED}
    if not mask_evidence.in_voc_palette(seen) or [*seen] == [GREY]:
        if _is_sparse(max(codes, default=0), len(codes)):
            raise InputError(
                f"the masks hold the values {listed(codes)}, which as class ids need names up to "
                f"{max(codes)}: name them with --labels, or have them numbered by --mask_format "
                f"index; if they are shades, {HOW_TO_NAME}"
            )


def _has_blends(seen):
    """Return whether black and white masks hold greys as well."""
    white = mask_evidence.file_with_white(seen) or mask_evidence.are_blended(seen, True)
    shades = mask_evidence.may_be_shades(seen)
    return bool(shades and white) and not mask_evidence.one_on_black(seen)


def _say_blended(seen):
    grey = sum(seen[GREY].pixels[code] for code in mask_evidence.greys(seen))
    total = mask_evidence.num_pixels(seen)
    logger.warning(
        "black and white masks with blended edges: %d of %d pixels (%.2f %%) are grey; from %d on "
        "they are the object, below it the background",
        *(grey, total, 100 * grey / total, MIDDLE),
    )


def _check_ground(seen, found):
    """Raise InputError unless transparent pixels, which are black, are background or no class."""
    index = found.colors.ids.get(BLACK, 0) if found.colors else 0
    if index == IGNORED or not index and labels.is_background(found.names[0]):
        return
    path = next(filter(None, (files.on_ground for files in seen.values())))
    raise InputError(
        f"{path}: has transparent pixels, which are the background, and class {index} is "
        f"'{found.names[index]}': "
        + (
            f"{found.colors.source} gives it black; give it another colour there and in the masks"
            if index
            else "name a background first, or save the masks without transparency"
        )
    )


def _say_ground(seen):
    ground, total = mask_evidence.ground(seen), mask_evidence.num_pixels(seen)
    blank = next(filter(None, (files.blank for files in seen.values())), None)
    logger.warning(
        "masks with a transparent ground: %d; it is the background. %d of %d pixels (%.2f %%) are "
        "partly transparent edges; from %d of 255 on they belong to what is drawn%s",
        *(ground["masks"], ground["soft"], total, 100 * ground["soft"] / total, MIDDLE),
        f". Transparent everywhere: {ground['blank']}, {blank} first" if blank else "",
    )


def _refuse_lossy(seen, blended):
    """Raise InputError for masks in files that blend, unless blends are known for what they are."""
    for files in seen.values():
        if files.lossy and not blended:
            raise InputError(lossy_values(files.lossy, files))


def _nameless(seen):
    """Return what to say of colours for which there is no table."""
    of_parts = mask_evidence.colors({k: v for k, v in seen.items() if not k.indexed}) & {
        *PART_COLORS
    }
    for legend, files in seen.items():
        misfits = _misfits("rgb", legend, files)
        if of_parts and misfits and legend == GREY:
            first = next(path for k, v in seen.items() if not k.indexed for path in v.values())
            return (
                f"{describe(legend, misfits)} do not go with the parts of {first}; prepare sets of "
                "different formats one by one"
            )
    colors = mask_evidence.colors(seen)
    colored = {legend: files for legend, files in seen.items() if legend != GREY}
    path = next(iter(next(iter(colored.values())).values()))
    if len(colors) > MANY_COLORS:
        return f"{path}: the colours {listed(colors)} fit no mask format; {KNOWN} ({BLENDED})"
    advice = HOW_TO_NAME
    if mask_evidence.ground(seen):
        advice += " (what is transparent counts as black)"
    if colors <= {*color_tables.voc().ids}:
        advice += ", or say --colors voc if they are PASCAL VOC's"
    if any(mask_evidence.other_greys(*each) for each in seen.items()):
        advice += ", or save the masks without palettes if these greys are class ids"
    if mask_evidence.palettes_are_consistent(seen):
        advice += ", or say --mask_format index if the indices of the palettes are class ids"
    return f"{path}: the colours {listed(colors, MANY_COLORS)} have no names: {advice}"


def _misfits(format_name, legend, files, all_greys=False):
    """Return the part of `files`, first file by code, that a format cannot explain.

    `all_greys`: whether masks are binary with more than two values, or with another colour.
    """
    if format_name == "rgb":
        good = [code for code in files if legend.color(code) in PART_COLORS]
    elif mask_evidence.in_black_and_white(legend, files) and format_name == "binary" or all_greys:
        good = files
    elif not legend.indexed:
        good = []
    else:
        good = files if format_name == "index" else (0, 1, IGNORED)
    return {code: path for code, path in files.items() if code not in good}


def _highest(seen):
    highest = max(code for files in seen.values() for code in {0, *files} - {IGNORED})
    if highest == 0:
        raise InputError(
            "the masks hold no class but 0 (255 means no class): say --mask_format binary if 255 "
            "is the object"
        )
    return highest


def _numbered(highest):
    return ["background", *(f"class_{index}" for index in range(1, highest + 1))]
