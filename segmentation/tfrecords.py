"""TFRecords of pictures and masks: the one place that writes and reads them.

The fields are those of the TensorFlow DeepLab builders (research/deeplab/datasets/build_data.py),
so their tools read these files, and files of theirs, or of the older project, are read here.
"""

import contextlib
import glob
import hashlib
import re
import struct
from pathlib import Path

from segmentation import crc32c
from segmentation.errors import InputError

SUFFIX = ".tfrecord"
IMAGE = "image/encoded"  # a JPEG, or a PNG
FILENAME = "image/filename"  # the stem
FORMAT = "image/format"  # jpeg, png
HEIGHT = "image/height"
WIDTH = "image/width"
CHANNELS = "image/channels"
MASK = "image/segmentation/class/encoded"  # a PNG of one channel, class ids
MASK_FORMAT = "image/segmentation/class/format"
TEXTS = (IMAGE, FILENAME, FORMAT, MASK, MASK_FORMAT)
NUMBERS = (HEIGHT, WIDTH, CHANNELS)
SHARD = re.compile(r"-(\d{5})-of-(\d{5})")
# A record is its length (8 bytes, and 4 of their checksum), its data, and 4 bytes of theirs.
HEAD, TAIL = 12, 4
PREPARE_AGAIN = "prepare the data again with data.py ade20k"


def shard_paths(path, num_shards):
    """Return the paths of the files that `room.tfrecord` stands for: itself, or its shards.

    Args:
        path: where one file would be.
        num_shards: 1 for that file; else `room-00000-of-0000N.tfrecord` … beside it.
    """
    path = Path(path)
    if num_shards == 1:
        return [path]
    return [
        path.with_name(f"{path.stem}-{shard:05d}-of-{num_shards:05d}{SUFFIX}")
        for shard in range(num_shards)
    ]


def existing(path):
    """Return the files that stand for `path`, whole sets or not: itself and shards, sorted."""
    path = Path(path)
    shards = [
        other
        for other in sorted(path.parent.glob(f"{glob.escape(path.stem)}-*{SUFFIX}"))
        if SHARD.fullmatch(other.stem.removeprefix(path.stem))
    ]
    return [*([path] if path.is_file() else []), *shards]


def paths(path):
    """Return the files that a data set consists of.

    Args:
        path: a file; `room.tfrecord` where its shards `room-00000-of-0000N.tfrecord` stand in its
            place; or a pattern, `shards/room-*.tfrecord`.

    Returns:
        sorted list of paths, at least one.

    Raises:
        InputError: if there is none, the set of shards is incomplete, or there are two.
    """
    if any(sign in str(path) for sign in "*?[") and not Path(path).exists():
        found = sorted(Path(name) for name in glob.glob(str(path)))
        if not found:
            raise InputError(f"{path}: no file fits this pattern")
        return found
    found = existing(path)
    if Path(path) in found:
        return [Path(path)]
    if not found:
        raise InputError(f"{path}: no such file, nor shards of it; data.py ade20k writes them")
    totals = {int(SHARD.search(shard.stem)[2]) for shard in found}
    if len(totals) > 1:
        raise InputError(
            f"{path}: shards of {len(totals)} sets, {found[0].name} and {found[-1].name}: "
            "remove one set"
        )
    missing = [shard for shard in shard_paths(path, totals.pop()) if shard not in found]
    if missing:
        raise InputError(f"{missing[0]}: this shard of {path} is missing; {PREPARE_AGAIN}")
    return found


def record(stem, image, image_format, size, mask):
    """Return a record as the bytes that a file of them is made of, one after another.

    Args:
        stem: of the files.
        image: bytes of a JPEG or PNG that decodes to upright RGB or grey.
        image_format: `jpeg` or `png`.
        size: `(height, width)` of both.
        mask: bytes of a PNG of one channel, class ids.
    """
    height, width = size
    values = {
        IMAGE: image,
        FILENAME: stem.encode("utf-8", "surrogateescape"),
        FORMAT: image_format.encode(),
        HEIGHT: height,
        WIDTH: width,
        CHANNELS: 3,  # as it is to be decoded; DeepLab's builders write this constant, too
        MASK: mask,
        MASK_FORMAT: b"png",
    }
    data = _example(values)
    head = struct.pack("<Q", len(data))
    return b"".join((head, _masked_checksum(head), data, _masked_checksum(data)))


def _masked_checksum(data):
    """Return the checksum as TensorFlow's core/lib/hash/crc32c.h masks it, little-endian."""
    checksum = crc32c.crc32c(data)
    rotated = (checksum >> 15 | checksum << 17) + 0xA282EAD8
    return struct.pack("<I", rotated & 0xFFFFFFFF)


def _example(values):
    """Return a serialized `tf.train.Example` (tensorflow/core/example) of bytes and numbers."""
    entries = []
    for name, value in values.items():
        if isinstance(value, int):
            feature = _field(3, _field(1, _varint(value)))  # Feature.int64_list, its values
        else:
            feature = _field(1, _field(1, value))  # Feature.bytes_list, its values
        entries.append(_field(1, _field(1, name.encode()) + _field(2, feature)))
    return _field(1, b"".join(entries))  # Example.features, a map


def _field(number, payload):
    """Return a field of a protocol buffer whose payload has a length."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value):
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def features():
    """Return the fields of a record, for `tf.io.parse_single_example`."""
    import tensorflow as tf

    return {name: tf.io.FixedLenFeature([], tf.string) for name in TEXTS} | {
        name: tf.io.FixedLenFeature([], tf.int64) for name in NUMBERS
    }


def parse(serialized):
    """Return the fields of a serialized record as scalar tensors, `IMAGE` and `MASK` encoded."""
    import tensorflow as tf

    return tf.io.parse_single_example(serialized, features())


def records(shards):
    """Yield `(stem, image, mask)` of each record: a string, and two encoded files as bytes.

    Args:
        shards: list of paths, as `paths` gives.

    Raises:
        InputError: for a damaged file, one that is no TFRecord, or one with other fields.
    """
    import tensorflow as tf
    from google.protobuf import message

    # TensorFlow takes a file that is cut within the head of a record for a whole one.
    fingerprint(shards)
    for shard in shards:
        with naming_damage([shard]):
            for serialized in tf.data.TFRecordDataset(str(shard)).as_numpy_iterator():
                try:
                    fields = tf.train.Example.FromString(serialized).features.feature
                except message.DecodeError:
                    fields = {}
                if not all(name in fields for name in (FILENAME, IMAGE, MASK)):
                    raise InputError(f"{shard}: its records hold no {IMAGE} and {MASK}")
                stem, image, mask = (
                    fields[name].bytes_list.value[0] for name in (FILENAME, IMAGE, MASK)
                )
                yield stem.decode("utf-8", "surrogateescape"), image, mask


@contextlib.contextmanager
def naming_damage(shards):
    """Raise what TensorFlow says of a damaged file among `shards` as an InputError that names it.

    Its own message does not, whatever the pipeline: so each is read through to find the one.
    """
    import tensorflow as tf

    try:
        yield
    except tf.errors.DataLossError as error:
        for shard in shards:
            try:
                for _ in tf.data.TFRecordDataset(str(shard)):
                    pass
            except tf.errors.DataLossError:
                raise InputError(_damaged(shard)) from None
        raise error


def _damaged(shard):
    return f"{shard}: damaged, cut short or no TFRecord; {PREPARE_AGAIN}"


def fingerprint(shards):
    """Count records and return what tells them from others, without reading their data.

    Args:
        shards: list of paths, as `paths` gives.

    Returns:
        `(count, digest)`: the number of records, and 64 hexadecimal digits that depend on the
        lengths and the checksums of all records, in their order.

    Raises:
        InputError: if a file is missing, empty, cut short or no TFRecord.
    """
    digest, count = hashlib.sha256(), 0
    for shard in shards:
        try:
            size = Path(shard).stat().st_size
            with open(shard, "rb", buffering=0) as file:
                position = 0
                while position < size:
                    file.seek(position)
                    head = file.read(HEAD)
                    end = position + HEAD + TAIL
                    end += struct.unpack("<Q", head[:8])[0] if len(head) == HEAD else size
                    if end > size:
                        raise InputError(_damaged(shard))
                    file.seek(end - TAIL)
                    digest.update(head + file.read(TAIL))
                    position = end
                    count += 1
        except OSError as error:
            raise InputError(f"{shard}: cannot be read ({error.strerror})") from None
        if not size:
            raise InputError(f"{shard}: an empty file; {PREPARE_AGAIN}")
    return count, digest.hexdigest()
