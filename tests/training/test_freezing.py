"""Freezing by name: which layers, and that nothing in them moves."""

import keras
import numpy as np
import pytest

import nets
from nets import icnet
from tiny_models import SHALLOW_ICNET

pytestmark = pytest.mark.slow

NETWORKS = {  # name: size, alpha
    "mobile_unet": ((32, 32), 0.25),
    "icnet": ((192, 192), 0.125),
    "mobile_pspnet": ((96, 96), 0.25),
}


def network(name, num_classes=2):
    size, alpha = NETWORKS[name]
    return nets.build(name, size, num_classes, alpha=alpha)


def frozen(model):
    return {layer.name for layer in model.layers if layer.weights and not layer.trainable}


def mobilenet_until(block):
    """The layers of MobileNet that have weights, up to the end of a block."""
    names = {"conv1", "conv1_bn"}
    for number in range(1, block + 1):
        names |= {
            f"conv_{part}_{number}{suffix}" for part in ("dw", "pw") for suffix in ("", "_bn")
        }
    return names


@pytest.mark.parametrize("name", ["mobile_unet", "mobile_pspnet"])
@pytest.mark.parametrize("layer", ["conv_pw_11", "conv_pw_11_bn", "conv_pw_11_relu"])
def test_a_layer_is_frozen_through_its_batchnorm_and_all_before_it(name, layer):
    model = network(name)
    assert nets.freeze_until(model, layer) == 2 + 11 * 4
    assert frozen(model) == mobilenet_until(11)
    assert not model.get_layer("conv_pw_11_relu").trainable


def test_a_second_call_forgets_the_first_and_none_frees_all():
    model = network("mobile_unet")
    nets.freeze_until(model, nets.encoder_end("mobile_unet"))
    assert frozen(model) == mobilenet_until(13)
    assert nets.freeze_until(model, "conv_dw_3") == len(frozen(model)) == 2 + 2 * 4 + 2
    assert frozen(model) == mobilenet_until(2) | {"conv_dw_3", "conv_dw_3_bn"}
    assert nets.freeze_until(model, None) == 0 and frozen(model) == set()
    assert all(layer.trainable for layer in model.layers)


def test_a_decoder_is_frozen_with_the_encoder_that_it_joins():
    model = network("mobile_unet")
    nets.freeze_until(model, "stem_conv")
    free = {layer.name for layer in model.layers if layer.weights} - frozen(model)
    assert free == {"score"}  # stem_bn is named otherwise, but belongs to stem_conv


@pytest.mark.parametrize("block", ["conv3_1", "conv3_1_add", "conv3_1_relu"])
def test_icnets_other_branches_are_not_frozen(block):
    model = network("icnet")
    nets.freeze_until(model, block)
    stems = {name.split("_")[0] for name in frozen(model)}
    assert stems == {"conv1", "conv2", "conv3"}
    assert "conv3_1_increase_bn" in frozen(model) and "conv3_2_reduce" not in frozen(model)
    assert model.get_layer("full_1").trainable


def test_icnets_encoder_ends_before_its_pyramid():
    model = network("icnet")
    nets.freeze_until(model, nets.encoder_end("icnet"))
    assert {name.split("_")[0] for name in frozen(model)} == {f"conv{n}" for n in range(1, 6)}
    assert "conv5_3_increase_bn" in frozen(model) and "conv5_4" not in frozen(model)


def test_an_unknown_name_is_refused_with_the_nearest_and_changes_nothing():
    model = network("mobile_unet")
    nets.freeze_until(model, "conv1")
    with pytest.raises(ValueError, match="no layer called 'conv_pw11'; did you mean conv_pw_11"):
        nets.freeze_until(model, "conv_pw11")
    assert frozen(model) == {"conv1", "conv1_bn"}
    with pytest.raises(ValueError, match="mobile_unet has no layer called 'xyz'$"):
        nets.freeze_until(model, "xyz")


def noise(model):
    shape = (2, *model.input_shape[1:])
    return np.random.default_rng(0).uniform(0, 255, shape).astype("float32")


def train(model):
    """Take two steps on noise; return which arrays of each layer changed, as lists of bool."""
    image, generator = noise(model), np.random.default_rng(1)
    masks = [generator.integers(0, 2, (2, *tensor.shape[1:3])) for tensor in model.outputs]
    before = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    losses = ["sparse_categorical_crossentropy"] * len(masks)
    model.compile(keras.optimizers.Adam(0.01), losses, run_eagerly=True)
    for _ in range(2):  # ICNet's blocks begin as shortcuts: at first, nothing in them learns
        model.train_on_batch(image, masks)
    return {
        name: [
            not np.array_equal(old, new)
            for old, new in zip(arrays, model.get_layer(name).get_weights(), strict=True)
        ]
        for name, arrays in before.items()
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_frozen_layers_stay_bit_for_bit_and_learn_once_they_are_freed(name, monkeypatch):
    monkeypatch.setattr(icnet, "STAGES", SHALLOW_ICNET)
    model = network(name)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0
    model(noise(model), training=True)  # or features vanish on the way through random weights
    nets.freeze_until(model, nets.encoder_end(name))
    kept, changed = frozen(model), train(model)
    assert not any(any(changed[layer]) for layer in kept)  # nor statistics of BatchNorm
    assert all(all(changed[layer]) for layer in changed.keys() - kept)

    rebuilt = keras.Model.from_config(model.get_config())  # as from a checkpoint
    rebuilt.set_weights(model.get_weights())
    assert frozen(rebuilt) == kept
    nets.freeze_until(rebuilt, None)
    assert all(all(arrays) for arrays in train(rebuilt).values())
