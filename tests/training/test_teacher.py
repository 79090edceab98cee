"""Teachers: whose classes they know, at which size they see, and which models cannot be one."""

import dataclasses
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import nets
from keras2_files import write
from segmentation import model_card
from segmentation.data import image_io
from segmentation.data.classes import Classes
from segmentation.errors import InputError
from segmentation.training import teacher
from segmentation.training.config import DataFiles, FullConfig
from tiny_network import Tiny, save_constant

FACES = ["background", "hair", "face"]


def classes(names, ignored=None):
    return dataclasses.replace(Classes.of_names(names), ignored=ignored)


@pytest.mark.parametrize(
    "theirs,says,ours,expected",
    [
        (classes(["hair"]), [0.7], classes(["hair"]), [0.3, 0.7]),
        (classes(["hair"]), [0.7], classes(["none", "hair"]), [0.3, 0.7]),
        (classes(FACES), [0.2, 0.5, 0.3], classes(["hair"]), [0.5, 0.5]),
        (classes(FACES), [0.2, 0.5, 0.3], classes(["face"]), [0.7, 0.3]),
        (classes(FACES), [0.2, 0.5, 0.3], classes(["none", "face", "hair"]), [0.2, 0.3, 0.5]),
        (classes([*FACES, "hat"]), [0.1, 0.4, 0.3, 0.2], classes(FACES), [0.3, 0.4, 0.3]),
        # What the student ignores counts nowhere.
        (classes(FACES), [0.2, 0.5, 0.3], classes(["hair"], "face"), [0.2, 0.5]),
        (classes(FACES), [0.2, 0.5, 0.3], classes(["hair"], "none"), [0.3, 0.5]),
        (classes(FACES), [0.2, 0.5, 0.3], classes(["hair", "face"], "none"), [0.5, 0.3]),
        (classes([*FACES, "hat"]), [0.1, 0.4, 0.3, 0.2], classes(FACES[1:], "none"), [0.4, 0.3]),
        # Nor does a teacher without a background matter where the student has none.
        (classes(FACES[1:], "none"), [0.6, 0.4], classes(["face", "hair"], "none"), [0.4, 0.6]),
        (classes(FACES[1:], "none"), [0.6, 0.4], classes(["hair"], "none"), [0.4, 0.6]),
        (classes(["hair"]), [0.7], classes(["hair"], "none"), [0.3, 0.7]),
        (classes(["hair"], "none"), [0.7], classes(["hair"], "none"), [0.3, 0.7]),
    ],
)
def test_classes_are_matched_by_name(theirs, says, ours, expected):
    says = np.array([[[says]]], np.float32)
    matched = np.asarray(teacher.with_background(says)) @ teacher.match(theirs, ours)
    np.testing.assert_allclose(matched[0, 0, 0], expected, atol=1e-6)


@pytest.mark.parametrize(
    "theirs,ours,message",
    [
        (classes(["hair"]), classes(["face"]), "lacks face; its classes are hair"),
        (classes(["hair"]), classes(FACES), "lacks face"),
        (classes(FACES), classes([*FACES, "hat", "bag"]), "lacks hat, bag"),
        (classes(FACES[1:], "none"), classes(["hair"]), "without a background"),
        (classes(FACES[1:]), classes(FACES), "without a background"),
        (classes(["hair"], "none"), classes(["hair"]), "without a background"),
    ],
)
def test_a_teacher_must_know_what_the_student_is_to_learn(theirs, ours, message):
    with pytest.raises(InputError, match=message):
        teacher.match(theirs, ours)


@pytest.mark.parametrize("size", [(24, 40), (96, 50), (48, 25), (60, 100), (48, 100)])
def test_images_are_resized_as_everywhere_else(size):
    image = np.random.default_rng(0).integers(0, 256, (48, 100, 3), np.uint8)
    found = np.asarray(teacher.resize(image[None].astype(np.float32), size))[0]
    assert found.shape == (*size, 3)
    np.testing.assert_allclose(found, image_io.resize(image, size), atol=1.01)  # which rounds twice


def opened(path, names, **options):
    config = FullConfig(files=DataFiles(), model="tiny", lr=0.1, teacher=str(path), **options)
    return teacher.open_teacher(config, classes(names))


def test_a_teacher_of_another_size_stride_and_classes_says_what_it_would_say_alone(tmp_path):
    model = Tiny((64, 32), 3)
    quarter = keras.layers.AveragePooling2D(4)(model.output)
    keras.Model(model.input, quarter).save(tmp_path / "t.keras")
    card = {"img_size": [64, 32], **classes(FACES).to_card()}
    model_card.write(tmp_path / "t.keras", card)
    found = opened(tmp_path / "t.keras", ["face"])
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 32, 3)).astype(np.float32)
    alone = np.asarray(model(images)).reshape(2, 16, 4, 8, 4, 3).mean((2, 4))[..., 2]
    taught = np.asarray(found.probabilities(images, (16, 8)))
    np.testing.assert_allclose(taught, np.stack([1 - alone, alone], -1), atol=1e-5)
    # An image that was enlarged, each pixel to 2 × 2, is seen at the size of the teacher again.
    large = images.repeat(2, 1).repeat(2, 2)
    blurred = np.asarray(found.probabilities(large, (32, 16)))
    assert blurred.shape == (2, 32, 16, 2)
    assert np.abs(blurred.mean((1, 2)) - taught.mean((1, 2))).max() < 0.05


def test_it_is_frozen_and_known_by_its_weights_and_its_classes(tmp_path):
    prints = []
    for number, names in enumerate((FACES, FACES, ["background", "face", "hair"])):
        path = save_constant(tmp_path / f"{number}.keras", [0.2, 0.3, 0.5], names)
        prints.append(opened(path, ["hair"]).fingerprint)
    other = opened(save_constant(tmp_path / "x.h5", [0.2, 0.2, 0.6], FACES), ["hair"])
    assert prints[0] == prints[1] and len({*prints, other.fingerprint}) == 3
    assert not other.model.trainable_variables and other.weight == teacher.TEACHER_WEIGHT
    assert opened(tmp_path / "x.h5", ["hair"], teacher_weight=0.25).weight == 0.25


def test_a_teacher_stays_in_float32_where_the_student_is_not(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        found = opened(save_constant(tmp_path / "t.keras", [0.7], ["hair"]), ["hair"])
    finally:
        keras.config.set_dtype_policy("float32")
    assert {layer.compute_dtype for layer in [found.model, *found.model.layers]} == {"float32"}


def test_a_model_of_keras_2_that_normalises_inside_teaches_with_a_card(tmp_path):
    image = keras.Input((32, 32, 3))
    score = keras.layers.Conv2D(1, 1, activation="sigmoid", kernel_initializer="ones")
    model = keras.Model(image, score(keras.layers.Rescaling(1 / 765)(image)))
    path = write(tmp_path / "older.h5", model)
    model_card.write(path, {"img_size": [32, 32], **classes(["hair"]).to_card()})
    images = np.full((1, 32, 32, 3), 255, np.float32)
    says = np.asarray(opened(path, ["hair"]).probabilities(images, (32, 32)))
    np.testing.assert_allclose(says[..., 1], 1 / (1 + np.exp(-1)), rtol=1e-5)


def test_models_that_cannot_teach_are_refused_in_one_line(tmp_path, monkeypatch):
    Tiny((32, 32)).save(tmp_path / "bare.keras")
    (tmp_path / "damaged.keras").write_bytes(b"no model")
    save_constant(tmp_path / "ignoring.keras", [0.2, 0.8], ["hair", "face"])
    logits = save_constant(tmp_path / "logits.keras", [0.2, 0.3, 0.5], FACES)
    model = nets.load(str(logits))
    keras.Model(model.input, keras.layers.ReLU()(model.output * 10)).save(logits)
    for whole, name in ((True, "whole.h5"), (False, "weights.h5")):
        image = keras.Input((32, 32, 3))
        score = keras.layers.Conv2D(1, 1, activation="sigmoid")
        write(tmp_path / name, keras.Model(image, score(image)), whole=whole)
    for name, message in (
        ("bare.keras", "no model card bare.json beside it"),
        ("damaged.keras", "not a readable model"),
        ("absent.keras", "no such file"),
        ("ignoring.keras", "cannot teach: it was trained without a background"),
        ("logits.keras", "its output is not probabilities"),
        ("whole.h5", "a model of another project"),
        ("weights.h5", "a model of another project"),
    ):
        with pytest.raises(InputError, match=message) as error:
            opened(tmp_path / name, ["hair"])
        assert "\n" not in str(error.value) and str(tmp_path / name) in str(error.value)
    export = SimpleNamespace(model=None)
    monkeypatch.setattr(teacher.predictor, "load", lambda path: export)
    with pytest.raises(InputError, match="hair.tflite: is an export"):
        opened("hair.tflite", ["hair"])


def test_validation_images_that_the_teacher_was_trained_on_are_counted():
    def card(training, validation, rows):
        data = {"training_fingerprint": training, "fingerprint": validation}
        return {"data": data, "validation_rows": rows}

    ours = card("a", "a", [1, 2, 3])
    for theirs, seen in (
        (card("a", "a", [1, 2, 3, 4]), 0),  # held out by both
        (card("a", "a", [3, 7]), 2),
        (card("a", "b", [1, 2, 3]), 3),  # trained on all, validated elsewhere
        (card("b", "a", [1, 2, 3]), 0),  # validated on all, trained elsewhere
        (card("b", "b", []), None),  # of another size, perhaps
        ({"classes": ["hair"]}, None),
    ):
        assert teacher.seen_in_validation(ours, theirs) == seen
    assert teacher.seen_in_validation(card("b", "a", [0, 1]), card("b", "b", [5])) == 0
    assert teacher.seen_in_validation(card("b", "a", [0, 1]), card("a", "a", [1])) == 1
