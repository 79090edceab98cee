"""Core ML export: what the package says, and that a wrong one does not pass its own check."""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import coreml_converter
import nets
from segmentation.data.classes import Classes
from segmentation.errors import ExportError
from segmentation.export import coreml, parity
from segmentation.export.job import Exporter
from segmentation.export.options import Options
from segmentation.inference import mil_interpreter, predictor
from segmentation.inference.mil_interpreter import UnsupportedOp
from segmentation.quiet import silenced
from tiny_models import CORE_ML_SIZE as SIZE
from tiny_models import HAIR, with_clear_masks

with silenced():
    import coremltools as ct

pytestmark = pytest.mark.slow
FLOAT16 = Options("float16")


def outcome(capsys):
    captured = capsys.readouterr()
    return captured.out.splitlines(), captured.err


def test_the_command_writes_a_package_that_segments_and_says_so(package):
    folder, result, line = package.folder, package.result, package.out.splitlines()[0]
    path = folder / "hair.mlpackage"
    assert result["path"] == str(path) and result["precision"] == "float16"
    assert 0 < result["largest_difference"] < 2e-2 and result["decided_iou"] >= 0.999
    assert "NumPy interpreter" in result["checked_by"]
    assert str(path) in line and "float16" in line and "mask IoU" in line
    assert package.err == ""
    parameters = nets.load(str(folder / "hair.keras")).count_params()
    assert 2 * parameters < 1e6 * result["megabytes"] < 2.5 * parameters
    names = [
        "hair.json",
        "hair.keras",
        "hair.mlpackage",
        "hair.mlpackage.contract.md",
        "hair.mlpackage.kit",
    ]
    assert sorted(p.name for p in folder.iterdir()) == names


def test_the_package_is_float16_for_ios_15_and_described(package):
    with silenced():
        written = ct.models.MLModel(str(package.folder / "hair.mlpackage"), skip_model_load=True)
    spec = written.get_spec()
    assert spec.specificationVersion == ct.target.iOS15
    (image,), (mask,) = spec.description.input, spec.description.output
    kind = image.type.imageType
    assert (image.name, kind.height, kind.width) == ("image", *SIZE)
    assert kind.colorSpace == kind.RGB
    assert mask.name == "mask" and list(mask.type.multiArrayType.shape) == [1, *SIZE, 1]
    metadata = written.user_defined_metadata
    assert json.loads(metadata["classes"]) == ["hair"]
    assert json.loads(metadata["colors"]) == [[255, 0, 0]]
    assert metadata["com.apple.coreml.model.preview.type"] == "imageSegmenter"
    for key in ("params", "parameters"):
        preview = json.loads(metadata[f"com.apple.coreml.model.preview.{key}"])
        assert preview == {"labels": ["hair"], "colors": ["#FF0000"]}
    assert "hair" in written.short_description and written.version
    assert "scaleFill" in written.input_description["image"]
    assert "hair" in written.output_description["mask"]
    assert not written.author and not written.license


def test_a_package_that_lost_its_card_still_names_its_classes(package, tmp_path):
    lone = shutil.copytree(package.folder / "hair.mlpackage", tmp_path / "hair.mlpackage")
    found = predictor.load(lone)
    assert found.card is None and found.named
    assert found.classes == HAIR


def test_probabilities_of_a_float16_package_are_float16_and_near_the_model(package):
    model = nets.load(str(package.folder / "hair.keras"))
    images = parity.check_images(SIZE, count=2)
    found = mil_interpreter.load(package.folder / "hair.mlpackage")(images)
    expected = model.predict(images.astype("float32"), verbose=0)
    assert found.shape == expected.shape and found.dtype == np.float32
    np.testing.assert_array_equal(found, found.astype(np.float16))
    assert 1e-4 < np.abs(found - expected).max() < 2e-2


def test_float32_keeps_to_the_model_in_every_variant_of_the_network(tmp_path):
    keras.utils.set_random_seed(0)
    model = nets.build(
        "mobile_unet", (32, 64), 3, alpha=0.25, depth_multiplier=2, upsampling="bilinear"
    )
    classes = Classes(("background", "hair", "face"), ((0, 0, 0), (255, 0, 0), (0, 255, 0)))
    exporter = Exporter(with_clear_masks(model, (32, 64)), classes)
    result = exporter.write(tmp_path / "a.mlpackage", Options())
    assert result["largest_difference"] < 1e-5 and result["mask_iou"] > 0.999
    found = mil_interpreter.load(tmp_path / "a.mlpackage")(parity.check_images((32, 64), count=1))
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-6)


# Exports that are refused; tests/test_mutations.py has one for every fault.


def test_swapped_channels_fail_and_the_older_package_stays(small, tmp_path, monkeypatch):
    old = tmp_path / "a.mlpackage"
    old.mkdir()
    (old / "Manifest.json").write_text("old")
    monkeypatch.setattr(coreml, "COLOR_LAYOUT", "BGR")
    with pytest.raises(ExportError, match="differs from the model"):
        Exporter(small, HAIR).write(old, FLOAT16)
    assert (old / "Manifest.json").read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


def test_batch_normalisation_in_training_mode_does_not_convert(small, tmp_path, monkeypatch):
    def traced(model, output):
        signature = [tf.TensorSpec((1, 32, 32, 3), name="image")]
        function = tf.function(lambda image: model(image, training=True), signature)
        return function.get_concrete_function()

    monkeypatch.setattr(coreml, "_traced", traced)
    with pytest.raises(ExportError, match="a.mlpackage: .* cannot be converted .*AssignVariableOp"):
        Exporter(small, HAIR).write(tmp_path / "a.mlpackage", FLOAT16)
    assert not list(tmp_path.iterdir())


def test_an_op_that_cannot_be_run_cannot_be_checked_and_leaves_no_file(tmp_path):
    image = keras.Input((32, 32, 3), name="image")
    model = keras.Model(image, keras.layers.Conv2D(1, 1, activation="tanh")(image))
    with pytest.raises(UnsupportedOp, match="'tanh'"):
        Exporter(model, HAIR).write(tmp_path / "a.mlpackage", FLOAT16)
    assert not list(tmp_path.iterdir())


def test_a_layer_that_does_not_convert_ends_the_command_in_one_line(tmp_path, capsys):
    image = keras.Input((32, 32, 3))
    x = keras.layers.UpSampling2D(2, interpolation="bicubic")(
        keras.layers.Rescaling(1 / 255)(image)
    )
    keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid")(x)).save(tmp_path / "a.h5")
    assert coreml_converter.main([str(tmp_path / "a.h5")]) == 1
    lines, noise = outcome(capsys)
    assert not lines
    errors = [line for line in noise.splitlines() if "no model card" not in line]
    assert len(errors) == 1 and errors[0].startswith("error: ") and "ResizeBicubic" in errors[0]
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_on_a_mac_core_ml_has_to_agree_too(package, monkeypatch):
    path = package.folder / "hair.mlpackage"
    program = mil_interpreter.load(path)
    images = parity.check_images(SIZE, count=1)
    expected = program(images)
    reference = parity.Reference(images, expected, "images")

    def check():
        runners = coreml._runners({coreml.INTERPRETER: program}, path, "scores", 1)
        assert list(runners) == ["the NumPy interpreter", "Core ML"]
        return parity.check(path, runners, reference, "float16")

    monkeypatch.setattr(coreml.sys, "platform", "darwin")
    monkeypatch.setattr(coreml, "_core_ml", lambda path: lambda images: expected - 1e-4)
    assert check()["largest_difference"] == pytest.approx(1e-4, rel=1e-2)
    monkeypatch.setattr(coreml, "_core_ml", lambda path: lambda images: 1 - expected)
    with pytest.raises(ExportError, match="hair.mlpackage: differs"):
        check()


def test_core_ml_is_given_images_and_asked_for_the_mask(monkeypatch):
    class Model:
        def __init__(self, path):
            assert path == "a.mlpackage"

        def predict(self, inputs):
            return {"mask": np.array(inputs["image"])[None, :, :, :1] / np.float32(255)}

    monkeypatch.setattr(ct.models, "MLModel", Model)
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), dtype=np.uint8)
    found = coreml._core_ml("a.mlpackage")(images)
    np.testing.assert_allclose(found, images[..., :1] / 255, rtol=1e-6)


# The command's other outcomes; mistakes are in test_coreml_converter.py.


def test_the_command_goes_on_without_a_card_and_takes_the_longer_option_names(
    small, tmp_path, capsys
):
    small.save(tmp_path / "a.h5")
    target = tmp_path / "app" / "b.mlpackage"
    arguments = ["--input_model_path", str(tmp_path / "a.h5"), "--output_model_path", str(target)]
    assert not coreml_converter.main(arguments)
    lines, noise = outcome(capsys)
    assert json.loads(lines[-1])["path"] == str(target)
    assert "no model card" in noise and "class 1" in noise and noise.count("\n") == 1
    assert json.loads(mil_interpreter.load(target).metadata["classes"]) == ["class 1"]


def test_the_command_exits_with_1_and_one_line_when_the_check_fails(
    small, tmp_path, monkeypatch, capsys
):
    small.save(tmp_path / "a.keras")
    monkeypatch.setattr(coreml, "COLOR_LAYOUT", "BGR")
    assert coreml_converter.main([str(tmp_path / "a.keras")]) == 1
    lines, noise = outcome(capsys)
    assert not lines
    assert [line for line in noise.splitlines() if line.startswith("error: ")] == [
        noise.splitlines()[-1]
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["a.keras"]
