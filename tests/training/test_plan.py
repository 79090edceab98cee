"""What is planned where options are silent."""

import json
from pathlib import Path

import numpy as np
import pytest

import data
import train_full
from segmentation.data import data_card, split
from segmentation.data.share import Share
from segmentation.errors import InputError
from segmentation.synthetic import room_dataset
from segmentation.training import plan, sources
from segmentation.training.config import DataFiles, FullConfig, TransferConfig
from tiny_network import train_tiny

pytestmark = pytest.mark.slow

FILES = DataFiles(img_file="data/images-32.npy")


@pytest.mark.parametrize(
    "median,size",
    [
        ((360, 480), (352, 480)),  # CamVid's halves
        ((512, 683), (512, 672)),  # of ADE20K: no more pixels than 768 x 768
        ((96, 128), (96, 128)),
        ((1024, 2048), (544, 1056)),  # Cityscapes
        ((3024, 4032), (672, 864)),  # phones' photos: 672 x 896 are more pixels
        ((768, 768), (768, 768)),
        ((20, 20), (32, 32)),
    ],
)
def test_records_are_stretched_to_the_median_of_their_images(median, size):
    found = plan.img_size({"image_sizes": {"median": list(median)}})
    assert found == size and np.prod(found) <= 768 * 768
    assert abs(np.log(found[0] / found[1] * median[1] / median[0])) < 0.05


def test_records_without_a_data_card_have_the_older_size():
    assert plan.img_size(None) == (768, 768)


@pytest.mark.parametrize(
    "count,size,batch",
    [
        (1600, (128, 128), 16),
        (1600, (256, 256), 16),
        (367, (352, 480), 8),
        (20000, (768, 768), 4),
        (64, (64, 64), 8),
        (16, (64, 64), 4),
        (3, (64, 64), 2),
        (1, (64, 64), 1),
        (10, (4096, 4096), 1),
    ],
)
def test_batches_fit_in_memory_and_a_pass_has_some(count, size, batch):
    assert plan.batch_size(count, size) == batch


def test_records_are_planned_with_their_data_card(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    room_dataset.write_rooms(".", 10, 1)
    options = "-i images/training -a annotations/training -l objectInfo150.txt -t 0 -w wall|bed"
    data.main(["ade20k", *options.split(), "--num_shards", "2", "-o", "room.tfrecord"])
    card = json.loads(Path("room.dataset.json").read_text())
    assert card["pictures"] == 8 and card["classes"] == ["none", "wall", "bed"]
    height, width = card["image_sizes"]["median"]
    one_shard = "room-00001-of-00002.tfrecord"
    config = FullConfig(files=DataFiles(tfrecord_data=one_shard), model="icnet", lr=0.1)
    samples = sources.open_samples(config)
    assert samples.img_size == plan.img_size(card) != (768, 768)
    planned, found = plan.complete(config, samples)
    assert planned.img_size == found["img_size"] == samples.img_size
    # Where the images have been replaced, the card is not believed.
    data.main(["ade20k", *options.split(), "-o", "other.tfrecord"])
    Path("room.dataset.json").write_text(Path("other.dataset.json").read_text())
    assert sources.open_samples(config).img_size == (768, 768)


def test_few_images_get_more_epochs_and_options_win(data, capsys):
    train_tiny("--epochs", "1")
    assert json.loads((data / "artifacts/hair.json").read_text())["plan"] == {}
    train_full.main(["--img_file", "data/images-32.npy", "--model", "tiny", "-n", "2"])
    card = json.loads((data / "artifacts/hair.json").read_text())
    assert card["plan"] == {"batch_size": 4} and card["settings"]["batch_size"] == 4
    assert "planned: --batch_size 4\n" in capsys.readouterr().err
    samples = sources.open_samples(FullConfig(files=FILES, model="tiny", lr=0.1))
    # 16 of 20 images are trained on: 4 batches of 4 are 1,200 steps after 300 epochs.
    for options, planned in (
        ({}, {"batch_size": 4, "epochs": 300}),
        ({"batch_size": 8}, {"epochs": 600}),
        ({"epochs": 7}, {"batch_size": 4}),
        ({"steps_per_epoch": 100}, {"batch_size": 4, "epochs": 40}),
    ):
        config = FullConfig(files=FILES, model="tiny", lr=0.1, **options)
        assert plan.complete(config, samples)[1] == planned
    for asked, devices, used in ((None, 3, 3), (8, 3, 6), (2, 3, 3), (8, 4, 8)):
        config = FullConfig(files=FILES, model="tiny", lr=0.1, batch_size=asked)
        found, planned = plan.complete(config, samples, Share(devices=devices))
        assert found.batch_size == used and planned.get("batch_size", used) == used
        said = f"--batch_size {asked} does not divide among {devices} devices: {used} is used"
        assert (said in capsys.readouterr().err) == (asked is not None and asked != used)
    config = TransferConfig(files=FILES, model="tiny", lr=0.1, fine_tune_lr=0.1)
    _, planned = plan.complete(config, samples)
    assert planned == {"batch_size": 4, "transfer_epochs": 20, "fine_tune_epochs": 280}


def test_a_batch_is_no_larger_than_what_whole_groups_leave_to_train_on(data):
    names = [f"{row}\t{'ann' if row < 17 else 'bob'}" for row in range(20)]
    Path("data/names-32.txt").write_text("\n".join(names) + "\n")
    batches = set()
    for seed in range(8):
        config = FullConfig(files=FILES, model="tiny", lr=0.1, validation_split=0.1, seed=seed)
        samples = sources.open_samples(config)
        planned, _ = plan.complete(config, samples)
        parts = split.hold_out(samples.training, 0.1, seed)
        assert planned.batch_size <= len(parts.training)
        batches.add(planned.batch_size)
    assert batches == {2, 4}  # where bob's 3 are left, and ann's 17


def test_a_data_card_of_other_data_is_not_used_and_a_damaged_one_is_an_error(tmp_path, caplog):
    path = tmp_path / "room.tfrecord"
    assert data_card.read(path, "a") is None
    card = tmp_path / "room.dataset.json"
    data_card.write(card, "a", [(10, 20), (30, 40), (20, 90)], {"pictures": 3})
    found = data_card.read(path, "a")
    assert found["pictures"] == 3
    sizes = {"smallest": [10, 20], "median": [20, 40], "largest": [30, 90]}
    assert found["image_sizes"] == sizes
    assert data_card.read(path, "b") is None and "describes other data" in caplog.text
    of_this = {"fingerprint": "a"}
    sizes = [{"image_sizes": each} for each in (1, {"median": [0, 0]}, {"median": "x"})]
    for content in ("{", "[]", *(json.dumps(of_this | each) for each in ({}, *sizes))):
        card.write_text(content)
        with pytest.raises(InputError, match="room.dataset.json: no data card"):
            data_card.read(path, "a")
