"""Opening prepared arrays: what fits, and what each mistake is answered with."""

import dataclasses

import numpy as np
import pytest

from segmentation.data import arrays, labels
from segmentation.errors import InputError


def prepared(folder, count=3, height=32, width=64):
    """Write a set in which row i is filled with i, and its mask with i % 3."""
    rows = np.arange(count, dtype=np.uint8)
    image_path, mask_path, name_path, label_path = arrays.paths(folder, (height, width))
    np.save(image_path, np.broadcast_to(rows[:, None, None, None], (count, height, width, 3)))
    np.save(mask_path, np.broadcast_to(rows[:, None, None] % 3, (count, height, width)))
    stems = [f"{row:04d}" for row in rows]
    arrays.write_names(name_path, stems, ["ann", "", "bob"][:count])
    labels.write(label_path, ["background", "hair", "face"])
    return image_path, mask_path, name_path, label_path


def test_the_partners_are_found_beside_the_images(tmp_path):
    image_path, *_ = prepared(tmp_path)
    assert image_path.name == "images-32x64.npy"
    opened = arrays.open_arrays(image_path)
    assert opened.images.shape == (3, 32, 64, 3) and isinstance(opened.images, np.memmap)
    assert opened.masks[:, 0, 0].tolist() == [0, 1, 2] and isinstance(opened.masks, np.memmap)
    assert opened.stems == ["0000", "0001", "0002"] and opened.groups == ["ann", "", "bob"]
    assert opened.labels == ["background", "hair", "face"]


def test_a_square_size_is_one_number():
    assert arrays.paths("data", (128, 128))[1].name == "masks-128.npy"


def test_without_names_rows_are_numbered_and_groups_unknown(tmp_path):
    image_path, _, name_path, _ = prepared(tmp_path)
    name_path.unlink()
    opened = arrays.open_arrays(image_path)
    assert opened.stems == ["0", "1", "2"] and opened.groups == ["", "", ""]


def test_pictures_that_two_sets_share_are_counted(tmp_path):
    folders = [tmp_path / name for name in ("few", "many", "wide")]
    for folder, size in zip(folders, [(2, 32), (3, 32), (3, 16)], strict=True):
        folder.mkdir()
        names = prepared(folder, *size)[2]
    few, many, wide = (
        arrays.open_arrays(folder / f"images-{height}x64.npy")
        for folder, height in zip(folders, (32, 32, 16), strict=True)
    )
    assert few.shared(many) == many.shared(few) == 2
    assert few.shared(wide) == wide.shared(few) == 2  # by name and person
    arrays.write_names(names, ["0000", "0001", "0002"], ["eve", "", "eve"])
    assert many.shared(arrays.open_arrays(names.with_name("images-16x64.npy"))) == 1
    few, wide = (
        dataclasses.replace(each, stems=[*map(str, range(len(each)))], groups=[""] * len(each))
        for each in (few, wide)
    )
    assert few.shared(wide) == 0  # rows without names


def test_other_places_can_be_given(tmp_path):
    image_path, mask_path, _, label_path = prepared(tmp_path)
    own = image_path.rename(tmp_path / "faces.npy")
    with pytest.raises(InputError, match="name its mask file"):
        arrays.open_arrays(own)
    with pytest.raises(InputError, match="room.tfrecord: holds no arrays.*--tfrecord_data"):
        arrays.open_arrays(tmp_path / "room.tfrecord")
    own_labels = label_path.rename(tmp_path / "own.txt")
    assert len(arrays.open_arrays(own, mask_path, own_labels).masks) == 3


def test_a_mask_array_of_the_older_project_is_converted(tmp_path):
    image_path, mask_path, _, label_path = prepared(tmp_path)
    label_path.unlink()  # it had none
    masks = np.zeros((3, 32, 64, 3), np.uint8)
    masks[0, :, :, 0] = 255  # hair
    masks[1, :, :, 1] = 255  # face
    masks[2, :, :, 2] = 255  # background
    masks[2, 0, 0] = (150, 0, 106)  # a border that interpolation blended, and rounded up
    np.save(mask_path, masks)
    opened = arrays.open_arrays(image_path)
    assert opened.masks[:, 1, 1].tolist() == [1, 2, 0] and opened.masks[2, 0, 0] == 1
    assert opened.labels == ["background", "hair", "face"]
    assert not opened.masks.flags.writeable
    label_path.write_text("idx\tlabel\n0\tnone\n1\tfur\n2\tsnout\n")
    assert arrays.open_arrays(image_path).labels == ["none", "fur", "snout"]
    label_path.write_text("idx\tlabel\n0\tnone\n1\tface\n2\thair\n")
    message = "labels.txt: calls class 1 'face', and .* red 1, hair, and green 2, face: put"
    with pytest.raises(InputError, match=message):
        arrays.open_arrays(image_path)


def test_pictures_given_as_masks_are_refused(tmp_path):
    image_path, _, _, _ = prepared(tmp_path)
    with pytest.raises(InputError, match="holds the colour"):
        arrays.open_arrays(image_path, image_path)


@pytest.mark.parametrize(
    ("which", "array", "message"),
    [
        (0, np.zeros((3, 32, 64, 3), np.float32), "float32, not uint8"),
        (0, np.zeros((3, 32, 64), np.uint8), r"not \(N, H, W, 3\)"),
        (0, np.zeros((0, 32, 64, 3), np.uint8), "holds no images"),
        (0, np.zeros((3, 32, 32, 3), np.uint8), "do not belong together"),
        (0, np.array([{}, None]), "not a whole .npy array"),
        (1, np.zeros((4, 32, 64), np.uint8), "do not belong together"),
        (1, np.zeros((3, 32, 64), bool), "bool, not uint8"),
        (1, np.full((3, 32, 64), 3, np.uint8), "holds class 3, and labels.txt names 0 to 2"),
        (1, np.full((3, 32, 64), 255, np.uint8), "0 and 255, not class ids"),
    ],
)
def test_arrays_that_do_not_fit_are_explained(tmp_path, which, array, message):
    written = prepared(tmp_path)
    np.save(written[which], array, allow_pickle=True)
    with pytest.raises(InputError, match=message) as error:
        arrays.open_arrays(written[0])
    assert written[which].name in str(error.value) and "\n" not in str(error.value)


def test_255_beside_class_ids_means_no_class(tmp_path):
    image_path, mask_path, _, _ = prepared(tmp_path)
    masks = np.ones((3, 32, 64), np.uint8)
    masks[1, 5] = 255
    np.save(mask_path, masks)
    assert arrays.open_arrays(image_path).masks[1, 5, 0] == labels.IGNORED


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_array_is_named(tmp_path, content):
    image_path, *_ = prepared(tmp_path)
    image_path.write_bytes(content)
    with pytest.raises(InputError, match="not a whole .npy array") as error:
        arrays.open_arrays(image_path)
    assert str(image_path) in str(error.value)


def test_a_header_that_is_no_python_is_named(tmp_path):
    image_path, *_ = prepared(tmp_path)
    image_path.write_bytes(image_path.read_bytes().replace(b"}", b" ", 1))  # a TokenError of Python
    with pytest.raises(InputError, match="images-32x64.npy is not a whole .npy array"):
        arrays.open_arrays(image_path)


def test_a_shortened_array_is_named(tmp_path):
    image_path, *_ = prepared(tmp_path)
    image_path.write_bytes(image_path.read_bytes()[:-1])
    with pytest.raises(InputError, match="not a whole .npy array"):
        arrays.open_arrays(image_path)


def test_missing_files_are_named(tmp_path):
    image_path, mask_path, name_path, label_path = prepared(tmp_path)
    name_path.write_text("0001\tann\n")
    with pytest.raises(InputError, match="1 lines for 3 images"):
        arrays.open_arrays(image_path)
    label_path.unlink()
    with pytest.raises(InputError, match="labels.txt: no such file"):
        arrays.open_arrays(image_path)
    mask_path.unlink()
    with pytest.raises(InputError, match="masks-32x64.npy: no such file"):
        arrays.open_arrays(image_path)


@pytest.mark.parametrize("count", [0, 1, 12345])
def test_rows_are_the_bytes_that_numpy_saves(tmp_path, count):
    rows = np.arange(count * 6, dtype=np.int64).astype(np.uint8).reshape(count, 2, 3)
    with arrays.RowWriter(tmp_path / "rows.npy", (2, 3)) as writer:
        for row in rows:
            writer.append(row)
    np.save(tmp_path / "saved.npy", rows)
    assert (tmp_path / "rows.npy").read_bytes() == (tmp_path / "saved.npy").read_bytes()
    with pytest.raises(ValueError), arrays.RowWriter(tmp_path / "rows.npy", (2, 3)) as writer:
        writer.append(np.zeros((3, 2), np.uint8))
