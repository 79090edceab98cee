"""What the writers of synthetic data sets share: numbering, JPEG quality, encoding."""

import cv2
import numpy as np

from segmentation.errors import InputError
from segmentation.progress import track

QUALITY_STREAM = 2  # of random numbers, besides those of portraits and rooms


def numbers(count, seed):
    """Return the numbers of the images, 0 to `count` - 1, as an iterable that shows progress.

    Raises:
        InputError: if count or seed is out of range.
    """
    if count < 1 or seed < 0:
        raise InputError(f"count {count}, seed {seed}: expected a count ≥ 1 and a seed ≥ 0")
    return track(range(count), count, "generating")


def write(path, image, options=()):
    """Write an image in the format that the suffix of its path names.

    Args:
        path: `Path`.
        image: (H, W, 3) uint8 RGB, or (H, W) uint8.
        options: of `cv2.imencode`.
    """
    pixels = image[..., ::-1] if image.ndim == 3 else image
    # OpenCV's own writer reports a full disk only by a return value: let Python write.
    path.write_bytes(cv2.imencode(path.suffix, pixels, list(options))[1].tobytes())


def write_photo(path, image, seed, number):
    """Write a JPEG, (H, W, 3) uint8 RGB, of a random quality that `seed` and `number` determine."""
    quality = np.random.default_rng([seed, QUALITY_STREAM, number]).integers(72, 97)
    write(path, image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
