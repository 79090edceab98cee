"""Models that the tests of exports share, and what the commands make of them, once."""

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

import coreml_converter
import tf_converter
from segmentation import model_card
from segmentation.cli import terminal
from segmentation.data import labels
from segmentation.export import parity
from segmentation.inference import predictor
from segmentation.probabilities import to_mask
from tiny_models import CORE_ML_SIZE, HAIR, IMG_SIZE, quick_model, save, small_net, with_clear_masks


@dataclass(frozen=True)
class Run:
    """What a command wrote.

    Attributes:
        folder: where the files stand.
        out: standard output.
        err: standard error.
    """

    folder: Path
    out: str
    err: str

    @property
    def result(self):
        """The JSON that ends standard output."""
        return json.loads(self.out.splitlines()[-1])


def run(command, arguments, folder):
    """Run a command outside a test; what it sets in the environment is undone."""
    terminal.connect()
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("KERAS_BACKEND", "CUDA_VISIBLE_DEVICES"):
            patch.setenv(name, "")
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            assert not command.main([str(argument) for argument in arguments])
    return Run(folder, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def command():
    """The function `run`, for fixtures of one test file."""
    return run


@pytest.fixture(scope="session")
def model():
    """A model of one class with random weights that converts quickly."""
    return quick_model(1)


@pytest.fixture(scope="session")
def trained(model, tmp_path_factory):
    """The folder of `hair.keras`, its card, and arrays whose masks are what it predicts.

    For reading alone.
    """
    folder = tmp_path_factory.mktemp("trained")
    path = save(model, folder / "hair.keras")
    images = parity.check_images(IMG_SIZE)
    images = np.concatenate([images, images[:4, :, ::-1]])
    np.save(folder / "images-32x64.npy", images)
    np.save(folder / "masks-32x64.npy", to_mask(predictor.load(path)(images)))
    (folder / "names-32x64.txt").write_text("".join(f"p{row}\t\n" for row in range(len(images))))
    labels.write(folder / "labels.txt", ["background", "hair"])
    return folder


@pytest.fixture(scope="session")
def images():
    """The check images at the size of `model`."""
    return parity.check_images(IMG_SIZE)


@pytest.fixture(scope="session")
def expected(trained, images):
    """The probabilities that `model` gives for the check images."""
    found = predictor.load(trained / "hair.keras")(images)
    assert 0.2 < np.mean(found > 0.5) < 0.8  # or a comparison would prove little
    return found


@pytest.fixture(scope="session")
def converted(trained, tmp_path_factory):
    """`hair` in each format of TensorFlow, by one command."""
    folder = tmp_path_factory.mktemp("converted") / "out"
    formats = ["--format", "pb", "tflite", "saved_model"]
    return run(tf_converter, [trained / "hair.keras", *formats, "-o", folder], folder)


@pytest.fixture(scope="session")
def swept(trained, tmp_path_factory):
    """`hair_float32.tflite`, `hair_float16.tflite` and `hair_int8.tflite`, by one sweep.

    Each has its parity kit.
    """
    folder = tmp_path_factory.mktemp("swept")
    arrays = trained / "images-32x64.npy"
    options = ["--ladder", folder, "--calibration_images", arrays, "--img_file", arrays]
    return run(tf_converter, [trained / "hair.keras", *options, "--parity_kit"], folder)


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """`hair.keras`, a model with a card, and its `hair.mlpackage` in float16, with a kit."""
    folder = tmp_path_factory.mktemp("package")
    keras.utils.set_random_seed(0)
    network = small_net(CORE_ML_SIZE, alpha=16)
    with_clear_masks(network, CORE_ML_SIZE).save(folder / "hair.keras")
    model_card.write(folder / "hair.keras", {"img_size": list(CORE_ML_SIZE), **HAIR.to_card()})
    return run(coreml_converter, [folder / "hair.keras", "--parity_kit"], folder)


@pytest.fixture(scope="session")
def small():
    """A model of one class that converts quickly."""
    keras.utils.set_random_seed(0)
    return with_clear_masks(small_net(), (32, 32))
