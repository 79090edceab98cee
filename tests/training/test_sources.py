"""What a run learns from: the split by classes, read once, and the scores that it starts with."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

import layout_sets
import nets
import train_full
import transfer_networks
from segmentation.data import arrays, statistics
from segmentation.data.classes import Classes
from segmentation.data.share import Share
from segmentation.errors import InputError
from segmentation.training import cards, network, run_files, sources
from segmentation.training.state import RunState
from tiny_network import Tiny, write_arrays, write_records

NAMES = ["background", "hair", "face"]
OPTIONS = ["--img_file", "data/images-32.npy", "--model", "tiny", "-b", "2", "--epochs", "1"]


class CountedReads(arrays.Arrays):
    """Arrays that remember which rows were read."""

    def __init__(self, count, shift):
        rng = np.random.default_rng(shift)
        images = rng.integers(0, 256, (count, 32, 32, 3)).astype("u1")
        masks = rng.integers(0, 3, (count, 32, 32)).astype("u1")
        stems = [str(row) for row in range(count)]
        super().__init__(images, masks, stems, stems, NAMES)
        object.__setattr__(self, "seen", {"image": [], "mask": []})

    def read(self, index):
        self.seen["image"].append(index)
        return super().read(index)

    def read_mask(self, index):
        self.seen["mask"].append(index)
        return super().read_mask(index)

    def fingerprint(self):
        return ""


@pytest.mark.parametrize("held_out", [True, False])
def test_each_mask_is_read_once_before_the_first_epoch(held_out):
    data, other = CountedReads(6, 0), CountedReads(4, 1)
    classes, aux_classes = (Classes.of_data(NAMES, [name]) for name in ("hair", "face"))
    samples = sources.Samples(data, None if held_out else other, classes, aux_classes, (32, 32))
    config = train_full.parse_args(["-b", "2"])
    sources.open_batches(config, samples, Tiny((32, 32)))
    assert sorted(data.seen["mask"]) == list(range(6))
    assert sorted(other.seen["mask"]) == ([] if held_out else list(range(4)))
    assert not data.seen["image"] + other.seen["image"]


def test_the_masks_of_a_folder_are_not_learned_from_as_unlabelled_images(data):
    layout_sets.roboflow(data / "photos")
    options = ["--teacher", "t.keras", "--unlabelled", "photos/train"]
    found = sources.open_samples(train_full.parse_args([*OPTIONS, *options])).unlabelled
    assert [path.suffix for path in found] == [".jpg"] * len(layout_sets.STEMS)


def rare(folder, rows):
    """Leave the object of `write_arrays` in these rows alone, each a group of its own."""
    masks = np.load(folder / "data/masks-32.npy")
    masks[np.setdiff1d(np.arange(len(masks)), rows)] = 0
    np.save(folder / "data/masks-32.npy", masks)
    (folder / "data/names-32.txt").unlink()


def test_of_two_images_that_show_an_object_one_is_held_out(data):
    rare(data, [2, 9])
    model = nets.build("tiny", (32, 32), 1)
    for seed in range(4):
        config = train_full.parse_args([*OPTIONS, "--seed", str(seed)])
        found = sources.open_batches(config, sources.open_samples(config), model)
        assert len(set(found.card["validation_rows"]) & {2, 9}) == 1


def test_what_a_single_image_shows_is_named(data, capsys):
    masks = np.load("data/masks-32.npy")
    masks[0, :2, :2] = 2  # the face
    np.save("data/masks-32.npy", masks)
    train_full.main([*OPTIONS, "--classes", "hair,face", "-o", "a.keras"])
    assert "image shows face" in capsys.readouterr().err


@pytest.mark.parametrize(("chosen", "warned"), [(["leftLung"], True), (["heart"], False)])
def test_flips_of_a_class_without_its_other_side_are_warned_of(caplog, chosen, warned):
    names = ["none", "heart", "leftLung"]
    classes = Classes.of_data(names, chosen)
    samples = sources.Samples(SimpleNamespace(labels=names), None, classes, None, (32, 32))
    sources._affine_ranges(train_full.parse_args([]), samples)
    assert ("leftLung: no class is the other side" in caplog.text) == warned
    assert "--no_augment" in caplog.text or not warned


def test_fewer_files_than_workers_are_refused(data):
    write_records(data)
    config = train_full.parse_args(["-d", "discs.tfrecord", "-s", "32", "--model", "tiny"])
    sources.open_samples(config, Share(0, 1, 8))
    with pytest.raises(InputError, match="1 files for 2 workers .* --num_shards 2"):
        sources.open_samples(config, Share(0, 2, 2))


def test_images_to_validate_on_are_known_at_another_size_and_shared_persons_warned_of(data, caplog):
    write_arrays(data / "other", 20, 64)
    config = train_full.parse_args([*OPTIONS, "--val_img_file", "other/images-64.npy"])
    with pytest.raises(
        InputError, match="20 of its 20 images are in data/images-32.npy too, by name"
    ):
        sources.open_samples(config)
    stems = [f"other{row}" for row in range(20)]
    groups = ["p3", "p4", "p4", *["q"] * 16, ""]
    arrays.write_names(data / "other/names-64.txt", stems, groups)
    sources.open_samples(config)
    assert "images-64.npy: 2 of its groups (persons, drives), p3 first" in caplog.text


def test_a_resumed_run_keeps_its_split(data):
    train_full.main([*OPTIONS, "-o", "a.keras"])
    config = train_full.parse_args([*OPTIONS, "-o", "a.keras", "--resume"])
    samples, model = sources.open_samples(config), nets.build("tiny", (32, 32), 1)
    found = sources.open_batches(config, samples, model)
    data_of_card = found.card["data"]
    begun = {"card": {"data": data_of_card, "validation_rows": [0, 1, 2]}}
    kept = sources.open_batches(config, samples, model, begun)
    assert kept.card["validation_rows"] == [0, 1, 2] != found.card["validation_rows"]
    begun["card"]["data"] = data_of_card | {"training_fingerprint": "of other data"}
    fresh = sources.open_batches(config, samples, model, begun)
    assert fresh.card["validation_rows"] == found.card["validation_rows"]


def test_a_run_is_not_resumed_when_one_mask_of_many_was_corrected(data):
    write_arrays(data / "many", 130)
    config = train_full.parse_args([*OPTIONS, "--img_file", "many/images-32.npy"])
    masks = np.load("many/masks-32.npy")
    found = []
    for mask_file in ("many/masks-32.npy", "corrected.npy"):
        files = dataclasses.replace(config.files, mask_file=mask_file)
        config = dataclasses.replace(config, files=files)
        batches = sources.open_batches(config, sources.open_samples(config), Tiny((32, 32)))
        found.append(cards.settings(config, batches, None))
        masks[1, 0, 0] = 1  # of a row that the fingerprint passes over
        np.save("corrected.npy", masks)
    before, now = found
    assert {key for key in now if now[key] != before[key]} == {"masks", "validation_masks"}
    begun = {"card": {"settings": before, "stages": {}}, "history": []}
    run = SimpleNamespace(begun=begun, checkpoint_path="a.ckpt", _require_best_model=lambda: None)
    with pytest.raises(InputError, match="another run .other masks, other validation masks.;"):
        run_files.RunFiles._require_same_run(run, {"settings": now})
    del before["masks"], before["validation_masks"]  # as an older version wrote it
    run_files.RunFiles._require_same_run(run, {"settings": now})


@pytest.mark.parametrize(("chosen", "num_classes"), [(["hair"], 1), (["hair", "face"], 3)])
def test_a_network_starts_with_the_frequency_of_each_class(chosen, num_classes):
    masks = np.zeros((2, 10, 10), "u1")
    masks[0, :4], masks[:, 4:6] = 1, 2  # 20 % hair, 20 % face on average
    images = np.zeros((2, 10, 10, 3), "u1")
    counts = statistics.count_ids(arrays.Arrays(images, masks, "ab", "ab", NAMES), (10, 10))
    found = statistics.of_classes(counts, Classes.of_data(NAMES, chosen))
    model = Tiny((32, 32), num_classes)
    score = model.get_layer("score")
    network.start_at_priors(model, ["score"], found)
    score.kernel.assign(0 * score.kernel)
    predicted = np.asarray(model(np.zeros((1, 32, 32, 3))))[0, 0, 0]
    np.testing.assert_allclose(predicted, [0.2] if num_classes == 1 else [0.6, 0.2, 0.2], atol=1e-6)


@pytest.mark.parametrize(("theirs", "fresh"), [(["hat"], True), (["hair"], False)])
def test_a_head_that_takes_no_class_from_a_file_starts_with_frequencies(tmp_path, theirs, fresh):
    path, _ = transfer_networks.saved(tmp_path / "a.keras", theirs)
    config = train_full.parse_args(["--fine_tune_checkpoint", str(path)])
    model = transfer_networks.network(["hair"], seed=1)
    unloaded = network.load_weights(model, config, Classes.of_names(["hair"]))
    assert ("score" in unloaded) == fresh


def test_a_class_that_is_hardly_there_does_not_start_at_nothing():
    model = Tiny((32, 32))
    found = statistics.ClassStatistics(np.array([1.0, 0.0]), np.array([5, 0]), 5)
    network.start_at_priors(model, ["score"], found)
    bias = float(model.get_layer("score").bias[0])
    assert 1 / (1 + np.exp(-bias)) == pytest.approx(network.RAREST)


def state_after(*epochs):
    """Return a `RunState` after epochs of these `(val_iou_hair, val_loss)`."""
    config = train_full.parse_args([])
    state = RunState({"classes": ["hair"], "stages": {}}, [], config, 1)
    for number, (iou, loss) in enumerate(epochs, start=1):
        state.add_epoch({"epoch": number, "val_iou_hair": iou, "val_loss": loss})
    return state


def test_while_every_iou_is_0_the_best_epoch_is_that_of_the_lowest_loss():
    assert state_after((0, 0.9), (0, 0.5), (0, 0.7)).card["best_epoch"] == 2
    assert state_after((0, 0.9), (0.1, 0.95), (0, 0.5)).card["best_epoch"] == 2
    assert state_after((0.1, 0.9), (0.1, 0.5)).card["best_epoch"] == 1
