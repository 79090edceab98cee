"""The commands on a bucket of S3, end to end, as a person types them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import benchmark
import data
import evaluate
import predict
import tf_converter
import tiny_network
import train_full
from segmentation import buckets
from segmentation.data import arrays
from segmentation.errors import InputError
from storage_runs import TRAIN, run, trained

pytestmark = pytest.mark.slow


def last_line(capsys):
    """The result of the last command, whose output names no copy."""
    out, err = capsys.readouterr()
    assert "/runs/" not in out + err
    return json.loads(out.splitlines()[-1])


def test_arrays_are_made_of_images_in_a_bucket_as_of_images_here(bucket, folder, capsys):
    run(data, "sample", "-o", "raw", "--count", "12", "--seed", "1")
    bucket.put_folder(folder / "raw", "set/raw")
    assert not run(data, "lfw", "-d", "s3://bucket/set/raw", "-o", "s3://bucket/set", "-s", "32")
    assert last_line(capsys)["images"] == "s3://bucket/set/images-32.npy"
    run(data, "lfw", "-d", "raw", "-o", "here", "-s", "32")
    made = {path.name for path in (folder / "here").iterdir()}
    assert bucket.names("set/") - bucket.names("set/raw/") == {f"set/{name}" for name in made}
    for name in made:
        assert bucket.read(f"set/{name}") == (folder / "here" / name).read_bytes()
    capsys.readouterr()
    # labels.txt of other classes is not overwritten, no more than one here.
    (folder / "two.txt").write_text("idx\tlabel\n0\tbackground\n1\tcat\n2\tdog\n")
    other = ["-l", "two.txt", "-o", "s3://bucket/set", "-s", "32"]
    assert run(data, "lfw", "-d", "s3://bucket/set/raw", *other) == 2
    assert "s3://bucket/set/labels.txt already names other classes" in capsys.readouterr().err


def test_tfrecords_of_another_number_of_shards_replace_those_in_the_bucket(bucket, folder, capsys):
    run(data, "sample", "--kind", "scenes", "-o", "s3://bucket/rooms", "--count", "6")
    # The masks of the folder of images, and the names of the classes, lie elsewhere.
    prepare = ["prepare", "-d", "s3://bucket/rooms/images/training", "-o"]
    record = "s3://bucket/set/room.tfrecord"
    for shards in (3, 2):
        assert not run(data, *prepare, record, "--num_shards", shards)
    names = {key.removeprefix("set/") for key in bucket.names("set/")}
    shards = {f"room-0000{number}-of-00002.tfrecord" for number in range(2)}
    assert names == {*shards, "labels.txt", "room.dataset.json"}
    pattern = "s3://bucket/set/room-*-of-00002.tfrecord"
    for given in (
        record,
        pattern,
        "s3://bucket/set",
        "s3://bucket/set/room-00001-of-00002.tfrecord",
    ):
        capsys.readouterr()
        assert run(data, "check", "-d", given, "-o", "s3://bucket/check", "--fewest", "1") in (0, 3)
        assert last_line(capsys)["pictures"] == 5
    assert "check/report.html" in bucket.names("check/")
    assert b"/runs/" not in bucket.read("check/report.json") + bucket.read("check/report.html")


def test_a_model_is_trained_measured_used_and_exported_in_a_bucket(bucket, folder, capsys):
    tiny_network.write_arrays(folder / "data")
    bucket.put_folder(folder / "data", "data")
    options = [*TRAIN, "--epochs", "2"]
    assert not run(train_full, "--img_file", "data/images-32.npy", *options, "-o", "out/hair.keras")
    capsys.readouterr()
    arrays_there = ["--img_file", "s3://bucket/data/images-32.npy"]
    assert not run(train_full, *arrays_there, *options, "-o", "s3://bucket/run/hair.keras")
    assert last_line(capsys)["model"] == "s3://bucket/run/hair.keras"
    assert not (folder / "cache/runs").exists() or not any((folder / "cache/runs").iterdir())
    here = {
        path.relative_to(folder / "out").as_posix()
        for path in (folder / "out").rglob("*")
        if path.is_file()
    }
    there = {key.removeprefix("run/") for key in bucket.names("run/")}
    logs = {name for name in there if name.startswith("logs/hair/")}
    assert there - logs == here and any("events.out.tfevents" in name for name in logs)
    bucket.get_folder("run", folder / "got")
    for one, two in zip(trained("out/hair.keras"), trained("got/hair.keras"), strict=True):
        np.testing.assert_array_equal(one, two)

    model = "s3://bucket/run/hair.keras"
    assert not run(
        evaluate, model, *arrays_there, "--split", "validation", "--report", "s3://bucket/report"
    )
    scores = last_line(capsys)
    card = json.loads(bucket.read("run/hair.json"))
    assert scores["iou"]["hair"] == pytest.approx(card["metrics"]["val_iou_hair"], abs=1e-4)
    report = json.loads(bucket.read("report/report.json"))
    assert (report["model"], report["data"]) == (model, arrays_there[1:])

    Image.fromarray(np.load("data/images-32.npy")[0]).save("0.png")
    for number in range(3):
        bucket.client.upload_file("0.png", "bucket", f"photos/{number}.png")
    assert not run(predict, model, "s3://bucket/photos/[01].png", "-o", "s3://bucket/masks")
    assert last_line(capsys)["pictures"] == 2
    made = {f"masks/{number}_{kind}" for number in range(2) for kind in ("mask.png", "overlay.jpg")}
    assert bucket.names("masks/") == made

    assert not run(tf_converter, model, "--format", "tflite", "--parity_kit")
    assert [one["path"] for one in last_line(capsys)["files"]] == ["s3://bucket/run/hair.tflite"]
    assert {
        "run/hair.tflite",
        "run/hair.tflite.contract.md",
        "run/hair.tflite.kit/manifest.json",
    } <= (bucket.names("run/"))
    assert not run(
        benchmark, "s3://bucket/run/hair.tflite", "--rounds", "1", "-o", "s3://bucket/b.json"
    )
    assert last_line(capsys)["rows"][0]["file"] == "s3://bucket/run/hair.tflite"
    assert json.loads(bucket.read("b.json"))["rows"][0]["file"] == "s3://bucket/run/hair.tflite"


@pytest.mark.long
def test_a_run_killed_on_one_machine_resumes_on_another_to_the_same_weights(bucket, folder):
    tiny_network.write_arrays(folder / "data")
    options = ["--img_file", "data/images-32.npy", *TRAIN, "--epochs", "3"]
    run(train_full, *options, "-o", "out/whole.keras")
    there = [*options, "-o", "s3://bucket/run/killed.keras"]
    script = str(Path(tiny_network.__file__))
    killed = os.environ | {"KILLED_SAVE": "2"}
    done = subprocess.run([sys.executable, script, *there], env=killed, check=False)
    assert done.returncode == -signal.SIGKILL
    bucket.get_folder("run/killed.ckpt", folder / "first")
    with np.load(folder / "first/state.npz") as state:
        assert len(json.loads(state["run"].tobytes())["history"]) == 1
    os.environ["MOBILE_SEGMENTATION_CACHE"] = str(folder / "another")
    assert not run(train_full, *there, "--resume")
    bucket.get_folder("run", folder / "got")
    for one, two in zip(trained("out/whole.keras"), trained("got/killed.keras"), strict=True):
        np.testing.assert_array_equal(one, two)
    assert len(tiny_network.history(folder / "got/killed.csv")) == 3


@pytest.mark.long
def test_a_run_on_a_machine_that_is_taken_away_sends_its_checkpoint(bucket, folder):
    tiny_network.write_arrays(folder / "data")
    options = ["--img_file", "data/images-32.npy", *TRAIN, "--epochs", "500"]
    command = [sys.executable, tiny_network.__file__, *options, "-o", "s3://bucket/run/hair.keras"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not process.stderr.readline().startswith("epoch 2/500"):
        assert process.poll() is None, "it ended before it was asked to"
    process.terminate()
    assert "s3://bucket/run/hair.keras: the model of epoch" in process.communicate()[1]
    assert process.returncode == 130
    assert {"run/hair.keras", "run/hair.ckpt/state.npz"} <= bucket.names("run/")
    assert not list((folder / "cache/runs").iterdir())


def test_what_cannot_be_sent_after_an_epoch_is_sent_after_the_next(
    bucket, folder, monkeypatch, capsys
):
    tiny_network.write_arrays(folder / "data")
    whole, tries = buckets.Buckets.put, []

    def put(self, path, url):
        tries.append(url)
        if len(tries) == 3:
            raise InputError(f"not sent: {url}: no connection")
        whole(self, path, url)

    monkeypatch.setattr(buckets.Buckets, "put", put)
    options = ["--img_file", "data/images-32.npy", *TRAIN, "--epochs", "2"]
    assert not run(train_full, *options, "-o", "s3://bucket/hair.keras")
    assert f"warning: not sent: {tries[2]}: no connection; tried again" in capsys.readouterr().err
    assert tries[2] in tries[3:]
    # The checkpoint comes last, and not after something that failed.
    assert [url for url in tries if url.endswith("state.npz")] == [
        "s3://bucket/hair.ckpt/state.npz"
    ]
    assert {"hair.keras", "hair.json", "hair.ckpt/state.npz"} <= bucket.names()


def test_a_new_run_that_is_cut_off_leaves_no_card_and_no_checkpoint_of_the_earlier_one(
    bucket, folder, monkeypatch
):
    tiny_network.write_arrays(folder / "data")
    options = ["--img_file", "data/images-32.npy", *TRAIN, "--epochs", "1"]
    options += ["-o", "s3://bucket/hair.keras"]
    assert not run(train_full, *options)
    earlier, whole = bucket.read("hair.keras"), buckets.Buckets.put

    def put(self, path, url):
        if url == "s3://bucket/hair.json":
            raise InputError(f"not sent: {url}: no connection")
        whole(self, path, url)

    monkeypatch.setattr(buckets.Buckets, "put", put)
    assert run(train_full, *options, "--lr", "0.01") == 2
    kept = {f"hair.ckpt/earlier.{suffix}" for suffix in ("keras", "json", "npz")}
    assert kept | {"hair.keras"} <= bucket.names()
    assert not {"hair.json", "hair.ckpt/state.npz"} & bucket.names()
    assert bucket.read("hair.ckpt/earlier.keras") == earlier != bucket.read("hair.keras")


def test_arrays_whose_sending_was_cut_off_are_kept_here_and_not_mixed_there(
    bucket, folder, monkeypatch, capsys
):
    run(data, "sample", "-o", "raw", "--count", "8", "--seed", "1")
    lfw = ["lfw", "-d", "raw", "-o", "s3://bucket/set", "-s", "32"]
    assert not run(data, *lfw)
    run(data, "sample", "-o", "raw", "--count", "8", "--seed", "2")
    whole = buckets.Buckets.put

    def put(self, path, url):
        if url.endswith("names-32.txt"):
            raise InputError(f"not sent: {url}: no connection")
        whole(self, path, url)

    monkeypatch.setattr(buckets.Buckets, "put", put)
    capsys.readouterr()
    assert run(data, *lfw) == 2
    err = capsys.readouterr().err
    (kept,) = (folder / "cache/unsent").iterdir()
    assert f"names-32.txt: no connection; 3 files not sent: kept in {kept}; copy them" in err
    assert {path.name for path in kept.rglob("*") if path.is_file()} == {
        *("images-32.npy", "images-32.dataset.json", "names-32.txt"),
    }
    # Without the images, which would be those of before, nothing opens.
    bucket.get_folder("set", folder / "got")
    with pytest.raises(InputError, match=r"images-32.npy: no such file"):
        arrays.open_arrays(folder / "got/images-32.npy")


@pytest.mark.long
def test_an_earlier_run_in_the_bucket_is_kept_like_one_here(bucket, folder, capsys):
    tiny_network.write_arrays(folder / "data")
    options = ["--img_file", "data/images-32.npy", *TRAIN, "--epochs", "1"]
    run(train_full, *options, "-o", "s3://bucket/hair.keras")
    first = bucket.read("hair.keras"), bucket.read("hair.ckpt/state.npz")
    (events,) = [name for name in bucket.names("logs/hair/train/") if "tfevents" in name]
    assert not run(train_full, *options, "--lr", "0.01", "-o", "s3://bucket/hair.keras")
    assert "starting a new run" in capsys.readouterr().err
    assert (bucket.read("hair.ckpt/earlier.keras"), bucket.read("hair.ckpt/earlier.npz")) == first
    assert events not in bucket.names("logs/")
    # Another model's files are in the way, as here.
    bucket.client.put_object(Bucket="bucket", Key="cat.json", Body=b"[]")
    assert run(train_full, *options, "-o", "s3://bucket/cat.keras") == 2
    assert "s3://bucket/cat.json: exists and is not a model card" in capsys.readouterr().err
