"""Boxes, of which furniture is built, and how they are painted."""

from typing import NamedTuple

import numpy as np

from segmentation.synthetic.rooms.scene import ALONG_X, ALONG_Z, DOWN, UP


class Box(NamedTuple):
    """A box along the axes of the room."""

    name: str  # of its class, a key of `scene.IDS`
    bounds: tuple  # (x0, x1, y0, y1, z0, z1) in metres
    color: np.ndarray  # RGB 0..255

    def turned(self):
        """Return the box with x and z swapped."""
        x0, x1, y0, y1, z0, z1 = self.bounds
        return self._replace(bounds=(z0, z1, y0, y1, x0, x1))

    def moved(self, x, z):
        """Return the box moved over the floor by `x` and `z` metres."""
        x0, x1, y0, y1, z0, z1 = self.bounds
        return self._replace(bounds=(x0 + x, x1 + x, y0, y1, z0 + z, z1 + z))


def paint(scene, box):
    """Paint the faces of a box that the camera sees; the leaves of a plant in place of its box."""
    x0, x1, y0, y1, z0, z1 = box.bounds
    eye = scene.room.eye
    if box.name == "plant" and y0 > 0.2:
        _paint_leaves(scene, box)
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
            scene.fill(points, box.color, box.name, gain)
            if box.name == "cabinet" and gain in (ALONG_X, ALONG_Z):
                _paint_drawers(scene, points, box.color)


def _paint_drawers(scene, points, color):
    first, second, third, _ = np.array(points)
    for row in range(3):
        ends = [
            [first + a * (second - first) + b * (third - second)]
            for b in ((row + 0.1) / 3, (row + 0.9) / 3)
            for a in (0.06, 0.94)
        ]
        low_left, low_right, high_left, high_right = np.concatenate(ends)
        scene.fill([low_left, low_right, high_right, high_left], color, gain=0.78)


def _paint_leaves(scene, box):
    x0, x1, y0, y1, z0, z1 = box.bounds
    middle, rng = np.array([(x0 + x1) / 2, y0 - 0.1, (z0 + z1) / 2]), scene.rng
    for _ in range(rng.integers(12, 22)):
        tip = np.array([rng.uniform(x0, x1), rng.uniform(y0, y1), middle[2]])
        along = tip - middle
        aside = 0.16 * np.array([along[1], -along[0], 0])
        leaf = [middle, middle + 0.6 * along + aside, tip, middle + 0.6 * along - aside]
        scene.fill(leaf, box.color, "plant", rng.uniform(0.65, 1.2))
