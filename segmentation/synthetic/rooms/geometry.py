"""The geometry of a room: its size, the camera in it, and where they meet in the image."""

from typing import NamedTuple

import numpy as np

from segmentation.synthetic.canvas import SIDE

NEAR = 0.3  # metres: anything closer to the camera is clipped
FOCAL = 0.72 * SIDE  # pixels: a field of view of 70 degrees


class Room(NamedTuple):
    """A room and the camera in it, in metres and radians: x to the right, y up, z ahead."""

    width: float
    height: float
    depth: float  # from the camera to the wall ahead
    eye: np.ndarray  # (x, y, 0); x = 0 is in the middle
    yaw: float
    horizon: float  # pixels from the top

    def project(self, points):
        """Project an outline (n, 3) to pixels, (m, 2); None if all of it is behind the camera."""
        x, y, z = (np.asarray(points, float) - self.eye).T
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        visible = _clip(np.stack([cos * x - sin * z, y, sin * x + cos * z], axis=1))
        if len(visible) < 3:
            return None
        scaled = FOCAL * visible[:, :2] / visible[:, 2:]
        return np.stack([SIDE / 2 + scaled[:, 0], self.horizon - scaled[:, 1]], axis=1)

    def rays(self):
        """Return the view direction of each pixel, three (SIDE, SIDE) arrays x, y, z."""
        across = (np.arange(SIDE) + 0.5 - SIDE / 2)[None] / FOCAL + np.zeros((SIDE, 1))
        up = (self.horizon - np.arange(SIDE) - 0.5)[:, None] / FOCAL + np.zeros((1, SIDE))
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        return cos * across + sin, up, cos - sin * across


class Hits(NamedTuple):
    """Where the ray of each pixel first meets the empty room; all (SIDE, SIDE)."""

    x: np.ndarray  # float32 metres
    y: np.ndarray
    z: np.ndarray
    floor: np.ndarray  # bool
    ceiling: np.ndarray
    ahead: np.ndarray  # bool: the wall ahead is closer than the side walls


def random_room(rng):
    """Return a random `Room`."""
    return Room(
        width := rng.uniform(3.4, 5.5),
        rng.uniform(2.3, 2.9),
        rng.uniform(3.4, 5.5),
        np.array([rng.uniform(-0.25, 0.25) * width, rng.uniform(1.35, 1.7), 0]),
        rng.uniform(-0.4, 0.4),
        SIDE * rng.uniform(0.4, 0.48),
    )


def cast_rays(room):
    """Intersect the ray of each pixel with the walls, the floor and the ceiling: `Hits`."""
    x, y, z = room.rays()
    with np.errstate(divide="ignore"):
        side = (np.sign(x) * room.width / 2 - room.eye[0]) / x
        level = np.where(y > 0, room.height - room.eye[1], -room.eye[1]) / y
        ahead = np.where(z > 0, room.depth / z, np.inf)
    distance = np.minimum(np.minimum(side, level), ahead)
    points = (room.eye[:, None, None] + distance * np.stack([x, y, z])).astype("f4")
    flat = level <= np.minimum(side, ahead)
    return Hits(*points, floor=flat & (y < 0), ceiling=flat & (y >= 0), ahead=ahead <= side)


def _clip(points):
    """Clip an outline (n, 3) at the plane z = NEAR (Sutherland and Hodgman)."""
    kept = []
    for point, following in zip(points, np.roll(points, -1, axis=0), strict=True):
        if point[2] >= NEAR:
            kept.append(point)
        if (point[2] >= NEAR) != (following[2] >= NEAR):
            fraction = (NEAR - point[2]) / (following[2] - point[2])
            kept.append(point + fraction * (following - point))
    return np.reshape(kept, (-1, 3))
