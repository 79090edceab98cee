"""The data card: the JSON beside prepared data that says what they are (nnU-Net: a fingerprint).

`images-128.dataset.json` belongs to `images-128.npy`, and `room.dataset.json` to `room.tfrecord`
or its shards. Training plans with it what its options leave open.
"""

import json
import logging
from pathlib import Path

import numpy as np

from segmentation import files
from segmentation.errors import InputError, reason

logger = logging.getLogger(__name__)

SUFFIX = ".dataset.json"


def path_beside(path):
    """Return where the data card of `images-128.npy` or `room.tfrecord` is."""
    return Path(path).with_suffix(SUFFIX)


def write(path, fingerprint, image_sizes, facts):
    """Write the data card of prepared data.

    Args:
        path: of the card.
        fingerprint: of the data, as `Arrays` and `Records` return it.
        image_sizes: `(height, width)` in pixels of every image before it was resized.
        facts: more entries, for JSON.
    """
    sizes = np.array(image_sizes)
    card = {
        "fingerprint": fingerprint,
        **facts,
        # Of each side by itself: no image need have the size that is called the median.
        "image_sizes": {
            "smallest": sizes.min(0).tolist(),
            "median": np.median(sizes, 0).round().astype(int).tolist(),
            "largest": sizes.max(0).tolist(),
        },
    }
    files.write_json(path, card)


def read(path, fingerprint):
    """Return the data card of prepared data, or None if there is none of these very data.

    Args:
        path: of the images, or of the TFRecord that shards stand for.
        fingerprint: of the data that were opened.

    Raises:
        InputError: if the file cannot be read.
    """
    path = path_beside(path)
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        of_these = card["fingerprint"] == fingerprint
        height, width = card["image_sizes"]["median"]
        if not (isinstance(height, int) and isinstance(width, int) and min(height, width) > 0):
            raise ValueError(f"the median size is {height} x {width}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: no data card ({reason(error)}); remove it, or prepare the data again"
        ) from None
    if not of_these:
        logger.warning(f"{path}: describes other data, and is not used")
        return None
    return card
