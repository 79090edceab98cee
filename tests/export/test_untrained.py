"""Exports with random weights: their names, their sizes, and that they run."""

import json
from pathlib import Path

import pytest

import coreml_converter
import nets
import tf_converter
from segmentation.errors import InputError
from segmentation.export import untrained
from segmentation.inference import predictor


def test_untrained_networks_have_names_that_sort():
    found = dict(untrained.networks("mobile_unet", [(32, 32), (32, 64)], [0.25, 0.5]))
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


def test_a_preset_is_named_and_has_its_arguments():
    (named,) = untrained.networks("unet", [(64, 64)], [0.5], "fast")
    preset = {key: value for key, value in nets.PRESETS["fast"].items() if key != "model"}
    expected = nets.build("unet", (64, 64), 1, **preset | {"alpha": 0.5})
    assert named[0] == "unet_fast_064_050_050"
    assert named[1].count_params() == expected.count_params()


def test_a_network_without_a_decoder_is_named_by_its_size_and_width():
    ((name, model),) = untrained.networks("icnet", [(192, 224)], [0.25])
    assert name == "icnet_192x224_025"
    assert model.output_shape == (None, 48, 56, 1)  # without the heads
    with pytest.raises(
        InputError, match="icnet 160x160, alpha 0.25: .*multiples of 32, at least 192"
    ):
        list(untrained.networks("icnet", [(160, 160)], [0.25]))


@pytest.mark.slow
def test_untrained_networks_have_the_sizes_that_suit_them():
    names = [name for name, _ in untrained.networks("icnet", [], [0.25])]
    assert names == ["icnet_768_025", "icnet_384_025", "icnet_192_025"]
    for network in ("mobile_unet", "mobile_pspnet"):
        assert nets.grid_sizes(network) == (224, 192, 160, 128)
    for network in nets.NETWORKS:
        side = min(nets.grid_sizes(network))
        assert nets.build(network, (side, side), 1, alpha=0.25).input_shape[1] == side
        assert all(each % 32 == 0 for each in nets.grid_sizes(network))


@pytest.mark.slow
@pytest.mark.parametrize("command", [tf_converter, coreml_converter])
def test_untrained_exports_run_and_carry_their_size(command, tmp_path, capsys):
    arguments = ["--sizes", "32x64", "--alphas", "0.25", "-o", str(tmp_path)]
    assert not command.main(["--untrained", *arguments])
    (written,) = json.loads(capsys.readouterr().out.splitlines()[-1])["untrained"]
    found = predictor.load(written["path"])
    assert found.path.stem == "mobile_unet_032x064_025_025"
    assert found.img_size == (32, 64) and found.classes.names == ("untrained",)
    contract = Path(f"{found.path}.contract.md").read_text()
    assert "RGB image of 64 x 32 pixels" in contract or "[1, 32, 64, 3], RGB" in contract
    assert "| weights | random" in contract and "| 1 | untrained |" in contract


def test_a_grid_with_a_wrong_size_is_not_begun(tmp_path):
    arguments = ["--model", "icnet", "--sizes", "192", "160", "--alphas", "0.25"]
    with pytest.raises(InputError, match="icnet 160x160"):
        tf_converter.main(["--untrained", *arguments, "-o", str(tmp_path / "grid")])
    assert not (tmp_path / "grid").exists()
