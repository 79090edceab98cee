"""Exports at another input size: the same weights, and a card and a contract that say so."""

import json
import shutil
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import coreml_converter
import evaluate
import nets
import tf_converter
import tiny_network
from nets import icnet
from segmentation import model_card
from segmentation.data import labels
from segmentation.errors import InputError
from segmentation.export import parity
from segmentation.inference import predictor
from segmentation.probabilities import to_mask
from tiny_models import (
    HAIR,
    IMG_SIZE,
    SHALLOW_ICNET,
    quick_model,
    save,
    tiny_model,
    with_random_weights,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="the exports are traced by TensorFlow"
    ),
]
OTHER_SIZE = (96, 64)
MOBILE_UNET = {"alpha": 0.25, "narrowest": 1}


def card_of(network, arguments):
    """Return a card as of training, of a model of 32x64 pixels."""
    arguments = nets.arguments(network, arguments)
    return {
        "network": network,
        "arguments": arguments,
        "img_size": list(IMG_SIZE),
        "macs": 1,
        **HAIR.to_card(),
    }


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with `tiny.keras`, of a few layers, and `mobile_unet.keras`; weights are random."""
    folder = tmp_path_factory.mktemp("models")
    keras.utils.set_random_seed(0)
    with_random_weights(tiny_network.Tiny(IMG_SIZE), 0).save(folder / "tiny.keras")
    tiny_model(1).save(folder / "mobile_unet.keras")
    return folder


@pytest.fixture
def hair(models, tmp_path, monkeypatch):
    """`hair.keras`, a network of a few layers, and its card."""
    tiny_network.register(monkeypatch.setitem)
    path = shutil.copy(models / "tiny.keras", tmp_path / "hair.keras")
    model_card.write(path, card_of("tiny", {}))
    return path


@pytest.fixture
def unet(models, tmp_path):
    """`hair.keras`, a MobileUNet, and its card."""
    path = shutil.copy(models / "mobile_unet.keras", tmp_path / "hair.keras")
    model_card.write(path, card_of("mobile_unet", MOBILE_UNET))
    return path


def at_size(path, img_size):
    """The same weights in a network of another size."""
    card = model_card.read(path)
    model = nets.build(card["network"], img_size, 1, **card["arguments"])
    model.set_weights(nets.load(str(path)).get_weights())
    return model


def expected_of(model, images):
    return model.predict(images.astype("float32"), batch_size=1, verbose=0)


def test_it_answers_as_the_network_of_that_size_and_is_measured_there(unet, capsys):
    assert tf_converter.main([str(unet), "--img_size", "96x64"]) == 0
    captured = capsys.readouterr()
    assert "hair.keras: trained at 32x64, exported at 96x64: measure" in captured.err
    written = [file["path"] for file in json.loads(captured.out.splitlines()[-1])["files"]]
    folder = unet.parent
    assert written == [str(folder / f"hair_96x64.{suffix}") for suffix in ("pb", "tflite")]
    card = card_of("mobile_unet", MOBILE_UNET)
    assert model_card.read(unet) == card
    other = at_size(unet, OTHER_SIZE)
    images = parity.check_images(OTHER_SIZE)
    expected = expected_of(other, images)
    for path in written:
        found = predictor.load(path)
        assert found.img_size == OTHER_SIZE and found.classes.names == ("hair",)
        np.testing.assert_allclose(found(images), expected, atol=1e-5)
        contract = Path(f"{path}.contract.md").read_text()
        assert "| trained at | 64 x 32 pixels (width x height); its scores there" in contract
        assert "float32 [1, 96, 64, 3]" in contract
    assert model_card.read(written[0]) == card | {
        "img_size": [96, 64],
        "trained_img_size": [32, 64],
        "macs": nets.macs(other),
    }

    np.save(folder / "images-x.npy", images)
    np.save(folder / "masks-x.npy", to_mask(expected))
    (folder / "names-x.txt").write_text("".join(f"p{row}\t\n" for row in range(len(images))))
    labels.write(folder / "labels.txt", ["background", "hair"])
    evaluate.main([written[1], "--img_file", str(folder / "images-x.npy")])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["iou"]["hair"] == 1


def test_core_ml_takes_another_size_too(hair):
    assert not coreml_converter.main([str(hair), "--img_size", "64", "--quantize", "float32"])
    found = predictor.load(hair.parent / "hair_64.mlpackage")
    assert found.img_size == (64, 64) and found.card["trained_img_size"] == [32, 64]
    images = parity.check_images((64, 64), count=2)
    expected = expected_of(at_size(hair, (64, 64)), images)
    np.testing.assert_allclose(found(images), expected, atol=1e-5)


def test_the_own_size_is_no_other_size(hair):
    assert tf_converter.main([str(hair), "--img_size", "32x64", "--format", "pb"]) == 0
    assert model_card.read(hair.parent / "hair_32x64.pb") == card_of("tiny", {})


def test_a_sweep_is_named_by_the_size(hair):
    arguments = ["--ladder", "l", "--img_size", "64"]
    for command in (tf_converter, coreml_converter):
        args = command.parse_args([str(hair), *arguments])
        assert args.export_size == (64, 64)


def test_it_does_not_take_the_place_of_the_card_of_the_model(hair):
    with pytest.raises(InputError, match="hair.json: belongs to another model"):
        tf_converter.main([str(hair), "--img_size", "64", "--output_fn", "hair"])
    assert model_card.read(hair) == card_of("tiny", {})


def Changed(img_size, num_classes=1, alpha=1.0):
    """Build the network of `hair.keras` with another normalisation."""
    model = tiny_network.Tiny(img_size, num_classes, alpha)
    (rescaling,) = [each for each in model.layers if isinstance(each, keras.layers.Rescaling)]
    rescaling.offset = 0.5
    return model


def refused(path, size="96x64"):
    with pytest.raises(InputError) as error:
        tf_converter.main([str(path), "--img_size", size])
    assert "\n" not in str(error.value) and not list(path.parent.glob("*.pb"))
    return str(error.value)


def test_a_network_that_has_changed_since_is_refused(hair, monkeypatch):
    monkeypatch.setitem(sys.modules, "changed", sys.modules[__name__])
    monkeypatch.setitem(nets.NETWORKS, "tiny", "changed:Changed")
    assert "is not tiny as hair.json describes it (probabilities differ" in refused(hair)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0.5}, "is not tiny as hair.json describes it"),
        ({"depth": 2}, "--img_size 96x64: tiny: tiny has no depth"),
    ],
)
def test_a_card_that_describes_another_network_is_refused(hair, arguments, message):
    model_card.write(hair, card_of("tiny", {}) | {"arguments": arguments})
    assert message in refused(hair)


def test_layers_that_the_network_of_the_card_lacks_are_named(unet):
    arguments = {"alpha": 0.25, "upsampling": "bilinear"}
    model_card.write(unet, card_of("mobile_unet", {}) | {"arguments": arguments})
    assert "(layers differ: up_16_dw, up_16_dw_bn, up_16_pw)" in refused(unet)


def test_a_model_that_nothing_describes_is_refused(tmp_path):
    path = save(quick_model(1), tmp_path / "hair.keras")  # whose card names no network
    assert "hair.keras: no model card says which network it is" in refused(path)


def test_a_size_that_the_network_refuses_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(icnet, "STAGES", SHALLOW_ICNET)
    path = tmp_path / "room.keras"
    nets.inference_model(nets.build("icnet", (192, 192), 2, alpha=0.1)).save(path)
    card = {"network": "icnet", "arguments": {"alpha": 0.1}, "img_size": [192, 192]}
    model_card.write(path, card | {"classes": ["none", "wall"], "colors": [[0, 0, 0], [9, 9, 9]]})
    found = refused(path, "160")
    assert found.startswith("--img_size 160x160: icnet: img_size must be multiples of 32, at least")
