"""Distillation: its loss by hand, and runs with a teacher and with images without masks."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import nets
import train_full
import train_transfer
from segmentation import model_card
from segmentation.data.classes import Classes
from segmentation.errors import InputError
from segmentation.training import distillation, losses, teacher
from segmentation.training.config import LOSSES, DataFiles, FullConfig
from tiny_network import Tiny, history, save_constant

SMALL = ["--img_file", "data/images-32.npy", "--model", "tiny", "-b", "4", "--seed", "3"]


def value(student, says, single_class=True):
    """The loss of an image of one row of pixels."""
    y_pred = np.concatenate([student, says], axis=-1, dtype=np.float32)[None, None]
    loss = distillation.TeacherLoss(single_class)
    return float(loss(np.zeros((1, 1, len(says)), np.uint8), y_pred))


def test_the_loss_of_a_single_class_by_hand():
    half = [[0.5, 0.5]]
    # The divergence, and |p − t| / (p + t + 1) of the class
    kl = 0.25 * np.log(0.25 / 0.5) + 0.75 * np.log(0.75 / 0.5)
    assert value(half, [[0.25, 0.75]]) == pytest.approx(kl + 0.25 / 2.25)
    assert value(half, [[0, 1]]) == pytest.approx(np.log(2) + 0.5 / 2.5)
    assert value(half * 2, [[0, 1], [0.5, 0.5]]) == pytest.approx(np.log(2) / 2 + 0.5 / 3.5)
    assert value([[0.2, 0.8], [0.6, 0.4]], [[0.2, 0.8], [0.6, 0.4]]) == pytest.approx(0, abs=1e-6)


def test_the_loss_of_several_classes_by_hand():
    student, says = [[0.5, 0.25, 0.25]], [[0.5, 0.5, 0]]
    dice = np.mean([0, 0.25 / 1.75, 0.25 / 1.25])
    assert value(student, says, False) == pytest.approx(0.5 * np.log(2) + dice)


def test_a_certain_teacher_is_a_mask():
    rng = np.random.default_rng(0)
    mask = rng.integers(0, 3, (2, 4, 4)).astype(np.uint8)
    student = rng.dirichlet(np.ones(3), (2, 4, 4)).astype(np.float32)
    both = np.concatenate([student, np.eye(3, dtype=np.float32)[mask]], -1)
    expected = losses.build("dice+crossentropy").call(mask, student)
    found = distillation.TeacherLoss(single_class=False).call(mask, both)
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-5)


def test_a_pixel_counts_as_much_as_the_teacher_sees_of_the_classes_by_hand():
    kl = 0.25 * np.log(0.25 / 0.5) + 0.75 * np.log(0.75 / 0.5)
    # 0.4 of (0.5, 0.5) and (0.25, 0.75)
    assert value([[0.5, 0.5]], [[0.1, 0.3]]) == pytest.approx(0.4 * kl + 0.1 / (0.2 + 0.3 + 1))
    assert value([[0.5, 0.5]], [[0, 0]]) == 0


def test_it_is_finite_where_both_are_certain_of_something_else():
    assert np.isfinite(value([[0, 1]], [[1, 0]]))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("channels", [1, 3])
def test_images_without_masks_change_nothing_in_the_loss_of_those_with_masks(name, channels):
    rng = np.random.default_rng(0)
    true = rng.integers(0, max(2, channels), (3, 8, 8)).astype(np.uint8)
    pred = rng.dirichlet(np.ones(max(2, channels)), (5, 8, 8)).astype(np.float32)[..., -channels:]
    loss = losses.build(name)
    nothing = np.full((2, 8, 8), 255, np.uint8)
    assert np.asarray(loss.call(nothing, pred[3:])).tolist() == [0, 0]
    both = np.concatenate([true, nothing])
    over_labelled = losses.OverLabelled(loss)
    assert float(over_labelled(both, pred)) == pytest.approx(float(loss(true, pred[:3])), 1e-6)
    assert float(over_labelled(true, pred[:3])) == pytest.approx(float(loss(true, pred[:3])), 1e-6)
    assert float(over_labelled(nothing, pred[3:])) == 0


def taught(path, model, names):
    """`model` with the teacher at `path`, for the classes of `names`."""
    config = FullConfig(files=DataFiles(), model="tiny", lr=0.1, teacher=str(path))
    opened = teacher.open_teacher(config, Classes.of_names(names))
    return distillation.with_teacher(model, opened)


def test_the_output_holds_both_in_training_and_the_network_alone_in_inference(tmp_path):
    path = save_constant(tmp_path / "t.keras", [0.2, 0.5, 0.3], ["background", "hair", "face"], 64)
    student = Tiny((32, 32), 1)
    model = taught(path, student, ["face"])
    assert model.output_names == ["mask", "distill"] and model.outputs[1].shape[1:] == (32, 32, 4)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    mask, both = (np.asarray(each) for each in model(images, training=True))
    np.testing.assert_allclose(both[..., :2], np.concatenate([1 - mask, mask], -1))
    np.testing.assert_allclose(both[..., 2:], np.full((2, 32, 32, 2), [0.7, 0.3]), atol=1e-6)
    mask, both = (np.asarray(each) for each in model(images, training=False))
    assert not both[..., 2:].any()
    loss = distillation.TeacherLoss(single_class=True)
    assert np.asarray(loss.call(mask[..., 0], both)).tolist() == [0, 0]
    np.testing.assert_array_equal(mask, np.asarray(student(images)))
    alone = distillation.without_teacher(model)
    assert alone.output_names == ["mask"]
    assert nets.inference_model(model).output_names == ["mask"]
    for each in (model, alone):
        assert [w.path for w in each.variables] == [w.path for w in student.variables]


def test_a_student_that_scores_at_a_quarter_is_taught_at_a_quarter(tmp_path):
    path = save_constant(tmp_path / "t.keras", [0.7], ["hair"])
    student = Tiny((64, 32), 1)
    quarter = keras.layers.AveragePooling2D(4, name="mask")(student.get_layer("score").output)
    model = taught(path, keras.Model(student.input, keras.ops.sigmoid(quarter)), ["hair"])
    assert model.outputs[1].shape[1:] == (16, 8, 4)


def save_channel_teacher(path, channel, sign=1):
    """Save a teacher whose class is where a channel of the image is above (or below) a half."""
    model = Tiny((32, 32))
    for name in ("conv", "score"):
        kernel = np.zeros_like(model.get_layer(name).get_weights()[0])
        kernel[tuple(side // 2 for side in kernel.shape[:2])][
            channel if name == "conv" else 0, 0
        ] = 1
        others = model.get_layer(name).get_weights()[1:]
        model.get_layer(name).set_weights([kernel, *others])
    kernel, _ = model.get_layer("score").get_weights()
    model.get_layer("score").set_weights([sign * 20 * kernel, np.array([-sign * 10.0])])
    model.save(path)
    model_card.write(path, {"img_size": [32, 32], **Classes.of_names(["hair"]).to_card()})
    return nets.load(str(path))


def save_photos(folder, channel, count=12):
    """Write grey images with blocks that are bright in one channel."""
    folder.mkdir()
    rng = np.random.default_rng(channel)
    blocks = rng.integers(0, 2, (count, 4, 4)).repeat(8, 1).repeat(8, 2)
    images = np.full((count, 32, 32, 3), 100, np.uint8)
    images[..., channel] = np.where(blocks, 220, 30)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number}.png")
    return images


def predicted(model, images):
    return model.predict(images.astype("float32"), verbose=0)


@pytest.mark.long
@pytest.mark.slow
def test_a_student_of_the_teacher_alone_approaches_it_against_the_masks(data):
    wrong = save_channel_teacher(data / "t.keras", 1, sign=-1)  # says hair where there is none
    options = ["--teacher", "t.keras", "--teacher_weight", "1", "--epochs", "10", "--no_augment"]
    options += ["--steps_per_epoch", "12"]
    train_full.main([*SMALL, *options, "--lr", "0.05", "-o", "s.keras"])
    rows = history(data / "s.csv")
    assert float(rows[-1]["distill_loss"]) < 0.2 * float(rows[0]["distill_loss"])
    assert float(rows[-1]["loss"]) == pytest.approx(float(rows[-1]["distill_loss"]), 1e-5)
    assert {float(row["val_loss"]) for row in rows} == {0}
    with np.load("s.ckpt/state.npz") as state:  # of the last epoch: the best one hears the masks
        model = nets.load("s.keras")
        for number, variable in enumerate(model.variables):
            variable.assign(state[f"variable_{number}"])
    images = np.load("data/images-32.npy")
    agreement = (predicted(model, images) > 0.5) == (predicted(wrong, images) > 0.5)
    assert agreement.mean() > 0.9


@pytest.mark.long
@pytest.mark.slow
def test_images_without_masks_are_learned_from_the_teacher(data):
    """The images with masks are grey: what is red in one without a mask, only the teacher says."""
    photos = save_photos(data / "photos", channel=0)
    red = save_channel_teacher(data / "t.keras", 0)
    np.save("data/images-32.npy", np.load("data/images-32.npy")[..., 1:2].repeat(3, -1))
    options = [*SMALL, "--teacher", "t.keras", "--teacher_weight", "0.9", "--lr", "0.05"]
    options += ["--no_augment", "--epochs", "5", "--steps_per_epoch", "24"]
    train_full.main([*options, "-o", "without.keras"])
    train_full.main([*options, "--unlabelled", "photos", "-o", "with.keras"])
    students = [nets.load(f"{name}.keras") for name in ("without", "with")]
    says = predicted(red, photos)
    wrong = [np.abs(predicted(student, photos) - says).mean() for student in students]
    assert wrong[1] < 0.5 * wrong[0]
    card = json.loads(Path("with.json").read_text())
    assert card["data"]["unlabelled_pictures"] == 12 and card["data"]["unlabelled_per_batch"] == 2


@pytest.mark.slow
def test_nothing_of_the_teacher_is_in_the_files_of_a_run_but_its_name(data):
    save_channel_teacher(data / "t.keras", 1)
    save_photos(data / "photos", channel=0)
    options = [*SMALL, "--epochs", "1", "--alpha", "0.5", "--classes", "hair"]
    train_full.main([*options, "-o", "plain.keras"])
    options += ["--teacher", "t.keras", "--ema"]
    train_full.main([*options, "--unlabelled", "photos", "-o", "s.keras"])
    plain, student = (nets.load(f"{name}.keras") for name in ("plain", "s"))
    assert student.output_names == ["mask"]
    assert [w.path for w in student.weights] == [w.path for w in plain.weights]
    cards = [json.loads(Path(f"{name}.json").read_text()) for name in ("plain", "s")]
    for key in ("parameters", "macs", "classes", "arguments"):
        assert cards[0][key] == cards[1][key]
    found = cards[1]["teacher"]
    assert found | {"fingerprint": ""} == {
        "model": "t.keras",
        "classes": ["hair"],
        "weight": teacher.TEACHER_WEIGHT,
        "fingerprint": "",
        "validation_pictures_seen": None,
    }
    assert "teacher" not in cards[0] and cards[1]["settings"]["teacher"] == "t.keras"
    assert cards[1]["settings"]["teacher_weights"] == found["fingerprint"]
    with np.load("s.ckpt/state.npz") as state:
        sizes = [state[name].size for name in state if name.startswith("variable_")]
    assert max(sizes) == 3 * 3 * 3 * 4  # the teacher's first convolution has twice as many


@pytest.mark.slow
@pytest.mark.parametrize("command", ["full", "transfer"])
def test_a_run_with_a_teacher_and_images_without_masks_resumes_exactly(data, command):
    save_channel_teacher(data / "t.keras", 1)
    save_photos(data / "photos", channel=0, count=5)
    options = [*SMALL, "--schedule", "constant", "--teacher", "t.keras", "--unlabelled", "photos"]
    if command == "full":
        main, lengths = train_full.main, [["--epochs", "3"], ["--epochs", "1"]]
        options += ["--ema", "--aux_classes", "hair,face", "--classes", "hair"]
    else:
        main = train_transfer.main
        lengths = [["--fine_tune_epochs", n, "--transfer_epochs", "1"] for n in ("2", "1")]
        options += ["--weights", "none"]
    main([*options, *lengths[0], "-o", "whole.keras"])
    main([*options, *lengths[1], "-o", "parts.keras"])
    main([*options, *lengths[0], "-o", "parts.keras", "--resume"])
    rows = [history(f"{name}.csv") for name in ("whole", "parts")]
    assert len(rows[0]) == 3
    for one, two in zip(*rows, strict=True):
        measured = {"seconds": 0, "data_wait": 0}
        assert one | measured == two | measured
    states = [np.load(f"{name}.ckpt/state.npz") for name in ("whole", "parts")]
    assert states[0].keys() == states[1].keys()
    for key in states[0].keys() - {"run"}:
        np.testing.assert_array_equal(states[0][key], states[1][key], err_msg=key)


@pytest.mark.slow
def test_a_run_is_not_resumed_with_another_teacher_or_other_images(data):
    save_channel_teacher(data / "t.keras", 1)
    save_photos(data / "photos", channel=0)
    save_photos(data / "others", channel=1)
    run = [*SMALL, "--schedule", "constant", "--epochs", "1", "-o", "s.keras"]
    options = ["--teacher", "t.keras", "--unlabelled", "photos"]
    train_full.main([*run, *options])
    for changed, message in (
        (["--teacher", "t.keras", "--unlabelled", "others"], "other unlabelled data"),
        (["--teacher", "t.keras"], "other unlabelled data"),
        ([], "teacher t.keras then, None now"),
        ([*options, "--teacher_weight", "0.5"], "teacher_weight 0.9 then, 0.5 now"),
        ([*options, "--unlabelled_share", "0.75"], "unlabelled_per_batch 2 then, 3 now"),
    ):
        with pytest.raises(InputError, match=message):
            train_full.main([*run, *changed, "--resume"])
    save_channel_teacher(data / "t.keras", 0)
    with pytest.raises(InputError, match="other teacher weights"):
        train_full.main([*run, *options, "--resume"])
    save_channel_teacher(data / "t.keras", 1)
    Path("photos").rename("elsewhere")
    train_full.main([*run, *options[:-1], "elsewhere", "--resume"])


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_the_teacher_of_a_student_in_half_precision_says_the_same(data, precision):
    save_channel_teacher(data / "t.keras", 1)
    images = np.load("data/images-32.npy")[:4]
    said = []
    for policy in ("float32", precision):
        config = FullConfig(files=DataFiles(), model="tiny", lr=0.1, teacher="t.keras")
        opened = teacher.open_teacher(config, Classes.of_names(["hair"]))
        keras.config.set_dtype_policy(policy)
        try:
            model = distillation.with_teacher(Tiny((32, 32)), opened)
            said.append(np.asarray(model(images, training=True)[1])[..., 2:])
        finally:
            keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(*said)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options,message",
    [
        (["--teacher", "nowhere.keras"], "nowhere.keras: no such file"),
        (
            ["--teacher", "t.keras", "--classes", "hair,face"],
            "t.keras: cannot teach: it lacks face",
        ),
        (["--teacher", "t.keras", "-o", "t.keras"], "would overwrite its own teacher"),
        (["--teacher", "t.keras", "-o", "t.h5"], "t.json: is the card of t.keras"),
        (["--teacher", "t.keras", "--unlabelled", "nowhere"], "nowhere: not a readable folder"),
        (["--teacher", "t.keras", "--unlabelled", "data"], "data: no images in this folder"),
        (
            ["--teacher", "t.keras", "--unlabelled", "photos", "--unlabelled_share", "0.1"],
            "0.1 of a batch of 4 is no image",
        ),
    ],
)
def test_mistakes_get_one_line_and_write_nothing(data, options, message):
    save_channel_teacher(data / "t.keras", 1)
    save_photos(data / "photos", channel=0)
    before = sorted(data.rglob("*.keras"))
    with pytest.raises(InputError, match=message) as error:
        train_full.main([*SMALL, "--epochs", "1", *options])
    assert "\n" not in str(error.value)
    assert sorted(data.rglob("*.keras")) == before and not list(data.rglob("*.h5"))


@pytest.mark.parametrize(
    "options,message",
    [
        (["--unlabelled", "photos"], "--unlabelled needs a --teacher"),
        (["--teacher_weight", "0.5"], "--teacher_weight goes with --teacher"),
        (["--teacher", "t.keras", "--teacher_weight", "0"], "leave out --teacher"),
        (["--teacher", "t.keras", "--teacher_weight", "2"], "a fraction from 0 to 1"),
        (["--teacher", "t.keras", "--unlabelled_share", "0.5"], "goes with --unlabelled"),
        (["--teacher", "t", "--unlabelled", "p", "--unlabelled-share", "0"], "leave that out"),
    ],
)
@pytest.mark.parametrize("command", [train_full, train_transfer])
def test_options_that_do_not_go_together_are_refused(command, options, message, capsys):
    with pytest.raises(SystemExit) as end:
        command.parse_args(options)
    assert end.value.code == 2 and message in capsys.readouterr().err
