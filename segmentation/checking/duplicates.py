"""Images that are equal or nearly equal, by perceptual hash."""

import logging

import numpy as np

logger = logging.getLogger(__name__)

DIFFERENCES = 1 << 20  # looked at at once: 8 MB, however many images there are
NEAREST = 4  # of 64 bits: hashes that differ in no more are of nearly equal images
MOST = 100_000  # pairs: enough to see that a set is nothing but copies


def phash(image):
    """Return the perceptual hash of `(H, W, 3)` uint8 RGB (`imagehash.phash`) as an integer."""
    import imagehash
    from PIL import Image

    return int(str(imagehash.phash(Image.fromarray(image))), 16)


def near_pairs(hashes):
    """Yield `(i, j, bits)` of pairs i < j of hashes that differ in `NEAREST` bits at most.

    Memory does not grow with the number of hashes or pairs.

    Args:
        hashes: `(N,)` uint64.
    """
    count, rows = 0, max(1, DIFFERENCES // max(1, len(hashes)))
    for start in range(0, len(hashes), rows):
        block = hashes[start : start + rows, None]
        distances = np.bitwise_count(block ^ hashes[None, start:])
        for row, column in np.argwhere(distances <= NEAREST):
            if row < column:
                yield int(start + row), int(start + column), int(distances[row, column])
                count += 1
                if count >= MOST:
                    logger.warning("more than %d pairs of equal images: the rest is left out", MOST)
                    return
