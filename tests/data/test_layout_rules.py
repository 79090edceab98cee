"""What each layout says beside where its files are: overlaps, groups, divisions, and refusals."""

import base64
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

import layout_sets
import mutate_readers
from layout_sets import STEMS, image, save, truth
from scene_sets import run
from segmentation.data import readers
from segmentation.data.readers import (
    ade20k_full,
    cityscapes,
    coco,
    folders,
    labelme,
    mask_per_class,
    roboflow,
)
from segmentation.data.samples import SourceFiles
from segmentation.errors import InputError
from segmentation.inference import predictions

SQUARE = (32, 64)


def refused(match, function, *arguments, **options):
    with pytest.raises(InputError, match=match) as error:
        function(*arguments, **options)
    assert "\n" not in str(error.value)


def masks_of(reader):
    found = SourceFiles(reader)
    return [found.read_mask(index) for index in range(len(found))]


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


def labelme_set(folder, shapes, **more):
    save(folder / "a.png", image("f0"))
    found = {"shapes": shapes, "imagePath": "a.png", "imageHeight": 32, "imageWidth": 64} | more
    (folder / "a.json").write_text(json.dumps(found))
    return folder


def shape(label, points, kind="polygon", **more):
    return {"label": label, "points": points, "shape_type": kind} | more


def test_labelme_draws_later_shapes_over_earlier_ones(tmp_path):
    stored = io.BytesIO()
    Image.fromarray(np.uint8([[0, 255], [255, 255]])).save(stored, "PNG")
    png = base64.b64encode(stored.getvalue()).decode()
    shapes = [
        shape("b", [[0, 0], [9, 0], [9, 9], [0, 9]]),
        shape("a", [[7, 7], [2, 2]], "rectangle"),
        shape("__ignore__", [[20, 10], [20, 13]], "circle"),
        shape("_background_", [[0, 0], [1, 1]], "rectangle"),
        shape("a", [[40, 5], [41, 6]], "mask", mask=png),
    ]
    reader = labelme.open_reader([labelme_set(tmp_path, shapes)])
    (mask,) = masks_of(reader)
    assert reader.label_map.labels == ["background", "a", "b"]
    assert mask[5, [0, 2, 7, 8, 9]].tolist() == [2, 1, 1, 2, 2] and mask[0, 0] == mask[30, 60] == 0
    assert mask[10, 20] == mask[13, 20] == 255 and mask[14, 20] == 0
    assert mask[5:7, 40:42].tolist() == [[0, 1], [1, 1]]


def test_labelmes_shapes_without_area_names_and_sizes_are_checked(tmp_path):
    line = [shape("a", [[0, 0], [9, 9]], "line")]
    refused(
        "'line' of 2 points covers no area",
        masks_of,
        labelme.open_reader([labelme_set(tmp_path, line)]),
    )
    square = [shape("a", [[0, 0], [9, 0], [9, 9]])]
    other = labelme.open_reader([labelme_set(tmp_path, square, imageHeight=64)])
    refused("was drawn on 64x64 pixels, and .*a.png has 64x32", masks_of, other)
    names = tmp_path / "names.txt"
    names.write_text("idx\tlabel\n0\tnone\n1\tb\n2\ta\n")
    labelme_set(tmp_path, square)
    assert masks_of(labelme.open_reader([tmp_path], names))[0][1, 5] == 2
    names.write_text("idx\tlabel\n0\ta\n1\tb\n")
    refused("class 0 must be called 'background'", labelme.open_reader, [tmp_path], names)
    names.write_text("idx\tlabel\n0\tnone\n1\tb\n")
    refused(
        "has a shape 'a', which .*names.txt does not name", labelme.open_reader, [tmp_path], names
    )


def test_cityscapes_by_city_where_there_are_many_and_other_ids_count_for_nothing(tmp_path):
    for number in range(5):
        name = f"city{number}/city{number}_000000_000019"
        save(tmp_path / f"images/{name}_leftImg8bit.png", image("f0"))
        ids = np.uint8([7, 4, 33])[truth("f0")]
        save(tmp_path / f"masks/{name}_gtFine_labelIds.png", ids)
    reader = cityscapes.open_reader([tmp_path])
    assert [sample.group for sample in reader.samples] == [f"city{n}" for n in range(5)]
    found = masks_of(reader)[0]
    np.testing.assert_array_equal(found, np.uint8([0, 255, 18])[truth("f0")])
    assert reader.label_map.labels[0] == "road" and reader.label_map.labels[18] == "bicycle"
    chosen = cityscapes.open_reader([tmp_path], whitelist="bicycle|road")
    np.testing.assert_array_equal(masks_of(chosen)[0], np.uint8([2, 255, 1])[truth("f0")])
    save(tmp_path / "masks/city0/city0_000000_000019_gtFine_labelIds.png", ids + 90)
    refused("holds the ids 94, .* no labelIds", masks_of, cityscapes.open_reader([tmp_path]))


def test_roboflows_copies_of_an_image_are_a_group_and_divisions_are_named(tmp_path):
    layout_sets.roboflow(tmp_path)
    for suffix in (".jpg", "_mask.png"):
        path = tmp_path / f"train/f0_jpg.rf.0a1b{suffix}"
        path.with_name(f"f0_jpg.rf.77cc{suffix}").write_bytes(path.read_bytes())
    reader = roboflow.open_reader([tmp_path])
    assert [sample.group for sample in reader.samples] == ["f0_jpg", "f0_jpg", "", ""]
    (tmp_path / "train/_classes.csv").write_text("Pixel Value, Class\n0, unlabeled\n1, cat\n")
    reader = roboflow.open_reader([tmp_path])
    assert reader.label_map.labels == ["background", "cat"]
    refused("holds the values 2, which _classes.csv does not name", masks_of, reader)
    (tmp_path / "train/_classes.csv").write_text("Pixel Value, Class\n0, background\n1\n")
    refused("_classes.csv, line 3: expected a number", roboflow.open_reader, [tmp_path])
    (tmp_path / "train").rename(tmp_path / "valid")
    layout_sets.roboflow(tmp_path)
    refused("holds 2 divisions: give one of .*train, .*valid", roboflow.open_reader, [tmp_path])


def test_masks_of_classes_may_overlap_where_their_order_is_known(tmp_path):
    for stem in STEMS[:2]:
        save(tmp_path / f"images/{stem}.jpg", image(stem))
        for name, area in (("cat", truth(stem) > 0), ("dog", truth(stem) == 2)):
            save(tmp_path / f"masks/{name}/{stem}.png", area.astype(np.uint8))
    assert readers.detect([tmp_path]) == "mask_per_class"
    refused(
        "dog/f0.png: overlaps cat in 240 pixels", masks_of, mask_per_class.open_reader([tmp_path])
    )
    names = tmp_path / "names.txt"
    names.write_text("idx\tlabel\n0\tnone\n1\tcat\n2\tdog\n")
    found = masks_of(mask_per_class.open_reader([tmp_path], names))
    np.testing.assert_array_equal(found, [truth(stem) for stem in STEMS[:2]])
    names.write_text("idx\tlabel\n0\tnone\n1\tdog\n2\tcat\n")
    found = masks_of(mask_per_class.open_reader([tmp_path], names))
    np.testing.assert_array_equal(found[0], np.uint8([0, 2, 2])[truth("f0")])


def test_blended_masks_of_classes_are_divided_and_told_once(tmp_path, capsys):
    save(tmp_path / "images/a.jpg", image("f0"))
    for name, index in (("cat", 1), ("dog", 2)):
        area = np.where(truth("f0") == index, 250, 3).astype(np.uint8)
        area[0, :5] = 100
        save(tmp_path / f"masks/a_{name}.png", area)
    assert readers.detect([tmp_path]) == "mask_per_class"
    np.testing.assert_array_equal(masks_of(mask_per_class.open_reader([tmp_path]))[0], truth("f0"))
    assert capsys.readouterr().err.count("masks have blended edges") == 1


def test_celebamask_hq_as_it_is_downloaded(tmp_path):
    for number, stem in enumerate(STEMS):
        large = image(stem).repeat(2, axis=0).repeat(2, axis=1)
        save(tmp_path / f"CelebA-HQ-img/{number}.jpg", large)
        for name, area in (("skin", truth(stem) > 0), ("hair", truth(stem) == 2)):
            path = tmp_path / f"CelebAMask-HQ-mask-anno/0/{number:05d}_{name}.png"
            save(path, np.repeat(area[..., None], 3, axis=2).astype(np.uint8) * 255)
    assert readers.detect([tmp_path]) == "mask_per_class"
    reader = mask_per_class.open_reader([tmp_path])
    assert reader.label_map.labels == ["background", "skin", "hair"]
    _, mask = SourceFiles(reader).read(1)
    np.testing.assert_array_equal(mask, truth("f1").repeat(2, axis=0).repeat(2, axis=1))


def test_instances_are_no_classes(tmp_path):
    layout_sets.write_images(tmp_path / "images")
    for name in ("mask", "mask_1"):
        layout_sets.write_masks(tmp_path / "masks", [0, 255, 0], f"{{}}_{name}.png")
    assert readers.detect([tmp_path]) == "folders"
    refused("with _mask, _mask_1: say which", folders.open_reader, [tmp_path])


def test_names_that_differ_by_several_suffixes_are_asked_about(tmp_path):
    layout_sets.write_images(tmp_path / "images")
    layout_sets.write_masks(tmp_path / "masks", [0, 1, 2], "{}_ids.png")
    layout_sets.write_masks(tmp_path / "masks", [0, 5, 9], "{}_instances.png")
    assert readers.detect([tmp_path]) == "folders"
    refused("with _ids, _instances: say which are .*--mask_suffix", folders.open_reader, [tmp_path])
    reader = folders.open_reader([tmp_path], mask_suffix="_ids")
    np.testing.assert_array_equal(masks_of(reader), [truth(stem) for stem in STEMS])
    assert reader.unpaired == {"pictures": 0, "masks": 3}


def test_images_and_masks_in_folders_of_other_names(tmp_path, capsys):
    layout_sets.write_images(tmp_path / "train")
    layout_sets.write_masks(
        tmp_path / "train_labels", [(0, 0, 0), (1, 2, 3), (9, 8, 7)], "{}_L.png"
    )
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nVoid,0,0,0\nDog,9,8,7\nCat,1,2,3\n")
    pair = ("-i", tmp_path / "train", "-a", tmp_path / "train_labels")
    result, *_ = run(
        capsys, "prepare", "--layout", "folders", *pair, "-o", tmp_path / "out", "-s", "32x64"
    )
    assert result["classes"] == ["Dog", "Cat"] and result["ignored_share"] > 0.5
    found = np.load(tmp_path / "out/masks-32x64.npy")
    np.testing.assert_array_equal(found[0], np.uint8([255, 1, 0])[truth("f0")])


def test_colors_have_the_names_that_an_option_gives(tmp_path, capsys):
    layout_sets.write_images(tmp_path / "images")
    layout_sets.write_masks(tmp_path / "masks", [(0, 0, 0), (255, 0, 0), (0, 0, 255)])
    options = ("prepare", "-d", tmp_path, "-o", tmp_path / "out", "-s", "32x64")
    refused(r"\(0, 0, 0\), \(0, 0, 255\), \(255, 0, 0\) have no names", run, capsys, *options)
    (tmp_path / "mine.txt").write_text("background:0,0,0\nperson:0,0,255\npipeline:255,0,0\n")
    result, *_ = run(capsys, *options, "--colors", tmp_path / "mine.txt")
    assert result["classes"] == ["background", "person", "pipeline"]
    assert result["mask_format"] == "colors"
    found = np.load(tmp_path / "out/masks-32x64.npy")
    np.testing.assert_array_equal(found[0], np.uint8([0, 2, 1])[truth("f0")])
    refused("not in PASCAL VOC's palette", run, capsys, *options, "--colors", "voc")
    both = ("--colors", "voc", "--mask_format", "index")
    refused("--colors does not go with --mask_format index", run, capsys, *options, *both)


def test_divided_folders_are_read_one_by_one(tmp_path):
    for division, stem in (("train", "f0"), ("val", "f1")):
        save(tmp_path / f"images/{division}/{stem}.jpg", image(stem))
        save(tmp_path / f"masks/{division}/{stem}.png", truth(stem))
    refused("holds 2 divisions: give one of .*train, .*val", folders.open_reader, [tmp_path])
    both = [tmp_path / "images/train", tmp_path / "images/val"]
    assert readers.detect(both) == "folders"
    reader = folders.open_reader(both)
    assert [(sample.stem, sample.group) for sample in reader.samples] == [("f0", ""), ("f1", "")]


def test_the_full_ade20k_of_before_2021_needs_a_table_of_names(tmp_path):
    layout_sets.ade20k_full(tmp_path)
    for path in tmp_path.rglob("*.json"):
        path.unlink()
    refused("no JSON file beside it names its classes", ade20k_full.open_reader, [tmp_path])
    names = tmp_path / "names.txt"
    names.write_text("Idx\tName\n" + "".join(f"{n}\tclass {n}\n" for n in range(1, 3000)))
    refused(
        "may show 2999 classes.*choose with --whitelist", ade20k_full.open_reader, [tmp_path], names
    )
    reader = ade20k_full.open_reader([tmp_path], names, "class 2978:class 7|class 300")
    np.testing.assert_array_equal(masks_of(reader)[0], np.uint8([0, 2, 1])[truth("f0")])
    names.write_text("Idx\tName\n300\tcat\n")
    refused("holds the classes 2978, which", masks_of, ade20k_full.open_reader([tmp_path], names))


def test_the_full_ade20k_with_hidden_files_and_names_in_latin_1(tmp_path):
    layout_sets.ade20k_full(tmp_path)
    for path in [*tmp_path.rglob("ADE_*")]:
        path.with_name(f"._{path.name}").write_bytes(b"\0\5")
    for path, encoding in zip(
        sorted(tmp_path.rglob("ADE_*.json")), ("utf-8", "latin-1", "utf-8"), strict=True
    ):
        text = path.read_text().replace("cat", "caf\u00e9")
        path.write_text(text, encoding)
    reader = ade20k_full.open_reader([tmp_path])
    assert reader.label_map.labels == ["none", "caf\u00e9", "dog, hound"]
    assert len(masks_of(reader)) == 3 and reader.unpaired == {"pictures": 0, "masks": 0}


def test_predictions_are_made_of_the_images_of_a_layout_and_not_of_its_masks(tmp_path):
    layout_sets.roboflow(tmp_path)
    save(tmp_path / "train/new.jpg", image("f0"))  # it has no mask yet
    names = [path.name for path in predictions.find_images([tmp_path / "train"])]
    assert names == [f"{stem}_jpg.rf.0a1b.jpg" for stem in STEMS] + ["new.jpg"]
    save(tmp_path / "other/a.jpg", image("f0"))
    assert predictions.find_images([tmp_path / "other"]) == [tmp_path / "other/a.jpg"]


def test_damaged_files_of_every_layout_are_refused_in_one_line():
    outcomes, failures = mutate_readers.run(count=150, seed=0)
    assert not failures and outcomes["refused"] > 50
