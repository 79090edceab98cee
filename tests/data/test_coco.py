"""COCO: what outlines overlap, what counts for nothing, which images are meant, and refusals."""

import json
import shutil

import pytest

import layout_sets
from layout_sets import image, masks_of, refused, save
from segmentation.data import readers
from segmentation.data.readers import coco


def box(left, top, right, bottom):
    return [[left, top, right, top, right, bottom, left, bottom]]


def coco_set(folder, annotations, categories=({"id": 1, "name": "cat"}, {"id": 2, "name": "dog"})):
    """Write one image and its annotations."""
    save(folder / "images/a.jpg", image("f0"))
    images = [{"id": 1, "file_name": "a.jpg", "height": 32, "width": 64}]
    annotations = [
        {"id": number, "image_id": 1, "category_id": 1} | each
        for number, each in enumerate(annotations)
    ]
    (folder / "annotations").mkdir(exist_ok=True)
    found = {"images": images, "annotations": annotations, "categories": list(categories)}
    (folder / "annotations/a.json").write_text(json.dumps(found))
    return folder


def test_coco_draws_small_over_large_and_later_over_earlier_and_crowds_count_for_nothing(tmp_path):
    coco_set(
        tmp_path,
        [
            {"category_id": 2, "segmentation": box(0, 0, 4, 4)},  # small, over what comes later
            {"segmentation": box(0, 0, 8, 8)},
            {"segmentation": box(20, 0, 24, 4)},
            {"category_id": 2, "segmentation": box(22, 0, 26, 4)},  # of the same size, later
            {"iscrowd": 1, "segmentation": layout_sets.runs((2, 6, 12, 12))},
        ],
    )
    (mask,) = masks_of(coco.open_reader([tmp_path]))
    assert mask[1, [1, 6, 21, 23, 25]].tolist() == [2, 1, 1, 2, 2]
    assert mask[7, [3, 10]].tolist() == [1, 255] and mask[20, 40] == 0


def test_cocos_boxes_without_outlines_count_for_nothing(tmp_path, capsys):
    objects = [{"segmentation": [], "bbox": [1, 2, 3, 4]}, {"segmentation": box(10, 0, 20, 9)}]
    (mask,) = masks_of(coco.open_reader([coco_set(tmp_path, objects)]))
    assert (mask == 255).sum() == 12 and (mask[2:6, 1:4] == 255).all()
    assert "1 objects have a box and no outline" in capsys.readouterr().err


def test_roboflows_name_for_all_categories_is_no_class_and_a_whitelist_chooses(tmp_path):
    categories = [
        {"id": 0, "name": "pets", "supercategory": "none"},
        {"id": 1, "name": "cat", "supercategory": "pets"},
        {"id": 2, "name": "dog", "supercategory": "pets"},
    ]
    coco_set(tmp_path, [{"category_id": 2, "segmentation": box(0, 0, 8, 8)}], categories)
    reader = coco.open_reader([tmp_path])
    assert reader.label_map.labels == ["none", "cat", "dog"] and masks_of(reader)[0][0, 0] == 2
    chosen = coco.open_reader([tmp_path], whitelist="dog")
    assert chosen.label_map.labels == ["none", "dog"] and masks_of(chosen)[0][0, 0] == 1


def test_coco_with_several_files_asks_for_one_of_them(tmp_path):
    coco_set(tmp_path, [{"segmentation": box(0, 0, 8, 8)}])
    one = tmp_path / "annotations/a.json"
    (tmp_path / "annotations/empty.json").write_text("")
    (tmp_path / "annotations/captions_a.json").write_text(one.read_text())
    assert len(coco.open_reader([tmp_path]).samples) == 1
    (tmp_path / "annotations/b.json").write_text(one.read_text())
    refused(
        "holds several files of objects: give one of .*a.json, .*b.json",
        coco.open_reader,
        [tmp_path],
    )
    assert readers.detect([one]) == "coco" and len(coco.open_reader([one]).samples) == 1
    pair = {"image_dir": tmp_path / "images", "annotation_dir": one}
    assert len(coco.open_reader(**pair).samples) == 1
    one.rename(tmp_path / "images/result.json")
    shutil.rmtree(tmp_path / "annotations")
    assert readers.detect([tmp_path / "images"]) == "coco"
    (tmp_path / "images/result.json").rename(tmp_path / "result.json")
    assert len(coco.open_reader([tmp_path]).samples) == 1


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"segmentation": [[0, 0, 5, 5, 9]]}, "no pairs of numbers"),
        ({"segmentation": [[0, 0, 5, 5, 9, 1e9]]}, "far outside the image of 64x32"),
        ({"segmentation": [[0, 0, 5, 5, 9, float("nan")]]}, "a point is no number"),
        ({"segmentation": {"size": [32, 64], "counts": [5, 6]}}, "its runs are 11 pixels, and"),
        ({"segmentation": {"size": [64, 32], "counts": [2048]}}, "is not that of the image"),
        ({"segmentation": {"size": [32, 64], "counts": "oo"}}, "cut short|no run lengths"),
        ({"segmentation": 7}, "neither polygons nor runs"),
        ({}, "neither an outline nor a box"),
    ],
)
def test_an_outline_that_cannot_be_drawn_is_named(tmp_path, annotation, message):
    reader = coco.open_reader([coco_set(tmp_path, [annotation])])
    refused(f"a.json, annotation 0: .*({message})", masks_of, reader)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [({"image_id": 7}, "there is no image 7"), ({"category_id": 9}, "there is no category 9")],
)
def test_an_annotation_of_nothing_is_named(tmp_path, annotation, message):
    refused(message, coco.open_reader, [coco_set(tmp_path, [annotation])])


def images_set(folder, names, annotations=()):
    """Write a file of several images, all of one size, and return the folder."""
    images = [
        {"id": number, "file_name": name, "height": 32, "width": 64}
        for number, name in enumerate(names)
    ]
    found = {"images": images, "annotations": list(annotations)}
    (folder / "annotations").mkdir()
    found |= {"categories": [{"id": 1, "name": "cat"}]}
    (folder / "annotations/val.json").write_text(json.dumps(found))
    return folder


def test_an_image_or_a_file_that_occurs_twice_is_refused(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / f"images/{name}.jpg", image("f0"))
    images_set(tmp_path, ["a.jpg", "b.jpg", "./a.jpg"])
    refused("the images 0 and 2 are both .*images/a.jpg: join them", coco.open_reader, [tmp_path])
    twice = [tmp_path, tmp_path / "annotations/val.json"]
    refused("val.json is given twice: its images would count", coco.open_reader, twice)


def test_a_line_is_no_outline_and_its_box_counts_for_nothing(tmp_path):
    lines = [
        {"segmentation": [[]], "bbox": [1, 2, 3, 4]},
        {"segmentation": [[20, 5, 24, 9]], "bbox": [20, 5, 4, 4]},
        {"segmentation": [[40, 5], [44, 5]], "bbox": [40, 5, 4, 0]},
        {"segmentation": [[50, 5, 54, 9]]},
    ]
    (mask,) = masks_of(coco.open_reader([coco_set(tmp_path, lines)]))
    assert (mask[2:6, 1:4] == 255).all() and (mask[5:9, 20:24] == 255).all()
    assert (mask > 0).sum() == 12 + 16


def test_images_are_those_of_the_division_that_the_file_is_called_by(tmp_path):
    for place in ("images", "images/val"):
        save(tmp_path / place / "1.jpg", image("f0"))
    reader = coco.open_reader([images_set(tmp_path, ["1.jpg"])])
    assert reader.samples[0].image == tmp_path / "images/val/1.jpg"


def test_names_that_another_system_wrote_are_found(tmp_path):
    save(tmp_path / "images/d/1.jpg", image("f0"))
    save(tmp_path / "images/e/e\u0301.jpg", image("f0"))
    reader = coco.open_reader([images_set(tmp_path, ["d\\1.jpg", "e\\\u00e9.jpg"])])
    assert [sample.group for sample in reader.samples] == ["d", "e"]
    assert [sample.stem for sample in reader.samples] == ["d_1", "e_\u00e9"]
