"""Training on a bucket of Google Cloud Storage, played by an emulator."""

import json
import socket

import numpy as np
import pytest

import tiny_network
import train_full
from segmentation import buckets, remote
from storage_runs import TRAIN, run, trained

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server():
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = emulator.create_server("127.0.0.1", port, in_memory=True, default_bucket="bucket")
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def gs(server, folder, monkeypatch):
    """The file system of the emulator."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server)
    monkeypatch.setenv(remote.CACHE, str(folder / "cache"))
    tiny_network.write_arrays(folder / "data")
    system = buckets._connected("gs", "bucket")
    yield system
    system.rm([f"bucket/{name}" for name in names(system)])


def names(system):
    return {name.removeprefix("bucket/") for name in system.find("bucket")}


def test_a_run_in_a_bucket_resumes_to_the_weights_of_one_that_was_whole(gs, folder, capsys):
    for path in (folder / "data").iterdir():
        gs.put_file(str(path), f"bucket/data/{path.name}")
    options = ["--img_file", "gs://bucket/data/images-32.npy", *TRAIN, "--schedule", "constant"]
    options += ["-o", "gs://bucket/run/hair.keras"]
    assert not run(train_full, *options, "--epochs", "1")
    assert {f"run/hair{end}" for end in (".keras", ".json", ".csv", ".png", ".ckpt/state.npz")} <= (
        names(gs)
    )
    capsys.readouterr()
    assert not run(train_full, *options, "--epochs", "2", "--resume")
    out, err = capsys.readouterr()
    assert "resuming after epoch 1" in err and "/runs/" not in out + err
    assert json.loads(out.splitlines()[-1])["epochs_trained"] == 2
    assert len(gs.cat("bucket/run/hair.csv").splitlines()) == 3
    whole = ["--img_file", "data/images-32.npy", *options[2:-2], "--epochs", "2"]
    assert not run(train_full, *whole, "-o", "whole.keras")
    gs.get_file("bucket/run/hair.keras", "got.keras")
    for one, two in zip(trained("whole.keras"), trained("got.keras"), strict=True):
        np.testing.assert_array_equal(one, two)
    assert run(train_full, *options[:2], *TRAIN, "-o", "gs://absent/hair.keras") == 2
    assert "error: gs://absent/hair.keras: no such bucket" in capsys.readouterr().err


def test_the_older_option_copies_the_files_of_a_run_to_a_bucket(gs, folder, capsys):
    options = ["--img_file", "data/images-32.npy", *TRAIN, "--epochs", "1"]
    assert not run(train_full, *options, "-o", "room/icnet.h5", "--gcs-bucket", "bucket/old")
    here = {
        path.relative_to(folder / "room").as_posix()
        for path in (folder / "room").rglob("*")
        if path.is_file()
    }
    copied = {name.removeprefix("old/") for name in names(gs)}
    assert {"icnet.h5", "icnet.ckpt/state.npz"} <= here
    assert {name for name in copied if not name.startswith("logs/icnet/")} == here
    assert gs.cat("bucket/old/icnet.h5") == (folder / "room/icnet.h5").read_bytes()
    twice = ["-o", "gs://bucket/hair.keras", "--gcs_bucket", "bucket"]
    assert run(train_full, *options, *twice) == 2
    assert "-o names a bucket already" in capsys.readouterr().err
