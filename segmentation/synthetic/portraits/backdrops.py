"""What stands behind a drawn person, and the colours that people and things come in.

Clothes and backdrops often take the colours of hair and skin, so that colour alone tells little.
"""

import cv2
import numpy as np

from segmentation.synthetic.portraits.canvas import SIDE, blotches, strands, tinted

# RGB, from light to dark; people get blends of two neighbours.
SKIN = np.float32(
    [
        (247, 220, 200),
        (238, 198, 168),
        (222, 174, 138),
        (196, 140, 102),
        (160, 106, 74),
        (122, 78, 54),
        (88, 56, 40),
        (62, 41, 32),
    ]
)
# RGB and how often: black, dark brown, brown, chestnut, auburn, blond, light blond, grey, white.
HAIR = np.float32(
    [
        (26, 22, 22),
        (54, 37, 27),
        (92, 62, 40),
        (122, 72, 42),
        (158, 78, 38),
        (196, 156, 96),
        (226, 198, 146),
        (140, 138, 136),
        (208, 205, 200),
    ]
)
HAIR_SHARES = np.float64([0.2, 0.2, 0.17, 0.08, 0.06, 0.1, 0.05, 0.09, 0.05])  # else dyed


def hue(rng, saturation=(0.2, 0.8), value=(0.25, 0.95)):
    """Return a random colour, (3,) float32 RGB 0..255, of the given ranges 0..1."""
    hsv = [rng.uniform(0, 360), rng.uniform(*saturation), rng.uniform(*value)]
    return cv2.cvtColor(np.float32([[hsv]]), cv2.COLOR_HSV2RGB)[0, 0] * 255


def skin(rng):
    """Return the colour of some skin, (3,) float32 RGB 0..255."""
    position = rng.uniform(0, len(SKIN) - 1.001)
    first = int(position)
    blend = SKIN[first] + (position - first) * (SKIN[first + 1] - SKIN[first])
    return np.clip(blend * rng.uniform(0.95, 1.05, 3), 0, 255).astype(np.float32)


def hair(rng):
    """Return the colour of some hair, (3,) float32 RGB 0..255."""
    kind = np.searchsorted(np.cumsum(HAIR_SHARES), rng.random(), side="right")
    if kind == len(HAIR):
        return hue(rng, saturation=(0.45, 0.85), value=(0.4, 0.9))
    return np.clip(HAIR[kind] * rng.uniform(0.85, 1.15, 3), 0, 255).astype(np.float32)


def thing(rng):
    """Return the colour of a thing: any, or often that of hair or skin."""
    lot = rng.random()
    if lot < 0.3:
        return hair(rng)
    if lot < 0.45:
        return skin(rng)
    return hue(rng, saturation=(0.02, 0.75), value=(0.12, 0.97))


def paint(rng):
    """Return a backdrop, (SIDE, SIDE, 3) float32 RGB 0..255."""
    kinds = (_wall, _lights, _shelves, _grain, _leaves, _tiles)
    picture = kinds[rng.choice(len(kinds), p=(0.3, 0.15, 0.18, 0.14, 0.14, 0.09))](rng)
    columns = np.arange(SIDE, dtype=np.float32) / SIDE - 0.5
    rows, slope = columns[:, None], rng.normal(0, 0.25, 2).tolist()
    picture = picture * cv2.merge([1 + slope[0] * rows + slope[1] * columns] * 3)
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 3.5))


def _plain(color):
    return np.tile(np.float32(color), (SIDE, SIDE, 1))


def _wall(rng):
    tone = 1 + rng.uniform(0, 0.08) * blotches(rng, rng.uniform(15, 80))
    picture = tinted(thing(rng), tone)
    if rng.random() < 0.3:  # a frame or a window
        left, top = rng.integers(-60, 200, 2).tolist()
        right, bottom = left + int(rng.integers(50, 150)), top + int(rng.integers(50, 120))
        cv2.rectangle(picture, (left, top), (right, bottom), thing(rng).tolist(), -1)
        cv2.rectangle(picture, (left, top), (right, bottom), thing(rng).tolist(), 5)
    return picture


def _lights(rng):
    picture = _plain(thing(rng) * 0.6)
    for _ in range(rng.integers(8, 26)):
        center, radius = rng.integers(0, SIDE, 2).tolist(), int(rng.integers(6, 34))
        cv2.circle(picture, center, radius, thing(rng).tolist(), -1)
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(1, 9))


def _shelves(rng):
    picture, left = _plain(thing(rng)), 0
    colors = [thing(rng) for _ in range(4)]
    while left < SIDE:
        width = int(rng.integers(6, 48))
        shade = colors[rng.integers(4)] * rng.uniform(0.7, 1.1)
        picture[int(rng.integers(0, 60)) :, left : left + width] = shade
        left += width
    return np.ascontiguousarray(picture.transpose(1, 0, 2)) if rng.random() < 0.25 else picture


def _grain(rng):
    # Wood, straw, fur: as finely lined as hair.
    angle = rng.uniform(0, 2 * np.pi)
    far = SIDE * (0.5 + rng.uniform(0.6, 1.0) * np.array([np.cos(angle), np.sin(angle)]))
    lines = strands(rng, far, rng.uniform(0, 0.4))
    return tinted(thing(rng), 1 + rng.uniform(0.1, 0.3) * lines)


def _leaves(rng):
    spots = blotches(rng, rng.uniform(8, 30)) + 0.6 * blotches(rng, rng.uniform(3, 8))
    share = 1 / (1 + np.exp(-2 * spots))
    dark = thing(rng) if rng.random() < 0.5 else hue(rng, (0.3, 0.7), (0.1, 0.4))
    return tinted(dark, 1 - share) + tinted(thing(rng), share)


def _tiles(rng):
    picture, seam = _plain(thing(rng)), thing(rng).tolist()
    height, width = int(rng.integers(14, 40)), int(rng.integers(20, 70))
    for row, top in enumerate(range(0, SIDE, height)):
        cv2.line(picture, (0, top), (SIDE, top), seam, 2)
        for left in range(-(row % 2) * width // 2, SIDE, width):
            cv2.line(picture, (left, top), (left, top + height), seam, 2)
    return picture
