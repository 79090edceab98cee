"""TFRecords read in any order, and networks with training heads trained on them."""

import io
import json

import keras
import numpy as np
import pytest
from PIL import Image

import evaluate
import nets
import tiny_network
import train_full
from segmentation import labels, pictures, records, tfrecords
from segmentation.errors import InputError

NAMES = ["none", "disc", "bar"]


def encoded(array, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, quality=95)
    return file.getvalue()


def scene(index, size=(48, 64)):
    """A bright disc on grey, a dark bar on every third picture, and their mask."""
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
    found = records.open_records(folder / "scenes.tfrecord")
    assert (len(found), found.labels, found.groups) == (12, NAMES, [""] * 12)
    assert found.stems == [f"scene {index}" for index in (*range(0, 12, 2), *range(1, 12, 2))]
    for place, index in ((7, 3), (0, 0), (5, 10)):
        image, mask = scene(index, (48, 64) if index % 2 else (64, 48))
        np.testing.assert_array_equal(found.read(place)[0], image)
        np.testing.assert_array_equal(found.read(place)[1], mask)
        np.testing.assert_array_equal(found.read_mask(place), mask)


def test_the_fingerprint_tells_sets_of_records_apart(folder):
    shards = tfrecords.paths(folder / "scenes.tfrecord")
    whole = records.Records(shards, NAMES).fingerprint()
    assert whole == records.Records(shards, NAMES).fingerprint()
    assert whole != records.Records(shards[:1], NAMES).fingerprint()
    assert whole != records.Records(shards[::-1], NAMES).fingerprint()
    assert whole != records.Records(shards, ["none", "disc", "rod"]).fingerprint()


def written(path, image, mask, size=(8, 8)):
    path.write_bytes(tfrecords.record("one", image, "png", size, mask))
    return records.Records([path], NAMES)


def test_masks_of_three_equal_channels_are_class_ids_and_pictures_become_rgb(tmp_path):
    ids = np.arange(64, dtype=np.uint8).reshape(8, 8) % 3
    grey = np.full((8, 8), 77, np.uint8)
    found = written(
        tmp_path / "one.tfrecord", encoded(grey, "JPEG"), encoded(np.repeat(ids[..., None], 3, 2))
    )
    image, mask = found.read(0)
    assert image.shape == (8, 8, 3) and (np.abs(image.astype(int) - 77) < 3).all()
    np.testing.assert_array_equal(mask, ids)


GREY = np.zeros((8, 8), np.uint8)


@pytest.mark.parametrize(
    "image,mask,message",
    [
        (encoded(GREY), encoded(GREY + 3), "record 0 holds class 3, and labels.txt names 0 to 2"),
        (encoded(GREY), encoded(GREY[:4]), "do not belong together"),
        (encoded(GREY)[:40], encoded(GREY), "record 0: "),
        (encoded(GREY), encoded(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)), "not one byte"),
        (encoded(GREY), encoded(GREY.astype(np.uint16)), "not one byte"),
    ],
)
def test_a_bad_record_is_named(tmp_path, image, mask, message):
    with pytest.raises(InputError, match=message) as error:
        written(tmp_path / "one.tfrecord", image, mask).read(0)
    assert "one.tfrecord" in str(error.value) and "\n" not in str(error.value)


def test_damage_that_a_run_may_skip_is_told_from_wrong_classes(tmp_path):
    found = written(tmp_path / "one.tfrecord", encoded(GREY)[:40], encoded(GREY))
    with pytest.raises(pictures.UnreadableError):
        found.read(0)


@pytest.mark.parametrize("keep", [5, 30, -2])
def test_a_file_that_is_cut_off_is_named(folder, tmp_path, keep):
    path = tmp_path / "cut.tfrecord"
    path.write_bytes(tfrecords.paths(folder / "scenes.tfrecord")[0].read_bytes()[:keep])
    with pytest.raises(InputError, match="cut.tfrecord: cut off, or no TFRecord"):
        records.Records([path], NAMES)


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "empty.tfrecord").touch()
    with pytest.raises(InputError, match="empty.tfrecord: holds no picture"):
        records.Records([tmp_path / "empty.tfrecord"], NAMES)


def last_line(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_icnet_trains_on_records_and_is_measured_as_training_measured_it(
    folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    data = ["-d", str(folder / "scenes.tfrecord")]
    options = ["-s", "192", "-a", "0.125", "-n", "4", "--steps_per_epoch", "2", "-b", "2"]
    train_full.main([*data, *options, "--class_weights", "balanced", "--model_name", "a try"])
    card = last_line(capsys)
    assert (card["network"], card["classes"]) == ("icnet", NAMES)
    assert card["settings"]["model_name"] == "a try" and card["epochs_trained"] == 2
    assert card["class_weights"]["bar"] > card["class_weights"]["none"]
    phone = nets.inference_model(nets.load("artifacts/model.keras"))
    assert card["parameters"] == phone.count_params()
    assert phone.output_shape == (None, 48, 48, 3)
    evaluate.main(["artifacts/model.keras", *data, "--split", "validation"])
    measured = last_line(capsys)
    assert measured["pictures"] == card["data"]["validation_pictures"]
    # Training measures at 192 px, evaluation at the size of the masks.
    assert measured["mean_iou"] == pytest.approx(card["metrics"]["val_mean_iou"], abs=0.02)

    train_full.main(
        [*data, *options, "--fine_tune_checkpoint", "artifacts/model.keras", "-o", "out/two.keras"]
    )
    assert "0 of another shape, 0 not in it" in capsys.readouterr().err


def test_a_resumed_run_on_records_equals_an_uninterrupted_one(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_network.register(monkeypatch.setitem)
    command = ["-d", str(folder / "scenes.tfrecord"), "--model", "tiny", "-s", "64", "-b", "4"]
    command += ["--schedule", "constant", "--steps_per_epoch", "3", "--flip_up_down"]
    train_full.main([*command, "--epochs", "3", "-o", "whole.keras"])
    train_full.main([*command, "--epochs", "1", "-o", "parts.keras"])
    keras.backend.clear_session()
    train_full.main([*command, "--epochs", "3", "-o", "parts.keras", "--resume"])
    whole, parts = (np.load(tmp_path / f"{name}.ckpt/state.npz") for name in ("whole", "parts"))
    for key in whole:
        if key != "run":
            np.testing.assert_array_equal(whole[key], parts[key], err_msg=key)
