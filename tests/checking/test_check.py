"""The checks before training, on sets with faults that are planted here."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image, ImageDraw

import data
import tiny_network
from segmentation.checking import blends, duplicates

SIDE = 96
COUNT = 24


def draw(folder, count=COUNT, seed=0):
    """Write images of an ellipse each on smooth noise, and black and white masks of them."""
    random = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        coarse = random.integers(0, 140, (6, 6, 3), np.uint8)
        image = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        mask = Image.new("L", (SIDE, SIDE))
        left, top = random.integers(8, 36, 2).tolist()
        box = (left, top, left + int(random.integers(20, 45)), top + int(random.integers(20, 45)))
        ImageDraw.Draw(image).ellipse(box, fill=(250, 240, 200))
        ImageDraw.Draw(mask).ellipse(box, fill=255)
        image.save(folder / "images" / f"{number:02}.png")
        mask.save(folder / "masks" / f"{number:02}.png")
    return folder


def check(folder, out_dir, *more):
    """Return the exit status, and what was found by kind."""
    status = data.main(["check", "-d", str(folder), "-o", str(out_dir), *more])
    report = json.loads((out_dir / "report.json").read_text())
    found = {}
    for one in report["found"]:
        found.setdefault(one["kind"], []).append(one["name"])
    return status, found


def test_a_set_without_faults_is_clean_and_its_page_needs_no_network(tmp_path, capsys):
    status, found = check(draw(tmp_path / "own"), tmp_path / "check")
    assert (status, found) == (0, {})
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["pictures"] == COUNT
    page = (tmp_path / "check" / "report.html").read_text()
    assert "http" not in page and page.count("<img alt=") == COUNT


def test_planted_faults_are_found_and_named(tmp_path):
    own = draw(tmp_path / "own")
    masks, images = own / "masks", own / "images"
    shifted = np.roll(np.array(Image.open(masks / "02.png")), (10, 12), (0, 1))
    Image.fromarray(shifted).save(masks / "02.png")
    mirrored = np.array(Image.open(masks / "03.png"))[:, ::-1]
    Image.fromarray(mirrored).save(masks / "03.png")
    shutil.copy(images / "04.png", images / "05.png")
    Image.new("L", (SIDE, SIDE)).save(masks / "06.png")
    Image.new("L", (SIDE, SIDE + 8)).save(masks / "07.png")
    (images / "08.png").write_bytes((images / "08.png").read_bytes()[:300])
    (masks / "09.png").unlink()
    status, found = check(own, tmp_path / "check")
    assert status == 3
    assert "02" in found["shifted"] + found.get("flipped", [])
    assert "03" in found.get("shifted", []) + found.get("flipped", [])
    assert found["equal"] == ["04 and 05"]
    assert found["no_class"] == ["06"]
    assert found["sizes_differ"] == ["07"]
    assert found["unreadable"] == ["08"]
    assert found["unpaired"] == ["pictures"]


def test_images_of_validation_that_training_shows_are_found(tmp_path):
    training = draw(tmp_path / "training", 4)
    validation = draw(tmp_path / "validation", 3, seed=1)
    for name in ("images", "masks"):
        shutil.copy(training / name / "01.png", validation / name / "copied.png")
    status, found = check(
        training, tmp_path / "check", "--validation", str(validation), "--fewest", "1"
    )
    assert (status, found) == (3, {"between_parts": ["01 and copied"]})


@pytest.mark.slow
def test_a_divided_set_is_checked_across_its_divisions(tmp_path):
    own = tmp_path / "own"
    for part, seed in (("train", 1), ("val", 2), ("test", 3)):
        made = draw(tmp_path / part, seed=seed)
        for name in ("images", "masks"):
            (own / name).mkdir(parents=True, exist_ok=True)
            (made / name).rename(own / name / part)
    for name in ("images", "masks"):
        shutil.copy(own / name / "train/07.png", own / name / "val/99.png")
    status, found = check(own, tmp_path / "check")
    assert status == 3 and found == {"between_parts": ["07 and 99"]}
    report = json.loads((tmp_path / "check/report.json").read_text())
    assert report["parts"] == {"training": COUNT, "validation": COUNT + 1}
    assert any("not checked" in note and "test" in note for note in report["notes"])


def test_a_folder_of_tfrecords_is_that_set(tmp_path):
    own = draw(tmp_path / "own")
    data.main(["prepare", "-d", str(own), "--format", "tfrecord", "-o", f"{tmp_path}/r/a.tfrecord"])
    assert check(tmp_path / "r", tmp_path / "check")[0] == 0


def test_the_masks_that_a_model_disputes_most_come_first(tmp_path):
    own = draw(tmp_path / "own", 4)
    shares = {path.stem: (np.array(Image.open(path)) > 0).mean() for path in own.glob("masks/*")}
    model = tiny_network.save_constant(tmp_path / "never.keras", [0.1], ["object"])
    check(own, tmp_path / "check", "--fewest", "1", "--model", str(model))
    disputed = json.loads((tmp_path / "check" / "report.json").read_text())["disputed"]
    worst_first = sorted(shares, key=lambda name: -shares[name])
    assert [one["name"] for one in disputed] == worst_first
    assert disputed[0]["detail"] == f"{shares[worst_first[0]]:.1%} of the pixels"


def test_borders_are_counted_by_hand():
    ids = np.array([[0, 0, 0, 1, 5, 5, 5, 0], [5, 5, 3, 3, 3, 0, 0, 0]], np.uint8)
    # Rows: 0 1 5 is a blend, 5 0 a jump; 3 is too wide for one, so 5 3 and 3 0 jump.
    # Columns: seven of the eight steps are of more than one.
    assert blends.count(ids) == (1, 3 + 7)
    # A contour of ignored pixels lies between no ids, however far it is from them.
    assert blends.count(np.array([[0, 0, 0, 255, 1, 1, 255, 0]], np.uint8)) == (0, 4)


@pytest.mark.parametrize("width", [1, 2])
def test_narrow_objects_are_no_blends_and_interpolated_masks_are(tmp_path, width):
    """Poles of class 3 stand before 1 and before 5; masks 0 and 1 of 24 are halved smoothly."""
    own = draw(tmp_path / "own")
    (own / "labels.txt").write_text("idx\tlabel\n" + "".join(f"{i}\tc{i}\n" for i in range(6)))
    for number in range(COUNT):
        mask = Image.open(own / "masks" / f"{number:02}.png").resize((2 * SIDE, 2 * SIDE), 0)
        ids = np.where(np.array(mask) > 0, 5, 1).astype(np.uint8)
        if number > 1:
            ids = ids[::2, ::2]
            ids[:, 10::12] = 3
            ids[:, 10 + width - 1 :: 12] = 3
        else:
            blended = Image.fromarray(ids, "L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            ids = np.array(blended)
        Image.fromarray(ids).save(own / "masks" / f"{number:02}.png")
    status, found = check(own, tmp_path / "check", "--fewest", "1")
    assert status == 3 and found["blended"] == ["00", "01"]


def test_near_hashes_are_those_of_all_comparisons_across_blocks(monkeypatch):
    monkeypatch.setattr(duplicates, "DIFFERENCES", 30)  # three of ten rows
    hashes = np.random.default_rng(0).integers(0, 2**64, 10, np.uint64)
    hashes[7] = hashes[1] ^ np.uint64(0b1111111111)
    hashes[8] = hashes[2] ^ np.uint64(0b11111111111)
    assert list(duplicates.near(hashes)) == [(1, 7)]


def test_copies_are_alike_in_structure_whatever_was_done_to_them(tmp_path):
    own = draw(tmp_path / "own", 8)
    image = Image.open(own / "images" / "00.png")
    cropped = image.crop((2, 2, SIDE - 2, SIDE - 2)).resize((SIDE, SIDE))
    cropped.point(lambda value: min(255, value * 1.2)).save(own / "images" / "01.png")
    status, found = check(own, tmp_path / "check", "--fewest", "1")
    assert status == 3 and found["nearly_equal"] == ["00 and 01"]


def test_images_that_hashes_alone_take_for_copies_are_told_apart():
    dark, light = (bytes([value]) * duplicates.SIDE**2 for value in (20, 230))
    hashes = np.zeros(3, np.uint64)
    assert list(duplicates.pairs(hashes, [dark, light, dark])) == [(0, 2, 1.0)]


@pytest.mark.parametrize("name", ["images-8.npy", "none.tfrecord", "no_folder"])
def test_what_is_missing_is_one_line(name, tmp_path):
    with pytest.raises(data.InputError):
        data.main(["check", "-d", str(tmp_path / name), "-o", str(tmp_path / "check")])
    assert not (tmp_path / "check").exists()
