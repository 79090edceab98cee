"""Images that a run keeps: those to check exports with, and its predictions as epochs go by."""

import json
import shutil

import numpy as np
import pytest

from segmentation.data import check_images
from segmentation.errors import InputError
from segmentation.inference import predictor
from segmentation.probabilities import to_mask
from segmentation.training import checkpoint
from tiny_network import train_tiny

pytestmark = pytest.mark.slow

CONSTANT = ["--schedule", "constant"]


def kept(path):
    """Return the check images of a model and the rows of `data` that they show, in all."""
    card = json.loads(path.with_suffix(".json").read_text())
    images = np.concatenate(check_images.read(path, card, (32, 32))).astype(int)
    whole = np.load("data/images-32.npy").astype(int)
    distances = np.abs(images[:, None] - whole).mean((2, 3, 4))
    assert distances.min(1).max() < 6  # of a JPEG; another image is further away
    return images, distances.argmin(1).tolist()


def test_a_run_keeps_some_of_its_validation_images_and_a_new_run_replaces_them(begun):
    path = begun / "artifacts/hair.keras"
    images, rows = kept(path)
    assert sorted(rows) == json.loads(path.with_suffix(".json").read_text())["validation_rows"]
    earlier = path.with_suffix(".json").read_bytes()
    train_tiny("--epochs", "1", "--validation_split", "0.3")
    assert len(kept(path)[1]) == 6
    path.with_suffix(".json").write_bytes(earlier)
    assert check_images.read(path, json.loads(earlier), (32, 32)) is None


def test_a_run_from_before_there_were_check_images_resumes_and_gets_them(begun):
    path = begun / "artifacts/hair.keras"
    before, _ = kept(path)
    shutil.rmtree(begun / "artifacts/hair.check")
    train_tiny("--epochs", "2", *CONSTANT, "--resume")
    np.testing.assert_array_equal(kept(path)[0], before)


@pytest.mark.parametrize("samples", [None, ["1 another"]])
def test_masks_of_no_or_of_other_samples_are_not_shown_after_a_resume(begun, samples):
    path = begun / "artifacts/hair.ckpt/state.npz"
    with np.load(path) as state:
        content = dict(state)
    progress = json.loads(content["run"].tobytes()) | {"samples": samples}
    if samples is None:  # a run from before there were samples
        del progress["samples"], content["masks_1"]
    content["run"] = np.frombuffer(json.dumps(progress).encode(), np.uint8)
    np.savez(path, **content)
    train_tiny("--epochs", "2", *CONSTANT, "--resume")
    assert set(checkpoint.read(path)["masks"]) == {2}


@pytest.mark.parametrize("options", [[], ["--ema", "--aux_classes", "face"]])
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
