"""Images and masks that belong together by file name, and working on them in order."""

import logging
import os
import re
import unicodedata
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from segmentation.data import image_io
from segmentation.errors import InputError

logger = logging.getLogger(__name__)

# Folders that divide a set, which are prepared one by one.
DIVISIONS = re.compile(
    r"(train|training|trainval|val|valid|validation|dev|test|testing)(?:[ _-]?\d+)?"
)  # train2017, val_2
IN_FLIGHT = 4  # items waiting per worker: enough to keep all busy, few enough for memory


class DividedError(InputError):
    """A set in several divisions, of which one is wanted.

    Attributes:
        folders: what to give in its place: one path a division.
    """

    def __init__(self, root, folders):
        names = ", ".join(map(str, folders))
        super().__init__(f"{root} holds {len(folders)} divisions: give one of {names}")
        self.folders = folders


def refuse_repeats(folders):
    """Raise InputError if a folder is given twice."""
    resolved = [Path(folder).resolve() for folder in folders]
    for folder, path in zip(folders, resolved, strict=True):
        if resolved.count(path) > 1:
            raise InputError(f"{folder} is given twice: its images would count double")


def did_you_mean(folder, fits):
    """Return a hint at the first folder near another for which `fits(folder)` is true, or ""."""
    levels = ("*", "*/*", "*/*/*")
    near = [folder.parent, *(path for level in levels for path in folder.glob(level))]
    return next((f"; did you mean {path}?" for path in near if path.is_dir() and fits(path)), "")


def composed(text):
    """Return a name in the one form that file systems and tools may write in two, as of e-acute."""
    return unicodedata.normalize("NFC", text)


def folders_below(folder, above=()):
    """Yield a folder and all below it but hidden ones, links included, as paths.

    Args:
        folder: path.
        above: real paths of those on the way to it; a link that leads back to one is not followed.

    Raises:
        InputError: for a folder that is missing or cannot be read.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    yield folder
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
    except OSError as error:
        raise InputError(f"{folder}: not a readable folder ({error.strerror})") from None
    for name in names:
        if not name.startswith("."):
            yield from folders_below(folder / name, (*above, real))


def files_below(folder):
    """Yield the files in a folder and below it but hidden ones; raises as `folders_below`."""
    for place in folders_below(Path(folder)):
        yield from (path for path in sorted(place.iterdir()) if not path.name.startswith("."))


def by_stem(found):
    """Return a dictionary of paths by their stem, as `composed`.

    Raises:
        InputError: if a stem occurs twice, or holds a tab or line break: names are written to
            files of lines and columns.
    """
    paths = {}
    for path in found:
        stem = composed(path.stem)
        if stem in paths:
            raise InputError(f"{paths[stem]} and {path} have the same name: remove one of them")
        if any(sign in path.stem for sign in "\t\n\r"):
            raise InputError(f"{str(path)!r} has a tab or line break in its name: rename it")
        paths[stem] = path
    return paths


def below(folder):
    """Return the image files of a folder and of its subfolders, by name.

    Returns:
        dictionary of paths, sorted, by their path below the folder without suffix: `0001`, or
        `drive/0001`.

    Raises:
        InputError: as `image_io.find` and `by_stem`.
    """
    folder, found = Path(folder), {}
    for place in sorted(folders_below(folder)):
        inside = composed(place.relative_to(folder).as_posix()) + "/" if place != folder else ""
        for stem, path in by_stem(image_io.find(place)).items():
            if found.setdefault(inside + stem, path) != path:
                raise InputError(
                    f"{found[inside + stem]} and {path} have the same name: rename one"
                )
    return found


def names_of(keys):
    """Return the names of samples, by which files may be called, by key of `below`.

    `drive/0001` is `drive_0001`, or with another sign if two would be called the same.
    """
    for sign in ("_", "__", "-"):
        names = {key: key.replace("/", sign) for key in keys}
        if len({*names.values()}) == len(names):
            break
    return names


def division(name):
    """Return the division of a set, in lower case and without a number, that a folder is called."""
    match = DIVISIONS.fullmatch(name.lower())
    return match[1] if match else ""


def is_whole(folder):
    """Return whether a folder is one that holds files, in subfolders or not, undivided."""
    folder = Path(folder)
    if not folder.is_dir():
        return False
    inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    divided = any(path.is_dir() and division(path.name) for path in inside)
    return not divided or any(path.is_file() for path in inside)


def pairs_of_folders(root, images, masks, holds=is_whole, is_division=division):
    """Return the pairs of folders that a folder means.

    Args:
        root: a folder that holds the folders called `images` and `masks`, whole or divided into
            training, validation …; or one such division of the images, whose masks are found.
        images: name of the folder of the images.
        masks: of that of the masks.
        holds: function of a folder: whether it holds files of a set, not divisions of it.
        is_division: function of the name of a subfolder. If one is a division, all are.

    Returns:
        list of `(folder of images, folder of masks)`; several if the set is divided; empty if there
        is none.
    """
    pair = root / images, root / masks
    if pair[0].is_dir() and pair[1].is_dir():
        folders = (path for path in pair[0].iterdir() if path.is_dir())
        inside = sorted(path.name for path in folders if not path.name.startswith("."))
        names = ["", *(inside if any(map(is_division, inside)) else [])]  # none is left out
        found = [(pair[0] / name, pair[1] / name) for name in names]
        return [each for each in found if all(map(holds, each))]
    whole = root.absolute()
    for parent in whole.parents:
        if parent.name == images:
            other = parent.with_name(masks) / whole.relative_to(parent)
            if holds(root) and holds(other):
                return [(root, other)]
    return []


def places_of(pair, given=None):
    """Return where files that describe a pair of folders may lie: labels.txt, tables of colours.

    Args:
        pair: `(folder of images, folder of masks)`.
        given: the folder that meant them, if one did: the one that holds both, or a division.

    Returns:
        list of folders, nearest first: that one, else that of the masks, and those above it up to
        the one that holds both; of `train/images/` and `train/masks/` also the one that holds
        `train/` and other divisions.
    """
    images, masks = (Path(os.path.abspath(folder)) for folder in pair)
    start = Path(os.path.abspath(given)) if given else masks
    root = Path(os.path.commonpath([images, masks]))
    alike = images.relative_to(root).parts[1:] == masks.relative_to(root).parts[1:]
    if given:
        root = min(root, start, key=lambda folder: len(folder.parts))
    elif images == masks or not alike:  # folders that have nothing to do with each other
        root = masks.parent
    if division(root.name) and any(
        division(path.name) and path.is_dir() and path != root for path in root.parent.glob("*")
    ):
        root = root.parent
    places = [start, *start.parents]
    return places[: places.index(root) + 1]


def given_pair(data_dirs, image_dir, annotation_dir):
    """Return the two paths that were given in place of folders, or None if folders were.

    Raises:
        InputError: if both were given, half of a pair, nothing, or a folder twice.
    """
    if image_dir or annotation_dir:
        if data_dirs or not (image_dir and annotation_dir):
            raise InputError("--image_dir and --annotation_dir go together, without --data_dir")
        return Path(image_dir), Path(annotation_dir)
    if not data_dirs:
        raise InputError("--data_dir is missing")
    refuse_repeats(data_dirs)
    return None


def one_pair(root, pairs, description, fits):
    """Return the only one of the pairs of `pairs_of_folders`; `fits` knows folders with the layout.

    Raises:
        InputError: if there is none, or the set is divided.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the one that holds {description}")
    if not pairs:
        hint = did_you_mean(root, fits)
        raise InputError(f"{root} does not hold {description} with files of both{hint}")
    if len(pairs) > 1:
        raise DividedError(root, [images for images, _ in pairs])
    return pairs[0]


def match(images, masks, image_dir, mask_dir):
    """Match the images and masks, each as of `by_stem`, of two folders.

    Returns:
        `(stems, lone_images, lone_masks)`: the stems of both, sorted, and the paths that have no
        partner.

    Raises:
        InputError: if nothing matches.
    """
    stems = sorted(images.keys() & masks.keys())
    if not stems:
        names = [min(found.values()).name for found in (images, masks) if found]
        unlike = f": {names[0]} and {names[1]} have different stems" if len(names) == 2 else ""
        raise InputError(
            f"no image in {image_dir} ({len(images)}) has a mask of the same name in "
            f"{mask_dir} ({len(masks)}){unlike}"
        )
    lone_images = [path for stem, path in images.items() if stem not in masks]
    lone_masks = [path for stem, path in masks.items() if stem not in images]
    return stems, lone_images, lone_masks


def report_lone(lone_images, lone_masks):
    """Log which files have no partner; return how many "pictures" and "masks" there are."""
    for noun, lone, missing in (("image", lone_images, "a mask"), ("mask", lone_masks, "an image")):
        if lone:
            what = f"{len(lone)} {noun}{'s' * (len(lone) > 1)} without {missing}"
            logger.warning("left out %s: %s", what, _first_names(lone))
    return {"pictures": len(lone_images), "masks": len(lone_masks)}


def _first_names(paths, limit=10):
    names = ", ".join(path.name for path in paths[:limit])
    return f"{names} and {len(paths) - limit} more" if len(paths) > limit else names


def different_sizes(mask, mask_size, image, image_size):
    """Return what to say of a mask and an image of different `(height, width)`."""
    return (
        f"{mask} is {_size(mask_size)} pixels, and {image} {_size(image_size)}: "
        "they do not belong together"
    )


def _size(size):
    height, width = size
    return f"{width}x{height}"


def in_order(function, items, workers):
    """Yield `function(item)` for each item, in order, computed by threads a few items ahead."""
    pool = ThreadPoolExecutor(workers)
    try:
        waiting = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > IN_FLIGHT * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
