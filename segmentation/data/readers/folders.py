"""Folders of images and masks of the same stems, LFW's among them.

images/0001.jpg                            masks/0001.ppm
lfw_funneled/NAME/NAME_0001.jpg            parts_lfw_funneled_gt_images/NAME_0001.ppm
"""

import csv
import functools
import os
import re
from pathlib import Path

from segmentation.data import image_io, labels, mask_formats, pairing
from segmentation.data.samples import LabelMap, Reader, Sample
from segmentation.errors import InputError

DESCRIPTION = "images/ and masks/, or lfw_funneled/ and parts_lfw_funneled_gt_images/"
PERSON_COLUMNS = ("person_group", "person")
MAPPING_LEVELS = 3  # data_dir itself and two folders above: data/raw/ in a project's folder
# Two names and a number: Abdullah_al-Attiyah_0002, and not a camera's IMG_0002.
LFW_NAME = re.compile(r"([A-Z][^_]*(?:_[A-Za-z][^_]*)+)_\d{4}")


def fits(folder):
    """Return whether a folder has this layout."""
    return _has(folder, "images", "masks") or _is_lfw(folder)


def _is_lfw(folder):
    return _has(folder, "lfw_funneled", "parts_lfw_funneled_gt_images")


def _has(folder, *names):
    return all((Path(folder) / name).is_dir() for name in names)


def open_reader(data_dirs, label_file=None, mask_format=None):
    """Find the samples of folders; say what has no partner.

    Args:
        data_dirs: folders; a stem may occur in several of them. A person of the same name in two
            of them is the same person.
        label_file: a labels.txt that names the classes by id; None: the usual names of the format.
        mask_format: one of `mask_formats.FORMATS`; None recognises it when all masks are read.

    Returns:
        `Reader`, its samples in the order of the folders and of the stems in them.

    Raises:
        InputError: if a folder has neither layout or is given twice, a stem occurs twice in it,
            or nothing pairs.
    """
    pairing.refuse_repeats(data_dirs)
    names = labels.read(label_file) if label_file else None
    samples, lone_images, lone_masks = [], [], []
    for data_dir in data_dirs:
        for everything, new in zip(
            (samples, lone_images, lone_masks), find_samples(data_dir), strict=True
        ):
            everything.extend(new)

    def resolve(seen):
        found, class_names = mask_formats.recognize(seen, mask_format, names)

        @functools.cache
        def table(legend):
            return mask_formats.table(legend, seen[legend], found)

        return LabelMap(class_names, table, mask_format=found)

    return Reader(samples, pairing.report_lone(lone_images, lone_masks), resolve=resolve)


def find_samples(data_dir):
    """Pair the images and masks of one folder by stem.

    Args:
        data_dir: the folder.

    Returns:
        `(samples, lone_images, lone_masks)`: a list of `Sample` sorted by stem, and the paths
        that have no partner.

    Raises:
        InputError: if the folder has neither layout, a stem occurs twice, or nothing pairs.
    """
    data_dir = Path(data_dir)
    if _has(data_dir, "images", "masks"):
        image_dir, mask_dir = data_dir / "images", data_dir / "masks"
        by_stem = pairing.by_stem(image_io.find(image_dir))
        group_of = _mapped_groups(data_dir)
        if group_of and not group_of.keys() & by_stem.keys():
            raise InputError(
                f"the mapping.csv of {data_dir} knows none of the images in {image_dir}: its id "
                f"must be the file name without suffix, as {min(by_stem, default='0001')}"
            )
    elif _is_lfw(data_dir):
        image_dir = data_dir / "lfw_funneled"
        mask_dir = data_dir / "parts_lfw_funneled_gt_images"
        folders = sorted(path for path in image_dir.iterdir() if path.is_dir())
        by_stem = pairing.by_stem([path for each in folders for path in image_io.find(each)])
        group_of = {stem: path.parent.name for stem, path in by_stem.items()}
    else:
        raise InputError(_no_layout(data_dir))
    mask_by_stem = pairing.by_stem(image_io.find(mask_dir))
    stems, lone_images, lone_masks = pairing.match(by_stem, mask_by_stem, image_dir, mask_dir)
    samples = [
        Sample(stem, group_of.get(stem) or _lfw_person(stem), by_stem[stem], mask_by_stem[stem])
        for stem in stems
    ]
    return samples, lone_images, lone_masks


def _no_layout(data_dir):
    if not data_dir.is_dir():
        return f"{data_dir}: no such folder; give the one that holds images/ and masks/"
    hint = pairing.did_you_mean(data_dir, fits)
    return (
        f"{data_dir} holds neither images/ and masks/ nor lfw_funneled/ and "
        f"parts_lfw_funneled_gt_images/{hint}"
    )


def _lfw_person(stem):
    match = LFW_NAME.fullmatch(stem)
    return match[1] if match else ""


def _mapped_groups(data_dir):
    """Return the person by stem from the nearest mapping.csv with an id and a person column."""
    folder = Path(os.path.abspath(data_dir))
    for place in [folder, *folder.parents][:MAPPING_LEVELS]:
        path = place / "mapping.csv"
        if not path.is_file():
            continue
        try:
            with open(path, encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: cannot be read ({error}); fix or remove it") from None
        columns = rows[0].keys() if rows else ()
        column = next((name for name in PERSON_COLUMNS if name in columns), None)
        if "id" in columns and column:
            return {row["id"]: " ".join((row[column] or "").split()) for row in rows}
        if place == folder:  # further up, a file of this name may be about something else
            raise InputError(
                f"{path}: has the columns {', '.join(map(str, columns)) or '(none)'}, not id and "
                f"{PERSON_COLUMNS[0]}, comma-separated; fix or remove it"
            )
    return {}
