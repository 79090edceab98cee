"""What is measured on each sample of a set."""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np

from segmentation.checking import blends, duplicates, placement
from segmentation.data import image_io, labels, pairing
from segmentation.errors import InputError
from segmentation.progress import track

SPECK = 1e-4  # of the pixels of an image: a smaller region is a speck or a hole


@dataclass(slots=True)
class Facts:
    """Of a sample; `problem` is what keeps it from being read, of the kind `kind`.

    `number` is its place in its set; `shown` are the class ids in its mask, sorted, 255 included,
    and `borders` what `blends.count` says of it.
    All samples' are in memory at once, so they hold no arrays.
    """

    part: str
    number: int
    name: str
    group: str
    kind: str = ""
    problem: str = ""
    size: tuple[int, int] = (0, 0)
    shown: tuple[int, ...] = ()
    specks: int = 0
    borders: tuple[int, int] = (0, 0)
    phash: int = 0
    digest: bytes = b""
    small: bytes = b""
    place: placement.Placement | None = None


def examine(dataset, part, workers=1):
    """Look at each sample of a `Dataset`. Images are not kept.

    Args:
        dataset: `Dataset`.
        part: what it is called: training, validation.
        workers: threads.

    Returns:
        `(facts, pixels)`: the `Facts` of each sample, and the pixels of each class id of all
        samples together, `(256,)` int64.
    """
    names, groups = dataset.stems, dataset.groups

    def work(number):
        facts = Facts(part, number, names[number], groups[number])
        counts = 0
        try:
            image, ids = dataset.read(number)
        except image_io.SizesDifferError as error:
            facts.kind, facts.problem = "sizes_differ", str(error)
        except image_io.UnreadableError as error:
            facts.kind, facts.problem = "unreadable", str(error)
        except InputError as error:
            facts.kind, facts.problem = "outside_labels", str(error)
        else:
            facts.size = ids.shape
            counts = np.bincount(ids.ravel(), minlength=256)
            facts.shown = tuple(np.flatnonzero(counts).tolist())
            facts.specks = count_specks(ids)
            facts.borders = blends.count(ids)
            facts.phash = duplicates.phash(image)
            facts.digest = hashlib.blake2b(image.tobytes(), digest_size=8).digest()
            facts.small = duplicates.small(image)
            facts.place = placement.place(image, ids)
        return facts, counts

    results = pairing.in_order(work, range(len(dataset)), workers)
    found, pixels = [], np.zeros(256, np.int64)
    for facts, counts in track(results, len(dataset), "images"):
        found.append(facts)
        pixels += counts
    return found, pixels


def count_specks(ids):
    """Return how many regions of a class, or of none, are smaller than `SPECK` of the pixels."""
    limit = max(2.0, SPECK * ids.size)
    specks = 0
    for index in np.flatnonzero(np.bincount(ids.ravel(), minlength=256)):
        if index != labels.IGNORED:
            region = (ids == index).astype(np.uint8)
            areas = cv2.connectedComponentsWithStats(region, connectivity=8)[2][
                1:, cv2.CC_STAT_AREA
            ]
            specks += int((areas < limit).sum())
    return specks
