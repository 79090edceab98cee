"""UNet: one decoder for every encoder."""

import sys

import numpy as np
import pytest

import nets
from nets import encoders, unet
from nets.blocks import conv_bn_relu, image_input


@pytest.mark.parametrize("encoder", nets.ENCODERS)
def test_output_holds_probabilities_at_the_size_of_the_input(encoder):
    model = nets.build("unet", (64, 96), 3, encoder=encoder, alpha=0.25)
    image = np.random.default_rng(0).uniform(0, 255, (2, 64, 96, 3)).astype("float32")
    mask = np.asarray(model(image))
    assert mask.shape == (2, 64, 96, 3) and nets.strides(model) == (1,)
    np.testing.assert_allclose(mask.sum(-1), 1, atol=1e-5)
    assert model.input.name == "image" and model.layers[-1].name == "mask"


def test_scenes_are_scored_at_a_quarter_by_a_smaller_network():
    full, scenes = (
        nets.build("unet", (64, 96), 3, alpha=0.25, **arguments)
        for arguments in ({}, nets.scene_arguments("unet"))
    )
    assert scenes.output_shape == (None, 16, 24, 3) and nets.strides(scenes) == (4,)
    assert scenes.count_params() < full.count_params()
    assert {layer.name for layer in scenes.layers} < {layer.name for layer in full.layers}


@pytest.mark.parametrize(
    ("img_size", "arguments", "said"),
    [
        ((100, 128), {}, "multiples of 32"),
        ((64, 64), {"encoder": "resnet"}, "unknown encoder 'resnet'; expected one of efficient"),
        ((64, 64), {"output_stride": 2}, r"output_stride must be one of \(1, 4\)"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(img_size, arguments, said):
    with pytest.raises(ValueError, match=said):
        nets.build("unet", img_size, 1, **arguments)


def test_no_stage_is_narrower_than_the_floor():
    model = nets.build("unet", (32, 32), 1, alpha=0.1, alpha_up=0.01)
    assert nets.features(model).shape[-1] == unet.NARROWEST
    decoder = [layer for layer in model.layers if layer.name.startswith(("up_", "context"))]
    assert {x.filters for x in decoder if hasattr(x, "filters")} == {unet.NARROWEST}


@pytest.mark.parametrize("encoder", nets.ENCODERS)
def test_all_of_the_encoder_is_frozen_and_nothing_else(encoder):
    model = nets.build("unet", (32, 32), 1, encoder=encoder, alpha=0.25)
    frozen = nets.freeze_until(model, nets.encoder_end("unet"))
    trained = [layer.name for layer in model.layers if layer.trainable and layer.weights]
    assert all(name.startswith(("up_", "context", "score")) for name in trained)
    assert frozen == sum(bool(layer.weights) for layer in model.layers) - len(trained)


def encode(name, img_size, alpha):
    """An encoder from outside the package, as the documentation has it."""
    image, x = image_input(img_size, smallest=32)
    features = []
    for stride in encoders.STRIDES:
        x = conv_bn_relu(x, 16 * alpha, 3, f"conv_{stride}", strides=2)
        features.append(x)
    return image, features


def test_an_encoder_from_outside_is_one_file_and_one_row(monkeypatch):
    monkeypatch.setitem(sys.modules, "outside", sys.modules[__name__])
    monkeypatch.setitem(nets.ENCODERS, "outside", "outside")
    model = nets.build("unet", (64, 32), 2, encoder="outside", alpha=0.5)
    assert model.output_shape == (None, 64, 32, 2)
    assert model.get_layer("conv_32").filters == 8
    assert nets.freeze_until(model, nets.encoder_end("unet")) == 2 * len(encoders.STRIDES)


@pytest.mark.parametrize("preset", nets.PRESETS)
def test_presets_are_networks(preset):
    arguments = dict(nets.PRESETS[preset])
    model = nets.build(arguments.pop("model"), (64, 64), 1, **arguments)
    assert model.output_shape == (None, 64, 64, 1)


def test_strides_are_those_of_the_stages():
    assert sorted(unet.WIDTHS) == list(encoders.STRIDES[:-1])
