"""What is measured on each sample of a set."""

import hashlib
from dataclasses import dataclass, field

import cv2
import numpy as np

from segmentation.checking import duplicates, placement
from segmentation.data import image_io, labels, pairing
from segmentation.errors import InputError
from segmentation.progress import track

SPECK = 1e-4  # of the pixels of an image: a smaller region is a speck or a hole


@dataclass
class Facts:
    """Of a sample; `problem` is what keeps it from being read, of the kind `kind`.

    `number` is its place in its set; `pixels` counts by class id, `(256,)`.
    """

    part: str
    number: int
    name: str
    group: str
    kind: str = ""
    problem: str = ""
    size: tuple[int, int] = (0, 0)
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    specks: int = 0
    phash: int = 0
    digest: bytes = b""
    place: placement.Placement | None = None


def examine(dataset, part, workers=1):
    """Return the `Facts` of each sample of a `Dataset`. Images are not kept.

    Args:
        dataset: `Dataset`.
        part: what it is called: training, validation.
        workers: threads.
    """
    names, groups = dataset.stems, dataset.groups

    def work(number):
        facts = Facts(part, number, names[number], groups[number])
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
            facts.pixels = np.bincount(ids.ravel(), minlength=256)
            facts.specks = count_specks(ids)
            facts.phash = duplicates.phash(image)
            facts.digest = hashlib.sha1(image.tobytes(), usedforsecurity=False).digest()
            facts.place = placement.place(image, ids)
        return facts

    results = pairing.in_order(work, range(len(dataset)), workers)
    return list(track(results, len(dataset), "images"))


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
