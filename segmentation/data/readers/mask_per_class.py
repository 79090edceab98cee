"""A black and white mask for each class of an image, as in CelebAMask-HQ.

images/0001.jpg                            masks/0001_hair.png, masks/0001_skin.png
images/0001.jpg                            masks/hair/0001.png, masks/skin/0001.png
CelebA-HQ-img/1.jpg                        CelebAMask-HQ-mask-anno/0/00001_hair.png

Where masks overlap, a later class lies over an earlier one. Their order is that of a label file, or
CelebAMask-HQ's; without either, masks must not overlap.
"""

import functools
import logging
import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from segmentation.data import (
    image_io,
    labels,
    mask_evidence,
    mask_formats,
    masks,
    outlines,
    pairing,
)
from segmentation.data.readers import folders
from segmentation.data.samples import LabelMap, Reader, labels_beside, paired
from segmentation.errors import InputError

logger = logging.getLogger(__name__)

DESCRIPTION = "images/X.jpg and masks/X_hair.png …"
NARROWER_THAN = ("folders",)
CELEBA = ("CelebA-HQ-img", "CelebAMask-HQ-mask-anno")
# The order in which the authors draw them: g_mask.py of https://github.com/switchablenorms/CelebAMask-HQ
CELEBA_CLASSES = (
    "skin nose eye_g l_eye r_eye l_brow r_brow l_ear r_ear mouth u_lip l_lip hair hat ear_r neck_l "
    "neck cloth"
).split()
CLASS = re.compile(r"[^\W\d](?:[\w -]*\w)?")  # a name, not the number of an instance
NUMBER = re.compile(r"_?\d+$")  # of an instance: mask_1, mask_2
NO_CLASSES = frozenset("mask masks seg segmentation gt label labels annotation edge edges".split())
EXAMPLES = 20  # masks that are read to recognise the layout
BLENDED = "%s: masks have blended edges; from %d on they are the class"
TRANSPARENT = (
    "%s: masks have transparent pixels, which are background; edges that are partly transparent "
    "are divided at %d of 255"
)


def fits(folder):
    """Return whether a folder has this layout: at least two classes, in black and white masks."""
    folder = Path(folder)
    if _has_celeba(folder):
        return True
    pairs = pairing.pairs_of_folders(folder, "images", "masks")
    if len(pairs) != 1:
        return False
    images, found = (_quiet_below(each) for each in pairs[0])
    if images.keys() & found.keys():
        return False
    parts = {key: _parted(key, images) for key in found}
    if None in parts.values() or not _are_classes({part[1] for part in parts.values()}):
        return False
    chosen = list(found.values())[:: max(len(found) // EXAMPLES, 1)]
    return all(map(_is_black_and_white, chosen))


def _are_classes(names):
    """Return whether names can be those of classes, and not of one mask beside others."""
    return len(names) > 1 and not _instances(names) and not {*map(_base, names)} & NO_CLASSES


def _base(name):
    return NUMBER.sub("", name.lower())


def _instances(names):
    """Return the first two names that differ in a number alone, None without any."""
    first = {}
    for name in sorted(names):
        if first.setdefault(_base(name), name) != name:
            return first[_base(name)], name
    return None


def _has_celeba(folder):
    return all((folder / name).is_dir() for name in CELEBA)


def _quiet_below(folder):
    """Return the image files below a folder, by name, without a word on others."""
    return {
        pairing.composed(path.relative_to(folder).with_suffix("").as_posix()): path
        for path in pairing.files_below(folder)
        if path.suffix.lower() in image_io.SUFFIXES
    }


def _is_black_and_white(path):
    try:
        _object(masks.read(path), path)
    except InputError:
        return False
    return True


def _parted(key, images):
    """Return the key of the image and the class of a mask, or None."""
    suffix = folders.suffix_of(key, images)
    if suffix and CLASS.fullmatch(suffix[1:]):
        return key.removesuffix(suffix), suffix[1:]
    class_name, _, rest = key.partition("/")
    return (rest, class_name) if rest in images and CLASS.fullmatch(class_name) else None


def open_reader(data_dirs, label_file=None):
    """Find the samples; say what has no partner.

    Args:
        data_dirs: folders.
        label_file: a labels.txt that names the classes, the background first, in the order in which
            they are drawn; None: the nearest one, if there is one; else CelebAMask-HQ's if all are
            among them, else sorted.

    Returns:
        `Reader`. A class of which an image has no mask is not shown by it.

    Raises:
        InputError: for a folder of another layout or given twice; for a class that the label file
            does not name; if nothing pairs.
    """
    pairing.refuse_repeats(data_dirs)
    found, lone_images, lone_masks, places = [], [], [], []
    for data_dir in map(Path, data_dirs):
        pair = _folders(data_dir)
        places.append(pairing.places_of(pair, data_dir))
        pairs, *lone = _found(*pair)
        found.append(pairs)
        lone_images += lone[0]
        lone_masks += lone[1]
    shown = {}
    for pairs in found:
        for _, parts in pairs.values():
            shown |= parts
    names, ordered = _names(shown, label_file or labels_beside(places))
    samples, said = [], {}
    for pairs in found:
        drawings = {}
        for key, (image, parts) in pairs.items():
            in_order = sorted(parts.items(), key=lambda part: names.index(part[0]))
            draw = functools.partial(_draw, image, in_order, names, ordered, said)
            drawings[key] = masks.Drawing(in_order[0][1], draw, "and others")
        samples += paired(pairs, {key: image for key, (image, _) in pairs.items()}, drawings)
    unpaired = pairing.report_lone(lone_images, lone_masks)
    return Reader(samples, unpaired, LabelMap.of_ids(names), unmasked=lone_images)


def _folders(data_dir):
    """Return the folder of images and that of masks."""
    if _has_celeba(data_dir):
        return tuple(data_dir / name for name in CELEBA)
    pairs = pairing.pairs_of_folders(data_dir, "images", "masks")
    return pairing.one_pair(data_dir, pairs, DESCRIPTION, fits)


def _found(image_dir, mask_dir):
    """Return an image and `{class: mask}` by key, and the paths of either without a partner."""
    if image_dir.name == CELEBA[0]:
        # Images are called 7.jpg, and their masks 00007_hair.png in folders of 2000 each.
        images = {key.zfill(5): path for key, path in pairing.below(image_dir).items()}
        mask_files = {Path(key).name: path for key, path in pairing.below(mask_dir).items()}
    else:
        images, mask_files = pairing.below(image_dir), pairing.below(mask_dir)
    parts, lone_masks = defaultdict(dict), []
    for key, path in mask_files.items():
        part = _parted(key, images)
        if part is None:
            lone_masks.append(path)
        else:
            parts[part[0]][part[1]] = path
    if not parts:
        raise InputError(f"{mask_dir}: no mask is called as an image of {image_dir} and a class")
    found = {key: (images[key], parts[key]) for key in sorted(parts)}
    return found, [path for key, path in images.items() if key not in parts], lone_masks


def _names(shown, label_file):
    """Return the class names, and whether their order is one in which they can be drawn."""
    if label_file:
        names = labels.read_with_background(label_file)
        for name, path in shown.items():
            if name not in names[1:]:
                raise InputError(f"{path}: is the mask of a class that {label_file} does not name")
        return names, True
    if instances := _instances(shown):
        raise InputError(
            f"{shown[instances[1]]}: {' and '.join(instances)} may be instances of one class: join "
            "their masks, or name both with --labels if they are classes"
        )
    if len(shown) > outlines.MAX_CLASSES:
        raise InputError(
            f"there are masks of {len(shown)} classes, more than {outlines.MAX_CLASSES}"
        )
    is_celeba = shown.keys() <= {*CELEBA_CLASSES}
    ordered = [name for name in CELEBA_CLASSES if name in shown] if is_celeba else sorted(shown)
    names = [labels.BACKGROUND_NAMES[0], *ordered]
    labels.check(names)
    return names, is_celeba


def _draw(image, in_order, names, ordered, said):
    """Return the `(H, W)` uint8 class ids of an image; `said` is what has been said of the set."""
    ids = None
    for name, path in in_order:
        mask = masks.read(path)
        area, blended = _object(mask, path)
        if blended:
            _say_once(said, BLENDED, path)
        if mask.clear or mask.soft:
            _say_once(said, TRANSPARENT, path)
        if ids is None:
            ids = np.zeros(area.shape, np.uint8)
        if area.shape != ids.shape:
            raise image_io.UnreadableError(
                pairing.different_sizes(path, area.shape, in_order[0][1], ids.shape)
            )
        below = ids[area & (ids > 0)]
        if below.size and not ordered:
            raise InputError(
                f"{path}: overlaps {names[below[0]]} in {below.size} pixels: name the classes with "
                "--labels in the order in which they are drawn, later ones over earlier ones"
            )
        ids[area] = names.index(name)
    return _as_large(ids, image)


def _say_once(said, message, path):
    """Say it of a folder, not of each of its files, whichever threads read them."""
    mark = object()
    if said.setdefault((message, path.parent), mark) is mark:
        logger.warning(message, path.parent, mask_formats.MIDDLE)


def _as_large(ids, image):
    """Return ids at the size of the image if that is a multiple: CelebAMask-HQ's are of half."""
    (height, width), (rows, columns) = image_io.size(image), ids.shape
    factor = height // rows
    if factor > 1 and (height, width) == (rows * factor, columns * factor):
        return ids.repeat(factor, axis=0).repeat(factor, axis=1)
    return ids


def _object(mask, path):
    """Return the `(H, W)` bool object of a black and white mask, and whether it is blended."""
    seen = {}
    mask_evidence.note(seen, mask, path)
    colors = mask_evidence.colors(seen)
    if len(colors) == 1 or mask_evidence.one_on_black(seen):
        is_object = [mask.legend.color(code) != masks.BLACK for code in range(256)]
        return np.array(is_object)[mask.codes], False
    if mask_evidence.are_blended(seen, two_classes=True):
        return mask.codes >= mask_formats.MIDDLE, True
    raise InputError(f"{path}: is not black and white, the mask of one class")
