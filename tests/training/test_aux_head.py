"""The output that learns more classes in training: where it stands, and that no export has it."""

import keras
import numpy as np
import pytest

import coreml_converter
import nets
import tf_converter
from tiny_models import CLASSES, quick_model, save

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "network,img_size,stride", [("mobile_unet", (64, 96), 2), ("icnet", (192, 224), 4)]
)
def test_it_scores_the_features_that_the_mask_is_scored_from(network, img_size, stride):
    model = nets.build(network, img_size, 1, alpha=0.25)
    trained = nets.with_aux_head(model, 3)
    sides = tuple(side // stride for side in img_size)
    assert trained.outputs[-1].shape == (None, *sides, 3)
    assert [output.shape for output in trained.outputs[:-1]] == [o.shape for o in model.outputs]
    score = "score" if network == "mobile_unet" else "mask_score"
    assert trained.get_layer("aux_score").input is trained.get_layer(score).input
    assert (
        nets.inference_model(trained).count_params() == nets.inference_model(model).count_params()
    )


def operations(path):
    """The operations of an export, in order."""
    if path.suffix == ".mlpackage":
        import coremltools as ct

        (function,) = ct.utils.load_spec(str(path)).mlProgram.functions.values()
        (block,) = function.block_specializations.values()
        return [operation.type for operation in block.operations]
    from ai_edge_litert.interpreter import Interpreter

    return [each["op_name"] for each in Interpreter(str(path))._get_ops_details()]


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the exports are traced by TensorFlow"
)
def test_the_exports_of_a_model_trained_with_it_are_those_of_one_trained_without(tmp_path):
    plain = quick_model(1)
    trained = nets.with_aux_head(keras.models.clone_model(plain), 1)
    for layer in plain.layers:
        trained.get_layer(layer.name).set_weights(layer.get_weights())
    assert len(trained.outputs) == 2 and plain.output_shape[-1] == len(CLASSES[1])
    made = {}
    for name, model in (("plain", plain), ("trained", trained)):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "hair.keras"
        save(model, path) if model is plain else model.save(path)
        if model is trained:
            card = (tmp_path / "plain/hair.json").read_text()
            path.with_suffix(".json").write_text(card)
        assert not tf_converter.main([str(path), "--format", "tflite"])
        assert not coreml_converter.main([str(path), "--quantize", "float32"])
        made[name] = [path.with_suffix(suffix) for suffix in (".tflite", ".mlpackage")]
    for one, two in zip(*made.values(), strict=True):
        assert operations(one) == operations(two) and len(operations(one)) > 8
    assert made["plain"][0].stat().st_size == made["trained"][0].stat().st_size
    assert np.array_equal(*(np.frombuffer(files[0].read_bytes(), "u1") for files in made.values()))
