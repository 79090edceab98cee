"""What a network takes over from something else: by name, by class, counted, and never silently."""

import urllib.error

import h5py
import keras
import numpy as np
import pytest
from keras.src.utils import file_utils

import keras2_files
import nets
from segmentation import model_card
from segmentation.data import labels
from segmentation.errors import InputError
from segmentation.legacy.spec import ORIGINS
from segmentation.training import transfer
from tiny_models import IMG_SIZE

STD = (69.8833313, 63.37436676, 61.38568878)  # of hair2017's pictures
HAIR, FACE, BOTH = ["background", "hair"], ["background", "face"], ["background", "hair", "face"]


def network(classes, heads=("score",), width=4, seed=0):
    """Return a network of a convolution and heads, with random weights and biases."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(width, 3, padding="same", name="conv1")(image)
    scores = [keras.layers.Conv2D(len(classes), 1, name=name)(x) for name in heads]
    activation = "sigmoid" if len(classes) == 1 else "softmax"
    outputs = [
        keras.layers.Activation(activation, name=f"out_{index}")(score)
        for index, score in enumerate(scores)
    ]
    model = keras.Model(image, outputs)
    generator = np.random.default_rng(seed)
    model.set_weights([generator.normal(0, 0.5, weight.shape) for weight in model.weights])
    return model


def saved(path, classes, card=None, **options):
    """Save such a network with a card of its classes and, of `card`, more; return both."""
    model = network(classes, **options)
    (model.save_weights if path.name.endswith(".weights.h5") else model.save)(path)
    beside = {"img_size": [8, 8], "classes": classes, "colors": labels.colors(classes)}
    model_card.write(path.with_name(path.name.replace(".weights.h5", ".h5")), beside | (card or {}))
    return path, model


def probabilities(model):
    pictures = np.random.default_rng(9).normal(0, 1, (1, 8, 8, 3)).astype("float32")
    return keras.ops.convert_to_numpy(model(pictures))


def load(model, weights, classes, of="mobile_unet"):
    return transfer.load_weights(model, weights, of, classes)


# Layers, by name.


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    path = tmp_path_factory.mktemp("earlier") / "earlier.keras"
    model = nets.build("mobile_unet", (64, 32), 3, alpha=0.25)
    model.save(path)
    return path, model


@pytest.fixture(scope="module")
def unet():
    """A MobileUNet that tests fill, one after the other."""
    return nets.build("mobile_unet", IMG_SIZE, 1, alpha=0.25)


def test_layers_of_the_same_name_and_shape_are_loaded_at_another_size_with_other_classes(
    earlier, unet
):
    path, model = earlier
    taken = load(unet, path, ["hair"])
    assert (taken.other_shape, taken.missing, taken.heads) == (["score"], [], {})
    assert len(taken.loaded) == sum(bool(layer.weights) for layer in unet.layers) - 1
    for name in ("conv_pw_3", "up_2_pw"):
        for mine, theirs in zip(
            unet.get_layer(name).get_weights(), model.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)


def test_an_icnet_shares_no_layer_with_a_mobile_unet(earlier):
    with pytest.raises(InputError, match="none of its layers fits .* check --model and --alpha"):
        load(nets.build("icnet", (192, 192), 3, alpha=0.125), earlier[0], BOTH, "icnet")


def test_of_another_width_nothing_fits(tmp_path):
    path, _ = saved(tmp_path / "a.keras", HAIR)
    with pytest.raises(InputError, match=r"none .* \(2 have another shape, 0 are not in the file"):
        load(network(HAIR, width=5), path, HAIR)


def test_half_precision_takes_the_same_weights(tmp_path):
    path, theirs = saved(tmp_path / "a.keras", HAIR)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = network(HAIR, seed=1)
    finally:
        keras.config.set_dtype_policy("float32")
    load(model, path, HAIR)
    for mine, other in zip(model.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


# Heads, by class.


def column(model, index, head="score"):
    """Return the kernel and the bias of a class, as one array."""
    kernel, bias = model.get_layer(head).get_weights()
    return np.append(kernel[0, 0, :, index], bias[index])


@pytest.mark.parametrize("name", ["a.keras", "a.h5", "a.weights.h5"])
def test_a_head_takes_the_classes_that_both_have(tmp_path, name):
    path, theirs = saved(tmp_path / name, ["none", "face", "hat"])
    model = network(BOTH, seed=1)
    fresh = column(model, 1)
    taken = load(model, path, BOTH)
    assert (taken.loaded, taken.other_shape, taken.missing) == (["conv1"], [], [])
    assert taken.heads == {"score": ["background", "face"]} and taken.notes == []
    np.testing.assert_array_equal(column(model, 0), column(theirs, 0))
    np.testing.assert_array_equal(column(model, 1), fresh)
    np.testing.assert_array_equal(column(model, 2), column(theirs, 1))


def test_every_head_of_training_takes_its_classes(tmp_path):
    heads = ("mask_score", "aux_8_score", "aux_16_score")
    path, theirs = saved(tmp_path / "a.keras", HAIR, heads=heads[:2])
    model = network(BOTH, heads=heads, seed=1)
    taken = load(model, path, BOTH, "icnet")
    assert taken.heads == {"mask_score": HAIR, "aux_8_score": HAIR}
    assert (taken.loaded, taken.missing) == (["conv1"], ["aux_16_score"])
    for head in heads[:2]:
        np.testing.assert_array_equal(column(model, 1, head), column(theirs, 1, head))


def test_of_two_classes_one_gives_what_it_gave(tmp_path):
    path, theirs = saved(tmp_path / "a.keras", ["face", "hair"])  # the background was ignored
    model = network(["hair"], seed=1)
    assert load(model, path, ["hair"]).heads == {"score": ["hair"]}
    expected = probabilities(theirs)[..., 1]
    np.testing.assert_allclose(probabilities(model)[..., 0], expected, atol=1e-6)


def test_of_several_classes_one_stands_against_the_background_or_all_others(tmp_path):
    path, theirs = saved(tmp_path / "a.keras", BOTH)
    model = network(["face"], seed=1)
    load(model, path, ["face"])
    expected = column(theirs, 2) - column(theirs, 0)
    np.testing.assert_allclose(column(model, 0), expected, rtol=1e-6)

    path, theirs = saved(tmp_path / "b.keras", ["hat", "face", "hair"])
    load(model, path, ["face"])
    expected = column(theirs, 1) - (column(theirs, 0) + column(theirs, 2)) / 2
    np.testing.assert_allclose(column(model, 0), expected, rtol=1e-5, atol=1e-7)


def test_one_class_among_background_gives_what_it_gave(tmp_path):
    path, theirs = saved(tmp_path / "a.keras", ["hair"])
    model = network(HAIR, seed=1)
    assert load(model, path, HAIR).heads == {"score": HAIR}
    expected = probabilities(theirs)[..., 0]
    np.testing.assert_allclose(probabilities(model)[..., 1], expected, atol=1e-6)

    model = network(FACE, seed=1)
    fresh = model.get_layer("score").get_weights()
    assert load(model, path, FACE).heads == {"score": []}
    for mine, before in zip(model.get_layer("score").get_weights(), fresh, strict=True):
        np.testing.assert_array_equal(mine, before)


def test_a_head_on_the_features_of_another_network_is_not_taken(tmp_path):
    path, _ = saved(tmp_path / "a.keras", HAIR, {"network": "mobile_pspnet"})
    model = network(HAIR, seed=1)
    fresh = column(model, 1)
    taken = load(model, path, HAIR)
    assert (taken.loaded, taken.heads) == (["conv1"], {"score": []})
    np.testing.assert_array_equal(column(model, 1), fresh)


def test_without_a_card_a_head_is_taken_as_it_is_and_that_is_said(tmp_path):
    path, _ = saved(tmp_path / "a.h5", HAIR)
    (tmp_path / "a.json").unlink()
    taken = load(network(FACE, seed=1), path, FACE)
    assert (taken.loaded, taken.heads) == (["conv1", "score"], {})
    assert taken.lines()[-1].endswith("no model card: its classes are taken to be background, face")


def test_a_card_of_another_model_is_refused(tmp_path):
    other = {"classes": BOTH, "colors": [[0, 0, 0]] * len(BOTH)}
    path, _ = saved(tmp_path / "a.keras", HAIR, other)
    with pytest.raises(InputError, match="card .* of another model: it names 3 classes, .* has 2"):
        load(network(HAIR), path, HAIR)


def test_the_table_names_what_was_not_loaded():
    loaded = [f"conv{number}" for number in range(12)]
    taken = transfer.LoadReport(
        source="a.keras",
        classes=BOTH,
        loaded=loaded,
        other_shape=["stem_conv"],
        missing=["aux_8_score", "aux_16_score", "fuse_8", "fuse_16"],
        heads={"score": ["background", "hair"]},
        notes=["be warned"],
    )
    assert taken.lines() == [
        "weights of a.keras:",
        "  layers loaded      12  conv0, conv1, conv2, …",
        "  of another shape    1  stem_conv",
        "  not in the file     4  aux_8_score, aux_16_score, fuse_8, fuse_16",
        "  classes of score    2  background, hair",
        "  fresh classes       1  face",
        "  be warned",
    ]


# Files of Keras' weights alone, and ImageNet's.


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
    taken = load(unet, "imagenet" if by_name else path, ["hair"])
    assert taken.loaded == [layer.name for layer in encoder.layers if layer.weights]
    assert taken.missing[:2] == ["up_16_deconv", "up_16_dw"] and "score" in taken.missing
    assert (taken.source, taken.other_shape) == (str(path), [])
    np.testing.assert_array_equal(
        unet.get_layer("conv_pw_13").get_weights()[0],
        encoder.get_layer("conv_pw_13").get_weights()[0],
    )


def mobilenet_ends(width=256, depth_multiplier=1, img_size=(160, 160)):
    """The two layers of a MobileNet that tell which of ImageNet's files it needs."""
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
    assert f" {transfer.IMAGENET_URL}{name} by hand" in message
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
    with pytest.raises(InputError, match="no ImageNet weights for icnet; give a file as --weights"):
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


def seen_first(model, pictures):
    first = keras.Model(model.input, model.get_layer("conv1_bn").output)
    return keras.ops.convert_to_numpy(first(pictures))


@pytest.mark.parametrize(("whole", "size"), [(True, "32x64"), (False, "another size")])
def test_a_mobile_unet_of_2017_sees_what_it_saw(hair2017, unet, tmp_path, whole, size):
    names, kinds = keras2_files.HAIR2017_NAMES, {"score_up": "BilinearUpSampling2D"}
    path = keras2_files.write(tmp_path / "a.h5", hair2017, names=names, kinds=kinds, whole=whole)
    taken = load(unet, path, ["hair"])
    assert (taken.other_shape, taken.missing) == ([], [])
    assert "moved into conv1" in taken.notes[0] and f"training at {size} took" in taken.notes[1]
    assert "no model card" in taken.notes[2]

    pictures = np.random.default_rng(5).integers(0, 256, (2, *IMG_SIZE, 3)).astype("float32")
    mean, std = np.array(ORIGINS["hair2017"])
    expected = seen_first(hair2017, ((pictures - mean) / std).astype("float32"))
    found = seen_first(unet, pictures)
    np.testing.assert_allclose(found[:, :-1, :-1], expected[:, :-1, :-1], atol=1e-4)
    # Theirs are padded with the mean of their pictures, ours with grey.
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
    taken = load(ours, tmp_path / name, HAIR)
    assert taken.loaded == ["conv1", "conv1_bn"] and len(taken.notes) == notes
    factor = ours.get_layer("conv1").kernel / model.get_layer("conv_0").kernel
    np.testing.assert_allclose(factor[0, 0, :, 0], 127.5 / np.array(STD), rtol=1e-5)


@pytest.mark.parametrize("whole", [True, False])
def test_an_icnet_of_2018_is_refused_though_some_layers_are_called_as_ours(tmp_path, whole):
    path = keras2_files.write(tmp_path / "a.h5", keras2_files.icnet_like(), "2.2.4", whole=whole)
    with pytest.raises(InputError, match="a.h5: an ICNet of 2018, with ReLU before BatchNorm"):
        load(network(BOTH), path, BOTH, "icnet")


# Mistakes.


def test_mistakes_get_one_line(tmp_path):
    (tmp_path / "folder.keras").mkdir()
    for name in ("a.keras", "a.h5", "a.tflite", "a.weights.h5"):
        (tmp_path / name).write_bytes(b"no model")
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["data"] = [1]
    for name, message in (
        ("nowhere.h5", "no such file"),
        ("imagnet", "weights are imagenet or a .keras or .h5 file"),
        ("folder.keras", "weights are imagenet or a .keras or .h5 file"),
        ("a.tflite", "in place of an export give the model that it was made of"),
        ("a.keras", "not a readable model"),
        ("a.h5", "not a readable model"),
        ("a.weights.h5", "not a readable model"),
        ("empty.h5", "not a readable model .it holds no weights by the name of their layer"),
    ):
        with pytest.raises(InputError, match=message) as error:
            load(None, tmp_path / name, HAIR)
        assert "\n" not in str(error.value) and name in str(error.value)
