"""Write samples as TFRecords, each at the size of its files: JPEGs are copied as they are."""

import contextlib
import logging
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image

from segmentation import files
from segmentation.data import image_io, tfrecords
from segmentation.data.samples import OpenedImage
from segmentation.data.writers.tally import Tally
from segmentation.errors import InputError

logger = logging.getLogger(__name__)

END_OF_JPEG = b"\xff\xd9"
PNG_LEVEL = 1  # twice as fast as the default of PNG compression, and as small


class _Loaded(NamedTuple):
    record: bytes
    pixels: np.ndarray  # (256,) by class id
    copied: bool  # whether the image's bytes are those of the file


class RecordsWriter:
    """A writer of TFRecords, as `writers` describes it.

    Samples go to the shards in turn, in their order: each shard is a sample of all, and the frames
    of a film are better divided by folders. Files of an older output of this name are removed,
    with any number of shards. Groups are not written.

    Args:
        output: a path that ends in `.tfrecord`; `tfrecords.shard_paths` names the shards.
        num_shards: how many files.

    Raises:
        InputError: if `output` is not such a path, or is a folder.
    """

    needs_label_map = True
    mask_size = None

    def __init__(self, output, num_shards=1):
        self.target = Path(output)
        if self.target.suffix != tfrecords.SUFFIX or self.target.is_dir():
            raise InputError(f"{output}: name a file that ends in {tfrecords.SUFFIX}")
        self.label_path = self.target.with_name("labels.txt")
        self.tally = Tally()
        self._num_shards = num_shards
        self._kept = self._copied = self._grouped = 0

    def require_room(self, samples, workers):
        """Raise InputError if the disk has no room for the JPEG files, which are copied."""
        paths = [sample.image for sample in samples]
        copied = [path for path in paths if path.suffix.lower() in (".jpg", ".jpeg")]
        files.require_disk(self.target, sum(map(files.size, copied)))

    @contextlib.contextmanager
    def open(self, workspace):
        """Write unfinished files in the folder `workspace`."""
        self._written = tfrecords.shard_paths(workspace / self.target.name, self._num_shards)
        yield

    @staticmethod
    def open_image(sample):
        """Return the image of a sample, with its `size`."""
        size = _size_of_plain_jpeg(sample.image)
        if size:
            return OpenedImage(size)
        pixels = sample.read_image()
        return OpenedImage(pixels.shape[:2], pixels)

    @staticmethod
    def load(sample, image, mask, table):
        """Return what `add` takes of a sample; `table` is as that of a `LabelMap`."""
        encoded, image_format = _encoded(sample, image.pixels)
        table = table(mask.legend)
        pixels = np.zeros(256, int)
        np.add.at(pixels, table, np.array(Image.fromarray(mask.codes).histogram()))
        unchanged = (table[mask.shown] == mask.shown).all() and _is_grey_png(sample.mask)
        ids = sample.mask.read_bytes() if unchanged else _png(table[mask.codes])
        record = tfrecords.record(sample.stem, encoded, image_format, image.size, ids)
        return _Loaded(record, pixels, image_format == "jpeg")

    def add(self, sample, loaded):
        """Append a record to the shard whose turn it is."""
        with open(self._written[self._kept % self._num_shards], "ab") as shard:
            shard.write(loaded.record)
        self._kept += 1
        self._copied += loaded.copied
        self._grouped += bool(sample.group)
        self.tally.add(loaded.pixels)

    def finish(self, label_map):
        """Raise InputError if a shard would be empty."""
        if self._kept < self._num_shards:
            raise InputError(
                f"--num_shards {self._num_shards} for {self._kept} images: some would be empty"
            )
        if self._grouped:
            logger.warning(
                "warning: TFRecords do not hold the person of an image, so training and validation "
                "may share persons; arrays prevent that"
            )

    def fingerprint(self):
        """Return what identifies the data that were published."""
        return tfrecords.open_records(self.target).fingerprint()

    def publish(self):
        """Move the files to their places; return the entries of the result that name them."""
        targets = tfrecords.shard_paths(self.target, self._num_shards)
        # A kill in between must not leave old shards among new ones: an incomplete set is refused.
        for old in tfrecords.existing(self.target):
            old.unlink()
        for source, target in zip(self._written, targets, strict=True):
            os.replace(source, target)
        paths = [str(target) for target in targets]
        return {"tfrecords": paths, "labels": str(self.label_path), "copied": self._copied}


def _encoded(sample, pixels):
    """Return the bytes of an image that any decoder makes upright RGB of, and their format.

    Args:
        sample: `Sample`.
        pixels: of the image, or None if the file is a JPEG that can be copied.
    """
    if pixels is None:
        data = sample.image.read_bytes()
        if data.rstrip(b"\0").endswith(END_OF_JPEG):  # or it was cut short
            return data, "jpeg"
        pixels = sample.read_image()
    return _png(pixels[..., ::-1]), "png"


def _size_of_plain_jpeg(path):
    """Return `(height, width)` of an upright RGB or grey JPEG, and None of anything else."""
    try:
        with Image.open(path) as image:
            if (
                image.format == "JPEG"
                and image.mode in ("RGB", "L")
                and image.getexif().get(ExifTags.Base.Orientation) not in image_io.TURNED
            ):
                return image.height, image.width
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        pass  # reading the pixels says what is wrong
    return None


def _is_grey_png(mask):
    if not isinstance(mask, Path):  # drawn
        return False
    with Image.open(mask) as image:
        # Not all readers turn a mask as its EXIF orientation says, or know what is transparent.
        plain = image.format == "PNG" and image.mode == "L"
        return plain and not image.info.keys() & {"exif", "transparency"}


def _png(pixels):
    import cv2  # here: `data.py --help` does without

    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL])[1].tobytes()
