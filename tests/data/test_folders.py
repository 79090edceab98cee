"""The layout of folders: pairing and persons."""

import pytest

from folder_sets import folder_set
from segmentation.data import labels
from segmentation.data.readers import folders
from segmentation.data.samples import SourceFiles
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
        ("id,person_group\n1,ann\n", "raw/mapping.csv: calls 0001 1, as spreadsheets do"),
        ("id,person_group\n0001.jpg,ann\n", "names none of the images .* as 0001"),
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


def test_labels_in_the_folders_name_the_classes_unless_others_are_given(tmp_path):
    sets = [folder_set(tmp_path / name, ["0001", "0002"]) for name in "ab"]
    ours, others = ["background", "fur", "snout"], ["background", "wig", "mask"]
    labels.write(sets[1] / "labels.txt", ours)
    assert SourceFiles(folders.open_reader(sets)).labels == ours
    labels.write(tmp_path / "others.txt", others)
    assert SourceFiles(folders.open_reader(sets, tmp_path / "others.txt")).labels == others
    labels.write(sets[0] / "labels.txt", others)
    with pytest.raises(InputError, match="name different classes: say which holds with --labels"):
        folders.open_reader(sets)
