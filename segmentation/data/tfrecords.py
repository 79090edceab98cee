"""TFRecords of images and masks: their fields, their files, and reading them in any order.

The fields are those of the TensorFlow DeepLab builders (research/deeplab/datasets/build_data.py),
so their tools read these files, and their files and those of the older project are read here.
Neither TensorFlow nor protobuf is needed.
"""

import functools
import glob
import hashlib
import io
import logging
import re
import struct
from collections import Counter
from pathlib import Path, PurePath

import google_crc32c
import numpy as np

from segmentation.data import arrays, example, image_io, labels, pairing
from segmentation.data.arrays import PREPARE_AGAIN
from segmentation.errors import InputError

logger = logging.getLogger(__name__)

SUFFIX = ".tfrecord"
IMAGE = "image/encoded"  # a JPEG, or a PNG
FILENAME = "image/filename"  # the stem
FORMAT = "image/format"  # jpeg, png
HEIGHT = "image/height"
WIDTH = "image/width"
CHANNELS = "image/channels"
MASK = "image/segmentation/class/encoded"  # a PNG of one channel, class ids
MASK_FORMAT = "image/segmentation/class/format"
SHARD = re.compile(r"-\d{5}-of-(\d{5})\Z")  # ends the stem; the number of shards
# A record is a length of 8 bytes, its checksum of 4, the data, and their checksum of 4.
HEAD, TAIL = 12, 4


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
    """Return the files there are for `path`, itself and shards, sorted; a set may be partial."""
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
            place; one of these shards, which means all of them; the folder of a single such set; or
            a pattern, `shards/room-*.tfrecord`, which means the files that fit and no others.

    Returns:
        sorted list of paths, at least one.

    Raises:
        InputError: if there is none, the set of shards is incomplete, or there are two.
    """
    path = Path(path)
    if path.is_dir():
        return paths(_only_set(path))
    if any(sign in str(path) for sign in "*?[") and not path.exists():
        return _of_pattern(path)
    whole = _set_of(path)
    if path.is_file() and whole != path:
        found = paths(whole)
        if len(found) > 1:
            logger.info(f"{path} is one of {len(found)} shards: all are read")
        return found
    found = existing(path)
    if found == [path]:
        return found
    if path in found:
        raise InputError(f"{path}: exists along with shards, {found[1].name} first: remove one set")
    if not found:
        raise InputError(f"{path}: no such file, nor shards of it; data.py writes them")
    totals = {_total(shard) for shard in found}
    if len(totals) > 1:
        raise InputError(
            f"{path}: shards of {len(totals)} sets, {found[0].name} and {found[-1].name}: "
            "remove one set"
        )
    missing = [shard for shard in shard_paths(path, totals.pop()) if shard not in found]
    if missing:
        raise InputError(
            f"{missing[0]}: this shard of {path} is missing; {PREPARE_AGAIN}, or name those that "
            "are to be read by a pattern in quotes"
        )
    return found


def set_path(path):
    """Return `room.tfrecord` for what `paths` takes: the path that the shards of a set share."""
    return _set_of(paths(path)[0])


def _set_of(path):
    """Return the path that a shard and its set share, `room.tfrecord`; else `path`."""
    shard = SHARD.search(path.stem)
    if not shard or path.suffix != SUFFIX:
        return path
    return path.with_name(path.stem[: shard.start()] + SUFFIX)


def _total(shard):
    return int(SHARD.search(shard.stem)[1])


def _only_set(folder):
    sets = sorted({_set_of(path) for path in folder.glob(f"*{SUFFIX}")})
    if not sets:
        raise InputError(f"{folder}: holds no {SUFFIX}; data.py writes them")
    if len(sets) > 1:
        names = labels.listed([each.name for each in sets])
        raise InputError(f"{folder}: holds {len(sets)} sets, {names}: name one")
    return sets[0]


def _of_pattern(path):
    found = sorted(Path(name) for name in glob.glob(str(path)))
    if not found:
        raise InputError(f"{path}: no file fits this pattern")
    totals = Counter((_set_of(each), _total(each)) for each in found if _set_of(each) != each)
    for (name, total), count in totals.items():
        if count < total:
            logger.warning(f"warning: {path}: reads {count} of the {total} shards of {name}")
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
    return _framed(example.encode(values))


def _framed(data):
    head = struct.pack("<Q", len(data))
    return b"".join((head, _masked_checksum(head), data, _masked_checksum(data)))


def _masked_checksum(data):
    """Return the checksum as TensorFlow's core/lib/hash/crc32c.h masks it, little-endian."""
    checksum = google_crc32c.value(data)
    rotated = (checksum >> 15 | checksum << 17) + 0xA282EAD8
    return struct.pack("<I", rotated & 0xFFFFFFFF)


def open_records(path, label_file=None):
    """Open prepared TFRecords.

    Args:
        path: as `paths` takes it.
        label_file: default `labels.txt` beside them.

    Returns:
        `Records`.

    Raises:
        InputError: if a file is missing, cut off or no TFRecord, or all are empty.
    """
    shards = paths(path)
    if label_file:
        return Records(shards, labels.read(label_file))
    files = list(dict.fromkeys(shard.with_name("labels.txt") for shard in shards))
    names = [labels.read(file) for file in files]
    if not all(labels.same(each, names[0]) for each in names):
        raise InputError(
            f"{path}: {files[0]} and {files[-1]} name different classes; do not mix such sets"
        )
    return Records(shards, names[0])


class Records:
    """The records of one or several TFRecord files.

    A `Dataset`. Only the places of the records are remembered, and any can be read at any time: to
    shuffle or split them is to shuffle or split numbers, no buffer is needed, and a resumed run
    goes on exactly.

    Attributes:
        labels: class names by id.
        groups: an empty string for each record: TFRecords do not hold the person.
        num_files: how many files there are.
        files: `(N,)` int, the number of the file of each record.

    Args:
        shards: list of paths, as `paths` returns.
        labels: class names by id.

    Raises:
        InputError: if a file is missing, cut off or no TFRecord, or all are empty.
    """

    def __init__(self, shards, labels):
        self.labels = labels
        by_file = [list(_places(shard)) for shard in shards]
        self._places = [place for places in by_file for place in places]
        self.num_files = len(shards)
        self.files = np.repeat(np.arange(len(shards)), [len(places) for places in by_file])
        if not self._places:
            raise InputError(f"{shards[0]}: holds no images; {PREPARE_AGAIN}")
        self.groups = [""] * len(self)

    def __len__(self):
        return len(self._places)

    @functools.cached_property
    def stems(self):
        """The file name, without folder and suffix, of each image; a number if damaged."""

        def stem(index):
            try:
                return _stem(*self._features(index, FILENAME))
            except image_io.UnreadableError:  # `read` reports it
                return f"record {index}"

        return [stem(index) for index in range(len(self))]

    def read(self, index):
        """Return `(H, W, 3)` uint8 RGB and `(H, W)` uint8 class ids (255: no class) of a record.

        Raises:
            image_io.UnreadableError: if either is damaged or they differ in size.
            InputError: if the mask holds a class that the labels do not name.
        """
        encoded, mask, name = self._parts(index, IMAGE, MASK)
        # Not turned: TensorFlow's decoders, and builders of records that rely on them, ignore EXIF.
        image, ids = image_io.read(io.BytesIO(encoded), name, turned=False), self._ids(mask, name)
        if ids.shape != image.shape[:2]:
            raise image_io.SizesDifferError(
                pairing.different_sizes(f"mask of {name}", ids.shape, name, image.shape[:2])
            )
        return image, ids

    def read_mask(self, index):
        """Return the `(H, W)` uint8 class ids of a record alone. Raises as `read` does."""
        return self._ids(*self._parts(index, MASK))

    def _parts(self, index, *names):
        """Return some fields of a record, and its name for messages."""
        *parts, file_name = self._features(index, *names, FILENAME)
        return *parts, f"{self._name(index)} ({_stem(file_name)})"

    def _ids(self, encoded, name):
        ids = _ids(encoded, name)
        arrays.check_ids(ids, name, self.labels)
        return ids

    def fingerprint(self):
        """Return 64 hexadecimal digits that identify the data, by lengths, checksums and labels."""
        digest = hashlib.sha256("\t".join(self.labels).encode())
        for _, _, length, checksum in self._places:
            digest.update(struct.pack("<Q", length) + checksum)
        return digest.hexdigest()

    def shared(self, other):
        """Return how many records another `Records` holds as well, by lengths and checksums."""
        theirs = {place[2:] for place in other._places}
        return sum(place[2:] in theirs for place in self._places)

    def _features(self, index, *names):
        """Return the bytes of some fields of a record, which is read once."""
        path, start, length, checksum = self._places[index]
        with open(path, "rb") as file:
            file.seek(start)
            data = file.read(length)
        if _masked_checksum(data) != checksum:
            raise image_io.UnreadableError(f"{self._name(index)}: damaged; {PREPARE_AGAIN}")
        try:
            features = example.decode(data)
        except ValueError:
            features = {}
        for name in names:
            if name not in features:
                raise InputError(f"{self._name(index)}: has no {name}; {PREPARE_AGAIN}")
        return [features[name] for name in names]

    def _name(self, index):
        return f"{self._places[index][0]}, record {index}"


def _places(shard):
    """Yield the path, the start, the length and the checksum of each record in a file."""
    try:
        size = Path(shard).stat().st_size
        with open(shard, "rb", buffering=0) as file:
            start = 0
            while start < size:
                file.seek(start)
                head = file.read(HEAD)
                start += HEAD
                whole = len(head) == HEAD and _masked_checksum(head[:8]) == head[8:]
                length = struct.unpack("<Q", head[:8])[0] if whole else size
                if start + length + TAIL > size:
                    raise InputError(f"{shard}: cut short, or no TFRecord; {PREPARE_AGAIN}")
                file.seek(start + length)
                yield shard, start, length, file.read(TAIL)
                start += length + TAIL
    except OSError as error:
        raise InputError(f"{shard}: cannot be opened ({error.strerror})") from None


def _stem(file_name):
    path = PurePath(file_name.decode("utf-8", "surrogateescape"))
    return path.stem if path.suffix.lower() in image_io.SUFFIXES else path.name


def _ids(encoded, name):
    """Decode a PNG of class ids; three equal channels, as the older project wrote, are one."""
    ids = np.asarray(image_io.decode(io.BytesIO(encoded), name, turned=False))
    if ids.ndim == 3 and (ids == ids[..., :1]).all():
        ids = ids[..., 0]
    if ids.ndim != 2 or ids.dtype != np.uint8:
        raise image_io.UnreadableError(
            f"{name}: the mask holds {ids.dtype} {ids.shape}, not one byte a pixel"
        )
    return ids
