"""TFRecord files of pictures and masks, read one record at a time, in any order."""

import functools
import hashlib
import io
import json
import os
import struct

import numpy as np

from segmentation import datasets, labels, pictures, tfrecords
from segmentation.errors import InputError

# A record: its length (uint64, little endian) and 4 bytes of checksum, the bytes, 4 of checksum.
HEADER, FOOTER = struct.Struct("<QI"), 4


def open_records(path, label_file=None):
    """Open prepared TFRecords.

    Args:
        path: as `tfrecords.paths`.
        label_file: default `labels.txt` beside them.

    Returns:
        `Records`.

    Raises:
        InputError: if a file is missing, cut off or no TFRecord, or all are empty.
    """
    paths = tfrecords.paths(path)
    return Records(paths, labels.read(label_file or paths[0].with_name("labels.txt")))


class Records:
    """The records of one or several TFRecord files.

    Only their places are remembered. A record can be read whenever it is wanted, so that an order
    or a division is one of numbers: no buffer has to be shuffled, and a resumed run goes on
    exactly.

    Attributes:
        labels: class names by id.
        groups: an empty string for each record: nobody is known to be on several pictures.

    Args:
        paths: of the files, in order.
        labels: as above.

    Raises:
        InputError: if a file is missing, cut off or no TFRecord, or all are empty.
    """

    def __init__(self, paths, labels):
        self.labels = labels
        self._places = [place for path in paths for place in _places(path)]
        if not self._places:
            raise InputError(f"{paths[0]}: holds no picture; prepare it again with data.py")
        self.groups = [""] * len(self)

    def __len__(self):
        return len(self._places)

    @functools.cached_property
    def stems(self):
        """The file name, without folder and ending, of each picture."""
        names = [self._feature(index, tfrecords.FILENAME) for index in range(len(self))]
        names = [name.decode("utf-8", "surrogateescape") for name in names]
        return [os.path.splitext(os.path.basename(name))[0] for name in names]

    def read(self, index):
        """Return `(H, W, 3)` uint8 RGB and `(H, W)` uint8 class ids (255: no class) of a record.

        Raises:
            pictures.UnreadableError: if either is damaged or they differ in size.
            InputError: if the mask holds a class that the labels do not name.
        """
        encoded = io.BytesIO(self._feature(index, tfrecords.IMAGE))
        image, ids = pictures.read(encoded, self._name(index)), self.read_mask(index)
        if ids.shape != image.shape[:2]:
            raise pictures.UnreadableError(
                f"{self._name(index)}: the mask has {ids.shape} pixels and the picture "
                f"{image.shape[:2]}; they do not belong together"
            )
        return image, ids

    def read_mask(self, index):
        """Return `(H, W)` uint8 class ids of a record, as `read`."""
        ids = _ids(self._feature(index, tfrecords.MASK), self._name(index))
        datasets.check_ids(ids, self._name(index), self.labels)
        return ids

    def fingerprint(self):
        """Return 64 hexadecimal digits that tell prepared data apart, as `Arrays.fingerprint`."""
        digest = hashlib.sha256()
        lengths = [length for _, _, length in self._places]
        digest.update(json.dumps([lengths, self.labels]).encode())
        for index in pictures.spread(len(self), datasets.FINGERPRINT_ROWS):
            digest.update(self._bytes(index))
        return digest.hexdigest()

    def _bytes(self, index):
        path, start, length = self._places[index]
        with open(path, "rb") as file:
            file.seek(start)
            return file.read(length)

    def _feature(self, index, name):
        import tensorflow as tf

        try:
            features = tf.train.Example.FromString(self._bytes(index)).features
            return features.feature[name].bytes_list.value[0]
        except Exception:  # protobuf's own, or nothing under that name
            raise InputError(
                f"{self._name(index)}: damaged, or without {name}; prepare it again with data.py"
            ) from None

    def _name(self, index):
        return f"{self._places[index][0]}, record {index}"


def _places(path):
    """Yield (path, start, length) of each record in a file."""
    try:
        size = os.path.getsize(path)
        with open(path, "rb") as file:
            start = 0
            while start < size:
                header = file.read(HEADER.size)
                length = HEADER.unpack(header)[0] if len(header) == HEADER.size else size
                start += HEADER.size
                if start + length + FOOTER > size:
                    raise InputError(
                        f"{path}: cut off, or no TFRecord; prepare it again with data.py"
                    )
                yield str(path), start, length
                start += length + FOOTER
                file.seek(start)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror})") from None


def _ids(encoded, name):
    """Decode a PNG of class ids; three equal channels, as the older project wrote, are one."""
    ids = np.asarray(pictures.open_upright(io.BytesIO(encoded), name))
    if ids.ndim == 3 and (ids == ids[..., :1]).all():
        ids = ids[..., 0]
    if ids.ndim != 2 or ids.dtype != np.uint8:
        raise pictures.UnreadableError(
            f"{name}: the mask holds {ids.dtype} {ids.shape}, not one byte a pixel"
        )
    return ids
