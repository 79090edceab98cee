"""A small canvas for anti-aliased shapes and their class ids, and textures for it.

Shapes are filled on a grid `FINE` times as dense; the covered fraction of a pixel is its opacity in
the image, and a pixel takes the class id of a shape that covers at least half of it. So image and
mask come from one outline, and a mask never holds a blended id.
"""

import cv2
import numpy as np

SIDE = 250  # pixels, as in LFW
FINE = 3  # sub-pixels per pixel and axis
SUBPIXEL_BITS = 4  # of OpenCV's fixed-point coordinates


class Canvas:
    """An `image`, (SIDE, SIDE, 3) float32 RGB 0..255, and its class `ids`, (SIDE, SIDE) uint8."""

    def __init__(self, image):
        self.image = image
        self.ids = np.zeros((SIDE, SIDE), np.uint8)

    def paint(
        self, outlines, color, label=None, *, gain=1, opacity=1, within=None, width=None, blur=0
    ):
        """Fill closed outlines, or stroke open lines, and record a class id where they cover.

        Args:
            outlines: list of (n, 2) float arrays of (x, y) in pixels; the centre of the first
                pixel is (0.5, 0.5). Where two overlap there is a hole (even-odd rule).
            color: RGB 0..255, (3,), or one per pixel, (SIDE, SIDE, 3).
            label: class id for the covered pixels; None leaves the ids as they are.
            gain: factor of the colour, a number or (3,).
            opacity: 0..1, in the image only.
            within: (SIDE, SIDE) float 0..1, a coverage that limits this one, or None.
            width: of a stroke, in pixels; None fills.
            blur: standard deviation of a soft edge, in pixels.
        """
        covered = coverage(outlines, width, blur)
        if covered is None:
            return
        box, alpha = covered
        if within is not None:
            alpha = alpha * within[box]
        color = np.asarray(color, np.float32)
        color = (color[box] if color.ndim == 3 else color) * np.float32(gain)
        target = self.image[box]
        target += cv2.merge([alpha * np.float32(opacity)] * 3) * (color - target)
        if label is not None:
            self.ids[box][alpha >= 0.5] = label


def coverage(outlines, width=None, blur=0):
    """Return which part of the canvas the outlines cover.

    Args: those of `Canvas.paint`.

    Returns: (box, alpha): a pair of slices of the canvas and the covered fraction of each pixel in
        that box, float32 0..1; or None if the outlines lie outside the canvas.
    """
    points = np.concatenate(outlines)
    margin = (width or 0) + 3 * blur + 1
    low = np.clip(np.floor(points.min(axis=0) - margin), 0, SIDE).astype(int)
    high = np.clip(np.ceil(points.max(axis=0) + margin), 0, SIDE).astype(int)
    if (high <= low).any():
        return None
    columns, rows = high - low
    fine = np.zeros((rows * FINE, columns * FINE), np.uint8)
    # OpenCV counts from the centre of the first sub-pixel.
    scaled = [((line - low) * FINE - 0.5) * (1 << SUBPIXEL_BITS) for line in outlines]
    scaled = [np.rint(line).astype(np.int32) for line in scaled]
    if width is None:
        cv2.fillPoly(fine, scaled, 255, shift=SUBPIXEL_BITS)
    else:
        thickness = max(1, round(width * FINE))
        cv2.polylines(fine, scaled, False, 255, thickness, shift=SUBPIXEL_BITS)
    alpha = cv2.resize(fine, (int(columns), int(rows)), interpolation=cv2.INTER_AREA)
    alpha = alpha.astype(np.float32) / 255
    if blur:
        alpha = cv2.GaussianBlur(alpha, (0, 0), blur)
    return (slice(low[1], high[1]), slice(low[0], high[0])), alpha


def tinted(color, tone):
    """Return an RGB colour times a brightness for each pixel, (SIDE, SIDE): (SIDE, SIDE, 3)."""
    # Three planes: NumPy broadcasts slowly along an axis of three.
    return cv2.merge([tone * float(channel) for channel in color])


def wave(rng, length, knots):
    """Return smooth noise of standard deviation about 1, (length,) float32, with `knots` bends."""
    values = rng.standard_normal((1, max(2, knots)), dtype=np.float32)
    return cv2.resize(values, (length, 1), interpolation=cv2.INTER_CUBIC)[0]


def blotches(rng, size):
    """Return smooth noise of standard deviation 1, (SIDE, SIDE) float32.

    `size` is the size of its spots in pixels.
    """
    cells = max(2, round(SIDE / size))
    values = rng.standard_normal((cells, cells), dtype=np.float32)
    values = cv2.resize(values, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return values / values.std()


def strands(rng, center, waviness=0.0):
    """Return noise in thin lines that radiate from `center`, (SIDE, SIDE) float32.

    `center` is (x, y) in pixels; `waviness` is 0 for straight lines, 1 for strongly bent ones. The
    standard deviation of the noise is 1.
    """
    angles, radii = 512, 64
    noise = cv2.resize(rng.standard_normal((angles, 5), dtype=np.float32), (radii, angles))
    bend = waviness * 12 * wave(rng, radii, 9) + np.linspace(0, 25 * rng.uniform(-1, 1), radii)
    rows = (np.arange(angles)[:, None] + bend.astype(int)) % angles
    noise = noise[rows, np.arange(radii)]
    flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS
    center = (float(center[0]), float(center[1]))
    spread = cv2.warpPolar(noise, (SIDE, SIDE), center, 1.8 * SIDE, flags)
    return spread / max(spread.std(), 1e-6)


def photograph(image, rng):
    """Return a painted `image` of any size as a camera might have captured it, uint8."""
    exposure, contrast = rng.uniform(0.85, 1.3) * rng.normal(1, 0.035, 3), rng.uniform(0.85, 1.15)
    mixing = np.diag(exposure)
    if rng.random() < 0.03:  # black and white
        mixing = np.full((3, 3), exposure.mean() / 3)
    offset = np.full((3, 1), 118 * (1 - contrast))
    image = cv2.transform(image, np.hstack([contrast * mixing, offset]))
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.35, 1.0))
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    return cv2.scaleAdd(noise, rng.uniform(0, 6), image).clip(0, 255).round().astype(np.uint8)
