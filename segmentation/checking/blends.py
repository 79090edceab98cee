"""Class ids that interpolation made: masks that were resized as if ids were brightness.

Between 1 and 5 lie 2, 3 and 4: along the border of two classes an interpolated mask shows classes
that are not there, and no file says so.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np

from segmentation.data import labels

WIDEST = 2  # pixels that a blend of two classes is wide, at most, as if enlarged fourfold
# A class that is drawn as an outline takes part in so many of the places of a mask where two ids
# meet, and at so many of those in all masks the other id is not the next in number. Blends do one
# of both at most: that of 0 and 2 lies between 0 and 2 alone, and where ids are farther apart there
# are several, which meet each other.
OUTLINING, FAR = 0.9, 0.15


class Borders(NamedTuple):
    """How borders pass, along the rows and along the columns of a mask.

    Attributes:
        blends: narrow runs of an id between a lower and a higher one.
        jumps: places where an id meets another that is not the next in number, blends left out.
        steps: all places where two ids meet, 255 left out.
        id: the one that takes part in most of the steps.
        touching: the steps that it takes part in.
        far: those of them where the other id is not the next in number.
        through: blends that are runs of it.
    """

    blends: int = 0
    jumps: int = 0
    steps: int = 0
    id: int = 0
    touching: int = 0
    far: int = 0
    through: int = 0

    @property
    def outlined(self):
        """Whether `id` lies between nearly all others: an outline, or blends of two classes."""
        return self.touching >= OUTLINING * self.steps


def count(ids):
    """Return the `Borders` of `(H, W)` uint8 class ids."""
    blends = jumps = 0
    through, touching, far = np.zeros((3, 256), int)
    for lines in (ids, ids.T):
        values = lines.ravel().astype(np.int16)
        starts = np.append(True, values[1:] != values[:-1])
        starts[:: lines.shape[1]] = True
        start = np.flatnonzero(starts)
        line, runs = start // lines.shape[1], values[start]
        narrow = np.diff(start, append=values.size) <= WIDEST
        steps = np.where(line[1:] == line[:-1], np.diff(runs), 0)  # 0 from one line to the next
        blend = np.zeros(len(runs), bool)
        up = np.sign(steps)  # products of steps, of 255 and -254 for one, do not fit into int16
        blend[1:-1] = narrow[1:-1] & (up[:-1] * up[1:] > 0)
        blends += int(blend.sum())
        jumps += int((~blend[1:] & ~blend[:-1] & (abs(steps) > 1)).sum())
        through += np.bincount(runs[blend], minlength=256)
        known = (runs[1:] != labels.IGNORED) & (runs[:-1] != labels.IGNORED)
        for side in (runs[:-1], runs[1:]):
            touching += np.bincount(side[known & (steps != 0)], minlength=256)
            far += np.bincount(side[known & (abs(steps) > 1)], minlength=256)
    first = int(touching.argmax())
    of_first = (first, *(int(each[first]) for each in (touching, far, through)))
    return Borders(blends, jumps, int(touching.sum()) // 2, *of_first)


def outline(borders):
    """Return the id of the class that is drawn as an outline of all others, or None.

    Args:
        borders: `Borders` of all masks of a set.
    """
    shown = [one for one in borders if one.steps]
    drawn = Counter(one.id for one in shown if one.outlined)
    for index, number in drawn.items():
        own = [one for one in shown if one.outlined and one.id == index]
        is_far = sum(one.far for one in own) >= FAR * sum(one.touching for one in own)
        if is_far and 2 * number > len(shown):
            return index
    return None
