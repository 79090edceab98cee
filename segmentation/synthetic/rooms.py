"""Drawn rooms: a picture and its mask of ADE20K's classes from one geometry.

A box of a room, seen by a camera that stands in it, with furniture of boxes. Colours are chosen
for each thing anew, so a network that is trained on them must learn shape and place.
"""

from typing import NamedTuple

import numpy as np

from segmentation.data import palette
from segmentation.synthetic import furniture
from segmentation.synthetic.portraits import backdrops
from segmentation.synthetic.portraits.canvas import SIDE, Canvas, blotches, photograph, tinted

STREAM = 3  # of random numbers, beside those of portraits
IDS = {name.split(",")[0]: index for index, name in enumerate(palette.ade20k(), start=1)}
NEAR = 0.3  # metres: what is nearer to the camera is cut off
FOCAL = 0.72 * SIDE  # pixels: 70 degrees across
WIDTHS, HEIGHTS = (224, SIDE + 1), (168, 200)  # pixels, of pictures
# How brightly a face is lit that looks up, down, along x and along z.
UP, DOWN, ALONG_X, ALONG_Z = 1.12, 0.6, 0.82, 0.97
GAP = 0.08  # metres between things
NEAREST = 1.5  # metres from the camera's wall to furniture


class Room(NamedTuple):
    """A room and the camera in it, in metres and radians: x to the right, y up, z ahead."""

    width: float
    height: float
    depth: float  # from the camera to the wall ahead
    eye: np.ndarray  # (x, y, 0); x = 0 is in the middle
    yaw: float
    horizon: float  # pixels from the top

    def project(self, points):
        """Return an outline (n, 3) as seen by the camera, (m, 2) pixels, or None if behind it."""
        x, y, z = (np.asarray(points, float) - self.eye).T
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        seen = _in_front(np.stack([cos * x - sin * z, y, sin * x + cos * z], axis=1))
        if len(seen) < 3:
            return None
        scaled = FOCAL * seen[:, :2] / seen[:, 2:]
        return np.stack([SIDE / 2 + scaled[:, 0], self.horizon - scaled[:, 1]], axis=1)

    def rays(self):
        """Return the direction in which each pixel looks, three (SIDE, SIDE) arrays x, y, z."""
        across = (np.arange(SIDE) + 0.5 - SIDE / 2)[None] / FOCAL + np.zeros((SIDE, 1))
        up = (self.horizon - np.arange(SIDE) - 0.5)[:, None] / FOCAL + np.zeros((1, SIDE))
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        return cos * across + sin, up, cos - sin * across


def _in_front(points):
    """Cut an outline (n, 3) off where it comes nearer than NEAR (Sutherland and Hodgman)."""
    kept = []
    for point, following in zip(points, np.roll(points, -1, axis=0), strict=True):
        if point[2] >= NEAR:
            kept.append(point)
        if (point[2] >= NEAR) != (following[2] >= NEAR):
            share = (NEAR - point[2]) / (following[2] - point[2])
            kept.append(point + share * (following - point))
    return np.reshape(kept, (-1, 3))


def room(seed, index):
    """Draw a room: a pure function of its arguments.

    Args:
        seed: non-negative integer, of the whole collection.
        index: which picture, from 0.

    Returns: (image, mask): (H, W, 3) uint8 RGB and (H, W) uint8 ids of ADE20K's classes; H is 168
        to 199, W 224 to 250 pixels.
    """
    rng = np.random.default_rng([seed, STREAM, index])
    place = Room(
        width := rng.uniform(3.4, 5.5),
        rng.uniform(2.3, 2.9),
        rng.uniform(3.4, 5.5),
        np.array([rng.uniform(-0.25, 0.25) * width, rng.uniform(1.35, 1.7), 0]),
        rng.uniform(-0.4, 0.4),
        SIDE * rng.uniform(0.4, 0.48),
    )
    painter = _Painter(place, rng)
    painter.shell()
    painter.hang()
    painter.furnish()
    width, height = int(rng.integers(*WIDTHS)), int(rng.integers(*HEIGHTS))
    left, top = (SIDE - width) // 2, (SIDE - height) // 2
    crop = slice(top, top + height), slice(left, left + width)
    light = 1 + 0.25 * blotches(rng, 170)  # it falls from some side
    image = painter.canvas.image * np.clip(light, 0.5, 1.15)[:, :, None]
    return photograph(np.ascontiguousarray(image[crop]), rng), painter.canvas.ids[crop].copy()


class _Painter:
    """Paints a room, far things first."""

    def __init__(self, place, rng):
        self.place, self.rng = place, rng
        self.canvas = Canvas(np.zeros((SIDE, SIDE, 3), np.float32))
        self.grain = 0.035 * blotches(rng, 5) + 0.05 * blotches(rng, 40)
        self.taken = []  # (x0, x1, z0, z1) of the floor

    def shell(self):
        """Paint walls, floor and ceiling: what each ray meets first."""
        place, rng = self.place, self.rng
        x, y, z = place.rays()
        with np.errstate(divide="ignore"):
            side = (np.sign(x) * place.width / 2 - place.eye[0]) / x
            level = np.where(y > 0, place.height - place.eye[1], -place.eye[1]) / y
            ahead = np.where(z > 0, place.depth / z, np.inf)
        reach = np.minimum(np.minimum(side, level), ahead)
        across, up, far = (place.eye[:, None, None] + reach * np.stack([x, y, z])).astype("f4")
        wall, pale = backdrops.hue(rng, (0.02, 0.5), (0.4, 0.85)), (0.02, 0.12)
        pattern = 1 + self.grain
        if rng.random() < 0.3:  # striped paper
            along = np.where(ahead <= side, across, far)
            pattern = pattern + 0.06 * np.sign(np.sin(along * rng.uniform(12, 30)))
        pattern = pattern * np.where(ahead <= side, ALONG_Z, ALONG_X)
        picture = tinted(wall, pattern.astype(np.float32))
        flat = level <= np.minimum(side, ahead)
        ground, above = flat & (y < 0), flat & (y >= 0)
        picture[ground] = tinted(furniture.wood(rng), self._flooring(across, far))[ground]
        ceiling = backdrops.hue(rng, pale, (0.6, 0.9))
        picture[above] = tinted(ceiling, (0.95 + 0.5 * self.grain).astype(np.float32))[above]
        # Corners are a little darker, as less light gets there.
        edges = np.stack([place.width / 2 - np.abs(across), place.height - up, place.depth - far])
        nearest = np.sort(np.stack([*edges, up]), axis=0)[1]
        picture *= (1 - 0.25 * np.exp(-nearest / 0.25))[:, :, None]
        self.canvas.image = picture.astype(np.float32)
        self.canvas.ids = np.where(
            ground, IDS["floor"], np.where(above, IDS["ceiling"], IDS["wall"])
        ).astype(np.uint8)

    def _flooring(self, across, far):
        kind = self.rng.integers(3)
        if kind == 0:  # carpet
            return 1 + 0.06 * blotches(self.rng, 2) + self.grain
        if kind == 1:  # tiles
            size = self.rng.uniform(0.3, 0.6)
            seam = (np.minimum(across % size, far % size) < 0.02) * 0.3
            return (1 - seam + self.grain).astype(np.float32)
        planks = np.floor(across / self.rng.uniform(0.12, 0.25))
        tone = 1 + 0.1 * np.sin(planks * 12.9898) + 0.04 * np.sin(far * 9 + planks * 5)
        return (tone + self.grain).astype(np.float32)

    def hang(self):
        """Paint what is on the walls: a door, windows with curtains, paintings."""
        rng, place = self.rng, self.place
        for wall in ("left", "right", "ahead"):
            length = place.width if wall == "ahead" else place.depth
            start = rng.uniform(0.2, 0.7) if wall == "ahead" else rng.uniform(1.2, 1.8)
            while start < length - 0.7:
                kind = rng.choice(["window", "door", "painting", "none"], p=[0.35, 0.15, 0.3, 0.2])
                size = {"window": rng.uniform(0.8, 1.6), "door": rng.uniform(0.75, 0.95)}
                end = start + size.get(kind, rng.uniform(0.5, 1.0))
                if end < length - 0.15 and kind != "none":
                    getattr(self, f"_{kind}")(wall, start, end)
                start = end + rng.uniform(0.35, 0.9)

    def _on_wall(self, wall, start, end, low, high, out=0.0):
        """Return a rectangle on a wall, (4, 3) metres; `out` is how far it stands out."""
        place = self.place
        if wall == "ahead":
            corners = [(s - place.width / 2, place.depth - out) for s in (start, end)]
        else:
            x = (place.width / 2 - out) * (-1 if wall == "left" else 1)
            corners = [(x, s) for s in (start, end)]
        (x0, z0), (x1, z1) = corners
        return [(x0, low, z0), (x1, low, z1), (x1, high, z1), (x0, high, z0)]

    def _fill(self, points, color, name=None, gain=1.0, **options):
        outline = self.place.project(points)
        if outline is not None:
            color = tinted(color, (gain * (1 + self.grain)).astype(np.float32))
            self.canvas.paint([outline], color, IDS[name] if name else None, **options)

    def _window(self, wall, start, end):
        rng = self.rng
        low, high = rng.uniform(0.7, 1.0), self.place.height - rng.uniform(0.25, 0.5)
        frame, day = backdrops.hue(rng, (0, 0.3), (0.3, 1)), rng.random() < 0.8
        self._fill(self._on_wall(wall, start, end, low, high), frame, "windowpane")
        columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        glass = backdrops.hue(rng, (0.03, 0.35), (0.85, 1.0) if day else (0.08, 0.25))
        land = backdrops.hue(rng, (0.2, 0.6), (0.3, 0.7)) * (1 if day else 0.3)
        sides = np.linspace(start, end, columns + 1)
        levels = np.linspace(low, high, rows + 1)
        for left, right in zip(sides, sides[1:], strict=False):
            for row, (bottom, top) in enumerate(zip(levels, levels[1:], strict=False)):
                pane = (left + 0.04, right - 0.04, bottom + 0.04)
                self._fill(self._on_wall(wall, *pane, top - 0.04), glass)
                if row == 0:
                    edge = bottom + rng.uniform(0.2, 0.5) * (top - bottom)
                    self._fill(self._on_wall(wall, *pane, edge), land)
        if rng.random() < 0.6:
            self._curtains(wall, start, end, high)

    def _curtains(self, wall, start, end, high):
        rng = self.rng
        color, low = backdrops.thing(rng), rng.choice([0.03, 0.55])
        width = rng.uniform(0.2, 0.35)
        for left in (start - 0.7 * width, end - 0.3 * width):
            folds = np.linspace(left, left + width, 9)
            for fold, (one, other) in enumerate(zip(folds, folds[1:], strict=False)):
                strip = self._on_wall(wall, one, other, low, high + 0.12, out=0.06)
                self._fill(strip, color, "curtain", 1 - 0.22 * (fold % 2))

    def _door(self, wall, start, end):
        rng, high = self.rng, self.rng.uniform(1.95, 2.1)
        color = backdrops.hue(rng, (0, 0.6), (0.2, 0.95))
        self._fill(self._on_wall(wall, start, end, 0, high), color, "door", 0.75)
        self._fill(self._on_wall(wall, start + 0.06, end - 0.06, 0, high - 0.06), color)
        for low, top in ((0.2, 0.9), (1.05, high - 0.2)):
            self._fill(self._on_wall(wall, start + 0.17, end - 0.17, low, top), color, gain=0.88)
        knob = start + 0.12 if rng.random() < 0.5 else end - 0.14
        self._fill(self._on_wall(wall, knob, knob + 0.05, 0.98, 1.03), (200, 190, 140))

    def _painting(self, wall, start, end):
        rng, low = self.rng, self.rng.uniform(1.2, 1.5)
        high = min(low + rng.uniform(0.4, 0.8), self.place.height - 0.2)
        self._fill(self._on_wall(wall, start, end, low, high), backdrops.thing(rng), "painting")
        inside = (start + 0.05, end - 0.05, low + 0.05, high - 0.05)
        self._fill(self._on_wall(wall, *inside), backdrops.thing(rng))
        for _ in range(rng.integers(2, 5)):
            xs = np.sort(rng.uniform(inside[0], inside[1], 2))
            ys = np.sort(rng.uniform(inside[2], inside[3], 2))
            self._fill(self._on_wall(wall, *xs, *ys), backdrops.thing(rng))

    def furnish(self):
        """Paint a rug, and the furniture from the far wall on."""
        rng, place = self.rng, self.place
        if rng.random() < 0.5:
            x, z = rng.uniform(-0.8, 0.8), rng.uniform(0.5, 0.7) * place.depth
            half = rng.uniform(0.7, 1.3), rng.uniform(0.5, 0.9)
            corners = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
            if rng.random() < 0.4:
                angles = np.linspace(0, 2 * np.pi, 40)
                corners = np.stack([np.cos(angles), np.sin(angles)], axis=1)
            color = backdrops.thing(rng)
            for share, gain in ((1, 1), (0.85, 0.8), (0.75, 1.05)):
                edge = [
                    (x + share * half[0] * a, 0.01, z + share * half[1] * b) for a, b in corners
                ]
                self._fill(edge, color, "rug", gain)
        wanted = ["bed" if rng.random() < 0.45 else "sofa", "cabinet", "lamp", "plant", "table"]
        wanted += ["chair"] * int(rng.integers(1, 4))
        wanted = [name for name in wanted if rng.random() < 0.8]
        placed = [things for name in wanted if (things := self._placed(name))]
        for (x0, x1, z0, z1), parts in sorted(placed, key=lambda thing: -thing[0][3]):
            shadow = [(x0, 0, z0), (x1, 0, z0), (x1, 0, z1), (x0, 0, z1)]
            self._fill(shadow, (10, 10, 10), opacity=0.45, blur=3)
            for part in parts:
                self._box(*part)

    def _placed(self, name):
        """Return the floor that a thing takes and its parts, or None where there is no room."""
        rng, place = self.rng, self.place
        for _ in range(12):
            wide, deep, parts = furniture.FURNITURE[name](rng)
            if rng.random() < 0.5:  # turned by a quarter
                wide, deep = deep, wide
                parts = [
                    (n, (z0, z1, y0, y1, x0, x1), c) for n, (x0, x1, y0, y1, z0, z1), c in parts
                ]
            free_x, free_z = place.width - wide - 2 * GAP, place.depth - deep - GAP
            # Along a wall, but for chairs and tables, which stand anywhere.
            loose = name in ("chair", "table")
            x = GAP + free_x * rng.choice([0.0, 1.0, rng.random()], p=[0.3, 0.3, 0.4])
            against = GAP < x < GAP + free_x and not loose
            z = NEAREST + (free_z - NEAREST) * (1.0 if against else rng.random())
            if free_x < 0 or free_z < NEAREST:
                continue
            floor = (x - place.width / 2, x - place.width / 2 + wide, z, z + deep)
            if all(_apart(floor, other) for other in self.taken):
                self.taken.append(floor)
                moved = [
                    (n, (x0 + floor[0], x1 + floor[0], y0, y1, z0 + z, z1 + z), c)
                    for n, (x0, x1, y0, y1, z0, z1), c in parts
                ]
                return floor, moved
        return None

    def _box(self, name, bounds, color):
        """Paint those faces of a box that the camera sees; a lamp's shade and leaves are round."""
        x0, x1, y0, y1, z0, z1 = bounds
        eye = self.place.eye
        if name == "plant" and y0 > 0.2:
            self._leaves(bounds, color)
            return
        faces = [
            (eye[1] < y0, DOWN, [(x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)]),
            (eye[0] < x0, ALONG_X, [(x0, y0, z0), (x0, y0, z1), (x0, y1, z1), (x0, y1, z0)]),
            (eye[0] > x1, ALONG_X, [(x1, y0, z0), (x1, y0, z1), (x1, y1, z1), (x1, y1, z0)]),
            (eye[2] < z0, ALONG_Z, [(x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)]),
            (eye[1] > y1, UP, [(x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)]),
        ]
        for visible, gain, points in faces:
            if visible:
                self._fill(points, color, name, gain)
                if name == "cabinet" and gain in (ALONG_X, ALONG_Z):
                    self._drawers(points, color)

    def _drawers(self, points, color):
        first, second, third, _ = np.array(points)
        for row in range(3):
            ends = [
                [first + a * (second - first) + b * (third - second)]
                for b in ((row + 0.1) / 3, (row + 0.9) / 3)
                for a in (0.06, 0.94)
            ]
            low_left, low_right, high_left, high_right = np.concatenate(ends)
            self._fill([low_left, low_right, high_right, high_left], color, gain=0.78)

    def _leaves(self, bounds, color):
        x0, x1, y0, y1, z0, z1 = bounds
        middle = np.array([(x0 + x1) / 2, y0 - 0.1, (z0 + z1) / 2])
        for _ in range(self.rng.integers(12, 22)):
            tip = np.array([self.rng.uniform(x0, x1), self.rng.uniform(y0, y1), middle[2]])
            along = tip - middle
            aside = 0.16 * np.array([along[1], -along[0], 0])
            leaf = [middle, middle + 0.6 * along + aside, tip, middle + 0.6 * along - aside]
            self._fill(leaf, color, "plant", self.rng.uniform(0.65, 1.2))


def _apart(one, other):
    return (
        one[1] + GAP < other[0]
        or other[1] + GAP < one[0]
        or one[3] + GAP < other[2]
        or other[3] + GAP < one[2]
    )
