"""Which weights a network loads from elsewhere: by layer, by class, and reported."""

import h5py
import keras
import numpy as np
import pytest

import nets
from segmentation.errors import InputError
from segmentation.training import transfer
from transfer_networks import BOTH, FACE, HAIR, load, network, saved


def probabilities(model):
    images = np.random.default_rng(9).normal(0, 1, (1, 8, 8, 3)).astype("float32")
    return keras.ops.convert_to_numpy(model(images))


# Layers, by name.


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    path = tmp_path_factory.mktemp("earlier") / "earlier.keras"
    model = nets.build("mobile_unet", (64, 32), 3, alpha=0.25)
    model.save(path)
    return path, model


def test_layers_of_the_same_name_and_shape_are_loaded_at_another_size_with_other_classes(
    earlier, unet
):
    path, model = earlier
    report = load(unet, path, ["hair"])
    assert (report.other_shape, report.missing, report.heads) == (["score"], [], {})
    assert len(report.loaded) == sum(bool(layer.weights) for layer in unet.layers) - 1
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
    report = load(model, path, BOTH)
    assert (report.loaded, report.other_shape, report.missing) == (["conv1"], [], [])
    assert report.heads == {"score": ["background", "face"]} and report.notes == []
    np.testing.assert_array_equal(column(model, 0), column(theirs, 0))
    np.testing.assert_array_equal(column(model, 1), fresh)
    np.testing.assert_array_equal(column(model, 2), column(theirs, 1))


def test_every_head_of_training_takes_its_classes(tmp_path):
    heads = ("mask_score", "aux_8_score", "aux_16_score")
    path, theirs = saved(tmp_path / "a.keras", HAIR, heads=heads[:2])
    model = network(BOTH, heads=heads, seed=1)
    report = load(model, path, BOTH, "icnet")
    assert report.heads == {"mask_score": HAIR, "aux_8_score": HAIR}
    assert (report.loaded, report.missing) == (["conv1"], ["aux_16_score"])
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


def test_a_head_on_the_features_of_another_network_is_not_loaded(tmp_path):
    path, _ = saved(tmp_path / "a.keras", HAIR, {"network": "mobile_pspnet"})
    model = network(HAIR, seed=1)
    fresh = column(model, 1)
    report = load(model, path, HAIR)
    assert (report.loaded, report.heads) == (["conv1"], {"score": []})
    np.testing.assert_array_equal(column(model, 1), fresh)


def test_without_a_card_a_head_is_loaded_as_it_is_and_that_is_reported(tmp_path):
    path, _ = saved(tmp_path / "a.h5", HAIR)
    (tmp_path / "a.json").unlink()
    report = load(network(FACE, seed=1), path, FACE)
    assert (report.loaded, report.heads) == (["conv1", "score"], {})
    assert report.lines()[-1].endswith(
        "no model card: its classes are assumed to be background, face"
    )


def test_a_card_of_another_model_is_refused(tmp_path):
    other = {"classes": BOTH, "colors": [[0, 0, 0]] * len(BOTH)}
    path, _ = saved(tmp_path / "a.keras", HAIR, other)
    with pytest.raises(
        InputError, match="card .* belongs to another model: it names 3 classes, .* has 2"
    ):
        load(network(HAIR), path, HAIR)


def test_the_table_names_what_was_not_loaded():
    loaded = [f"conv{number}" for number in range(12)]
    report = transfer.LoadReport(
        source="a.keras",
        classes=BOTH,
        loaded=loaded,
        other_shape=["stem_conv"],
        missing=["aux_8_score", "aux_16_score", "fuse_8", "fuse_16"],
        heads={"score": ["background", "hair"]},
        notes=["be warned"],
    )
    assert report.lines() == [
        "weights of a.keras:",
        "  layers loaded      12  conv0, conv1, conv2, …",
        "  of another shape    1  stem_conv",
        "  not in the file     4  aux_8_score, aux_16_score, fuse_8, fuse_16",
        "  classes of score    2  background, hair",
        "  fresh classes       1  face",
        "  be warned",
    ]


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
        ("a.tflite", "instead of an export, give the model that it was made from"),
        ("a.keras", "not a readable model"),
        ("a.h5", "not a readable model"),
        ("a.weights.h5", "not a readable model"),
        ("empty.h5", "not a readable model .it holds no weights by layer name"),
    ):
        with pytest.raises(InputError, match=message) as error:
            load(None, tmp_path / name, HAIR)
        assert "\n" not in str(error.value) and name in str(error.value)
