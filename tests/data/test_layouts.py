"""Every layout as people have it: recognised, read, and prepared as arrays and as TFRecords."""

import numpy as np
import pytest

import layout_sets
from layout_sets import CASES, GROUPS, STEMS, truth
from scene_sets import run
from segmentation.cli import data_options
from segmentation.data import arrays, readers, tfrecords
from segmentation.data.samples import SourceFiles


def in_order(name):
    """The stems of `layout_sets` in the order in which a reader of the layout has them."""
    return ["f2", "f0", "f1"] if name.startswith("cityscapes") else list(STEMS)


def expected(name, labels):
    """The masks of `layout_sets` with the ids that a reader gave the classes."""
    ids = np.uint8([labels.index(each) for each in CASES[name][2]])
    return [ids[truth(stem)] for stem in in_order(name)]


@pytest.mark.parametrize("name", CASES)
def test_a_layout_is_recognised_and_goes_into_either_container(tmp_path, capsys, name):
    write, layout, classes = CASES[name]
    source = tmp_path / "set"
    source.mkdir()
    write(source)
    assert readers.detect([source]) == layout
    direct = SourceFiles(data_options.open_reader("auto", [source]))
    assert {*classes} <= {*direct.labels} and len(direct) == 3
    assert direct.groups == GROUPS.get(name, [""] * 3)
    run(capsys, "prepare", "-d", source, "-o", tmp_path / "arrays", "-s", "32x64")
    run(capsys, "prepare", "-d", source, "-o", tmp_path / "a.tfrecord")
    opened = arrays.open_arrays(tmp_path / "arrays/images-32x64.npy")
    records = tfrecords.open_records(tmp_path / "a.tfrecord")
    assert direct.labels == opened.labels == records.labels
    assert direct.stems == opened.stems == records.stems and direct.groups == opened.groups
    for index, ids in enumerate(expected(name, direct.labels)):
        for data in (direct, opened, records):
            image, mask = data.read(index)
            np.testing.assert_array_equal(mask, ids)
            assert np.abs(image.astype(int) - layout_sets.image(in_order(name)[index])).mean() < 12
