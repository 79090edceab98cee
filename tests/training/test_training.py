"""Runs: what they write, what is refused before anything is written, losses of precision."""

import errno
import json
import tempfile
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import nets
import tiny_network
from segmentation.data.classes import Classes
from segmentation.errors import InputError
from segmentation.training import (
    accelerator,
    callbacks,
    checkpoint,
    network,
    optimizers,
    run_files,
)
from segmentation.training.config import DataFiles, FullConfig
from tiny_network import Tiny, history, train_tiny, write_arrays

pytestmark = pytest.mark.slow


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


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(begun):
    for name, seed in (("b", "3"), ("c", "4")):
        options = ["--epochs", "1", "--schedule", "constant", "--seed", seed]
        train_tiny(*options, "-o", f"out/{name}.keras")
    paths = ("artifacts/hair.keras", "out/b.keras", "out/c.keras")
    a, b, c = (nets.load(path).get_weights() for path in paths)
    for one, two in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(not np.array_equal(one, two) for one, two in zip(a, c, strict=True))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="others do not trace")
@pytest.mark.parametrize("several", [False, True])
def test_the_first_step_is_traced_once(monkeypatch, several):
    tiny_network.register(monkeypatch.setitem)
    step, traced = keras.Model.train_step, []
    monkeypatch.setattr(
        keras.Model, "train_step", lambda self, data: traced.append(1) or step(self, data)
    )
    config = FullConfig(files=DataFiles(), model="tiny", lr=0.1)
    optimizer = optimizers.build("adamw", 0.1, ema=True)
    model, masks = Tiny((32, 32)), np.zeros((4, 32, 32), "u1")
    if several:
        aux = keras.layers.Identity(name=nets.AUX)(model.output)
        model, masks = keras.Model(model.input, [model.output, aux]), (masks, masks)
    model = network.compile_model(
        model, optimizer, config, Classes.of_names(["hair"]), accelerator.find()
    )
    model.fit(np.zeros((4, 32, 32, 3), "u1"), masks, 2, verbose=0)
    assert len(traced) == 1


def test_the_curves_are_drawn_every_ten_seconds_and_when_a_run_ends(begun, monkeypatch):
    drawn, now, whole = [], [0], callbacks.Reporter.on_epoch_begin
    monkeypatch.setattr(run_files.plots, "curves", lambda rows, *_: drawn.append(len(rows)))
    monkeypatch.setattr(run_files, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 4:
            raise KeyboardInterrupt
        now[0] = {1: 0, 2: 11, 3: 12}[epoch]
        whole(self, epoch, logs)

    monkeypatch.setattr(callbacks.Reporter, "on_epoch_begin", on_epoch_begin)
    with pytest.raises(KeyboardInterrupt):
        train_tiny("--epochs", "6", "--schedule", "constant", "--resume")
    assert drawn == [3, 4]


def test_the_logs_of_another_run_of_the_same_name_stay(begun):
    logged = list((begun / "logs/hair").rglob("events*"))
    train_tiny("--epochs", "1", "-o", "two/hair.keras")
    assert logged and all(path.exists() for path in logged)


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


def test_a_class_has_a_default_output_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = FullConfig(files=DataFiles(), model="tiny", lr=0.1)
    assert run_files.output_path(config, ["face"]) == Path("artifacts/face.keras")
    assert run_files.output_path(config, ["sofa, couch"]) == Path("artifacts/sofa_couch.keras")
    assert run_files.output_path(config, ["hair", "face"]) == Path("artifacts/model.keras")


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
            model.optimizer.build(model.trainable_variables)
    finally:
        keras.config.set_dtype_policy("float32")
    models[0].optimizer.dynamic_scale.assign(1024.0)
    checkpoint.save(tmp_path / "state.npz", models[0], {}, {})
    checkpoint.save(tmp_path / "state.npz", models[0], {}, {})
    checkpoint.restore(tmp_path / "state.npz", models[1])
    assert float(models[1].optimizer.dynamic_scale) == 1024


def test_mobile_unet_learns_at_all(data):
    options = ["--model", "mobile_unet", "--alpha", "0.25", "-n", "30", "--steps_per_epoch", "10"]
    train_tiny(*options, "--no_augment")
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


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="others have Keras' own")
def test_adamw_works_out_its_learning_rate_once_a_step_and_steps_as_that_of_keras(monkeypatch):
    schedule = optimizers.learning_rate("cosine", 0.1, 6, warm_up=0.5)
    worked_out, whole = [], type(schedule).__call__

    def call(self, step):
        worked_out.append(int(step))
        return whole(self, step)

    monkeypatch.setattr(type(schedule), "__call__", call)
    given = {"weight_decay": optimizers.WEIGHT_DECAY, "beta_2": optimizers.BETA_2}
    theirs = keras.optimizers.AdamW(schedule, global_clipnorm=1.0, use_ema=True, **given)
    theirs.exclude_from_weight_decay(var_names=["bias"])
    results = []
    for optimizer in (optimizers.build("adamw", schedule, clip_norm=1.0, ema=True), theirs):
        rng = np.random.default_rng(0)
        names = ("a_kernel", "b_kernel", "bias")
        weights = [keras.Variable(rng.normal(size=(3, 2)), name=name) for name in names]
        optimizer.build(weights)
        for _ in range(6):
            optimizer.apply([keras.ops.array(rng.normal(size=(3, 2)), "float32") for _ in weights])
        results.append([np.asarray(each) for each in (*weights, *optimizer.variables)])
        assert optimizer._learning_rate is schedule
    for mine, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(mine, expected)
    assert worked_out[:6] == [0, 1, 2, 3, 4, 5] and worked_out.count(0) == 1 + 3
