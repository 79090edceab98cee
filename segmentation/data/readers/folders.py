"""Folders of images and masks of the same names, LFW's among them.

images/0001.jpg                            masks/0001.ppm
images/0001.jpg                            masks/0001_mask.gif (Carvana; any one suffix)
images/drive/0001.jpg                      masks/drive/0001.png
lfw_funneled/NAME/NAME_0001.jpg            parts_lfw_funneled_gt_images/NAME_0001.ppm
"""

import logging
import re
from pathlib import Path

from segmentation.data import groups, image_io, pairing
from segmentation.data.samples import Reader, Sample, paired, resolver
from segmentation.errors import InputError

logger = logging.getLogger(__name__)

DESCRIPTION = "images/ and masks/, or lfw_funneled/ and parts_lfw_funneled_gt_images/"
SUFFIX = re.compile(r"[_.-].*")  # of masks: what a mask's name has more than its image's


def fits(folder):
    """Return whether a folder has this layout."""
    return any(not _holds_outlines(masks) for _, masks in _pairs(Path(folder))) or _is_lfw(folder)


def _holds_outlines(mask_dir):
    """Return whether JSON files, labelme's say, are where masks would be, and no images."""
    outlines = False
    for path in pairing.files_below(mask_dir):
        if path.suffix.lower() in image_io.SUFFIXES:
            return False
        outlines |= path.suffix.lower() == ".json"
    return outlines


def _is_lfw(folder):
    return _has(folder, "lfw_funneled", "parts_lfw_funneled_gt_images")


def _has(folder, *names):
    return all((Path(folder) / name).is_dir() for name in names)


def _pairs(data_dir):
    return pairing.pairs_of_folders(data_dir, "images", "masks")


def open_reader(
    data_dirs=None,
    label_file=None,
    mask_format=None,
    colors=None,
    mask_suffix=None,
    image_dir=None,
    annotation_dir=None,
):
    """Find the samples of folders; say what has no partner.

    Args:
        data_dirs: folders; a stem may occur in several of them. A person of the same name in two
            of them is the same person.
        label_file: a labels.txt that names the classes by id; None: the usual names of the format.
        mask_format: one of `mask_formats.FORMATS`; None recognises it when all masks are read.
        colors: table of the colours of masks, as `samples.resolver` takes it.
        mask_suffix: what the name of a mask has more than that of its image; None: nothing, or the
            suffix that all masks have.
        image_dir: folder of images, in place of `data_dirs`.
        annotation_dir: folder of their masks.

    Returns:
        `Reader`, its samples in the order of the folders and of the names in them.

    Raises:
        InputError: if a folder has neither layout or is given twice, a name occurs twice in it,
            or nothing pairs.
    """
    pair = pairing.given_pair(data_dirs, image_dir, annotation_dir)
    if pair:
        found = [_pair_by_name(*pair, pair[0].parent, mask_suffix)]
        places = [pairing.places_of(pair)]
    else:
        found = [find_samples(data_dir, mask_suffix) for data_dir in data_dirs]
        places = [_places(data_dir) for data_dir in data_dirs]
    samples, lone_images, lone_masks = (sum(parts, []) for parts in zip(*found, strict=True))
    resolve = resolver(places, label_file, mask_format, colors)
    unpaired = pairing.report_lone(lone_images, lone_masks)
    return Reader(samples, unpaired, resolve=resolve, unmasked=lone_images)


def _places(data_dir):
    """Return where the labels.txt of a folder may lie, and its table of colours."""
    pairs = _pairs(Path(data_dir))
    return pairing.places_of(pairs[0], data_dir) if pairs else [data_dir]


def find_samples(data_dir, mask_suffix=None):
    """Pair the images and masks of one folder by name.

    Args:
        data_dir: the folder.
        mask_suffix: as for `open_reader`.

    Returns:
        `(samples, lone_images, lone_masks)`: a list of `Sample` sorted by name, and the paths
        that have no partner.

    Raises:
        InputError: if the folder has neither layout, a name occurs twice, or nothing pairs.
    """
    data_dir = Path(data_dir)
    pairs = _pairs(data_dir)
    if pairs:
        return _pair_by_name(
            *pairing.one_pair(data_dir, pairs, DESCRIPTION, fits), data_dir, mask_suffix
        )
    if not _is_lfw(data_dir):
        raise InputError(_no_layout(data_dir))
    image_dir = data_dir / "lfw_funneled"
    mask_dir = data_dir / "parts_lfw_funneled_gt_images"
    folders = sorted(path for path in image_dir.iterdir() if path.is_dir())
    by_stem = pairing.by_stem([path for each in folders for path in image_io.find(each)])
    mask_by_stem = pairing.by_stem(image_io.find(mask_dir))
    stems, *lone = pairing.match(by_stem, mask_by_stem, image_dir, mask_dir)
    samples = [
        Sample(stem, by_stem[stem].parent.name, by_stem[stem], mask_by_stem[stem]) for stem in stems
    ]
    return samples, *lone


def _pair_by_name(image_dir, mask_dir, folder, mask_suffix=None):
    """Pair two folders; a mapping.csv of theirs lies in `folder`, or above."""
    images, mask_files = pairing.below(image_dir), pairing.below(mask_dir)
    mapped = groups.mapped(folder, {Path(key).name for key in images})
    if mask_suffix is None and not images.keys() & mask_files.keys():
        mask_suffix = _common_suffix(images, mask_files, mask_dir)
    others = []
    if mask_suffix:
        others = [path for key, path in mask_files.items() if not key.endswith(mask_suffix)]
        mask_files = {
            key.removesuffix(mask_suffix): path
            for key, path in mask_files.items()
            if key.endswith(mask_suffix)
        }
    keys, lone_images, lone_masks = pairing.match(images, mask_files, image_dir, mask_dir)
    return paired(keys, images, mask_files, mapped), lone_images, lone_masks + others


def _common_suffix(images, mask_files, mask_dir):
    """Return what the names of all masks have more than those of their images; "" for nothing."""
    suffixes = {suffix_of(key, images) for key in mask_files} - {None}
    if len(suffixes) > 1:
        names = ", ".join(sorted(suffixes)[:5])
        raise InputError(
            f"{mask_dir}: the names of masks are those of images with {names}: say which are the "
            "masks with --mask_suffix, or --layout mask_per_class if each shows one class"
        )
    for suffix in suffixes:
        logger.info("%s: masks are called as their images, with %s", mask_dir, suffix)
    return "".join(suffixes)


def suffix_of(key, images):
    """Return what the name of a mask has more than that of its image, `_mask` say, or None.

    Args:
        key: of the mask, as of `pairing.below`.
        images: keys of the images. Of several that fit, the mask belongs to the longest.
    """
    for end in range(len(key) - 1, 0, -1):
        if key[:end] in images and SUFFIX.fullmatch(key[end:]):
            return key[end:]
    return None


def _no_layout(data_dir):
    if not data_dir.is_dir():
        return f"{data_dir}: no such folder; give the one that holds images/ and masks/"
    hint = pairing.did_you_mean(data_dir, fits)
    return (
        f"{data_dir} holds neither images/ and masks/ nor lfw_funneled/ and "
        f"parts_lfw_funneled_gt_images/{hint}"
    )
