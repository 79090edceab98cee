"""Random colours of skin, hair, wood and things in general.

Things often take the colours of hair and skin, so that colour alone identifies no class.
"""

import cv2
import numpy as np

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
# RGB: black, dark brown, brown, chestnut, auburn, blond, light blond, grey, white.
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
# Fractions of people with these hair colours; the rest have dyed hair.
HAIR_FRACTIONS = np.float64([0.2, 0.2, 0.17, 0.08, 0.06, 0.1, 0.05, 0.09, 0.05])


def hue(rng, saturation=(0.2, 0.8), value=(0.25, 0.95)):
    """Return a random colour, (3,) float32 RGB 0..255; saturation and value are ranges in 0..1."""
    hsv = [rng.uniform(0, 360), rng.uniform(*saturation), rng.uniform(*value)]
    return cv2.cvtColor(np.float32([[hsv]]), cv2.COLOR_HSV2RGB)[0, 0] * 255


def skin(rng):
    """Return a random skin colour, (3,) float32 RGB 0..255."""
    position = rng.uniform(0, len(SKIN) - 1.001)
    first = int(position)
    blend = SKIN[first] + (position - first) * (SKIN[first + 1] - SKIN[first])
    return np.clip(blend * rng.uniform(0.95, 1.05, 3), 0, 255).astype(np.float32)


def hair(rng):
    """Return a random hair colour, (3,) float32 RGB 0..255."""
    kind = np.searchsorted(np.cumsum(HAIR_FRACTIONS), rng.random(), side="right")
    if kind == len(HAIR):
        return hue(rng, saturation=(0.45, 0.85), value=(0.4, 0.9))
    return np.clip(HAIR[kind] * rng.uniform(0.85, 1.15, 3), 0, 255).astype(np.float32)


def wood(rng):
    """Return a random colour of wood or of painted furniture, (3,) RGB 0..255."""
    if rng.random() < 0.6:
        return np.float32([176, 130, 86]) * rng.uniform(0.35, 1.2) * rng.uniform(0.92, 1.08, 3)
    return hue(rng, (0.02, 0.45), (0.2, 0.85))


def thing(rng):
    """Return the colour of a thing, (3,) float32 RGB 0..255: any, or often that of hair or skin."""
    lot = rng.random()
    if lot < 0.3:
        return hair(rng)
    if lot < 0.45:
        return skin(rng)
    return hue(rng, saturation=(0.02, 0.75), value=(0.12, 0.97))
