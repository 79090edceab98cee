"""COCO's layout: outlines of objects in one JSON file.

annotations/instances_train.json           images/, or train/: the files that it names
train/_annotations.coco.json               the files beside it, or in images/ (Roboflow and others)

Where objects overlap, a smaller one lies over a larger one, and of equal ones the later over the
earlier. Areas of crowds, and boxes of objects without an outline, count for nothing.
"""

import functools
import logging
import os
import unicodedata
from collections import defaultdict
from pathlib import Path, PurePosixPath

import numpy as np

from segmentation.data import groups, image_io, labels, outlines, pairing
from segmentation.data.labels import IGNORED
from segmentation.data.masks import Drawing
from segmentation.data.samples import LabelMap, Reader, Sample
from segmentation.data.whitelist import apply_whitelist
from segmentation.errors import InputError

logger = logging.getLogger(__name__)

DESCRIPTION = "COCO's annotations/….json and images/"
PLACES = ("annotations/*.json", "*.json")
KEYS = ("annotations", "categories", "images")
NOT_INSTANCES = ("captions_", "person_keypoints_", "panoptic_", "image_info_", "stuff_")


def fits(folder):
    """Return whether a folder has this layout, or is a JSON file of COCO."""
    return bool(_files(Path(folder)))


def _files(place):
    """Return the JSON files of objects that a folder or a file means."""
    if place.is_file():
        return (
            [place] if place.suffix.lower() == ".json" and outlines.has_keys(place, *KEYS) else []
        )
    found = [path for pattern in PLACES for path in sorted(place.glob(pattern))]
    return [
        p for p in found if not p.name.startswith(NOT_INSTANCES) and outlines.has_keys(p, *KEYS)
    ]


def open_reader(data_dirs=None, image_dir=None, annotation_dir=None, whitelist=None):
    """Find the samples; say what has no partner.

    Args:
        data_dirs: folders, or JSON files.
        image_dir: folder of images, in place of `data_dirs`.
        annotation_dir: the JSON file.
        whitelist: as `apply_whitelist` reads it; None keeps every class.

    Returns:
        `Reader`. Its classes are the categories in the order of their ids; an image without objects
        is background.

    Raises:
        InputError: for a folder of another layout, with several files, or given twice; for a
            damaged or contradictory file; if none of its images is there.
    """
    pair = pairing.given_pair(data_dirs, image_dir, annotation_dir)
    found = [pair[::-1]] if pair else [(_one_file(Path(place)), None) for place in data_dirs]
    pairing.refuse_repeats([path for path, _ in found])
    sets = [_Annotations(path) for path, _ in found]
    if any(each.names != sets[0].names for each in sets):
        raise InputError(f"{found[0][0]} and {found[-1][0]} name different categories")
    known = dict(enumerate(sets[0].names, start=1))
    names, table = apply_whitelist(known, whitelist)
    samples, lone_images, lone_masks = [], [], []
    for (path, folder), each in zip(found, sets, strict=True):
        everything = each.samples(folder or _image_folder(path, each))
        for all_of, new in zip((samples, lone_images, lone_masks), everything, strict=True):
            all_of.extend(new)
    unpaired = pairing.report_lone(lone_images, lone_masks)
    return Reader(samples, unpaired, LabelMap(names, lambda legend: table), unmasked=lone_images)


def _one_file(place):
    found = _files(place)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(map(str, found))
        raise InputError(f"{place} holds several files of objects: give one of {names}")
    if not place.exists():
        raise InputError(f"{place}: no such folder; give the one that holds {DESCRIPTION}")
    hint = pairing.did_you_mean(place, fits)
    raise InputError(f"{place} does not hold {DESCRIPTION}{hint}")


def _image_folder(path, annotations):
    """Return the folder, near a JSON file, in which most of its images are."""
    root = path.parent.parent if path.parent.name == "annotations" else path.parent
    division = path.stem.partition("_")[2] or path.stem  # train2017 of instances_train2017
    near = [root / "images" / division, root / division, root / "images", path.parent, root]
    names = [image["file_name"] for image in annotations.images.values()]
    counts = [sum(_file(folder, name).is_file() for name in names) for folder in near]
    if not max(counts):
        places = ", ".join(map(str, dict.fromkeys(near)))
        raise InputError(f"{path}: none of its {len(names)} images is in {places}")
    return near[counts.index(max(counts))]


def _file(folder, name):
    """Return the path of an image, whose name may be written as another system writes it."""
    texts = (name, name.replace("\\", "/"))
    forms = [unicodedata.normalize(form, text) for text in texts for form in ("NFC", "NFD")]
    paths = [folder / each for each in dict.fromkeys((name, *forms))]
    return next((path for path in paths if path.is_file()), paths[0])


def _keys(names):
    """Return the keys, as of `pairing.below`, of file names: below the folders that all share."""
    paths = [PurePosixPath(name.replace("\\", "/")) for name in names]
    shared = len(os.path.commonprefix([path.parts[:-1] for path in paths]))
    return ["/".join(path.with_suffix("").parts[shared:]) for path in paths]


class _Annotations:
    """A JSON file of COCO, checked.

    Attributes:
        names: of the categories, in the order of their ids, a background left out.
        images: by their id.
    """

    def __init__(self, path):
        self._path = path
        found = outlines.read_json(path)
        lists = [found.get(name) for name in ("images", "annotations", "categories")]
        if not all(
            isinstance(each, list) and all(isinstance(one, dict) for one in each) for each in lists
        ):
            raise InputError(f"{path}: lacks images, annotations or categories, lists of objects")
        images, annotations, categories = lists
        self.images = {}
        for image in images:
            where = f"{path}, image {image.get('id')!r}"
            outlines.as_text(image.get("file_name"), where)
            outlines.size_of(image, where)
            if self.images.setdefault(self._id(image, where), image) is not image:
                raise InputError(f"{where}: its id occurs twice")
        self._objects = defaultdict(list)  # by image
        self._find_classes(categories, annotations)
        for annotation in annotations:
            where = f"{path}, annotation {annotation.get('id')!r}"
            image = annotation.get("image_id")
            if not isinstance(image, int | str) or image not in self.images:
                raise InputError(f"{where}: there is no image {image!r}")
            category = annotation.get("category_id")
            if not isinstance(category, int) or category not in self._ids:
                raise InputError(f"{where}: there is no category {category!r}")
            self._objects[image].append(annotation)

    @staticmethod
    def _id(entry, where):
        if not isinstance(entry.get("id"), int | str):
            raise InputError(f"{where}: has no id")
        return entry["id"]

    def _find_classes(self, categories, annotations):
        by_id = {}
        for category in categories:
            where = f"{self._path}, category {category.get('id')!r}"
            index = self._id(category, where)
            if not isinstance(index, int) or index in by_id:
                raise InputError(f"{where}: its id is no number, or occurs twice")
            by_id[index] = outlines.as_text(category.get("name"), where)
        used = [annotation.get("category_id") for annotation in annotations]
        above = [category.get("supercategory") for category in categories]
        if 0 in by_id and 0 not in used and by_id[0] in above:  # Roboflow's name for all of them
            del by_id[0]
        ordered = [by_id[index] for index in sorted(by_id)]
        self.names = [name for name in ordered if not labels.is_background(name)]
        if not self.names or len(self.names) > outlines.MAX_CLASSES:
            raise InputError(
                f"{self._path}: has {len(self.names)} categories; masks can have 1 to "
                f"{outlines.MAX_CLASSES} classes"
            )
        labels.check([labels.BACKGROUND_NAMES[0], *self.names])
        place = {name: number for number, name in enumerate(self.names, start=1)}
        self._ids = {index: place.get(name, 0) for index, name in by_id.items()}

    def samples(self, folder):
        """Return samples, images without an entry in the file, and entries without an image."""
        found, missing, named, empty, boxes = [], [], {}, 0, 0
        for index, image in self.images.items():
            path = _file(folder, image["file_name"])
            if (first := named.setdefault(path, index)) != index:
                raise InputError(
                    f"{self._path}: the images {first!r} and {index!r} are both {path}: join them"
                )
            if not path.is_file():
                missing.append(path)
                continue
            objects = self._objects[index]
            empty += not objects
            boxes += sum(not _has_outline(each) for each in objects)
            draw = functools.partial(_draw, self._path, self._ids, image, objects)
            found.append((path, Drawing(self._path, draw, image["file_name"])))
        if not found:
            raise InputError(f"{self._path}: none of its {len(self.images)} images is in {folder}")
        if empty:
            logger.info("%s: %d images have no objects: background alone", self._path, empty)
        if boxes:
            logger.warning(
                "%s: %d objects have a box and no outline: their boxes count for nothing",
                *(self._path, boxes),
            )
        keys = _keys([mask.what for _, mask in found])
        name_of, group_of = pairing.names_of(keys), groups.groups_of(keys)
        samples = [
            Sample(name_of[key], group_of[key], *files)
            for key, files in zip(keys, found, strict=True)
        ]
        near = {path for path in image_io.find(folder, (".json",)) if path not in named}
        return sorted(samples, key=lambda sample: str(sample.image)), sorted(near), missing


def _draw(path, category_ids, image, objects):
    """Return the `(H, W)` uint8 class ids of an image."""
    size = outlines.size_of(image, path)
    ids, drawn = np.zeros(size, np.uint8), []
    for annotation in objects:
        where = f"{path}, annotation {annotation.get('id')!r}"
        if not _has_outline(annotation):
            _ignore_box(annotation, ids, where)
            continue
        runs = _runs(annotation["segmentation"], size, where)
        if annotation.get("iscrowd"):
            ids[outlines.runs_to_mask(runs, size)] = IGNORED
        else:
            drawn.append((runs, category_ids[annotation["category_id"]]))
    for runs, index in sorted(drawn, key=lambda each: -each[0][1::2].sum()):  # stable
        ids[outlines.runs_to_mask(runs, size)] = index
    return ids


def _has_outline(annotation):
    """Return whether an object has runs or a polygon; lines and points cover nothing."""
    shape = annotation.get("segmentation")
    if not isinstance(shape, list):
        return bool(shape)
    return any(not isinstance(polygon, list) or _length(polygon) > 4 for polygon in shape)


def _length(polygon):
    return sum(len(each) if isinstance(each, list) else 1 for each in polygon)


def _ignore_box(annotation, ids, where):
    """Mark the box of an object without an outline; that of a line has no area."""
    box = annotation.get("bbox")
    (x, y), (width, height) = [(0, 0)] * 2
    if isinstance(box, list) and len(box) == 4:
        (x, y), (width, height) = outlines.points_of(box, ids.shape, where)
    if (width <= 0 or height <= 0) and annotation.get("segmentation"):
        return
    if width <= 0 or height <= 0:
        raise InputError(f"{where}: has neither an outline nor a box")
    bottom, right = max(int(np.ceil(y + height)), 0), max(int(np.ceil(x + width)), 0)
    ids[max(int(y), 0) : bottom, max(int(x), 0) : right] = IGNORED


def _runs(shape, size, where):
    """Return the run lengths of an outline, `(N,)` int64: see `outlines.counts_of`."""
    if isinstance(shape, dict):
        if shape.get("size") != list(size):
            raise InputError(f"{where}: its size {shape.get('size')!r} is not that of the image")
        return outlines.counts_of(shape.get("counts"), size, where)
    if not isinstance(shape, list):
        raise InputError(f"{where}: its segmentation is neither polygons nor runs")
    from pycocotools import mask as coco_mask  # here: `data.py --help` does without

    polygons = [outlines.points_of(polygon, size, where) for polygon in shape]
    polygons = [points.reshape(-1).tolist() for points in polygons if len(points) > 2]
    merged = coco_mask.merge(coco_mask.frPyObjects(polygons, *size))
    return outlines.counts_of(merged["counts"].decode(), size, where)
