"""ICNet through every export: its scores have a quarter of the sides of the input, or all."""

import json

import keras
import numpy as np
import pytest

import coreml_converter
import evaluate
import nets
import predict
import tf_converter
from nets import icnet
from segmentation import model_card
from segmentation.data.classes import Classes
from segmentation.export import parity
from segmentation.inference import predictor
from segmentation.probabilities import to_mask, upsample
from tiny_models import SHALLOW_ICNET

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="the exports are traced by TensorFlow"
    ),
]
SIZE = (192, 224)  # its pyramid's map, 6 by 7, is no multiple of all bins
NAMES = ["none", "wall", "floor"]
FLOAT32 = ["--quantize", "float32"]


@pytest.fixture(scope="module")
def images():
    return parity.check_images(SIZE, count=2)


def write_icnet(folder, stages):
    """Write an ICNet with its training heads, its card, and images to calibrate with."""
    keras.utils.set_random_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(icnet, "STAGES", stages)
        model = nets.build("icnet", SIZE, 3, alpha=0.125)
    score = model.get_layer("mask_score")
    check_images = parity.check_images(SIZE)
    logits = keras.Model(model.input, score.output)
    logits = logits.predict(check_images.astype("float32"), verbose=0).reshape(-1, 3)
    gain = 2 / logits.std(0)  # masks that are not constant, with clear borders
    score.set_weights([score.get_weights()[0] * gain, -np.median(logits, 0) * gain])
    model.save(folder / "room.keras")
    card = {"img_size": SIZE, **Classes.of_names(NAMES).to_card()}
    model_card.write(folder / "room.keras", card)
    np.save(folder / "images-192.npy", np.concatenate([check_images, check_images[:4, :, ::-1]]))
    return folder


def scores_of(folder, images):
    scores = predictor.load(folder / "room.keras")(images)
    assert scores.shape == (2, 48, 56, 3)
    assert len(np.unique(scores.argmax(-1))) == 3  # or a comparison would prove little
    return scores


@pytest.fixture(scope="module")
def whole(tmp_path_factory, images):
    """The folder of an ICNet of all its blocks, and its scores."""
    folder = write_icnet(tmp_path_factory.mktemp("whole"), icnet.STAGES)
    return folder, scores_of(folder, images)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of an ICNet with fewer blocks."""
    return write_icnet(tmp_path_factory.mktemp("icnet"), SHALLOW_ICNET)


@pytest.fixture(scope="module")
def expected(folder, images):
    return scores_of(folder, images)


def upsampled(scores):
    return np.stack([upsample(each, SIZE) for each in scores])


def contract_of(path):
    return path.with_name(f"{path.name}.contract.md").read_text()


def test_formats_of_tensorflow_give_a_quarter(whole, images, tmp_path):
    folder, expected = whole
    formats = ["--format", "pb", "tflite", "saved_model"]
    assert tf_converter.main([str(folder / "room.keras"), *formats, "-o", str(tmp_path)]) == 0
    for suffix in ("pb", "tflite", "saved_model"):
        found = predictor.load(tmp_path / f"room.{suffix}")
        assert list(found.classes.names) == NAMES and found.img_size == SIZE
        np.testing.assert_allclose(found(images), expected, atol=1e-5)
        assert "float32 [1, 48, 56, 3]" in contract_of(tmp_path / f"room.{suffix}")


@pytest.mark.long
def test_full_resolution_upsamples_within_the_graph(folder, images, expected, tmp_path):
    arguments = [str(folder / "room.keras"), "--full_resolution", "-o", str(tmp_path)]
    assert tf_converter.main([*arguments, "--format", "tflite"]) == 0
    found = predictor.load(tmp_path / "room.tflite")(images)
    np.testing.assert_allclose(found, upsampled(expected), atol=1e-5)
    assert "float32 [1, 192, 224, 3]" in contract_of(tmp_path / "room.tflite")


def test_int8_is_near_and_a_byte_a_weight(folder, images, expected, tmp_path):
    calibration = ["--calibration_images", str(folder / "images-192.npy")]
    arguments = ["--format", "tflite", "--quantize", "int8", *calibration, "-o", str(tmp_path)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(parity.LIMITS, "full_int8", (1.0, 0.0))  # random weights suffer more
        assert tf_converter.main([str(folder / "room.keras"), *arguments]) == 0
    found = predictor.load(tmp_path / "room.tflite")(images)
    assert np.abs(found - expected).mean() < 0.1
    weights = predictor.load(folder / "room.keras").model.count_params()
    assert weights < (tmp_path / "room.tflite").stat().st_size < 2 * weights
    assert "uint8 [1, 48, 56, 3]" in contract_of(tmp_path / "room.tflite")


def test_core_ml_gives_a_quarter(whole, images, tmp_path):
    folder, expected = whole
    path = tmp_path / "room.mlpackage"
    assert not coreml_converter.main([str(folder / "room.keras"), str(path), *FLOAT32])
    np.testing.assert_allclose(predictor.load(path)(images), expected, atol=1e-5)
    assert "[1, 48, 56, 3], probabilities" in contract_of(path)


def test_core_ml_gives_all_of_it(folder, images, expected, tmp_path):
    path = tmp_path / "room.mlpackage"
    arguments = [str(folder / "room.keras"), str(path), *FLOAT32]
    assert not coreml_converter.main([*arguments, "--full_resolution"])
    np.testing.assert_allclose(predictor.load(path)(images), upsampled(expected), atol=1e-5)
    assert "[1, 192, 224, 3], probabilities" in contract_of(path)


def test_core_ml_labels_have_the_size_of_the_input(folder, images, expected, tmp_path):
    path = tmp_path / "room.mlpackage"
    arguments = [str(folder / "room.keras"), str(path), *FLOAT32]
    assert not coreml_converter.main([*arguments, "--output", "labels"])
    found = predictor.load(path)(images)
    assert found.shape == (2, *SIZE, 3)
    comparison = parity.compare(upsampled(expected), found, ids_only=True)
    assert comparison["decided_iou"] == 1
    assert "int32 [192, 224]" in contract_of(path)


def test_labels_refuse_what_they_have_already(capsys):
    with pytest.raises(SystemExit) as stopped:
        coreml_converter.parse_args(["a.keras", "--output", "labels", "--full_resolution"])
    assert stopped.value.code == 2
    assert "have the size of the input" in capsys.readouterr().err


def test_it_is_measured_and_predicts_at_the_size_of_the_masks(folder, images, tmp_path, capsys):
    from PIL import Image

    masks = to_mask(upsampled(predictor.load(folder / "room.keras")(images)))
    np.save(tmp_path / "images-192.npy", images)
    np.save(tmp_path / "masks-192.npy", masks)
    (tmp_path / "names-192.txt").write_text("a\t\nb\t\n")
    (tmp_path / "labels.txt").write_text("idx\tlabel\n0\tnone\n1\twall\n2\tfloor\n")
    evaluate.main([str(folder / "room.keras"), "--img_file", str(tmp_path / "images-192.npy")])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["mean_iou"] == 1  # the masks are its own
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    predict.main([str(folder / "room.keras"), str(tmp_path / "a.png"), "-o", str(tmp_path / "out")])
    with Image.open(tmp_path / "out" / "a_mask.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask), masks[0])
