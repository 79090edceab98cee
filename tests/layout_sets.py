"""One small set of images and masks, written in each layout that data.py reads.

Three images of 64 x 32 pixels show a cat, a box, and a dog over it, another box.
"""

import json

import numpy as np
import pytest
from PIL import Image

from segmentation.data import palette
from segmentation.data.samples import SourceFiles
from segmentation.errors import InputError

SIZE = (32, 64)  # height, width
STEMS = ("f0", "f1", "f2")
BOXES = {  # by stem: left, top, right, bottom of the cat and of the dog
    "f0": ((4, 4, 30, 24), (20, 10, 44, 20)),
    "f1": ((30, 2, 60, 30), (34, 8, 50, 16)),
    "f2": ((0, 0, 20, 16), (10, 8, 30, 14)),
}
CAT, DOG = (48, 112, 32), (176, 112, 32)


def truth(stem):
    """Return (32, 64) uint8: 0 background, 1 cat, 2 dog."""
    ids = np.zeros(SIZE, np.uint8)
    for index, (left, top, right, bottom) in enumerate(BOXES[stem], start=1):
        ids[top:bottom, left:right] = index
    return ids


def image(stem):
    """Return an image in which the objects can be seen."""
    noise = np.random.default_rng(STEMS.index(stem)).integers(90, 130, (*SIZE, 3))
    return (noise + truth(stem)[..., None] * [60, 20, 0]).astype(np.uint8)


def refused(match, function, *arguments, **options):
    """Call a function, which must refuse its input in one line."""
    with pytest.raises(InputError, match=match) as error:
        function(*arguments, **options)
    assert "\n" not in str(error.value)


def masks_of(reader):
    """Return all masks of a reader."""
    found = SourceFiles(reader)
    return [found.read_mask(index) for index in range(len(found))]


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_images(folder, name="{}.jpg"):
    for stem in STEMS:
        save(folder / name.format(stem), image(stem))


def write_masks(folder, values, name="{}.png"):
    """Write masks in which each of the three classes has a value: a number, or a colour."""
    for stem in STEMS:
        save(folder / name.format(stem), np.array(values, np.uint8)[truth(stem)])


def cvat(folder):
    write_images(folder / "JPEGImages")
    write_masks(folder / "SegmentationClass", [(0, 0, 0), CAT, DOG])
    (folder / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\ncat:48,112,32::\nbackground:0,0,0::\ndog:176,112,32::\n"
    )


def class_dict(folder):
    write_images(folder / "images")
    write_masks(folder / "masks", [(0, 0, 0), CAT, DOG])
    (folder / "class_dict.csv").write_text(
        "name,r,g,b\ndog,176,112,32\ncat,48,112,32\nbackground,0,0,0\n"
    )


def color_column(folder):
    write_images(folder / "images")
    write_masks(folder / "masks", [(0, 0, 0), CAT, DOG])
    for stem in STEMS:  # as image software reduces colours: the palette's order means nothing
        path = folder / f"masks/{stem}.png"
        Image.open(path).quantize().save(path)
    (folder / "labels.txt").write_text(
        "idx\tlabel\tcolor\n0\tbackground\t0,0,0\n1\tcat\t#307020\n2\tdog\t176,112,32\n"
    )


def voc(folder):
    colors = np.uint8([palette.voc_color(index) for index in (0, 8, 12)])
    for stem in STEMS:
        name = f"2007_00000{stem[1]}"
        save(folder / f"JPEGImages/{name}.jpg", image(stem))
        save(folder / f"SegmentationClass/{name}.png", colors[truth(stem)])


def carvana(folder):
    write_images(folder / "images")
    for stem in STEMS:
        save(folder / f"masks/{stem}_mask.gif", (truth(stem) > 0).astype(np.uint8) * 255)


def subfolders(folder):
    for drive, stem in zip("aab", STEMS, strict=True):
        save(folder / f"images/{drive}/{stem}.jpg", image(stem))
        save(folder / f"masks/{drive}/{stem}.png", truth(stem))


def coco(folder, segmentation=None):
    """Write polygons, or what `segmentation(box, stem)` makes of a box."""
    write_images(folder / "images")
    images, annotations = [], []
    for number, stem in enumerate(STEMS):
        images.append({"id": number, "file_name": f"{stem}.jpg", "height": 32, "width": 64})
        for category, box in zip((7, 3), BOXES[stem], strict=True):
            left, top, right, bottom = box
            shape = [[left, top, right, top, right, bottom, left, bottom]]
            if segmentation:
                shape = segmentation(box)
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": number,
                    "category_id": category,
                    "iscrowd": 0,
                    "bbox": [left, top, right - left, bottom - top],
                    "segmentation": shape,
                }
            )
    annotations.reverse()  # the dog, drawn over the cat, is the smaller
    categories = [{"id": 3, "name": "dog"}, {"id": 7, "name": "cat"}]
    found = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations").mkdir()
    (folder / "annotations/instances_train.json").write_text(json.dumps(found))


def runs(box):
    """Return the run lengths of a box, down the columns."""
    left, top, right, bottom = box
    area = np.zeros(SIZE, bool)
    area[top:bottom, left:right] = True
    flat = area.T.reshape(-1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat, [False]]).astype(int)))
    ends = [0, *edges.tolist()] + ([len(flat)] if edges[-1] != len(flat) else [])
    return {"size": list(SIZE), "counts": np.diff(ends).tolist()}


def coco_runs(folder):
    coco(folder, runs)


def coco_compressed(folder):
    from pycocotools import mask as coco_mask

    def compressed(box):
        found = coco_mask.frPyObjects(runs(box), *SIZE)
        return {"size": found["size"], "counts": found["counts"].decode()}

    coco(folder, compressed)


def labelme(folder):
    write_images(folder)
    for stem in STEMS:
        shapes = []
        for label, (left, top, right, bottom) in zip(("cat", "dog"), BOXES[stem], strict=True):
            points = [[left, top], [right - 1, top], [right - 1, bottom - 1], [left, bottom - 1]]
            shapes.append({"label": label, "points": points, "shape_type": "polygon"})
        found = {"shapes": shapes, "imagePath": f"..\\x\\{stem}.jpg", "imageData": None}
        found |= {"imageHeight": 32, "imageWidth": 64, "version": "5.0.1", "flags": {}}
        (folder / f"{stem}.json").write_text(json.dumps(found))


def cityscapes(folder, kinds=(("labelIds", (7, 26, 24)), ("labelTrainIds", (0, 13, 11)))):
    for city, stem in zip(("ulm", "ulm", "bonn"), STEMS, strict=True):
        name = f"{city}/{city}_00000{stem[1]}_000019"
        save(folder / f"leftImg8bit/train/{name}_leftImg8bit.png", image(stem))
        for kind, values in kinds:
            path = folder / f"gtFine/train/{name}_gtFine_{kind}.png"
            save(path, np.uint8(values)[truth(stem)])
        save(folder / f"gtFine/train/{name}_gtFine_color.png", image(stem))


def cityscapes_ids(folder):
    cityscapes(folder, (("labelIds", (7, 26, 24)),))


def roboflow(folder):
    write_images(folder / "train", "{}_jpg.rf.0a1b.jpg")
    write_masks(folder / "train", [0, 1, 2], "{}_jpg.rf.0a1b_mask.png")
    (folder / "train/_classes.csv").write_text(
        "Pixel Value, Class\n0, background\n1, cat\n2, dog\n"
    )


def mask_per_class(folder):
    write_images(folder / "images")
    for index, name in enumerate(("skin", "hair"), start=1):
        for stem in STEMS:  # hair over skin, which goes on below it
            area = np.zeros(SIZE, np.uint8)
            left, top, right, bottom = BOXES[stem][index - 1]
            area[top:bottom, left:right] = 255
            save(folder / f"masks/{stem}_{name}.png", area)


def ade20k_full(folder):
    for number, stem in enumerate(STEMS):
        path = folder / f"images/training/street/ADE_train_0000000{number}"
        save(path.with_suffix(".jpg"), image(stem))
        codes = np.array([0, 300, 2978])[truth(stem)]
        seg = np.stack([codes // 256 * 10, codes % 256, truth(stem)], axis=-1).astype(np.uint8)
        save(path.with_name(f"{path.name}_seg.png"), seg)
        objects = [{"name_ndx": 300, "name": "cat"}, {"name_ndx": 2978, "name": "dog, hound"}]
        annotation = {"annotation": {"filename": f"{path.name}.jpg", "object": objects}}
        path.with_suffix(".json").write_text(json.dumps(annotation))


ANIMALS = ("background", "cat", "dog")
# By name: the function, the layout, the classes of 0, 1 and 2 in `truth`, and the groups.
CASES = {
    "cvat": (cvat, "voc", ANIMALS),
    "class_dict": (class_dict, "folders", ANIMALS),
    "color_column": (color_column, "folders", ANIMALS),
    "voc": (voc, "voc", ("background", "cat", "dog")),
    "carvana": (carvana, "folders", ("background", "object", "object")),
    "subfolders": (subfolders, "folders", ("background", "class_1", "class_2")),
    "coco": (coco, "coco", ("none", "cat", "dog")),
    "coco_runs": (coco_runs, "coco", ("none", "cat", "dog")),
    "coco_compressed": (coco_compressed, "coco", ("none", "cat", "dog")),
    "labelme": (labelme, "labelme", ANIMALS),
    "cityscapes": (cityscapes, "cityscapes", ("road", "car", "person")),
    "cityscapes_ids": (cityscapes_ids, "cityscapes", ("road", "car", "person")),
    "roboflow": (roboflow, "roboflow", ANIMALS),
    "mask_per_class": (mask_per_class, "mask_per_class", ("background", "skin", "hair")),
    "ade20k_full": (ade20k_full, "ade20k_full", ("none", "cat", "dog, hound")),
}
GROUPS = {
    "subfolders": ["a", "a", "b"],
    "cityscapes": ["bonn_000002", "ulm_000000", "ulm_000001"],
    "cityscapes_ids": ["bonn_000002", "ulm_000000", "ulm_000001"],
}
