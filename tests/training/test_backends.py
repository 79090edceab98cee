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
from tiny_network import history, save_constant, write_arrays, write_records

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]
OPTIONS = ["--model", "tiny", "--batch_size", "4", "--seed", "3", "--schedule", "constant"]
ARRAYS = ["--img_file", "data/images-32.npy"]
SOURCES = {
    "arrays": ARRAYS,
    "records": ["-d", "discs.tfrecord", "-s", "32"],
    "teacher": [*ARRAYS, "--teacher", "teacher.keras", "--unlabelled", "photos"],
}
TRAIN = """
import json, sys
import tiny_network, train_full
tiny_network.register(dict.__setitem__)
for options in json.loads(sys.argv[1]):
    train_full.main(options)
"""


@pytest.fixture(scope="module", params=["jax", "torch"])
def folder(request, tmp_path_factory):
    """A folder with two runs from each source: `out/SOURCE-whole`, and `out/SOURCE-parts` resumed.

    Of two processes: their start takes longest.
    """
    pytest.importorskip(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    write_arrays(folder / "data")
    write_records(folder)
    save_constant(folder / "teacher.keras", [0.3], ["hair"], 64)
    (folder / "photos").mkdir()
    for i, image in enumerate(np.load(folder / "data/images-32.npy")[:3]):
        Image.fromarray(image).save(folder / f"photos/{i}.png")
    path = os.pathsep.join([str(TESTS / "no_tensorflow"), str(TESTS), str(TESTS.parent)])
    environment = {
        "KERAS_BACKEND": request.param,
        "PYTHONPATH": path,
        # The processes share what XLA compiles, hastily.
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("compiled")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
    }

    def options(name, part, *others):
        return [*SOURCES[name], *OPTIONS, "-o", f"out/{name}-{part}.keras", *others]

    for runs in (
        [
            options(name, part, "--epochs", epochs)
            for name in SOURCES
            for part, epochs in (("whole", "2"), ("parts", "1"))
        ],
        [options(name, "parts", "--epochs", "2", "--resume") for name in SOURCES],
    ):
        command = [sys.executable, "-c", TRAIN, json.dumps(runs)]
        subprocess.run(command, cwd=folder, env=os.environ | environment, check=True)
    return folder


@pytest.mark.parametrize("source", SOURCES)
def test_training_and_resuming_without_tensorflow(folder, source):
    whole, parts = (folder / f"out/{source}-{name}.keras" for name in ("whole", "parts"))
    assert nets.load(whole).output_shape == (None, 32, 32, 1)
    assert all(0 < float(row["data_wait"]) < 1 for row in history(whole.with_suffix(".csv")))
    states = [np.load(path.with_suffix(".ckpt") / "state.npz") for path in (whole, parts)]
    for key in states[0]:
        if key != "run":
            np.testing.assert_array_equal(states[0][key], states[1][key], err_msg=key)
