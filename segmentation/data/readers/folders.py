"""Folders of pictures and masks, LFW's among them, prepared as arrays for training.

Two layouts are read, and masks are paired with pictures by file stem:
    images/0001.jpg                            masks/0001.ppm
    lfw_funneled/NAME/NAME_0001.jpg            parts_lfw_funneled_gt_images/NAME_0001.ppm
"""

import csv
import logging
import os
import re
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segmentation import files
from segmentation.data import arrays, image_io, labels, masks, pairing
from segmentation.errors import InputError
from segmentation.progress import track

logger = logging.getLogger(__name__)

PERSON_COLUMNS = ("person_group", "person")
MAPPING_LEVELS = 3  # data_dir itself and two folders above: data/raw/ in a project's folder
# Two names and a number: Abdullah_al-Attiyah_0002, and not a camera's IMG_0002.
LFW_NAME = re.compile(r"([A-Z][^_]*(?:_[A-Za-z][^_]*)+)_\d{4}")


class Pair(NamedTuple):
    """A picture and its mask: their common stem, the person (empty: unknown) and both paths."""

    stem: str
    group: str
    picture: Path
    mask: Path


def find_pairs(data_dir):
    """Pair the pictures and masks of one folder by stem.

    Args:
        data_dir: the folder.

    Returns:
        `(pairs, lone_pictures, lone_masks)`: a list of `Pair` sorted by stem, and the paths
        that have no partner.

    Raises:
        InputError: if the folder has neither layout, a stem occurs twice, or nothing pairs.
    """
    data_dir = Path(data_dir)
    people = data_dir / "lfw_funneled"
    if (data_dir / "images").is_dir() and (data_dir / "masks").is_dir():
        image_dir, mask_dir = data_dir / "images", data_dir / "masks"
        by_stem = pairing.by_stem(image_io.find(image_dir))
        group_of = _mapped_groups(data_dir)
        if group_of and not group_of.keys() & by_stem.keys():
            raise InputError(
                f"the mapping.csv of {data_dir} knows none of the pictures in {image_dir}: its id "
                f"must be the file name without ending, as {min(by_stem, default='0001')}"
            )
    elif people.is_dir() and (data_dir / "parts_lfw_funneled_gt_images").is_dir():
        image_dir, mask_dir = people, data_dir / "parts_lfw_funneled_gt_images"
        folders = sorted(path for path in people.iterdir() if path.is_dir())
        by_stem = pairing.by_stem([path for each in folders for path in image_io.find(each)])
        group_of = {stem: path.parent.name for stem, path in by_stem.items()}
    else:
        raise InputError(_no_layout(data_dir))
    mask_by_stem = pairing.by_stem(image_io.find(mask_dir))
    stems, lone_pictures, lone_masks = pairing.match(by_stem, mask_by_stem, image_dir, mask_dir)
    pairs = [
        Pair(stem, group_of.get(stem) or _lfw_person(stem), by_stem[stem], mask_by_stem[stem])
        for stem in stems
    ]
    return pairs, lone_pictures, lone_masks


def find_all_pairs(data_dirs):
    """Pair the pictures and masks of several folders; say what has no partner.

    Args:
        data_dirs: folders; a stem may occur in several of them.

    Returns:
        as `find_pairs`, in the order of the folders.

    Raises:
        InputError: as `find_pairs`, or if a folder is given twice.
    """
    pairs, lone_pictures, lone_masks = [], [], []
    for data_dir in data_dirs:
        if [Path(other).resolve() for other in data_dirs].count(Path(data_dir).resolve()) > 1:
            raise InputError(f"{data_dir} is given twice: its pictures would count double")
        found = find_pairs(data_dir)
        for everything, new in zip((pairs, lone_pictures, lone_masks), found, strict=True):
            everything.extend(new)
    pairing.say_lone(lone_pictures, lone_masks)
    return pairs, lone_pictures, lone_masks


def _no_layout(data_dir):
    if not data_dir.is_dir():
        return f"{data_dir}: no such folder; give the one that holds images/ and masks/"
    levels = ("*", "*/*", "*/*/*")
    near = [data_dir.parent, *(path for level in levels for path in data_dir.glob(level))]
    meant = (path for path in near if (path / "images").is_dir() and (path / "masks").is_dir())
    hint = next((f"; did you mean {path}?" for path in meant), "")
    return (
        f"{data_dir} holds neither images/ and masks/ nor lfw_funneled/ and "
        f"parts_lfw_funneled_gt_images/{hint}"
    )


def _lfw_person(stem):
    match = LFW_NAME.fullmatch(stem)
    return match[1] if match else ""


def _mapped_groups(data_dir):
    """Return the person by stem from the nearest mapping.csv with an id and a person column."""
    folder = Path(os.path.abspath(data_dir))
    for place in [folder, *folder.parents][:MAPPING_LEVELS]:
        path = place / "mapping.csv"
        if not path.is_file():
            continue
        try:
            with open(path, encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: cannot be read ({error}); mend or remove it") from None
        columns = rows[0].keys() if rows else ()
        column = next((name for name in PERSON_COLUMNS if name in columns), None)
        if "id" in columns and column:
            return {row["id"]: " ".join((row[column] or "").split()) for row in rows}
        if place == folder:  # further up, a file of this name may be about something else
            raise InputError(
                f"{path}: has the columns {', '.join(map(str, columns)) or '(none)'}, not id and "
                f"{PERSON_COLUMNS[0]}, comma-separated; mend or remove it"
            )
    return {}


def prepare(
    data_dirs,
    out_dir,
    img_size,
    mask_format=None,
    names=None,
    workers=1,
    max_bad=0.01,
):
    """Write `images-X.npy`, `masks-X.npy`, `names-X.txt` and `labels.txt` into `out_dir`.

    Rows are in the order of the folders and of the stems in them. The files are the same bytes
    whatever `workers` is, and appear together at the end. Memory does not grow with the number
    of pictures, names excepted.

    Args:
        data_dirs: folders of pictures and masks; a stem may occur in several of them. A person of
            the same name in two of them is the same person.
        out_dir: where the files go; made if missing.
        img_size: `(height, width)` to which pictures and masks are stretched.
        mask_format: one of `masks.FORMATS`, or None to recognise it.
        names: class names, or None for those of the format.
        workers: threads that decode and resize.
        max_bad: share, 0..1, of pairs that may be damaged before it is an error. Damaged is a
            file that cannot be read whole, and a mask of another size than its picture.

    Returns:
        dictionary: the paths written, counts, the share of pixels of each class, the number of
        pictures that show it, files skipped, and pictures per second.

    Raises:
        InputError: for whatever is wrong with the folders, files, names or the disk.
    """
    start = time.perf_counter()
    pairs, lone_pictures, lone_masks = find_all_pairs(data_dirs)
    targets = arrays.paths(out_dir, img_size)
    with files.workspace_beside(targets[0]) as workspace:
        results = pairing.in_order(lambda pair: _load(pair, img_size), pairs, workers)
        results = track(results, len(pairs), "pictures")
        written = _write(results, pairs, workspace, img_size, mask_format, names, max_bad)
        labels.write(targets[-1], written["classes"])
        # A kill in between must not leave old pictures beside new masks: without pictures,
        # nothing opens.
        targets[0].unlink(missing_ok=True)
        for target in reversed(targets[:-1]):
            os.replace(workspace / target.name, target)
    seconds = time.perf_counter() - start
    return {
        **dict(zip(("images", "masks", "names", "labels"), map(str, targets), strict=True)),
        "img_size": list(img_size),
        **written,
        "unpaired": {"pictures": len(lone_pictures), "masks": len(lone_masks)},
        "seconds": round(seconds, 2),
        "pictures_per_second": round(written["pictures"] / seconds, 1),
    }


def _write(results, pairs, workspace, img_size, mask_format, names, max_bad):
    """Write the arrays and the names into `workspace`; return what is known about them.

    The masks' format shows only when all are read: until then their codes wait in a file.
    """
    image_path, mask_path, name_path, _ = arrays.paths(workspace, img_size)
    code_path = workspace / "codes"
    seen = {}  # the first file that shows each code of each legend
    one_of_each = {}  # equal legends share memory
    kept, row_legends, skipped = [], [], []
    with (
        arrays.RowWriter(image_path, (*img_size, 3)) as image_rows,
        open(code_path, "wb") as code_rows,
    ):
        for pair, result in zip(pairs, results, strict=True):
            if isinstance(result, image_io.UnreadableError):
                logger.warning("skipped: %s", result)
                skipped.append(result)
                if len(skipped) > max_bad * len(pairs):
                    raise InputError(_too_many_bad(skipped, len(pairs), max_bad))
                continue
            picture, codes, legend, shown_codes = result
            image_rows.append(picture)
            code_rows.write(codes.tobytes())
            for code in shown_codes:
                seen.setdefault(legend, {}).setdefault(code, pair.mask)
            row_legends.append(one_of_each.setdefault(legend, legend))
            kept.append(pair)
    if not kept:
        raise InputError(f"none of the {len(pairs)} pairs can be read; the first: {skipped[0]}")
    found, names = masks.recognize(seen, mask_format, names)
    tables = {legend: masks.table(legend, codes, found) for legend, codes in seen.items()}
    pixels = np.zeros(256, np.int64)
    shown = np.zeros(256, np.int64)
    with open(code_path, "rb") as code_rows, arrays.RowWriter(mask_path, img_size) as mask_rows:
        for legend in row_legends:
            codes = np.frombuffer(code_rows.read(img_size[0] * img_size[1]), np.uint8)
            mask = tables[legend][codes].reshape(img_size)
            mask_rows.append(mask)
            count = np.bincount(mask.reshape(-1), minlength=256)
            pixels += count
            shown += count > 0
    arrays.write_names(name_path, [pair.stem for pair in kept], [pair.group for pair in kept])
    known = pixels[: len(names)]
    return {
        "pictures": len(kept),
        "persons": len({pair.group for pair in kept} - {""}),
        "mask_format": found,
        "classes": names,
        "class_shares": [round(float(count / max(known.sum(), 1)), 6) for count in known],
        "class_pictures": shown[: len(names)].tolist(),
        "ignored_share": round(float(pixels[labels.IGNORED] / pixels.sum()), 6),
        "skipped": [str(error) for error in skipped],
    }


def _load(pair, img_size):
    """Return `(picture, codes, legend, shown)` at `img_size`, or the error of a damaged pair."""
    try:
        picture, *mask = read_pair(pair, img_size)
    except image_io.UnreadableError as error:
        return error
    return image_io.resize(picture, img_size), *mask


def read_pair(pair, mask_size=None):
    """Read the files of a pair.

    Args:
        pair: `Pair`.
        mask_size: `(height, width)` to which the mask is stretched, None for its own.

    Returns:
        `(picture, codes, legend, shown)`: `(H, W, 3)` uint8 RGB, and what `masks.read` returns.

    Raises:
        image_io.UnreadableError: if one is damaged, or they differ in size.
        InputError: if the mask can be none.
    """
    picture = image_io.read(pair.picture)
    size = picture.shape[:2]
    codes, legend, shown, found = masks.read(pair.mask, mask_size or size)
    if found != size:
        raise image_io.UnreadableError(
            pairing.different_sizes(pair.mask, found, pair.picture, size)
        )
    return picture, codes, legend, shown


class Folders:
    """The samples of folders as a `Dataset`, each at the size of its files.

    Args:
        data_dirs: folders.
        mask_format: one of `masks.FORMATS`, None to recognise it.
        names: class names by id, None for those of the format.

    Raises:
        InputError: if nothing pairs, no mask can be read, or the masks are in no known format or
            in several.
    """

    def __init__(self, data_dirs, mask_format=None, names=None):
        self._pairs, _, _ = find_all_pairs(data_dirs)
        self._seen, damage = {}, None  # all that the masks show together tells their format
        for pair in self._pairs:
            try:
                _, legend, codes, _ = masks.read(pair.mask, (1, 1))
            except image_io.UnreadableError as error:  # comes again when the pair is to be read
                damage = error
                continue
            for code in codes:
                self._seen.setdefault(legend, {}).setdefault(code, pair.mask)
        if not self._seen:
            raise InputError(
                f"none of the {len(self._pairs)} masks can be read; the last: {damage}"
            )
        self._mask_format, self.labels = masks.recognize(self._seen, mask_format, names)
        self.stems = [pair.stem for pair in self._pairs]
        self.groups = [pair.group for pair in self._pairs]

    def __len__(self):
        return len(self._pairs)

    def read(self, index):
        """As of `Dataset`."""
        image, codes, legend, _ = read_pair(self._pairs[index])
        return image, self._ids(codes, legend)

    def read_mask(self, index):
        """As of `Dataset`."""
        path = self._pairs[index].mask
        image = image_io.decode(path)
        codes, legend, _, _ = masks.read(path, (image.height, image.width))
        return self._ids(codes, legend)

    def _ids(self, codes, legend):
        return masks.table(legend, self._seen[legend], self._mask_format)[codes]


def _too_many_bad(skipped, count, max_bad):
    return (
        f"{len(skipped)} of {count} pairs are damaged or do not match, more than --max_bad "
        f"{max_bad:g} allows: mend or remove them; the first: {skipped[0]}"
    )
