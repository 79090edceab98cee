"""The precision sweep: every precision of an export in one table."""

import json

import numpy as np
import pytest

import coreml_converter
import tf_converter
from segmentation import files
from segmentation.data import arrays
from segmentation.errors import ExportError
from segmentation.export import precision_sweep
from segmentation.export.options import Options
from segmentation.inference import predictor


def test_each_export_is_written_measured_and_listed_and_a_refused_one_is_named(
    trained, tmp_path, capsys
):
    def write(path, options):
        if path.stem == "worse":
            raise ExportError("worse.keras: differs")
        path.write_bytes((trained / "hair.keras").read_bytes())
        comparison = {"largest_difference": 0.002, "mask_iou": 0.98765, "decided_iou": 1.0}
        return comparison | {"checked_on": "photos (3)"}

    exports = {tmp_path / f"{name}.keras": Options("float16") for name in ("good", "worse")}
    rows = precision_sweep.sweep(write, exports, lambda predict: 0.75)
    precision_sweep.save(tmp_path / "ladder", rows)
    good, worse = rows
    size = files.size(tmp_path / "good.keras")
    assert good["megabytes"] == size / 1e6 and good["milliseconds"] > 0
    assert (good["truth_iou"], good["refused"], good["precision"]) == (0.75, None, "float16")
    assert worse["refused"] == "worse.keras: differs" and worse["megabytes"] is None
    assert "error: worse.keras: differs\n" in capsys.readouterr().err
    line = "largest difference and mask IoU: float16 on photos (3)"
    assert precision_sweep.checked_on(rows) == line
    assert json.loads((tmp_path / "ladder.json").read_text()) == rows
    lines = (tmp_path / "ladder.md").read_text().splitlines()
    assert len(lines) == 4 and all(line.count("|") == lines[0].count("|") for line in lines)
    assert "| good.keras | " in lines[2] and "| 2.0e-03 | 0.9877 | 0.7500 |" in lines[2]
    assert lines[3] == "| worse.keras | refused | — | — | — | — |"


def test_the_ground_truth_scores_the_class_of_a_model_and_the_mean_of_several(trained):
    opened = arrays.open_arrays(trained / "images-32x64.npy")
    source = predictor.load(trained / "hair.keras")
    score = precision_sweep.ground_truth(source, opened)
    assert score(source) == 1  # the masks are its own
    inverted = np.where(np.asarray(opened.masks) == 1, 0, 1).astype(np.uint8)
    other = arrays.Arrays(opened.images, inverted, opened.stems, opened.groups, opened.labels)
    score = precision_sweep.ground_truth(source, other)
    assert score(source) == 0


@pytest.mark.slow
def test_the_sweep_of_tflite_has_three_precisions_measured_on_the_data(trained, swept):
    rows = {row["precision"]: row for row in swept.result["ladder"]}
    assert list(rows) == ["float32", "float16", "int8"]
    assert rows["float32"]["truth_iou"] == 1 and rows["float32"]["largest_difference"] < 1e-5
    assert rows["float16"]["megabytes"] < 0.7 * rows["float32"]["megabytes"]
    folder = swept.folder
    assert (folder / "hair_float32.tflite").is_file()
    assert (folder / "hair_float32.tflite.contract.md").is_file()
    assert (folder / "hair_float32.json").read_text() == (trained / "hair.json").read_text()
    table = (folder / "ladder-tflite.md").read_text()
    assert table.endswith(
        "\nlargest difference and mask IoU: float32, float16 on synthetic images (8); int8 on some "
        "of the images that it was calibrated on (8)\n"
    )
    for row in rows.values():
        assert (folder / row["file"]).exists() and row["refused"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["--untrained"],
        ["--untrained", "a.keras", "-o", "grid"],
        ["--untrained", "-o", "grid", "--upsampling", "bilinear"],
        ["--untrained", "-o", "grid", "--alphas", "0.12", "0.121"],
        ["a.keras", "--ladder", "l", "--quantize", "float16"],
        ["a.keras", "--ladder", "l", "-o", "b"],
        ["a.keras", "--sizes", "64"],
        ["a.keras", "--img_file", "images-32.npy"],
        ["a.keras", "--split", "validation"],
    ],
)
@pytest.mark.parametrize("command", [tf_converter, coreml_converter])
def test_options_of_other_modes_are_refused(command, arguments, capsys):
    with pytest.raises(SystemExit) as failure:
        command.parse_args(arguments)
    assert failure.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
