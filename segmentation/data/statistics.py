"""How much of the images each class covers. Every mask is decoded once, whatever is asked of it."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from segmentation.data import masks
from segmentation.progress import track

# Threads that read or augment: OpenCV and NumPy release the interpreter lock.
WORKERS = min(max(os.cpu_count() or 2, 2), 8)
CLASS_IDS = 256  # that a mask can hold


@dataclass(frozen=True)
class ClassStatistics:
    """How often and how large the classes are in a set of images.

    Attributes:
        fractions: `(C,)` float, for each of `Classes.id_names` the mean fraction of an image that
            it covers, of the pixels that are not ignored.
        images: `(C,)` int, how many images show it.
        num_images: how many images there are.
    """

    fractions: np.ndarray
    images: np.ndarray
    num_images: int


def count_ids(samples, img_size):
    """Count the pixels of each class id in each mask.

    Args:
        samples: `Dataset`; only its masks are read, each of them once.
        img_size: `(height, width)` that the masks are resized to: small things may get lost.

    Returns:
        `(N, 256)` int64, in the order of the samples.
    """

    def count(index):
        ids = masks.resize(samples.read_mask(index), img_size)
        return np.bincount(ids.ravel(), minlength=CLASS_IDS)

    with ThreadPoolExecutor(WORKERS) as pool:
        counts = pool.map(count, range(len(samples)))
        return np.array(list(track(counts, len(samples), "masks")))


def of_classes(counts, classes):
    """Return the `ClassStatistics` of some classes.

    Args:
        counts: of `count_ids`.
        classes: `Classes` of the same data.
    """
    pixels = of_channels(counts, classes)  # (N, C)
    totals = np.maximum(pixels.sum(1, keepdims=True), 1)
    return ClassStatistics((pixels / totals).mean(0), (pixels > 0).sum(0), len(counts))


def shown(counts, classes):
    """Return `(N, C)` bool: which of `Classes.id_names` each mask of `count_ids` shows."""
    return of_channels(counts, classes) > 0


def of_channels(counts, classes):
    """Return the pixels of each of `classes.id_names` in each mask, `(N, C)` int64.

    Args: those of `of_classes`.
    """
    channels = np.arange(len(classes.id_names)) == classes.table[:, None]  # (256, C)
    return counts @ channels.astype(np.int64)
