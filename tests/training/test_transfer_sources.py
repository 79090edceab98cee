"""Weights of ImageNet, of Keras' weights files and of older projects."""

import urllib.error

import h5py
import keras
import numpy as np
import pytest
from keras.src.utils import file_utils

import keras2_files
import nets
from nets import mobilenet
from segmentation.errors import InputError
from segmentation.legacy.spec import ORIGINS
from tiny_models import IMG_SIZE
from transfer_networks import BOTH, HAIR, load, network, saved

STD = (69.8833313, 63.37436676, 61.38568878)  # of hair2017's images


def test_weights_without_names_are_refused(tmp_path):
    path, _ = saved(tmp_path / "a.weights.h5", HAIR)
    with h5py.File(path, "a") as file:
        del file["layers/conv2d/vars"].attrs["name"]
    with pytest.raises(InputError, match="left out the names of layers; give the whole model"):
        load(network(HAIR), path, HAIR)


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory):
    """A file as keras.applications offers it, without a version, and the encoder in it."""
    keras.utils.set_random_seed(4)
    encoder = keras.applications.MobileNet((224, 224, 3), 0.25, include_top=False, weights=None)
    folder = tmp_path_factory.mktemp("keras") / "models"
    folder.mkdir()
    path = folder / "mobilenet_2_5_224_tf_no_top.h5"
    keras2_files.write(path, encoder, whole=False)
    with h5py.File(path, "a") as file:
        del file.attrs["keras_version"]
    return path, encoder


@pytest.mark.parametrize("by_name", [True, False])
def test_the_encoder_takes_the_weights_of_imagenet(imagenet, unet, monkeypatch, by_name):
    path, encoder = imagenet
    monkeypatch.setenv("KERAS_HOME", str(path.parent.parent))
    unet.get_layer("conv_pw_13").kernel.assign(unet.get_layer("conv_pw_13").kernel * 0)
    report = load(unet, "imagenet" if by_name else path, ["hair"])
    assert report.loaded == [layer.name for layer in encoder.layers if layer.weights]
    assert report.missing[:2] == ["up_16_deconv", "up_16_dw"] and "score" in report.missing
    assert (report.source, report.other_shape) == (str(path), [])
    np.testing.assert_array_equal(
        unet.get_layer("conv_pw_13").get_weights()[0],
        encoder.get_layer("conv_pw_13").get_weights()[0],
    )


def mobilenet_ends(width=256, depth_multiplier=1, img_size=(160, 160)):
    """The two layers of a MobileNet that show which of ImageNet's files it needs."""
    image = keras.Input((*img_size, 3))
    x = keras.layers.DepthwiseConv2D(3, depth_multiplier=depth_multiplier, name="conv_dw_1")(image)
    return keras.Model(image, keras.layers.Conv2D(width, 1, name="conv_pw_13")(x))


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (urllib.error.URLError(OSError(-2, "Name or service not known")), "Name or service not"),
        (urllib.error.HTTPError("http://a", 404, "Not Found", {}, None), "Not Found"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
    ],
)
@pytest.mark.parametrize(
    ("width", "img_size", "name"),
    [
        (256, (160, 160), "mobilenet_2_5_160_tf_no_top.h5"),
        (768, (128, 160), "mobilenet_7_5_224_tf_no_top.h5"),
        (1024, (64, 64), "mobilenet_1_0_224_tf_no_top.h5"),
    ],
)
def test_without_a_network_the_file_and_its_place_are_named(
    tmp_path, monkeypatch, capsys, raised, said, width, img_size, name
):
    def offline(*_):
        raise raised

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(file_utils, "urlretrieve", offline)
    with pytest.raises(InputError) as error:
        load(mobilenet_ends(width, img_size=img_size), "imagenet", ["hair"])
    message = str(error.value)
    assert said in message and "\n" not in message and "--weights" in message
    assert f" {mobilenet.IMAGENET_URL}{name} by hand" in message
    assert f" {tmp_path / 'models' / name} " in message
    assert not list(tmp_path.rglob("*.h5")) and capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((307,), "for --alpha 0.25, 0.5, 0.75, 1 with .* not for 0.3 with 1"),
        ((256, 2), "not for 0.25 with 2"),
    ],
)
def test_of_other_widths_there_is_no_imagenet(arguments, message):
    with pytest.raises(InputError, match=message):
        load(mobilenet_ends(*arguments), "imagenet", HAIR)


def test_of_another_encoder_there_is_no_imagenet():
    with pytest.raises(InputError, match="no ImageNet weights for icnet; choose --model unet"):
        load(network(HAIR), "imagenet", HAIR, "icnet")


# Older projects.


@pytest.fixture(scope="module")
def hair2017():
    """A MobileUNet without normalisation inside."""
    model = nets.build("mobile_unet", IMG_SIZE, 1, alpha=0.25)
    cut = keras.Model(model.get_layer("rescale").output, model.output)
    network = keras.models.clone_model(cut)
    generator = np.random.default_rng(2)
    width = network.get_layer("conv1").filters
    network.get_layer("conv1_bn").set_weights(
        [*generator.normal(0, 0.5, (3, width)), generator.uniform(0.3, 1.5, width)]
    )
    return network


def seen_first(model, images):
    first = keras.Model(model.input, model.get_layer("conv1_bn").output)
    return keras.ops.convert_to_numpy(first(images))


@pytest.mark.parametrize(("whole", "size"), [(True, "32x64"), (False, "another size")])
def test_a_mobile_unet_of_2017_sees_what_it_saw(hair2017, unet, tmp_path, whole, size):
    names, kinds = keras2_files.HAIR2017_NAMES, {"score_up": "BilinearUpSampling2D"}
    path = keras2_files.write(tmp_path / "a.h5", hair2017, names=names, kinds=kinds, whole=whole)
    report = load(unet, path, ["hair"])
    assert (report.other_shape, report.missing) == ([], [])
    assert "moved into conv1" in report.notes[0] and f"at {size} used another" in report.notes[1]
    assert "no model card" in report.notes[2]

    images = np.random.default_rng(5).integers(0, 256, (2, *IMG_SIZE, 3)).astype("float32")
    mean, std = np.array(ORIGINS["hair2017"])
    expected = seen_first(hair2017, ((images - mean) / std).astype("float32"))
    found = seen_first(unet, images)
    np.testing.assert_allclose(found[:, :-1, :-1], expected[:, :-1, :-1], atol=1e-4)
    # Theirs are padded with the mean of their images, ours with grey.
    assert np.abs(found - expected)[:, -1].max() > 0.1


@pytest.mark.parametrize(("name", "notes"), [("a.keras", 1), ("a.h5", 1), ("a.weights.h5", 2)])
def test_at_the_size_of_2017_there_is_no_doubt(tmp_path, name, notes):
    """Also of a model that Keras 3 saved again."""
    image = keras.Input((224, 224, 3), name="input_1")
    x = keras.layers.Conv2D(4, 3, 2, "same", use_bias=False, name="conv_0")(image)
    model = keras.Model(image, keras.layers.BatchNormalization(name="conv_0_bn")(x))
    (model.save_weights if "weights" in name else model.save)(tmp_path / name)
    x = keras.layers.Conv2D(4, 3, 2, "same", use_bias=False, name="conv1")(image)
    ours = keras.Model(image, keras.layers.BatchNormalization(name="conv1_bn")(x))
    report = load(ours, tmp_path / name, HAIR)
    assert report.loaded == ["conv1", "conv1_bn"] and len(report.notes) == notes
    factor = ours.get_layer("conv1").kernel / model.get_layer("conv_0").kernel
    np.testing.assert_allclose(factor[0, 0, :, 0], 127.5 / np.array(STD), rtol=1e-5)


@pytest.mark.parametrize("whole", [True, False])
def test_an_icnet_of_2018_is_refused_though_some_layers_are_called_as_ours(tmp_path, whole):
    path = keras2_files.write(tmp_path / "a.h5", keras2_files.icnet_like(), "2.2.4", whole=whole)
    with pytest.raises(InputError, match="a.h5: an ICNet of 2018, with ReLU before BatchNorm"):
        load(network(BOTH), path, BOTH, "icnet")
