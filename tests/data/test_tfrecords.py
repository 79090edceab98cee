"""TFRecords: bytes that TensorFlow reads, sets of shards, and damage that is named."""

import io
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import evaluate
from segmentation.data import image_io, labels, tfrecords
from segmentation.errors import InputError

NAMES = ["none"] + [f"class {number}" for number in range(1, 151)]
ROOM = NAMES[:3]

MASK = np.repeat(np.uint8([[0, 1], [2, 150]]), 20, axis=1)  # 2 x 40
NOISE = np.random.default_rng(1).integers(0, 256, (2, 40, 3), np.uint8)


def encoded(array, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, quality=95)
    return file.getvalue()


def record(stem="room"):
    return tfrecords.record(stem, encoded(NOISE), "png", (2, 40), encoded(MASK))


def write(path, stems):
    path.write_bytes(b"".join(record(stem) for stem in stems))
    return path


def test_tensorflow_reads_a_record_by_the_names_of_deeplabs_builders(tmp_path):
    import tensorflow as tf

    path = write(tmp_path / "a.tfrecord", ["first", "second"])
    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/filename": tf.io.FixedLenFeature([], tf.string),
        "image/format": tf.io.FixedLenFeature([], tf.string),
        "image/height": tf.io.FixedLenFeature([], tf.int64),
        "image/width": tf.io.FixedLenFeature([], tf.int64),
        "image/channels": tf.io.FixedLenFeature([], tf.int64),
        "image/segmentation/class/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/segmentation/class/format": tf.io.FixedLenFeature([], tf.string),
    }
    first, second = tf.data.TFRecordDataset(str(path)).map(
        lambda serialized: tf.io.parse_single_example(serialized, features)
    )
    np.testing.assert_array_equal(tf.io.decode_image(first["image/encoded"]), NOISE)
    mask = tf.io.decode_png(first["image/segmentation/class/encoded"])
    np.testing.assert_array_equal(mask[..., 0], MASK)
    assert mask.shape == (2, 40, 1)
    assert [first[f"image/{name}"] for name in ("height", "width", "channels")] == [2, 40, 3]
    assert first["image/format"] == first["image/segmentation/class/format"] == b"png"
    assert [first["image/filename"], second["image/filename"]] == [b"first", b"second"]


def test_protocol_buffers_are_those_of_tensorflow():
    import tensorflow as tf

    data = record()[tfrecords.HEAD : -tfrecords.TAIL]
    example = tf.train.Example.FromString(data)
    assert len(example.features.feature) == 8
    assert example.features.feature["image/width"].int64_list.value == [40]
    large = tfrecords.record("x", b"i" * 300, "jpeg", (70_000, 200), b"m")[tfrecords.HEAD : -4]
    feature = tf.train.Example.FromString(large).features.feature
    assert feature["image/height"].int64_list.value == [70_000]
    assert feature["image/encoded"].bytes_list.value == [b"i" * 300]


def test_records_come_in_order_from_all_shards_and_names_may_be_any_bytes(tmp_path):
    one = write(tmp_path / "a-00000-of-00002.tfrecord", ["1", "3"])
    two = write(tmp_path / "a-00001-of-00002.tfrecord", [os.fsdecode(b"\xff2")])
    assert tfrecords.Records([one, two], NAMES).stems == ["1", "3", os.fsdecode(b"\xff2")]


def test_a_file_its_shards_and_a_pattern(tmp_path):
    shards = [tmp_path / f"room-0000{shard}-of-00002.tfrecord" for shard in range(2)]
    assert tfrecords.shard_paths(tmp_path / "room.tfrecord", 2) == shards
    assert tfrecords.shard_paths(tmp_path / "room.tfrecord", 1) == [tmp_path / "room.tfrecord"]
    for path in (*shards, tmp_path / "room-b.tfrecord", tmp_path / "bedroom.tfrecord"):
        path.touch()
    assert tfrecords.paths(tmp_path / "room.tfrecord") == shards
    assert tfrecords.paths(str(tmp_path / "room.tfrecord")) == shards
    assert tfrecords.paths(tmp_path / "bedroom.tfrecord") == [tmp_path / "bedroom.tfrecord"]
    assert tfrecords.paths(shards[1]) == shards
    assert tfrecords.paths(tmp_path / "room-0*") == shards
    with pytest.raises(InputError, match="holds 3 sets, bedroom.tfrecord, room-b.tfrecord, room."):
        tfrecords.paths(tmp_path)
    for other in ("room-b", "bedroom"):
        (tmp_path / f"{other}.tfrecord").unlink()
    assert tfrecords.paths(tmp_path) == shards


def test_a_part_of_a_set_is_read_only_where_a_pattern_names_it_and_that_is_said(tmp_path, caplog):
    shards = tfrecords.shard_paths(tmp_path / "room.tfrecord", 2)
    for path in shards:
        path.touch()
    assert tfrecords.paths(tmp_path / "room-00000-*") == [shards[0]]
    assert "reads 1 of the 2 shards of" in caplog.text
    caplog.clear()
    assert tfrecords.paths(tmp_path / "room-*") == shards and not caplog.text
    shards[1].unlink()
    with pytest.raises(InputError, match="room-00001-of-00002.tfrecord: this shard of .* missing"):
        tfrecords.paths(shards[0])


def test_files_that_the_shell_made_of_a_pattern_are_that_pattern_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shards = tfrecords.shard_paths("room.tfrecord", 3)
    for path in shards:
        path.touch()
    expanded = ["room.keras", "-d", *map(str, shards), "--split", "validation"]
    args = evaluate.parse_args(expanded)
    assert tfrecords.paths(args.tfrecord_data) == shards and args.split == "validation"
    assert str(evaluate.parse_args(["-d", "one.tfrecord", "a.keras"]).model) == "a.keras"
    with pytest.raises(InputError, match="room-00000.* and 1 more files: name one set"):
        evaluate.parse_args(["room.keras", "-d", *map(str, shards[:2])])


@pytest.mark.parametrize(
    ("names", "asked", "message"),
    [
        ([], "room.tfrecord", "no such file, nor shards of it"),
        ([], "room-*", "no file fits this pattern"),
        (["room-00000-of-00002"], "room.tfrecord", "00001-of-00002.tfrecord: this shard .*missing"),
        (["room-00000-of-00002", "room-00000-of-00001"], "room.tfrecord", "shards of 2 sets"),
        (["room", "room-00000-of-00001"], "room.tfrecord", "exists along with shards, room-00000"),
    ],
)
def test_a_set_that_is_not_whole_is_explained(tmp_path, names, asked, message):
    for name in names:
        (tmp_path / f"{name}.tfrecord").touch()
    with pytest.raises(InputError, match=message) as error:
        tfrecords.paths(tmp_path / asked)
    assert "\n" not in str(error.value)


def test_a_folder_without_records_is_named(tmp_path):
    with pytest.raises(InputError, match=f"{tmp_path}: holds no .tfrecord"):
        tfrecords.paths(tmp_path)


def test_images_of_records_are_not_turned_as_tensorflow_does_not(tmp_path):
    orientation = Image.Exif()
    orientation[0x0112] = 6
    files = [io.BytesIO(), io.BytesIO()]
    Image.fromarray(NOISE).save(files[0], "JPEG", exif=orientation)
    Image.fromarray(MASK).save(files[1], "PNG", exif=orientation)
    image, mask = (file.getvalue() for file in files)
    path = tmp_path / "a.tfrecord"
    path.write_bytes(tfrecords.record("turned", image, "jpeg", (2, 40), mask))
    image, ids = tfrecords.Records([path], NAMES).read(0)
    np.testing.assert_array_equal(image, Image.open(files[0]).convert("RGB"))
    np.testing.assert_array_equal(ids, MASK)


def test_fingerprints_differ_where_sets_do(tmp_path):
    paths = [tmp_path / f"{name}.tfrecord" for name in "abcde"]
    write(paths[0], ["1", "2", "3"])
    write(paths[1], ["1", "2", "3"])
    write(paths[2], ["1", "2", "4"])  # the same lengths
    write(paths[3], ["2", "1", "3"])
    write(paths[4], ["1", "2"])
    found = [tfrecords.Records([path], NAMES).fingerprint() for path in paths]
    assert found[0] == found[1] and len(set(found)) == 4
    assert tfrecords.Records(paths[:1], NAMES[::-1]).fingerprint() not in found


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-3],  # cut within a record
        lambda data: data[: len(data) // 2 + 5],  # cut within the head of the second
        lambda data: b"\x89PNG" + data[:200],  # no TFRecord at all
        lambda data: data[:3] + b"#" + data[4:],  # a byte of a length has changed
    ],
)
def test_damage_is_one_line_that_names_the_file(tmp_path, spoil):
    good, bad = tmp_path / "good.tfrecord", tmp_path / "bad.tfrecord"
    write(good, ["1", "2"])
    bad.write_bytes(spoil(good.read_bytes()))
    message = "bad.tfrecord: cut short, or no TFRecord; prepare the data again"
    with pytest.raises(InputError, match=message) as error:
        tfrecords.Records([good, bad], NAMES)
    assert "\n" not in str(error.value)


def test_a_changed_byte_spoils_its_record_alone(tmp_path):
    path = write(tmp_path / "bad.tfrecord", ["1", "2"])
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    found = tfrecords.Records([path], NAMES)
    found.read_mask(0)
    with pytest.raises(image_io.UnreadableError, match="bad.tfrecord, record 1: damaged"):
        found.read(1)
    assert found.stems == ["1", "record 1"]


def test_empty_missing_and_foreign_files_are_named(tmp_path):
    import tensorflow as tf

    (tmp_path / "empty.tfrecord").touch()
    with pytest.raises(InputError, match="empty.tfrecord: holds no images"):
        tfrecords.Records([tmp_path / "empty.tfrecord"], NAMES)
    with pytest.raises(InputError, match="none.tfrecord: cannot be opened .No such file"):
        tfrecords.Records([tmp_path / "none.tfrecord"], NAMES)
    path = tmp_path / "other.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(tf.train.Example().SerializeToString())
        writer.write(b"\xffhello")
    for record in range(2):
        with pytest.raises(InputError, match=f"record {record}: has no image/encoded"):
            tfrecords.Records([path], NAMES).read(record)


def written(path, image, mask, size=(8, 8)):
    path.write_bytes(tfrecords.record("one", image, "png", size, mask))
    return tfrecords.Records([path], ROOM)


def test_masks_of_three_equal_channels_are_class_ids_and_images_become_rgb(tmp_path):
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
        (
            encoded(GREY),
            encoded(GREY + 3),
            r"record 0 \(one\) holds class 3, and labels.txt names 0 to 2",
        ),
        (encoded(GREY), encoded(GREY[:4]), "do not belong together"),
        (encoded(GREY)[:40], encoded(GREY), r"record 0 \(one\): "),
        (encoded(GREY), encoded(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)), "not one byte"),
        (encoded(GREY), encoded(GREY.astype(np.uint16)), "not one byte"),
    ],
)
def test_a_bad_record_is_named(tmp_path, image, mask, message):
    with pytest.raises(InputError, match=message) as error:
        written(tmp_path / "one.tfrecord", image, mask).read(0)
    assert "one.tfrecord" in str(error.value) and "\n" not in str(error.value)


def test_damage_that_a_run_may_skip_differs_from_wrong_classes(tmp_path):
    found = written(tmp_path / "one.tfrecord", encoded(GREY)[:40], encoded(GREY))
    with pytest.raises(image_io.UnreadableError):
        found.read(0)


def test_records_of_other_labels_are_not_mixed(tmp_path):
    for name, classes in (("a", "none wall sky"), ("b", "none sky wall")):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "room.tfrecord", ["1"])
        labels.write(tmp_path / name / "labels.txt", classes.split())
    with pytest.raises(InputError, match="name different classes; do not mix such sets"):
        tfrecords.open_records(tmp_path / "*" / "room.tfrecord")
    assert len(tfrecords.open_records(tmp_path / "*/room.tfrecord", tmp_path / "a/labels.txt")) == 2


def test_stems_lose_the_suffix_of_an_image_and_no_other(tmp_path):
    path = write(tmp_path / "a.tfrecord", ["street.v2", "rooms/a.JPG", "b"])
    assert tfrecords.Records([path], NAMES).stems == ["street.v2", "a", "b"]


def test_records_that_tensorflow_wrote_are_read_whatever_else_they_hold(tmp_path):
    import tensorflow as tf

    def feature(value):
        if isinstance(value, bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=value))

    features = {
        tfrecords.MASK: encoded(MASK),
        "image/object/ids": list(range(0, 1 << 40, 1 << 35)),  # packed, of several bytes each
        "image/key/sha256": b"0" * 64,
        tfrecords.IMAGE: encoded(NOISE, "PNG"),
        "image/width": [40],
        tfrecords.FILENAME: b"room.jpg",
    }
    path = tmp_path / "a.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for names in (list(features), list(features)[::-1]):
            kept = {name: feature(features[name]) for name in names}
            example = tf.train.Example(features=tf.train.Features(feature=kept))
            writer.write(example.SerializeToString())
    found = tfrecords.Records([path], NAMES)
    assert found.stems == ["room", "room"]
    for index in range(2):
        image, mask = found.read(index)
        np.testing.assert_array_equal(image, NOISE)
        np.testing.assert_array_equal(mask, MASK)


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=5),
    st.integers(0, 10**6),
)
def test_hostile_records_with_right_checksums_are_refused_as_input(
    tmp_path_factory, changes, length
):
    data = bytearray(record()[tfrecords.HEAD : -tfrecords.TAIL])
    for place, byte in changes:
        data[place % len(data)] = byte
    data = bytes(data[: length % (2 * len(data))])  # as long as it was, or cut
    path = tmp_path_factory.mktemp("hostile") / "a.tfrecord"
    path.write_bytes(tfrecords._framed(data))
    try:
        found = tfrecords.Records([path], NAMES)
        assert len(found.stems) == 1
        image, mask = found.read(0)
        assert image.shape == (*mask.shape, 3) and image.dtype == mask.dtype == np.uint8
    except InputError as error:
        assert str(path) in str(error)


@given(st.binary(max_size=100))
def test_files_of_random_bytes_are_refused_as_input(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("random") / "a.tfrecord"
    path.write_bytes(data)
    with pytest.raises(InputError, match="a.tfrecord: "):
        tfrecords.Records([path], NAMES)
