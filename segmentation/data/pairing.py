"""Pictures and masks that belong together by file name, and working on them in order."""

import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from segmentation.errors import InputError

logger = logging.getLogger(__name__)

IN_FLIGHT = 4  # pictures waiting per worker: enough to keep all busy, few enough for memory


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
        if "\t" in path.stem or "\n" in path.stem:
            raise InputError(f"{str(path)!r} has a tab or line break in its name: rename it")
        paths[path.stem] = path
    return paths


def match(images, masks, image_dir, mask_dir):
    """Match pictures and masks, each of `by_stem`, of two folders.

    Returns:
        `(stems, lone_pictures, lone_masks)`: the stems of both, sorted, and the paths that have no
        partner.

    Raises:
        InputError: if nothing matches.
    """
    stems = sorted(images.keys() & masks.keys())
    if not stems:
        names = [min(found.values()).name for found in (images, masks) if found]
        unlike = f": {names[0]} and {names[1]} have other stems" if len(names) == 2 else ""
        raise InputError(
            f"no picture in {image_dir} ({len(images)}) has a mask of the same name in "
            f"{mask_dir} ({len(masks)}){unlike}"
        )
    lone_pictures = [path for stem, path in images.items() if stem not in masks]
    lone_masks = [path for stem, path in masks.items() if stem not in images]
    return stems, lone_pictures, lone_masks


def say_lone(lone_pictures, lone_masks):
    """Say which files have no partner."""
    for noun, lone in (("picture", lone_pictures), ("mask", lone_masks)):
        if lone:
            nouns = noun + "s" * (len(lone) > 1)
            logger.warning("no partner for %d %s: %s", len(lone), nouns, _first_names(lone))


def _first_names(paths, limit=10):
    names = ", ".join(path.name for path in paths[:limit])
    return f"{names} and {len(paths) - limit} more" if len(paths) > limit else names


def different_sizes(mask, mask_size, picture, picture_size):
    """Return what to say of a mask and a picture of different `(height, width)`."""
    return (
        f"{mask} is {_size(mask_size)} pixels, and {picture} {_size(picture_size)}: "
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
