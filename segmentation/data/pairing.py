"""Images and masks that belong together by file name, and working on them in order."""

import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from segmentation.errors import InputError

logger = logging.getLogger(__name__)

IN_FLIGHT = 4  # items waiting per worker: enough to keep all busy, few enough for memory


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
    return next((f"; did you mean {path}?" for path in near if fits(path)), "")


def by_stem(found):
    """Return a dictionary of paths by their stem.

    Raises:
        InputError: if a stem occurs twice, or holds a tab or line break: names are written to
            files of lines and columns.
    """
    paths = {}
    for path in found:
        if path.stem in paths:
            raise InputError(
                f"{paths[path.stem]} and {path} have the same name: remove one of them"
            )
        if any(sign in path.stem for sign in "\t\n\r"):
            raise InputError(f"{str(path)!r} has a tab or line break in its name: rename it")
        paths[path.stem] = path
    return paths


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
    for noun, lone in (("image", lone_images), ("mask", lone_masks)):
        if lone:
            nouns = noun + "s" * (len(lone) > 1)
            logger.warning("no partner for %d %s: %s", len(lone), nouns, _first_names(lone))
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
