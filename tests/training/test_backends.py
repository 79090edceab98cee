"""Training and resuming on the other backends of Keras, where there is no TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nets
from tiny_network import save_constant, write_records

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
OPTIONS = ["--model", "tiny", "--batch_size", "4", "--seed", "3", "--schedule", "constant"]


ARRAYS = ["--img_file", "data/images-32.npy"]


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
def test_training_and_resuming_without_tensorflow(data, source, backend):
    pytest.importorskip(backend)
    write_records(data)
    save_constant(data / "teacher.keras", [0.3], ["hair"], 64)
    (data / "photos").mkdir()
    for i, image in enumerate(np.load("data/images-32.npy")[:3]):
        Image.fromarray(image).save(data / f"photos/{i}.png")
    path = os.pathsep.join([str(TESTS / "no_tensorflow"), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": path}
    for name, options in (
        ("whole", ["--epochs", "2"]),
        ("parts", ["--epochs", "1"]),
        ("parts", ["--epochs", "2", "--resume"]),
    ):
        command = [sys.executable, TESTS / "tiny_network.py", *source, *OPTIONS, *options]
        command += ["-o", f"out/{name}.keras"]
        subprocess.run(command, cwd=data, env=environment, check=True)
    assert nets.load("out/whole.keras").output_shape == (None, 32, 32, 1)
    states = [np.load(data / "out" / f"{name}.ckpt/state.npz") for name in ("whole", "parts")]
    for key in states[0]:
        if key != "run":
            np.testing.assert_array_equal(states[0][key], states[1][key], err_msg=key)
