"""The check images of a run: a few of its validation images, small, beside the model.

Exports are checked and int8 is calibrated on images such as the app will see; synthetic ones are
foreign to a model of photos. `hair.keras` has them in `hair.check/`, as JPEG files. The model card
holds their fingerprint, so that the images of another run are never taken for those of this one.
"""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from segmentation import files
from segmentation.data import image_io, statistics
from segmentation.data.dataset import Subset
from segmentation.errors import InputError

logger = logging.getLogger(__name__)

SUFFIX = ".check"  # of the folder
CHECK, CALIBRATION = "check", "calibration"  # its parts, by which files are named
# How many images at most. A check of 8 takes about a second of the slowest reader, the Core ML
# interpreter. int8 of a MobileUNet trained on LFW has the same IoU with the ground truth, to 0.001,
# with 1, 8, 24 and 100 images.
CHECKED, CALIBRATED = 8, 24
SHOWN = 5  # samples whose predictions are shown as epochs go by
# Pixels; 32 images of twice the side would take more space than a small model. Stretched from half
# or a third of its side, images gave that MobileUNet the same IoU, and the same differences.
LONGEST_SIDE = 256
JPEG = {"quality": 95, "subsampling": 0}


@dataclass(frozen=True)
class Chosen:
    """Samples of the validation data.

    Attributes:
        check: to check exports on.
        calibration: to calibrate int8 on; none of `check` if there are two samples or more.
        shown: some of `check`, whose predictions are shown as epochs go by.
    """

    check: Subset
    calibration: Subset
    shown: Subset


def path_beside(model_path):
    """Return the folder of the check images of `model_path`: `hair.check` beside `hair.keras`."""
    return Path(model_path).with_suffix(SUFFIX)


def choose(samples, counts, classes):
    """Choose the check images among validation samples.

    At most half of each part are the samples that show most of a class, the rarest class first, so
    that there is something to segment. The others are evenly spread.

    Args:
        samples: `Dataset` of N samples.
        counts: `(N, 256)` pixels of each class id (`statistics.count_ids`).
        classes: `Classes` of the model.

    Returns:
        `Chosen`.
    """
    areas = statistics.of_channels(counts, classes)  # (N, C)
    rows = np.arange(len(areas))
    check = _varied(areas, rows, min(CHECKED, -(-len(rows) // 2)))
    others = np.setdiff1d(rows, check)
    calibration = _varied(areas, others, CALIBRATED) if len(others) else check
    parts = check, calibration, _varied(areas, check, SHOWN)
    return Chosen(*(Subset(samples, part) for part in parts))


def _varied(areas, rows, count):
    """Return up to `count` of `rows`, sorted: some for their classes, the others evenly spread."""
    totals = areas[rows].sum(0)
    rarest_first = [channel for channel in np.argsort(totals, kind="stable") if totals[channel]]
    fullest = [rows[areas[rows, channel].argmax()] for channel in rarest_first]
    fullest = list(dict.fromkeys(fullest))[: -(-count // 2)]
    others = np.setdiff1d(rows, fullest)
    if len(others):
        others = others[image_io.spread(len(others), count - len(fullest))]
    return np.sort([*fullest, *others])


def require_overwritable(model_path):
    """Raise InputError unless training may replace the folder of `model_path`."""
    folder = path_beside(model_path)
    if not folder.exists():
        return
    found = (
        {path for path in folder.iterdir() if path.name[0] != "."} if folder.is_dir() else {folder}
    )
    if found - set(_files(folder)):
        raise InputError(f"{folder}: holds more than the check images of a run; move it")


def write(model_path, chosen, img_size):
    """Write the check images of a model, whole or not at all; earlier ones are replaced.

    Args:
        model_path: of the model.
        chosen: `Chosen`.
        img_size: `(height, width)` of the model in pixels, to which images are stretched, or to
            less: no side is longer than `LONGEST_SIDE`.

    Returns:
        the fingerprint of the images, for the model card.
    """
    scale = min(1, LONGEST_SIDE / max(img_size))
    size = [round(scale * side) for side in img_size]
    folder = path_beside(model_path)
    with files.written_whole(folder) as temporary:
        temporary.mkdir()
        for part, samples in ((CHECK, chosen.check), (CALIBRATION, chosen.calibration)):
            for index in range(len(samples)):
                image = Image.fromarray(image_io.resize(samples.read(index)[0], size))
                image.save(temporary / f"{part}_{index:02d}.jpg", **JPEG)
    return _fingerprint(folder)


def read(model_path, card, img_size):
    """Read the check images of a model.

    Args:
        model_path: of the model.
        card: its model card, or None.
        img_size: `(height, width)` in pixels to stretch them to.

    Returns:
        `(check, calibration)`, each `(n, height, width, 3)` uint8 RGB; or None if there are none,
        or only images that are not those of the card: a line is logged then.
    """
    folder = path_beside(model_path)
    if not folder.is_dir():
        return None
    if (card or {}).get("check_images") != _fingerprint(folder):
        logger.warning("%s: left out: not the images of the run that the model card is of", folder)
        return None
    return tuple(
        np.stack([image_io.resize(image_io.read(path), img_size) for path in _files(folder, part)])
        for part in (CHECK, CALIBRATION)
    )


def _files(folder, *parts):
    parts = parts or (CHECK, CALIBRATION)
    return [path for part in parts for path in sorted(folder.glob(f"{part}_*.jpg"))]


def _fingerprint(folder):
    digest = hashlib.sha256()
    for path in _files(folder):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()
