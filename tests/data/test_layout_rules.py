"""What each layout says beside where its files are: overlaps, groups, divisions, and refusals."""

import numpy as np
import pytest

import layout_sets
import mutate_readers
from layout_sets import STEMS, image, masks_of, refused, save, truth
from scene_sets import run
from segmentation.data import readers
from segmentation.data.readers import ade20k_full, cityscapes, folders, roboflow
from segmentation.errors import InputError
from segmentation.export import parity, tensorflow
from segmentation.inference import predictions


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


def test_checks_and_calibration_take_the_images_of_a_layout_and_not_its_masks(tmp_path):
    layout_sets.roboflow(tmp_path)
    folder = tmp_path / "train"
    for found in (
        parity.check_images((32, 64), folder),
        tensorflow.calibration_images(folder, (32, 64)),
    ):
        assert len(found) == len(STEMS) and found.min() > 30  # a mask has 0 to 2
    with pytest.raises(InputError, match="nowhere: not a readable folder"):
        parity.check_images((32, 64), tmp_path / "nowhere")


def test_damaged_files_of_every_layout_are_refused_in_one_line():
    outcomes, failures = mutate_readers.run(count=150, seed=0)
    assert not failures and outcomes["refused"] > 50
