"""Thresholds: how many classes a fraction of them is. And room: on the disk and in memory."""

import types

import pytest

from folder_sets import folder_set
from segmentation.cli import data_options
from segmentation.data import preparation
from segmentation.data.readers import folders
from segmentation.errors import InputError


@pytest.mark.parametrize(
    ("threshold", "classes", "needed"),
    [(0.6, 10, 6), (0.7, 10, 7), (1.0, 4, 4), (0.61, 10, 7), (0, 5, 0), (0.05, 10, 1), (0.3, 3, 1)],
)
def test_a_threshold_is_a_number_of_classes_whatever_floats_do(threshold, classes, needed):
    assert preparation.required(threshold, classes) == needed


def test_thresholds_that_are_shown_mean_what_is_said_of_them():
    for classes in range(1, 151):
        for count in range(classes + 1):
            assert preparation.required(preparation.threshold_of(count, classes), classes) == count


@pytest.mark.parametrize("output", ["data", "data.tfrecord"])
def test_what_has_no_room_on_the_disk_is_one_line_before_anything_is_read(
    tmp_path, monkeypatch, output
):
    folder_set(tmp_path / "raw", ["1", "2"])
    for image in (tmp_path / "raw/images").iterdir():
        image.rename(image.with_suffix(".jpg"))  # a JPEG would be copied
    reader = folders.open_reader([tmp_path / "raw"])
    (tmp_path / "raw/masks/1.ppm").write_bytes(b"never read")
    writer = data_options.open_writer(None, tmp_path / output)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: types.SimpleNamespace(free=9))
    with pytest.raises(InputError, match=f"{output}.*: would take .* GB, and 0.0 GB are free"):
        preparation.prepare(reader, writer)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_images_larger_than_the_memory_are_one_line_before_anything_is_read(tmp_path):
    folder_set(tmp_path / "raw", ["1", "2"])
    reader = folders.open_reader([tmp_path / "raw"])
    writer = data_options.open_writer(None, tmp_path / "out", img_size=(3200000, 3200000))
    with pytest.raises(InputError, match="reading images at 3200000x3200000 px takes 81,920.0 GB"):
        preparation.prepare(reader, writer)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]
