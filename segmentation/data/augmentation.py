"""Random changes of a picture and its mask together, for training only.

Each is a pure function of (image, mask, seed, epoch, index): reruns and resumed runs see the same
pictures, whatever the number of threads, and nothing is remembered between calls.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from segmentation.data import image_io

FLIP = 0.5  # probability
BRIGHTNESS = 0.25  # of the full range, either way
CONTRAST = 0.25  # relative, either way
COLOR = 0.12  # relative gain of each channel, either way
BLUR = 0.15  # probability
BLUR_SIGMA = (0.4, 1.2)  # pixels
ALIASING = 0.1  # probability of point sampling, as some phone frameworks shrink pictures
COARSE = 1.5  # input pixels per output pixel beyond which a picture is shrunk before it is warped


@dataclass(frozen=True)
class AffineRanges:
    """How far a picture is moved at most.

    Attributes:
        rotation: degrees, either way.
        shear: horizontal shift per unit of height, either way.
        zoom: `(lowest, highest)` extent of the picture that is seen: above 1 objects shrink.
        aspect: relative, either way, of each axis on top of that.
        shift: of the side, either way.
        flip_up_down: whether half of the pictures stand on their head.
    """

    rotation: float
    shear: float
    zoom: tuple[float, float]
    aspect: float = 0.05
    shift: float = 0.05
    flip_up_down: bool = False


PORTRAITS = AffineRanges(rotation=20, shear=0.2, zoom=(0.8, 1.2))
# The older ADE20K project's: objects at 0.57 to 1.18 times their size.
SCENES = AffineRanges(rotation=30, shear=0, zoom=(0.85, 1.75), aspect=0)


def augment(image, mask, seed, epoch, index, size=None, motion=PORTRAITS):
    """Warp image and mask by one random affine transform, then change the light of the image.

    Args:
        image: `(H, W, 3)` uint8, RGB.
        mask: `(H, W)` uint8 class ids.
        seed: of the run.
        epoch: number of the pass over the data, from 0.
        index: row of the picture in the data set.
        size: `(height, width)` to stretch both to, in the same warp; None: their own.
        motion: `AffineRanges`.

    Returns:
        `(image, mask)` of that size and the same dtypes. The mask holds only ids that it held
        before: it is sampled to the nearest pixel; borders are reflected in both.
    """
    rng = np.random.default_rng((seed, epoch, index))
    size = mask.shape if size is None else size
    moved = _affine(rng, *size, motion)
    sampling = cv2.INTER_NEAREST if rng.random() < ALIASING else cv2.INTER_LINEAR
    if sampling == cv2.INTER_LINEAR and max(np.divide(mask.shape, size)) > COARSE:
        image = image_io.resize(image, size)  # linear sampling would leave pixels out
    image = _warp(image, moved, size, sampling)
    mask = _warp(mask, moved, size, cv2.INTER_NEAREST)
    if rng.random() < BLUR:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(*BLUR_SIGMA))
    return _relight(rng, image), mask


def _affine(rng, height, width, motion):
    """Return the 2×3 matrix from pixels of the output to those they show, about the centre."""
    angle = np.deg2rad(rng.uniform(-motion.rotation, motion.rotation))
    shear = rng.uniform(-motion.shear, motion.shear)
    zoom = rng.uniform(*motion.zoom)
    zoom_x, zoom_y = zoom * rng.uniform(1 - motion.aspect, 1 + motion.aspect, 2)
    flip_x = -1 if rng.random() < FLIP else 1
    cos, sin = np.cos(angle), np.sin(angle)
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = rng.uniform(-motion.shift, motion.shift, 2) * (width, height)
    flip_y = -1 if motion.flip_up_down and rng.random() < FLIP else 1
    linear = (
        np.array([[cos, -sin], [sin, cos]])
        @ np.array([[1, shear], [0, 1]])
        @ np.diag([flip_x * zoom_x, flip_y * zoom_y])
    )
    return np.column_stack([linear, center - linear @ center + shift])


def _warp(array, moved, size, sampling):
    """Stretch an array to `size` and move it, by one matrix."""
    height, width = size
    scale = np.array([array.shape[1] / width, array.shape[0] / height])
    # Pixel i of `size` has its centre at i + 0.5, and in the array at (i + 0.5) · scale.
    matrix = scale[:, None] * moved
    matrix[:, 2] += (scale - 1) / 2
    return cv2.warpAffine(
        array,
        matrix,
        (width, height),
        flags=sampling | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )


def _relight(rng, image):
    contrast = 1 + rng.uniform(-CONTRAST, CONTRAST)
    brightness = 255 * rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    gains = contrast * (1 + rng.uniform(-COLOR, COLOR, 3))
    # One table per channel: 768 multiplications in place of one for each pixel.
    levels = (np.arange(256)[:, None] - 127.5) * gains + 127.5 + brightness
    return cv2.LUT(image, np.clip(np.rint(levels), 0, 255).astype(np.uint8)[None])
