"""How well the borders of a mask lie on the edges of its image, where they lie and elsewhere."""

from typing import NamedTuple

import cv2
import numpy as np

SIDE = 128  # longest side at which images are compared, pixels
REACH = 0.15  # of the longest side: the farthest shift that is looked for
NEAR = 3  # pixels of `SIDE`: a smaller shift is how annotators draw
FEWEST = 24  # border pixels: fewer say nothing


class Placement(NamedTuple):
    """Agreement of borders with edges, in standard deviations over all shifts of the mask.

    `best` is the highest agreement of a shift by more than `NEAR` pixels, `shift` that shift as
    `(down, right)` in fractions of the longest side, `mirrored` and `upended` the agreement of the
    mask when it is flipped left to right and upside down.
    """

    fit: float
    best: float
    shift: tuple[float, float]
    mirrored: float
    upended: float


def place(image, ids):
    """Return the `Placement` of a mask, or None if it has hardly any border.

    Args:
        image: `(H, W, 3)` uint8 RGB.
        ids: `(H, W)` uint8 class ids.
    """
    from skimage.segmentation import find_boundaries

    scale = SIDE / max(ids.shape)
    height, width = (max(8, round(side * scale)) for side in ids.shape)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    # Roots, lest a few hard edges outweigh all others; padded, lest a shift wraps round.
    padding = ((0, height), (0, width))
    edges = np.sqrt(cv2.GaussianBlur(edges, (0, 0), 1))
    spectrum = np.fft.rfft2(np.pad(edges - edges.mean(), padding))
    mask = cv2.resize(ids, (width, height), interpolation=cv2.INTER_NEAREST)
    borders = find_boundaries(mask, mode="thick").astype(np.float32)
    if borders.sum() < FEWEST:
        return None

    def agreement(of):
        return np.fft.irfft2(
            spectrum * np.conj(np.fft.rfft2(np.pad(of, padding))), (2 * height, 2 * width)
        )

    reach = round(REACH * SIDE)
    around = np.arange(-reach, reach + 1)
    found = agreement(borders)
    window = found[np.ix_(around, around)]
    deviation = float(found.std()) or 1.0
    far = np.maximum(*np.abs(np.meshgrid(around, around, indexing="ij"))) > NEAR
    down, right = np.unravel_index(np.where(far, window, -np.inf).argmax(), window.shape)
    # The best within `NEAR` pixels: how annotators draw is not what is looked for.
    flips = [agreement(np.ascontiguousarray(borders[f])) for f in (np.s_[:, ::-1], np.s_[::-1])]
    near = np.arange(-NEAR, NEAR + 1)
    fits = [float(each[np.ix_(near, near)].max()) / deviation for each in (found, *flips)]
    return Placement(
        fits[0],
        float(window[down, right]) / deviation,
        (float(around[down]) / SIDE, float(around[right]) / SIDE),
        *fits[1:],
    )
