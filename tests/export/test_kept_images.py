"""Exports of a model whose run kept check images: what is checked and calibrated on what."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import coreml_converter
import tf_converter
from segmentation import model_card
from segmentation.data import arrays, check_images
from segmentation.data.dataset import Subset
from segmentation.errors import InputError
from segmentation.export.job import Exporter
from segmentation.inference import predictor
from tiny_models import IMG_SIZE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="the exports are traced by TensorFlow"
    ),
]
OF_THE_RUN = "validation images of the run (4)"


@pytest.fixture
def kept(trained, tmp_path):
    """`hair.keras` with its card and check images: 4 for the check, 8 for int8."""
    path = tmp_path / "hair.keras"
    shutil.copy(trained / "hair.keras", path)
    data = arrays.open_arrays(trained / "images-32x64.npy")
    check, calibration = Subset(data, range(0, 12, 3)), Subset(data, [1, 2, 4, 5, 7, 8, 10, 11])
    chosen = check_images.Chosen(check, calibration, check)
    fingerprint = check_images.write(path, chosen, IMG_SIZE)
    card = model_card.read(trained / "hair.keras")
    model_card.write(path, card | {"check_images": fingerprint})
    return path


def result(capsys):
    captured = capsys.readouterr()
    return json.loads(captured.out.splitlines()[-1]), captured


def test_they_check_every_export_and_calibrate_int8_each_with_its_part(kept, capsys):
    assert tf_converter.main([str(kept), "--quantize", "int8"]) == 0
    found, captured = result(capsys)
    assert "calibrating on 8 images of the run" in captured.err
    assert captured.out.count(f" on {OF_THE_RUN}\n") == 2
    assert [file["checked_on"] for file in found["files"]] == [OF_THE_RUN] * 2
    assert found["files"][1]["calibration_pictures"] == 8
    for name in ("hair.pb", "hair.tflite"):
        assert f" on {OF_THE_RUN} |" in Path(f"{kept.parent}/{name}.contract.md").read_text()
    exporter = Exporter.of_trained(predictor.load(kept))
    both = np.concatenate([exporter.images, exporter.calibration])
    assert len({image.tobytes() for image in both}) == 12


def test_core_ml_is_checked_on_them_too(kept, capsys):
    assert not coreml_converter.main([str(kept)])
    assert result(capsys)[0]["checked_on"] == OF_THE_RUN


def test_a_folder_of_others_wins(kept, tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    for level in (0, 200):
        Image.new("RGB", (9, 9), (level, 90, 30)).save(photos / f"{level}.png")
    others = ["--check_images", str(photos), "--format", "tflite"]
    assert tf_converter.main([str(kept), *others]) == 0
    assert result(capsys)[0]["files"][0]["checked_on"] == f"images of {photos} (2)"
    exporter = Exporter.of_trained(predictor.load(kept), photos)
    assert exporter.images[:, 0, 0, 0].tolist() == [0, 200] and len(exporter.calibration) == 8


@pytest.mark.long
def test_a_sweep_needs_no_other_images(kept, tmp_path, capsys):
    assert tf_converter.main([str(kept), "--ladder", str(tmp_path / "l")]) == 0
    rows = result(capsys)[0]["ladder"]
    assert [row["checked_on"] for row in rows] == [OF_THE_RUN] * 3
    table = (tmp_path / "l/ladder-tflite.md").read_text()
    assert f"mask IoU: float32, float16, int8 on {OF_THE_RUN}\n" in table


def test_without_those_of_the_run_int8_needs_photos_and_the_check_says_what_it_used(kept, capsys):
    folder = check_images.path_beside(kept)
    (folder / "check_00.jpg").unlink()
    with pytest.raises(InputError, match="hair.keras: its run kept no images, so int8 needs --cal"):
        tf_converter.main([str(kept), "--quantize", "int8"])
    assert "hair.check: left out: not the images of the run" in capsys.readouterr().err
    shutil.rmtree(folder)
    assert tf_converter.main([str(kept), "--format", "pb"]) == 0
    assert result(capsys)[0]["files"][0]["checked_on"] == "synthetic images (8)"
    with pytest.raises(InputError, match="its run kept no images"):
        tf_converter.main([str(kept), "--quantize", "int8"])
