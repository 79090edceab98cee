"""TFRecords read in any order, and networks with training heads trained on them."""

import io
import json
import runpy

import keras
import numpy as np
import pytest
from PIL import Image

import coreml_converter
import evaluate
import nets
import tf_converter
import tiny_network
import train_full
from nets import icnet
from segmentation.data import labels, tfrecords
from segmentation.errors import InputError
from segmentation.training import transfer
from tiny_models import SHALLOW_ICNET

pytestmark = pytest.mark.slow

NAMES = ["none", "disc", "bar"]


def encoded(array, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, quality=95)
    return file.getvalue()


def scene(index, size=(48, 64)):
    """A bright disc on grey, a dark bar on every third image, and their mask."""
    rng = np.random.default_rng(index)
    y, x = np.mgrid[: size[0], : size[1]]
    mask = ((x - rng.integers(20, 44)) ** 2 + (y - 20) ** 2 < 100).astype(np.uint8)
    if index % 3 == 0:
        mask[40:44] = 2
    image = np.choose(mask, [100, 220, 20])[..., None] + rng.integers(0, 30, (*size, 3))
    return image.astype(np.uint8), mask


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two shards of twelve scenes, of two sizes, and labels.txt."""
    folder = tmp_path_factory.mktemp("records")
    shards = tfrecords.shard_paths(folder / "scenes.tfrecord", 2)
    for shard, path in enumerate(shards):
        with open(path, "wb") as file:
            for index in range(shard, 12, 2):
                image, mask = scene(index, (48, 64) if index % 2 else (64, 48))
                file.write(
                    tfrecords.record(
                        f"scene {index}", encoded(image), "png", mask.shape, encoded(mask)
                    )
                )
    labels.write(folder / "labels.txt", NAMES)
    return folder


def test_records_are_read_in_any_order_from_all_shards(folder):
    found = tfrecords.open_records(folder / "scenes.tfrecord")
    assert (len(found), found.labels, found.groups) == (12, NAMES, [""] * 12)
    assert found.stems == [f"scene {index}" for index in (*range(0, 12, 2), *range(1, 12, 2))]
    for place, index in ((7, 3), (0, 0), (5, 10)):
        image, mask = scene(index, (48, 64) if index % 2 else (64, 48))
        np.testing.assert_array_equal(found.read(place)[0], image)
        np.testing.assert_array_equal(found.read(place)[1], mask)
        np.testing.assert_array_equal(found.read_mask(place), mask)


def test_the_benchmark_of_the_pipeline_runs(folder, capsys):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("it compares with tf.data")
    main = runpy.run_path("benchmarks/input_pipeline.py")["main"]
    main([str(folder / "scenes.tfrecord"), "-s", "192", "--pictures", "16"])
    found = last_line(capsys)
    rates = found["pictures_per_second"]
    assert found["ratio"] == pytest.approx(rates["one warp"] / rates["older order"], abs=0.01)


def test_labels_that_are_given_hold_for_both_sets_where_theirs_are_the_same(
    folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    tiny_network.register(monkeypatch.setitem)
    first, second = tfrecords.paths(folder / "scenes.tfrecord")
    for name, shard in (("train", first), ("val", second)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "scenes.tfrecord").write_bytes(shard.read_bytes())
        labels.write(tmp_path / name / "labels.txt", NAMES)
    labels.write(tmp_path / "renamed.txt", ["none", "ball", "bar"])
    command = ["-d", "train/scenes.tfrecord", "--val_tfrecord_data", "val/scenes.tfrecord"]
    command += ["-l", "renamed.txt", "--model", "tiny", "-s", "64", "-b", "4", "--epochs", "1"]
    train_full.main([*command, "-o", "a.keras"])
    assert json.loads((tmp_path / "a.json").read_text())["classes"] == ["none", "ball", "bar"]


def last_line(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.long
def test_icnet_trains_on_records_and_is_measured_as_training_measured_it(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(icnet, "STAGES", SHALLOW_ICNET)
    data = ["-d", str(folder / "scenes.tfrecord")]
    options = ["-s", "192", "-a", "0.125", "-n", "4", "--steps_per_epoch", "2", "-b", "2"]
    options += ["--optimizer", "sgd"]  # the quickest to trace
    train_full.main([*data, *options, "--class_weights", "balanced", "--model_name", "a try"])
    card = last_line(capsys)
    assert (card["network"], card["classes"]) == ("icnet", NAMES)
    assert card["settings"]["model_name"] == "a try" and card["epochs_trained"] == 2
    weights = card["settings"]["class_weights"]
    assert weights["bar"] > weights["none"]
    phone = nets.inference_model(nets.load("artifacts/model.keras"))
    assert card["parameters"] == phone.count_params()
    assert phone.output_shape == (None, 48, 48, 3)
    evaluate.main(["artifacts/model.keras", *data, "--split", "validation"])
    measured = last_line(capsys)
    assert measured["pictures"] == card["data"]["validation_pictures"]
    # Training measures at 192 px, evaluation at the size of the masks.
    assert measured["mean_iou"] == pytest.approx(card["metrics"]["val_mean_iou"], abs=0.02)

    model = nets.build("icnet", (192, 224), 3, alpha=0.125)
    taken = transfer.load_weights(model, "artifacts/model.keras", "icnet", NAMES)
    assert (taken.other_shape, taken.missing) == ([], [])
    assert taken.heads == dict.fromkeys(("mask_score", "aux_8_score", "aux_16_score"), NAMES)


@pytest.mark.parametrize(
    "options", [["--ignore_class", "0"], ["--ignore_class", "2", "--classes", "disc"]]
)
def test_an_export_alone_knows_what_training_ignored(
    folder, tmp_path, monkeypatch, capsys, options
):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow makes the exports")
    monkeypatch.chdir(tmp_path)
    tiny_network.register(monkeypatch.setitem)
    data = ["-d", str(folder / "scenes.tfrecord")]
    options = [*options, "--model", "tiny", "-s", "64", "-b", "4", "-n", "1", "-o", "a.keras"]
    train_full.main([*data, *options, "--optimizer", "sgd", "--schedule", "progressive"])
    assert not tf_converter.main(["a.keras", "--format", "tflite", "-o", "alone"])
    assert not coreml_converter.main(["a.keras", "alone/a.mlpackage", "--quantize", "float32"])
    (tmp_path / "alone/a.json").unlink()
    found = []
    for path in ("a.keras", "alone/a.tflite", "alone/a.mlpackage"):
        capsys.readouterr()
        evaluate.main([path, *data, "-l", str(folder / "labels.txt")])
        found.append(last_line(capsys))
    assert found[0]["classes"] == (["disc", "bar"] if "0" in options else ["none", "disc"])
    for export in found[1:]:
        assert export["classes"] == found[0]["classes"]
        assert export["confusion"] == found[0]["confusion"]


def test_a_resumed_run_on_records_equals_an_uninterrupted_one(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_network.register(monkeypatch.setitem)
    command = ["-d", str(folder / "scenes.tfrecord"), "--model", "tiny", "-s", "64", "-b", "4"]
    command += ["--schedule", "constant", "--steps_per_epoch", "3", "--flip_up_down"]
    train_full.main([*command, "--epochs", "3", "-o", "whole.keras"])
    train_full.main([*command, "--epochs", "1", "-o", "parts.keras", "--model_name", "a note"])
    keras.backend.clear_session()
    train_full.main([*command, "--epochs", "3", "-o", "parts.keras", "--resume"])
    whole, parts = (np.load(tmp_path / f"{name}.ckpt/state.npz") for name in ("whole", "parts"))
    for key in whole:
        if key != "run":
            np.testing.assert_array_equal(whole[key], parts[key], err_msg=key)


def test_validation_data_keep_their_own_labels_and_their_distance(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_network.register(monkeypatch.setitem)
    shards = tfrecords.paths(folder / "scenes.tfrecord")
    other = tmp_path / "other.tfrecord"
    other.write_bytes(shards[0].read_bytes())
    labels.write(tmp_path / "labels.txt", ["none", "bar", "disc"])
    given = ["-l", str(folder / "labels.txt"), "--model", "tiny", "-s", "64"]
    for options, message in (
        (["-d", f"{folder}/scenes-00001-*", "--val_tfrecord_data", str(other)], "other classes"),
        (["-d", str(folder / "*.tfrecord"), "--val_tfrecord_data", str(shards[0])], "are in"),
    ):
        with pytest.raises(InputError, match=message):
            train_full.main([*options, *given])
    (tmp_path / "labels.txt").unlink()
    with pytest.raises(InputError, match="other.tfrecord: .* of its .* images are in"):
        train_full.main(["-d", str(shards[0]), "--val_tfrecord_data", str(other), *given])
    assert not list(tmp_path.rglob("*.keras"))
