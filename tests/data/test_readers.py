"""Source layouts: which one a folder has, its divisions and label file, and what is ambiguous."""

import re
import shutil
from pathlib import Path

import pytest

from folder_sets import folder_set
from scene_sets import INFO, divided_set, scene_set
from segmentation.data import pairing, readers
from segmentation.data.readers import ade20k
from segmentation.errors import InputError


def refused(function, *arguments, **options):
    with pytest.raises(InputError) as error:
        function(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_layout_is_seen_from_the_folders(tmp_path):
    own = folder_set(tmp_path / "own", ["a"])
    (tmp_path / "lfw/lfw_funneled").mkdir(parents=True)
    (tmp_path / "lfw/parts_lfw_funneled_gt_images").mkdir()
    scenes = scene_set(tmp_path / "scenes", {"a": [1]})
    divided = divided_set(tmp_path / "divided", {"a": [1]}, {"b": [2]})
    assert readers.detect([own, tmp_path / "lfw"]) == "folders"
    assert readers.detect([scenes]) == readers.detect([str(divided)]) == "ade20k"
    assert readers.detect([divided / "images/validation"]) == "ade20k"


def test_a_layout_that_cannot_be_seen_is_refused(tmp_path):
    own = folder_set(tmp_path / "some/own", ["a"])
    scenes = scene_set(tmp_path / "some/scenes", {"a": [1]})
    assert re.match("nowhere: no such folder", refused(readers.detect, ["nowhere"]))
    message = refused(readers.detect, [tmp_path])
    assert "no layout that is known: images/ and masks/" in message
    assert message.endswith(f"did you mean {own}?") or message.endswith(f"did you mean {scenes}?")
    assert "different layouts: " in refused(readers.detect, [own, scenes])
    shutil.copytree(scenes / "annotations", own / "annotations")
    assert "(folders); images/ and annotations/ (ade20k): say which with --layout" in refused(
        readers.detect, [own]
    )


def test_annotations_that_are_no_masks_are_not_ade20ks_layout(tmp_path):
    (scene_set(tmp_path, {"a": [1]}) / "annotations/a.png").rename(
        tmp_path / "annotations/instances.json"
    )
    assert "no layout that is known" in refused(readers.detect, [tmp_path])
    assert "does not hold images/ and annotations/ with files of both" in refused(
        ade20k.open_reader, [tmp_path]
    )


def test_a_division_is_named_by_its_images(tmp_path, monkeypatch):
    divided_set(tmp_path / "divided", {"a": [1], "b": [1]}, {"c": [2]})
    message = refused(ade20k.open_reader, [tmp_path / "divided"])
    assert "holds 2 divisions: give one of" in message and "images/validation" in message
    reader = ade20k.open_reader([tmp_path / "divided/images/training"])
    assert [sample.stem for sample in reader.samples] == ["a", "b"]
    assert reader.samples[0].mask == tmp_path / "divided/annotations/training/a.png"
    monkeypatch.chdir(tmp_path / "divided/images")
    assert [sample.stem for sample in ade20k.open_reader(["validation"]).samples] == ["c"]
    shutil.rmtree(tmp_path / "divided/images/validation")
    assert len(ade20k.open_reader([tmp_path / "divided"]).samples) == 2  # the only one


def test_several_folders_are_read_in_order(tmp_path):
    folders = [scene_set(tmp_path / name, {"s": [1]}) for name in ("b", "a")]
    reader = ade20k.open_reader(folders)
    assert [sample.image for sample in reader.samples] == [
        tmp_path / "b/images/s.jpg",
        tmp_path / "a/images/s.jpg",
    ]
    assert "is given twice" in refused(ade20k.open_reader, [folders[0], f"{folders[0]}/images/.."])
    (tmp_path / "a/objectInfo.txt").write_text(INFO.replace("wall", "roof"))
    assert "name different classes: say which" in refused(ade20k.open_reader, folders)
    assert ade20k.open_reader(folders, tmp_path / "a/objectInfo.txt").label_map.labels[1] == (
        "roof"
    )


def test_the_label_file_is_found_where_it_is_the_only_one(tmp_path):
    scenes = scene_set(tmp_path, {"a": [1]})
    (scenes / "objectInfo.txt").rename(scenes / "classes.txt")
    assert "holds no objectInfo150.txt: name the file" in refused(ade20k.open_reader, [scenes])
    (scenes / "labels.txt").write_text("idx\tlabel\n0\tnone\n1\tsky\n")
    assert ade20k.open_reader([scenes]).label_map.labels == ["none", "sky"]
    (scenes / "objectInfo1.txt").write_text(INFO)
    assert ade20k.open_reader([scenes]).label_map.labels[:2] == ["none", "wall"]
    (scenes / "objectInfo2.txt").write_text(INFO)
    assert "holds objectInfo1.txt, objectInfo2.txt: say which" in refused(
        ade20k.open_reader, [scenes]
    )
    assert ade20k.open_reader([scenes], scenes / "labels.txt").label_map.labels == ["none", "sky"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_dir": "images"}, "go together"),
        ({"annotation_dir": "annotations", "label_file": "objectInfo.txt"}, "go together"),
        ({"image_dir": "images", "annotation_dir": "annotations"}, "needs --labels"),
        ({"data_dirs": ["."], "image_dir": "images", "annotation_dir": "a"}, "without --data_dir"),
    ],
)
def test_options_that_do_not_name_a_pair_of_folders_are_refused(
    tmp_path, monkeypatch, options, message
):
    monkeypatch.chdir(scene_set(tmp_path, {"a": [1]}))
    assert message in refused(ade20k.open_reader, **options)


@pytest.mark.parametrize("sign", ["\t", "\n", "\r"])
def test_a_name_that_would_break_the_lines_of_names_is_refused(sign):
    message = refused(pairing.by_stem, [Path(f"a{sign}b.jpg")])
    assert message.endswith("has a tab or line break in its name: rename it")
