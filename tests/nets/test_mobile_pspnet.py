"""MobilePSPNet: its sizes, its cost, and its encoder against MobileNet."""

import keras
import numpy as np
import pytest

import keras2_files
import nets

pytestmark = pytest.mark.slow


def pspnet(img_size=(96, 128), num_classes=1, **arguments):
    return nets.build("mobile_pspnet", img_size, num_classes, alpha=0.25, **arguments)


def image(img_size=(96, 128)):
    return np.random.default_rng(0).uniform(0, 255, (2, *img_size, 3)).astype("float32")


@pytest.mark.parametrize("img_size", [(96, 96), (128, 96)])
@pytest.mark.parametrize("num_classes", [1, 3])
def test_output_holds_probabilities_at_the_size_of_the_input(img_size, num_classes):
    model = pspnet(img_size, num_classes)
    mask = np.asarray(model(image(img_size)))
    assert mask.shape == (2, *img_size, num_classes)
    assert mask.min() >= 0 and mask.max() <= 1
    if num_classes > 1:
        np.testing.assert_allclose(mask.sum(-1), 1, atol=1e-5)
    assert model.input.name == "image" and model.layers[-1].name == "mask"
    assert nets.heads("mobile_pspnet") == {} and nets.strides(model) == (1,)


@pytest.mark.parametrize("img_size", [(64, 96), (96, 100)])
def test_unsupported_sizes_are_refused(img_size):
    with pytest.raises(ValueError, match="multiples of 32, at least 96"):
        pspnet(img_size)


@pytest.mark.parametrize(
    ("alpha", "parameters", "millions"),
    [(1, 5_359_297, 401), (0.5, 1_370_465, 104), (0.25, 357_937, 28)],
)
def test_parameters_and_macs_match_the_docstring(alpha, parameters, millions):
    model = nets.build("mobile_pspnet", (128, 128), 1, alpha=alpha)
    assert model.count_params() == parameters
    assert round(nets.macs(model) / 1e6) == millions


def test_every_second_feature_is_that_of_mobilenet(tmp_path):
    keras.utils.set_random_seed(0)
    own = keras.applications.MobileNet(
        input_shape=(96, 128, 3), alpha=0.25, include_top=False, weights=None
    )
    generator = np.random.default_rng(0)
    for layer in own.layers:
        if isinstance(layer, keras.layers.BatchNormalization):  # or the features would vanish
            layer.set_weights([generator.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    path = keras2_files.write(tmp_path / "mobilenet_2_5_128_tf_no_top.h5", own, whole=False)
    model = pspnet(weights=str(path))
    features = keras.Model(model.input, model.get_layer("conv_pw_13_relu").output)
    found = np.asarray(features(image()))
    expected = np.asarray(own(image() / 127.5 - 1))
    assert found.shape == (2, 6, 8, 256) and expected.shape == (2, 3, 4, 256)
    assert expected.std() > 0.1
    np.testing.assert_allclose(found[:, 1::2, 1::2], expected, rtol=1e-4, atol=1e-5)


def test_the_dilated_encoder_keeps_mixed_precision_and_momentum():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = pspnet()
    finally:
        keras.config.set_dtype_policy("float32")
    normalizations = [
        layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(normalizations) == 27 + 4 + 2  # MobileNet, pyramid, fusion
    assert {layer.momentum for layer in normalizations} == {0.9}
    assert {layer.compute_dtype for layer in normalizations} == {"bfloat16"}
    assert model.get_layer("mask").compute_dtype == "float32"


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_load_restores_what_was_saved(suffix, tmp_path):
    model = pspnet()
    path = str(tmp_path / f"model{suffix}")
    model.save(path)
    np.testing.assert_allclose(nets.load(path)(image()), model(image()), atol=1e-6)
