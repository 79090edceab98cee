"""Random changes of an image and its mask together, for training only.

Each is a pure function of the image, the mask and (seed, pass, row): reruns and resumed runs see
the same images, whatever the number of threads, and nothing is remembered between calls.
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
ALIASING = 0.1  # probability of point sampling, as some phone frameworks downsample images
COARSE = 1.5  # input pixels per output pixel beyond which an image is resized before it is warped


@dataclass(frozen=True)
class AffineRanges:
    """The ranges from which an affine transform is sampled.

    Attributes:
        rotation: degrees, either way.
        shear: horizontal shift per unit of height, either way.
        zoom: `(lowest, highest)` extent of the image that is seen: above 1 objects shrink.
        aspect: relative scale of each axis on top of the zoom, either way.
        shift: fraction of the side, either way.
        flip_up_down: whether half of the images are flipped upside down.
        mirrored: `(256,)` uint8, the class id that each has in a mirror image (`classes.mirrored`),
            or None: the same.
    """

    rotation: float
    shear: float
    zoom: tuple[float, float]
    aspect: float = 0.05
    shift: float = 0.05
    flip_up_down: bool = False
    mirrored: np.ndarray | None = None


PORTRAITS = AffineRanges(rotation=20, shear=0.2, zoom=(0.8, 1.2))
# The older ADE20K project's: objects at 0.57 to 1.18 times their size.
SCENES = AffineRanges(rotation=30, shear=0, zoom=(0.85, 1.75), aspect=0)


def augment(image, mask, key, size=None, affine_ranges=PORTRAITS):
    """Warp image and mask by one random affine transform, then change the image's light.

    Args:
        image: `(H, W, 3)` uint8, RGB.
        mask: `(H, W)` uint8 class ids.
        key: `(seed, pass, row)`, integers ≥ 0: the seed of the run, the number of the pass over the
            data and the row of the sample. They alone determine the result. More numbers keep
            apart what has these three in common.
        size: `(height, width)` to stretch both to, in the same warp; None: their own size.
        affine_ranges: `AffineRanges`.

    Returns:
        `(image, mask)` of that size, with the dtypes of the arguments. The mask holds only ids that
        it held before, or those of `mirrored`: it is sampled to the nearest pixel; borders are
        reflected in both.
    """
    rng = np.random.default_rng(key)
    size = mask.shape if size is None else size
    moved = _affine(rng, *size, affine_ranges)
    sampling = cv2.INTER_NEAREST if rng.random() < ALIASING else cv2.INTER_LINEAR
    if sampling == cv2.INTER_LINEAR and max(np.divide(mask.shape, size)) > COARSE:
        image = image_io.resize(image, size)  # linear sampling would leave pixels out
    image = _warp(image, moved, size, sampling)
    mask = _warp(mask, moved, size, cv2.INTER_NEAREST)
    if affine_ranges.mirrored is not None and np.linalg.det(moved[:, :2]) < 0:
        mask = affine_ranges.mirrored[mask]
    if rng.random() < BLUR:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(*BLUR_SIGMA))
    return _relight(rng, image), mask


def _affine(rng, height, width, ranges):
    """Sample the 2×3 matrix from pixels of the output to pixels of the input, about the centre."""
    angle = np.deg2rad(rng.uniform(-ranges.rotation, ranges.rotation))
    shear = rng.uniform(-ranges.shear, ranges.shear)
    zoom = rng.uniform(*ranges.zoom)
    zoom_x, zoom_y = zoom * rng.uniform(1 - ranges.aspect, 1 + ranges.aspect, 2)
    flip_x = -1 if rng.random() < FLIP else 1
    cos, sin = np.cos(angle), np.sin(angle)
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = rng.uniform(-ranges.shift, ranges.shift, 2) * (width, height)
    flip_y = -1 if ranges.flip_up_down and rng.random() < FLIP else 1
    linear = (
        np.array([[cos, -sin], [sin, cos]])
        @ np.array([[1, shear], [0, 1]])
        @ np.diag([flip_x * zoom_x, flip_y * zoom_y])
    )
    return np.column_stack([linear, center - linear @ center + shift])


def _warp(array, moved, size, sampling):
    """Stretch an array to `size` and transform it, by one matrix."""
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
