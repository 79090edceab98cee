"""Write synthetic rooms in the layout of ADE20K."""

import re
from pathlib import Path

import numpy as np

from segmentation import files, storage
from segmentation.data import palette
from segmentation.errors import InputError
from segmentation.synthetic import image_files
from segmentation.synthetic.rooms import room

SPLITS = ("training", "validation")
VALIDATION_EVERY = 5  # the fifth room, the tenth ...
ROOM_NAME = re.compile(r"room_\d{4,}")  # distinguishes synthetic rooms from other images


def write_rooms(out_dir, count, seed):
    """Write synthetic rooms: `training/` and `validation/` in both `images/` and `annotations/`.

    Names are `room_NNNN`; every fifth room is for validation. `objectInfo150.txt` names ADE20K's
    classes and gives their fractions of the pixels. As for portraits, a room depends on `seed` and
    its number alone, and rooms that an earlier call wrote to the folder are replaced.

    Args: those of `write_portraits`.

    Returns: dictionary of `out_dir`, `pictures` (of both splits), `training`, `validation`, and
        `shares`: the fraction of pixels of each class that occurs.

    Raises:
        InputError: if count or seed is out of range, or the folder holds other files under
            these names.
    """
    out_dir = Path(out_dir)
    numbers = image_files.numbers(count, seed)
    _refuse_foreign_files(out_dir)
    names = list(palette.ade20k())
    pixels = np.zeros(len(names) + 1, int)
    shown = {split: np.zeros(len(names) + 1, int) for split in SPLITS}  # number of images
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
            image, mask = room(seed, number)
            stem = f"room_{number + 1:04d}"
            image_files.write_photo(image_dir / split / f"{stem}.jpg", image, seed, number)
            image_files.write(mask_dir / split / f"{stem}.png", mask)
            counted = np.bincount(mask.ravel(), minlength=len(pixels))
            pixels += counted
            shown[split] += counted > 0
        fractions = pixels / pixels.sum()
        info.write_text(_object_info(names, fractions, shown), encoding="utf-8", newline="\n")
    return {
        "out_dir": str(out_dir),
        "pictures": count,
        "training": count - count // VALIDATION_EVERY,
        "validation": count // VALIDATION_EVERY,
        "shares": {
            name: round(float(fraction), 4)
            for name, fraction in zip(names, fractions[1:], strict=True)
            if fraction
        },
    }


def _object_info(names, fractions, shown):
    """Return the text of an `objectInfo150.txt`; `fractions` and `shown` start with class 0."""
    lines = ["Idx\tRatio\tTrain\tVal\tName"]
    for index, name in enumerate(names, start=1):
        row = (index, f"{fractions[index]:.4f}", *(shown[split][index] for split in SPLITS), name)
        lines.append("\t".join(map(str, row)))
    return "\n".join(lines) + "\n"


def _refuse_foreign_files(out_dir):
    """Raise InputError if the folder holds other images, annotations or class names."""
    storage.look(out_dir)
    synthetic = False
    for folder in (out_dir / "images", out_dir / "annotations"):
        found = sorted(path for path in folder.rglob("*") if not path.is_dir())
        foreign = [path for path in found if not ROOM_NAME.fullmatch(path.stem)]
        if foreign or folder.is_file():
            raise InputError(
                f"{(foreign or [folder])[0]}: is not a synthetic room; choose another --out_dir"
            )
        synthetic = synthetic or bool(found)
    info = out_dir / "objectInfo150.txt"
    if info.exists() and not synthetic:
        raise InputError(f"{info}: does not describe synthetic rooms; choose another --out_dir")
