"""Runs that are resumed, interrupted, killed or over: to the same weights, with whole files."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nets
from segmentation.data import arrays, image_io, pipeline
from segmentation.data.image_io import UnreadableError
from segmentation.errors import InputError
from segmentation.training import callbacks, checkpoint, optimizers, state
from segmentation.training.config import DataFiles, FullConfig
from tiny_network import SMALL, history, train_tiny

pytestmark = pytest.mark.slow

TINY_TRAIN_FULL = str(Path(__file__).parents[1] / "tiny_network.py")
COMMAND = [sys.executable, TINY_TRAIN_FULL, "--img_file", "data/images-32.npy", *SMALL]


def test_a_run_killed_twice_resumes_to_the_weights_of_an_uninterrupted_one(data):
    train_tiny("--epochs", "5", "-o", "out/whole.keras")
    command = [*COMMAND, "--epochs", "5", "-o", "out/killed.keras"]
    # Once in the middle of an epoch ...
    process = subprocess.Popen(command, cwd=data, stderr=subprocess.PIPE, text=True)
    while not process.stderr.readline().startswith("epoch 2/5"):
        assert process.poll() is None, "it ended before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    # ... and once, resumed, in the middle of writing its first checkpoint.
    done = subprocess.run(
        [*command, "--resume"], cwd=data, env=os.environ | {"KILLED_SAVE": "1"}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    (workspace,) = (data / "out/killed.ckpt").glob(".state.npz.*")
    epochs = checkpoint.read(data / "out/killed.ckpt/state.npz")["history"]
    assert 2 <= len(epochs) <= 4

    train_tiny("--epochs", "5", "-o", "out/killed.keras", "--resume")
    assert not workspace.exists()
    rows = [history(data / "out" / f"{name}.csv") for name in ("whole", "killed")]
    for one, two in zip(*rows, strict=True):
        measured = {"seconds": 0, "data_wait": 0}
        assert one | measured == two | measured
    pictures = [data / "out" / f"{name}.samples.png" for name in ("whole", "killed")]
    np.testing.assert_array_equal(*(image_io.read(path) for path in pictures))
    states = [np.load(data / "out" / f"{name}.ckpt/state.npz") for name in ("whole", "killed")]
    assert {"masks_1", "masks_2", "masks_4", "masks_5"} <= set(states[0])
    assert set(states[0]) == set(states[1])
    for key in states[0]:
        if key != "run":
            np.testing.assert_array_equal(states[0][key], states[1][key], err_msg=key)
    for one, two in zip(
        *(nets.load(f"out/{n}.keras").get_weights() for n in ("whole", "killed")), strict=True
    ):
        np.testing.assert_array_equal(one, two)


def test_a_resumed_run_may_go_on_for_more_epochs_but_not_with_other_options(begun, capsys):
    with pytest.raises(InputError, match="batch_size 4 then, 8 now"):
        train_tiny("--epochs", "1", "--schedule", "constant", "--batch_size", "8", "--resume")
    train_tiny("--epochs", "2", "--schedule", "constant", "--resume")
    assert len(history(begun / "artifacts/hair.csv")) == 2
    train_tiny("--epochs", "2", "--schedule", "constant", "--resume")
    assert "this run is finished" in capsys.readouterr().err


def test_steps_override_epochs_may_end_within_one_and_a_resumed_run_takes_those_that_are_missing(
    data,
):
    train_tiny("-n", "6", "--epochs", "9", "--schedule", "constant")  # 16 images, batches of 4
    with np.load(data / "artifacts/hair.ckpt/state.npz") as content:
        assert len(json.loads(content["run"].tobytes())["history"]) == 2
    model = nets.load("artifacts/hair.keras")
    model.compile(optimizer=optimizers.build("adamw", 0.1))
    model.optimizer.build(model.trainable_variables)
    checkpoint.restore(Path("artifacts/hair.ckpt/state.npz"), model)
    assert int(model.optimizer.iterations) == 6
    train_tiny("-n", "13", "--schedule", "constant", "--resume")
    steps = [int(row["step"]) for row in history(data / "artifacts/hair.csv")]
    assert steps == [4, 6, 10, 13]


def test_a_new_run_is_not_resumed_from_an_earlier_one_whose_checkpoint_is_kept(begun, capsys):
    state = begun / "artifacts/hair.ckpt/state.npz"
    files = (state, begun / "artifacts/hair.keras", begun / "artifacts/hair.json")
    before = {path: path.read_bytes() for path in files}
    logged = list((begun / "logs/hair").rglob("events*"))
    (begun / "logs/hair/notes.txt").touch()
    train_tiny("-n", "8", "--schedule", "constant", "--lr", "0.001")
    assert "are kept as artifacts/hair.ckpt/earlier.*" in capsys.readouterr().err
    for path, content in before.items():
        assert state.with_name(f"earlier{path.suffix}").read_bytes() == content
        assert path.read_bytes() != content
    assert logged and not any(path.exists() for path in logged)
    assert (begun / "logs/hair/notes.txt").exists()
    steps = [int(row["step"]) for row in history(begun / "artifacts/hair.csv")]
    assert steps == [4, 8]
    # Going back to it takes its model too: the model there is not the one of the card.
    state.write_bytes(before[state])
    resumed = ("-n", "4", "--schedule", "constant", "--resume")
    with pytest.raises(InputError, match="hair.keras: is not the model of epoch 1"):
        train_tiny(*resumed)
    (begun / "artifacts/hair.keras").rename(begun / "moved.keras")
    with pytest.raises(InputError, match="hair.keras: is not the model of epoch 1"):
        train_tiny(*resumed)
    for path, content in before.items():
        path.write_bytes(content)
    train_tiny(*resumed)
    assert "this run is finished" in capsys.readouterr().err
    state.unlink()  # as if that run had been stopped in its first epoch
    with pytest.raises(InputError, match="earlier.npz: .* rename it to state.npz"):
        train_tiny("-n", "8", "--schedule", "constant", "--resume")


def test_an_image_that_turns_out_damaged_gets_a_line(begun, monkeypatch):
    before = (begun / "artifacts/hair.keras").read_bytes()
    held_out = json.loads((begun / "artifacts/hair.json").read_text())["validation_rows"]
    whole = arrays.Arrays.read

    def read(self, row):  # one to train on, so that a thread of Keras reads it
        if row not in held_out:
            raise UnreadableError("room.tfrecord, record 7: damaged")
        return whole(self, row)

    monkeypatch.setattr(arrays.Arrays, "read", read)
    with pytest.raises(UnreadableError, match="record 7: damaged"):
        train_tiny("--epochs", "2", "--schedule", "constant", "--resume")
    assert (begun / "artifacts/hair.keras").read_bytes() == before


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_model(begun, monkeypatch):
    before = (begun / "artifacts/hair.keras").read_bytes()

    def broken(self, batch):
        images, masks = whole(self, batch)
        return images.astype("float32") * np.nan, masks

    whole = pipeline.TrainingBatches.__getitem__
    monkeypatch.setattr(pipeline.TrainingBatches, "__getitem__", broken)
    with pytest.raises(
        InputError, match="became nan in epoch 2 .the model of epoch 1 is kept.*--lr"
    ):
        train_tiny("--epochs", "2", "--schedule", "constant", "--resume")
    assert (begun / "artifacts/hair.keras").read_bytes() == before
    assert len(history(begun / "artifacts/hair.csv")) == 1


def test_ctrl_c_ends_a_run_with_its_files_in_order_and_status_130(data):
    command = [*COMMAND, "--epochs", "500", "-o", "out/hair.keras"]
    process = subprocess.Popen(command, cwd=data, stderr=subprocess.PIPE, text=True)
    while not process.stderr.readline().startswith("epoch 2/"):
        assert process.poll() is None, "it ended before it could be interrupted"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "stopping after this batch" in errors and "Traceback" not in errors
    assert "is kept" in errors and "--resume" in errors
    card = json.loads((data / "out/hair.json").read_text())
    rows = history(data / "out/hair.csv")
    assert card["epochs_trained"] == len(rows) >= 2
    assert len(checkpoint.read(data / "out/hair.ckpt/state.npz")["history"]) == len(rows)
    assert nets.load(str(data / "out/hair.keras")).name == "tiny"


def test_an_interruption_in_the_first_epoch_saves_a_model_but_not_over_an_earlier_one(
    data, monkeypatch, capsys
):
    def interrupt(self, batch, logs=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(callbacks.StopRules, "on_train_batch_end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_tiny("--epochs", "2")
    assert nets.load("artifacts/hair.keras").name == "tiny"
    assert "saved before the first epoch ended" in capsys.readouterr().err
    before = (data / "artifacts/hair.keras").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        train_tiny("--epochs", "2", "--seed", "9")
    assert (data / "artifacts/hair.keras").read_bytes() == before
    assert "an earlier run is kept" in capsys.readouterr().err


@pytest.mark.parametrize("trained,over", [(4, False), (5, True), (9, True)])
def test_patience_ends_a_run_after_so_many_epochs_without_a_better_one(trained, over):
    card = {"classes": ["hair"], "best_epoch": 3, "stages": {"full": 1}}
    config = FullConfig(files=DataFiles(), model="tiny", lr=0.1, epochs=12, patience=2)
    history = [{"step": 10 * (epoch + 1)} for epoch in range(trained)]
    found = state.RunState(card, history, config, batches=10)
    assert not found.enter(*found.stages_left())
    assert found.is_over() == over
