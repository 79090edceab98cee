"""Write synthetic portraits in the layout of LFW."""

from pathlib import Path

import numpy as np

from segmentation import files, storage
from segmentation.data import masks
from segmentation.errors import InputError
from segmentation.synthetic import image_files
from segmentation.synthetic.portraits import person_of, portrait

MASK_COLORS = np.uint8(masks.PART_COLORS)  # RGB by class id, as in the part masks of LFW
GROUP_PREFIX = "drawn"  # distinguishes the mapping.csv of synthetic portraits from others


def write_portraits(out_dir, count, seed):
    """Write synthetic portraits: `images/NNNN.jpg`, `masks/NNNN.ppm` and `mapping.csv`.

    They replace portraits that an earlier call wrote to the folder. An image depends on `seed` and
    its number alone, so a smaller count gives the first images of a larger one, byte for byte.

    Args:
        out_dir: the folder; it is made if it is missing.
        count: number of portraits, at least 1.
        seed: non-negative integer.

    Returns: dictionary of `out_dir`, `pictures`, `people`, and `shares`: the fraction of pixels
        that are `background`, `hair` and `face`.

    Raises:
        InputError: if count or seed is out of range, or the folder holds other files under
            these names.
    """
    out_dir = Path(out_dir)
    numbers = image_files.numbers(count, seed)
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
            image, mask = portrait(seed, number)
            image_files.write_photo(image_dir / f"{stem}.jpg", image, seed, number)
            image_files.write(mask_dir / f"{stem}.ppm", MASK_COLORS[mask])
            lines.append(f"{stem},{GROUP_PREFIX}{person_of(number) + 1:04d}")
            pixels += np.bincount(mask.ravel(), minlength=len(pixels))
        mapping.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    fractions = pixels / pixels.sum()
    return {
        "out_dir": str(out_dir),
        "pictures": count,
        "people": len({person_of(number) for number in range(count)}),
        "shares": {
            name: round(float(fraction), 4)
            for name, fraction in zip(masks.PART_NAMES, fractions, strict=True)
        },
    }


def _refuse_foreign_files(out_dir):
    """Raise InputError if `images`, `masks` or `mapping.csv` hold anything but synthetic data."""
    storage.look(out_dir)
    mapping = out_dir / "mapping.csv"
    rows = []
    if mapping.is_file():
        text = mapping.read_text(encoding="utf-8", errors="replace")
        rows = [line.split(",") for line in text.splitlines()[1:]]
        if not all(len(row) == 2 and row[1].startswith(GROUP_PREFIX) for row in rows):
            raise InputError(
                f"{mapping}: does not describe synthetic portraits; choose another --out_dir"
            )
    stems = {row[0] for row in rows}
    for folder in (out_dir / "images", out_dir / "masks"):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: is a file; choose another --out_dir")
        foreign = sorted(path.name for path in folder.glob("*") if path.stem not in stems)
        if foreign:
            raise InputError(
                f"{folder}: contains files that are not synthetic portraits "
                f"({len(foreign)}, such as {foreign[0]}); choose another --out_dir"
            )
