"""Networks: sizes, shapes, names, layers and the inference model."""

import keras
import numpy as np
import pytest

import nets
from nets.layers import BilinearUpSampling2D, PyramidLevel


def test_mobile_unet_has_as_many_parameters_as_the_older_project():
    assert nets.build("mobile_unet", (128, 128), 1).count_params() == 5_702_505


@pytest.mark.parametrize("img_size", [(32, 32), (64, 96)])
@pytest.mark.parametrize("num_classes", [1, 3])
@pytest.mark.parametrize("upsampling", ["deconvolution", "bilinear"])
def test_output_holds_probabilities_at_the_size_of_the_input(img_size, num_classes, upsampling):
    model = nets.build("mobile_unet", img_size, num_classes, alpha=0.25, upsampling=upsampling)
    image = np.random.default_rng(0).uniform(0, 255, (2, *img_size, 3)).astype("float32")
    mask = np.asarray(model(image))
    assert mask.shape == (2, *img_size, num_classes)
    assert mask.min() >= 0 and mask.max() <= 1
    if num_classes > 1:
        np.testing.assert_allclose(mask.sum(-1), 1, atol=1e-5)
    assert model.input.name == "image" and model.layers[-1].name == "mask"


def test_no_stage_of_a_decoder_has_fewer_than_eight_features():
    model = nets.build("mobile_unet", (32, 32), 1, alpha=0.1, alpha_up=0.01)
    assert {model.get_layer(f"up_{stride}_pw").filters for stride in (2, 4, 8, 16)} == {8}
    assert nets.features(model).shape[-1] == 8


@pytest.mark.parametrize("img_size", [(100, 128), (128, 0)])
def test_sizes_that_are_not_multiples_of_32_are_refused(img_size):
    with pytest.raises(ValueError, match="multiples of 32"):
        nets.build("mobile_unet", img_size, 1)


def test_an_unknown_network_is_refused_and_the_known_ones_are_listed():
    with pytest.raises(ValueError, match="mobile_unet"):
        nets.build("resnet", (64, 64), 1)


def test_inference_model_of_a_mixed_precision_model_is_float32_with_the_same_weights():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        trained = nets.build("mobile_unet", (32, 32), 2, alpha=0.25)
    finally:
        keras.config.set_dtype_policy("float32")
    model = nets.inference_model(trained)
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    for mine, theirs in zip(model.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_inference_model_drops_training_heads():
    trained = nets.build("mobile_unet", (32, 32), 1, alpha=0.25)
    head = keras.layers.Conv2D(1, 1, name="aux")(trained.get_layer("up_4_pw_relu").output)
    model = nets.inference_model(keras.Model(trained.input, [trained.output, head]))
    assert len(model.outputs) == 1 and model.layers[-1].name == "mask"
    assert "aux" not in {layer.name for layer in model.layers}


def test_load_restores_what_was_saved(tmp_path):
    model = nets.build("mobile_unet", (32, 32), 1, alpha=0.25)
    image = np.full((1, 32, 32, 3), 200, "float32")
    for name in ("model.keras", "model.h5"):
        model.save(tmp_path / name)
        loaded = nets.load(str(tmp_path / name))
        np.testing.assert_allclose(loaded(image), model(image), atol=1e-6)


@pytest.mark.parametrize("backend", ["tensorflow", "another"])
def test_bilinear_upsampling_of_tensorflow_1_by_hand(monkeypatch, backend):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    x = np.array([[0.0, 4.0], [8.0, 2.0]], "float32")[None, :, :, None]
    found = np.asarray(BilinearUpSampling2D((2, 3))(x))[0, :, :, 0]
    first, last = [0, 4 / 3, 8 / 3, 4, 4, 4], [8, 6, 4, 2, 2, 2]
    middle = [(a + b) / 2 for a, b in zip(first, last, strict=True)]
    np.testing.assert_allclose(found, [first, middle, last, last], atol=1e-5)


def test_load_knows_our_layers(tmp_path):
    image = keras.Input((4, 4, 1))
    keras.Model(image, BilinearUpSampling2D((3, 2))(image)).save(tmp_path / "a.keras")
    assert nets.load(tmp_path / "a.keras").output_shape == (None, 12, 8, 1)


def test_an_argument_that_the_network_lacks_is_named():
    with pytest.raises(ValueError, match="mobile_unet has no beta"):
        nets.build("mobile_unet", (32, 32), 1, beta=2)


def test_given_arguments_override_the_defaults():
    assert nets.arguments("mobile_unet", {"alpha": 0.5}) == {
        "alpha": 0.5,
        "alpha_up": 0.25,
        "depth_multiplier": 1,
        "upsampling": "deconvolution",
        "narrowest": 8,
        "weights": None,
    }


def test_a_card_without_narrowest_is_of_a_network_as_narrow_as_the_older_project_had_it():
    arguments = {"alpha": 0.25, "upsampling": "bilinear", "weights": "imagenet"}
    found = nets.arguments_of_card({"network": "mobile_unet", "arguments": arguments})
    assert found == {"alpha": 0.25, "upsampling": "bilinear", "narrowest": 1}
    assert nets.features(nets.build("mobile_unet", (32, 32), 1, **found)).shape[-1] == 2
    found = nets.arguments_of_card({"network": "mobile_unet", "arguments": {"narrowest": 8}})
    assert found == {"narrowest": 8}


def test_macs_by_hand():
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(image)  # 4·4 · 3·3·3·4
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)  # 4·4 · 3·3·4
    x = keras.layers.Conv2DTranspose(2, 2, strides=2)(x)  # 4·4 · 2·2·2·4
    x = PyramidLevel(3)(x)  # 8·8·2 values, each a sum over 8 rows and one over 8 columns
    assert nets.macs(keras.Model(image, x)) == 16 * 108 + 16 * 36 + 16 * 32 + 128 * (8 + 8)


@pytest.mark.parametrize(
    ("network", "arguments", "channels"),
    [
        ("mobile_unet", {"alpha": 0.5}, 8),
        ("mobile_unet", {"alpha": 0.5, "alpha_up": 1}, 16),
        ("icnet", {"alpha": 0.25}, 32),
    ],
)
def test_features_are_the_input_of_the_layer_that_scores_the_mask(network, arguments, channels):
    assert nets.features(nets.build(network, (192, 192), 12, **arguments)).shape[-1] == channels


def icnet(img_size=(192, 224), num_classes=3, alpha=0.25):
    return nets.build("icnet", img_size, num_classes, alpha=alpha)


@pytest.fixture(scope="module")
def built_icnet():
    """An ICNet, an image and the outputs for it."""
    model = icnet()
    image = np.random.default_rng(0).uniform(0, 255, (1, 192, 224, 3)).astype("float32")
    return model, image, [np.asarray(output) for output in model(image)]


def test_icnet_has_outputs_of_stride_4_8_and_16(built_icnet):
    model, _, outputs = built_icnet
    assert model.output_names == ["mask", *nets.heads("icnet")]
    assert nets.strides(model) == (4, 8, 16)
    assert model.output_shape == [(None, 48, 56, 3), (None, 24, 28, 3), (None, 12, 14, 3)]
    for probabilities in outputs:
        np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("alpha", "parameters", "millions"),
    [(1, 6_728_789, 8_287), (0.5, 1_697_589, 2_165), (0.25, 432_101, 588)],
)
def test_parameters_and_macs_of_icnet_match_its_docstring(alpha, parameters, millions):
    model = nets.inference_model(icnet((768, 768), 21, alpha))
    assert model.count_params() == parameters
    assert round(nets.macs(model) / 1e6) == millions


@pytest.mark.parametrize("img_size", [(160, 192), (192, 200)])
def test_icnet_refuses_unsupported_sizes(img_size):
    with pytest.raises(ValueError, match="multiples of 32, at least 192"):
        icnet(img_size)


def test_a_pyramid_level_averages_overlapping_bins_if_they_do_not_divide_the_size():
    # 7 rows in 2 bins: 0 to 3 and 3 to 6. Columns: 1 bin.
    x = np.arange(7, dtype="float32")[None, :, None, None] * np.ones((1, 7, 3, 1), "float32")
    level = keras.ops.convert_to_numpy(PyramidLevel(2)(x))[0, :, 0, 0]
    low, high = 1.5, 4.5
    assert level[0] == pytest.approx(low) and level[-1] == pytest.approx(high)
    # The centres of the bins lie at 1.25 and 4.75, and row 3, at 3, halfway.
    assert level[3] == pytest.approx((low + high) / 2)
    assert level[2] == pytest.approx(low + (high - low) * (2 - 1.25) / 3.5)


@pytest.mark.parametrize("size", [(6, 6), (7, 11), (12, 15)])
@pytest.mark.parametrize("bins", [1, 2, 3, 6])
def test_a_pyramid_level_is_upsampled_adaptive_pooling(size, bins):
    x = np.random.default_rng(0).normal(size=(2, *size, 4)).astype("float32")
    pooled = keras.layers.AdaptiveAveragePooling2D(bins)(x)
    expected = keras.ops.image.resize(pooled, size, interpolation="bilinear")
    np.testing.assert_allclose(PyramidLevel(bins)(x), expected, atol=1e-5)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_saved_icnet_loads_and_loses_its_heads_for_inference(suffix, built_icnet, tmp_path):
    model, image, outputs = built_icnet
    path = str(tmp_path / f"icnet{suffix}")
    model.save(path)
    loaded = nets.inference_model(nets.load(path))
    assert loaded.output_shape == (None, 48, 56, 3)
    np.testing.assert_array_equal(loaded(image), outputs[0])
