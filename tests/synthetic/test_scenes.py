"""Drawn rooms: repeatable, of ADE20K's classes and layout, and no task for a colour threshold."""

import cv2
import numpy as np
import pytest

from segmentation.data import labels, palette
from segmentation.errors import InputError
from segmentation.synthetic import samples
from segmentation.synthetic.rooms import IDS, room

COUNT = 30
SHOWN = (
    *("wall", "floor", "ceiling", "windowpane", "door", "bed", "sofa", "chair", "table", "lamp"),
    *("painting", "pillow", "rug", "plant", "curtain", "cabinet"),
)


@pytest.fixture(scope="module")
def drawn():
    return [room(7, index) for index in range(COUNT)]


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_room_depends_on_seed_and_index_alone(drawn):
    np.random.seed(9)
    image, mask = room(7, 5)
    np.testing.assert_array_equal(image, drawn[5][0])
    np.testing.assert_array_equal(mask, drawn[5][1])
    assert image.dtype == mask.dtype == np.uint8 and image.shape == (*mask.shape, 3)
    assert len({mask.shape for _, mask in drawn}) > 10
    assert room(8, 5)[0].shape != image.shape or (room(8, 5)[0] != image).any()


def test_ids_are_those_of_ade20k(drawn):
    names = list(palette.ade20k())
    assert (names[IDS["wall"] - 1], IDS["bed"], IDS["pillow"]) == ("wall", 8, 58)
    shown = set(np.unique(np.concatenate([mask.ravel() for _, mask in drawn])).tolist())
    assert shown == {IDS[name] for name in SHOWN}


def test_shape_and_place_are_right(drawn):
    for _, mask in drawn:
        rows = {name: np.nonzero(mask == IDS[name])[0] for name in SHOWN}
        assert rows["wall"].size > 0.1 * mask.size
        assert rows["ceiling"].mean() < 0.3 * len(mask)
        for name in ("floor", "rug"):
            assert not rows[name].size or rows[name].min() > 0.4 * len(mask)


def test_colour_tells_little(drawn):
    means = {
        name: np.float64(
            [image[mask == IDS[name]].mean(axis=0) for image, mask in drawn if IDS[name] in mask]
        )
        for name in ("wall", "floor", "door", "cabinet", "curtain")
    }
    centers = {name: colors.mean(axis=0) for name, colors in means.items()}
    spread = np.mean([colors.std(axis=0).mean() for colors in means.values()])
    apart = np.std(list(centers.values()), axis=0).mean()
    assert apart < 0.7 * spread


def test_files_have_the_layout_of_ade20k_and_are_repeatable(tmp_path):
    result = samples.write_rooms(tmp_path / "a", 6, 3)
    assert (result["pictures"], result["training"], result["validation"]) == (6, 5, 1)
    found = contents(tmp_path / "a")
    stems = {"training": [1, 2, 3, 4, 6], "validation": [5]}
    assert sorted(found) == sorted(
        [
            "objectInfo150.txt",
            *(
                f"{folder}/{split}/room_{number:04d}{suffix}"
                for folder, suffix in (("images", ".jpg"), ("annotations", ".png"))
                for split, numbers in stems.items()
                for number in numbers
            ),
        ]
    )
    names, shares = labels.read_object_info(tmp_path / "a/objectInfo150.txt")
    assert list(names.values()) == list(palette.ade20k())
    assert sum(shares.values()) == pytest.approx(1, abs=0.005)
    mask = cv2.imread(str(tmp_path / "a/annotations/validation/room_0005.png"), -1)
    np.testing.assert_array_equal(mask, room(3, 4)[1])
    picture = cv2.imread(str(tmp_path / "a/images/validation/room_0005.jpg"))[..., ::-1]
    assert np.abs(picture.astype(int) - room(3, 4)[0]).mean() < 8  # what JPEG loses
    samples.write_rooms(tmp_path / "b", 2, 3)
    fewer = contents(tmp_path / "b")
    fewer.pop("objectInfo150.txt")
    assert len(fewer) == 4 and fewer.items() < found.items()


def test_replaces_its_own_rooms_and_nothing_else(tmp_path):
    samples.write_rooms(tmp_path, 3, 1)
    samples.write_rooms(tmp_path, 1, 2)
    before = contents(tmp_path)
    assert len(before) == 3
    (tmp_path / "images/training/ADE_train_00000001.jpg").write_bytes(b"real")
    with pytest.raises(InputError, match="ADE_train_00000001.jpg: was not drawn here.*--out_dir"):
        samples.write_rooms(tmp_path, 1, 3)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/objectInfo150.txt").write_text("real")
    with pytest.raises(InputError, match="objectInfo150.txt: not of drawn rooms"):
        samples.write_rooms(tmp_path / "other", 1, 3)
    with pytest.raises(InputError, match="count of 1 or more"):
        samples.write_rooms(tmp_path / "new", 0, 3)
    assert not (tmp_path / "new").exists()
