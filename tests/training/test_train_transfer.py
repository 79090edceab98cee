"""Runs of two stages: what is frozen, what follows, and that they resume to the same weights."""

import json

import keras
import numpy as np
import pytest

import nets
import train_full
import train_transfer
from segmentation import model_card
from segmentation.errors import InputError
from segmentation.training import checkpoint
from tiny_network import history

pytestmark = pytest.mark.slow

OPTIONS = ["--img_file", "data/images-32.npy", "--model", "tiny", "-b", "4"]


@pytest.fixture
def earlier(data):
    """A network to begin with, whose file is `earlier.keras`."""
    model = nets.build("tiny", (32, 32), 1)
    statistics = model.get_layer("conv_bn")
    statistics.moving_mean.assign(statistics.moving_mean + 0.1)
    model.save("earlier.keras")
    return model


def transfer(*options):
    train_transfer.main([*OPTIONS, "--weights", "earlier.keras", *options])


def arrays(model, name):
    return [np.asarray(weight) for weight in model.get_layer(name).weights]


def test_the_encoder_and_its_statistics_stand_still_in_the_first_stage(earlier):
    transfer("--stage", "transfer", "--transfer_epochs", "2", "-o", "out/new.keras")
    new = nets.load("out/new.keras")
    for name in ("conv", "conv_bn"):
        for before, after in zip(arrays(earlier, name), arrays(new, name), strict=True):
            np.testing.assert_array_equal(before, after)
    assert not np.array_equal(arrays(earlier, "score")[0], arrays(new, "score")[0])


def test_the_second_stage_trains_all_at_a_lower_learning_rate_and_goes_on_when_it_gets_longer(
    earlier, data, capsys
):
    options = ["--transfer_epochs", "2", "--schedule", "constant", "--lr", "0.01"]
    transfer(*options, "--fine_tune_epochs", "1", "-o", "out/new.keras")
    card = json.loads((data / "out/new.json").read_text())
    assert card["stages"] == {"transfer": 1, "fine_tune": 3}
    with np.load(data / "out/new.ckpt/state.npz") as state:
        moved = state["variable_0"]  # the first convolution, after the last epoch
    assert moved.shape == (3, 3, 3, 8)
    assert not np.array_equal(moved, arrays(earlier, "conv")[0])

    transfer(*options, "--fine_tune_epochs", "1", "-o", "out/new.keras", "--resume")
    assert "this run is finished" in capsys.readouterr().err
    transfer(*options, "--fine_tune_epochs", "2", "-o", "out/new.keras", "--resume")
    assert "fine_tune epoch 4/4" in capsys.readouterr().err
    found = [float(row["learning_rate"]) for row in history(data / "out/new.csv")]
    assert found == pytest.approx([0.01, 0.01, 0.005, 0.005])


def test_what_stays_frozen_in_the_second_stage_is_chosen_by_name(earlier, data):
    transfer("--fine_tune_epochs", "1", "--stage", "fine_tune", "--freeze_until", "conv")
    new = nets.load("artifacts/hair.keras")
    for name in ("conv", "conv_bn"):
        for before, after in zip(arrays(earlier, name), arrays(new, name), strict=True):
            np.testing.assert_array_equal(before, after)
    assert not np.array_equal(arrays(earlier, "score")[0], arrays(new, "score")[0])


def test_what_would_be_frozen_must_be_loaded_and_the_width_is_that_of_the_weights(data, capsys):
    narrow = nets.build("tiny", (32, 32), 1, alpha=0.5)
    narrow.save("earlier.keras")
    card = {"img_size": [32, 32], "classes": ["hair"], "colors": [[255, 0, 0]], "network": "tiny"}
    model_card.write("earlier.keras", card | {"arguments": {"alpha": 0.5}})
    transfer("--stage", "transfer", "--transfer_epochs", "1", "-o", "out/new.keras")
    assert nets.load("out/new.keras").get_layer("conv").filters == 4
    assert "classes of score    1  hair" in capsys.readouterr().err
    new = json.loads((data / "out/new.json").read_text())
    assert new["earlier_model"] == {"model": "earlier.keras", "validation_pictures_seen": None}

    others = sorted({*range(20)} - {*new["validation_rows"]})[:4]
    card |= {"arguments": {"alpha": 0.5}, "data": new["data"], "validation_rows": others}
    model_card.write("earlier.keras", card)
    train_full.main(
        [*OPTIONS, "-n", "1", "--fine_tune_checkpoint", "earlier.keras", "-o", "out/all.keras"]
    )
    assert nets.load("out/all.keras").get_layer("conv").filters == 4
    err = capsys.readouterr().err
    assert "weights of earlier.keras" in err
    assert "the model to begin with was trained on 4 of the images that this run validates" in err

    narrow.get_layer("conv").name = "other"
    narrow.save("earlier.keras")
    with pytest.raises(InputError, match="1 of the layers that would be frozen .*conv first"):
        transfer("-o", "out/two.keras")


class Killed(BaseException):
    """The end of a process, as it looks from inside."""


@pytest.mark.parametrize(
    "options,stages",
    [
        (["--transfer_epochs", "2", "--clip_norm", "1", "--ema"], {"transfer": 1, "fine_tune": 3}),
        # A first stage that learns nothing, and is cut short in its second epoch of four.
        pytest.param(
            ["--transfer_epochs", "4", "--patience", "1", "--lr", "1e-9", "--fine_tune_lr", "0.01"],
            {"transfer": 1, "fine_tune": 3},
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_run_killed_in_both_stages_and_between_them_resumes_to_the_same_weights(
    earlier, data, monkeypatch, options, stages
):
    options = [*options, "--fine_tune_epochs", "2"]
    transfer(*options, "-o", "out/whole.keras")
    whole_save, saved = checkpoint.save, []

    def save(*given):
        saved.append(given)
        if len(saved) % 2 == 0:
            raise Killed
        whole_save(*given)

    # Before every second checkpoint; once, it goes on from the end of the first stage.
    monkeypatch.setattr(checkpoint, "save", save)
    for resume in ([], ["--resume"], ["--resume"], ["--resume"]):
        if resume:
            (data / "earlier.keras").write_text("no model")  # it is not needed any more
        keras.backend.clear_session()
        try:
            transfer(*options, "-o", "out/parts.keras", *resume)
        except Killed:
            continue
        break
    assert json.loads((data / "out/parts.json").read_text())["stages"] == stages
    whole, parts = (np.load(data / f"out/{name}.ckpt/state.npz") for name in ("whole", "parts"))
    assert whole.files == parts.files
    for key in whole:
        if key != "run":
            np.testing.assert_array_equal(whole[key], parts[key], err_msg=key)
    cards = [json.loads((data / f"out/{name}.json").read_text()) for name in ("whole", "parts")]
    for card in cards:
        for measured in (card, card["metrics"]):
            measured.pop("data_wait")
        card["metrics"].pop("seconds")
    assert cards[0] == cards[1]
    models = [nets.load(f"out/{name}.keras").get_weights() for name in ("whole", "parts")]
    for one, two in zip(*models, strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_averaged_weights_are_validated_and_kept_but_not_trained_on(data):
    train_full.main([*OPTIONS, "--epochs", "1", "--ema", "-o", "out/ema.keras"])
    train_full.main([*OPTIONS, "--epochs", "1", "-o", "out/plain.keras"])
    kept, plain = (nets.load(f"out/{name}.keras") for name in ("ema", "plain"))
    trained = np.load(data / "out/ema.ckpt/state.npz")["variable_0"]
    np.testing.assert_allclose(trained, arrays(plain, "conv")[0], atol=1e-6)
    assert np.abs(arrays(kept, "conv")[0] - trained).max() > 1e-4
    rows = [history(data / f"out/{name}.csv")[0] for name in ("ema", "plain")]
    assert rows[0]["val_loss"] != rows[1]["val_loss"]


def test_a_face_beside_the_hair_is_learned_in_training_and_gone_afterwards(data):
    masks = np.load(data / "data/masks-32.npy")
    masks[:, 20:] = 2  # a face, which is blue
    images = np.load(data / "data/images-32.npy")
    images[masks == 2, 2] = 255
    np.save(data / "data/masks-32.npy", masks)
    np.save(data / "data/images-32.npy", images)
    options = ["--aux_classes", "face", "--aux_weight", "2", "--loss", "crossentropy"]
    options += ["--class_weights", "balanced", "--epochs", "10", "--lr", "0.05", "--no_augment"]
    train_full.main([*OPTIONS, *options, "-o", "out/a.keras"])
    first, *_, last = history(data / "out/a.csv")
    assert float(last["aux_loss"]) < 0.7 * float(first["aux_loss"])
    assert float(last["loss"]) == pytest.approx(
        float(last["mask_loss"]) + 2 * float(last["aux_loss"]), rel=1e-3
    )
    state = np.load(data / "out/a.ckpt/state.npz")
    trained = nets.with_aux_head(nets.build("tiny", (32, 32), 1), 1)
    for index, variable in enumerate(trained.variables):
        variable.assign(state[f"variable_{index}"])
    hair, face = trained.predict(images[:4].astype("float32"), verbose=0)
    both = [scores[masks[:4] == 2].mean() for scores in (hair[..., 0], face[..., 0])]
    assert both[0] < 0.5 < both[1]
    plain = nets.build("tiny", (32, 32), 1).count_params()
    kept = nets.load("out/a.keras")
    assert nets.inference_model(kept).count_params() == plain < kept.count_params()
    assert json.loads((data / "out/a.json").read_text())["parameters"] == plain


@pytest.mark.parametrize(
    "options,message",
    [
        (["--freeze_until", "conv_9"], "--freeze_until: .*conv_9"),
        (["--freeze_until", "mask"], "--freeze_until mask: leaves nothing to train"),
        (["--freeze_until", "mask", "--aux_classes", "face"], "mask: leaves nothing to train"),
        (["--freeze_until", "image"], "--freeze_until image: leaves everything to train"),
        (["-o", "earlier.keras"], "earlier.keras: would overwrite its own weights"),
        (["--weights", "imagenet", "-o", "imagenet.keras"], "no ImageNet weights for tiny"),
        (["--weights", "nowhere.keras"], "nowhere.keras: no such file"),
        (["--aux_classes", "face"], "no training image shows face"),
        (["--aux_classes", "hair"], "--aux_classes hair: learned already"),
    ],
)
def test_mistakes_get_one_line_before_anything_is_trained(earlier, data, options, message):
    with pytest.raises(InputError, match=message) as error:
        transfer("-o", "out/new.keras", *options)
    assert "\n" not in str(error.value)
    assert not (data / "out/new.keras").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--stage", "transfer", "--freeze_until", "conv"],
        ["--stage", "transfer", "--fine_tune_lr", "0.1"],
        ["--stage", "fine_tune", "--lr", "0.1"],
        ["--aux_weight", "0.3"],
        ["--warm_up", "0.1", "--schedule", "constant"],
        ["--validation_split", "0.1", "--val_img_file", "others.npy"],
    ],
)
def test_options_that_do_not_go_together_are_refused(options):
    with pytest.raises(SystemExit) as end:
        train_transfer.parse_args(options)
    assert end.value.code == 2
