"""The command prepare: every layout into every format, and a layout from outside."""

import json
import types

import numpy as np
import pytest
from PIL import Image

import data
from folder_sets import folder_set
from scene_sets import argv, divided_set, parsed, read, run, scene_set, striped
from segmentation.data import arrays, image_io, labels, readers, tfrecords
from segmentation.data.samples import LabelMap, Reader, Sample, SourceFiles
from segmentation.errors import InputError

THIRDS = np.repeat(np.arange(40)[None] * 3 // 40, 40, axis=0)  # of `folder_set`


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def timeless(result, folder):
    """Return a result without its times, and with paths relative to where it was written."""
    values = {key: value for key, value in result.items() if "second" not in key}
    return json.loads(json.dumps(values).replace(str(folder), ""))


def test_lfw_is_folders_to_arrays(tmp_path, capsys):
    folder_set(tmp_path / "raw", ["a", "b"])
    options = ("-d", tmp_path / "raw", "-s", "32x64")
    one, said, _ = run(capsys, "lfw", *options, "-o", tmp_path / "1")
    two, said_too, _ = run(capsys, "prepare", *options, "-o", tmp_path / "2")
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    assert timeless(one, tmp_path / "1") == timeless(two, tmp_path / "2")
    assert said.splitlines()[:-1] == said_too.splitlines()[:-1]


def test_ade20k_is_its_layout_to_tfrecords(tmp_path, capsys):
    scene_set(tmp_path, {"a": [1, 2], "b": [1], "c": [3]})
    more = ("-w", "wall|floor, flooring", "-t", 0.5, "--num_shards", 2)
    one, said, _ = run(capsys, *argv(tmp_path, "1/room.tfrecord", *more))
    two, said_too, _ = run(
        capsys, "prepare", "-d", tmp_path, "-o", tmp_path / "2/room.tfrecord", *more
    )
    assert contents(tmp_path / "1") == contents(tmp_path / "2") and one["pictures"] == 2
    assert timeless(one, tmp_path / "1") == timeless(two, tmp_path / "2")
    assert said.splitlines()[:-1] == said_too.splitlines()[:-1]


def test_folders_become_tfrecords(tmp_path, capsys):
    raw = folder_set(tmp_path / "raw", ["Ann_Lee_0001", "b"])
    Image.open(raw / "images/b.png").save(raw / "images/b.jpg")
    (raw / "images/b.png").unlink()
    out = tmp_path / "out/faces.tfrecord"
    result, report, err = run(capsys, "prepare", "-d", raw, "-o", out)
    assert "TFRecords do not hold the person" in err
    assert "2 images of 1 persons; rgb masks" in report and "kept 2 of 2 images" in report
    assert (result["copied"], result["mask_format"], result["persons"]) == (1, "rgb", 1)
    found = read(out)
    assert list(found) == ["Ann_Lee_0001", "b"]
    for _, mask in found.values():
        np.testing.assert_array_equal(mask, THIRDS)
    image = image_io.read(raw / "images/Ann_Lee_0001.png")
    np.testing.assert_array_equal(found["Ann_Lee_0001"][0], image)
    assert parsed(out)["b"]["image/encoded"] == (raw / "images/b.jpg").read_bytes()
    opened = tfrecords.open_records(out)
    assert opened.labels == ["background", "hair", "face"]
    np.testing.assert_array_equal(opened.read_mask(1), THIRDS)


def test_masks_of_folders_that_hold_ids_already_are_copied(tmp_path, capsys):
    raw = folder_set(tmp_path / "raw", ["a", "b"])
    for stem, values in (("a", [0, 1, 2]), ("b", [0, 3, 255])):
        (raw / f"masks/{stem}.ppm").unlink()
        Image.fromarray(np.uint8(values)[THIRDS]).save(raw / f"masks/{stem}.png")
    out = tmp_path / "own.tfrecord"
    result, *_ = run(capsys, "prepare", "-d", raw, "-o", out, "--mask_format", "index")
    assert result["class_pictures"] == [2, 1, 1, 1] and 0 < result["ignored_share"] < 1
    for stem, fields in parsed(out).items():
        written = fields["image/segmentation/class/encoded"]
        assert written == (raw / f"masks/{stem}.png").read_bytes()


def test_ade20ks_layout_becomes_arrays(tmp_path, capsys):
    scene_set(tmp_path, {"b": [0, 1, 7, 255], "a": [3], "c": [0]})
    result, report, _ = run(capsys, "prepare", "-d", tmp_path, "-o", tmp_path / "out", "-s", 32)
    opened = arrays.open_arrays(result["images"])
    assert opened.stems == ["a", "b", "c"] and opened.groups == [""] * 3
    names = ["none", "wall", "floor, flooring", "bed", "car", "truck"]
    assert opened.labels == result["classes"] == names
    assert opened.masks[:, 5, [0, 9, 17, 31]].tolist() == [[3] * 4, [0, 1, 5, 255], [0] * 4]
    image = image_io.read(tmp_path / "images/a.jpg")
    np.testing.assert_array_equal(opened.images[0], image_io.resize(image, (32, 32)))
    assert result["class_pictures"] == [2, 1, 0, 1, 0, 1]
    assert result["pictures_by_classes_shown"] == [1, 1, 1, 0, 0, 0]
    assert "bed" in report and "persons" not in report


def test_a_whitelist_selects_for_arrays_as_well(tmp_path, capsys):
    scene_set(tmp_path / "set", {"both": [1, 4, 7, 2], "group": [7, 4], "none": [2]})
    more = ("-w", "car:truck|wall", "-t", 1, "-s", 32, "-o", tmp_path / "out")
    result, report, _ = run(capsys, "prepare", "-d", tmp_path / "set", *more)
    opened = arrays.open_arrays(result["images"])
    assert opened.stems == ["both"] and opened.labels == ["none", "car", "wall"]
    assert opened.masks[0, 0, [0, 9, 17, 31]].tolist() == [2, 1, 1, 0]
    assert (result["pictures"], result["pictures_of"], result["classes_needed"]) == (1, 3, 2)
    assert report.splitlines()[3].endswith("<- this run")


@pytest.mark.parametrize("output", ["out", "out/all.tfrecord"])
def test_damaged_files_are_left_out_up_to_max_bad(tmp_path, capsys, output):
    raw = folder_set(tmp_path / "raw", ["a", "b", "c", "d"])
    (raw / "images/b.png").write_bytes(b"damaged")
    (raw / "masks/c.ppm").write_bytes(b"damaged")
    options = ("prepare", "-d", raw, "-o", tmp_path / output)
    with pytest.raises(InputError, match="1 of 4 pairs .* --max_bad 0.01 .*b.png"):
        run(capsys, *options)
    assert not (tmp_path / "out").exists()
    capsys.readouterr()
    result, _, err = run(capsys, *options, "--max_bad", 0.5)
    assert result["pictures"] == 2 and err.count("skipped: ") == len(result["skipped"]) == 2
    for path in raw.rglob("*.ppm"):
        path.write_bytes(b"damaged")
    with pytest.raises(InputError, match="none of the 4 "):
        run(capsys, *options, "--max_bad", 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-d", "own", "-w", "hair"], "--whitelist does not go with the layout folders"),
        (["-d", "own", "-t", "0.5"], "--whitelist_threshold is a fraction of the --whitelist"),
        (["-d", "own", "--num_shards", "2"], "--num_shards does not go with the format arrays"),
        (
            ["-d", "own", "-o", "a.tfrecord", "-s", "64"],
            "--img_size does not go with the format tf",
        ),
        (["-d", "own", "-o", "a.tfrecord", "--format", "arrays"], "arrays go to a folder"),
        (["-d", "own", "-o", "a", "--format", "tfrecord"], "a: name a file that ends in .tfrecord"),
        (["-d", "own", "--layout", "ade20k"], "own does not hold images/ and annotations/"),
        (
            ["-d", "own", "--layout", "folders", "-i", "x"],
            "--image_dir and --annotation_dir go together, without --data_dir",
        ),
        (["-d", "scenes", "--mask_format", "rgb"], "--mask_format does not go with the layout ade"),
        (["-d", "scenes", "-i", "scenes/images"], "go together, without --data_dir"),
        (["-d", "scenes", "--layout", "folders"], "scenes holds neither images/ and masks/ nor"),
        (["-d", "."], "^. has no layout that is known: .*did you mean own"),
        ([], "data/raw: no such folder"),
    ],
)
def test_options_that_do_not_go_together_are_refused_in_one_line(
    tmp_path, capsys, monkeypatch, options, message
):
    monkeypatch.chdir(tmp_path)
    folder_set(tmp_path / "own", ["a"])
    scene_set(tmp_path / "scenes", {"a": [1]})
    with pytest.raises(InputError, match=message) as error:
        run(capsys, "prepare", *options)
    assert "\n" not in str(error.value)
    assert {path.name for path in tmp_path.iterdir()} == {"own", "scenes"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layout", "yolo"], "invalid choice: 'yolo'"),
        (["--format", "npy"], "invalid choice: 'npy'"),
        (["--max_bad", "2"], "expected a fraction from 0 to 1"),
        (["--skip_bad"], "unrecognized arguments"),
    ],
)
def test_wrong_arguments_exit_with_2(capsys, options, message):
    with pytest.raises(SystemExit) as stopped:
        data.main(["prepare", *options])
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and message in error and error.count("\n") == 1


def layout_of_one_folder():
    """A layout as somebody else would add it: shop/0001.jpg with shop/0001_mask.png of ids."""

    def fits(folder):
        return any(folder.glob("*_mask.png"))

    def open_reader(data_dirs, label_file=None):
        samples = [
            Sample(
                path.stem.removesuffix("_mask"), "", path.with_name(f"{path.stem[:4]}.jpg"), path
            )
            for folder in data_dirs
            for path in sorted(folder.glob("*_mask.png"))
        ]
        names = labels.read(label_file) if label_file else ["none", "shoe", "bag"]
        ids = np.minimum(np.arange(256), len(names) - 1).astype(np.uint8)
        return Reader(samples, {"pictures": 0, "masks": 0}, LabelMap(names, lambda legend: ids))

    layout = types.ModuleType("shop")
    layout.DESCRIPTION, layout.fits, layout.open_reader = (
        "0001.jpg and 0001_mask.png",
        fits,
        open_reader,
    )
    return layout


def test_a_layout_from_outside_is_read_by_everything(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(readers.LAYOUTS, "shop", layout_of_one_folder())
    (tmp_path / "shop").mkdir()
    for stem, ids in (("0001", [0, 1]), ("0002", [2, 1])):
        Image.new("RGB", (40, 24), (9, 9, 9)).save(tmp_path / f"shop/{stem}.jpg")
        Image.fromarray(striped(ids)).save(tmp_path / f"shop/{stem}_mask.png")
    run(capsys, "prepare", "-d", tmp_path / "shop", "-o", tmp_path / "arrays", "-s", 32)
    opened = arrays.open_arrays(tmp_path / "arrays/images-32.npy")
    assert opened.labels == ["none", "shoe", "bag"] and opened.stems == ["0001", "0002"]
    assert opened.masks[:, 0, [0, 31]].tolist() == [[0, 1], [2, 1]]
    out = tmp_path / "records/shop.tfrecord"
    run(capsys, "prepare", "--layout", "shop", "-d", tmp_path / "shop", "-o", out)
    np.testing.assert_array_equal(read(out)["0002"][1], striped([2, 1]))
    direct = SourceFiles(readers.LAYOUTS["shop"].open_reader([tmp_path / "shop"]))
    np.testing.assert_array_equal(direct.read_mask(0), striped([0, 1]))


def test_divisions_of_synthetic_rooms_are_prepared_one_by_one(tmp_path, capsys):
    divided_set(tmp_path / "set", {"a": [1], "b": [2]}, {"c": [3]})
    for division, stems in (("training", ["a", "b"]), ("validation", ["c"])):
        out = tmp_path / division
        run(capsys, "prepare", "-d", tmp_path / "set/images" / division, "-o", out, "-s", 32)
        assert arrays.open_arrays(out / "images-32.npy").stems == stems
