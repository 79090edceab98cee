"""Training on several devices and by several workers, on the loopback: as by one alone."""

import json
import os
import re
import signal
import subprocess
import zipfile

import numpy as np
import pytest
from workers import HASTILY, TRAIN, end, jax_environment, start

import tiny_network
from segmentation.errors import InputError
from tiny_network import history

pytest.importorskip("jax")
pytestmark = pytest.mark.slow

# 18 images to train on in batches of 4, and 5 to validate on: neither divides among two.
COUNT = 23
EPOCHS = ("--epochs", "3")
# A thread of JAX may notice it a moment later, and say so before the process has ended.
LOST = re.compile("(worker [01]: )?error: another worker died, froze, .* start .* with --resume")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with data, and with `out/one.keras`, trained by one process on one device."""
    folder = tmp_path_factory.mktemp("distributed")
    tiny_network.write_arrays(folder / "data", COUNT)
    (folder / "data/names-32.txt").unlink()  # persons of two images each would be held out
    train(folder, *EPOCHS, "-o", "out/one.keras")
    return folder


def train(folder, *options, environment=None):
    environment = environment or jax_environment(folder)
    done = subprocess.run(
        [*TRAIN, *options], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done


def assert_same_run(folder, name, other, tolerance=1e-5):
    """Assert that two runs have the same checkpoint and the same history."""
    one, two = (np.load(folder / f"out/{each}.ckpt/state.npz") for each in (name, other))
    assert set(one) == set(two)
    for key in one:
        if key.startswith("variable"):
            np.testing.assert_allclose(one[key], two[key], atol=tolerance, err_msg=key)
    rows = [history(folder / f"out/{each}.csv") for each in (name, other)]
    for first, second in zip(*rows, strict=True):
        for column in first.keys() - {"seconds", "data_wait"}:
            values = [float(row[column] or "nan") for row in (first, second)]
            assert values[0] == pytest.approx(values[1], abs=tolerance, nan_ok=True), column


@pytest.fixture(scope="module")
def two_workers(folder):
    """Status, stdout and stderr of two workers that train `out/two.keras`."""
    return end(start(folder, *EPOCHS, "-o", "out/two.keras"))


def test_two_workers_train_on_data_that_do_not_divide_to_the_weights_of_one(folder, two_workers):
    assert [status for status, _, _ in two_workers] == [0, 0], two_workers
    assert_same_run(folder, "one", "two")
    card = json.loads((folder / "out/two.json").read_text())
    assert (card["devices"], card["workers"]) == (2, 2)
    assert card["data"]["validation_pictures"] % 2  # the last batch had to be filled up


def test_the_first_worker_alone_writes_and_speaks(folder, two_workers):
    (_, shown, said), (_, other_shown, other_said) = two_workers
    assert json.loads(shown.splitlines()[-1])["epochs_trained"] == 3
    assert "training on 2 devices of 2 workers" in said and "epoch 3/3" in said
    assert not other_shown and "epoch" not in other_said


def test_a_worker_killed_in_a_checkpoint_ends_the_other_and_all_resume_to_the_same_weights(folder):
    command = (*EPOCHS, "-o", "out/killed.keras", "--resume")
    (killed, _, _), (status, _, said) = end(start(folder, *command, KILLED_SAVE="2"))
    assert killed == -signal.SIGKILL
    assert status == 75 and any(LOST.fullmatch(line) for line in said.splitlines()), said
    assert len(history(folder / "out/killed.csv")) == 2  # the checkpoint is of epoch 1
    results = end(start(folder, *command))
    assert [status for status, _, _ in results] == [0, 0], results
    assert "resuming after epoch 1" in results[0][2]
    assert_same_run(folder, "one", "killed")


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
@pytest.mark.parametrize("victim", [0, 1])
def test_a_worker_killed_or_frozen_within_an_epoch_ends_the_other(folder, victim, number):
    name = f"out/{number.name}-{victim}.keras"
    processes = start(folder, "--epochs", "2000", "-o", name)
    while not processes[0].stderr.readline().startswith("epoch 2/"):
        assert processes[0].poll() is None, "it ended before it could be killed"
    processes[victim].send_signal(number)
    ((status, _, said),) = end([processes[1 - victim]])
    processes[victim].kill()
    end([processes[victim]])
    assert status == 75 and any(LOST.fullmatch(line) for line in said.splitlines()), said


@pytest.mark.long
def test_workers_with_other_options_or_data_are_refused_by_all(folder):
    results = end(start(folder, *EPOCHS, others={1: ["--lr", "0.5"]}))
    for status, _, said in results:
        assert status == 2 and "worker 1 has other settings or data than worker 0 (lr)" in said


def test_two_devices_of_one_machine_train_to_the_weights_of_one_under_jax(folder):
    flags = {"XLA_FLAGS": f"{HASTILY} --xla_force_host_platform_device_count=2"}
    options = (*EPOCHS, "-o", "out/devices.keras")
    done = train(folder, *options, environment=jax_environment(folder, **flags))
    assert "training on 2 devices: cpu:0, cpu:1" in done.stderr
    assert_same_run(folder, "one", "devices")


def test_two_devices_of_one_machine_train_to_the_weights_of_one_under_tensorflow(folder):
    # Each replica drops out other features, so that there is no dropout here.
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "DROPOUT": "0", "CPU_DEVICES": "2"}
    for name, *options in (("tf-one", "--devices", "1"), ("tf-two", "-b", "5")):
        options += ["-n", "9", "-o", f"out/{name}.keras"]
        done = train(folder, *options, environment=environment)
    assert "--batch_size 5 does not divide among 2 devices: 4 is used" in done.stderr
    assert_same_run(folder, "tf-one", "tf-two")
    with zipfile.ZipFile(folder / "out/tf-two.keras") as model:
        config = model.read("config.json").decode()
    assert '"synchronized": false' in config  # other backends refuse a model that has it


def test_more_devices_than_there_are_get_a_line(data):
    with pytest.raises(InputError, match="--devices 2: Keras sees 1 on this machine"):
        tiny_network.train_tiny("--devices", "2")


def test_a_cluster_is_refused_under_tensorflow(data, monkeypatch):
    config = {
        "cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]},
        "task": {"type": "worker", "index": 0},
    }
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    with pytest.raises(InputError, match="TF_CONFIG names 2 workers.*: set KERAS_BACKEND=jax"):
        tiny_network.train_tiny()
