"""What a reader finds in a source layout: samples as files, and what their masks mean."""

import dataclasses
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segmentation.data import (
    color_tables,
    groups,
    image_io,
    labels,
    mask_evidence,
    mask_formats,
    masks,
    pairing,
)
from segmentation.errors import InputError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """The files of an image and of its mask.

    `stem` is their common name; `group` is what a split keeps together, a person say (empty:
    unknown). `mask` is a file, or draws what other files describe. `reading` says how the files of
    the set are read, and `orientation` is the EXIF orientation of the image: `survey` finds both.
    """

    stem: str
    group: str
    image: Path
    mask: Path | masks.Drawing
    reading: image_io.Reading = image_io.Reading()
    orientation: int = 1

    def __post_init__(self):
        """Refuse names that would break the lines and columns of names-128.txt."""
        if any(sign in text for sign in "\t\n\r" for text in (self.stem, self.group)):
            raise InputError(f"{str(self.image)!r} has a tab or line break in its name: rename it")

    def read_image(self):
        """Return the image, `(H, W, 3)` uint8 RGB. Raises as `image_io.read`."""
        return image_io.read(self.image, turned=self.reading.turned, white=self.reading.white)

    def read_mask(self, size=None):
        """Return the `masks.Mask`, stretched to `size` if there is one. Raises as `masks.read`."""
        return masks.read(self.mask, size, self.reading.turned)


def paired(keys, images, masks, mapped=None):
    """Return the samples of some keys of `pairing.below`, with names and groups.

    Args:
        keys: the keys.
        images: files by key.
        masks: files or drawings by key.
        mapped: groups by the name of an image, which count more than those of `groups.groups_of`.
    """
    keys = list(keys)
    name_of, group_of = pairing.names_of(keys), groups.groups_of(keys)
    samples = []
    for key in keys:
        group = (mapped or {}).get(Path(key).name) or group_of[key]
        samples.append(Sample(name_of[key], group, images[key], masks[key]))
    return samples


class OpenedImage(NamedTuple):
    """An image whose size is known: `(height, width)`, and `(H, W, 3)` uint8 RGB pixels.

    `pixels` is None where they need not be decoded: the file is a JPEG that can be copied.
    """

    size: tuple[int, int]
    pixels: np.ndarray | None = None


def _anything(path, mask):
    """Accept any mask."""


def ids_among(known, why, why_not_colors=None, noun="ids"):
    """Return `LabelMap.check` of masks that hold numbers and no colours.

    Args:
        known: the numbers that they may hold.
        why: what messages say of others, such as "which the label file does not name".
        why_not_colors: of colours; None: the same.
        noun: what messages call the numbers.
    """
    color_of = {}  # and the first file, by the number

    def check(path, mask):
        if not mask.legend.indexed:
            raise InputError(f"{path}: holds colours, {why_not_colors or why}")
        if mask.lossy:
            raise InputError(masks.lossy_values(path, mask.shown))
        if mask.clear and mask.legend == masks.GREY:
            raise InputError(
                f"{path}: has transparent pixels, which hold {noun} or none: save it without "
                "transparency"
            )
        greys = mask_evidence.other_greys(mask.legend, mask.shown)
        if greys and {*greys} <= {*known}:
            raise InputError(
                f"{path}: its palette shows {masks.listed(mask.shown)} as the greys "
                f"{masks.listed(greys)}, and either may be the {noun}: save it without a palette"
            )
        of_palette = [] if mask_evidence.in_greys(mask.legend) else mask.shown
        for code in of_palette:
            color = mask.legend.color(code)
            first, file = color_of.setdefault(code, (color, path))
            if first != color and color and code != labels.IGNORED:
                raise InputError(
                    f"{path}: its palette shows {code} as {color}, that of {file} as {first}, in "
                    f"an order of image software: save the {noun} without palettes"
                )
        unknown = [str(code) for code in mask.shown if code not in known]
        if unknown:
            raise InputError(f"{path}: holds the {noun} {', '.join(unknown)}, {why}")

    return check


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

    @classmethod
    def of_ids(cls, names):
        """Return that of masks whose codes are the class ids already, as those that are drawn."""
        table = np.arange(256, dtype=np.uint8)
        return cls(names, lambda legend: table)


@dataclass(frozen=True)
class Reader:
    """A source layout, opened: what `open_reader` of a module in `readers` returns.

    Attributes:
        samples: list of `Sample`.
        unpaired: how many "pictures" and "masks" have no partner.
        label_map: `LabelMap`, or None if it shows only in all masks together.
        resolve: function of all that the masks show (`mask_evidence.note`); returns the `LabelMap`
            of a reader that has none.
        unmasked: paths of the images that have no partner.
    """

    samples: list[Sample]
    unpaired: dict[str, int]
    label_map: LabelMap | None = None
    resolve: Callable | None = None
    unmasked: Sequence[Path] = ()


def resolver(places, label_file=None, mask_format=None, colors=None, known=None):
    """Return `Reader.resolve` for image files as masks, whose format shows in all of them.

    Args:
        places: a list, as of `pairing.places_of`, for each set of folders.
        label_file: a labels.txt that names the classes by id; None: the nearest one in `places`, if
            there is one.
        mask_format: one of `mask_formats.FORMATS`; None recognises it.
        colors: a table of colours, as `color_tables.open_table` takes it, which has to explain each
            colour; None: the nearest one in `places`, if it explains them.
        known: the `color_tables.ColorTable` of the layout, where there is no other, or None.

    Raises:
        InputError: for a label file or a table that is malformed, or tables that differ.
    """
    if colors and mask_format not in (None, "colors"):
        raise InputError(f"--colors does not go with --mask_format {mask_format}")
    label_file = label_file or labels_beside(places)
    names = labels.read(label_file) if label_file else None
    if not colors and label_file and labels.has_colors(label_file):
        table_file = label_file
    else:
        table_file = colors or _table_beside(places)
    table = color_tables.open_table(table_file) if table_file else known

    def resolve(seen):
        found = mask_formats.recognize(seen, mask_format, names, table, bool(colors))
        tables = {legend: found.table(legend) for legend in seen}
        return LabelMap(found.names, tables.__getitem__, mask_format=found.format)

    return resolve


def labels_beside(places, is_one=Path.is_file):
    """Return the nearest labels.txt of some sets of folders, or None.

    Args:
        places: as for `resolver`.
        is_one: function of a path of that name: whether there is such a file.

    Raises:
        InputError: if two sets have files that name different classes.
    """

    def find(folder):
        path = Path(folder) / labels.FILE_NAME
        return path if is_one(path) else None

    found = _nearest(places, find, labels.read, "name different classes", "--labels")
    if found:
        logger.info(f"the classes are named by {found}")
    return found


def _table_beside(places):
    def content(path):
        table = color_tables.open_table(path)
        return table.names, table.ids

    return _nearest(places, color_tables.find, content, "give other colours", "--colors")


def _nearest(places, find, read, clash, option):
    """Return the nearest file of the first set that has one; InputError if others say another."""
    found = [next(filter(None, map(find, folders)), None) for folders in places]
    paths = [path for path in found if path]
    for path in paths[1:]:
        if read(path) != read(paths[0]):
            raise InputError(f"{paths[0]} and {path} {clash}: say which holds with {option}")
    return paths[0] if paths else None


def survey(reader, exif="apply", workers=4):
    """Look at all images of a reader; return it with what is known of them in its samples.

    Says how many images have an EXIF orientation, for masks may have been drawn on either side of
    it, and in which range the values of 16-bit images are.

    Args:
        reader: `Reader`.
        exif: "apply" turns images (and masks, if they have an orientation of their own) upright;
            "ignore" takes the pixels of both as they lie in the files.
        workers: threads.
    """
    turned = exif == "apply"
    paths = [sample.image for sample in reader.samples]
    reading, orientations = image_io.survey(paths, turned, workers)
    found = [each for each in orientations if each in image_io.TURNED]
    if found:
        kinds = ", ".join(map(str, sorted({*found})))
        of = f"{len(found)} of {len(paths)} images have an EXIF orientation ({kinds})"
        if turned:
            logger.warning(
                "%s and are turned upright: masks must lie as the upright image does; if they were "
                "drawn on the pixels as stored, say --exif ignore",
                of,
            )
        else:
            logger.warning("%s, which is ignored: images and masks are taken as stored", of)
    samples = [
        dataclasses.replace(sample, reading=reading, orientation=orientation)
        for sample, orientation in zip(reader.samples, orientations, strict=True)
    ]
    return dataclasses.replace(reader, samples=samples)


def check_sizes(sample, image_size, mask_size):
    """Raise SizesDifferError unless the image and the mask, `(height, width)`, are of one size."""
    if image_size != mask_size:
        message = pairing.different_sizes(sample.mask, mask_size, sample.image, image_size)
        if (
            image_size == mask_size[::-1]
            and image_io.orientation(sample.image) in image_io.SIDEWAYS
        ):
            message = f"{sample.mask} lies across {sample.image}, whose EXIF orientation " + (
                "turns it: if masks were drawn on the pixels as stored, say --exif ignore"
                if sample.reading.turned
                else "is ignored: leave out --exif ignore"
            )
        raise image_io.SizesDifferError(message)


def read_label_map(reader, each=map):
    """Return the `LabelMap` of a reader, for which all masks are read if need be.

    Args:
        reader: `Reader`.
        each: as `map`; an engine's, say.

    Raises:
        InputError: if no mask can be read, or the masks are in no known format or in several.
    """
    if reader.label_map:
        return reader.label_map
    seen, damage = {}, None
    for sample, mask in zip(reader.samples, each(_glance, reader.samples), strict=True):
        if isinstance(mask, image_io.UnreadableError):  # comes again when the sample is read
            damage = mask
        else:
            mask_evidence.note(seen, mask, sample.mask)
    if not seen:
        raise InputError(f"none of the {len(reader.samples)} masks can be read; the last: {damage}")
    return reader.resolve(seen)


def _glance(sample):
    try:
        return sample.read_mask((1, 1))
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
        image, mask = sample.read_image(), sample.read_mask()
        check_sizes(sample, image.shape[:2], mask.size)
        return image, self._ids(sample.mask, mask)

    def read_mask(self, index):
        """Return `(H, W)` uint8 class ids (255: no class) of a sample."""
        sample = self._samples[index]
        return self._ids(sample.mask, sample.read_mask())

    def _ids(self, path, mask):
        self._label_map.check(path, mask)
        return self._label_map.table(mask.legend)[mask.codes]
