"""People and their poses.

Outlines are given relative to the middle of the head, x to the right and y down, in head units,
which are half the height of the head: the crown is at y = -1, the chin at y = 1, the eyes at y = 0.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from segmentation.synthetic import colors
from segmentation.synthetic.canvas import SIDE, blotches, strands, tinted
from segmentation.synthetic.portraits import hairstyles

BACKGROUND, HAIR, FACE = 0, 1, 2  # class ids, in the order of masks.PART_NAMES
BEARDS = {"none": 0.6, "stubble": 0.14, "moustache": 0.1, "goatee": 0.06, "full": 0.1}
HATS = {"none": 0.91, "cap": 0.035, "beanie": 0.03, "brim": 0.025}


@dataclass(frozen=True)
class Person:
    """What all images of a person have in common; lengths in head units."""

    skin: np.ndarray  # RGB 0..255
    hair: np.ndarray  # RGB 0..255
    iris: np.ndarray  # RGB 0..255
    style: str
    width: float  # half the width of the head
    jaw: float  # exponent: below 1 square, 1 round
    top: float
    side: float
    end: float
    curl: float
    hairline: str
    mirrored: bool
    locks: bool  # whether long hair falls in front of the shoulders
    beard: str
    glasses: bool
    lips: float  # 0 without .. 1 with strong lipstick


@dataclass(frozen=True)
class Pose:
    """Where a head is, how it is tilted and turned, and how it is lit."""

    center: tuple  # (x, y) in pixels
    unit: float  # half the height of the head, in pixels
    tilt: float  # radians
    turn: float  # shift of the middle of the face to the right, in head units
    light: tuple  # (x, y): change of brightness per head unit
    hat: str


def choose(rng, weights):
    """Return a random key of a dictionary of weights."""
    values = np.array(list(weights.values()))
    return list(weights)[rng.choice(len(values), p=values / values.sum())]


def person(rng):
    """Return a random person."""
    name = choose(rng, {name: style.fraction for name, style in hairstyles.STYLES.items()})
    style = hairstyles.STYLES[name]
    beards = {"none": 0.7, "stubble": 0.3} if name == "bald" else BEARDS
    return Person(
        skin=colors.skin(rng),
        hair=colors.hair(rng),
        iris=colors.hue(rng, (0.2, 0.7), (0.15, 0.6)),
        style=name,
        width=rng.uniform(0.68, 0.8),
        jaw=rng.uniform(0.72, 1.0),
        top=rng.uniform(*style.top),
        side=rng.uniform(*style.side),
        end=rng.uniform(*style.end),
        curl=rng.uniform(*style.curl),
        hairline=str(rng.choice(style.hairlines)) if style.hairlines else "",
        mirrored=bool(rng.random() < 0.5),
        locks=bool(rng.random() < 0.65) or name == "scarf",
        beard=choose(rng, beards) if style.bearded else "none",
        glasses=bool(rng.random() < 0.15),
        lips=rng.uniform(0, 0.35) if style.bearded else rng.uniform(0.1, 1),
    )


def pose(rng, beside=False):
    """Return a random pose: in the middle of the image, or `beside` the middle, partly outside."""
    unit = float(np.clip(rng.normal(77, 5), 62, 90))
    center = (SIDE / 2 + rng.normal(0, 6), 121 + rng.normal(0, 6))
    if beside:
        unit *= rng.uniform(0.55, 1.0)
        side = -1 if rng.random() < 0.5 else 1
        center = (SIDE / 2 + side * rng.uniform(110, 150), rng.uniform(70, 170))
    return Pose(
        center=center,
        unit=unit,
        tilt=float(np.clip(rng.normal(0, 0.1), -0.35, 0.35)),
        turn=float(np.clip(rng.normal(0, 0.1), -0.25, 0.25)),
        light=(rng.normal(0, 0.16), rng.normal(-0.06, 0.06)),
        hat=choose(rng, HATS),
    )


class Sitter:
    """A person in a pose: converts head units to pixels and holds the shaded colours.

    `x` and `y` are the coordinates of each pixel in head units and `shade` is its brightness, all
    (SIDE, SIDE); `skin` and `hair` are colours, (SIDE, SIDE, 3) float32 RGB 0..255.
    """

    def __init__(self, person, pose, rng):
        self.person, self.pose = person, pose
        cos, sin = np.cos(pose.tilt), np.sin(pose.tilt)
        self.matrix = pose.unit * np.array([[cos, -sin], [sin, cos]])
        across = (np.arange(SIDE, dtype=np.float32) + 0.5 - pose.center[0]) / pose.unit
        down = ((np.arange(SIDE, dtype=np.float32) + 0.5 - pose.center[1]) / pose.unit)[:, None]
        self.x = np.float32(cos) * across + np.float32(sin) * down
        self.y = np.float32(cos) * down - np.float32(sin) * across
        edge = np.clip((self.x / person.width) ** 2 + self.y**2 - 0.45, 0, 1)
        self.shade = 1 + pose.light[0] * self.x + pose.light[1] * self.y - 0.16 * edge
        pores = 0.012 * blotches(rng, 4) + 0.02 * blotches(rng, 40)
        self.skin = tinted(person.skin, self.shade + pores)
        self.hair = self._hair(rng)

    def _hair(self, rng):
        person = self.person
        if person.curl > hairstyles.CURLY:
            lines = 0.8 * blotches(rng, 4) + 0.4 * blotches(rng, 8)
        else:
            aside = (-0.35 if person.mirrored else 0.35) * person.width
            lines = strands(rng, self.at([(aside, -0.95)])[0], person.curl)
        band = np.exp(-(((np.hypot(self.x, self.y + 0.15) - 0.85) / 0.12) ** 2))
        gloss = band * np.clip(0.5 + 2 * self.pose.light[0] * self.x, 0, 1) * (1.2 - person.curl)
        tone = self.shade * (1 + rng.uniform(0.1, 0.24) * lines)
        shine = 38 * gloss * (1 + 0.4 * lines)
        return cv2.merge([tone * float(channel) + shine for channel in person.hair])

    def at(self, points):
        """Convert points (n, 2) from head units to pixels."""
        return np.asarray(points, float) @ self.matrix.T + self.pose.center

    def on_face(self, points):
        """Convert points (n, 2) on the face to pixels, shifted by the turn of the head."""
        points = np.array(points, float)
        reach = np.clip(1 - (points[:, 0] / self.person.width) ** 2, 0, 1)
        points[:, 0] += self.pose.turn * reach
        return self.at(points)


def ellipse(x, y, width, height, start=0.0, stop=2 * np.pi):
    """Return an ellipse, or an arc between two angles, (40, 2)."""
    angle = np.linspace(start, stop, 40)
    return np.stack([x + width * np.cos(angle), y + height * np.sin(angle)], axis=1)


def face_outline(person):
    """Return the outline of the head without its hair and ears, (120, 2)."""
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    cos, sin = np.cos(angle), np.sin(angle)
    power = np.where(sin > 0, person.jaw, 1.0)
    return np.stack([person.width * np.sign(cos) * np.abs(cos) ** power, sin], axis=1)
