"""labelme's layout: a JSON file of shapes for each image.

0001.jpg and 0001.json                     in one folder
images/0001.jpg                            masks/, annotations/, labels/ or json/0001.json

Later shapes lie over earlier ones, as labelme draws them.
"""

import base64
import binascii
import functools
import io
from collections import Counter
from pathlib import Path, PureWindowsPath

import numpy as np

from segmentation.data import groups, image_io, labels, outlines, pairing
from segmentation.data.labels import IGNORED
from segmentation.data.masks import Drawing
from segmentation.data.samples import LabelMap, Reader, Sample, labels_beside
from segmentation.errors import InputError

DESCRIPTION = "images and labelme's .json files"
JSON_FOLDERS = ("masks", "annotations", "labels", "json", "images")
KEY = "shapes"
BACKGROUND, IGNORE = "_background_", "__ignore__"  # labelme's own names


def fits(folder):
    """Return whether a folder has this layout."""
    return _places(Path(folder)) is not None


def _places(data_dir):
    """Return the folder of images and that of JSON files, or None."""
    images = data_dir / "images"
    pairs = [(data_dir, data_dir), *((images, data_dir / name) for name in JSON_FOLDERS)]
    for image_dir, json_dir in pairs:
        first = next(iter(_json_files(json_dir)), None)
        if image_dir.is_dir() and first and outlines.has_keys(first, KEY):
            masks_beside = json_dir != image_dir and image_io.holds_images(json_dir)
            return None if masks_beside else (image_dir, json_dir)
    return None


def _json_files(folder):
    return sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))


def open_reader(data_dirs, label_file=None):
    """Find the samples; say what has no partner.

    Args:
        data_dirs: folders.
        label_file: a labels.txt that names the classes; None: the nearest one, if there is one in
            the form of `labels.read`; else the labels of all shapes, sorted, the background first.
            Shapes of `__ignore__` count for nothing.

    Returns:
        `Reader`.

    Raises:
        InputError: for a folder of another layout or given twice; for a damaged file, a shape
            without an area, or a label that the label file does not name; if nothing pairs.
    """
    pairing.refuse_repeats(data_dirs)
    found, lone_images, lone_masks, near = [], [], [], []
    for data_dir in map(Path, data_dirs):
        places = _places(data_dir)
        if places is None:
            hint = pairing.did_you_mean(data_dir, fits)
            raise InputError(f"{data_dir} does not hold {DESCRIPTION}{hint}")
        pairs, *lone = _paired(*places)
        found += pairs
        lone_images += lone[0]
        lone_masks += lone[1]
        near.append(pairing.places_of(places, data_dir))
    names = _names(found, label_file or labels_beside(near, labels.has_header))
    ids = {labels.key(name): index for index, name in enumerate(names)}
    ids |= {BACKGROUND: 0, IGNORE: IGNORED}
    samples, group_of = [], groups.groups_of([image.stem for image, *_ in found])
    for image, path, shapes, drawn_on in found:
        draw = functools.partial(_draw, path, image, shapes, drawn_on, ids)
        samples.append(Sample(image.stem, group_of[image.stem], image, Drawing(path, draw)))
    unpaired = pairing.report_lone(lone_images, lone_masks)
    return Reader(samples, unpaired, LabelMap.of_ids(names), unmasked=lone_images)


def _paired(image_dir, json_dir):
    """Return what belongs together, and what is left over.

    Returns:
        a list of `(image, path, shapes, size)`: an image, its JSON file, and in that the shapes and
        the `(height, width)` of what they were drawn on; and images and JSON files without partner.
    """
    images = {pairing.composed(path.name): path for path in image_io.find(image_dir, (".json",))}
    by_stem = {Path(name).stem: path for name, path in images.items()}
    found, lone = [], []
    for path in _json_files(json_dir):
        content = outlines.read_json(path)
        shapes = content.get("shapes")
        if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
            raise InputError(f"{path}: has no list of shapes")
        named = content.get("imagePath")
        name = PureWindowsPath(named).name if isinstance(named, str) else ""
        named, own = images.get(pairing.composed(name)), by_stem.get(pairing.composed(path.stem))
        if named and own and named.stem != own.stem:
            raise InputError(
                f"{path}: its imagePath is {named.name}, and {own.name} is called as the file: "
                "correct imagePath, or rename the file"
            )
        image = named or own
        if image:
            drawn_on = content.get("imageHeight"), content.get("imageWidth")
            found.append((image, path, shapes, drawn_on))
        else:
            lone.append(path)
    if not found:
        raise InputError(f"no image in {image_dir} belongs to the {len(lone)} files of {json_dir}")
    used = Counter(image for image, *_ in found)
    for image, count in used.items():
        if count > 1:
            raise InputError(f"{image} belongs to several files of {json_dir}: remove all but one")
    return found, [path for path in images.values() if path not in used], lone


def _names(found, label_file):
    shown = {}
    for _, path, shapes, _ in found:
        for number, shape in enumerate(shapes):
            label = outlines.as_text(shape.get("label"), f"{path}, shape {number}")
            shown.setdefault(label, path)
    classes = {
        label: path
        for label, path in shown.items()
        if label not in (BACKGROUND, IGNORE) and not labels.is_background(label)
    }
    if not label_file:
        if not classes or len(classes) > outlines.MAX_CLASSES:
            raise InputError(
                f"{found[0][1].parent}: the shapes have {len(classes)} labels; 1 to "
                f"{outlines.MAX_CLASSES} can be the classes of masks"
            )
        return [labels.BACKGROUND_NAMES[0], *sorted(classes)]
    names = labels.read_with_background(label_file)
    for label, path in classes.items():
        if label not in names:
            raise InputError(f"{path}: has a shape '{label}', which {label_file} does not name")
    return names


def _draw(path, image, shapes, drawn_on, ids):
    """Return the `(H, W)` uint8 class ids of an image."""
    size = image_io.size(image)
    if drawn_on == size[::-1] and image_io.orientation(image) in image_io.SIDEWAYS:
        size = drawn_on  # of the pixels as they are stored: `samples.check_sizes` asks about it
    if drawn_on != size and None not in drawn_on:
        raise image_io.UnreadableError(
            f"{path} was drawn on {drawn_on[1]!r}x{drawn_on[0]!r} pixels, and {image} has "
            f"{size[1]}x{size[0]}: the image was resized since"
        )
    drawn = np.zeros(size, np.uint8)
    for number, shape in enumerate(shapes):
        where = f"{path}, shape {number}"
        points = outlines.points_of(shape.get("points"), size, where)
        kind = shape.get("shape_type") or "polygon"
        if kind == "mask":
            area = _pasted(shape.get("mask"), points, size, where)
        else:
            area = outlines.draw_shape(kind, points, size, where)
        drawn[area] = ids[labels.key(shape["label"].strip())]
    return drawn


def _pasted(text, points, size, where):
    """Return the area of a shape that holds a PNG of its box, in base64."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InputError(f"{where}: its mask is no image in base64") from None
    part = np.asarray(image_io.decode(io.BytesIO(data), where)) > 0
    x, y = (int(value) for value in points.min(0)) if len(points) else (0, 0)
    height, width = part.shape[:2]
    if part.ndim != 2 or x < 0 or y < 0 or y + height > size[0] or x + width > size[1]:
        raise InputError(f"{where}: its mask does not lie within the image")
    area = np.zeros(size, bool)
    area[y : y + height, x : x + width] = part
    return area
