"""The command ade20k: whitelists, thresholds, shards, options, and all or nothing."""

import errno
import json
import os
import runpy

import numpy as np
import pytest

import data
from scene_sets import INFO, argv, parsed, read, run, scene_set, striped
from segmentation.data import labels, pairing, tfrecords
from segmentation.errors import InputError


def leftovers(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_all_classes_and_pictures_are_kept_without_a_whitelist(tmp_path, capsys):
    scene_set(tmp_path, {"b": [0, 1, 7, 255], "a": [3], "c": [0]})
    result, report, err = run(capsys, *argv(tmp_path))
    assert leftovers(tmp_path / "out") == ["labels.txt", "room.dataset.json", "room.tfrecord"]
    names = ["none", "wall", "floor, flooring", "bed", "car", "truck"]
    assert labels.read(tmp_path / "out/labels.txt") == names == result["classes"]
    found = read(tmp_path / "out/room.tfrecord")
    assert list(found) == ["a", "b", "c"]
    np.testing.assert_array_equal(found["b"][1], striped([0, 1, 5, 255]))
    np.testing.assert_array_equal(found["a"][1], striped([3]))
    # 3 x 40 columns: none 10 + 40, wall 10, truck 10, bed 40, and 10 of no class
    assert result["class_shares"] == pytest.approx([5 / 11, 1 / 11, 0, 4 / 11, 0, 1 / 11], abs=1e-6)
    assert result["class_pictures"] == [2, 1, 0, 1, 0, 1]
    assert result["ignored_share"] == pytest.approx(1 / 12, abs=1e-6)
    assert (result["pictures"], result["pictures_of"], result["copied"]) == (3, 3, 3)
    assert "kept 3 of 3" in report and "warning" not in err


def test_a_whitelist_relabels_merges_and_selects(tmp_path, capsys):
    scene_set(tmp_path, {"both": [1, 4, 7, 2], "group": [7, 4], "one": [1, 2], "none": [2]})
    more = ("-w", " car:truck | wall|bed", "-t", 0.6)
    result, report, _ = run(capsys, *argv(tmp_path, "out/room.tfrecord", *more))
    assert labels.read(tmp_path / "out/labels.txt") == ["none", "car", "wall", "bed"]
    found = read(tmp_path / "out/room.tfrecord")
    assert list(found) == ["both"]  # car and truck are one of three classes, and 0.6 of 3 is 2
    np.testing.assert_array_equal(found["both"][1], striped([2, 1, 1, 0]))
    assert result["classes_needed"] == 2
    assert result["pictures_by_classes_shown"] == [1, 2, 1, 0]
    lines = report.splitlines()
    assert lines[1:3] == [
        "            0         1  4 by 0          ###############",
        "            1         2  3 by 0.333      ##############################",
    ]
    assert lines[3].split()[:4] == ["2", "1", "1", "by"] and lines[3].endswith("<- this run")
    result, report, _ = run(capsys, *argv(tmp_path, "out/room.tfrecord", *more[:-1], 0))
    assert result["pictures"] == 4 and report.splitlines()[1] == f"{lines[1]}  <- this run"


def test_nothing_kept_says_what_would_and_writes_nothing(tmp_path, capsys):
    scene_set(tmp_path, {"a": [1, 2], "b": [1], "c": [1]})
    more = ("-w", "wall|floor, flooring|bed|car", "-t", "0.8")
    with pytest.raises(InputError) as error:
        run(capsys, *argv(tmp_path, "out/room.tfrecord", *more))
    assert str(error.value) == (
        "none of 3 images shows 4 of the 4 classes, as --whitelist_threshold 0.8 requires: "
        "0.5 would keep 1, 0.25 would keep 3"
    )
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="requires: none shows any"):
        run(capsys, *argv(tmp_path, "out/room.tfrecord", "-w", "bed"))


def test_the_bytes_do_not_depend_on_workers_and_shards_share_the_pictures(tmp_path, capsys):
    scene_set(tmp_path, {f"{number:02d}": [number % 3, 1] for number in range(20)})
    contents = []
    for out, workers in (("a", 1), ("b", 3), ("b", 8)):
        more = ("--num_shards", 3, "--workers", workers, "-w", "wall|floor, flooring", "-t", 0.5)
        run(capsys, *argv(tmp_path, f"{out}/room.tfrecord", *more))
        contents.append({p.name: p.read_bytes() for p in sorted((tmp_path / out).iterdir())})
    assert contents[0] == contents[1] == contents[2]
    assert list(contents[0]) == [
        "labels.txt",
        *(f"room-0000{shard}-of-00003.tfrecord" for shard in range(3)),
        "room.dataset.json",
    ]
    shards = tfrecords.paths(tmp_path / "a/room.tfrecord")
    stems = [list(parsed(shard)) for shard in shards]
    assert [stem for shard in stems for stem in shard] == [
        f"{number:02d}" for start in range(3) for number in range(start, 20, 3)
    ]


def test_another_number_of_shards_replaces_the_set(tmp_path, capsys):
    scene_set(tmp_path, {"a": [1], "b": [2], "c": [3]})
    (tmp_path / "out").mkdir()
    (tmp_path / "out/bedroom-00000-of-00002.tfrecord").touch()  # of another output
    for shards in (3, 2, 1, 2):
        run(capsys, *argv(tmp_path, "out/room.tfrecord", "--num_shards", shards))
        own = [name for name in leftovers(tmp_path / "out") if name.startswith("room")]
        own.remove("room.dataset.json")
        assert len(own) == shards and len(read(tmp_path / "out/room.tfrecord")) == 3
    assert (tmp_path / "out/bedroom-00000-of-00002.tfrecord").exists()
    with pytest.raises(InputError, match="--num_shards 4 for 3 images"):
        run(capsys, *argv(tmp_path, "out/room.tfrecord", "--num_shards", 4))


def test_a_run_that_is_killed_while_it_renames_leaves_no_mixture(tmp_path, capsys, monkeypatch):
    scene_set(tmp_path, {"a": [1], "b": [2]})
    command = argv(tmp_path, "out/room.tfrecord", "--num_shards", 2)
    run(capsys, *command)
    replace, left = os.replace, iter(range(1))

    def some(source, target):
        if next(left, None) is None:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", some)
    with pytest.raises(KeyboardInterrupt):
        run(capsys, *command)
    with pytest.raises(InputError, match="this shard .* is missing"):
        tfrecords.paths(tmp_path / "out/room.tfrecord")


def test_other_classes_in_the_folder_are_refused_before_the_work(tmp_path, capsys):
    scene_set(tmp_path, {"a": [1]})
    run(capsys, *argv(tmp_path))
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    (tmp_path / "images/a.jpg").write_bytes(b"")  # is not looked at
    with pytest.raises(InputError, match="labels.txt already names other classes"):
        run(capsys, *argv(tmp_path, "out/other.tfrecord", "-w", "wall"))
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize("output", [".", "room", "images.tfrecord"])
def test_an_output_that_is_no_file_of_records_is_refused(tmp_path, monkeypatch, capsys, output):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images.tfrecord").mkdir()
    with pytest.raises(InputError, match=f"^{output}: name a file that ends in .tfrecord"):
        run(capsys, "ade20k", "-i", ".", "-a", ".", "-l", "objectInfo.txt", "-o", output)


def test_files_without_partner_are_said_and_counted(tmp_path, capsys):
    scene_set(tmp_path, {"a": [1], "b": [1], "c": [1]})
    (tmp_path / "images/b.jpg").unlink()
    (tmp_path / "annotations/c.png").unlink()
    (tmp_path / "images/d.dng").touch()
    result, _, err = run(capsys, *argv(tmp_path))
    assert "images: left out 1 .dng" in err
    assert result["unpaired"] == {"pictures": 1, "masks": 1}
    assert "left out 1 image without a mask: c.jpg" in err
    assert "left out 1 mask without an image: b.png" in err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["-w", "wal|floor|bed|zebra"], "'wal' .did you mean 'wall'.., 'floor' .*, 'zebra';"),
        (["-w", "none|wall"], "leave it out"),
        (["-w", "wall||bed"], "is empty"),
        (["-w", "wall|bed:wall"], "'wall' twice"),
        (["-t", "0.5"], "--whitelist_threshold is a fraction of the --whitelist"),
        (["-o", "room.records"], "ends in .tfrecord"),
        (["-i", "nowhere"], "nowhere: not a readable folder"),
        (["-a", "."], r": no images in this folder"),
        (["-l", "nowhere.txt"], "nowhere.txt: cannot read the class names"),
    ],
)
def test_mistakes_in_the_options_are_one_line(tmp_path, capsys, monkeypatch, more, message):
    monkeypatch.chdir(scene_set(tmp_path, {"a": [1]}))
    with pytest.raises(InputError, match=message) as error:
        run(capsys, *argv(tmp_path), *more)
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()


def test_what_is_missing_is_named(tmp_path, capsys):
    with pytest.raises(InputError, match="--image_dir is missing"):
        data.main(["ade20k", "-l", "objectInfo.txt"])
    with pytest.raises(SystemExit):
        data.main(["ade20k", "-t", "1.5", "-l", "objectInfo.txt"])
    assert "'1.5': expected a fraction from 0 to 1" in capsys.readouterr().err


def test_the_benchmark_against_the_plain_way_runs(tmp_path, capsys):
    scene_set(tmp_path, {"a": [1], "b": [2]})
    folders = [str(tmp_path / name) for name in ("images", "annotations", "objectInfo.txt")]
    runpy.run_path("benchmarks/prepare_records.py")["main"]([*folders, "wall|bed"])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["ratio"].keys() - {"two Dask workers"} == {"one thread", "two threads"}
    assert min(found["pictures_per_second"].values()) > 0


def test_labels_are_listed_with_their_shares(tmp_path, capsys):
    (tmp_path / "objectInfo.txt").write_text(INFO)
    result, report, _ = run(capsys, "ade20k", "-l", tmp_path / "objectInfo.txt", "--list_labels")
    assert report.splitlines()[1] == "  2   20.00%  floor, flooring"
    assert result["classes"]["bed"] == 0.1
    labels.write(tmp_path / "labels.txt", ["none", "sky"])
    _, report, _ = run(capsys, "ade20k", "-l", tmp_path / "labels.txt", "--list-labels")
    assert report == "1  sky"


def test_many_classes_are_warned_of(tmp_path, capsys):
    scene_set(tmp_path, {"a": [1]})
    rows = "".join(f"{index}\tclass {index}\n" for index in range(1, 22))
    (tmp_path / "objectInfo.txt").write_text("idx\tlabel\n" + rows)
    assert "warning: 21 classes" in run(capsys, *argv(tmp_path))[2]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, capsys, monkeypatch):
    scene_set(tmp_path, {"a": [1], "b": [1]})

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        yield

    monkeypatch.setattr(pairing, "in_order", full)
    with pytest.raises(InputError, match="room.tfrecord: cannot be written .No space left"):
        run(capsys, *argv(tmp_path))
    assert not (tmp_path / "out").exists()


def test_synthetic_rooms_are_prepared(tmp_path, capsys):
    data.main(["sample", "--kind", "scenes", "-o", str(tmp_path / "raw"), "--count", "5"])
    capsys.readouterr()
    raw = tmp_path / "raw"
    options = ("-i", raw / "images/training", "-a", raw / "annotations/training")
    whitelist = ("-w", "wall|floor, flooring|ceiling", "-t", 1.0)
    result, *_ = run(
        capsys,
        *("ade20k", *options, "-l", raw / "objectInfo150.txt", *whitelist),
        *("-o", tmp_path / "out/room.tfrecord"),
    )
    assert result["pictures"] == result["copied"] == 4
    assert result["class_shares"][1] > 0.1
