"""Random changes of a picture and its mask together, for training only.

Each is a pure function of (image, mask, seed, epoch, index): reruns and resumed runs see the same
pictures, whatever the number of threads, and nothing is remembered between calls.
"""

import cv2
import numpy as np

ROTATION = 20.0  # degrees, either way
SHEAR = 0.2  # horizontal shift per unit of height, either way
ZOOM = 0.2  # relative, either way
ASPECT = 0.05  # relative, either way, of each axis on top of that
SHIFT = 0.05  # of the side, either way
FLIP = 0.5  # probability
BRIGHTNESS = 0.25  # of the full range, either way
CONTRAST = 0.25  # relative, either way
COLOR = 0.12  # relative gain of each channel, either way
BLUR = 0.15  # probability
BLUR_SIGMA = (0.4, 1.2)  # pixels
ALIASING = 0.1  # probability of point sampling, as some phone frameworks shrink pictures


def augment(image, mask, seed, epoch, index):
    """Warp image and mask by one random affine transform, then change the light of the image.

    Args:
        image: `(H, W, 3)` uint8, RGB.
        mask: `(H, W)` uint8 class ids.
        seed: of the run.
        epoch: number of the pass over the data, from 0.
        index: row of the picture in the data set.

    Returns:
        `(image, mask)` of the same shapes and dtypes. The mask holds only ids that it held before:
        it is sampled to the nearest pixel; borders are reflected in both.
    """
    rng = np.random.default_rng((seed, epoch, index))
    height, width = mask.shape
    matrix = _affine(rng, height, width)
    sampling = cv2.INTER_NEAREST if rng.random() < ALIASING else cv2.INTER_LINEAR
    image = _warp(image, matrix, sampling)
    mask = _warp(mask, matrix, cv2.INTER_NEAREST)
    if rng.random() < BLUR:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(*BLUR_SIGMA))
    return _relight(rng, image), mask


def _affine(rng, height, width):
    """Return the 2×3 matrix from output to input pixels, turning about the centre."""
    angle = np.deg2rad(rng.uniform(-ROTATION, ROTATION))
    shear = rng.uniform(-SHEAR, SHEAR)
    zoom = rng.uniform(1 - ZOOM, 1 + ZOOM)
    zoom_x, zoom_y = zoom * rng.uniform(1 - ASPECT, 1 + ASPECT, 2)
    flip = -1 if rng.random() < FLIP else 1
    cos, sin = np.cos(angle), np.sin(angle)
    linear = (
        np.array([[cos, -sin], [sin, cos]])
        @ np.array([[1, shear], [0, 1]])
        @ np.diag([flip * zoom_x, zoom_y])
    )
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = rng.uniform(-SHIFT, SHIFT, 2) * (width, height)
    return np.column_stack([linear, center - linear @ center + shift])


def _warp(array, matrix, sampling):
    height, width = array.shape[:2]
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
