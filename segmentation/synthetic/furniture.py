"""Furniture for drawn rooms, of boxes.

Each function of `FURNITURE` returns its width and its depth in metres and its parts, far and low
ones first: a class, the bounds (x0, x1, y0, y1, z0, z1) in metres from its corner, and a colour.
"""

import numpy as np

from segmentation.synthetic.portraits import backdrops


def wood(rng):
    """Return a colour of wood, or any that furniture is painted in, (3,) RGB 0..255."""
    if rng.random() < 0.6:
        return np.float32([176, 130, 86]) * rng.uniform(0.35, 1.2) * rng.uniform(0.92, 1.08, 3)
    return backdrops.hue(rng, (0.02, 0.45), (0.2, 0.85))


def _bed(rng):
    wide, deep, high = rng.uniform(1.2, 1.8), rng.uniform(1.9, 2.1), rng.uniform(0.4, 0.55)
    frame, cover, linen = wood(rng), backdrops.thing(rng), backdrops.hue(rng, (0, 0.4), (0.6, 1))
    head = ("bed", (0, wide, 0, rng.uniform(0.8, 1.1), deep - 0.08, deep), frame)
    base = ("bed", (0, wide, 0.08, high, 0, deep - 0.08), cover)
    sheet = ("bed", (0, wide, high, high + 0.03, deep - 0.75, deep - 0.08), linen)
    count = 1 if wide < 1.4 else 2
    side = wide / count
    rest = (high + 0.03, high + 0.17, deep - 0.55, deep - 0.12)
    pillows = [
        ("pillow", (n * side + 0.1, (n + 1) * side - 0.1, *rest), backdrops.thing(rng))
        for n in range(count)
    ]
    return wide, deep, [head, base, sheet, *pillows]


def _sofa(rng):
    wide, deep, color = rng.uniform(1.5, 2.2), rng.uniform(0.8, 0.95), backdrops.thing(rng)
    back = ("sofa", (0, wide, 0.1, rng.uniform(0.75, 0.95), deep - 0.22, deep), color)
    seat = ("sofa", (0.18, wide - 0.18, 0.08, 0.42, 0, deep - 0.22), color * 1.05)
    arms = [("sofa", (x, x + 0.18, 0.05, 0.6, 0, deep), color * 0.95) for x in (0, wide - 0.18)]
    at = rng.uniform(0.2, wide - 0.7)
    pillow = ("pillow", (at, at + 0.42, 0.42, 0.8, deep - 0.36, deep - 0.22), backdrops.thing(rng))
    return wide, deep, [back, seat, *([pillow] if rng.random() < 0.5 else []), *arms]


def _legs(name, wide, deep, high, thick, color):
    return [
        (name, (x, x + thick, 0, high, z, z + thick), color)
        for z in (deep - thick, 0)
        for x in (0, wide - thick)
    ]


def _table(rng):
    wide, deep, high = rng.uniform(0.7, 1.5), rng.uniform(0.6, 0.9), rng.uniform(0.62, 0.78)
    color = wood(rng)
    legs = _legs("table", wide, deep, high, 0.07, color * 0.85)
    return wide, deep, [*legs, ("table", (0, wide, high, high + 0.05, 0, deep), color)]


def _chair(rng):
    side, high, color = rng.uniform(0.42, 0.52), rng.uniform(0.42, 0.48), wood(rng)
    legs = _legs("chair", side, side, high, 0.045, color * 0.85)
    back = ("chair", (0, side, high, high + rng.uniform(0.4, 0.55), side - 0.05, side), color)
    seat = ("chair", (0, side, high, high + 0.05, 0, side - 0.05), backdrops.thing(rng))
    return side, side, [*legs, back, seat]


def _cabinet(rng):
    wide, deep, high = rng.uniform(0.7, 1.3), rng.uniform(0.4, 0.55), rng.uniform(0.7, 1.9)
    return wide, deep, [("cabinet", (0, wide, 0, high, 0, deep), wood(rng))]


def _lamp(rng):
    high, half = rng.uniform(1.35, 1.75), rng.uniform(0.15, 0.24)
    pole, shade = (
        backdrops.hue(rng, (0, 0.3), (0.1, 0.6)),
        backdrops.hue(rng, (0.05, 0.4), (0.85, 1)),
    )
    low, top = high - 0.32, high
    foot = ("lamp", (0.5 * half, 1.5 * half, 0, 0.03, 0.5 * half, 1.5 * half), pole)
    stick = ("lamp", (half - 0.02, half + 0.02, 0.03, low, half - 0.02, half + 0.02), pole)
    cover = ("lamp", (0, 2 * half, low, top, 0, 2 * half), shade * 1.15)
    return 2 * half, 2 * half, [foot, stick, cover]


def _plant(rng):
    side, high = rng.uniform(0.45, 0.75), rng.uniform(0.7, 1.4)
    pot = ("plant", (0.3 * side, 0.7 * side, 0, 0.3, 0.3 * side, 0.7 * side), backdrops.thing(rng))
    green = backdrops.hue(rng, (0.35, 0.8), (0.25, 0.65))
    green = np.float32([min(green), max(green), green[2]])
    return side, side, [pot, ("plant", (0, side, 0.4, high, 0, side), green)]


FURNITURE = {
    "bed": _bed,
    "sofa": _sofa,
    "table": _table,
    "chair": _chair,
    "cabinet": _cabinet,
    "lamp": _lamp,
    "plant": _plant,
}
