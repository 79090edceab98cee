"""Cityscapes' layout: a folder for each city, and suffixes.

leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png
gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png        or …_labelTrainIds.png

images/ and masks/ are other names of the two folders; gtCoarse/ is read where gtFine/ is missing.
"""

import dataclasses
import logging
import re
from pathlib import Path

import numpy as np

from segmentation.data import labels, pairing
from segmentation.data.labels import IGNORED
from segmentation.data.samples import LabelMap, Reader, Sample, ids_among
from segmentation.data.whitelist import apply_whitelist

logger = logging.getLogger(__name__)

DESCRIPTION = "leftImg8bit/ and gtFine/"
NARROWER_THAN = ("folders",)
FOLDERS = (("leftImg8bit", "gtFine"), ("leftImg8bit", "gtCoarse"), ("images", "masks"))
IMAGE = re.compile(r"(([^_]+)_\d+)_\d+_leftImg8bit")  # city and sequence, and the frame
MASK = re.compile(r"(.+)_gt(?:Fine|Coarse)_(labelTrainIds|labelIds)")
OTHER_MASK = re.compile(r".+_gt(?:Fine|Coarse)_(color|instanceIds|instanceTrainIds)")
MANY_CITIES = 5  # so many that a fifth of the images can be held out by city
# The 19 classes that are measured, in the order of their trainIds, with their ids: labels.py of
# https://github.com/mcordts/cityscapesScripts
CLASSES = {
    **{7: "road", 8: "sidewalk", 11: "building", 12: "wall", 13: "fence", 17: "pole"},
    **{19: "traffic light", 20: "traffic sign", 21: "vegetation", 22: "terrain", 23: "sky"},
    **{24: "person", 25: "rider", 26: "car", 27: "truck", 28: "bus", 31: "train"},
    **{32: "motorcycle", 33: "bicycle"},
}
LAST_ID = 33
KINDS = ("labelTrainIds", "labelIds")


def fits(folder):
    """Return whether a folder has this layout, or is a part of it such as leftImg8bit/val."""
    return bool(_pairs(Path(folder)))


def _pairs(data_dir):
    for images, masks in FOLDERS:
        found = pairing.pairs_of_folders(data_dir, images, masks)
        found = [pair for pair in found if _has(pair[0], IMAGE) and _has(pair[1], MASK)]
        if found:
            return found
    return []


def _has(folder, name):
    """Return whether any file below a folder has such a name, before its suffix."""
    return any(name.fullmatch(path.stem) for path in pairing.files_below(folder))


def open_reader(data_dirs, label_file=None, whitelist=None):
    """Find the samples; say what has no partner.

    Args:
        data_dirs: folders.
        label_file: a labels.txt that names the ids of the masks as they lie; None: the 19 classes
            of the benchmark, and what belongs to none of them is ignored.
        whitelist: as `apply_whitelist` reads it; None keeps every class.

    Returns:
        `Reader`. Groups are the cities, or the sequences where there are few cities.

    Raises:
        InputError: for a folder of another layout, of several divisions, or given twice; if nothing
            pairs.
    """
    pairing.refuse_repeats(data_dirs)
    found = []
    for data_dir in map(Path, data_dirs):
        pair = pairing.one_pair(data_dir, _pairs(data_dir), DESCRIPTION, fits)
        found.append((pair, *_by_name(*pair)))

    def fitting(kind):
        return sum(len(masks[kind].keys() & images.keys()) for _, images, masks, _ in found)

    kind = max(KINDS, key=fitting)  # trainIds if equal
    counts = {each: sum(len(masks[each]) for _, _, masks, _ in found) for each in KINDS}
    others = sum(count for *_, count in found) + sum(counts.values()) - counts[kind]
    logger.info(
        "the masks are the %d %s; left out %d files of colours, instances or other ids",
        *(counts[kind], kind, others),
    )
    samples, lone_images, lone_masks = [], [], []
    for pair, images, masks, _ in found:
        keys, *lone = pairing.match(images, masks[kind], *pair)
        name_of = pairing.names_of(keys)
        for key in keys:
            group = (IMAGE.fullmatch(images[key].stem) or ["", ""])[1]
            samples.append(Sample(name_of[key], group, images[key], masks[kind][key]))
        lone_images += lone[0]
        lone_masks += lone[1]
    cities = {sample.group.partition("_")[0] for sample in samples}
    if len(cities) >= MANY_CITIES:
        samples = [
            dataclasses.replace(sample, group=sample.group.partition("_")[0]) for sample in samples
        ]
    label_map = _label_map(kind, label_file, whitelist)
    unpaired = pairing.report_lone(lone_images, lone_masks)
    return Reader(samples, unpaired, label_map, unmasked=lone_images)


def _by_name(image_dir, mask_dir):
    """Return what two folders hold, by city, sequence and frame.

    Returns:
        `(images, masks, others)`: paths by key, such paths by each of `KINDS`, and how many other
        files there are. Folders are part of the keys where files in several have one name.
    """
    found = pairing.below(image_dir)
    images = {key.removesuffix("_leftImg8bit"): path for key, path in found.items()}
    masks, others = {kind: {} for kind in KINDS}, 0
    for key, path in pairing.below(mask_dir).items():
        match = MASK.fullmatch(key)
        if match:
            masks[match[2]][match[1]] = path
        else:
            others += 1
            if not OTHER_MASK.fullmatch(path.stem):
                logger.warning(
                    "left out %s: its name ends neither in labelIds nor in labelTrainIds", path
                )
    parts = [images, *masks.values()]
    if all(len({Path(key).name for key in part}) == len(part) for part in parts):
        images, *of_kinds = [{Path(key).name: part[key] for key in part} for part in parts]
        masks = dict(zip(masks, of_kinds, strict=True))
    return images, masks, others


def _label_map(kind, label_file, whitelist):
    to_id = np.full(256, IGNORED, np.uint8)
    if label_file:
        names = labels.read(label_file)
        to_id[: len(names)] = np.arange(len(names))
        known = {*range(len(names)), IGNORED}
    else:
        names = list(CLASSES.values())
        ids = range(len(CLASSES)) if kind == "labelTrainIds" else [*CLASSES]
        to_id[ids] = np.arange(len(names))
        known = {*ids, IGNORED} if kind == "labelTrainIds" else {*range(LAST_ID + 1), IGNORED}
    first = labels.first_object(names)
    named = dict(enumerate(names[first:], start=first))
    chosen, table = apply_whitelist(named, whitelist)
    table = table[to_id]
    check = ids_among(known, f"which are no {kind}")
    return LabelMap(chosen, lambda legend: table, check)
