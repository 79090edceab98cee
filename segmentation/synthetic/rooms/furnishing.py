"""The contents of a room: a rug, and furniture that does not overlap."""

import numpy as np

from segmentation.synthetic import colors
from segmentation.synthetic.rooms import boxes
from segmentation.synthetic.rooms.furniture import FURNITURE

GAP = 0.08  # metres between pieces of furniture
NEAREST = 1.5  # metres from the camera to the furniture
ATTEMPTS = 12  # random places that are tried for each piece
FREE_STANDING = ("chair", "table")


def paint(scene):
    """Paint a rug or none, then furniture, distant pieces first."""
    rng = scene.rng
    if rng.random() < 0.5:
        _paint_rug(scene)
    names = ["bed" if rng.random() < 0.45 else "sofa", "cabinet", "lamp", "plant", "table"]
    names += ["chair"] * int(rng.integers(1, 4))
    placed = _arrange(scene.room, [name for name in names if rng.random() < 0.8], rng)
    for (x0, x1, z0, z1), parts in sorted(placed, key=lambda piece: -piece[0][3]):
        shadow = [(x0, 0, z0), (x1, 0, z0), (x1, 0, z1), (x0, 0, z1)]
        scene.fill(shadow, (10, 10, 10), opacity=0.45, blur=3)
        for part in parts:
            boxes.paint(scene, part)


def _paint_rug(scene):
    rng = scene.rng
    x, z = rng.uniform(-0.8, 0.8), rng.uniform(0.5, 0.7) * scene.room.depth
    half = rng.uniform(0.7, 1.3), rng.uniform(0.5, 0.9)
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    if rng.random() < 0.4:
        angles = np.linspace(0, 2 * np.pi, 40)
        corners = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    color = colors.thing(rng)
    for scale, gain in ((1, 1), (0.85, 0.8), (0.75, 1.05)):
        edge = [(x + scale * half[0] * a, 0.01, z + scale * half[1] * b) for a, b in corners]
        scene.fill(edge, color, "rug", gain)


def _arrange(room, names, rng):
    """Place furniture without overlaps; pieces for which no space is found are left out.

    Args:
        room: `Room`.
        names: keys of `FURNITURE`.
        rng: random numbers.

    Returns: list of (floor, boxes); floor is (x0, x1, z0, z1) in metres.
    """
    placed = []
    for name in names:
        for _ in range(ATTEMPTS):
            place = _random_place(room, name, rng)
            if place and all(_apart(place[0], floor) for floor, _ in placed):
                placed.append(place)
                break
    return placed


def _random_place(room, name, rng):
    """Return the floor and the boxes of a random piece at a random place, or None if it is too big.

    A piece stands along a wall, unless it is one of `FREE_STANDING`.
    """
    width, depth, parts = FURNITURE[name](rng)
    if rng.random() < 0.5:
        width, depth, parts = depth, width, [part.turned() for part in parts]
    free_x, free_z = room.width - width - 2 * GAP, room.depth - depth - GAP
    x = GAP + free_x * rng.choice([0.0, 1.0, rng.random()], p=[0.3, 0.3, 0.4])
    at_wall_ahead = GAP < x < GAP + free_x and name not in FREE_STANDING
    z = NEAREST + (free_z - NEAREST) * (1.0 if at_wall_ahead else rng.random())
    if free_x < 0 or free_z < NEAREST:
        return None
    left = x - room.width / 2
    floor = (left, left + width, z, z + depth)
    return floor, [part.moved(left, z) for part in parts]


def _apart(one, other):
    """Return whether two floors, (x0, x1, z0, z1), are `GAP` apart."""
    return (
        one[1] + GAP < other[0]
        or other[1] + GAP < one[0]
        or one[3] + GAP < other[2]
        or other[3] + GAP < one[2]
    )
