"""The walls, the floor and the ceiling of a room."""

import numpy as np

from segmentation.synthetic import colors
from segmentation.synthetic.canvas import blotches, tinted
from segmentation.synthetic.rooms.geometry import cast_rays
from segmentation.synthetic.rooms.scene import ALONG_X, ALONG_Z, IDS


def paint(scene):
    """Paint the walls, the floor and the ceiling over the whole canvas."""
    rng, hits = scene.rng, cast_rays(scene.room)
    wall = colors.hue(rng, (0.02, 0.5), (0.4, 0.85))
    image = tinted(wall, _wallpaper(scene, hits))
    floor = colors.wood(rng)
    image[hits.floor] = tinted(floor, _flooring(scene, hits))[hits.floor]
    ceiling = colors.hue(rng, (0.02, 0.12), (0.6, 0.9))
    tone = (0.95 + 0.5 * scene.grain).astype(np.float32)
    image[hits.ceiling] = tinted(ceiling, tone)[hits.ceiling]
    image *= _corner_shading(scene.room, hits)[:, :, None]
    scene.canvas.image = image.astype(np.float32)
    scene.canvas.ids = np.where(
        hits.floor, IDS["floor"], np.where(hits.ceiling, IDS["ceiling"], IDS["wall"])
    ).astype(np.uint8)


def _wallpaper(scene, hits):
    """Return the brightness of plain or striped wallpaper, (SIDE, SIDE) float32."""
    rng, pattern = scene.rng, 1 + scene.grain
    if rng.random() < 0.3:  # striped
        along = np.where(hits.ahead, hits.x, hits.z)
        pattern = pattern + 0.06 * np.sign(np.sin(along * rng.uniform(12, 30)))
    return (pattern * np.where(hits.ahead, ALONG_Z, ALONG_X)).astype(np.float32)


def _flooring(scene, hits):
    """Return the brightness of carpet, tiles or planks, (SIDE, SIDE) float32."""
    rng, grain = scene.rng, scene.grain
    kind = rng.integers(3)
    if kind == 0:  # carpet
        return 1 + 0.06 * blotches(rng, 2) + grain
    if kind == 1:  # tiles
        size = rng.uniform(0.3, 0.6)
        seam = (np.minimum(hits.x % size, hits.z % size) < 0.02) * 0.3
        return (1 - seam + grain).astype(np.float32)
    planks = np.floor(hits.x / rng.uniform(0.12, 0.25))
    tone = 1 + 0.1 * np.sin(planks * 12.9898) + 0.04 * np.sin(hits.z * 9 + planks * 5)
    return (tone + grain).astype(np.float32)


def _corner_shading(room, hits):
    """Return the brightness, (SIDE, SIDE), that falls off towards edges, where less light gets."""
    edges = [room.width / 2 - np.abs(hits.x), room.height - hits.y, room.depth - hits.z, hits.y]
    # The closest surface is the one that the pixel shows, at 0; the second closest forms the edge.
    second = np.sort(np.stack(edges), axis=0)[1]
    return 1 - 0.25 * np.exp(-second / 0.25)
