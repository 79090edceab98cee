"""How many pixels each class has, and how many samples show it."""

import numpy as np

from segmentation.data import labels


class Tally:
    """Counts pixels by class id over the masks that are written.

    Attributes:
        pixels: `(256,)` int, of all masks together.
        shown: `(256,)` int, the number of masks with any.
    """

    def __init__(self):
        self.pixels, self.shown = np.zeros(256, int), np.zeros(256, int)

    def add(self, pixels):
        """Count a mask of so many pixels, `(256,)` int, by class id."""
        self.pixels += pixels
        self.shown += pixels > 0

    def report(self, num_classes):
        """Return the fraction of pixels and the number of samples for each class, for JSON."""
        known = self.pixels[:num_classes]
        return {
            "class_shares": [round(float(count / max(known.sum(), 1)), 6) for count in known],
            "class_pictures": self.shown[:num_classes].tolist(),
            "ignored_share": round(float(self.pixels[labels.IGNORED] / self.pixels.sum()), 6),
        }
