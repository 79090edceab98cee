"""Images that are equal or nearly equal: alike by perceptual hash, and in structure."""

import logging

import numpy as np
from PIL import Image

from segmentation.data import image_io

logger = logging.getLogger(__name__)

DIFFERENCES = 1 << 20  # looked at at once: 8 MB, however many images there are
# Measured, see docs/data.md. The hash alone, at 4 bits, overlooks half of the copies that are
# cropped a little, and takes one place at other times for a copy.
NEAREST = 10  # of 64 bits: hashes that differ in no more are of images that may be copies
SIMILAR = 0.8  # structural similarity from which on they are
SIDE = 32  # pixels, at which it is measured
MOST = 100_000  # pairs: enough to see that a set is nothing but copies
MOST_COMPARED = 1_000_000  # of images that are alike by their hashes: three minutes


def phash(image):
    """Return the perceptual hash of `(H, W, 3)` uint8 RGB (`imagehash.phash`) as an integer."""
    import imagehash

    return int(str(imagehash.phash(Image.fromarray(image))), 16)


def small(image):
    """Return `(H, W, 3)` uint8 RGB as `(SIDE, SIDE)` uint8 grey, as bytes."""
    return Image.fromarray(image_io.resize(image, (SIDE, SIDE))).convert("L").tobytes()


def pairs(hashes, smalls):
    """Yield `(i, j, similarity)` of pairs i < j of images that are nearly equal.

    Memory does not grow with the number of pairs.

    Args:
        hashes: `(N,)` uint64, as `phash` returns.
        smalls: list of N, as `small` returns.
    """
    from skimage.metrics import structural_similarity

    found = 0
    for compared, (i, j) in enumerate(near(hashes)):
        if found == MOST or compared == MOST_COMPARED:
            logger.warning(
                "%d pairs of nearly equal images among %d that are alike: the rest is left out",
                *(found, compared),
            )
            return
        one, other = (np.frombuffer(smalls[k], np.uint8).reshape(SIDE, SIDE) for k in (i, j))
        similarity = float(structural_similarity(one, other, data_range=255))
        if similarity >= SIMILAR:
            found += 1
            yield i, j, similarity


def near(hashes):
    """Yield `(i, j)` of pairs i < j of hashes, `(N,)` uint64, that differ in `NEAREST` bits."""
    rows = max(1, DIFFERENCES // max(1, len(hashes)))
    for start in range(0, len(hashes), rows):
        block = hashes[start : start + rows, None]
        distances = np.bitwise_count(block ^ hashes[None, start:])
        for row, column in np.argwhere(distances <= NEAREST):
            if row < column:
                yield int(start + row), int(start + column)
