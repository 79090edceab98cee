"""MobilePSPNet through every export."""

import json

import keras
import numpy as np
import pytest

import coreml_converter
import nets
import tf_converter
from segmentation import model_card
from segmentation.export import parity
from segmentation.inference import predictor
from tiny_models import HAIR, with_clear_masks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="the exports are traced by TensorFlow"
    ),
]
SIZE = (96, 128)  # its pyramid's map, 6 by 8, is no multiple of all bins
NAMES = ["hair"]


@pytest.fixture(scope="module")
def images():
    return parity.check_images(SIZE, count=2)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A MobilePSPNet with random weights, and its card."""
    path = tmp_path_factory.mktemp("pspnet") / "hair.keras"
    keras.utils.set_random_seed(0)
    model = nets.build("mobile_pspnet", SIZE, 1, alpha=0.25)
    generator = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            kernel = generator.normal(0, 0.2, layer.kernel.shape)
            kernel[1, 1] += 1  # or the image is lost on the way through so many random weights
            layer.kernel.assign(kernel)
    score = with_clear_masks(model, SIZE).get_layer("score")
    # Less sharp: on so deep a path through random weights, rounding grows.
    score.set_weights([array / 4 for array in score.get_weights()])
    model.save(path)
    model_card.write(path, {"img_size": SIZE, **HAIR.to_card()})
    return path


@pytest.fixture(scope="module")
def expected(path, images):
    scores = predictor.load(path)(images)
    assert scores.shape == (2, *SIZE, 1)
    assert 0.1 < (scores > 0.5).mean() < 0.95  # or a comparison would prove little
    return scores


def test_formats_of_tensorflow(path, images, expected, tmp_path):
    formats = ["--format", "pb", "tflite", "saved_model"]
    assert tf_converter.main([str(path), *formats, "-o", str(tmp_path)]) == 0
    for suffix in ("pb", "tflite", "saved_model"):
        found = predictor.load(tmp_path / f"hair.{suffix}")
        assert list(found.classes.names) == NAMES and found.img_size == SIZE
        np.testing.assert_allclose(found(images), expected, atol=1e-5)


@pytest.mark.parametrize(("precision", "limit"), [("float32", 1e-5), ("float16", 2e-2)])
def test_core_ml(precision, limit, path, images, expected, tmp_path):
    package = tmp_path / "hair.mlpackage"
    assert not coreml_converter.main([str(path), str(package), "--quantize", precision])
    np.testing.assert_allclose(predictor.load(package)(images), expected, atol=limit)


def test_float16_tflite(path, images, expected, tmp_path):
    arguments = ["--format", "tflite", "--quantize", "float16", "-o", str(tmp_path)]
    assert tf_converter.main([str(path), *arguments]) == 0
    found = predictor.load(tmp_path / "hair.tflite")(images)
    np.testing.assert_allclose(found, expected, atol=2e-2)


@pytest.mark.parametrize("command", [tf_converter, coreml_converter])
def test_untrained_grids_hold_it(command, tmp_path, capsys):
    arguments = ["--model", "mobile_pspnet", "--sizes", "96", "--alphas", "0.25"]
    assert not command.main(["--untrained", *arguments, "-o", str(tmp_path)])
    (written,) = json.loads(capsys.readouterr().out.splitlines()[-1])["untrained"]
    found = predictor.load(written["path"])
    assert found.path.stem == "mobile_pspnet_096_025" and found.img_size == (96, 96)


@pytest.mark.parametrize("command", [tf_converter, coreml_converter])
def test_of_older_projects_there_is_none(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.parse_args(["a.h5", "--model", "mobile_pspnet", "--img_size", "96"])
    assert stopped.value.code == 2
    hint = "goes with --untrained: there are legacy weights of mobile_unet and icnet alone"
    assert hint in capsys.readouterr().err
