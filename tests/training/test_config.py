"""The options as one object, and what the model card keeps of them."""

import dataclasses
import json

import pytest

import nets
import tiny_network
import train_full
import train_transfer
from segmentation import model_card, probabilities
from segmentation.training import config, network, run_files, sources

pytestmark = pytest.mark.slow

OF_BOTH = {
    "img_size": [32, 32],
    "classes": None,
    "ignore_class": None,
    "validation_split": 0.2,
    "model": "tiny",
    "encoder": None,
    "output_stride": None,
    "alpha": None,
    "alpha_up": None,
    "depth_multiplier": None,
    "upsampling": None,
    "aux_classes": None,
    "aux_weight": None,
    "model_name": None,
    "teacher": None,
    "teacher_weight": None,
    "unlabelled_share": None,
    "steps_per_epoch": None,
    "batch_size": 4,
    "loss": "dice+crossentropy",
    "class_weights": None,
    "optimizer": "adamw",
    "lr": 0.008,
    "schedule": "cosine",
    "warm_up": None,
    "clip_norm": None,
    "ema": False,
    "augment": True,
    "flip_up_down": False,
    "precision": "float32",
    "patience": None,
    "seed": 0,
    "data": "9ae0057dc9b70e4d2c0f1af67e102f54c739e9039fd427d77c50b7512e06e296",
    "validation_data": "9ae0057dc9b70e4d2c0f1af67e102f54c739e9039fd427d77c50b7512e06e296",
}
SMALL = ["--img_file", "data/images-32.npy", "--model", "tiny", "-b", "4"]


def settings(data, path):
    found = json.loads((data / path).read_text())["settings"]
    for name in run_files.MASKS:  # newer, and not asked for where a run began without them
        assert len(found.pop(name)) == 8
    return found


def test_the_settings_of_train_full_are_those_of_older_cards(data):
    """A run that an older version began is resumed only if they are equal, key by key."""
    train_full.main([*SMALL, "--seed", "3", "--epochs", "1", "-o", "out/a.keras"])
    own = {"fine_tune_checkpoint": None, "epochs": 1, "num_steps": None}
    assert settings(data, "out/a.json") == OF_BOTH | own | {"seed": 3}

    options = ["--classes", "hair", "--class_weights", "balanced", "--no_augment", "--clip_norm"]
    options += ["1", "--fine_tune_checkpoint", "out/a.keras", "--model_name", "x", "-n", "1"]
    train_full.main([*SMALL, *options, "-o", "b.keras"])
    own = {"fine_tune_checkpoint": "a.keras", "epochs": None, "num_steps": 1, "classes": "hair"}
    own |= {"class_weights": {"background": 1.052415210688592, "hair": 0.9525581395348838}}
    own |= {"augment": False, "clip_norm": 1.0, "model_name": "x"}
    assert settings(data, "b.json") == OF_BOTH | own


def test_the_settings_of_train_transfer_are_those_of_older_cards(data):
    nets.build("tiny", (32, 32), 1).save("a.keras")
    options = ["--weights", str(data / "a.keras"), "--transfer_epochs", "1"]
    train_transfer.main([*SMALL, *options, "--fine_tune_epochs", "2", "--ema", "-o", "b.keras"])
    own = {"weights": "a.keras", "freeze_until": None, "stage": "both", "fine_tune_lr": 0.004}
    own |= {"transfer_epochs": 1, "fine_tune_epochs": 2, "ema": True}
    assert settings(data, "b.json") == OF_BOTH | own


def test_a_config_made_in_python_is_what_the_command_parses():
    parsed = train_full.parse_args(["--img_file", "a/images-32.npy", "--epochs", "3", "-o", "b.h5"])
    files = config.DataFiles(img_file="a/images-32.npy")
    made = config.FullConfig(files=files, model="mobile_unet", lr=8e-3, epochs=3, output="b.h5")
    assert parsed == made
    assert made.stages == [config.Stage("full", 3, 8e-3)] and made.initial_weights is None


@pytest.mark.parametrize("stage", ["both", "transfer", "fine_tune"])
def test_the_stages_of_transfer(stage):
    parsed = train_transfer.parse_args(["--stage", stage, "--weights", "none"])
    parsed = dataclasses.replace(parsed, transfer_epochs=2, fine_tune_epochs=28)
    both = [
        config.Stage("transfer", 2, 8e-3, freeze_until=nets.encoder_end("unet")),
        config.Stage("fine_tune", 28, 4e-3),
    ]
    assert parsed.stages == [each for each in both if stage in ("both", each.name)]
    assert parsed.initial_weights is None


@pytest.mark.parametrize(("weights", "lr"), [("imagenet", 2e-3), ("nowhere.keras", 4e-3)])
def test_weights_of_imagenet_are_fine_tuned_more_gently_than_those_of_a_model(weights, lr):
    parsed = train_transfer.parse_args(["--weights", weights])
    assert parsed.fine_tune_lr == lr and parsed.lr == 8e-3
    assert (
        train_transfer.parse_args(["--weights", weights, "--fine_tune_lr", "3"]).fine_tune_lr == 3
    )


def test_the_network_is_that_of_the_weights_and_else_unet(data):
    card = {"network": "icnet", "img_size": [32, 32], "classes": ["a"], "colors": [[0, 0, 0]]}
    model_card.write("a.keras", card)
    chosen = {
        ("--weights", "imagenet"): "unet",
        ("--weights", "none", "--tfrecord_data", "x.tfrecord"): "unet",
        ("--weights", "a.keras"): "icnet",
        ("--weights", "a.keras", "--model", "unet"): "unet",
        ("--weights", "mobilenet.h5"): "mobile_unet",
    }
    for options, network_name in chosen.items():
        assert train_transfer.parse_args([*options]).model == network_name
    assert train_full.parse_args([]).model == "mobile_unet"


def test_options_win_over_a_preset():
    preset = nets.PRESETS["fast"]
    parsed = train_full.parse_args(["--preset", "fast", "--alpha", "0.75"])
    assert (parsed.model, parsed.encoder) == (preset["model"], preset["encoder"])
    assert (parsed.alpha, parsed.alpha_up) == (0.75, preset["alpha_up"])


def test_a_frozen_encoder_without_weights_is_called_out(data, capsys):
    train_transfer.main(
        [*SMALL, "--weights", "none", "--transfer_epochs", "1", "--stage", "transfer"]
    )
    said = "the frozen encoder is randomly initialised"
    assert said in capsys.readouterr().err
    train_transfer.main(
        [*SMALL, "--weights", "none", "--fine_tune_epochs", "1", "--stage", "fine_tune"]
    )
    assert said not in capsys.readouterr().err


@pytest.mark.parametrize("card_of,expected", [("tiny", {"alpha": 0.5}), ("icnet", {})])
def test_the_arguments_are_those_of_an_earlier_model_of_the_same_network(
    monkeypatch, card_of, expected
):
    tiny_network.register(monkeypatch.setitem)
    card = {"network": card_of, "arguments": {"alpha": 0.5, "weights": None}}
    given = config.FullConfig(files=config.DataFiles(), model="tiny", lr=0.1)
    assert network.arguments(given, card) == expected
    given = config.FullConfig(files=config.DataFiles(), model="tiny", lr=0.1, alpha=2.0)
    assert network.arguments(given, card) == {"alpha": 2.0}
    assert network.arguments(given, None) == {"alpha": 2.0}


def test_validation_batches_hold_no_more_probabilities_than_fit(data, monkeypatch):
    monkeypatch.setattr(probabilities, "MAX_FLOATS", 32 * 32 * 2)
    parsed = train_full.parse_args(SMALL)
    model = nets.build("tiny", (32, 32), 1)
    found = sources.open_batches(parsed, sources.open_samples(parsed), model)
    assert (found.train.batch_size, found.validation.batch_size) == (4, 1)
