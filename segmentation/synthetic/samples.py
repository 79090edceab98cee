"""Write drawn portraits in the layout of LFW, and drawn rooms in that of ADE20K."""

import re
from pathlib import Path

import cv2
import numpy as np

from segmentation import files
from segmentation.data import masks, palette
from segmentation.errors import InputError
from segmentation.progress import track
from segmentation.synthetic.portraits import person_of, portrait
from segmentation.synthetic.rooms import room

MASK_COLORS = np.uint8(masks.PART_COLORS)  # RGB by class id, as in the part masks of LFW
QUALITY_STREAM = 2  # of random numbers, beside those of portraits.py
SPLITS = ("training", "validation")
VALIDATION_EVERY = 5  # rooms: the fifth, the tenth ...
ROOM_NAME = re.compile(r"room_\d{4,}")  # tells drawn rooms from real ones
GROUP_PREFIX = "drawn"  # tells mapping.csv of drawn portraits from that of real ones


def write_portraits(out_dir, count, seed):
    """Draw portraits into `images/NNNN.jpg`, `masks/NNNN.ppm` and `mapping.csv` of a folder.

    Portraits that an earlier call wrote there are replaced. A picture depends on `seed` and its
    number alone, so a smaller count gives the first of the same pictures, byte for byte.

    Args:
        out_dir: the folder, made if it is missing.
        count: how many, at least 1.
        seed: non-negative integer.

    Returns: dictionary of `out_dir`, `pictures`, `people`, and `shares`: the share of pixels that
        are `background`, `hair` and `face`.

    Raises:
        InputError: if count or seed is out of range, or the folder holds other files under
            these names.
    """
    out_dir = Path(out_dir)
    numbers = _numbers(count, seed)
    _refuse_foreign_files(out_dir)
    pixels = np.zeros(len(MASK_COLORS), np.int64)
    with (
        files.written_whole(out_dir / "mapping.csv") as mapping,
        files.written_whole(out_dir / "masks") as mask_dir,
        files.written_whole(out_dir / "images") as image_dir,
    ):
        image_dir.mkdir()
        mask_dir.mkdir()
        lines = ["id,person_group"]
        for number in numbers:
            stem = f"{number + 1:04d}"
            picture, mask = portrait(seed, number)
            _encode(image_dir / f"{stem}.jpg", picture, _quality(seed, number))
            _encode(mask_dir / f"{stem}.ppm", MASK_COLORS[mask])
            lines.append(f"{stem},{GROUP_PREFIX}{person_of(number) + 1:04d}")
            pixels += np.bincount(mask.ravel(), minlength=len(pixels))
        mapping.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    shares = pixels / pixels.sum()
    return {
        "out_dir": str(out_dir),
        "pictures": count,
        "people": len({person_of(number) for number in range(count)}),
        "shares": {
            name: round(float(share), 4)
            for name, share in zip(masks.PART_NAMES, shares, strict=True)
        },
    }


def write_rooms(out_dir, count, seed):
    """Draw rooms into `images/` and `annotations/`, `training/` and `validation/` in each.

    Names are `room_NNNN`; every fifth is for validation. `objectInfo150.txt` beside them names
    ADE20K's classes and says how often they show here. As portraits, a room depends on `seed` and
    its number alone, and those of an earlier call are replaced.

    Args: as of `write_portraits`.

    Returns: dictionary of `out_dir`, `pictures` (of both), `training`, `validation`, and `shares`:
        of the pixels, by class, for those that show.

    Raises:
        InputError: if count or seed is out of range, or the folder holds other files under
            these names.
    """
    out_dir = Path(out_dir)
    numbers = _numbers(count, seed)
    _refuse_foreign_rooms(out_dir)
    names = list(palette.ade20k())
    pixels = np.zeros(len(names) + 1, int)
    shown = {split: np.zeros(len(names) + 1, int) for split in SPLITS}
    with (
        files.written_whole(out_dir / "objectInfo150.txt") as info,
        files.written_whole(out_dir / "annotations") as mask_dir,
        files.written_whole(out_dir / "images") as image_dir,
    ):
        for folder in (image_dir, mask_dir):
            for split in SPLITS:
                (folder / split).mkdir(parents=True)
        for number in numbers:
            split = SPLITS[number % VALIDATION_EVERY == VALIDATION_EVERY - 1]
            picture, mask = room(seed, number)
            stem = f"room_{number + 1:04d}"
            _encode(image_dir / split / f"{stem}.jpg", picture, _quality(seed, number))
            (mask_dir / split / f"{stem}.png").write_bytes(cv2.imencode(".png", mask)[1].tobytes())
            counted = np.bincount(mask.ravel(), minlength=len(pixels))
            pixels += counted
            shown[split] += counted > 0
        shares = pixels / pixels.sum()
        lines = ["Idx\tRatio\tTrain\tVal\tName"]
        for index, name in enumerate(names, start=1):
            row = (index, f"{shares[index]:.4f}", *(shown[split][index] for split in SPLITS), name)
            lines.append("\t".join(map(str, row)))
        info.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return {
        "out_dir": str(out_dir),
        "pictures": count,
        "training": count - count // VALIDATION_EVERY,
        "validation": count // VALIDATION_EVERY,
        "shares": {
            name: round(float(share), 4)
            for name, share in zip(names, shares[1:], strict=True)
            if share
        },
    }


def _numbers(count, seed):
    if count < 1 or seed < 0:
        raise InputError(f"count {count}, seed {seed}: give a count of 1 or more, a seed from 0 on")
    return track(range(count), count, "drawing")


def _quality(seed, number):
    """Return OpenCV's options of a JPEG of some quality."""
    quality = np.random.default_rng([seed, QUALITY_STREAM, number]).integers(72, 97)
    return [cv2.IMWRITE_JPEG_QUALITY, int(quality)]


def _refuse_foreign_rooms(out_dir):
    """Raise InputError unless `images`, `annotations` and their names are absent, or drawn here."""
    drawn = False
    for folder in (out_dir / "images", out_dir / "annotations"):
        found = sorted(path for path in folder.rglob("*") if not path.is_dir())
        foreign = [path for path in found if not ROOM_NAME.fullmatch(path.stem)]
        if foreign or folder.is_file():
            raise InputError(
                f"{(foreign or [folder])[0]}: was not drawn here; choose another --out_dir"
            )
        drawn = drawn or bool(found)
    info = out_dir / "objectInfo150.txt"
    if info.exists() and not drawn:
        raise InputError(f"{info}: not of drawn rooms; choose another --out_dir")


def _refuse_foreign_files(out_dir):
    """Raise InputError unless `images`, `masks` and `mapping.csv` are absent, or drawn here."""
    mapping = out_dir / "mapping.csv"
    rows = []
    if mapping.is_file():
        text = mapping.read_text(encoding="utf-8", errors="replace")
        rows = [line.split(",") for line in text.splitlines()[1:]]
        if not all(len(row) == 2 and row[1].startswith(GROUP_PREFIX) for row in rows):
            raise InputError(f"{mapping}: not of drawn portraits; choose another --out_dir")
    stems = {row[0] for row in rows}
    for folder in (out_dir / "images", out_dir / "masks"):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: is a file; choose another --out_dir")
        foreign = sorted(path.name for path in folder.glob("*") if path.stem not in stems)
        if foreign:
            raise InputError(
                f"{folder}: holds {len(foreign)} files that were not drawn here, "
                f"such as {foreign[0]}; choose another --out_dir"
            )


def _encode(path, picture, options=()):
    # OpenCV's own writer reports a full disk only by a return value: let Python write.
    encoded = cv2.imencode(path.suffix, picture[..., ::-1], list(options))[1]
    path.write_bytes(encoded.tobytes())
