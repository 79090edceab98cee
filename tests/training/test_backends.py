"""Training and resuming on the other backends of Keras, where there is no TensorFlow."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nets
from tiny_network import history, save_constant, write_records

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
OPTIONS = ["--model", "tiny", "--batch_size", "4", "--seed", "3", "--schedule", "constant"]


TRAIN = """
import json, sys
import tiny_network, train_full
tiny_network.register(dict.__setitem__)
for options in json.loads(sys.argv[1]):
    train_full.main(options)
"""
ARRAYS = ["--img_file", "data/images-32.npy"]


@pytest.fixture(scope="module")
def environment_of_jax(tmp_path_factory):
    """Variables by which processes share what XLA compiles, hastily."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("jax")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
    }


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize(
    "source",
    [
        ARRAYS,
        ["-d", "discs.tfrecord", "-s", "32"],
        [*ARRAYS, "--teacher", "teacher.keras", "--unlabelled", "photos"],
    ],
    ids=["arrays", "records", "teacher"],
)
def test_training_and_resuming_without_tensorflow(data, source, backend, environment_of_jax):
    pytest.importorskip(backend)
    write_records(data)
    save_constant(data / "teacher.keras", [0.3], ["hair"], 64)
    (data / "photos").mkdir()
    for i, image in enumerate(np.load("data/images-32.npy")[:3]):
        Image.fromarray(image).save(data / f"photos/{i}.png")
    path = os.pathsep.join([str(TESTS / "no_tensorflow"), str(TESTS), str(TESTS.parent)])
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": path} | environment_of_jax
    whole, part = ([*source, *OPTIONS, "-o", f"out/{name}.keras"] for name in ("whole", "parts"))
    for runs in (  # of a process each, whose start takes longest
        [[*whole, "--epochs", "2"], [*part, "--epochs", "1"]],
        [[*part, "--epochs", "2", "--resume"]],
    ):
        command = [sys.executable, "-c", TRAIN, json.dumps(runs)]
        subprocess.run(command, cwd=data, env=environment, check=True)
    assert nets.load("out/whole.keras").output_shape == (None, 32, 32, 1)
    assert all(0 < float(row["data_wait"]) < 1 for row in history(data / "out/whole.csv"))
    states = [np.load(data / "out" / f"{name}.ckpt/state.npz") for name in ("whole", "parts")]
    for key in states[0]:
        if key != "run":
            np.testing.assert_array_equal(states[0][key], states[1][key], err_msg=key)
