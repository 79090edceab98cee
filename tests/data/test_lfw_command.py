"""The command lfw: pairing, persons, damage, and files that appear whole and repeatable."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import data
from folder_sets import folder_set
from segmentation.data import arrays, data_card, image_io
from segmentation.errors import InputError

ROOT = Path(data.__file__).parent


def run(capsys, *argv):
    """Run the command; return its JSON line, the rest of stdout, and stderr."""
    data.main([str(arg) for arg in argv])
    out, err = capsys.readouterr()
    *report, last = out.strip().split("\n")
    return json.loads(last), "\n".join(report), err


def damage(path):
    path.write_bytes(path.read_bytes()[:50])


def leftovers(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_arrays_names_and_labels_are_written(tmp_path, capsys):
    folder_set(tmp_path / "raw", ["0002", "0001"])
    (tmp_path / "raw/mapping.csv").write_text("id,person_group\n0001,ann\n0002,bob\n")
    out_dir = tmp_path / "out"
    result, report, _ = run(capsys, "-d", tmp_path / "raw", "-o", out_dir, "-s", "32x64")
    assert leftovers(out_dir) == [
        "images-32x64.dataset.json",
        "images-32x64.npy",
        "labels.txt",
        "masks-32x64.npy",
        "names-32x64.txt",
    ]
    opened = arrays.open_arrays(result["images"])
    assert data_card.read(result["images"], opened.fingerprint())["groups"] == 2
    assert opened.images.shape == (2, 32, 64, 3)
    assert opened.stems == ["0001", "0002"] and opened.groups == ["ann", "bob"]
    assert opened.labels == ["background", "hair", "face"]
    first = image_io.read(tmp_path / "raw/images/0001.png")
    assert (opened.images[0] == image_io.resize(first, (32, 64))).all()
    assert opened.masks[0, 0, [0, 32, 63]].tolist() == [0, 1, 2]
    assert result["pictures"] == 2 and result["persons"] == 2 and result["mask_format"] == "rgb"
    assert result["class_pictures"] == [2, 2, 2] and abs(sum(result["class_shares"]) - 1) < 1e-5
    assert result["skipped"] == [] and result["unpaired"] == {"pictures": 0, "masks": 0}
    assert "hair" in report and "rgb masks" in report


@pytest.mark.parametrize("argv", [[], ["lfw"], ["--img_size=64"], ["lfw", "--image-size", "64"]])
def test_lfw_is_meant_without_a_command_and_data_raw_is_the_default(
    tmp_path, capsys, monkeypatch, argv
):
    monkeypatch.chdir(tmp_path)
    folder_set(tmp_path / "data/raw", ["0001"])
    run(capsys, *argv)
    size = 64 if argv[1:] or argv == ["--img_size=64"] else 128
    assert Path(f"data/images-{size}.npy").exists()


def test_the_bytes_do_not_depend_on_workers_or_the_run(tmp_path, capsys):
    folder_set(tmp_path / "raw", [f"{number:04d}" for number in range(40)])
    contents = []
    for out, workers in (("a", 1), ("b", 3), ("b", 8)):
        run(capsys, "-d", tmp_path / "raw", "-o", tmp_path / out, "-s", 32, "--workers", workers)
        files = sorted((tmp_path / out).iterdir())
        contents.append({path.name: path.read_bytes() for path in files})
    assert contents[0] == contents[1] == contents[2] and len(contents[0]) == 5


def test_lfw_as_it_is_downloaded(tmp_path, capsys):
    faces, parts = tmp_path / "lfw_funneled", tmp_path / "parts_lfw_funneled_gt_images"
    for name in ("Ann_Lee_0001", "Ann_Lee_0002", "Cher_0001", "Bob_Ray_0001"):
        (faces / name[:-5]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40)).save(faces / name[:-5] / f"{name}.jpg")
    parts.mkdir()
    for name in ("Cher_0001", "Ann_Lee_0002", "Ann_Lee_0001", "Zoe_0001"):
        Image.new("RGB", (40, 40), (255, 0, 0)).save(parts / f"{name}.ppm")
    (faces / "pairs.txt").write_text("")
    result, _, err = run(capsys, "-d", tmp_path, "-o", tmp_path / "out", "-s", 32)
    opened = arrays.open_arrays(result["images"])
    assert opened.stems == ["Ann_Lee_0001", "Ann_Lee_0002", "Cher_0001"]
    assert opened.groups == ["Ann_Lee", "Ann_Lee", "Cher"]
    assert result["unpaired"] == {"pictures": 1, "masks": 1}
    assert "left out 1 image without a mask: Bob_Ray_0001.jpg" in err
    assert "left out 1 mask without an image: Zoe_0001.ppm" in err


def test_stems_may_repeat_between_folders(tmp_path, capsys):
    for name, seed in (("a", 1), ("b", 2)):
        folder_set(tmp_path / name, ["0001"], seed=seed)
        (tmp_path / name / "mapping.csv").write_text(f"id,person_group\n0001,{name}\n")
    result, *_ = run(
        capsys, "-d", tmp_path / "b", "-d", tmp_path / "a", "-o", tmp_path / "out", "-s", 32
    )
    opened = arrays.open_arrays(result["images"])
    assert opened.stems == ["0001", "0001"] and opened.groups == ["b", "a"]
    assert (opened.images[0] != opened.images[1]).any()


def test_many_without_a_partner_are_counted(tmp_path, capsys):
    folder_set(tmp_path, [f"{number:02d}" for number in range(13)])
    for number in range(1, 13):
        (tmp_path / "masks" / f"{number:02d}.ppm").unlink()
    result, _, err = run(capsys, "-d", tmp_path, "-o", tmp_path / "out", "-s", 32)
    assert (
        "left out 12 images without a mask: 01.png, 02.png" in err and "10.png and 2 more\n" in err
    )
    assert result["pictures"] == 1 and result["unpaired"] == {"pictures": 12, "masks": 0}


def test_a_few_damaged_files_are_named_and_left_out(tmp_path, capsys):
    stems = [f"{number:03d}" for number in range(100)]
    folder_set(tmp_path, stems)
    damage(tmp_path / "images/007.png")
    result, _, err = run(capsys, "-d", tmp_path, "-o", tmp_path / "out", "-s", 32)
    assert err.count("skipped: ") == 1 and "007.png" in err
    assert len(result["skipped"]) == 1 and "007.png" in result["skipped"][0]
    assert arrays.open_arrays(result["images"]).stems == stems[:7] + stems[8:]


def test_more_damaged_files_than_max_bad_stop_the_run(tmp_path, capsys):
    folder_set(tmp_path, [f"{number:03d}" for number in range(100)])
    damage(tmp_path / "images/007.png")
    Image.new("RGB", (40, 30), (255, 0, 0)).save(tmp_path / "masks/050.ppm")  # another size
    out_dir = tmp_path / "out"
    with pytest.raises(InputError, match="2 of 100 pairs .* --max_bad 0.01 .*007.png"):
        run(capsys, "-d", tmp_path, "-o", out_dir, "-s", 32)
    assert not out_dir.exists()
    assert "050.ppm is 40x30 pixels" in capsys.readouterr().err
    run(capsys, "-d", tmp_path, "-o", out_dir, "-s", 32, "--max_bad", 0.02)


def test_when_all_are_damaged_there_is_nothing_to_write(tmp_path, capsys):
    folder_set(tmp_path, ["0001"])
    damage(tmp_path / "images/0001.png")
    with pytest.raises(InputError, match="none of the 1 pairs"):
        run(capsys, "-d", tmp_path, "-o", tmp_path / "out", "--max_bad", 1)


def test_own_index_masks_with_their_labels(tmp_path, capsys):
    folder_set(tmp_path / "own", ["a", "b"])
    for stem, value in (("a", 1), ("b", 3)):
        (tmp_path / "own/masks" / f"{stem}.ppm").unlink()
        Image.new("L", (40, 40), value).save(tmp_path / "own/masks" / f"{stem}.png")
    (tmp_path / "mine.txt").write_text("idx\tlabel\n0\tnone\n1\tdog\n2\tcat\n3\tcow\n")
    argv = ("-d", tmp_path / "own", "-o", tmp_path / "out", "-s", 32)
    result, *_ = run(capsys, *argv, "--labels", tmp_path / "mine.txt")
    assert result["mask_format"] == "index" and result["class_shares"] == [0, 0.5, 0, 0.5]
    assert result["class_pictures"] == [0, 1, 0, 1]
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(InputError, match="already names other classes"):
        run(capsys, *argv)  # class_1, class_2, class_3
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_pixels_of_no_class_are_counted_apart(tmp_path, capsys):
    folder_set(tmp_path, ["a"])
    (tmp_path / "masks/a.ppm").unlink()
    Image.fromarray(np.repeat([[1, 2, 255, 0]], 40, axis=0).repeat(10, axis=1).astype("u1")).save(
        tmp_path / "masks/a.png"
    )
    result, report, _ = run(
        capsys, "-d", tmp_path, "-s", 32, "--mask_format", "index", "-o", tmp_path
    )
    assert result["ignored_share"] == 0.25 and "25.00%" in report
    assert result["class_shares"] == [0.333333] * 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda raw: None, "no such folder"),
        (lambda raw: raw.mkdir(), "holds neither images/"),
        (lambda raw: folder_set(raw / "data/raw", ["1"]), "did you mean .*data/raw"),
        (lambda raw: folder_set(raw.parent, ["1"]) and raw.mkdir(), "did you mean"),
        (
            lambda raw: (folder_set(raw, ["1"]) / "masks/1.ppm").unlink(),
            r"no image in .*masks \(0\)$",
        ),
        (
            lambda raw: (folder_set(raw, ["1"]) / "masks/1.ppm").rename(raw / "masks/mask1.ppm"),
            "no image in .*: 1.[a-z]+ and mask1.ppm have different stems",
        ),
    ],
)
def test_a_wrong_folder_is_explained(tmp_path, capsys, make, message):
    make(tmp_path / "raw")
    with pytest.raises(InputError, match=message) as error:
        run(capsys, "-d", tmp_path / "raw", "-o", tmp_path / "out")
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()


def test_two_files_of_one_stem_and_a_folder_given_twice_are_refused(tmp_path, capsys):
    folder_set(tmp_path, ["0001"])
    with pytest.raises(InputError, match="is given twice"):
        run(capsys, "-d", tmp_path, "-d", f"{tmp_path}/images/..")
    (tmp_path / "images/0001.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"0001.jpg and .*0001.png have the same name"):
        run(capsys, "-d", tmp_path)


def test_a_mask_that_fits_no_format_stops_the_run_and_leaves_nothing(tmp_path, capsys):
    folder_set(tmp_path, ["0001", "0002"])
    Image.new("RGB", (40, 40), (9, 8, 7)).save(tmp_path / "masks/0002.ppm")
    with pytest.raises(InputError, match=r"masks/.*: the colours .*\(9, 8, 7\)"):
        run(capsys, "-d", tmp_path, "-o", tmp_path / "out", "--max_bad", 1)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, capsys, monkeypatch):
    folder_set(tmp_path, ["0001", "0002"])

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(arrays.RowWriter, "append", full)
    with pytest.raises(
        InputError, match="out/.*cannot be written .No space left on device.*make room"
    ):
        run(capsys, "-d", tmp_path, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path, capsys):
    folder_set(tmp_path, ["0001"])
    leftover = tmp_path / "out" / ".images-32.npy.abcd.unfinished"
    of_another_size = tmp_path / "out" / ".images-64.npy.abcd.unfinished"  # it may still run
    for folder in (leftover, of_another_size):
        folder.mkdir(parents=True)
        (folder / "codes").touch()
    run(capsys, "-d", tmp_path, "-o", tmp_path / "out", "-s", 32)
    assert not leftover.exists() and of_another_size.exists()


def test_a_run_that_is_killed_while_it_renames_leaves_no_mixture(tmp_path, capsys, monkeypatch):
    folder_set(tmp_path, ["0001"])
    argv = ("-d", tmp_path, "-o", tmp_path / "out", "-s", 32)
    run(capsys, *argv)
    replace = os.replace
    for done in range(3):  # of the three renamings
        left = iter(range(done))

        def some(source, target, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt
            replace(source, target)

        monkeypatch.setattr(os, "replace", some)
        with pytest.raises(KeyboardInterrupt):
            run(capsys, *argv)
        monkeypatch.undo()
        with pytest.raises(InputError, match="images-32.npy: no such file"):
            arrays.open_arrays(tmp_path / "out/images-32.npy")


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path, capsys):
    folder_set(tmp_path, ["0001"])
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="out/.*cannot be written"):
        run(capsys, "-d", tmp_path, "-o", tmp_path / "out")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["lwf"], "invalid choice: 'lwf'"),
        (["--img_size", "100"], "multiples of 32"),
        (["--max_bad", "2"], "expected a fraction from 0 to 1"),
        (["--workers", "0"], "expected an integer ≥ 1"),
        (["--workers", "two"], "expected an integer ≥ 1"),
        (["--mask_format", "grey"], "invalid choice"),
        (["--data", "x"], "unrecognized arguments"),
        (["sample"], "required: -o/--out_dir"),
        (["download"], "required: name"),
        (["download", "celeba"], "invalid choice"),
    ],
)
def test_wrong_arguments_exit_with_2(capsys, argv, message):
    with pytest.raises(SystemExit) as stopped:
        data.main(argv)
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and message in error
    assert error.startswith("error: ") and error.endswith("--help)\n") and error.count("\n") == 1


def test_synthetic_samples_are_prepared(tmp_path, capsys):
    made, *_ = run(capsys, "sample", "--out_dir", tmp_path / "raw", "--count", 4, "--seed", 7)
    result, *_ = run(capsys, "--data_dir", tmp_path / "raw", "-o", tmp_path / "out", "-s", 32)
    assert made["pictures"] == result["pictures"] == 4
    assert result["mask_format"] == "rgb" and result["persons"] >= 1


def test_a_mistake_is_one_line_without_traceback_and_status_2(tmp_path):
    argv = [sys.executable, "data.py", "--data_dir", str(tmp_path / "none")]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_a_reader_that_has_seen_enough_gets_no_traceback(tmp_path):
    # More than a pipe holds, so that the command is still writing when `head` has gone.
    names = "".join(f"{index}\t{'x' * 500} {index}\n" for index in range(1, 251))
    (tmp_path / "labels.txt").write_text("idx\tlabel\n0\tnone\n" + names)
    argv = [sys.executable, "data.py", "ade20k", "-l", tmp_path / "labels.txt", "--list_labels"]
    writer = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert writer.stdout.read(3) == b"  1"
    writer.stdout.close()
    assert writer.stderr.read() == b"" and writer.wait() == 1
