"""What a Core ML package may give and how its weights are stored; the older format."""

import json

import keras
import numpy as np
import pytest

import coreml_converter
from segmentation.data.classes import Classes
from segmentation.errors import ExportError
from segmentation.export import coreml, parity, sharing
from segmentation.export.job import Exporter
from segmentation.export.options import Options
from segmentation.inference import mil_interpreter, predictor
from segmentation.probabilities import to_mask, upsample
from segmentation.quiet import silenced
from tiny_models import HAIR, blank_model, save, with_clear_masks

with silenced():
    import coremltools as ct

pytestmark = pytest.mark.slow
SIZE = (32, 64)
ROOM = Classes(("none", "wall", "floor"), ((0, 0, 0), (120, 120, 120), (80, 50, 50)))


def quarter_net():
    """Three classes, scored at a quarter of the size; a layer large enough to be compressed."""
    layers = keras.layers
    image = keras.Input((*SIZE, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = layers.Conv2D(64, 4, strides=4, activation="relu6", name="patches")(x)
    x = layers.Conv2D(64, 1, activation="relu6", name="mixed")(x)
    x = layers.Conv2D(3, 1, name="score")(x)
    return keras.Model(image, layers.Activation("softmax", name="mask")(x))


@pytest.fixture(scope="module")
def room():
    keras.utils.set_random_seed(0)
    return with_clear_masks(quarter_net(), SIZE)


@pytest.fixture(scope="module")
def exporter(room):
    return Exporter(room, ROOM)


def spec_of(path):
    with silenced():
        return ct.models.MLModel(str(path), skip_model_load=True).get_spec()


def full_size(model, images):
    scores = model.predict(images.astype("float32"), verbose=0)
    return np.stack([upsample(each, SIZE) for each in scores])


@pytest.mark.parametrize(
    ("output", "target", "precision"),
    [
        ("labels", None, "float32"),
        ("image", None, "float32"),
        ("labels", "iOS16", "float32"),
        ("labels", "iOS17", "float32"),  # whose argmax says its type
        ("labels", "iOS17", "float16"),  # where casts to 16 bits stand around it
        ("image", "iOS17", "float32"),
        ("labels", "iOS18", "float16"),
        ("image", "iOS18", "float32"),
    ],
)
def test_class_ids_are_those_of_the_model_at_the_size_of_the_image(
    room, exporter, tmp_path, output, target, precision
):
    path = tmp_path / "room.mlpackage"
    result = exporter.write(path, Options(precision, output=output, target=target))
    assert result["largest_difference"] is None and result["decided_iou"] == 1

    images = parity.check_images(SIZE, count=2)
    ids = mil_interpreter.load(path)(images)
    assert ids.shape == ((2, *SIZE) if output == "labels" else (2, 1, *SIZE))
    expected = full_size(room, images)
    clear = np.sort(expected, axis=-1)[..., -1] - np.sort(expected, axis=-1)[..., -2] > 2e-2
    assert set(np.unique(ids)) == {0, 1, 2} and clear.mean() > 0.9
    np.testing.assert_array_equal(ids.reshape(2, *SIZE)[clear], expected.argmax(-1)[clear])

    kind = spec_of(path).description.output[0].type
    if output == "labels":  # what apps built on Vision expect: int32, no batch axis
        assert list(kind.multiArrayType.shape) == list(SIZE)
        assert kind.multiArrayType.dataType == kind.multiArrayType.INT32
    else:
        assert (kind.imageType.height, kind.imageType.width) == SIZE
        assert kind.imageType.colorSpace == kind.imageType.GRAYSCALE

    found = predictor.load(path)  # no card beside it: the package holds all
    assert found.classes == ROOM and found.img_size == SIZE
    one_hot = found(images)
    np.testing.assert_array_equal(one_hot.sum(-1), 1)
    np.testing.assert_array_equal(to_mask(one_hot), ids.reshape(2, *SIZE))


def test_one_class_gives_ones_or_gray_levels_of_its_probability(small, tmp_path):
    images = parity.check_images((32, 32), count=2)
    expected = small.predict(images.astype("float32"), verbose=0)[..., 0]
    exporter = Exporter(small, HAIR)

    exporter.write(tmp_path / "a.mlpackage", Options(output="labels"))
    ids = mil_interpreter.load(tmp_path / "a.mlpackage")(images)
    clear = np.abs(expected - 0.5) > 1e-3
    np.testing.assert_array_equal(ids[clear], (expected > 0.5)[clear])
    metadata = mil_interpreter.load(tmp_path / "a.mlpackage").metadata
    preview = json.loads(metadata[coreml.PREVIEW_PARAMETERS[0]])
    assert preview == {"labels": ["none", "hair"], "colors": ["#000000", "#FF0000"]}

    exporter.write(tmp_path / "b.mlpackage", Options(output="image"))
    gray = mil_interpreter.load(tmp_path / "b.mlpackage")(images)
    assert gray.shape == (2, 1, 32, 32)
    np.testing.assert_array_equal(gray, np.rint(gray))
    assert np.abs(gray[:, 0] - 255 * expected).max() <= 0.5 + 1e-3
    probabilities = predictor.load(tmp_path / "b.mlpackage")(images)
    np.testing.assert_allclose(probabilities[..., 0], gray[:, 0] / 255, rtol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("output", ["labels", "image"])
def test_wrong_class_ids_fail_their_check(exporter, tmp_path, monkeypatch, output, precision):
    monkeypatch.setattr(coreml, "COLOR_LAYOUT", "BGR")
    with pytest.raises(ExportError, match="differs from the model.* IoU over confident pixels"):
        exporter.write(tmp_path / "a.mlpackage", Options(precision, output=output))
    assert not list(tmp_path.iterdir())


def mixed_weights(path):
    """Return the 64 × 64 weights of the layer `mixed` as the interpreter unpacks them."""
    constants = mil_interpreter.load(path)._constants.values()
    wide = [each for each in constants if np.shape(each) == (64, 64, 1, 1)]
    (found,) = [each for each in wide if each.dtype == np.float32]  # not the integers behind them
    return found[:, :, 0, 0]


COMPRESSED = [
    ("int8", 255, None),
    ("int8", 255, "iOS18"),  # which stores compressed weights in other ops
    ("palette8", 256, None),
    ("palette6", 64, None),
    ("palette4", 16, "iOS18"),
]


def write_compressed(exporter, folder, precision, target):
    path = folder / f"{precision}_{target}.mlpackage"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(parity.LIMITS, precision, (1.0, 0.0))  # random weights suffer more
        exporter.write(path, Options(precision, target=target))
    return path


@pytest.fixture(scope="module")
def compressed(exporter, tmp_path_factory):
    """A folder with packages of `COMPRESSED`, made of one conversion for each target."""
    folder = tmp_path_factory.mktemp("compressed")
    with sharing.shared():
        for precision, _, target in COMPRESSED:
            write_compressed(exporter, folder, precision, target)
    return folder


def test_a_package_of_a_shared_conversion_is_that_of_its_own(exporter, compressed, tmp_path):
    alone = write_compressed(exporter, tmp_path, "palette6", None)
    shared = compressed / alone.name  # after int8 and palette8
    content = [
        (path / "Data/com.apple.CoreML/weights/weight.bin").read_bytes() for path in (alone, shared)
    ]
    assert content[0] == content[1]
    specs = [spec_of(path).SerializeToString(deterministic=True) for path in (alone, shared)]
    assert specs[0] == specs[1]


@pytest.mark.parametrize(("precision", "levels", "target"), COMPRESSED)
def test_compressed_weights_are_near_the_model_and_few(room, compressed, precision, levels, target):
    path = compressed / f"{precision}_{target}.mlpackage"
    weights = room.get_layer("mixed").get_weights()[0][0, 0].T
    found = mixed_weights(path)
    distances = np.abs(found - weights)
    if precision == "int8":  # per row, in 255 steps that reach its largest weight
        steps = np.abs(weights).max(1, keepdims=True) / 127
        assert (distances <= 0.51 * steps + 1e-3 * np.abs(weights)).all()
    else:
        assert 0.8 * levels < len(np.unique(found)) <= levels
        assert distances.max() < 4 * np.ptp(weights) / levels
    assert distances.max() > 1e-4  # float16 alone would be nearer
    spec = spec_of(path)
    assert spec.specificationVersion == (9 if target else 7)  # iOS 16 is Core ML 7
    kind = spec.description.output[0].type.multiArrayType
    assert kind.dataType == kind.FLOAT32  # what the contract's Swift reads, on any target


@pytest.mark.parametrize("options", [["--quantize", "int8"], ["--output", "labels"]])
def test_a_mask_that_shows_nothing_proves_nothing(tmp_path, capsys, options):
    path = save(blank_model(), tmp_path / "hair.keras")
    assert coreml_converter.main([str(path), *options]) == 1
    assert "give --check_images that show more" in capsys.readouterr().err
    assert not (tmp_path / "hair.mlpackage").exists()


def test_the_older_format_is_checked_before_the_last_step_and_says_so(small, tmp_path):
    path = tmp_path / "a.mlmodel"
    result = Exporter(small, HAIR).write(path, Options(author="me", licence="MIT"))
    assert "before the last step of the conversion" in result["checked_by"]
    assert 0 < result["largest_difference"] < 1e-5
    spec = spec_of(path)
    assert spec.WhichOneof("Type") == "neuralNetwork" and spec.specificationVersion == 5  # iOS 14
    (declared,), (output,) = spec.description.input, spec.description.output
    assert declared.type.imageType.colorSpace == declared.type.imageType.RGB
    assert (declared.name, output.name) == ("image", "mask")
    metadata = spec.description.metadata
    assert (metadata.author, metadata.license) == ("me", "MIT")
    assert json.loads(metadata.userDefined["classes"]) == ["hair"]


def test_a_wrong_file_of_the_older_format_is_not_written(small, tmp_path, monkeypatch):
    monkeypatch.setattr(coreml, "COLOR_LAYOUT", "BGR")
    with pytest.raises(ExportError, match="differs from the model"):
        Exporter(small, HAIR).write(tmp_path / "a.mlmodel", Options())
    assert not list(tmp_path.iterdir())
