"""From data to a phone as a person types it, and the command lines of the older projects."""

import json
import shlex

import numpy as np
import pytest
from PIL import Image

import data
import evaluate
import nets
import predict
import printed
import tf_converter
import tiny_network
import train_full
from nets import icnet
from segmentation.inference import predictor
from segmentation.synthetic import room_dataset
from segmentation.synthetic.portraits import portrait
from tiny_models import SHALLOW_ICNET, quick_model, save

pytestmark = pytest.mark.slow


def last_line(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_from_synthetic_portraits_to_files_for_a_phone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data.main(["sample", "--out_dir", "raw", "--count", "24", "--seed", "1"])
    data.main(["lfw", "--data_dir", "raw", "--out_dir", "data", "--img_size", "32"])
    assert last_line(capsys)["pictures"] == 24
    options = ["--img_file", "data/images-32.npy", "--alpha", "0.25", "-b", "4", "-n", "6"]
    train_full.main([*options, "-o", "out/hair.keras"])
    card = last_line(capsys)
    evaluate.main(["out/hair.keras", "--img_file", "data/images-32.npy", "--split", "validation"])
    scores = last_line(capsys)
    # What training reported of its best epoch is what evaluation measures on the same pictures.
    assert scores["pictures"] == len(card["validation_rows"])
    assert scores["iou"]["hair"] == pytest.approx(card["metrics"]["val_iou_hair"], abs=1e-4)
    predict.main(["out/hair.keras", "raw/images/0001.jpg", "-o", "pictures"])
    with Image.open("pictures/0001_mask.png") as mask:
        assert mask.size == (250, 250) and set(np.unique(mask)) <= {0, 1}
    tf_converter.main(["out/hair.keras"])
    pictures = np.stack([portrait(1, index)[0][:32, :32] for index in range(2)])
    expected = predictor.load("out/hair.keras")(pictures)
    for name in ("hair.tflite", "hair.pb"):
        exported = predictor.load(f"out/{name}")
        assert exported.classes.names == ("hair",)
        np.testing.assert_allclose(exported(pictures), expected, atol=1e-5)


def older_command_lines():
    return printed.blocks(printed.ROOT / "docs" / "older-projects.md")[0]


def calm(path):
    """Bring the scores of a network of one step near each other: its features are chaotic still."""
    model = nets.load(path)
    score = model.get_layer("mask_score")
    score.set_weights([0.01 * array for array in score.get_weights()])
    model.save(path)


@pytest.mark.long
def test_the_command_lines_of_the_older_projects_work_as_the_documentation_prints_them(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(icnet, "STAGES", SHALLOW_ICNET)
    # The test above trains and converts a MobileUNet; what these lines say is read before.
    tiny_network.register(monkeypatch.setitem)
    monkeypatch.setitem(nets.NETWORKS, "mobile_unet", nets.NETWORKS["tiny"])
    data.main(["sample", "--out_dir", "data/raw", "--count", "30", "--seed", "2"])
    room_dataset.write_rooms(".", 10, 1)
    # A model of an older name, so sure of itself that rounding to half precision flips no pixel.
    model = quick_model(1)
    model.get_layer("score").bias.assign([20.0])
    (tmp_path / "artifacts").mkdir()
    save(model, tmp_path / "artifacts" / "model.h5")
    ran = []
    for line in older_command_lines():
        python, script, *options = shlex.split(line)
        assert python == "python"
        command = __import__(script.removesuffix(".py"))
        if command is train_full:  # as printed, but for the time that it takes
            size = ["-s", "192"] if "-d" in options else []
            options += ["-n", "1", "--alpha", "0.25", "--optimizer", "sgd", *size]
        assert not command.main(options), line
        if "-d" in options:
            calm("room/room_icnet_768x768_025.h5")
        ran.append(script)
    hair = ["data.py", "train_full.py", "coreml_converter.py", "tf_converter.py"]
    assert ran == [*hair, "data.py", "train_full.py", "coreml_converter.py"]
    made = {path.name for path in (tmp_path / "artifacts").iterdir()}
    assert {"hair.keras", "model.mlpackage", "model.pb"} <= made
