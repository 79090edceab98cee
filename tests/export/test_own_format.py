"""An export format from outside: a row in the table, a writer, a reader, a template."""

import dataclasses
import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import tf_converter
from segmentation import formats
from segmentation.formats import Format
from segmentation.inference import predictor
from segmentation.inference.runner import one_by_one
from tiny_models import CLASSES

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the exports are traced by TensorFlow"
)
TEMPLATE = "## Python\n\n```python\nfile = np.load('$file')  # $in_height x $in_width\n```\n"


def write(model, path, classes, options):
    """Write the configuration and the weights of `model` as an .npz."""
    weights = {f"weight_{index}": value for index, value in enumerate(model.get_weights())}
    np.savez(path, config=json.dumps(model.get_config()), **weights)


def write_untrained(model, path, classes, options):
    """Write another model: one with new weights."""
    write(keras.Model.from_config(model.get_config()), path, classes, options)


def read(path):
    """Return the `Runner` of such an .npz."""
    with np.load(path) as file:
        model = keras.Model.from_config(json.loads(str(file["config"])))
        model.set_weights([file[f"weight_{index}"] for index in range(len(model.weights))])
    return one_by_one(model.predict_on_batch, model.input_shape, model.output_shape)


@pytest.fixture
def weights_format(tmp_path, monkeypatch):
    template = tmp_path / "weights.md"
    template.write_text(TEMPLATE)
    monkeypatch.setitem(sys.modules, "own_format", sys.modules[__name__])
    row = Format(".npz", "own_format:read", "own_format:write", contract=str(template))
    monkeypatch.setitem(formats.FORMATS, "weights", row)


def test_it_is_written_checked_described_and_read(
    weights_format, trained, images, expected, tmp_path, capsys
):
    out = tmp_path / "out"
    arguments = [str(trained / "hair.keras"), "--format", "weights", "-o", str(out)]
    assert tf_converter.main([*arguments, "--output_fn", "hair.npz"]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "hair.json",
        "hair.npz",
        "hair.npz.contract.md",
    ]
    (file,) = json.loads(capsys.readouterr().out.splitlines()[-1])["files"]
    assert file["path"] == str(out / "hair.npz") and file["largest_difference"] <= 1e-5
    found = predictor.load(out / "hair.npz")
    assert list(found.classes.names) == CLASSES[1]
    np.testing.assert_allclose(found(images), expected, atol=1e-5)
    contract = Path(f"{out}/hair.npz.contract.md").read_text()
    assert "| output | `output_0`, float32 [1, 32, 64, 1], probabilities of the class |" in contract
    assert "file = np.load('hair.npz')  # 32 x 64" in contract


@pytest.mark.slow
def test_a_writer_that_loses_the_weights_is_found_out(
    weights_format, trained, tmp_path, monkeypatch, capsys
):
    row = dataclasses.replace(formats.FORMATS["weights"], writer="own_format:write_untrained")
    monkeypatch.setitem(formats.FORMATS, "weights", row)
    out = tmp_path / "out"
    arguments = [str(trained / "hair.keras"), "--format", "weights", "-o", str(out)]
    assert tf_converter.main(arguments) == 1
    assert "differs from the model" in capsys.readouterr().err and not out.exists()
