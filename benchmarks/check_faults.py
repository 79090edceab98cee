"""Measure how many faults data.py check finds: planted in a tenth of a set at a time.

    python data.py sample --kind scenes -o rooms --count 250 --seed 11
    python benchmarks/check_faults.py rooms/images/training

takes a folder in any layout. Each mask is once among the tenth that gets a fault of a kind, while
the others stay as they are, and the findings are those that the check has for such a set. Printed
are the share of faulty masks that are named, as misplaced or as blended, and the share of the
others that are: false alarms. Copies are images that are changed and compared with what they were
made from; last comes the number of pairs of images that are taken for copies as they are.
"""

import io
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageEnhance

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from segmentation.checking import duplicates, examine, findings
from segmentation.cli import data_options, options, terminal
from segmentation.data import masks
from segmentation.data.dataset import Subset
from segmentation.data.samples import SourceFiles
from segmentation.errors import InputError

PARTS = 10  # a tenth of the set is faulty at a time
MISPLACED, BLENDED = {"shifted", "flipped", "poor_fit"}, {"blended"}


def shift(ids, fraction):
    """Move a mask right and down; class 0 comes in."""
    rows, columns = (round(fraction * side) for side in ids.shape)
    moved = np.zeros_like(ids)
    moved[rows:, columns:] = ids[: ids.shape[0] - rows, : ids.shape[1] - columns]
    return moved


def resized(image, ids, factor, how):
    """Resize an image, and its mask as if it were one."""
    ids = cv2.resize(ids, None, fx=factor, fy=factor, interpolation=how)
    return cv2.resize(image, ids.shape[::-1], interpolation=cv2.INTER_AREA), ids


# Functions of an image, its class ids and those of another image, and what finds them.
FAULTS = {
    "shifted by 4 %": (lambda image, ids, other: (image, shift(ids, 0.04)), MISPLACED),
    "shifted by 8 %": (lambda image, ids, other: (image, shift(ids, 0.08)), MISPLACED),
    "mirrored": (lambda image, ids, other: (image, ids[:, ::-1].copy()), MISPLACED),
    "upside down": (lambda image, ids, other: (image, ids[::-1].copy()), MISPLACED),
    "another's": (lambda image, ids, other: (image, masks.resize(other, ids.shape)), MISPLACED),
    "halved, bilinear": (lambda i, ids, other: resized(i, ids, 1 / 2, cv2.INTER_LINEAR), BLENDED),
    "a third, area": (lambda i, ids, other: resized(i, ids, 1 / 3, cv2.INTER_AREA), BLENDED),
    "doubled, bilinear": (lambda i, ids, other: resized(i, ids, 2, cv2.INTER_LINEAR), BLENDED),
}


def as_jpeg(image):
    """Return an image as a JPEG of quality 50 shows it."""
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=50)
    return Image.open(memory)


def cropped(image):
    """Return an image without 2 % at each side."""
    width, height = image.size
    return image.crop((width // 50, height // 50, width - width // 50, height - height // 50))


COPIES = {
    "JPEG of quality 50": as_jpeg,
    "half the size": lambda image: image.reduce(2),
    "brighter by 30 %": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "cropped by 2 % at each side": cropped,
}


class Faulty:
    """A `Dataset` whose masks all have a fault of `FAULTS`."""

    def __init__(self, data, fault):
        self.data, self.fault = data, fault
        self.labels, self.stems, self.groups = data.labels, data.stems, data.groups

    def __len__(self):
        return len(self.data)

    def read(self, index):
        """Return the image, and the class ids of the mask with its fault."""
        image, ids = self.data.read(index)
        # Half a set away: neighbours may be of one film or person.
        other = self.data.read_mask((index + len(self) // 2) % len(self))
        return self.fault(image, ids, other)


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--most", type=options.count, default=250, help="images (%(default)s)")
    data_options.add_workers(parser)
    return parser.parse_args(argv)


def main(argv=None):
    """Measure and print the shares."""
    args = parse_args(argv)
    reader = data_options.open_reader("auto", [args.data_dir], "apply")
    data = SourceFiles(reader)
    data = Subset(data, np.linspace(0, len(data) - 1, min(args.most, len(data))).astype(int))
    if len(data) < 2 * PARTS:
        raise InputError(f"{args.data_dir}: {2 * PARTS} images at least make a set with faults")
    clean, _ = examine.examine(data, "training", args.workers)
    alarms = named(clean, data, MISPLACED | BLENDED)
    result = {"pictures": len(data), "unchanged": share(alarms, range(len(data)))}
    print(f"{'unchanged':28} false alarms {result['unchanged']:.1%} of {len(data)}")
    for name, (fault, kinds) in FAULTS.items():
        faulty, _ = examine.examine(Faulty(data, fault), "training", args.workers)
        found, false = [], []
        for part in range(PARTS):
            rows = range(part, len(data), PARTS)
            mixed = [*clean]
            for row in rows:
                mixed[row] = faulty[row]
            numbers = named(mixed, data, kinds)
            found.append(share(numbers, rows))
            false.append(share(numbers, [row for row in range(len(data)) if row not in rows]))
        result[name] = {"found": np.mean(found), "false_alarms": np.mean(false)}
        print(f"{name:28} found {np.mean(found):.0%}, false alarms {np.mean(false):.1%}")
    images = [Image.fromarray(data.read(index)[0]) for index in range(len(data))]
    for name, change in COPIES.items():
        found = [
            is_copy(one, np.array(change(image))) for one, image in zip(clean, images, strict=True)
        ]
        result[name] = float(np.mean(found))
        print(f"{name:28} found {result[name]:.0%}")
    hashes = np.array([one.phash for one in clean], np.uint64)
    result["pairs"] = len(list(duplicates.pairs(hashes, [one.small for one in clean])))
    print(f"{'pairs as they are':28} {result['pairs']}")
    terminal.print_result(result)


def named(facts, data, kinds):
    """Return the numbers of the samples that findings of some kinds name."""
    found = findings.of(facts, data.labels, 1)
    return {number for one in found if one.kind in kinds for _, number in one.samples}


def is_copy(facts, image):
    """Return whether an image is taken for a copy of the one that facts are of."""
    hashes = np.array([facts.phash, duplicates.phash(image)], np.uint64)
    return any(duplicates.pairs(hashes, [facts.small, duplicates.small(image)]))


def share(numbers, rows):
    """Return the share of `rows` that are among `numbers`."""
    return len(numbers.intersection(rows)) / len(rows)


if __name__ == "__main__":
    terminal.run(main)
