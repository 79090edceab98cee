"""Synthetic portraits: repeatable, correctly labelled, and not separable by colour alone."""

import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest

from segmentation import progress
from segmentation.errors import InputError
from segmentation.synthetic.canvas import SIDE, Canvas, coverage
from segmentation.synthetic.portrait_dataset import write_portraits
from segmentation.synthetic.portraits import faces, people, person_of, portrait
from segmentation.synthetic.portraits.people import BACKGROUND, FACE, HAIR

COUNT = 150


@pytest.fixture(scope="module")
def portraits():
    """The images (COUNT, 250, 250, 3) and masks (COUNT, 250, 250) of one seed."""
    pairs = [portrait(7, index) for index in range(COUNT)]
    return np.stack([image for image, _ in pairs]), np.stack([mask for _, mask in pairs])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_portrait_depends_on_seed_and_index_alone():
    image, mask = portrait(3, 5)
    portrait(3, 6)
    cv2.setRNGSeed(9)
    np.random.seed(9)
    again, mask_again = portrait(3, 5)
    np.testing.assert_array_equal(image, again)
    np.testing.assert_array_equal(mask, mask_again)
    assert image.shape == (250, 250, 3) and image.dtype == np.uint8
    assert mask.shape == (250, 250) and mask.dtype == np.uint8
    assert (portrait(3, 6)[0] != image).any() and (portrait(4, 5)[0] != image).any()


def test_class_fractions_resemble_those_of_lfw(portraits):
    masks = portraits[1]
    assert set(np.unique(masks)) == {BACKGROUND, HAIR, FACE}
    fractions = [(masks == label).mean() for label in (BACKGROUND, HAIR, FACE)]
    np.testing.assert_allclose(fractions, (0.69, 0.10, 0.215), atol=0.025)
    hair = (masks == HAIR).mean(axis=(1, 2))
    assert 0 < (hair == 0).mean() < 0.1  # some show no hair
    assert hair.max() > 0.25  # some very much
    assert ((masks == FACE).mean(axis=(1, 2)) > 0.05).all()


def test_people_recur_and_keep_their_hair(portraits):
    persons = [person_of(index) for index in range(20)]
    assert persons == [0, 1, 1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 8, 9, 10, 10, 10, 11, 12, 13]
    hair = (portraits[1] == HAIR).mean(axis=(1, 2))
    persons = np.array([person_of(index) for index in range(COUNT)])
    means = {person: hair[persons == person].mean() for person in persons}
    within = np.mean([abs(fraction - means[p]) for p, fraction in zip(persons, hair, strict=True)])
    assert within < 0.5 * np.abs(hair - hair.mean()).mean()


def test_no_colour_alone_finds_hair(portraits):
    images, masks = portraits
    bins = (images // 32).astype(np.int64)
    codes = bins[..., 0] * 64 + bins[..., 1] * 8 + bins[..., 2]
    hair, half = masks == HAIR, COUNT // 2
    # The best possible set of colours: those whose fraction of hair pixels exceeds a threshold.
    seen = np.bincount(codes[:half].ravel(), minlength=512)
    hits = np.bincount(codes[:half].ravel(), hair[:half].ravel(), 512)
    fraction = hits / np.maximum(seen, 1)
    best = 0
    for threshold in np.linspace(0.05, 0.95, 19):
        guess, truth = (fraction > threshold)[codes[half:]], hair[half:]
        best = max(best, (guess & truth).sum() / (guess | truth).sum())
    assert best < 0.3


def test_hair_and_skin_come_in_many_colours(portraits):
    images, masks = portraits
    for label, spread in ((HAIR, 35), (FACE, 30)):
        shown = [image[mask == label] for image, mask in zip(*portraits, strict=True)]
        light = np.array([pixels.mean() for pixels in shown if len(pixels) > 300])
        assert light.std() > spread
        assert light.min() < 70 and light.max() > 160


def test_image_and_mask_share_one_geometry(portraits):
    # The image changes more across the edges of its mask than across shifted edges.
    images, masks = portraits
    grey = images.mean(axis=3)
    step = np.abs(np.diff(grey, axis=2))
    edge = masks[:, :, 1:] != masks[:, :, :-1]
    at_edge = step[edge].mean()
    for shift in (-4, -3, 3, 4):
        assert at_edge > 1.5 * step[np.roll(edge, shift, axis=2)].mean()


def test_a_pixel_takes_the_id_of_a_shape_that_covers_half_of_it():
    square = np.array([(10.4, 20), (30.4, 20), (30.4, 40.6), (10.4, 40.6)])
    box, alpha = coverage([square])
    full = np.zeros((SIDE, SIDE))
    full[box] = alpha
    assert full[30, 20] == 1 and full[30, 8] == full[30, 32] == 0
    assert full[30, 10] == pytest.approx(0.6, abs=1 / 3)  # rounded to one sub-pixel of three
    assert full[30, 30] == pytest.approx(0.4, abs=1 / 3)
    canvas = Canvas(np.zeros((SIDE, SIDE, 3), np.float32))
    canvas.paint([square], (200, 100, 50), FACE)
    np.testing.assert_array_equal(canvas.ids, np.where(full >= 0.5, FACE, BACKGROUND))
    np.testing.assert_allclose(canvas.image, full[..., None] * (200, 100, 50), atol=1e-3)
    canvas.paint([square - 500], (0, 0, 0), HAIR)  # outside
    assert not (canvas.ids == HAIR).any()


def test_files_are_repeatable_and_have_the_layout_of_lfw(tmp_path, monkeypatch):
    shown = []

    def display(items, total, description):
        shown.append((total, description))
        return items

    monkeypatch.setattr(progress, "_display", display)
    result = write_portraits(tmp_path / "a", 12, 7)
    assert shown == [(12, "generating")]
    names = [f"{number:04d}" for number in range(1, 13)]
    assert sorted(path.name for path in (tmp_path / "a/images").iterdir()) == [
        f"{name}.jpg" for name in names
    ]
    assert sorted(path.name for path in (tmp_path / "a/masks").iterdir()) == [
        f"{name}.ppm" for name in names
    ]
    rows = list(csv.DictReader((tmp_path / "a/mapping.csv").open()))
    assert [row["id"] for row in rows] == names
    assert len({row["person_group"] for row in rows}) == result["people"] == 9
    assert result["pictures"] == 12
    assert sum(result["shares"].values()) == pytest.approx(1, abs=1e-3)

    image, ids = portrait(7, 11)
    mask = cv2.imread(str(tmp_path / "a/masks/0012.ppm"))[..., ::-1]
    pure = np.array([(0, 0, 255), (255, 0, 0), (0, 255, 0)])  # background, hair, face
    np.testing.assert_array_equal(mask, pure[ids])
    photo = cv2.imread(str(tmp_path / "a/images/0012.jpg"))[..., ::-1]
    assert np.abs(photo.astype(int) - image).mean() < 8  # JPEG is lossy

    write_portraits(tmp_path / "b", 12, 7)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    write_portraits(tmp_path / "c", 3, 7)
    fewer, more = contents(tmp_path / "c"), contents(tmp_path / "a")
    assert len(fewer) == 7
    assert all(more[name] == data for name, data in fewer.items() if name != "mapping.csv")
    assert fewer["mapping.csv"] == b"\n".join(more["mapping.csv"].split(b"\n")[:4]) + b"\n"


def test_replaces_its_own_portraits_and_nothing_else(tmp_path):
    write_portraits(tmp_path, 3, 1)
    write_portraits(tmp_path, 2, 2)
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == ["0001.jpg", "0002.jpg"]
    before = contents(tmp_path)

    (tmp_path / "images" / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(
        InputError, match="images: .*not synthetic.*1, such as holiday.jpg.*--out_dir"
    ):
        write_portraits(tmp_path, 2, 3)
    assert contents(tmp_path) == before | {"holiday.jpg": b"mine"}


@pytest.mark.parametrize("name", ["images", "masks"])
def test_leaves_a_real_data_set_alone(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "0001.jpg").write_bytes(b"real")
    with pytest.raises(InputError, match=f"{name}: .*not synthetic portraits .1, such as 0001.jpg"):
        write_portraits(tmp_path, 2, 1)
    (tmp_path / "mapping.csv").write_text("id,person_group\n0001,g0001\n")
    with pytest.raises(InputError, match="mapping.csv: does not describe synthetic portraits"):
        write_portraits(tmp_path, 2, 1)
    assert len(list(tmp_path.iterdir())) == 2


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(items, total, description):
        yield from range(2)
        raise KeyboardInterrupt

    monkeypatch.setattr(progress, "_display", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_portraits(tmp_path / "out", 5, 1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("count, seed", [(0, 1), (-3, 1), (1, -1)])
def test_refuses_a_count_or_seed_out_of_range(tmp_path, count, seed):
    with pytest.raises(
        InputError, match=f"count {count}, seed {seed}: expected a count ≥ 1 and a seed ≥ 0"
    ):
        write_portraits(tmp_path / "out", count, seed)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", range(5))
def test_a_beard_is_hair_and_the_mouth_in_it_is_face(seed):
    rng = np.random.default_rng(seed)
    person = replace(people.person(rng), beard="full", glasses=False)
    sitter = people.Sitter(person, people.pose(rng), rng)
    canvas = Canvas(np.zeros((SIDE, SIDE, 3), np.float32))
    canvas.paint([sitter.at(people.face_outline(person))], sitter.skin, FACE)
    faces.paint_features(canvas, sitter, rng)
    (mouth_x, mouth_y), (chin_x, chin_y) = sitter.on_face([(0, 0.62), (0, 0.9)]).astype(int)
    assert canvas.ids[mouth_y, mouth_x] == FACE and canvas.ids[chin_y, chin_x] == HAIR
