"""The table of all variants of an export, and the grid of untrained networks."""

import json
from pathlib import Path

import numpy as np
import pytest

import coreml_converter
import nets
import tf_converter
from segmentation import files
from segmentation.data import arrays
from segmentation.errors import ExportError, InputError
from segmentation.export import precision_sweep
from segmentation.inference import predictor
from segmentation.probabilities import to_mask
from tiny_models import IMG_SIZE, save, tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of one class with its card, and arrays whose masks are what it predicts."""
    folder = tmp_path_factory.mktemp("ladder")
    path = save(tiny_model(1), folder / "hair.keras")
    images = np.random.default_rng(0).integers(0, 256, (6, *IMG_SIZE, 3), dtype=np.uint8)
    masks = to_mask(predictor.load(path)(images))
    np.save(folder / "images-32.npy", images)
    np.save(folder / "masks-32.npy", masks)
    (folder / "names-32.txt").write_text("".join(f"p{row}\t\n" for row in range(6)))
    (folder / "labels.txt").write_text("idx\tlabel\n0\tbackground\n1\thair\n")
    return folder


def test_each_variant_is_written_measured_and_listed_and_a_refused_one_is_named(folder, tmp_path):
    def write(path, precision):
        if precision == "worse":
            raise ExportError("worse.keras: differs")
        path.write_bytes((folder / "hair.keras").read_bytes())
        return {"largest_difference": 0.002, "mask_iou": 0.98765, "decided_iou": 1.0}

    paths = {name: tmp_path / f"{name}.keras" for name in ("good", "worse")}
    said = []
    picture = np.load(folder / "images-32.npy")[0]
    rows = precision_sweep.climb(
        tmp_path / "ladder", paths, write, picture, lambda predict: 0.75, said.append
    )
    good, worse = rows
    assert good["megabytes"] == files.size(paths["good"]) / 1e6 and good["milliseconds"] > 0
    assert (good["truth_iou"], good["refused"]) == (0.75, None)
    assert worse["refused"] == "worse.keras: differs" and worse["megabytes"] is None
    assert "error: worse.keras: differs" in said
    assert json.loads((tmp_path / "ladder.json").read_text()) == rows
    lines = (tmp_path / "ladder.md").read_text().splitlines()
    assert len(lines) == 4 and all(line.count("|") == lines[0].count("|") for line in lines)
    assert "| good.keras | " in lines[2] and "| 2.0e-03 | 0.9877 | 0.7500 |" in lines[2]
    assert lines[3] == "| worse.keras | refused | — | — | — | — |"


def test_the_ground_truth_scores_the_class_of_a_model_and_the_mean_of_several(folder, tmp_path):
    opened = arrays.open_arrays(folder / "images-32.npy")
    reference = predictor.load(folder / "hair.keras")
    score = precision_sweep.ground_truth(reference, opened)
    assert score(reference) == 1  # the masks are its own
    inverted = np.where(np.asarray(opened.masks) == 1, 0, 1).astype(np.uint8)
    other = arrays.Arrays(opened.images, inverted, opened.stems, opened.groups, opened.labels)
    score = precision_sweep.ground_truth(reference, other)
    assert score(reference) == 0


def test_untrained_networks_have_names_that_sort(folder):
    found = dict(precision_sweep.untrained("mobile_unet", [(32, 32), (32, 64)], [0.25, 0.5]))
    assert list(found) == [
        "mobile_unet_032_025_025",
        "mobile_unet_032_050_025",
        "mobile_unet_032x064_025_025",
        "mobile_unet_032x064_050_025",
    ]
    assert list(found) == sorted(found)
    assert found["mobile_unet_032x064_050_025"].input_shape == (None, 32, 64, 3)
    small, large = list(found.values())[:2]
    assert small.count_params() < large.count_params()


def test_a_network_without_a_decoder_is_named_by_its_size_and_width():
    ((name, model),) = precision_sweep.untrained("icnet", [(192, 224)], [0.25])
    assert name == "icnet_192x224_025"
    assert model.output_shape == (None, 48, 56, 1)  # without the heads
    with pytest.raises(
        InputError, match="icnet 160x160, alpha 0.25: .*multiples of 32, at least 192"
    ):
        list(precision_sweep.untrained("icnet", [(160, 160)], [0.25]))


def test_untrained_networks_have_the_sizes_that_suit_them():
    names = [name for name, _ in precision_sweep.untrained("icnet", [], [0.25])]
    assert names == ["icnet_768_025", "icnet_384_025", "icnet_192_025"]
    for network in nets.NETWORKS:
        for side in nets.grid_sizes(network):
            assert nets.build(network, (side, side), 1, alpha=0.25).input_shape[1] == side


def test_the_tflite_ladder_has_three_rungs_measured_on_the_data(folder, tmp_path, capsys):
    images = str(folder / "images-32.npy")
    arguments = ["--ladder", str(tmp_path), "--calibration_images", images, "--img_file", images]
    tf_converter.main([str(folder / "hair.keras"), *arguments])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    rows = {row["precision"]: row for row in result["ladder"]}
    assert list(rows) == ["float32", "float16", "int8"]
    assert rows["float32"]["truth_iou"] == 1 and rows["float32"]["largest_difference"] < 1e-5
    assert rows["float16"]["megabytes"] < 0.7 * rows["float32"]["megabytes"]
    assert (tmp_path / "hair_float32.tflite").is_file()
    assert (tmp_path / "hair_float32.tflite.contract.md").is_file()
    assert (tmp_path / "hair_float32.json").read_text() == (folder / "hair.json").read_text()
    assert (tmp_path / "ladder-tflite.md").is_file()
    for row in rows.values():  # random weights may not survive int8
        assert (tmp_path / row["file"]).exists() == (row["refused"] is None)


@pytest.mark.parametrize("command", [tf_converter, coreml_converter])
def test_untrained_exports_run_and_carry_their_size(command, tmp_path, capsys):
    arguments = ["--sizes", "32x64", "--alphas", "0.25", "-o", str(tmp_path)]
    assert not command.main(["--untrained", *arguments])
    (written,) = json.loads(capsys.readouterr().out.splitlines()[-1])["untrained"]
    found = predictor.load(written["path"])
    assert found.path.stem == "mobile_unet_032x064_025_025"
    assert found.img_size == (32, 64) and found.classes.names == ("untrained",)
    contract = Path(f"{found.path}.contract.md").read_text()
    assert "RGB picture of 64 x 32 pixels" in contract or "[1, 32, 64, 3], RGB" in contract
    assert "| weights | random" in contract and "| 1 | untrained |" in contract


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
