"""PASCAL VOC's layout, in which CVAT and labelme export as well.

JPEGImages/2007_000032.jpg                 SegmentationClass/2007_000032.png
labelmap.txt                               CVAT's, with the colours of the classes
"""

import re
from pathlib import Path

from segmentation.data import color_tables, pairing
from segmentation.data.samples import Reader, paired, resolver

DESCRIPTION = "JPEGImages/ and SegmentationClass/"
MASK_FOLDERS = ("SegmentationClassPNG", "SegmentationClass")  # labelme writes both
VOC_STEM = re.compile(r"20\d\d_\d{6}")  # the year and a number


def fits(folder):
    """Return whether a folder has this layout."""
    return bool(_pairs(Path(folder)))


def _pairs(data_dir):
    found = (pairing.pairs_of_folders(data_dir, "JPEGImages", name) for name in MASK_FOLDERS)
    return next((pairs for pairs in found if pairs), [])


def open_reader(data_dirs, label_file=None, mask_format=None, colors=None):
    """Find the samples; say what has no partner.

    Args:
        data_dirs: folders.
        label_file: a labels.txt that names the classes by id; None: those of the table of colours,
            of PASCAL VOC if its files are called as there, or numbers.
        mask_format: one of `mask_formats.FORMATS`; None recognises it when all masks are read.
        colors: table of the colours of masks, as `samples.resolver` takes it.

    Returns:
        `Reader`. Groups are subfolders, or what `groups.groups_of` sees in the names.

    Raises:
        InputError: if a folder has another layout or is given twice, or nothing pairs.
    """
    pairing.refuse_repeats(data_dirs)
    samples, lone_images, lone_masks, places = [], [], [], []
    for data_dir in data_dirs:
        pair = pairing.one_pair(data_dir, _pairs(data_dir), DESCRIPTION, fits)
        images, masks = map(pairing.below, pair)
        stems, *lone = pairing.match(images, masks, *pair)
        samples += paired(stems, images, masks)
        lone_images += lone[0]
        lone_masks += lone[1]
        places.append(pairing.places_of(pair, data_dir))
    is_voc = all(VOC_STEM.fullmatch(sample.stem) for sample in samples)
    known = color_tables.voc() if is_voc else None
    resolve = resolver(places, label_file, mask_format, colors, known)
    unpaired = pairing.report_lone(lone_images, lone_masks)
    return Reader(samples, unpaired, resolve=resolve, unmasked=lone_images)
