"""Where files lie: what names the classes of a set, its divisions, and frames of one name."""

import unicodedata

import numpy as np
import pytest

import layout_sets
from layout_sets import STEMS, image, save, truth
from segmentation.data import pairing
from segmentation.data.readers import cityscapes, folders, voc
from segmentation.data.samples import SourceFiles
from segmentation.errors import InputError

# In colours that mean other classes without the table: parts of faces, classes of PASCAL VOC.
TABLES = {
    "parts": ([(0, 0, 255), (255, 0, 0), (0, 255, 0)], "void,0,0,255\nCat,0,255,0\nDog,255,0,0\n"),
    "voc": ([(0, 0, 0), (128, 0, 0), (0, 128, 0)], "Void,0,0,0\nCat,0,128,0\nDog,128,0,0\n"),
}


def divided(folder, values, names=("images", "masks"), divisions=("train", "val")):
    """Write an image and its mask into each division."""
    for division, stem in zip(divisions, STEMS, strict=False):
        save(folder / names[0] / division / f"{stem}.jpg", image(stem))
        pixels = np.array(values, np.uint8)[truth(stem)]
        save(folder / names[1] / division / f"{stem}.png", pixels)
    return folder


def opened(reader):
    found = SourceFiles(reader)
    return found.labels, found.read_mask(0)


@pytest.mark.parametrize("colors", TABLES)
def test_the_colours_of_a_divided_set_are_those_of_its_table(tmp_path, colors):
    values, table = TABLES[colors]
    divided(tmp_path, values)
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\n" + table)
    pair = {"image_dir": tmp_path / "images/train", "annotation_dir": tmp_path / "masks/train"}
    for reader in (folders.open_reader([pair["image_dir"]]), folders.open_reader(**pair)):
        names, mask = opened(reader)
        assert names == ["Cat", "Dog"]
        np.testing.assert_array_equal(mask, np.uint8([255, 1, 0])[truth("f0")])


def test_the_classes_of_a_divided_set_are_named_by_the_nearest_labels(tmp_path):
    names = ("JPEGImages", "SegmentationClass")
    division = divided(tmp_path, [0, 1, 2], names) / "JPEGImages/train"
    (tmp_path / "labels.txt").write_text("idx\tlabel\n0\tsky\n1\tcat\n2\tdog\n")
    assert opened(voc.open_reader([division]))[0] == ["sky", "cat", "dog"]
    (division / "labels.txt").write_text("idx\tlabel\n0\tsky\n1\tape\n2\tdog\n")
    assert opened(voc.open_reader([division]))[0] == ["sky", "ape", "dog"]


def test_files_beside_folders_called_as_divisions_are_theirs(tmp_path):
    layout_sets.write_images(tmp_path / "train/images")
    layout_sets.write_masks(tmp_path / "train/masks", [0, 1, 2])
    (tmp_path / "labels.txt").write_text("idx\tlabel\n0\tsky\n1\tcat\n2\tdog\n")
    assert opened(folders.open_reader([tmp_path / "train"]))[0][1] == "class_1"  # no other division
    (tmp_path / "val").mkdir()
    assert opened(folders.open_reader([tmp_path / "train"]))[0] == ["sky", "cat", "dog"]


def test_folders_that_do_not_belong_together_are_not_climbed_from(tmp_path):
    pair = tmp_path / "a/images", tmp_path / "b/c/masks"
    assert pairing.places_of(pair) == [pair[1], tmp_path / "b/c"]
    same = tmp_path / "a", tmp_path / "a"
    assert pairing.places_of(same) == [tmp_path / "a", tmp_path]


def test_a_set_divided_into_train2017_and_val2017_is_not_taken_for_drives(tmp_path):
    divided(tmp_path, [0, 1, 2], divisions=("train2017", "val2017", "extra"))
    message = "holds 3 divisions: give one of .*images/extra, .*images/train2017, .*images/val2017"
    with pytest.raises(InputError, match=message):
        folders.open_reader([tmp_path])
    (sample,) = folders.open_reader([tmp_path / "images/train2017"]).samples
    assert (sample.stem, sample.group) == ("f0", "")
    assert [*map(pairing.division, ("Dev", "val_2", "train_extra", "d1"))] == ["dev", "val", "", ""]


def test_names_in_either_form_of_unicode_belong_together(tmp_path):
    for folder, form, pixels in (("images", "NFC", image("f0")), ("masks", "NFD", truth("f0"))):
        name = unicodedata.normalize(form, "d\u00e9/\u00e9")
        save(tmp_path / folder / f"{name}.png", pixels)
    (sample,) = folders.open_reader([tmp_path]).samples
    assert sample.stem == "d\u00e9_\u00e9"


def test_folders_behind_links_are_read_once(tmp_path):
    for folder, pixels in (("images", image("f0")), ("masks", truth("f0"))):
        save(tmp_path / folder / "d1/0.png", pixels)
        save(tmp_path / "elsewhere" / folder / "seq/0.png", pixels)
        (tmp_path / folder / "d2").symlink_to(tmp_path / "elsewhere" / folder)
        (tmp_path / "elsewhere" / folder / "seq/back").symlink_to(tmp_path / folder / "d2")
    samples = folders.open_reader([tmp_path]).samples
    assert [(sample.stem, sample.group) for sample in samples] == [
        ("d1_0", "d1"),
        ("d2_seq_0", "d2"),
    ]


def test_cityscapes_pairs_frames_of_one_name_where_they_lie(tmp_path):
    names = [f"aachen_00000{number}_000019" for number in range(2)]
    for place, values in (
        ("a/{}/day", (7, 8, 11)),
        ("a/{}/night", (23, 24, 26)),
        ("b/{}", (7,) * 3),
    ):
        images, masks = (tmp_path / place.format(folder) for folder in ("images", "masks"))
        for name in names:
            save(images / f"{name}_leftImg8bit.png", image("f0") // (2 if "night" in place else 1))
            save(masks / f"{name}_gtFine_labelIds.png", np.uint8(values)[truth("f0")])
    (tmp_path / f"b/masks/{names[0]}_gtFine_labelIds.png").unlink()
    reader = cityscapes.open_reader([tmp_path / "a", tmp_path / "b"])
    expected = [f"{time}_{name}" for time in ("day", "night") for name in names] + names[1:]
    assert [sample.stem for sample in reader.samples] == expected
    assert {sample.group for sample in reader.samples} == {"aachen_000000", "aachen_000001"}
    assert reader.unpaired == {"pictures": 1, "masks": 0}
    for sample, mask in zip(
        reader.samples, map(SourceFiles(reader).read_mask, range(5)), strict=True
    ):
        assert sample.image.parent.name.replace("images", "masks") == sample.mask.parent.name
        assert mask[0, 0] == (10 if sample.mask.parent.name == "night" else 0)  # sky or road
