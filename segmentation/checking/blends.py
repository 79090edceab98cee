"""Class ids that interpolation made: masks that were resized as if ids were brightness.

Between 1 and 5 lie 2, 3 and 4: along the border of two classes an interpolated mask shows classes
that are not there, and no file says so.
"""

import numpy as np

WIDEST = 2  # pixels that a blend of two classes is wide, at most, as if enlarged fourfold


def count(ids):
    """Count how borders pass, along the rows and along the columns of a mask.

    Args:
        ids: `(H, W)` uint8 class ids.

    Returns:
        `(blends, jumps)`: the narrow runs of an id between a lower and a higher one, and the places
        where an id meets another that is not its neighbour in number.
    """
    blends = jumps = 0
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
    return blends, jumps
