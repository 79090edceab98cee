"""A network from outside, through every command: one file, one row of a table, this test."""

import json

import numpy as np
import pytest
from PIL import Image

import coreml_converter
import evaluate
import nets
import predict
import tf_converter
import train_full
import train_transfer

pytestmark = pytest.mark.slow

WIDE = {"pb": "hair.pb", "tflite": "hair.tflite", "saved_model": "hair.saved_model"}


def result(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_network_from_outside_goes_through_every_command(data, capsys):
    assert "tiny" in nets.NETWORKS  # by `tiny_network.register`
    arrays = ["--img_file", "data/images-32.npy"]
    options = ["--model", "tiny", "-b", "4"]
    train_full.main([*arrays, *options, "--alpha", "0.5", "--epochs", "3", "-o", "out/hair.keras"])
    card = result(capsys)
    assert card["network"] == "tiny" and card["arguments"]["alpha"] == 0.5
    transfer = ["--weights", "out/hair.keras", "--transfer_epochs", "1", "--fine_tune_epochs", "1"]
    train_transfer.main([*arrays, *options, *transfer, "-o", "out/again.keras"])
    assert list(result(capsys)["stages"]) == ["transfer", "fine_tune"]

    evaluate.main(["out/hair.keras", *arrays])
    measured = result(capsys)["iou"]["hair"]
    image = np.load("data/images-32.npy")[0]
    Image.fromarray(image).save("one.png")
    predict.main(["out/hair.keras", "one.png", "-o", "predictions"])
    assert Image.open("predictions/one_mask.png").size == (32, 32)
    capsys.readouterr()

    assert not tf_converter.main(["out/hair.keras", "--format", *WIDE, "--check_images", "."])
    assert [written["path"] for written in result(capsys)["files"]] == [
        f"out/{name}" for name in WIDE.values()
    ]
    assert not coreml_converter.main(["out/hair.keras", "--check_images", "."])
    capsys.readouterr()
    for export in ("hair.tflite", "hair.mlpackage"):
        evaluate.main([f"out/{export}", *arrays])
        assert result(capsys)["iou"]["hair"] == pytest.approx(measured, abs=0.02)

    for converter, suffix in ((tf_converter, ".tflite"), (coreml_converter, ".mlpackage")):
        converter.main(["--untrained", "--model", "tiny", "--alphas", "0.5", "-o", "grid"])
        names = [each["path"] for each in result(capsys)["untrained"]]
        assert names == [f"grid/tiny_{side:03d}_050{suffix}" for side in nets.grid_sizes("tiny")]
