"""Models of others that Keras 3 wrote: nothing about them is assumed."""

import json

import keras
import numpy as np
import pytest

import tf_converter
from segmentation import model_card
from segmentation.cli import model_options
from segmentation.data.classes import Classes
from segmentation.errors import InputError
from segmentation.inference import predictor
from segmentation.legacy import models
from segmentation.legacy.spec import LegacySpec, UndescribedError

HALF = LegacySpec(normalization=((127.5,) * 3, (127.5,) * 3))


def saved(path, shape=(32, 32, 3), activation="sigmoid", normalising=False, filters=1, **options):
    image = keras.Input(shape)
    x = keras.layers.Rescaling(1 / 255)(image) if normalising else image
    outputs = keras.layers.Conv2D(filters, 3, padding="same", activation=activation, **options)(x)
    keras.Model(image, outputs).save(path)
    return path


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_without_a_card_its_normalisation_has_to_be_known(tmp_path, suffix):
    path = saved(tmp_path / f"outside{suffix}")
    with pytest.raises(UndescribedError, match="say how its images were normalised"):
        models.load(path)
    image = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype("float32")
    expected = keras.saving.load_model(path)((image - 127.5) / 127.5)
    np.testing.assert_allclose(models.load(path, HALF)(image), expected, atol=1e-5)
    card = {"img_size": [32, 32], **Classes.of_names(["hair"]).to_card()}
    model_card.write(path, card)  # as a converter does, which was told how
    with pytest.raises(UndescribedError, match="without a card of training"):
        models.load(path)
    model_card.write(path, card | {"network": "tiny"})
    np.testing.assert_allclose(models.load(path)(image), keras.saving.load_model(path)(image))


def test_what_normalises_inside_needs_no_more_words(tmp_path):
    path = saved(tmp_path / "inside.keras", normalising=True)
    assert models.load(path).layers[1].name.startswith("rescaling")
    with pytest.raises(InputError, match="normalises inside; omit"):
        models.load(path, HALF)


@pytest.mark.parametrize(
    ("mean", "variance", "enough"),
    [(110, 3600, True), (0.45, 0.06, False), (0, 1, False), (0, 3600, False)],
)
def test_a_batch_norm_normalises_inside_if_it_saw_values_to_255(tmp_path, mean, variance, enough):
    image = keras.Input((32, 32, 3))
    norm = keras.layers.BatchNormalization()
    mask = keras.layers.Conv2D(1, 1, activation="sigmoid")(norm(image))
    norm.set_weights([np.full(3, value) for value in (1, 0, mean, variance)])
    path = tmp_path / "norm.keras"
    keras.Model(image, mask).save(path)
    if enough:
        assert models.load(path).layers[1].name == norm.name
    else:
        with pytest.raises(UndescribedError, match="say how its images were normalised"):
            models.load(path)


def test_of_several_outputs_the_first_is_used(tmp_path):
    image = keras.Input((32, 32, 3))
    x = keras.layers.Rescaling(1 / 255)(image)
    first, other = (keras.layers.Conv2D(1, 1, activation="sigmoid") for _ in range(2))
    model = keras.Model(image, [first(x), other(x)])
    model.save(tmp_path / "two.keras")
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    found = predictor.load(tmp_path / "two.keras")(images)
    np.testing.assert_allclose(found, model(images)[0], atol=1e-6)


@pytest.mark.parametrize("normalising", [False, True])
def test_logits_are_no_probabilities(tmp_path, normalising):
    path = saved(tmp_path / "logits.keras", activation=None, normalising=normalising)
    with pytest.raises(InputError, match="its output is not probabilities"):
        models.load(path, LegacySpec() if normalising else HALF)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("normalising", [False, True])
def test_an_activation_makes_probabilities_of_logits(tmp_path, channels, normalising):
    path = tmp_path / "logits.keras"
    saved(path, activation=None, normalising=normalising, filters=channels)
    activation, other = ("sigmoid", "softmax")[:: 1 if channels == 1 else -1]
    normalization = None if normalising else HALF.normalization
    model = models.load(path, LegacySpec(normalization=normalization, activation=activation))
    image = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype("float32")
    logits = keras.saving.load_model(path)(image if normalising else (image - 127.5) / 127.5)
    expected = getattr(keras.ops, activation)(logits)
    np.testing.assert_allclose(model(image), expected, atol=1e-5)
    with pytest.raises(InputError, match=f"{channels} channels: give --activation {activation}"):
        models.load(path, LegacySpec(normalization=normalization, activation=other))


def test_probabilities_get_no_second_activation(tmp_path):
    path = saved(tmp_path / "inside.keras", normalising=True)
    for card in (None, {"img_size": [32, 32], **Classes.of_names(["hair"]).to_card()}):
        if card:  # nor is the option passed over where a card describes the model
            model_card.write(path, card)
        with pytest.raises(InputError, match="probabilities already; omit --activation"):
            models.load(path, LegacySpec(activation="sigmoid"))


def test_a_sigmoid_for_each_class_is_no_softmax(tmp_path):
    path = saved(tmp_path / "labels.keras", normalising=True, filters=3)
    with pytest.raises(InputError, match="do not sum to 1, as with a sigmoid for each class"):
        models.load(path)
    with pytest.raises(InputError, match="probabilities already; omit --activation"):
        models.load(path, LegacySpec(activation="softmax"))


def test_a_model_of_any_size_is_used_at_the_size_that_is_given(tmp_path, capsys):
    path = saved(tmp_path / "any.keras", (None, None, 3), normalising=True)
    model = models.load(path, LegacySpec(img_size=(64, 32)))
    assert model.input_shape == (None, 64, 32, 3) and model.output_shape == (None, 64, 32, 1)
    image = np.random.default_rng(0).uniform(0, 255, (1, 64, 32, 3)).astype("float32")
    np.testing.assert_allclose(model(image), keras.saving.load_model(path)(image), atol=1e-6)
    tf_converter.main([str(path), "--img_size", "64x32", "--classes", "hair", "--format", "tflite"])
    export = json.loads(capsys.readouterr().out.splitlines()[-1])["files"][0]["path"]
    assert predictor.load(export).img_size == (64, 32)
    sized = saved(tmp_path / "sized.keras", normalising=True)
    with pytest.raises(InputError, match="takes images of 32x32 px; omit --img_size"):
        model_options.load(sized, LegacySpec(img_size=(64, 64)))


@pytest.mark.parametrize("spec", [LegacySpec(), HALF])
@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((32, 32, 1), {}, "takes images of 1 channels; only RGB can be used"),
        ((3, 32, 32), {"data_format": "channels_first"}, "channels first"),
        ((None, None, 3), {}, "takes images of any size, and phones need one: give --img_size"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, shape, options, message, spec):
    path = saved(tmp_path / "other.keras", shape, **options)
    with pytest.raises(InputError, match=message):
        models.load(path, spec)
