"""What is on the walls of a room: doors, windows with curtains, paintings."""

from typing import NamedTuple

import numpy as np

from segmentation.synthetic import colors
from segmentation.synthetic.rooms.geometry import Room


class Wall(NamedTuple):
    """A wall; positions along it are metres from its left corner or, at a side, from the camera."""

    room: Room
    side: str  # left, right or ahead

    @property
    def length(self):
        """Return the length of the wall in metres."""
        return self.room.width if self.side == "ahead" else self.room.depth

    def rectangle(self, start, end, low, high, out=0.0):
        """Return a rectangle on the wall, (4, 3) metres, that stands `out` metres off it."""
        if self.side == "ahead":
            corners = [(at - self.room.width / 2, self.room.depth - out) for at in (start, end)]
        else:
            x = (self.room.width / 2 - out) * (-1 if self.side == "left" else 1)
            corners = [(x, at) for at in (start, end)]
        (x0, z0), (x1, z1) = corners
        return [(x0, low, z0), (x1, low, z1), (x1, high, z1), (x0, high, z0)]


def paint(scene):
    """Paint a random row of hangings on each wall."""
    rng = scene.rng
    for side in ("left", "right", "ahead"):
        wall = Wall(scene.room, side)
        start = rng.uniform(0.2, 0.7) if side == "ahead" else rng.uniform(1.2, 1.8)
        while start < wall.length - 0.7:
            kind = rng.choice(["window", "door", "painting", "none"], p=[0.35, 0.15, 0.3, 0.2])
            widths = {"window": rng.uniform(0.8, 1.6), "door": rng.uniform(0.75, 0.95)}
            end = start + widths.get(kind, rng.uniform(0.5, 1.0))
            if end < wall.length - 0.15 and kind != "none":
                HANGINGS[kind](scene, wall, start, end)
            start = end + rng.uniform(0.35, 0.9)


def _window(scene, wall, start, end):
    rng = scene.rng
    low, high = rng.uniform(0.7, 1.0), scene.room.height - rng.uniform(0.25, 0.5)
    frame, day = colors.hue(rng, (0, 0.3), (0.3, 1)), rng.random() < 0.8
    scene.fill(wall.rectangle(start, end, low, high), frame, "windowpane")
    columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    glass = colors.hue(rng, (0.03, 0.35), (0.85, 1.0) if day else (0.08, 0.25))
    land = colors.hue(rng, (0.2, 0.6), (0.3, 0.7)) * (1 if day else 0.3)
    sides = np.linspace(start, end, columns + 1)
    levels = np.linspace(low, high, rows + 1)
    for left, right in zip(sides, sides[1:], strict=False):
        for row, (bottom, top) in enumerate(zip(levels, levels[1:], strict=False)):
            pane = (left + 0.04, right - 0.04, bottom + 0.04)
            scene.fill(wall.rectangle(*pane, top - 0.04), glass)
            if row == 0:
                skyline = bottom + rng.uniform(0.2, 0.5) * (top - bottom)
                scene.fill(wall.rectangle(*pane, skyline), land)
    if rng.random() < 0.6:
        _curtains(scene, wall, start, end, high)


def _curtains(scene, wall, start, end, high):
    rng = scene.rng
    color, low = colors.thing(rng), rng.choice([0.03, 0.55])
    width = rng.uniform(0.2, 0.35)
    for left in (start - 0.7 * width, end - 0.3 * width):
        folds = np.linspace(left, left + width, 9)
        for fold, (one, other) in enumerate(zip(folds, folds[1:], strict=False)):
            strip = wall.rectangle(one, other, low, high + 0.12, out=0.06)
            scene.fill(strip, color, "curtain", 1 - 0.22 * (fold % 2))


def _door(scene, wall, start, end):
    rng, high = scene.rng, scene.rng.uniform(1.95, 2.1)
    color = colors.hue(rng, (0, 0.6), (0.2, 0.95))
    scene.fill(wall.rectangle(start, end, 0, high), color, "door", 0.75)
    scene.fill(wall.rectangle(start + 0.06, end - 0.06, 0, high - 0.06), color)
    for low, top in ((0.2, 0.9), (1.05, high - 0.2)):
        scene.fill(wall.rectangle(start + 0.17, end - 0.17, low, top), color, gain=0.88)
    knob = start + 0.12 if rng.random() < 0.5 else end - 0.14
    scene.fill(wall.rectangle(knob, knob + 0.05, 0.98, 1.03), (200, 190, 140))


def _painting(scene, wall, start, end):
    rng, low = scene.rng, scene.rng.uniform(1.2, 1.5)
    high = min(low + rng.uniform(0.4, 0.8), scene.room.height - 0.2)
    scene.fill(wall.rectangle(start, end, low, high), colors.thing(rng), "painting")
    inside = (start + 0.05, end - 0.05, low + 0.05, high - 0.05)
    scene.fill(wall.rectangle(*inside), colors.thing(rng))
    for _ in range(rng.integers(2, 5)):
        xs = np.sort(rng.uniform(inside[0], inside[1], 2))
        ys = np.sort(rng.uniform(inside[2], inside[3], 2))
        scene.fill(wall.rectangle(*xs, *ys), colors.thing(rng))


HANGINGS = {"window": _window, "door": _door, "painting": _painting}
