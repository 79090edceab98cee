"""TensorFlow's formats: what is in the files, and that a wrong file never gets its name."""

import json

import keras
import numpy as np
import pytest

import tf_converter
from segmentation import files, model_card
from segmentation.errors import ExportError, InputError
from segmentation.export import parity, tensorflow
from segmentation.export.job import Exporter
from segmentation.export.options import Options
from segmentation.inference import predictor
from tiny_models import CLASSES, HAIR, IMG_SIZE

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the exports are traced by TensorFlow"
)


@pytest.fixture(scope="module")
def exporter(model):
    return Exporter(model, HAIR)


@pytest.mark.slow
def test_every_format_segments_as_the_model_and_brings_the_card(converted, images, expected):
    assert not converted.result["failed"]
    for suffix in ("pb", "tflite", "saved_model"):
        predict = predictor.load(converted.folder / f"hair.{suffix}")
        np.testing.assert_allclose(predict(images), expected, atol=1e-5)
        assert list(predict.classes.names) == CLASSES[1]
    found = sorted(path.name for path in converted.folder.iterdir())
    exports = ["hair.pb", "hair.saved_model", "hair.tflite"]
    contracts = [f"{name}.contract.md" for name in exports]
    assert found == sorted(["hair.json", *exports, *contracts])


@pytest.mark.slow
def test_frozen_graph_has_the_names_of_the_contract_and_no_variables(converted):
    import tensorflow as tf

    content = (converted.folder / "hair.pb").read_bytes()
    nodes = tf.compat.v1.GraphDef.FromString(content).node
    (image,) = [node for node in nodes if node.op == "Placeholder"]
    assert image.name == "image"
    assert [dim.size for dim in image.attr["shape"].shape.dim] == [1, *IMG_SIZE, 3]
    assert "output_0" in {node.name for node in nodes}
    assert not {"VarHandleOp", "ReadVariableOp", "PartitionedCall"} & {node.op for node in nodes}
    assert not any(node.attr["is_training"].b for node in nodes if "BatchNorm" in node.op)


@pytest.mark.slow
def test_tflite_has_the_names_of_the_contract_and_a_static_shape(converted):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(converted.folder / "hair.tflite"))
    (signature,) = interpreter.get_signature_list().values()
    assert signature == {"inputs": ["image"], "outputs": ["output_0"]}
    (source,) = interpreter.get_input_details()
    assert source["dtype"] == np.float32 and source["shape"].tolist() == [1, *IMG_SIZE, 3]
    assert source["shape_signature"].tolist() == [1, *IMG_SIZE, 3]
    operators = {each["op_name"] for each in interpreter._get_ops_details()}
    # A batch size that is not fixed leaves the first two behind; phones lack the Flex ones.
    assert not {"SHAPE", "PACK"} & operators
    assert not any(name.startswith("Flex") for name in operators)


@pytest.mark.slow
def test_saved_model_has_the_names_of_the_contract_and_each_weight_once(converted, model):
    import tensorflow as tf

    folder = converted.folder / "hair.saved_model"
    function = tf.saved_model.load(str(folder)).signatures["serving_default"]
    assert list(function.structured_input_signature[1]) == ["image"]
    assert list(function.structured_outputs) == ["output_0"]
    assert files.size(folder / "variables") < 1.5 * 4 * model.count_params()


@pytest.mark.slow
def test_a_layer_that_asks_for_training_mode_does_not_get_it(tmp_path):
    # keras.layers.Resizing runs what follows in training mode when the caller says nothing.
    image = keras.Input((*IMG_SIZE, 3))
    x = keras.layers.Resizing(16, 16)(image)
    x = keras.layers.BatchNormalization()(x)
    asking = keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid")(x))
    images = parity.check_images(IMG_SIZE, count=2)
    before = asking.get_weights()
    expected = asking.predict(images.astype("float32"), verbose=0)
    for write, name in (
        (tensorflow.to_frozen_graph, "a.pb"),
        (tensorflow.to_tflite, "a.tflite"),
        (tensorflow.to_saved_model, "a.saved_model"),
    ):
        write(asking, tmp_path / name, HAIR)
        np.testing.assert_allclose(predictor.load(tmp_path / name)(images), expected, atol=1e-5)
    for mine, theirs in zip(asking.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_an_export_that_cannot_be_run_does_not_get_its_name(exporter, tmp_path, monkeypatch):
    path = tmp_path / "hair.tflite"
    path.write_bytes(b"older")

    def write(model, temporary, classes, options):
        temporary.write_bytes(b"damaged")

    monkeypatch.setattr(tensorflow, "to_tflite", write)
    with pytest.raises(ExportError, match="hair.tflite: cannot be run"):
        exporter.write(path, Options())
    assert path.read_bytes() == b"older"


def test_command_reports_a_file_that_differs_and_exits_1(trained, tmp_path, monkeypatch, capsys):
    def write(model, path, classes, options):
        shifted = keras.models.clone_model(model)
        shifted.set_weights(model.get_weights())
        shifted.get_layer("score").bias.assign_add([1.0])
        frozen(shifted, path)

    frozen = tensorflow.to_frozen_graph
    monkeypatch.setattr(tensorflow, "to_frozen_graph", write)
    arguments = ["--input_model_path", str(trained / "hair.keras"), "--format", "pb"]
    folder = tmp_path / "wrong"
    assert tf_converter.main([*arguments, "--output_dir", str(folder)]) == 1
    assert not folder.exists()
    captured = capsys.readouterr()
    assert json.loads(captured.out.splitlines()[-1])["failed"] == [str(folder / "hair.pb")]
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1


@pytest.mark.slow
def test_command_prints_size_and_comparison_and_ends_with_json(trained, tmp_path, capfd):
    arguments = ["--format", "pb", "--output_dir", str(tmp_path), "--output_fn", "small.pb"]
    assert tf_converter.main(["-i", str(trained / "hair.keras"), *arguments]) == 0
    captured = capfd.readouterr()
    line, result = captured.out.splitlines()
    assert captured.err == ""
    assert line.startswith(f"{tmp_path}/small.pb: ") and "mask IoU 1.0000" in line
    (file,) = json.loads(result)["files"]
    assert file["path"] == str(tmp_path / "small.pb")
    assert file["megabytes"] == pytest.approx(
        (tmp_path / "small.pb").stat().st_size / 1e6, abs=1e-3
    )
    assert file["largest_difference"] <= 1e-5 and file["mask_iou"] == 1


@pytest.mark.parametrize("name", ["hair.saved_model", "hair.tflite"])
def test_a_folder_that_is_no_export_is_left_alone(trained, tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.txt").write_text("mine")
    arguments = ["--format", "pb", "tflite", "saved_model", "-o", str(tmp_path)]
    with pytest.raises(InputError, match=f"{name}: exists and is not an export"):
        tf_converter.main([str(trained / "hair.keras"), *arguments])
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "thesis.txt").read_text() == "mine"


def test_the_card_of_another_model_is_not_overwritten(trained, tmp_path):
    other = {"img_size": [1, 1], "classes": ["cat"], "colors": [[1, 1, 1]]}
    model_card.write(tmp_path / "hair.pb", other)
    (tmp_path / "hair.h5").touch()
    before = (tmp_path / "hair.json").read_bytes()
    with pytest.raises(InputError, match="hair.json: belongs to another model"):
        tf_converter.main([str(trained / "hair.keras"), "--output_dir", str(tmp_path)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hair.h5", "hair.json"]
    assert (tmp_path / "hair.json").read_bytes() == before


def test_a_network_that_does_not_convert_is_a_line_and_no_file(exporter, tmp_path, monkeypatch):
    def write(model, temporary, classes, options):
        temporary.touch()
        raise ValueError("no such op\nand a page of details")

    monkeypatch.setattr(tensorflow, "to_frozen_graph", write)
    with pytest.raises(ExportError, match="a.pb: .* cannot be converted .no such op.; no file"):
        exporter.write(tmp_path / "a.pb", Options())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [[], ["a.keras", "-i", "b.keras"], ["a.keras", "--format", "coreml"]]
)
def test_arguments_that_make_no_sense_exit_with_2(arguments):
    with pytest.raises(SystemExit) as stopped:
        tf_converter.main(arguments)
    assert stopped.value.code == 2


def test_by_default_the_files_stand_beside_the_model():
    args = tf_converter.parse_args(["artifacts/hair.keras"])
    assert args.format == ["pb", "tflite"]
    assert (str(args.output_dir), args.output_fn) == ("artifacts", "hair")
