"""Roboflow's export of semantic segmentation: images and masks in one folder.

train/1_jpg.rf.0a1b.jpg and train/1_jpg.rf.0a1b_mask.png
train/_classes.csv                         the class of each number: Pixel Value, Class
"""

import csv
from pathlib import Path

import numpy as np

from segmentation.data import color_tables, image_io, labels, pairing
from segmentation.data.labels import IGNORED
from segmentation.data.samples import LabelMap, Reader, ids_among, paired
from segmentation.errors import InputError

DESCRIPTION = "X.jpg, X_mask.png and _classes.csv"
CLASSES, SUFFIX = "_classes.csv", "_mask"


def fits(folder):
    """Return whether a folder has this layout, or holds divisions that have it."""
    return bool(_divisions(Path(folder)))


def _divisions(data_dir):
    inside = sorted(data_dir.iterdir()) if data_dir.is_dir() else []
    places = [data_dir, *(path for path in inside if pairing.division(path.name))]
    return [path for path in places if (path / CLASSES).is_file() and any(path.glob("*_mask.*"))]


def open_reader(data_dirs, label_file=None):
    """Find the samples; say what has no partner.

    Args:
        data_dirs: folders.
        label_file: a labels.txt that names the numbers of the masks, in place of _classes.csv.

    Returns:
        `Reader`. The images that Roboflow made of one image are a group.

    Raises:
        InputError: for a folder of another layout, of several divisions, or given twice; for a
            malformed or missing _classes.csv, or several that differ; if nothing pairs.
    """
    pairing.refuse_repeats(data_dirs)
    samples, lone_images, lone_masks, tables = [], [], [], []
    for data_dir in map(Path, data_dirs):
        found = _divisions(data_dir)
        if not found:
            hint = pairing.did_you_mean(data_dir, fits)
            raise InputError(f"{data_dir} does not hold {DESCRIPTION}{hint}")
        if len(found) > 1:
            raise pairing.DividedError(data_dir, found)
        files = pairing.by_stem(image_io.find(found[0], (".csv",)))
        masks = {
            stem.removesuffix(SUFFIX): path
            for stem, path in files.items()
            if stem.endswith(SUFFIX) and path.suffix.lower() == ".png"
        }
        mask_files = {*masks.values()}
        images = {stem: path for stem, path in files.items() if path not in mask_files}
        stems, *lone = pairing.match(images, masks, found[0], found[0])
        samples += paired(stems, images, masks)
        lone_images += lone[0]
        lone_masks += lone[1]
        tables.append(_read_classes(found[0] / CLASSES))
    if label_file:
        tables = [dict(enumerate(labels.read(label_file)))]
    if any(table != tables[0] for table in tables):
        raise InputError(f"the {CLASSES} of {', '.join(map(str, data_dirs))} differ")
    unpaired = pairing.report_lone(lone_images, lone_masks)
    return Reader(samples, unpaired, _label_map(tables[0]), unmasked=lone_images)


def _label_map(name_of):
    values = sorted(name_of)
    names = [name_of[value] for value in values]
    table = np.full(256, IGNORED, np.uint8)
    table[values] = np.arange(len(values))
    check = ids_among({IGNORED, *name_of}, f"which {CLASSES} does not name", noun="values")
    return LabelMap(names, lambda legend: table, check)


def _read_classes(path):
    """Return `{value: name}` of a _classes.csv."""
    name_of = {}
    try:
        rows = list(csv.reader(labels.lines(path)))
    except csv.Error as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    for number, row in enumerate(rows[1:], start=2):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if len(cells) != 2 or not cells[0].isdecimal() or int(cells[0]) >= IGNORED or not cells[1]:
            raise InputError(f"{path}, line {number}: expected a number below 255 and a name")
        if int(cells[0]) in name_of:
            raise InputError(f"{path}, line {number}: the value {cells[0]} occurs twice")
        name_of[int(cells[0])] = cells[1]
    if name_of.get(0, "").lower() in color_tables.IGNORED_NAMES:  # what has no outline
        name_of[0] = labels.BACKGROUND_NAMES[0]
    try:
        labels.check([name_of[value] for value in sorted(name_of)])
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return name_of
