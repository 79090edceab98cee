"""Models of furniture, built of boxes.

Each function of `FURNITURE` returns the width and the depth of a random piece in metres, and its
boxes, measured from its left front corner, in painting order: distant and low ones first.
"""

import numpy as np

from segmentation.synthetic import colors
from segmentation.synthetic.rooms.boxes import Box


def _bed(rng):
    width, depth, height = rng.uniform(1.2, 1.8), rng.uniform(1.9, 2.1), rng.uniform(0.4, 0.55)
    frame, cover, linen = colors.wood(rng), colors.thing(rng), colors.hue(rng, (0, 0.4), (0.6, 1))
    head = Box("bed", (0, width, 0, rng.uniform(0.8, 1.1), depth - 0.08, depth), frame)
    base = Box("bed", (0, width, 0.08, height, 0, depth - 0.08), cover)
    sheet = Box("bed", (0, width, height, height + 0.03, depth - 0.75, depth - 0.08), linen)
    count = 1 if width < 1.4 else 2
    side = width / count
    rest = (height + 0.03, height + 0.17, depth - 0.55, depth - 0.12)
    pillows = [
        Box("pillow", (n * side + 0.1, (n + 1) * side - 0.1, *rest), colors.thing(rng))
        for n in range(count)
    ]
    return width, depth, [head, base, sheet, *pillows]


def _sofa(rng):
    width, depth, color = rng.uniform(1.5, 2.2), rng.uniform(0.8, 0.95), colors.thing(rng)
    back = Box("sofa", (0, width, 0.1, rng.uniform(0.75, 0.95), depth - 0.22, depth), color)
    seat = Box("sofa", (0.18, width - 0.18, 0.08, 0.42, 0, depth - 0.22), color * 1.05)
    arms = [
        Box("sofa", (x, x + 0.18, 0.05, 0.6, 0, depth), color * 0.95) for x in (0, width - 0.18)
    ]
    at = rng.uniform(0.2, width - 0.7)
    pillow = Box(
        "pillow", (at, at + 0.42, 0.42, 0.8, depth - 0.36, depth - 0.22), colors.thing(rng)
    )
    return width, depth, [back, seat, *([pillow] if rng.random() < 0.5 else []), *arms]


def _legs(name, width, depth, height, thick, color):
    return [
        Box(name, (x, x + thick, 0, height, z, z + thick), color)
        for z in (depth - thick, 0)
        for x in (0, width - thick)
    ]


def _table(rng):
    width, depth, height = rng.uniform(0.7, 1.5), rng.uniform(0.6, 0.9), rng.uniform(0.62, 0.78)
    color = colors.wood(rng)
    legs = _legs("table", width, depth, height, 0.07, color * 0.85)
    return width, depth, [*legs, Box("table", (0, width, height, height + 0.05, 0, depth), color)]


def _chair(rng):
    side, height, color = rng.uniform(0.42, 0.52), rng.uniform(0.42, 0.48), colors.wood(rng)
    legs = _legs("chair", side, side, height, 0.045, color * 0.85)
    back = Box(
        "chair", (0, side, height, height + rng.uniform(0.4, 0.55), side - 0.05, side), color
    )
    seat = Box("chair", (0, side, height, height + 0.05, 0, side - 0.05), colors.thing(rng))
    return side, side, [*legs, back, seat]


def _cabinet(rng):
    width, depth, height = rng.uniform(0.7, 1.3), rng.uniform(0.4, 0.55), rng.uniform(0.7, 1.9)
    return width, depth, [Box("cabinet", (0, width, 0, height, 0, depth), colors.wood(rng))]


def _lamp(rng):
    height, half = rng.uniform(1.35, 1.75), rng.uniform(0.15, 0.24)
    pole, shade = (
        colors.hue(rng, (0, 0.3), (0.1, 0.6)),
        colors.hue(rng, (0.05, 0.4), (0.85, 1)),
    )
    low = height - 0.32
    foot = Box("lamp", (0.5 * half, 1.5 * half, 0, 0.03, 0.5 * half, 1.5 * half), pole)
    stick = Box("lamp", (half - 0.02, half + 0.02, 0.03, low, half - 0.02, half + 0.02), pole)
    cover = Box("lamp", (0, 2 * half, low, height, 0, 2 * half), shade * 1.15)
    return 2 * half, 2 * half, [foot, stick, cover]


def _plant(rng):
    side, height = rng.uniform(0.45, 0.75), rng.uniform(0.7, 1.4)
    pot = Box("plant", (0.3 * side, 0.7 * side, 0, 0.3, 0.3 * side, 0.7 * side), colors.thing(rng))
    green = colors.hue(rng, (0.35, 0.8), (0.25, 0.65))
    green = np.float32([min(green), max(green), green[2]])
    return side, side, [pot, Box("plant", (0, side, 0.4, height, 0, side), green)]


FURNITURE = {
    "bed": _bed,
    "sofa": _sofa,
    "table": _table,
    "chair": _chair,
    "cabinet": _cabinet,
    "lamp": _lamp,
    "plant": _plant,
}
