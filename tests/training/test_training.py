"""Runs: what they write, that they resume to the same weights, and how they end."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest

import nets
import train_full
from segmentation.data import arrays, check_images, image_io
from segmentation.data.image_io import UnreadableError
from segmentation.errors import InputError
from segmentation.inference import predictor
from segmentation.probabilities import to_mask
from segmentation.training import callbacks, checkpoint, network, optimizers, run_files, state
from segmentation.training.config import DataFiles, FullConfig
from tiny_network import Tiny, history, write_arrays

pytestmark = pytest.mark.slow

TINY_TRAIN_FULL = str(Path(__file__).parents[1] / "tiny_network.py")
SMALL = ["--model", "tiny", "--batch_size", "4", "--seed", "3"]
COMMAND = [sys.executable, TINY_TRAIN_FULL, "--img_file", "data/images-32.npy", *SMALL]


def train_tiny(*options, size=32):
    train_full.main(["--img_file", f"data/images-{size}.npy", *SMALL, *options])


def weights(path):
    return nets.load(str(path)).get_weights()


def test_a_run_writes_its_files_and_its_card(data, capsys):
    train_tiny("--epochs", "2", "--alpha", "0.5", "-o", "out/hair.keras")
    out = data / "out"
    assert {p.name for p in out.iterdir()} == {
        *("hair.keras", "hair.json", "hair.csv", "hair.png", "hair.samples.png"),
        *("hair.check", "hair.ckpt"),
    }
    for part in ("train", "validation", "samples"):
        assert any((data / "logs" / "hair" / part).glob("events.*"))
    card = json.loads((out / "hair.json").read_text())
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert printed == {"model": "out/hair.keras"} | card
    assert card["classes"] == ["hair"] and card["img_size"] == [32, 32]
    assert card["arguments"] == {"alpha": 0.5}
    assert card["parameters"] == nets.load(str(out / "hair.keras")).count_params()
    rows = history(out / "hair.csv")
    assert [row["epoch"] for row in rows] == ["1", "2"]
    best = max(rows, key=lambda row: float(row["val_iou_hair"]))
    assert card["best_epoch"] == int(best["epoch"])
    assert card["metrics"]["val_iou_hair"] == float(best["val_iou_hair"])
    held_out = set(card["validation_rows"])
    assert len(held_out) == 4 and {row ^ 1 for row in held_out} == held_out  # pairs of one person


def kept(path):
    """Return the check images of a model and the rows of `data` that they show, in all."""
    card = json.loads(path.with_suffix(".json").read_text())
    images = np.concatenate(check_images.read(path, card, (32, 32))).astype(int)
    whole = np.load("data/images-32.npy").astype(int)
    distances = np.abs(images[:, None] - whole).mean((2, 3, 4))
    assert distances.min(1).max() < 6  # of a JPEG; another image is further away
    return images, distances.argmin(1).tolist()


def test_a_run_keeps_some_of_its_validation_images_and_a_new_run_replaces_them(data):
    train_tiny("--epochs", "1", "-o", "out/hair.keras")
    path = data / "out/hair.keras"
    images, rows = kept(path)
    assert sorted(rows) == json.loads(path.with_suffix(".json").read_text())["validation_rows"]
    earlier = path.with_suffix(".json").read_bytes()
    train_tiny("--epochs", "1", "--validation_split", "0.3", "-o", "out/hair.keras")
    assert len(kept(path)[1]) == 6
    path.with_suffix(".json").write_bytes(earlier)
    assert check_images.read(path, json.loads(earlier), (32, 32)) is None


def test_a_run_from_before_there_were_check_images_resumes_and_gets_them(data):
    path = data / "out/hair.keras"
    train_tiny("--epochs", "1", "--schedule", "constant", "-o", "out/hair.keras")
    before, rows = kept(path)
    shutil.rmtree(data / "out/hair.check")
    train_tiny("--epochs", "2", "--schedule", "constant", "--resume", "-o", "out/hair.keras")
    np.testing.assert_array_equal(kept(path)[0], before)


@pytest.mark.parametrize("samples", [None, ["1 another"]])
def test_masks_of_no_or_of_other_samples_are_not_shown_after_a_resume(data, samples):
    options = ("--schedule", "constant", "-o", "out/hair.keras")
    train_tiny("--epochs", "1", *options)
    path = data / "out/hair.ckpt/state.npz"
    with np.load(path) as state:
        content = dict(state)
    progress = json.loads(content["run"].tobytes()) | {"samples": samples}
    if samples is None:  # a run from before there were samples
        del progress["samples"], content["masks_1"]
    content["run"] = np.frombuffer(json.dumps(progress).encode(), np.uint8)
    np.savez(path, **content)
    train_tiny("--epochs", "3", "--resume", *options)
    assert set(checkpoint.read(path)["masks"]) == {2, 3}


@pytest.mark.parametrize("options", [[], ["--ema"], ["--aux_classes", "face"]])
def test_the_samples_show_what_the_model_predicts_that_is_kept(data, options):
    masks = np.load(data / "data/masks-32.npy")
    masks[:, :4] = 2
    np.save(data / "data/masks-32.npy", masks)
    train_tiny("--classes", "hair", *options, "--epochs", "2", "-o", "out/hair.keras")
    best = json.loads((data / "out/hair.json").read_text())["best_epoch"]
    masks = checkpoint.read(data / "out/hair.ckpt/state.npz")["masks"][best]
    rows = json.loads((data / "out/hair.json").read_text())["validation_rows"]
    images = np.load("data/images-32.npy")[rows]
    found = to_mask(predictor.load("out/hair.keras")(images))
    assert len(masks) == 2  # of the half of four images that checks are made with
    for mask in masks:
        assert any(np.array_equal(mask, each) for each in found)


def test_a_folder_of_photos_under_the_name_of_the_check_images_stays(data):
    (data / "out/hair.check").mkdir(parents=True)
    (data / "out/hair.check/mine.jpg").touch()
    with pytest.raises(InputError, match="hair.check: holds more than"):
        train_tiny("--epochs", "1", "-o", "out/hair.keras")
    assert [path.name for path in (data / "out/hair.check").iterdir()] == ["mine.jpg"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(data):
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        train_tiny("--epochs", "1", "--seed", seed, "-o", f"out/{name}.keras")
    a, b, c = (weights(data / "out" / f"{name}.keras") for name in "abc")
    for one, two in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(not np.array_equal(one, two) for one, two in zip(a, c, strict=True))


@pytest.mark.long
def test_a_run_killed_twice_resumes_to_the_weights_of_an_uninterrupted_one(data):
    train_tiny("--epochs", "5", "-o", "out/whole.keras")
    command = [*COMMAND, "--epochs", "5", "-o", "out/killed.keras"]
    # Once in the middle of an epoch ...
    process = subprocess.Popen(command, cwd=data, stderr=subprocess.PIPE, text=True)
    while not process.stderr.readline().startswith("epoch 2/5"):
        assert process.poll() is None, "it ended before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    # ... and once, resumed, in the middle of writing its first checkpoint.
    done = subprocess.run(
        [*command, "--resume"], cwd=data, env=os.environ | {"KILLED_SAVE": "1"}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    (workspace,) = (data / "out/killed.ckpt").glob(".state.npz.*")
    epochs = checkpoint.read(data / "out/killed.ckpt/state.npz")["history"]
    assert 2 <= len(epochs) <= 4

    train_tiny("--epochs", "5", "-o", "out/killed.keras", "--resume")
    assert not workspace.exists()
    rows = [history(data / "out" / f"{name}.csv") for name in ("whole", "killed")]
    for one, two in zip(*rows, strict=True):
        assert one | {"seconds": 0} == two | {"seconds": 0}
    pictures = [data / "out" / f"{name}.samples.png" for name in ("whole", "killed")]
    np.testing.assert_array_equal(*(image_io.read(path) for path in pictures))
    states = [np.load(data / "out" / f"{name}.ckpt/state.npz") for name in ("whole", "killed")]
    assert {"masks_1", "masks_2", "masks_4", "masks_5"} <= set(states[0])
    assert set(states[0]) == set(states[1])
    for key in states[0]:
        if key != "run":
            np.testing.assert_array_equal(states[0][key], states[1][key], err_msg=key)
    for one, two in zip(
        *(weights(data / "out" / n) for n in ("whole.keras", "killed.keras")), strict=True
    ):
        np.testing.assert_array_equal(one, two)


def test_a_resumed_run_may_go_on_for_more_epochs_but_not_with_other_options(data, capsys):
    train_tiny("--epochs", "1", "--schedule", "constant")
    with pytest.raises(InputError, match="batch_size 4 then, 8 now"):
        train_tiny("--epochs", "1", "--schedule", "constant", "--batch_size", "8", "--resume")
    train_tiny("--epochs", "2", "--schedule", "constant", "--resume")
    assert len(history(data / "artifacts/hair.csv")) == 2
    train_tiny("--epochs", "2", "--schedule", "constant", "--resume")
    assert "this run is finished" in capsys.readouterr().err


def test_num_steps_overrides_epochs_and_may_end_within_one(data):
    train_tiny("-n", "6", "--epochs", "9")  # 16 images in batches of 4
    with np.load(data / "artifacts/hair.ckpt/state.npz") as state:
        assert len(json.loads(state["run"].tobytes())["history"]) == 2
    model = nets.load("artifacts/hair.keras")
    model.compile(optimizer=optimizers.build("adamw", optimizers.learning_rate("cosine", 0.1, 6)))
    checkpoint.restore(Path("artifacts/hair.ckpt/state.npz"), model)
    assert int(model.optimizer.iterations) == 6


def test_a_run_that_ended_within_an_epoch_goes_on_for_the_steps_that_are_missing(data):
    train_tiny("-n", "6", "--schedule", "constant")
    train_tiny("-n", "13", "--schedule", "constant", "--resume")
    steps = [int(row["step"]) for row in history(data / "artifacts/hair.csv")]
    assert steps == [4, 6, 10, 13]


def test_a_new_run_is_not_resumed_from_an_earlier_one_whose_checkpoint_is_kept(data, capsys):
    train_tiny("-n", "4", "--schedule", "constant")
    state = data / "artifacts/hair.ckpt/state.npz"
    files = (state, data / "artifacts/hair.keras", data / "artifacts/hair.json")
    before = {path: path.read_bytes() for path in files}
    logged = list((data / "logs/hair").rglob("events*"))
    (data / "logs/hair/notes.txt").touch()
    train_tiny("-n", "8", "--schedule", "constant", "--lr", "0.001")
    assert "are kept as artifacts/hair.ckpt/earlier.*" in capsys.readouterr().err
    for path, content in before.items():
        assert state.with_name(f"earlier{path.suffix}").read_bytes() == content
        assert path.read_bytes() != content
    assert logged and not any(path.exists() for path in logged)
    assert (data / "logs/hair/notes.txt").exists()
    steps = [int(row["step"]) for row in history(data / "artifacts/hair.csv")]
    assert steps == [4, 8]
    # Going back to it takes its model too: the model there is not the one of the card.
    state.write_bytes(before[state])
    resumed = ("-n", "4", "--schedule", "constant", "--resume")
    with pytest.raises(InputError, match="hair.keras: is not the model of epoch 1"):
        train_tiny(*resumed)
    (data / "artifacts/hair.keras").rename(data / "moved.keras")
    with pytest.raises(InputError, match="hair.keras: is not the model of epoch 1"):
        train_tiny(*resumed)
    for path, content in before.items():
        path.write_bytes(content)
    train_tiny(*resumed)
    assert "this run is finished" in capsys.readouterr().err
    state.unlink()  # as if that run had been stopped in its first epoch
    with pytest.raises(InputError, match="earlier.npz: .* rename it state.npz"):
        train_tiny("-n", "8", "--schedule", "constant", "--resume")


def test_files_that_are_of_no_run_are_left_alone(data):
    for name in ("hair.json", "hair.csv", "hair.png", "hair.samples.png"):
        (data / "out").mkdir(exist_ok=True)
        (data / "out" / name).write_text("[1]")
        with pytest.raises(InputError, match=f"{name}: exists and"):
            train_tiny("--epochs", "1", "-o", "out/hair.keras")
        assert [path.name for path in (data / "out").iterdir()] == [name]
        (data / "out" / name).unlink()
    (data / "out/hair.h5").touch()
    with pytest.raises(InputError, match="hair.json: is the card of out/hair.h5"):
        train_tiny("--epochs", "1", "-o", "out/hair.keras")


def test_an_image_that_turns_out_damaged_gets_a_line(data, monkeypatch):
    def read(self, row):
        raise UnreadableError("room.tfrecord, record 7: damaged")

    train_tiny("--epochs", "1", "--schedule", "constant")
    before = (data / "artifacts/hair.keras").read_bytes()
    monkeypatch.setattr(arrays.Arrays, "read", read)
    with pytest.raises(UnreadableError, match="record 7: damaged"):
        train_tiny("--epochs", "2", "--schedule", "constant", "--resume")
    assert (data / "artifacts/hair.keras").read_bytes() == before


def test_a_class_has_a_default_output_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_files.output_path(None, ["face"]) == Path("artifacts/face.keras")
    assert run_files.output_path(None, ["sofa, couch"]) == Path("artifacts/sofa_couch.keras")
    assert run_files.output_path(None, ["hair", "face"]) == Path("artifacts/model.keras")


@pytest.mark.parametrize("folder", ["out", "logs"])
def test_a_folder_that_cannot_be_written_to_is_reported_before_anything(data, folder, monkeypatch):
    make = tempfile.mkdtemp

    def refuse(suffix, prefix, parent):  # the superuser, as whom tests may run, is refused nothing
        if parent.name == folder:
            raise PermissionError(errno.EACCES, "Permission denied")
        return make(suffix, prefix, parent)

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    monkeypatch.setattr(network.nets, "build", None)
    with pytest.raises(InputError, match=f"{folder}/.*: cannot be written"):
        train_tiny("--epochs", "1", "-o", "out/hair.keras")


def test_the_logs_of_another_run_of_the_same_name_stay(data):
    train_tiny("--epochs", "1", "-o", "one/hair.keras")
    logged = list((data / "logs/hair").rglob("events*"))
    train_tiny("--epochs", "1", "-o", "two/hair.keras")
    assert logged and all(path.exists() for path in logged)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_model(data, monkeypatch):
    train_tiny("--epochs", "1", "--schedule", "constant")
    before = (data / "artifacts/hair.keras").read_bytes()

    def broken(self, batch):
        images, masks = whole(self, batch)
        return images.astype("float32") * np.nan, masks

    whole = training_batches().__getitem__
    monkeypatch.setattr(training_batches(), "__getitem__", broken)
    with pytest.raises(
        InputError, match="became nan in epoch 2 .the model of epoch 1 is kept.*--lr"
    ):
        train_tiny("--epochs", "2", "--schedule", "constant", "--resume")
    assert (data / "artifacts/hair.keras").read_bytes() == before
    assert len(history(data / "artifacts/hair.csv")) == 1


def test_ctrl_c_ends_a_run_with_its_files_in_order_and_status_130(data):
    command = [*COMMAND, "--epochs", "500", "-o", "out/hair.keras"]
    process = subprocess.Popen(command, cwd=data, stderr=subprocess.PIPE, text=True)
    while not process.stderr.readline().startswith("epoch 2/"):
        assert process.poll() is None, "it ended before it could be interrupted"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "stopping after this batch" in errors and "Traceback" not in errors
    assert "is kept" in errors and "--resume" in errors
    card = json.loads((data / "out/hair.json").read_text())
    rows = history(data / "out/hair.csv")
    assert card["epochs_trained"] == len(rows) >= 2
    assert len(checkpoint.read(data / "out/hair.ckpt/state.npz")["history"]) == len(rows)
    assert nets.load(str(data / "out/hair.keras")).name == "tiny"


def test_an_interruption_in_the_first_epoch_saves_a_model_but_not_over_an_earlier_one(
    data, monkeypatch, capsys
):
    def interrupt(self, batch, logs=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(callbacks.StopRules, "on_train_batch_end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_tiny("--epochs", "2")
    assert nets.load("artifacts/hair.keras").name == "tiny"
    assert "saved before the first epoch ended" in capsys.readouterr().err
    before = (data / "artifacts/hair.keras").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        train_tiny("--epochs", "2", "--seed", "9")
    assert (data / "artifacts/hair.keras").read_bytes() == before
    assert "an earlier run is kept" in capsys.readouterr().err


@pytest.mark.parametrize("trained,over", [(4, False), (5, True), (9, True)])
def test_patience_ends_a_run_after_so_many_epochs_without_a_better_one(trained, over):
    card = {"classes": ["hair"], "best_epoch": 3, "stages": {"full": 1}}
    config = FullConfig(files=DataFiles(), model="tiny", lr=0.1, epochs=12, patience=2)
    history = [{"step": 10 * (epoch + 1)} for epoch in range(trained)]
    found = state.RunState(card, history, config, batches=10)
    assert not found.enter(*found.stages_left())
    assert found.is_over() == over


def test_several_classes_get_a_background_channel_and_h5_is_a_format(data, caplog, capsys):
    write_arrays(data / "data", shown=2)
    train_tiny("--epochs", "1", "--classes", "hair,face", "--alpha", "0.25", "-o", "out/both.h5")
    assert "3 classes are scored from 2 features" in capsys.readouterr().err
    assert "HDF5" not in caplog.text  # whoever names an .h5 need not be told at every epoch
    assert nets.load("out/both.h5").output_shape == (None, 32, 32, 3)
    card = json.loads((data / "out/both.json").read_text())
    assert card["classes"] == ["background", "hair", "face"]
    assert {"val_iou_background", "val_iou_face", "val_mean_iou"} <= card["metrics"].keys()


def test_mixed_precision_runs_and_its_model_is_rebuilt_in_float32(data):
    try:
        train_tiny("--epochs", "1", "--precision", "mixed_bfloat16")
        model = nets.inference_model(nets.load("artifacts/hair.keras"))
    finally:
        keras.config.set_dtype_policy("float32")
    assert {layer.compute_dtype for layer in model.layers if layer.weights} == {"float32"}


def test_the_loss_scale_of_half_precision_survives_a_checkpoint(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        models = [Tiny((32, 32)) for _ in range(2)]
        for model in models:
            model.compile(optimizer=optimizers.build("adamw", 0.1), loss="mse")
    finally:
        keras.config.set_dtype_policy("float32")
    models[0].optimizer.build(models[0].trainable_variables)
    models[0].optimizer.dynamic_scale.assign(1024.0)
    checkpoint.save(tmp_path / "state.npz", models[0], {}, {})
    checkpoint.save(tmp_path / "state.npz", models[0], {}, {})
    checkpoint.restore(tmp_path / "state.npz", models[1])
    assert float(models[1].optimizer.dynamic_scale) == 1024


@pytest.mark.long
def test_mobile_unet_learns_at_all(data):
    train_tiny("--model", "mobile_unet", "--alpha", "0.25", "-n", "30", "--no_augment")
    rows = history(data / "artifacts/hair.csv")
    assert float(rows[-1]["loss"]) < 0.8 * float(rows[0]["loss"])


@pytest.mark.parametrize(
    "options,message",
    [
        (["--classes", "hiar"], "did you mean 'hair'"),
        (["--classes", "face"], "no training image shows face"),
        (["--batch_size", "100"], "lower --batch_size"),
        (["-o", "out/hair.tflite"], "ends in .keras or .h5"),
        (["--validation_split", "0"], "cannot be split"),
        (["--val_img_file", "other/images-64.npy"], "have other classes"),
        (["--val_img_file", "data/images-32.npy"], "20 of its 20 images are in"),
        (["--fine_tune_checkpoint", "nowhere.keras"], "nowhere.keras: no such file"),
        (["--class_weights", "nowhere.json"], "--class_weights is none, balanced or a file"),
        (["--class_weights", "balanced", "--loss", "dice"], "has nothing to weigh"),
        (["--mask_file", "nowhere.npy"], "nowhere.npy"),
    ],
)
def test_mistakes_get_one_line_and_write_nothing(data, options, message):
    write_arrays(data / "other", size=64)
    (data / "other/labels.txt").write_text("idx\tlabel\n0\tnone\n1\thair\n2\tcat\n")
    with pytest.raises(InputError, match=message) as error:
        train_tiny("--epochs", "1", *options)
    assert "\n" not in str(error.value)
    assert not list(data.rglob("*.keras"))


def test_a_model_that_predicts_one_class_everywhere_is_called_out():
    row = {"val_recall_background": 1.0, "val_recall_hair": 0.0, "val_recall_face": None}
    assert callbacks.predicted_everywhere(row) == "background"
    assert callbacks.predicted_everywhere(row | {"val_recall_hair": 0.1}) is None


def test_schedules_by_hand():
    progressive = optimizers.learning_rate("progressive", 0.1, 100)
    assert [float(progressive(step)) for step in (0, 49, 51, 76, 91)] == pytest.approx(
        [0.1, 0.1, 0.01, 0.001, 0.0001]
    )
    cosine = optimizers.learning_rate("cosine", 0.2, 100)
    assert float(cosine(0)) == 0 and float(cosine(100)) == pytest.approx(0, abs=1e-8)
    assert float(cosine(5)) == pytest.approx(0.2)  # after a warm-up of 5 %
    assert optimizers.learning_rate("constant", 0.3, 100) == 0.3

    later = optimizers.learning_rate("cosine", 0.2, 100, warm_up=0.5)
    assert float(later(25)) == pytest.approx(0.1) and float(later(50)) == pytest.approx(0.2)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_gradients_are_cut_down_to_a_norm_together_and_weights_averaged(name):
    weights = [keras.Variable([0.0, 0.0]), keras.Variable([0.0])]
    optimizer = optimizers.build(name, 0.5, clip_norm=1.0, ema=True)
    optimizer.build(weights)
    seen = []
    optimizer.update_step = lambda gradient, *_: seen.append(np.asarray(gradient).tolist())
    optimizer.apply([keras.ops.array([0.0, 6.0]), keras.ops.array([8.0])])
    assert seen == [pytest.approx([0, 0.6]), pytest.approx([0.8])]
    assert optimizer.use_ema


def training_batches():
    from segmentation.data import pipeline

    return pipeline.TrainingBatches
