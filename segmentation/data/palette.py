"""A colour for each class: those of known data sets, PASCAL VOC's for the others."""

import functools
from pathlib import Path

from segmentation.data import labels

# The colours of LFW's part labels. Their blue background is black here, to let the image through.
KNOWN_COLORS = {"hair": [255, 0, 0], "face": [0, 255, 0]}
# The 150 classes of ADE20K's challenge in the order of its objectInfo150.txt, with the colours of
# color150.mat of https://github.com/CSAILVision/semantic-segmentation-pytorch
ADE20K_FILE = Path(__file__).with_name("ade20k_classes.tsv")
COLOR_DISTANCE = 24  # of 255, in one channel: VOC's colours are 32 apart, and 31 from pure red
VOC_COLORS = 512  # all that there are


@functools.cache
def ade20k():
    """Return `{name: (r, g, b)}` of ADE20K's 150 classes, in the order of their ids from 1 on."""
    rows = [line.split("\t") for line in ADE20K_FILE.read_text(encoding="utf-8").splitlines()[1:]]
    return {name: tuple(bytes.fromhex(color)) for _, color, name in rows}


def colors(names):
    """Return an `[r, g, b]`, 0..255, for each name: distinct, and always the same for one list.

    Background is black, hair red, face green, and ADE20K's classes have the colours of its
    palette. Any other class has PASCAL VOC's colour of its index (`VOClabelcolormap` of its
    development kit), which never uses the value 255, or another of VOC's where that is black, or
    a class of a palette has nearly the same. ADE20K has one colour twice, for road and skyscraper:
    where both are named, the second is coloured like any other class.
    """
    found = {}
    for index, name in enumerate(names):
        color = _palette_color(name)
        if color and color not in found.values():
            found[index] = color
    elsewhere = [index for index in range(len(names)) if index not in found]
    for index in list(elsewhere):
        if index and _is_apart(voc_color(index), found.values()):  # 0 is black, as background is
            found[index] = voc_color(index)
            elsewhere.remove(index)
    for index in elsewhere:
        candidates = map(voc_color, range(1, VOC_COLORS))
        found[index] = next(color for color in candidates if _is_apart(color, found.values()))
    return [list(found[index]) for index in range(len(names))]


def _palette_color(name):
    if labels.is_background(name):
        return (0, 0, 0)
    if name.strip().lower() in KNOWN_COLORS:
        return tuple(KNOWN_COLORS[name.strip().lower()])
    return ade20k().get(name.strip())


def voc_color(index):
    """Return `(r, g, b)` of an index in the palette of PASCAL VOC."""
    # VOC spreads the bits of the index over the three channels, the lowest bits brightest.
    return tuple(
        sum(((index >> (3 * bit + channel)) & 1) << (7 - bit) for bit in range(3))
        for channel in range(3)
    )


def _is_apart(color, others):
    return all(
        max(abs(a - b) for a, b in zip(color, other, strict=True)) >= COLOR_DISTANCE
        for other in others
    )
