"""What follows from the device that training runs on: the precision, and whether XLA compiles."""

import json
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import nets
import tf_converter
from segmentation.errors import InputError
from segmentation.inference import predictor
from segmentation.training import accelerator
from segmentation.training.accelerator import Device
from segmentation.training.config import DataFiles, FullConfig
from tiny_network import train_tiny

A100 = Device("gpu", "NVIDIA A100", (8, 0))
T4 = Device("gpu", "Tesla T4", (7, 5))


@pytest.mark.parametrize(
    ("device", "precision"),
    [
        (Device(), "float32"),
        (Device("tpu", "TPU v4"), "mixed_bfloat16"),
        (Device("gpu", "NVIDIA H100", (9, 0)), "mixed_bfloat16"),
        (Device("gpu", "NVIDIA B200", (10, 0)), "mixed_bfloat16"),
        (A100, "mixed_bfloat16"),
        (T4, "mixed_float16"),
        (Device("gpu", "Tesla V100", (7, 0)), "mixed_float16"),
        (Device("gpu", "Tesla P100", (6, 0)), "float32"),
        (Device("gpu", "MPS"), "float32"),
    ],
)
def test_precision_pays_where_the_device_multiplies_in_it(device, precision):
    assert accelerator.precision(device) == precision


@pytest.mark.parametrize(
    ("backend", "device", "replicated", "expected"),
    [
        ("tensorflow", Device(), False, False),
        ("tensorflow", A100, False, "auto"),
        ("tensorflow", A100, True, False),
        ("jax", Device(), False, "auto"),
        ("jax", A100, False, "auto"),
        ("torch", A100, False, "auto"),
    ],
)
def test_xla_compiles_on_one_accelerator_of_tensorflow(backend, device, replicated, expected):
    assert accelerator.jit_compile(backend, device, replicated) == expected


def fake_tensorflow(gpus, tpus=()):
    listed = {"GPU": range(len(gpus)), "TPU": tpus}
    experimental = SimpleNamespace(get_device_details=lambda number: gpus[number])
    config = SimpleNamespace(get_visible_devices=listed.get, experimental=experimental)
    return SimpleNamespace(config=config)


def fake_jax(*found):
    names = ("platform", "device_kind", "compute_capability")
    local = [SimpleNamespace(**dict(zip(names, each, strict=False))) for each in found]
    return SimpleNamespace(local_devices=lambda: local)


def fake_torch(*capabilities, hip=None, mps=False):
    cuda = SimpleNamespace(
        is_available=lambda: bool(capabilities),
        device_count=lambda: len(capabilities),
        get_device_capability=lambda number: capabilities[number],
        get_device_name=lambda number: "a GPU",
    )
    backends = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps))
    return SimpleNamespace(cuda=cuda, version=SimpleNamespace(hip=hip), backends=backends)


OF_T4 = {"device_name": "Tesla T4", "compute_capability": (7, 5)}
OF_A100 = {"device_name": "NVIDIA A100", "compute_capability": (8, 0)}


@pytest.mark.parametrize(
    ("backend", "module", "expected"),
    [
        ("tensorflow", fake_tensorflow([]), Device()),
        ("tensorflow", fake_tensorflow([OF_A100]), A100),
        ("tensorflow", fake_tensorflow([OF_A100, OF_T4]), Device("gpu", "NVIDIA A100", (7, 5))),
        ("tensorflow", fake_tensorflow([{"device_name": "METAL"}]), Device("gpu", "METAL")),
        ("tensorflow", fake_tensorflow([{}]), Device("gpu")),
        ("tensorflow", fake_tensorflow([], ["TPU:0"]), Device("tpu")),
        ("jax", fake_jax(("cpu", "cpu")), Device()),
        ("jax", fake_jax(("tpu", "TPU v4")), Device("tpu", "TPU v4")),
        ("jax", fake_jax(("gpu", "NVIDIA A100", "8.0")), A100),
        (
            "jax",
            fake_jax(("gpu", "B200", "10.0"), ("gpu", "T", "7.5")),
            Device("gpu", "B200", (7, 5)),
        ),
        ("jax", fake_jax(("gpu", "MI250", "gfx90a")), Device("gpu", "MI250")),
        ("jax", fake_jax(("METAL", "Metal")), Device("gpu", "Metal")),
        ("openvino", None, Device()),
        ("torch", fake_torch(), Device()),
        ("torch", fake_torch((9, 0), (8, 6)), Device("gpu", "a GPU", (8, 6))),
        ("torch", fake_torch((9, 0), hip="6.2"), Device("gpu", "a GPU")),
        ("torch", fake_torch(mps=True), Device("gpu", "MPS")),
    ],
)
def test_each_backend_is_asked_for_what_it_trains_on(monkeypatch, backend, module, expected):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setitem(sys.modules, backend, module)
    assert accelerator.find() == expected


def test_an_option_wins_and_a_resumed_run_keeps_what_it_began_with(caplog):
    def chosen(precision, device, *begun):
        caplog.clear()
        config = FullConfig(files=DataFiles(), model="tiny", lr=0.1, precision=precision)
        found = accelerator.with_precision(config, device, *begun).precision
        return found, " ".join(record.getMessage() for record in caplog.records)

    caplog.set_level("INFO")
    accelerator.logger.parent.parent.propagate = True
    assert chosen("auto", Device()) == ("float32", "")
    found, said = chosen("auto", A100)
    assert found == "mixed_bfloat16" and "NVIDIA A100 (compute capability 8.0)" in said
    assert chosen("float32", A100) == ("float32", "")
    begun = {"card": {"settings": {"precision": "mixed_float16"}, "device": str(T4)}}
    assert chosen("auto", T4, begun)[0] == "mixed_float16"
    found, said = chosen("auto", A100, begun)
    assert found == "mixed_float16" and "begun on gpu Tesla T4" in said
    older = {"card": {"settings": {"precision": "float32"}}}
    assert chosen("auto", A100, older) == ("float32", "")


@pytest.mark.slow
def test_a_model_trained_in_half_precision_resumes_and_is_exported_in_float32(
    data, monkeypatch, capsys
):
    constant = ["--schedule", "constant"]
    with monkeypatch.context() as patch:
        patch.setattr(accelerator, "find", lambda: A100)
        train_tiny("--epochs", "1", *constant)
    try:
        assert "training in mixed_bfloat16 on gpu NVIDIA A100" in capsys.readouterr().err
        with pytest.raises(InputError, match="mixed_bfloat16 then, float32 now"):
            train_tiny("--epochs", "2", *constant, "--precision", "float32", "--resume")
        train_tiny("--epochs", "2", *constant, "--resume")
    finally:
        keras.config.set_dtype_policy("float32")
    assert "resumed on cpu, in mixed_bfloat16" in capsys.readouterr().err
    card = json.loads((data / "artifacts/hair.json").read_text())
    assert card["settings"]["precision"] == "mixed_bfloat16" and card["device"] == str(A100)

    trained = nets.load("artifacts/hair.keras")
    assert trained.get_layer("conv").compute_dtype == "bfloat16"
    assert trained.outputs[0].dtype == "float32"
    tf_converter.main(["artifacts/hair.keras"])
    images = np.load("data/images-32.npy")
    exported = predictor.load("artifacts/hair.tflite")(images)
    assert exported.dtype == np.float32 and exported.std() > 0.01
    np.testing.assert_allclose(exported, predictor.load("artifacts/hair.keras")(images), atol=1e-5)
    np.testing.assert_allclose(exported, trained.predict(images, verbose=0), atol=0.05)
