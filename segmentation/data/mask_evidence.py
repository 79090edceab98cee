"""What all masks of a set show together, and what that is evidence of.

Colours, blends of black and white, and whether the indices of palettes can be class ids.
"""

from collections import Counter

from segmentation.data import color_tables, palette
from segmentation.data.labels import IGNORED
from segmentation.data.masks import BLACK, GREY, MID, WHITE, listed

ENDS = 32  # greys so near to black or to white belong to it, as JPEG leaves them
FEW_BLENDED = 0.2  # of all pixels, at most, are farther from both
FEW_EACH = 0.02  # of all pixels, at most, have one such grey: a class has a larger area
DARK, LIGHT = range(1, 85), range(171, IGNORED)  # blends are in both of them
MANY_GREYS = 8  # class ids may be as many, but not at both ends of the range
VOC_COLORS = 4  # beside black: so many colours of its palette are no accident


class Shown(dict):
    """What the masks of one legend show: `{code: first file that shows it}`.

    Attributes:
        pixels: a `Counter` of the pixels of each code.
        by_frequency: whether the codes of every file are 0, 1, 2 …, the most frequent first.
        lossy: the first file that is `masks.Mask.lossy`, or None.
        ground: a `Counter` of the files with transparency ("masks"), of those that are transparent
            everywhere ("blank"), and of their pixels as `masks.Mask` has them ("clear", "soft").
        on_ground: the first file with transparency, or None.
        blank: the first file that is transparent everywhere, or None.
    """

    def __init__(self):
        super().__init__()
        self.pixels, self.by_frequency, self.lossy = Counter(), True, None
        self.ground, self.on_ground, self.blank = Counter(), None, None


def note(seen, mask, path):
    """Add what a `masks.Mask` shows to `seen`: `{legend: Shown}`."""
    shown = seen.setdefault(mask.legend, Shown())
    for code, pixels in zip(mask.shown, mask.pixels, strict=True):
        shown.setdefault(code, path)
        shown.pixels[code] += pixels
    in_order = mask.pixels == sorted(mask.pixels, reverse=True)
    shown.by_frequency &= in_order and mask.shown == list(range(len(mask.shown)))
    if mask.lossy:
        shown.lossy = shown.lossy or path
    if mask.clear or mask.soft:
        blank = mask.clear == sum(mask.pixels)
        shown.ground.update(masks=1, blank=int(blank), clear=mask.clear, soft=mask.soft)
        shown.on_ground = shown.on_ground or path
        shown.blank = shown.blank or (path if blank else None)


def colors(seen):
    """Return the set of all colours shown, `(red, green, blue)`."""
    return {legend.color(code) for legend, files in seen.items() for code in files}


def ground(seen):
    """Return `Shown.ground` of all masks."""
    return sum((files.ground for files in seen.values()), Counter())


def shows_black(seen):
    """Return whether masks show black that was not transparent."""
    black = sum(
        pixels
        for legend, files in seen.items()
        for code, pixels in files.pixels.items()
        if legend.color(code) == BLACK
    )
    return black > ground(seen)["clear"]


def num_pixels(seen):
    """Return the number of pixels of all masks."""
    return sum(files.pixels.total() for files in seen.values())


def greys(seen):
    """Return the part of the grey masks' `Shown` between black and white."""
    return {code: path for code, path in seen.get(GREY, {}).items() if 0 < code < IGNORED}


def in_black_and_white(legend, codes):
    """Return whether some codes of a legend are shown in black and white alone."""
    return all(legend.color(code) in (BLACK, WHITE) for code in codes)


def one_on_black(seen):
    """Return whether the masks show one colour, or one grey, on black, and nothing else."""
    shown = colors(seen)
    return len(shown) == 2 and BLACK in shown


def file_with_1(seen):
    """Return the first file with the number 1, where that is no index of black or white."""
    for legend, files in seen.items():
        if 1 in files and not in_black_and_white(legend, files):
            return files[1]
    return None


def file_with_white(seen):
    """Return the first file with white or 255; a palette may show another index in white."""
    for legend, files in seen.items():
        white = in_black_and_white(legend, files)
        for code, path in files.items():
            if code == IGNORED or (white and legend.color(code) == WHITE):
                return path
    return None


def are_blended(seen, two_classes=False):
    """Return whether masks are black and white with blended edges, and can be nothing else.

    Drawing programs blend the edges of a shape, and JPEG adds noise around them: many greys from
    dark to light, each of few pixels. Class ids are few, low, or cover areas.

    Args:
        seen: what the masks show.
        two_classes: whether that is known, so that greys cannot be class ids.
    """
    between = greys(seen)
    if any(legend != GREY and not in_black_and_white(legend, seen[legend]) for legend in seen):
        return False
    if not between or not file_with_white(seen) and max(between) < 256 - ENDS:
        return False
    pixels, total = seen[GREY].pixels, num_pixels(seen)
    middle = [pixels[code] for code in between if ENDS <= code < 256 - ENDS]
    if sum(middle) > FEW_BLENDED * total:
        return False
    spread = all(any(code in part for code in between) for part in (DARK, LIGHT))
    small = max(middle, default=0) <= FEW_EACH * total
    if two_classes:
        return may_be_shades(seen) is not None  # low numbers may be ids that have no name
    return len(between) >= MANY_GREYS and spread and small


def in_voc_palette(seen):
    """Return whether every palette is PASCAL VOC's, as far as it is used."""
    return all(
        legend == GREY
        or all(code == IGNORED or legend.color(code) == palette.voc_color(code) for code in files)
        for legend, files in seen.items()
    )


def in_voc_colors(seen):
    """Return whether colour masks can only be in the colours of PASCAL VOC."""
    shown = colors(seen)
    if all(legend.indexed for legend in seen) or not shown <= {*color_tables.voc().ids}:
        return False
    return color_tables.VOC_BORDER in shown or len(shown - {BLACK}) >= VOC_COLORS


def palettes_are_consistent(seen):
    """Return whether masks have numbers, not colours, and one number one colour in all files.

    Black, if palettes have it, is 0, as background is.
    """
    if any(not legend.indexed for legend in seen):
        return False
    pairs = _paletted(seen)
    color_of = dict(pairs)
    distinct = len({*color_of.values()}) == len(color_of) == len(pairs)
    return distinct and not any(color == BLACK and code for code, color in pairs)


def _paletted(seen):
    """Return `{(code, color)}` of what palettes show."""
    return {
        (code, legend.color(code))
        for legend, files in seen.items()
        if legend.indexed and legend != GREY
        for code in files
    }


def palettes_are_ids(seen):
    """Return whether the numbers of masks can only be class ids, as far as palettes tell.

    They are where palettes are consistent, unless their order is that of brightness or of
    frequency: in these, image software puts the colours that it counts in a file.
    """
    if all(legend.indexed for legend in seen) and in_voc_palette(seen):
        return True
    if not palettes_are_consistent(seen):
        return False
    color_of = dict(_paletted(seen))
    brightness = [sum(color_of[code]) for code in sorted(color_of)]
    if len(color_of) > 1 and brightness == sorted(brightness, reverse=True):
        return False
    by_frequency = all(files.by_frequency for legend, files in seen.items() if legend != GREY)
    return len(color_of) < 3 or not by_frequency


def in_greys(legend):
    """Return whether a palette holds greys alone."""
    red, green, blue = (legend.palette[channel::3] for channel in range(3))
    return red == green == blue


def other_greys(legend, codes):
    """Return the greys in which a palette shows codes, where either of the two may be class ids.

    Image software that reduces grey files stores them with a palette, in an order of its own. Empty
    if the palette has colours or shows each code in its own grey, and for black and white.
    """
    if not legend.indexed or not in_greys(legend):
        return []
    pairs = [(code, legend.color(code)[0]) for code in sorted(codes) if legend.color(code)]
    greys = [grey for _, grey in pairs]
    white_on_black = {(code > 0, grey) for code, grey in pairs} <= {(False, 0), (True, IGNORED)}
    plain = all(code == grey for code, grey in pairs) or white_on_black
    return [] if plain or len({*greys}) < len(greys) else greys


def describe(legend, files):
    """Describe what the first of some files shows, `{code: first file}` of a legend."""
    path = next(iter(files.values()))
    codes = [code for code, first in files.items() if first == path]
    if legend.indexed:
        return f"{path}: the values {listed(codes)}"
    return f"{path}: the colours {listed(map(legend.color, codes))}"


def may_be_shades(seen):
    """Return the first file of grey that is neither nearly black nor nearly white, or None."""
    return next((path for code, path in greys(seen).items() if code >= MID.start), None)
