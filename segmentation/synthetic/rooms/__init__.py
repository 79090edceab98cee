"""Synthetic rooms: an image and its mask with ADE20K's classes from one geometry.

A camera stands in a room whose furniture is built of boxes. Each thing gets a random colour, so a
network that is trained on them must learn shape and place.
"""

import numpy as np

from segmentation.synthetic.canvas import SIDE, blotches, photograph
from segmentation.synthetic.rooms import furnishing, geometry, hangings, shell
from segmentation.synthetic.rooms.scene import Scene

STREAM = 3  # of random numbers, besides those of portraits
WIDTHS, HEIGHTS = (224, SIDE + 1), (168, 200)  # pixels, half-open ranges


def room(seed, index):
    """Render a room: a pure function of its arguments.

    Args:
        seed: non-negative integer, of the whole collection.
        index: number of the image, from 0.

    Returns: (image, mask): (H, W, 3) uint8 RGB and (H, W) uint8 ids of ADE20K's classes; H is 168
        to 199, W 224 to 250 pixels.
    """
    rng = np.random.default_rng([seed, STREAM, index])
    scene = Scene(geometry.random_room(rng), rng)
    shell.paint(scene)
    hangings.paint(scene)
    furnishing.paint(scene)
    width, height = int(rng.integers(*WIDTHS)), int(rng.integers(*HEIGHTS))
    left, top = (SIDE - width) // 2, (SIDE - height) // 2
    crop = slice(top, top + height), slice(left, left + width)
    light = 1 + 0.25 * blotches(rng, 170)  # brighter on one side
    image = scene.canvas.image * np.clip(light, 0.5, 1.15)[:, :, None]
    return photograph(np.ascontiguousarray(image[crop]), rng), scene.canvas.ids[crop].copy()
