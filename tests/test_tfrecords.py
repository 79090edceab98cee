"""TFRecords: bytes that TensorFlow reads, sets of shards, and damage that is named."""

import os

import cv2
import numpy as np
import pytest

from segmentation import tfrecords
from segmentation.crc32c import BLOCK, ROW, crc32c
from segmentation.errors import InputError

MASK = np.repeat(np.uint8([[0, 1], [2, 150]]), 20, axis=1)  # 2 x 40
PICTURE = np.random.default_rng(1).integers(0, 256, (2, 40, 3), np.uint8)


def png(pixels):
    return cv2.imencode(".png", pixels)[1].tobytes()


def record(stem="room"):
    return tfrecords.record(stem, png(PICTURE[..., ::-1]), "png", (2, 40), png(MASK))


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
    np.testing.assert_array_equal(tf.io.decode_image(first["image/encoded"]), PICTURE)
    mask = tf.io.decode_png(first["image/segmentation/class/encoded"])
    np.testing.assert_array_equal(mask[..., 0], MASK)
    assert mask.shape == (2, 40, 1)
    assert [first[f"image/{name}"] for name in ("height", "width", "channels")] == [2, 40, 3]
    assert first["image/format"] == first["image/segmentation/class/format"] == b"png"
    assert [first["image/filename"], second["image/filename"]] == [b"first", b"second"]
    serialized = next(iter(tf.data.TFRecordDataset(str(path))))
    parsed = tfrecords.parse(serialized)
    assert {name: parsed[name].numpy() for name in features} == {
        name: first[name].numpy() for name in features
    }


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


def test_checksums_are_those_of_the_standard():
    assert crc32c(b"") == 0 and crc32c(b"123456789") == 0xE3069283
    # RFC 3720, B.4: 32 bytes of zeroes, of ones, and rising
    assert crc32c(bytes(32)) == 0x8A9136AA and crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@pytest.mark.parametrize("length", [ROW - 1, ROW, ROW + 1, 5 * ROW + 77, BLOCK + 3 * ROW + 5])
def test_checksums_by_rows_are_those_byte_by_byte(length):
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    data = np.random.default_rng(length).integers(0, 256, length, np.uint8).tobytes()
    checksum = 0xFFFFFFFF
    for byte in data:
        checksum = table[(checksum ^ byte) & 255] ^ checksum >> 8
    assert crc32c(data) == checksum ^ 0xFFFFFFFF


def test_records_come_back_in_order_from_all_shards(tmp_path):
    one = write(tmp_path / "a-00000-of-00002.tfrecord", ["1", "3"])
    two = write(tmp_path / "a-00001-of-00002.tfrecord", [os.fsdecode(b"\xff2")])
    found = list(tfrecords.records([one, two]))
    assert [stem for stem, _, _ in found] == ["1", "3", os.fsdecode(b"\xff2")]
    assert found[2][1:] == (png(PICTURE[..., ::-1]), png(MASK))


def test_a_file_its_shards_and_a_pattern(tmp_path):
    shards = [tmp_path / f"room-0000{shard}-of-00002.tfrecord" for shard in range(2)]
    assert tfrecords.shard_paths(tmp_path / "room.tfrecord", 2) == shards
    assert tfrecords.shard_paths(tmp_path / "room.tfrecord", 1) == [tmp_path / "room.tfrecord"]
    for path in (*shards, tmp_path / "room-b.tfrecord", tmp_path / "bedroom.tfrecord"):
        path.touch()
    assert tfrecords.paths(tmp_path / "room.tfrecord") == shards
    assert tfrecords.paths(str(tmp_path / "room.tfrecord")) == shards
    assert tfrecords.paths(tmp_path / "bedroom.tfrecord") == [tmp_path / "bedroom.tfrecord"]
    assert tfrecords.paths(shards[1]) == [shards[1]]
    assert tfrecords.paths(tmp_path / "room-0*") == shards


@pytest.mark.parametrize(
    ("names", "asked", "message"),
    [
        ([], "room.tfrecord", "no such file, nor shards of it"),
        ([], "room-*", "no file fits this pattern"),
        (["room-00000-of-00002"], "room.tfrecord", "00001-of-00002.tfrecord: this shard .*missing"),
        (["room-00000-of-00002", "room-00000-of-00001"], "room.tfrecord", "shards of 2 sets"),
    ],
)
def test_a_set_that_is_not_whole_is_explained(tmp_path, names, asked, message):
    for name in names:
        (tmp_path / f"{name}.tfrecord").touch()
    with pytest.raises(InputError, match=message) as error:
        tfrecords.paths(tmp_path / asked)
    assert "\n" not in str(error.value)


def test_fingerprints_count_and_tell_sets_apart(tmp_path):
    paths = [tmp_path / f"{name}.tfrecord" for name in "abcde"]
    write(paths[0], ["1", "2", "3"])
    write(paths[1], ["1", "2", "3"])
    write(paths[2], ["1", "2", "4"])  # the same lengths
    write(paths[3], ["2", "1", "3"])
    write(paths[4], ["1", "2"])
    found = [tfrecords.fingerprint([path]) for path in paths]
    assert [count for count, _ in found] == [3, 3, 3, 3, 2]
    assert found[0] == found[1] and len(set(found)) == 4
    assert tfrecords.fingerprint(paths[:2])[0] == 6


@pytest.mark.parametrize(
    ("spoil", "cheap"),
    [
        (lambda data: data[:-3], True),  # cut within a record
        (lambda data: data[: len(data) // 2 + 5], True),  # cut within the head of the second
        (lambda data: b"\x89PNG" + data[:200], True),  # no TFRecord at all
        (lambda data: data[:30] + b"#" + data[31:], False),  # a byte has changed
    ],
)
def test_damage_is_one_line_that_names_the_file(tmp_path, spoil, cheap):
    good, bad = tmp_path / "good.tfrecord", tmp_path / "bad.tfrecord"
    write(good, ["1", "2"])
    bad.write_bytes(spoil(good.read_bytes()))
    message = r"bad.tfrecord: damaged, cut short or no TFRecord; prepare the data again"
    with pytest.raises(InputError, match=message) as error:
        list(tfrecords.records([good, bad]))
    assert "\n" not in str(error.value)
    if cheap:
        with pytest.raises(InputError, match=message):
            tfrecords.fingerprint([good, bad])


def test_damage_in_a_pipeline_of_several_files_is_named_too(tmp_path):
    import tensorflow as tf

    good, bad = tmp_path / "good.tfrecord", tmp_path / "bad.tfrecord"
    write(good, ["1", "2"])
    bad.write_bytes(good.read_bytes()[:-3])
    with pytest.raises(InputError, match="bad.tfrecord: damaged"):
        with tfrecords.naming_damage([good, bad]):
            for _ in tf.data.TFRecordDataset([str(good), str(bad)]).batch(4):
                pass


def test_empty_missing_and_foreign_files_are_named(tmp_path):
    import tensorflow as tf

    (tmp_path / "empty.tfrecord").touch()
    with pytest.raises(InputError, match="empty.tfrecord: an empty file"):
        tfrecords.fingerprint([tmp_path / "empty.tfrecord"])
    with pytest.raises(InputError, match="none.tfrecord: cannot be read .No such file"):
        tfrecords.fingerprint([tmp_path / "none.tfrecord"])
    for name, data in (("text", b"\xffhello"), ("other", tf.train.Example().SerializeToString())):
        path = str(tmp_path / f"{name}.tfrecord")
        with tf.io.TFRecordWriter(path) as writer:
            writer.write(data)
        with pytest.raises(InputError, match=f"{name}.tfrecord: its records hold no image/encoded"):
            list(tfrecords.records([path]))
