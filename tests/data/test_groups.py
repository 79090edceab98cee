"""What belongs together: by folder, by name, and by mapping.csv, in every layout."""

import json

import numpy as np
import pytest

from folder_sets import folder_set
from layout_sets import STEMS, image, save, truth
from segmentation.data import groups, pairing
from segmentation.data.readers import coco, folders, mask_per_class, voc
from segmentation.errors import InputError

DRIVES = [f"{drive}/{number}" for drive in ("d1", "d2") for number in (0, 1)]
NAMES = [key.replace("/", "_") for key in DRIVES]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["rgb/d1/0", "rgb/d1/1", "rgb/d2/0"], ["d1", "d1", "d2"]),
        (["0", "d/1", "e/x/2"], ["", "d", "e"]),
        (["d/1", "d/2"], ["", ""]),
        (["a_jpg.rf.11", "a_jpg.rf.22", "b_jpg.rf.3"], ["a_jpg", "a_jpg", ""]),
        (["Front_Camera_0000", "Front_Camera_0001"], ["", ""]),  # nobody could be held out
        (["0016E5_00390", "0016E5_00420"], ["0016E5"] * 2),
        (["Al_Gore_0001", "Al_Gore_0002", "Madonna_0001"], ["Al_Gore", "Al_Gore", "Madonna"]),
        (["Al_Gore_0001", "Frame_0001", "Frame_0002"], ["Al_Gore", "", ""]),
    ],
)
def test_groups_are_folders_or_what_names_say(keys, expected):
    assert [*groups.groups_of(keys).values()] == expected


@pytest.mark.parametrize("layout", ["voc", "mask_per_class", "coco", "folders"])
def test_drives_in_subfolders_are_groups_and_in_the_names(tmp_path, layout):
    objects = np.uint8([0, 255, 0])[truth("f0")], np.uint8([0, 0, 255])[truth("f0")]
    for key in DRIVES:
        save(tmp_path / ("JPEGImages" if layout == "voc" else "images") / f"{key}.jpg", image("f0"))
        if layout == "voc":
            save(tmp_path / f"SegmentationClass/{key}.png", truth("f0"))
        elif layout == "folders":
            save(tmp_path / f"masks/{key}.png", truth("f0"))
        elif layout == "mask_per_class":
            for name, area in zip(("cat", "dog"), objects, strict=True):
                save(tmp_path / f"masks/{key}_{name}.png", area)
    if layout == "coco":
        entries = [
            {"id": number, "file_name": f"{key}.jpg", "height": 32, "width": 64}
            for number, key in enumerate(DRIVES)
        ]
        found = {"images": entries, "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
        (tmp_path / "all.json").write_text(json.dumps(found))
    module = {"voc": voc, "mask_per_class": mask_per_class, "coco": coco, "folders": folders}
    samples = module[layout].open_reader([tmp_path]).samples
    assert [sample.stem for sample in samples] == NAMES
    assert [sample.group for sample in samples] == ["d1", "d1", "d2", "d2"]


def test_no_two_samples_of_a_set_have_one_name():
    names = pairing.names_of(["a/b_c", "a_b/c", "d"])
    assert names == {"a/b_c": "a__b_c", "a_b/c": "a_b__c", "d": "d"}


def mapped_set(folder, rows, stems=("0998", "0999", "1000")):
    folder_set(folder / "project/mine", stems)
    (folder / "project/mine/mapping.csv").write_text("id,person_group\n" + rows)
    return folder / "project/mine"


def test_a_mapping_is_read_for_a_pair_of_folders_too(tmp_path):
    mine = mapped_set(tmp_path, " 0998,ann\n0999,bob \n1000,ann\n")
    reader = folders.open_reader(image_dir=mine / "images", annotation_dir=mine / "masks")
    assert [sample.group for sample in reader.samples] == ["ann", "bob", "ann"]


def test_a_mapping_that_lacks_images_is_told(tmp_path, capsys):
    samples, *_ = folders.find_samples(mapped_set(tmp_path, "0998,ann\n"))
    assert [sample.group for sample in samples] == ["ann", "", ""]
    assert "mapping.csv names no group of 2 images, such as 0999" in capsys.readouterr().err


def test_ids_that_lost_their_zeros_are_refused(tmp_path):
    mine = mapped_set(tmp_path, "998,ann\n999,ann\n1000,bob\n")
    with pytest.raises(InputError, match="mine/mapping.csv: calls 0998 998, as spreadsheets do"):
        folders.find_samples(mine)


def test_the_mapping_of_another_project_is_passed_over_and_named(tmp_path, capsys):
    mine = folder_set(tmp_path / "project/mine", STEMS)
    (tmp_path / "mapping.csv").write_text("id,person_group\nAl_Gore_0001,Al_Gore\n")
    assert [sample.group for sample in folders.find_samples(mine)[0]] == ["", "", ""]
    err = capsys.readouterr().err
    assert f"left out {tmp_path / 'mapping.csv'}: it names none of the images in {mine}" in err
