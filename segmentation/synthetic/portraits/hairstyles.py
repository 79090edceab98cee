"""Outlines of hair, in head units (see people.py)."""

from typing import NamedTuple

import cv2
import numpy as np

from segmentation.synthetic.canvas import wave

NONE = (0.0, 0.0)
CURLY = 0.6  # a curl above which no single strands are visible
LOW = 0.5  # hair that ends below this y hangs over ears and cheeks


class Style(NamedTuple):
    """How a hairstyle varies: ranges (low, high) in head units."""

    fraction: float  # of people who wear it
    top: tuple = NONE  # height above the crown
    side: tuple = NONE  # distance from the side of the head
    end: tuple = NONE  # y at which it ends
    curl: tuple = NONE  # 0 straight .. 1 all curls
    hairlines: tuple = ()
    behind: bool = False  # whether it shows behind the neck
    bearded: bool = False  # whether it goes with beards


STYLES = {
    "short": Style(
        fraction=0.3,
        top=(0.05, 0.16),
        side=(0.03, 0.08),
        end=(-0.1, 0.25),
        curl=(0, 0.3),
        hairlines=("straight", "part", "fringe", "receding"),
        bearded=True,
    ),
    "cropped": Style(
        fraction=0.12,
        top=(0.015, 0.05),
        side=(0.01, 0.03),
        end=(-0.15, 0.15),
        hairlines=("straight", "receding"),
        bearded=True,
    ),
    "tall": Style(
        fraction=0.05,
        top=(0.16, 0.3),
        side=(0.02, 0.06),
        end=(-0.1, 0.2),
        curl=(0, 0.4),
        hairlines=("straight", "part"),
        bearded=True,
    ),
    "curly": Style(
        fraction=0.06,
        top=(0.12, 0.26),
        side=(0.1, 0.22),
        end=(0.1, 0.6),
        curl=(0.7, 1),
        hairlines=("straight", "fringe", "receding"),
        behind=True,
        bearded=True,
    ),
    "afro": Style(
        fraction=0.03,
        top=(0.28, 0.45),
        side=(0.25, 0.42),
        end=(0.1, 0.5),
        curl=(0.7, 1),
        hairlines=("straight",),
        behind=True,
    ),
    "bob": Style(
        fraction=0.08,
        top=(0.06, 0.14),
        side=(0.08, 0.18),
        end=(0.6, 1.1),
        curl=(0, 0.4),
        hairlines=("curtain", "fringe", "part"),
        behind=True,
    ),
    "long": Style(
        fraction=0.13,
        top=(0.06, 0.18),
        side=(0.06, 0.32),
        end=(1.3, 2.3),
        curl=(0, 0.7),
        hairlines=("curtain", "fringe", "part"),
        behind=True,
    ),
    "bun": Style(
        fraction=0.05,
        top=(0.03, 0.08),
        side=(0.02, 0.04),
        end=(-0.1, 0.1),
        curl=(0, 0.2),
        hairlines=("straight", "part"),
    ),
    "ponytail": Style(
        fraction=0.05,
        top=(0.03, 0.09),
        side=(0.02, 0.05),
        end=(-0.1, 0.1),
        curl=(0, 0.4),
        hairlines=("straight", "part", "fringe"),
    ),
    "wreath": Style(  # about a bald crown
        fraction=0.09, side=(0.03, 0.1), end=(0, 0.25), curl=(0, 0.5), bearded=True
    ),
    "bald": Style(fraction=0.035, bearded=True),
    "scarf": Style(  # cloth in place of hair
        fraction=0.01,
        top=(0.06, 0.12),
        side=(0.06, 0.14),
        end=(1.3, 1.7),
        hairlines=("curtain",),
        behind=True,
    ),
}
# Points (x / half-width of the head, y) of the hairline, left to right.
HAIRLINES = {
    "straight": [(-0.74, -0.5), (-0.4, -0.64), (0, -0.67), (0.4, -0.64), (0.74, -0.5)],
    "fringe": [(-0.8, -0.3), (-0.4, -0.33), (0, -0.31), (0.4, -0.34), (0.8, -0.28)],
    "part": [(-0.74, -0.5), (-0.5, -0.74), (-0.4, -0.8), (0, -0.62), (0.45, -0.42), (0.8, -0.26)],
    "receding": [(-0.78, -0.5), (-0.6, -0.74), (-0.35, -0.76), (0, -0.66)]
    + [(0.35, -0.76), (0.6, -0.74), (0.78, -0.5)],
    "curtain": [(-0.82, -0.2), (-0.6, -0.5), (-0.2, -0.72), (0, -0.84)]
    + [(0.2, -0.72), (0.6, -0.5), (0.82, -0.2)],
}


def outline(person, rng, end):
    """Return the outer edge of the hair, (n, 2), over the crown between its ends at y = `end`."""
    width = person.width + person.side
    angle = np.linspace(np.pi, 2 * np.pi, 110)
    arc = np.stack([width * np.cos(angle), (0.95 + person.top) * np.sin(angle) - 0.05], axis=1)
    fall = np.linspace(end, -0.05, 60)[:-1]
    swell = 1 + (0.12 if end > LOW else -0.1) * np.clip(fall, 0, 2)
    left = np.stack([-width * swell, fall], axis=1)
    edge = np.concatenate([left, arc, mirrored(left)])
    count = len(edge)
    rough = 0.012 * wave(rng, count, 60) + 0.02 * wave(rng, count, 14)
    rough += person.curl * (0.05 * np.abs(wave(rng, count, 40)) + 0.03 * wave(rng, count, 16))
    if person.style in ("cropped", "scarf"):
        rough *= 0.3
    distance = np.maximum(np.linalg.norm(edge, axis=1), 0.6)
    return edge * (1 + rough / distance)[:, None]


def front(person, rng, end):
    """Return the closed outline, (n, 2), of the hair in front of the head: outer edge, hairline."""
    outer = outline(person, rng, end)
    line = np.array(HAIRLINES[person.hairline])
    if person.mirrored:
        line = mirrored(line)
    if end > LOW:
        side = [(-0.8, end), (-0.9, end * 0.6), (-0.93, 0.3), (-0.9, 0.0)]
    elif person.top > 0.25 or person.curl > CURLY:
        side = [(-0.98, end), (-0.9, 0.0), (-0.86, -0.2)]
    else:
        side = [(-0.92, end), (-0.88, -0.1), (-0.83, -0.3)]
    side = np.array(side[:1] + [point for point in side[1:] if point[1] > line[0, 1] + 0.05])
    line = np.concatenate([side, line, mirrored(side)]) * (person.width, 1)
    steps = np.linspace(0, len(line) - 1, 130)
    line = np.stack([np.interp(steps, np.arange(len(line)), column) for column in line.T], axis=1)
    line = cv2.blur(line, (1, 13), borderType=cv2.BORDER_REPLICATE)
    jag = 0.012 + 0.025 * person.curl + (0.02 if person.hairline == "fringe" else 0)
    if person.style in ("cropped", "scarf"):
        jag = 0.006
    line[:, 1] += jag * wave(rng, len(line), 45) * (np.abs(line[:, 0]) < 0.85 * person.width)
    return np.concatenate([outer, line[::-1]])


def wreath(person, rng):
    """Return the two closed outlines, each (n, 2), of the hair beside a bald crown."""
    outer = outline(person, rng, person.end)
    inner = np.array([(0.72, -0.62), (0.8, -0.3), (0.86, -0.1), (0.9, person.end)])
    inner = inner * (person.width, 1)
    low = outer[outer[:, 1] > -0.62]
    left, right = low[low[:, 0] < 0], low[low[:, 0] > 0]
    return np.concatenate([left, inner * (-1, 1)]), np.concatenate([right, inner[::-1]])


def mirrored(points):
    """Mirror points (n, 2) from left to right, in reverse order, so that they continue a line."""
    return (np.asarray(points) * (-1, 1))[::-1]
