"""The layout of folders: pairing and persons."""

import pytest

from folder_sets import folder_set
from segmentation.data.readers import folders
from segmentation.errors import InputError


def test_the_person_in_a_flat_folder_comes_from_an_lfw_name(tmp_path):
    folder_set(tmp_path, ["Abdullah_al-Attiyah_0002", "IMG_0001", "0001"])
    groups = {sample.stem: sample.group for sample in folders.find_samples(tmp_path)[0]}
    assert groups == {
        "Abdullah_al-Attiyah_0002": "Abdullah_al-Attiyah",
        "IMG_0001": "",
        "0001": "",
    }


def test_the_drive_comes_from_the_name_of_a_frame_of_camvid(tmp_path):
    folder_set(tmp_path, ["0001TP_006690", "Seq05VD_f00930", "0001TP"])
    groups = [sample.group for sample in folders.find_samples(tmp_path)[0]]
    assert groups == ["", "0001TP", "Seq05VD"]


@pytest.mark.parametrize("place", [".", "..", "../.."])
def test_mapping_is_looked_for_up_to_two_folders_above(tmp_path, place):
    raw = folder_set(tmp_path / "a/data/raw", ["0001", "0002"])
    (raw / place / "mapping.csv").resolve().write_text("id,x,person\n0001,1,ann\n0003,1,eve\n")
    assert [sample.group for sample in folders.find_samples(raw)[0]] == ["ann", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id;person_group\n0001;ann\n", "mapping.csv: has the columns id;person_group, not id"),
        ("", r"mapping.csv: has the columns \(none\)"),
        ("id,person_group\n1,ann\n", "knows none of the images .* as 0001"),
        ("id,person_group\n0001.jpg,ann\n", "knows none of the images"),
    ],
)
def test_a_mapping_that_names_nobody_is_a_mistake_and_not_passed_over(tmp_path, text, message):
    folder_set(tmp_path / "raw", ["0001"])
    (tmp_path / "raw/mapping.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        folders.find_samples(tmp_path / "raw")


def test_a_tab_in_a_name_is_refused(tmp_path):
    folder_set(tmp_path, ["a\tb"])
    with pytest.raises(InputError, match=r"a\\tb.png' has a tab"):
        folders.find_samples(tmp_path)
