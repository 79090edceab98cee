"""Models of others that Keras 3 wrote: nothing about them is assumed."""

import keras
import numpy as np
import pytest

from segmentation import model_card
from segmentation.data.classes import Classes
from segmentation.errors import InputError
from segmentation.legacy import models
from segmentation.legacy.spec import LegacySpec, UndescribedError

HALF = LegacySpec(normalization=((127.5,) * 3, (127.5,) * 3))


def saved(path, shape=(32, 32, 3), activation="sigmoid", normalising=False, **options):
    image = keras.Input(shape)
    x = keras.layers.Rescaling(1 / 255)(image) if normalising else image
    outputs = keras.layers.Conv2D(1, 3, padding="same", activation=activation, **options)(x)
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
    model_card.write(path, card)
    np.testing.assert_allclose(models.load(path)(image), keras.saving.load_model(path)(image))


def test_what_normalises_inside_needs_no_more_words(tmp_path):
    path = saved(tmp_path / "inside.keras", normalising=True)
    assert models.load(path).layers[1].name.startswith("rescaling")
    with pytest.raises(InputError, match="normalises inside; omit"):
        models.load(path, HALF)


@pytest.mark.parametrize("normalising", [False, True])
def test_logits_are_no_probabilities(tmp_path, normalising):
    path = saved(tmp_path / "logits.keras", activation=None, normalising=normalising)
    with pytest.raises(InputError, match="its output is not probabilities"):
        models.load(path, LegacySpec() if normalising else HALF)


@pytest.mark.parametrize("spec", [LegacySpec(), HALF])
@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((32, 32, 1), {}, "takes images of 1 channels; only RGB can be used"),
        ((3, 32, 32), {"data_format": "channels_first"}, "channels first"),
        ((None, None, 3), {}, "takes images of any size; build it with one"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, shape, options, message, spec):
    path = saved(tmp_path / "other.keras", shape, **options)
    with pytest.raises(InputError, match=message):
        models.load(path, spec)
