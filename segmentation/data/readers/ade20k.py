"""Images and index masks in ADE20K's layout.

images/training/ADE_train_00000001.jpg     annotations/training/ADE_train_00000001.png
objectInfo150.txt                          the name of each id; 0 is what has none

Both folders may be divided, as here into training and validation, or hold their files directly.
"""

from pathlib import Path

from segmentation.data import image_io, labels, pairing
from segmentation.data.samples import LabelMap, Reader, ids_among, paired
from segmentation.data.whitelist import apply_whitelist
from segmentation.errors import InputError

DESCRIPTION = "images/ and annotations/"
LABEL_FILES = ("objectInfo*.txt", "labels.txt")  # the first pattern that any file fits


def fits(folder):
    """Return whether a folder has this layout, or is a part of it such as images/validation."""
    return bool(_pairs(Path(folder)))


def open_reader(
    data_dirs=None, label_file=None, image_dir=None, annotation_dir=None, whitelist=None
):
    """Find the samples; say what has no partner.

    Args:
        data_dirs: folders that hold images/ and annotations/, or one division of those, named by
            its images: ade20k/images/validation.
        label_file: as `labels.read_object_info` reads it; None: the one in the folder.
        image_dir: folder of images, in place of `data_dirs`.
        annotation_dir: folder of their masks, of the same stems, which hold the ids of the label
            file, 0 or 255 (no class).
        whitelist: as `apply_whitelist` reads it; None keeps every class.

    Returns:
        `Reader`, its samples in the order of the folders and of the stems in them.

    Raises:
        InputError: for folders of another layout, of several divisions, or given twice; if nothing
            pairs; for a label file that is missing, malformed or one of several; for a wrong
            whitelist.
    """
    pair = pairing.given_pair(data_dirs, image_dir, annotation_dir)
    if pair and not label_file:
        raise InputError(
            "--image_dir needs --labels: objectInfo150.txt, or alike (or say --layout folders)"
        )
    found = [pair] if pair else [_pair_in(Path(data_dir)) for data_dir in data_dirs]
    known = _known_classes(found, label_file)
    names, table = apply_whitelist(known, whitelist)
    samples, lone_images, lone_masks = [], [], []
    for images, annotations in found:
        by_stem = pairing.by_stem(image_io.find_some(images))
        mask_by_stem = pairing.by_stem(image_io.find_some(annotations))
        stems, *lone = pairing.match(by_stem, mask_by_stem, images, annotations)
        samples += paired(stems, by_stem, mask_by_stem)
        lone_images += lone[0]
        lone_masks += lone[1]
    unpaired = pairing.report_lone(lone_images, lone_masks)
    check = ids_among(
        {0, labels.IGNORED, *known},
        "which the label file does not name",
        "not class ids: say --layout folders, which reads colours",
    )
    return Reader(
        samples, unpaired, LabelMap(names, lambda legend: table, check), unmasked=lone_images
    )


def _pair_in(data_dir):
    return pairing.one_pair(data_dir, _pairs(data_dir), DESCRIPTION, fits)


def _pairs(root):
    """Return the pairs of folders, of images and of masks, that a folder means."""
    return pairing.pairs_of_folders(
        root, "images", "annotations", image_io.holds_images, lambda name: True
    )


def _known_classes(found, label_file):
    """Return `{id: name}`, which must hold for all folders."""
    paths = [label_file] if label_file else [_label_file(images) for images, _ in found]
    known, *others = [labels.read_object_info(path)[0] for path in paths]
    if any(other != known for other in others):
        raise InputError(
            f"{', '.join(map(str, paths))} name different classes: say which holds with --labels"
        )
    return known


def _label_file(image_dir):
    """Return the label file beside images/ and annotations/."""
    whole = image_dir.absolute()
    root = next(path for path in (whole, *whole.parents) if path.name == "images").parent
    for pattern in LABEL_FILES:
        paths = sorted(root.glob(pattern))
        if len(paths) == 1:
            return paths[0]
        if paths:
            names = ", ".join(path.name for path in paths)
            raise InputError(f"{root} holds {names}: say which names the classes with --labels")
    raise InputError(
        f"{root} holds no objectInfo150.txt: name the file of the classes with --labels"
    )
