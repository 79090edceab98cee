"""A room while it is painted, distant things first."""

import numpy as np

from segmentation.data import palette
from segmentation.synthetic.canvas import SIDE, Canvas, blotches, tinted

# Class ids by the first name of each class of ADE20K.
IDS = {name.split(",")[0]: index for index, name in enumerate(palette.ade20k(), start=1)}
# Brightness of a surface that faces up, down, along x and along z.
UP, DOWN, ALONG_X, ALONG_Z = 1.12, 0.6, 0.82, 0.97


class Scene:
    """A `Room`, the canvas that it is painted on, and the random numbers for its contents.

    `grain` is a faint texture on all surfaces, (SIDE, SIDE) float32, with mean 0.
    """

    def __init__(self, room, rng):
        self.room, self.rng = room, rng
        self.canvas = Canvas(np.zeros((SIDE, SIDE, 3), np.float32))
        self.grain = 0.035 * blotches(rng, 5) + 0.05 * blotches(rng, 40)

    def fill(self, points, color, name=None, gain=1.0, **options):
        """Fill a flat outline as the camera sees it.

        Args:
            points: (n, 3) metres.
            color: RGB 0..255.
            name: a key of `IDS`, the class of the pixels; None leaves their class as it is.
            gain: factor of the colour.
            options: those of `Canvas.paint`.
        """
        outline = self.room.project(points)
        if outline is not None:
            color = tinted(color, (gain * (1 + self.grain)).astype(np.float32))
            self.canvas.paint([outline], color, IDS[name] if name else None, **options)
