"""What a reader finds in a source layout: samples as files, and what their masks mean."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segmentation.data import image_io, mask_formats, masks, pairing
from segmentation.errors import InputError


@dataclass(frozen=True)
class Sample:
    """The files of an image and of its mask.

    `stem` is their common name; `group` is what a split keeps together, a person say (empty:
    unknown).
    """

    stem: str
    group: str
    image: Path
    mask: Path


class OpenedImage(NamedTuple):
    """An image whose size is known: `(height, width)`, and `(H, W, 3)` uint8 RGB pixels.

    `pixels` is None where they need not be decoded: the file is a JPEG that can be copied.
    """

    size: tuple[int, int]
    pixels: np.ndarray | None = None


def _anything(path, mask):
    """Accept any mask."""


@dataclass(frozen=True)
class LabelMap:
    """The classes of a set of masks, and how the codes of mask files become class ids.

    Attributes:
        labels: class names by id, the background first.
        table: function of a `masks.Legend`; returns `(256,)` uint8, the class id of each code,
            255 for none.
        check: function of the path of a mask and of the `masks.Mask` read from it; raises
            InputError if it holds what these classes do not explain.
        mask_format: one of `mask_formats.FORMATS` where the layout allows several, else None.
    """

    labels: list[str]
    table: Callable
    check: Callable = _anything
    mask_format: str | None = None


@dataclass(frozen=True)
class Reader:
    """A source layout, opened: what `open_reader` of a module in `readers` returns.

    Attributes:
        samples: list of `Sample`.
        unpaired: how many "pictures" and "masks" have no partner.
        label_map: `LabelMap`, or None if it shows only in all masks together.
        resolve: function of all that the masks show (`mask_formats.note`); returns the `LabelMap`
            of a reader that has none.
    """

    samples: list[Sample]
    unpaired: dict[str, int]
    label_map: LabelMap | None = None
    resolve: Callable | None = None


def check_sizes(sample, image_size, mask_size):
    """Raise UnreadableError unless the image and the mask, `(height, width)`, are of one size."""
    if image_size != mask_size:
        raise image_io.UnreadableError(
            pairing.different_sizes(sample.mask, mask_size, sample.image, image_size)
        )


def read_label_map(reader, workers=1):
    """Return the `LabelMap` of a reader, for which all masks are read if need be.

    Raises:
        InputError: if no mask can be read, or the masks are in no known format or in several.
    """
    if reader.label_map:
        return reader.label_map
    seen, damage = {}, None
    for sample, mask in zip(
        reader.samples, pairing.in_order(_glance, reader.samples, workers), strict=True
    ):
        if isinstance(mask, image_io.UnreadableError):  # comes again when the sample is read
            damage = mask
        else:
            mask_formats.note(seen, mask, sample.mask)
    if not seen:
        raise InputError(f"none of the {len(reader.samples)} masks can be read; the last: {damage}")
    return reader.resolve(seen)


def _glance(sample):
    try:
        return masks.read(sample.mask, (1, 1))
    except image_io.UnreadableError as error:
        return error


class SourceFiles:
    """The samples of a reader as a `Dataset`, each at the size of its files.

    Args:
        reader: `Reader`.

    Raises:
        InputError: as `read_label_map`.
    """

    def __init__(self, reader):
        self._samples, self._label_map = reader.samples, read_label_map(reader)
        self.labels = self._label_map.labels
        self.stems = [sample.stem for sample in self._samples]
        self.groups = [sample.group for sample in self._samples]

    def __len__(self):
        return len(self._samples)

    def read(self, index):
        """Return `(H, W, 3)` uint8 RGB and `(H, W)` uint8 class ids (255: no class) of a sample.

        Raises:
            image_io.UnreadableError: if a file is damaged, or the two differ in size.
            InputError: if the mask holds what the labels do not explain.
        """
        sample = self._samples[index]
        image, mask = image_io.read(sample.image), masks.read(sample.mask)
        check_sizes(sample, image.shape[:2], mask.size)
        return image, self._ids(sample.mask, mask)

    def read_mask(self, index):
        """Return `(H, W)` uint8 class ids (255: no class) of a sample."""
        path = self._samples[index].mask
        return self._ids(path, masks.read(path))

    def _ids(self, path, mask):
        self._label_map.check(path, mask)
        return self._label_map.table(mask.legend)[mask.codes]
