"""Models of every format are loaded as the same kind of callable."""

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from segmentation import model_card
from segmentation.cli import model_options
from segmentation.data import palette
from segmentation.data.classes import Classes
from segmentation.errors import InputError
from segmentation.export import parity
from segmentation.formats import FORMATS, Format
from segmentation.inference import keras_model, predictor
from segmentation.inference.runner import Runner
from segmentation.legacy.spec import LegacySpec
from segmentation.probabilities import to_mask, to_mask_at, upsample
from tiny_models import CLASSES, IMG_SIZE, quick_model, save

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = ("h5", "tflite", "pb", "saved_model")


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory):
    from segmentation.export import tensorflow

    folder = tmp_path_factory.mktemp("artefacts")
    model = quick_model(3)
    save(model, folder / "parts.keras")
    model.save(folder / "parts.h5")
    tensorflow.to_frozen_graph(model, folder / "parts.pb")
    tensorflow.to_tflite(model, folder / "parts.tflite", Classes.of_names(CLASSES[3]))
    tensorflow.to_saved_model(model, folder / "parts.saved_model")
    return folder


@pytest.fixture(scope="module")
def loaded(artefacts):
    return functools.cache(lambda suffix: predictor.load(artefacts / f"parts.{suffix}"))


@pytest.fixture(scope="module")
def images():
    return parity.check_images(IMG_SIZE, count=3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_artefact_gives_what_the_keras_model_gives(loaded, images, suffix):
    expected = loaded("keras")(images)
    predict = loaded(suffix)
    found = predict(images)
    assert found.dtype == np.float32 and found.shape == (3, *IMG_SIZE, 3)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert len(np.unique(to_mask(expected))) == 3  # or the comparison would prove little
    assert predict.img_size == IMG_SIZE
    assert list(predict.classes.names) == CLASSES[3]
    assert predict.classes.colors == ((0, 0, 0), (255, 0, 0), (0, 255, 0))


@pytest.mark.parametrize("suffix", ["keras", *SUFFIXES])
def test_an_image_gives_equal_probabilities_alone_and_in_a_batch(loaded, images, suffix):
    predict = loaded(suffix)
    np.testing.assert_allclose(predict(images)[1:2], predict(images[1:2]), atol=1e-5)


def test_more_images_than_a_batch_come_back_in_order(loaded, images, monkeypatch):
    predict = loaded("keras")
    whole = predict(images)
    monkeypatch.setattr(keras_model, "BATCH_SIZE", 2)
    np.testing.assert_allclose(predict(images), whole, atol=1e-5)


def test_images_of_another_size_or_type_are_refused(loaded):
    predict = loaded("tflite")
    for images in (np.zeros((1, 64, 32, 3), np.uint8), np.zeros((1, *IMG_SIZE, 3), np.float32)):
        with pytest.raises(ValueError, match="uint8"):
            predict(images)


def test_without_a_card_the_classes_are_numbered(artefacts, tmp_path):
    (tmp_path / "found.pb").write_bytes((artefacts / "parts.pb").read_bytes())
    predict = predictor.load(tmp_path / "found.pb")
    assert predict.card is None and not predict.named
    assert predict.classes.names == ("background", "class 1", "class 2")
    assert predict.classes.colors[0] == (0, 0, 0) and len(predict.classes.colors) == 3


def test_one_channel_without_a_card_is_a_class_that_is_not_black(tmp_path):
    image = keras.Input((*IMG_SIZE, 3))
    x = keras.layers.Rescaling(1 / 255)(image)
    mask = keras.layers.Conv2D(1, 1, activation="sigmoid")(x)
    keras.Model(image, mask).save(tmp_path / "found.keras")
    predict = predictor.load(tmp_path / "found.keras")
    assert predict.classes.names == ("class 1",)
    assert len(predict.classes) == 1 and predict.classes.colors[0] != (0, 0, 0)


def test_a_package_without_a_card_names_its_classes_in_its_metadata(tmp_path):
    metadata = {"classes": '["hair"]', "colors": "[[255, 0, 0]]"}
    predict = predictor.Predictor(tmp_path / "a.mlpackage", Runner(None, IMG_SIZE, 1, metadata))
    assert predict.named and predict.card is None
    assert predict.classes == Classes(("hair",), ((255, 0, 0),))
    for strange in ({"classes": "hair,face"}, {"classes": '["a", "b"]'}, {"colors": "7"}):
        found = predictor.Predictor(tmp_path / "a", Runner(None, IMG_SIZE, 1, metadata | strange))
        assert not found.named and found.classes.names == ("class 1",)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((None, None, 3), "images of any size"),
        ((32, 64, 1), "images of 1 channels"),
        ((32 * 64 * 3,), "not one batch of images"),
    ],
)
def test_a_model_that_takes_no_image_of_one_size_is_refused(tmp_path, shape, message):
    image = keras.Input(shape)
    layer = keras.layers.Conv2D(1, 1) if len(shape) == 3 else keras.layers.Dense(1)
    keras.Model(image, layer(image)).save(tmp_path / "a.keras")
    with pytest.raises(InputError, match=f"a.keras: .*{message}"):
        predictor.load(tmp_path / "a.keras")


@pytest.mark.parametrize(
    "change", [{"classes": ["hair"], "colors": [[1, 2, 3]]}, {"img_size": [64, 32]}]
)
def test_the_card_of_another_model_is_refused(artefacts, tmp_path, change):
    path = tmp_path / "parts.tflite"
    path.write_bytes((artefacts / "parts.tflite").read_bytes())
    model_card.write(path, model_card.read(artefacts / "parts.keras") | change)
    with pytest.raises(InputError, match="parts.json.*another model"):
        predictor.load(path)


def test_a_missing_file_and_an_unknown_format_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        predictor.load(tmp_path / "hair.keras")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(
        InputError, match="notes.txt: unknown model format; known formats are .keras, .h5"
    ):
        predictor.load(tmp_path / "notes.txt")


def brightness(path):
    """Read a format of one number, the red level from which on a pixel is a class."""
    threshold = float(path.read_text())
    return Runner(
        lambda images: (images[..., :1] >= threshold).astype(np.float32),
        IMG_SIZE,
        1,
        {"classes": ["bright"], "colors": [[255, 255, 0]]},
    )


def test_a_format_registered_from_outside_is_read(images, tmp_path, monkeypatch):
    monkeypatch.setitem(FORMATS, "level", Format(".level", f"{__name__}:brightness"))
    (tmp_path / "a.level").write_text("128")
    predict = predictor.load(tmp_path / "a.level")
    assert predict.img_size == IMG_SIZE and predict.classes.names == ("bright",)
    np.testing.assert_array_equal(predict(images)[..., 0], images[..., 0] >= 128)
    with pytest.raises(InputError, match="a.level: is an export; --from"):
        predictor.load(tmp_path / "a.level", LegacySpec(normalization=((0,) * 3, (1,) * 3)))
    with pytest.raises(InputError, match="known formats are .*, .level"):
        predictor.load(tmp_path / "a.levels")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.3], None),
        ([0.2, 0.501, 0.3], None),  # of 8 bits
        ([0.3, 7], r"not probabilities \(0.3 to 7\); convert it with its sigmoid or softmax"),
        ([0.3, 0.3], "do not sum to 1"),
    ],
)
def test_an_export_of_another_origin_is_doubted(values, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(FORMATS, "level", Format(".level", f"{__name__}:constant"))
    path = tmp_path / "a.level"
    path.write_text(" ".join(map(str, values)))
    if message:
        with pytest.raises(InputError, match=f"a.level: .*{message}"):
            model_options.load(path, LegacySpec())
    else:
        model_options.load(path, LegacySpec())
    assert "a.level: has neither our metadata nor a model card" in capsys.readouterr().err
    if len(values) == 1:  # with a card it is one of ours
        model_card.write(path, {"img_size": IMG_SIZE, **Classes.of_names(["hair"]).to_card()})
        model_options.load(path, LegacySpec())
        assert not capsys.readouterr().err


def constant(path):
    """Read a format of the numbers that every pixel gets, which says nothing about itself."""
    values = np.float32(path.read_text().split())
    return Runner(
        lambda images: np.broadcast_to(values, (len(images), *IMG_SIZE, len(values))),
        IMG_SIZE,
        len(values),
    )


def test_a_format_that_is_a_folder_is_known_by_its_marker(images, tmp_path, monkeypatch):
    reader = f"{__name__}:of_folder"
    monkeypatch.setitem(FORMATS, "levels", Format(".levels", reader, marker="level.txt"))
    (tmp_path / "v1.0").mkdir()
    (tmp_path / "v1.0" / "level.txt").write_text("128")
    np.testing.assert_array_equal(
        predictor.load(tmp_path / "v1.0")(images)[..., 0], images[..., 0] >= 128
    )


def of_folder(path):
    return brightness(path / "level.txt")


def test_the_classes_in_the_metadata_of_a_file_may_not_be_contradicted(artefacts, tmp_path):
    path = tmp_path / "pets.tflite"
    shutil.copy(artefacts / "parts.tflite", path)
    with pytest.raises(InputError, match="the file names its classes background, hair, face"):
        predictor.load(path, LegacySpec(class_names="cat,dog"))
    pets = ["background", "cat", "dog"]
    card = {"img_size": IMG_SIZE, "classes": pets, "colors": palette.colors(pets)}
    model_card.write(path, card)  # of a model that was later trained under that name
    with pytest.raises(
        InputError, match="pets.json: this card is of another model.*dog, pets.tflite"
    ):
        predictor.load(path)


def test_a_single_class_is_not_black(tmp_path):
    quick_model(1).save(tmp_path / "a.keras")
    (color,) = predictor.load(tmp_path / "a.keras", LegacySpec(class_names="skin")).classes.colors
    assert color == (128, 0, 0)  # VOC's of index 1


def test_weights_without_a_network_are_refused(tmp_path):
    quick_model(1).save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(
        InputError, match="a.weights.h5: holds no network, only weights .*; give the whole"
    ):
        predictor.load(tmp_path / "a.weights.h5")


@pytest.mark.parametrize("name", ["a.keras", "a.h5", "a.tflite", "a.pb"])
@pytest.mark.parametrize("content", [b"", b"\x00 damaged \n" * 9])
def test_a_damaged_file_is_named_in_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}: not a readable model") as failure:
        predictor.load(tmp_path / name)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("suffix", ["keras", "h5", "tflite", "pb"])
def test_a_truncated_file_is_damaged(artefacts, tmp_path, suffix):
    whole = (artefacts / f"parts.{suffix}").read_bytes()
    (tmp_path / f"a.{suffix}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="not a readable model"):
        predictor.load(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize(
    ("folder", "file"), [("a.saved_model", "saved_model.pb"), ("a.mlpackage", "Manifest.json")]
)
def test_a_damaged_folder_is_named(tmp_path, folder, file):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / file).write_bytes(b"damaged")
    with pytest.raises(InputError, match=f"{folder}: not a readable"):
        predictor.load(tmp_path / folder)


def test_loading_and_predicting_print_nothing(artefacts, images, capfd):
    for suffix in ("tflite", "pb", "saved_model"):
        predictor.load(artefacts / f"parts.{suffix}")(images)
    assert capfd.readouterr() == ("", "")


def test_to_mask_is_the_threshold_of_one_channel_and_the_argmax_of_several():
    one = np.array([[[0.5], [0.51], [0.2]]], np.float32)
    assert to_mask(one).tolist() == [[0, 1, 0]]
    several = np.array([[[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]], np.float32)
    assert to_mask(several).tolist() == [[1, 0]]
    assert to_mask(several).dtype == np.uint8


def test_upsample_is_bilinear_between_the_centres_of_pixels():
    # Centres of 2 pixels are at 0.25 and 0.75 of the width, of 4 at 0.125, 0.375 …
    found = upsample(np.array([[[0.0], [1.0]]], np.float32), (1, 4))
    np.testing.assert_allclose(found[0, :, 0], [0, 0.25, 0.75, 1], atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 150])
def test_to_mask_at_is_to_mask_of_upsample(channels):
    generator = np.random.default_rng(0)
    probabilities = generator.uniform(0, 1, (8, 12, channels)).astype(np.float32)
    expected = to_mask(upsample(probabilities, (30, 50)))
    np.testing.assert_array_equal(to_mask_at(probabilities, (30, 50)), expected)


NO_TENSORFLOW = ROOT / "tests" / "no_tensorflow"


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_keras_models_predict_where_tensorflow_is_absent(artefacts, backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    program = f"""
import numpy as np
from segmentation.inference import predictor
predict = predictor.load({str(artefacts / "parts.keras")!r})
print(predict(np.full((2, 32, 64, 3), 99, np.uint8)).mean())
try:
    predictor.load({str(artefacts / "parts.pb")!r})
except predictor.InputError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(NO_TENSORFLOW)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    mean, error = done.stdout.splitlines()
    expected = predictor.load(artefacts / "parts.keras")(np.full((2, 32, 64, 3), 99, np.uint8))
    assert float(mean) == pytest.approx(expected.mean(), abs=1e-5)
    assert "needs tensorflow" in error
