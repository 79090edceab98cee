"""The full ADE20K, of which the challenge's 150 classes are a part.

ADE_train_00000001.jpg, ADE_train_00000001_seg.png and ADE_train_00000001.json side by side, in
folders for each scene

In _seg.png, the class is R / 10 · 256 + G, and 0 is what has none. The JSON files name the classes;
of the release before 2021, which has none, a label file does: Idx and Name, tab-separated.
"""

import functools
from pathlib import Path

import numpy as np

from segmentation.data import image_io, labels, outlines, pairing
from segmentation.data.masks import Drawing
from segmentation.data.samples import LabelMap, Reader, Sample
from segmentation.data.whitelist import apply_whitelist
from segmentation.errors import InputError

DESCRIPTION = "ADE_….jpg and ADE_…_seg.png"
SUFFIX = "_seg"
FILES = f"ADE_*{SUFFIX}.png"
# Of a folder of one scene up to all, in the release of 2021 (images/ADE/) and those before it.
PLACES = ("", "*/", "*/*/", "images/*/*/", "images/*/*/*/", "images/ADE/*/*/", "images/ADE/*/*/*/")
OTHER_ENCODING = "latin-1"  # of some JSON files of the release of 2021
MAX_ID = 26 * 256  # R ends at 250


def fits(folder):
    """Return whether a folder, or a folder in it, holds such files."""
    return any(next(Path(folder).glob(f"{where}{FILES}"), None) for where in PLACES)


def open_reader(data_dirs, label_file=None, whitelist=None):
    """Find the samples; say what has no partner.

    Args:
        data_dirs: folders.
        label_file: a table with the columns Idx and Name; None: the names in the JSON files.
        whitelist: as `apply_whitelist` reads it; None keeps every class, at most 254.

    Returns:
        `Reader`.

    Raises:
        InputError: for a folder of another layout or given twice; for a damaged JSON or label file;
            for more classes than masks can hold; if nothing pairs.
    """
    pairing.refuse_repeats(data_dirs)
    samples, lone_images, lone_masks, names = [], [], [], {}
    for data_dir in map(Path, data_dirs):
        images, seg_files = {}, {}
        for path in pairing.files_below(data_dir):
            if path.suffix.lower() == ".jpg":
                images[path.with_suffix("")] = path
            elif path.name.endswith(f"{SUFFIX}.png"):
                seg_files[path.with_name(path.stem.removesuffix(SUFFIX))] = path
        keys, *lone = pairing.match(images, seg_files, data_dir, data_dir)
        lone_images += lone[0]
        lone_masks += lone[1]
        samples += [(key.name, images[key], seg_files[key]) for key in keys]
        if not label_file:
            for key in keys:
                _add_names(names, key.with_name(f"{key.name}.json"))
    if label_file:
        names = labels.read_object_info(label_file, MAX_ID)[0]
        names.pop(0, None)
    if not names:
        raise InputError(
            f"{samples[0][1]}: no JSON file beside it names its classes: give a table of them with "
            "--labels, with the columns Idx and Name"
        )
    class_names, table = _table(names, whitelist)
    found = [
        Sample(stem, "", image, Drawing(path, functools.partial(_draw, path, table, names)))
        for stem, image, path in samples
    ]
    unpaired = pairing.report_lone(lone_images, lone_masks)
    return Reader(found, unpaired, LabelMap.of_ids(class_names), unmasked=lone_images)


def _add_names(names, path):
    """Add the classes that the objects of an image name, `{id: name}`."""
    if not path.is_file():
        return
    annotation = outlines.read_json(path, OTHER_ENCODING).get("annotation")
    objects = annotation.get("object") if isinstance(annotation, dict) else None
    if not isinstance(objects, list):
        raise InputError(f"{path}: has no list of objects")
    for number, each in enumerate(objects):
        where = f"{path}, object {number}"
        index = each.get("name_ndx") if isinstance(each, dict) else None
        if type(index) is not int or not 0 < index < MAX_ID:
            raise InputError(f"{where}: its name_ndx is no class")
        name = outlines.as_text(each.get("name"), where)
        if names.setdefault(index, name) != name:
            raise InputError(f"{where}: calls class {index} '{name}', others '{names[index]}'")


def _table(names, whitelist):
    """Return the class names of prepared masks, and their id for each of ADE20K's, uint8."""
    if whitelist is None and len(names) > outlines.MAX_CLASSES:
        raise InputError(
            f"the masks may show {len(names)} classes, and prepared ones hold up to "
            f"{outlines.MAX_CLASSES}: choose with --whitelist, by names such as "
            f"{labels.listed([names[index] for index in sorted(names)], 5)}"
        )
    by_name = {}  # of two classes of one name, both are meant
    for index in sorted(names):
        by_name.setdefault(names[index], []).append(index)
    numbered = dict(enumerate(by_name, start=1))
    class_names, small = apply_whitelist(numbered, whitelist, MAX_ID)
    table = np.zeros(MAX_ID, np.uint8)
    for number, name in numbered.items():
        table[by_name[name]] = small[number]
    return class_names, table


def _draw(path, table, names):
    """Return the `(H, W)` uint8 class ids of an image."""
    pixels = image_io.read(path).astype(np.int32)
    index = pixels[..., 0] // 10 * 256 + pixels[..., 1]
    unknown = {*np.unique(index).tolist()} - {0, *names}
    if unknown:
        listed = ", ".join(map(str, sorted(unknown)[:5]))
        raise InputError(f"{path}: holds the classes {listed}, which nothing names")
    return table[index]
