"""Synthetic rooms: repeatable, with ADE20K's classes and layout, and hard to separate by colour."""

import cv2
import numpy as np
import pytest

from segmentation.data import labels, palette
from segmentation.errors import InputError
from segmentation.synthetic.room_dataset import write_rooms
from segmentation.synthetic.rooms import room
from segmentation.synthetic.rooms.scene import IDS

COUNT = 30
SHOWN = (
    *("wall", "floor", "ceiling", "windowpane", "door", "bed", "sofa", "chair", "table", "lamp"),
    *("painting", "pillow", "rug", "plant", "curtain", "cabinet"),
)


@pytest.fixture(scope="module")
def rooms():
    """A list of (image, mask) of one seed."""
    return [room(7, index) for index in range(COUNT)]


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_room_depends_on_seed_and_index_alone(rooms):
    np.random.seed(9)
    image, mask = room(7, 5)
    np.testing.assert_array_equal(image, rooms[5][0])
    np.testing.assert_array_equal(mask, rooms[5][1])
    assert image.dtype == mask.dtype == np.uint8 and image.shape == (*mask.shape, 3)
    assert len({mask.shape for _, mask in rooms}) > 10
    assert room(8, 5)[0].shape != image.shape or (room(8, 5)[0] != image).any()


def test_ids_are_those_of_ade20k(rooms):
    names = list(palette.ade20k())
    assert (names[IDS["wall"] - 1], IDS["bed"], IDS["pillow"]) == ("wall", 8, 58)
    shown = set(np.unique(np.concatenate([mask.ravel() for _, mask in rooms])).tolist())
    assert shown == {IDS[name] for name in SHOWN}


def test_classes_have_plausible_sizes_and_places(rooms):
    for _, mask in rooms:
        rows = {name: np.nonzero(mask == IDS[name])[0] for name in SHOWN}
        assert rows["wall"].size > 0.1 * mask.size
        assert rows["ceiling"].mean() < 0.3 * len(mask)
        for name in ("floor", "rug"):
            assert not rows[name].size or rows[name].min() > 0.4 * len(mask)


def test_colour_says_little_about_the_class(rooms):
    means = {
        name: np.float64(
            [image[mask == IDS[name]].mean(axis=0) for image, mask in rooms if IDS[name] in mask]
        )
        for name in ("wall", "floor", "door", "cabinet", "curtain")
    }
    centers = {name: colors.mean(axis=0) for name, colors in means.items()}
    spread = np.mean([colors.std(axis=0).mean() for colors in means.values()])
    apart = np.std(list(centers.values()), axis=0).mean()
    assert apart < 0.7 * spread


def test_files_are_repeatable_and_have_the_layout_of_ade20k(tmp_path):
    result = write_rooms(tmp_path / "a", 6, 3)
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
    names, fractions = labels.read_object_info(tmp_path / "a/objectInfo150.txt")
    assert list(names.values()) == list(palette.ade20k())
    assert sum(fractions.values()) == pytest.approx(1, abs=0.005)
    mask = cv2.imread(str(tmp_path / "a/annotations/validation/room_0005.png"), -1)
    np.testing.assert_array_equal(mask, room(3, 4)[1])
    photo = cv2.imread(str(tmp_path / "a/images/validation/room_0005.jpg"))[..., ::-1]
    assert np.abs(photo.astype(int) - room(3, 4)[0]).mean() < 8  # JPEG is lossy
    write_rooms(tmp_path / "b", 2, 3)
    fewer = contents(tmp_path / "b")
    fewer.pop("objectInfo150.txt")
    assert len(fewer) == 4 and fewer.items() < found.items()


def test_replaces_its_own_rooms_and_nothing_else(tmp_path):
    write_rooms(tmp_path, 3, 1)
    write_rooms(tmp_path, 1, 2)
    before = contents(tmp_path)
    assert len(before) == 3
    (tmp_path / "images/training/ADE_train_00000001.jpg").write_bytes(b"real")
    with pytest.raises(
        InputError, match="ADE_train_00000001.jpg: is not a synthetic room.*--out_dir"
    ):
        write_rooms(tmp_path, 1, 3)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/objectInfo150.txt").write_text("real")
    with pytest.raises(InputError, match="objectInfo150.txt: does not describe synthetic rooms"):
        write_rooms(tmp_path / "other", 1, 3)
    with pytest.raises(InputError, match="count 0, seed 3: expected a count ≥ 1"):
        write_rooms(tmp_path / "new", 0, 3)
    assert not (tmp_path / "new").exists()
