"""ONNX: what is in the file, that it segments as the model does, and what is said without ONNX."""

import json
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import benchmark
import evaluate
import nets
import tf_converter
from segmentation.cli import terminal
from segmentation.data.classes import Classes
from segmentation.errors import ExportError, InputError
from segmentation.export.job import Exporter
from segmentation.export.options import Options
from segmentation.inference import predictor
from tiny_models import CLASSES, HAIR, IMG_SIZE

PACKAGES = ("onnx", "tf2onnx", "onnxruntime")
traced = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the exports are traced by TensorFlow"
)
THREE = Classes.of_names(CLASSES[3])
OLDEST_RUNTIME = (8, 15)  # IR version and opset that ONNX Runtime 1.10 reads


@pytest.fixture(scope="module")
def onnx():
    """The package, where everything that ONNX needs is installed."""
    return [pytest.importorskip(name) for name in PACKAGES][0]


@pytest.fixture(scope="module")
def exported(onnx, command, trained, tmp_path_factory):
    """`hair.onnx` by the command, and the JSON that it printed."""
    folder = tmp_path_factory.mktemp("onnx")
    return command(tf_converter, [trained / "hair.keras", "--format", "onnx", "-o", folder], folder)


@pytest.mark.slow
@traced
def test_the_file_has_the_names_and_facts_of_the_contract(exported, onnx):
    (file,) = exported.result["files"]
    assert file["precision"] == "float32" and file["largest_difference"] <= 1e-5
    assert sorted(path.name for path in exported.folder.iterdir()) == [
        "hair.json",
        "hair.onnx",
        "hair.onnx.contract.md",
    ]
    file = onnx.load(exported.folder / "hair.onnx")
    (opset,) = [each.version for each in file.opset_import if not each.domain]
    assert file.ir_version <= OLDEST_RUNTIME[0] and opset <= OLDEST_RUNTIME[1]
    (image,), (output,) = file.graph.input, file.graph.output
    assert (image.name, output.name) == ("image", "output_0")
    for value, channels in ((image, 3), (output, 1)):
        shape = [side.dim_value for side in value.type.tensor_type.shape.dim]
        assert shape == [1, *IMG_SIZE, channels]
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert "hair" in output.doc_string and "64 x 32 pixels" in file.doc_string
    facts = {each.key: each.value for each in file.metadata_props}
    assert json.loads(facts["classes"]) == CLASSES[1]
    assert json.loads(facts["img_size"]) == list(IMG_SIZE)
    assert facts["precision"] == "float32" and facts["ignored_class"] == ""
    contract = (exported.folder / "hair.onnx.contract.md").read_text()
    assert "| input | `image`, float32 [1, 32, 64, 3], RGB 0..255" in contract
    assert 'onnxruntime.InferenceSession("hair.onnx"' in contract


@pytest.mark.slow
@traced
def test_commands_and_the_code_of_the_contract_read_it(
    exported, trained, images, expected, tmp_path, capsys, monkeypatch
):
    path = exported.folder / "hair.onnx"
    predict = predictor.load(path)
    np.testing.assert_allclose(predict(images), expected, atol=1e-5)
    evaluate.main([str(path), "--img_file", str(trained / "images-32x64.npy")])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["iou"]["hair"] > 0.999
    benchmark.main([str(path), "--rounds", "1"])
    (row,) = json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]
    assert row["runtime"].startswith("onnxruntime ") and row["precision"] == "float32"
    alone = tmp_path / "hair.onnx"  # without its card: the file names its classes
    alone.write_bytes(path.read_bytes())
    assert list(predictor.load(alone).classes.names) == CLASSES[1]
    code = (exported.folder / "hair.onnx.contract.md").read_text().split("```")[1]
    Image.fromarray(images[0]).save(tmp_path / "image.png")
    monkeypatch.chdir(exported.folder)
    names = {}
    exec(code.removeprefix("python\n"), names)
    found = names["segment"](tmp_path / "image.png")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected[0, ..., 0] > 0.5)


@pytest.mark.slow
@traced
@pytest.mark.parametrize(
    ("network", "img_size", "arguments"),
    [
        ("icnet", (192, 224), {"alpha": 0.25}),
        ("mobile_pspnet", (96, 128), {}),
        ("unet", (64, 96), {"encoder": "efficientnet_lite_small", "alpha": 0.5}),
    ],
)
def test_other_networks_and_several_classes(onnx, tmp_path, network, img_size, arguments):
    keras.utils.set_random_seed(0)
    model = nets.build(network, img_size, 3, **arguments)
    exporter = Exporter(model, THREE)
    assert exporter.write(tmp_path / "a.onnx", Options())["largest_difference"] <= 1e-5
    predict = predictor.load(tmp_path / "a.onnx")
    assert predict.img_size == img_size and predict.classes.names == THREE.names
    scores = predict(exporter.images[:1])
    assert scores.shape == (1, *exporter.model.output_shape[1:3], 3)
    np.testing.assert_allclose(scores.sum(-1), 1, atol=1e-5)


@pytest.mark.slow
@traced
def test_a_file_of_other_weights_is_found_out(onnx, small, tmp_path, monkeypatch):
    from segmentation.export import onnx as writer

    wrong = keras.models.clone_model(small)
    wrong.set_weights(small.get_weights())
    wrong.get_layer("score").bias.assign_add([0.1])
    write = writer.to_onnx
    monkeypatch.setattr(writer, "to_onnx", lambda model, *rest: write(wrong, *rest))
    with pytest.raises(ExportError, match="a.onnx: differs from the model"):
        Exporter(small, HAIR).write(tmp_path / "a.onnx", Options())
    assert not list(tmp_path.iterdir())


def test_files_of_others_are_named_where_they_are_no_model_of_images(onnx, tmp_path):
    def write(dtype, shape, inputs=1):
        make = onnx.helper.make_tensor_value_info
        names = [f"image_{number}" for number in range(inputs)]
        node = onnx.helper.make_node("Sum" if inputs > 1 else "Identity", names, ["mask"])
        values = [make(name, dtype, shape) for name in names]
        graph = onnx.helper.make_graph([node], "others", values, [make("mask", dtype, shape)])
        opset = [onnx.helper.make_opsetid("", 15)]
        model = onnx.helper.make_model(graph, ir_version=8, opset_imports=opset)
        onnx.save(model, tmp_path / "other.onnx")
        return tmp_path / "other.onnx"

    kinds = onnx.TensorProto
    image = np.full((1, 8, 16, 3), 7, np.uint8)
    assert (predictor.load(write(kinds.FLOAT, ["batch", 8, 16, 3]))(image) == 7).all()
    with pytest.raises(InputError, match="other.onnx: not a readable model .*not an RGB image"):
        predictor.load(write(kinds.FLOAT, [1, 3, 8, 16]))
    with pytest.raises(InputError, match="not an RGB image of one size"):
        predictor.load(write(kinds.FLOAT, [1, "height", "width", 3]))
    with pytest.raises(InputError, match="image_0 is a .*uint8.*, not float32"):
        predictor.load(write(kinds.UINT8, [1, 8, 16, 3]))
    with pytest.raises(InputError, match="other.onnx: not a readable model"):
        predictor.load(write(kinds.FLOAT, [1, 8, 16, 3], inputs=2))
    (tmp_path / "other.onnx").write_bytes(b"damaged")
    with pytest.raises(InputError, match="other.onnx: not a readable model"):
        predictor.load(tmp_path / "other.onnx")


def without(monkeypatch, *names):
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


def exit_of(command, arguments):
    with pytest.raises(SystemExit) as end:
        terminal.run(lambda: command.main([str(each) for each in arguments]))
    return end.value.code


def test_without_the_packages_one_line_names_them_and_nothing_is_written(
    trained, tmp_path, monkeypatch, capsys
):
    without(monkeypatch, *PACKAGES)
    arguments = [trained / "hair.keras", "--format", "pb", "onnx", "-o", tmp_path / "out"]
    assert exit_of(tf_converter, arguments) == 2
    path = tmp_path / "out" / "hair.onnx"
    assert capsys.readouterr().err == (
        f"error: {path}: writing it needs onnx, tf2onnx, onnxruntime; run pip install -r "
        "requirements-onnx.txt\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [evaluate, benchmark])
def test_without_onnx_runtime_a_file_is_not_read_and_one_line_says_why(
    command, tmp_path, monkeypatch, capsys
):
    path = tmp_path / "hair.onnx"
    path.touch()
    without(monkeypatch, "onnxruntime")
    if command is benchmark:  # whose processes do not see this one's modules
        from segmentation.benchmark import worker

        with pytest.raises(InputError, match="requirements-onnx.txt"):
            worker.start_runtime(path)
        return
    assert exit_of(command, [path, "--img_file", "images-32.npy"]) == 2
    line = f"error: {path}: reading it needs onnxruntime; run pip install -r requirements-onnx.txt"
    assert capsys.readouterr().err.splitlines()[-1] == line


def test_precisions_are_those_of_the_tflite(tmp_path, capsys):
    arguments = [tmp_path / "a.keras", "--format", "onnx", "--quantize", "float16"]
    assert exit_of(tf_converter, arguments) == 2
    assert "other formats are float32: add tflite" in capsys.readouterr().err
