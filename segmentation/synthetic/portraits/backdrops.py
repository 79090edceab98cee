"""Backdrops behind a person.

Like clothes, they often take the colours of hair and skin.
"""

import cv2
import numpy as np

from segmentation.synthetic import colors
from segmentation.synthetic.canvas import SIDE, blotches, strands, tinted


def paint(rng):
    """Return a backdrop, (SIDE, SIDE, 3) float32 RGB 0..255."""
    kinds = (_wall, _lights, _shelves, _grain, _leaves, _tiles)
    image = kinds[rng.choice(len(kinds), p=(0.3, 0.15, 0.18, 0.14, 0.14, 0.09))](rng)
    columns = np.arange(SIDE, dtype=np.float32) / SIDE - 0.5
    rows, slope = columns[:, None], rng.normal(0, 0.25, 2).tolist()
    image = image * cv2.merge([1 + slope[0] * rows + slope[1] * columns] * 3)
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 3.5))


def _plain(color):
    return np.tile(np.float32(color), (SIDE, SIDE, 1))


def _wall(rng):
    tone = 1 + rng.uniform(0, 0.08) * blotches(rng, rng.uniform(15, 80))
    image = tinted(colors.thing(rng), tone)
    if rng.random() < 0.3:  # a frame or a window
        left, top = rng.integers(-60, 200, 2).tolist()
        right, bottom = left + int(rng.integers(50, 150)), top + int(rng.integers(50, 120))
        cv2.rectangle(image, (left, top), (right, bottom), colors.thing(rng).tolist(), -1)
        cv2.rectangle(image, (left, top), (right, bottom), colors.thing(rng).tolist(), 5)
    return image


def _lights(rng):
    image = _plain(colors.thing(rng) * 0.6)
    for _ in range(rng.integers(8, 26)):
        center, radius = rng.integers(0, SIDE, 2).tolist(), int(rng.integers(6, 34))
        cv2.circle(image, center, radius, colors.thing(rng).tolist(), -1)
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(1, 9))


def _shelves(rng):
    image, left = _plain(colors.thing(rng)), 0
    palette = [colors.thing(rng) for _ in range(4)]
    while left < SIDE:
        width = int(rng.integers(6, 48))
        shade = palette[rng.integers(4)] * rng.uniform(0.7, 1.1)
        image[int(rng.integers(0, 60)) :, left : left + width] = shade
        left += width
    return np.ascontiguousarray(image.transpose(1, 0, 2)) if rng.random() < 0.25 else image


def _grain(rng):
    # Wood, straw, fur: lines as fine as those of hair.
    angle = rng.uniform(0, 2 * np.pi)
    far = SIDE * (0.5 + rng.uniform(0.6, 1.0) * np.array([np.cos(angle), np.sin(angle)]))
    lines = strands(rng, far, rng.uniform(0, 0.4))
    return tinted(colors.thing(rng), 1 + rng.uniform(0.1, 0.3) * lines)


def _leaves(rng):
    spots = blotches(rng, rng.uniform(8, 30)) + 0.6 * blotches(rng, rng.uniform(3, 8))
    light = 1 / (1 + np.exp(-2 * spots))
    dark = colors.thing(rng) if rng.random() < 0.5 else colors.hue(rng, (0.3, 0.7), (0.1, 0.4))
    return tinted(dark, 1 - light) + tinted(colors.thing(rng), light)


def _tiles(rng):
    image, seam = _plain(colors.thing(rng)), colors.thing(rng).tolist()
    height, width = int(rng.integers(14, 40)), int(rng.integers(20, 70))
    for row, top in enumerate(range(0, SIDE, height)):
        cv2.line(image, (0, top), (SIDE, top), seam, 2)
        for left in range(-(row % 2) * width // 2, SIDE, width):
            cv2.line(image, (left, top), (left, top + height), seam, 2)
    return image
