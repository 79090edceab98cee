"""Drawn portraits: a picture and its mask of hair and face from one geometry.

Outlines are given about the middle of the head, x to the right and y down, in units of half the
head's height: the crown is at y = -1, the chin at y = 1, the eyes at y = 0.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from segmentation import backdrops
from segmentation.canvas import SIDE, Canvas, blotches, strands, wave

BACKGROUND, HAIR, FACE = 0, 1, 2
PERSON_STREAM, PICTURE_STREAM = 0, 1  # of random numbers, beside the seed
# Which of the people in a block of ten pictures each shows: LFW, too, has several of some.
BLOCK = (0, 1, 1, 2, 3, 3, 3, 4, 5, 6)
ABSENT = (0.0, 0.0)


class Style(NamedTuple):
    """How one way of wearing hair varies; lengths in head units, ranges from low to high."""

    share: float  # of people who wear it
    top: tuple = ABSENT  # how far it stands above the crown
    side: tuple = ABSENT  # how far it stands beside the head
    end: tuple = ABSENT  # y at which it ends
    curl: tuple = ABSENT  # 0 straight .. 1 all curls
    hairlines: tuple = ()
    behind: bool = False  # whether it shows behind the neck


STYLES = {
    "short": Style(
        0.27,
        (0.05, 0.17),
        (0.03, 0.09),
        (-0.1, 0.25),
        (0, 0.3),
        ("straight", "part", "fringe", "m"),
    ),
    "cropped": Style(0.1, (0.015, 0.05), (0.01, 0.03), (-0.15, 0.15), ABSENT, ("straight", "m")),
    "tall": Style(0.06, (0.2, 0.38), (0.02, 0.08), (-0.1, 0.2), (0, 0.4), ("straight", "part")),
    "curly": Style(
        0.08, (0.18, 0.3), (0.12, 0.24), (0.1, 0.6), (0.7, 1), ("straight", "fringe", "m"), True
    ),
    "afro": Style(0.04, (0.32, 0.5), (0.28, 0.45), (0.1, 0.5), (0.7, 1), ("straight",), True),
    "bob": Style(
        0.09, (0.08, 0.16), (0.1, 0.2), (0.6, 1.1), (0, 0.4), ("curtain", "fringe", "part"), True
    ),
    "long": Style(
        0.14, (0.07, 0.16), (0.08, 0.22), (1.3, 2.3), (0, 0.7), ("curtain", "fringe", "part"), True
    ),
    "bun": Style(0.05, (0.03, 0.08), (0.02, 0.04), (-0.1, 0.1), (0, 0.2), ("straight", "part")),
    "ponytail": Style(
        0.05, (0.03, 0.09), (0.02, 0.05), (-0.1, 0.1), (0, 0.4), ("straight", "part", "fringe")
    ),
    "wreath": Style(0.07, ABSENT, (0.03, 0.1), (0, 0.25), (0, 0.5)),  # a bald crown
    "bald": Style(0.04),
    "scarf": Style(0.01, (0.06, 0.12), (0.06, 0.14), (1.3, 1.7), ABSENT, ("curtain",), True),
}
# Points (x / half-width of the head, y) of the edge towards the face, left to right.
HAIRLINES = {
    "straight": ((-0.74, -0.5), (-0.4, -0.64), (0, -0.67), (0.4, -0.64), (0.74, -0.5)),
    "fringe": ((-0.8, -0.3), (-0.4, -0.33), (0, -0.31), (0.4, -0.34), (0.8, -0.28)),
    "part": ((-0.74, -0.5), (-0.5, -0.74), (-0.4, -0.8), (0, -0.62), (0.45, -0.42), (0.8, -0.26)),
    "m": (
        (-0.8, -0.5),
        (-0.55, -0.82),
        (-0.3, -0.72),
        (0, -0.62),
        (0.3, -0.72),
        (0.55, -0.82),
        (0.8, -0.5),
    ),
    "curtain": (
        (-0.82, -0.2),
        (-0.6, -0.5),
        (-0.2, -0.72),
        (0, -0.84),
        (0.2, -0.72),
        (0.6, -0.5),
        (0.82, -0.2),
    ),
}


@dataclass(frozen=True)
class Person:
    """What stays the same in all pictures of a person."""

    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    style: str
    width: float  # half of the head's
    jaw: float  # exponent: below 1 square, above pointed
    top: float
    side: float
    end: float
    curl: float
    hairline: str
    mirrored: bool
    locks: bool  # whether long hair falls in front of the shoulders
    beard: str
    glasses: bool
    lips: float  # how much they are painted, 0..1


@dataclass(frozen=True)
class Pose:
    """Where a head is and how it is held."""

    center: tuple  # (x, y) in pixels
    unit: float  # half of the head's height, in pixels
    tilt: float  # radians
    turn: float  # how far the middle of the face moves aside, in head units
    light: tuple  # (x, y): how much brighter a head unit further


def portrait(seed, index):
    """Draw a portrait: a pure function of its arguments.

    Args:
        seed: non-negative integer, of the whole collection.
        index: which picture, from 0. Those of one person (`person_of`) share hair and face.

    Returns: (image, mask): (250, 250, 3) uint8 RGB and (250, 250) uint8 class ids, 0 background,
        1 hair, 2 face.
    """
    rng = np.random.default_rng([seed, PICTURE_STREAM, index])
    person = _person(np.random.default_rng([seed, PERSON_STREAM, person_of(index)]))
    canvas = Canvas(backdrops.paint(rng))
    if rng.random() < 0.15:
        _draw(canvas, _person(rng), _pose(rng, beside=True), rng)
        canvas.image = cv2.GaussianBlur(canvas.image, (0, 0), rng.uniform(0.8, 2.5))
        canvas.ids[:] = BACKGROUND  # as in LFW, only the person in the middle counts
    _draw(canvas, person, _pose(rng), rng)
    return _photograph(canvas.image, rng), canvas.ids


def person_of(index):
    """Return the number of the person whom picture `index` shows."""
    block, place = divmod(index, len(BLOCK))
    return block * (max(BLOCK) + 1) + BLOCK[place]


def _person(rng):
    shares = np.array([style.share for style in STYLES.values()])
    name = str(rng.choice(list(STYLES), p=shares / shares.sum()))
    style = STYLES[name]
    bearded = name in ("short", "cropped", "tall", "wreath", "curly", "bald")
    beards, chances = (
        ("none", "stubble", "moustache", "goatee", "full"),
        (0.6, 0.14, 0.1, 0.06, 0.1),
    )
    if name == "bald":
        beards, chances = ("none", "stubble"), (0.7, 0.3)
    return Person(
        skin=backdrops.skin(rng),
        hair=backdrops.hair(rng),
        iris=backdrops.hue(rng, (0.2, 0.7), (0.15, 0.6)),
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
        beard=str(rng.choice(beards, p=chances)) if bearded else "none",
        glasses=bool(rng.random() < 0.15),
        lips=rng.uniform(0, 0.35) if bearded else rng.uniform(0.1, 1),
    )


def _pose(rng, beside=False):
    unit = np.clip(rng.normal(72, 5), 58, 86)
    center = (SIDE / 2 + rng.normal(0, 6), 120 + rng.normal(0, 6))
    if beside:
        unit *= rng.uniform(0.55, 1.0)
        center = (rng.choice([-1, 1]) * rng.uniform(105, 150) + SIDE / 2, rng.uniform(70, 170))
    return Pose(
        center=center,
        unit=unit,
        tilt=np.clip(rng.normal(0, 0.1), -0.35, 0.35),
        turn=np.clip(rng.normal(0, 0.1), -0.25, 0.25),
        light=(rng.normal(0, 0.16), rng.normal(-0.06, 0.06)),
    )


class _Sitter:
    """A person in a pose: maps head units to pixels and holds the shaded colours."""

    def __init__(self, person, pose, rng):
        self.person, self.pose = person, pose
        cos, sin = np.cos(pose.tilt), np.sin(pose.tilt)
        self.matrix = pose.unit * np.array([[cos, -sin], [sin, cos]])
        pixels = np.mgrid[0:SIDE, 0:SIDE][::-1].reshape(2, -1) + 0.5
        x, y = (self.matrix.T @ (pixels - np.reshape(pose.center, (2, 1)))) / pose.unit**2
        self.x = x.reshape(SIDE, SIDE).astype(np.float32)
        self.y = y.reshape(SIDE, SIDE).astype(np.float32)
        round_ = np.clip((self.x / person.width) ** 2 + self.y**2 - 0.45, 0, 1)
        self.shade = 1 + pose.light[0] * self.x + pose.light[1] * self.y - 0.16 * round_
        grain = 0.012 * blotches(rng, 4) + 0.02 * blotches(rng, 40)
        self.skin = person.skin * (self.shade + grain)[..., None]
        crown = self.at([((-0.35 if person.mirrored else 0.35) * person.width, -0.95)])[0]
        if person.curl > 0.6:
            lines = 0.8 * blotches(rng, 4) + 0.4 * blotches(rng, 8)
        else:
            lines = strands(rng, crown, person.curl)
        gloss = np.exp(-(((np.hypot(self.x, self.y + 0.15) - 0.85) / 0.12) ** 2))
        gloss = gloss * (1.2 - person.curl) * np.clip(0.5 + 2 * pose.light[0] * self.x, 0, 1)
        tone = self.shade * (1 + rng.uniform(0.1, 0.24) * lines)
        self.hair = person.hair * tone[..., None] + (38 * gloss * (1 + 0.4 * lines))[..., None]

    def at(self, points):
        """Return (n, 2) points of the head's frame in pixels."""
        return np.asarray(points, float) @ self.matrix.T + self.pose.center

    def on_face(self, points):
        """Return points on the face in pixels, moved aside as the head is turned."""
        points = np.asarray(points, float)
        reach = np.clip(1 - (points[:, 0] / self.person.width) ** 2, 0, 1)
        return self.at(points + np.stack([self.pose.turn * reach, 0 * reach], axis=1))


def _draw(canvas, person, pose, rng):
    sitter = _Sitter(person, pose, rng)
    hat = str(rng.choice(["none", "cap", "beanie", "brim"], p=[0.92, 0.03, 0.03, 0.02]))
    scarf = person.style == "scarf"
    hair_color, hair_label = (sitter.hair, HAIR) if not scarf else (_cloth(rng, sitter), BACKGROUND)
    if STYLES[person.style].behind:
        canvas.paint(
            [sitter.at(_hair_outline(person, rng, person.end))], hair_color * 0.85, hair_label
        )
    _tail(canvas, sitter, rng)
    _body(canvas, sitter, rng)
    outline = sitter.at(_face_outline(person))
    for side in (-1, 1):
        ear = _ellipse(side * (person.width + 0.01), 0.08, 0.09, 0.19)
        canvas.paint([sitter.at(ear)], sitter.skin * 0.9, FACE)
    canvas.paint([outline], sitter.skin, FACE)
    _features(canvas, sitter, rng)
    if person.style == "wreath":
        for patch in _wreath(person, rng):
            canvas.paint([sitter.at(patch)], sitter.hair, HAIR)
    elif person.style != "bald":
        end = person.end if person.locks else min(person.end, 0.2)
        front = sitter.at(_front_hair(person, rng, end))
        shadow = front + (0.03 * pose.unit * np.array([np.sign(pose.light[0]) * -1, 1.6]))
        on_face = (canvas.ids == FACE).astype(np.float32)
        canvas.paint([shadow], sitter.skin * 0.55, opacity=0.5, within=on_face, blur=2)
        canvas.paint([front], hair_color, hair_label)
    if hat != "none":
        _hat(canvas, sitter, hat, rng)
    if person.glasses:
        _glasses(canvas, sitter, rng)


def _ellipse(x, y, width, height, start=0.0, stop=2 * np.pi):
    angle = np.linspace(start, stop, 40)
    return np.stack([x + width * np.cos(angle), y + height * np.sin(angle)], axis=1)


def _face_outline(person):
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    cos, sin = np.cos(angle), np.sin(angle)
    power = np.where(sin > 0, person.jaw, 1.0)
    return np.stack([person.width * np.sign(cos) * np.abs(cos) ** power, sin], axis=1)


def _hair_outline(person, rng, end):
    """Return the outer edge of the hair from its left end over the crown to its right end."""
    width = person.width + person.side
    angle = np.linspace(np.pi, 2 * np.pi, 110)
    arc = np.stack([width * np.cos(angle), (0.95 + person.top) * np.sin(angle)], axis=1)
    arc[:, 1] -= 0.05
    fall = np.linspace(end, -0.05, 60)[:-1]
    swell = 1 + (0.12 if end > 0.5 else -0.1) * np.clip(fall, 0, 2)
    left = np.stack([-width * swell, fall], axis=1)
    outline = np.concatenate([left, arc, (left * (-1, 1))[::-1]])
    count = len(outline)
    rough = 0.012 * wave(rng, count, 60) + 0.02 * wave(rng, count, 14)
    rough += 0.05 * person.curl * np.abs(wave(rng, count, 40)) + 0.03 * person.curl * wave(
        rng, count, 16
    )
    if person.style in ("cropped", "scarf"):
        rough *= 0.3
    return outline * (
        1 + rough[:, None] / np.maximum(np.linalg.norm(outline, axis=1), 0.6)[:, None]
    )


def _front_hair(person, rng, end):
    """Return the closed outline of the hair before the head: outer edge, then hairline."""
    outer = _hair_outline(person, rng, end)
    line = np.array(HAIRLINES[person.hairline])
    if person.mirrored:
        line = (line * (-1, 1))[::-1]
    if end > 0.5:  # over the ears, along the cheeks
        side = ((-0.8, end), (-0.9, end * 0.6), (-0.93, 0.3), (-0.9, 0.0))
    elif person.top > 0.25 or person.curl > 0.6:
        side = ((-0.98, end), (-0.9, 0.0), (-0.86, -0.2))
    else:
        side = ((-0.92, end), (-0.88, -0.1), (-0.83, -0.3))
    side = np.array([point for point in side if point[1] > line[0, 1] + 0.05 or point[1] == end])
    line = np.concatenate([side, line, (side * (-1, 1))[::-1]]) * (person.width, 1)
    steps = np.linspace(0, len(line) - 1, 130)
    line = np.stack([np.interp(steps, np.arange(len(line)), column) for column in line.T], axis=1)
    line = cv2.blur(line, (1, 9), borderType=cv2.BORDER_REPLICATE)
    jag = 0.012 + 0.025 * person.curl + (0.02 if person.hairline == "fringe" else 0)
    if person.style in ("cropped", "scarf"):
        jag = 0.006
    line[:, 1] += jag * wave(rng, len(line), 45) * (np.abs(line[:, 0]) < person.width * 0.85)
    return np.concatenate([outer, line[::-1]])


def _wreath(person, rng):
    """Return the two patches of hair of somebody whose crown is bald."""
    outer = _hair_outline(person, rng, person.end)
    patches = []
    for side in (-1, 1):
        edge = outer[(outer[:, 0] * side > 0) & (outer[:, 1] > -0.62)]
        edge = edge[::-1] if side < 0 else edge
        inner = np.array([(0.9, person.end), (0.86, -0.1), (0.8, -0.3), (0.72, -0.62)])
        inner = inner * (side * person.width, 1)
        patches.append(np.concatenate([edge, inner]))
    return patches


def _tail(canvas, sitter, rng):
    person, side = sitter.person, -1 if sitter.person.mirrored else 1
    if person.style == "bun":
        knot = _ellipse(side * rng.uniform(0, 0.15), -1.05 - person.top, 0.36, 0.27)
    elif person.style == "ponytail":
        knot = _ellipse(side * (person.width + rng.uniform(0.12, 0.2)), 0.55, 0.2, 0.85)
    else:
        return
    knot = knot * (1 + 0.02 * wave(rng, len(knot), 20)[:, None])
    canvas.paint([sitter.at(knot)], sitter.hair * 0.9, HAIR)


def _cloth(rng, sitter):
    """Return the shaded colours of some cloth, (SIDE, SIDE, 3)."""
    color, field = backdrops.thing(rng), 0
    lot = rng.random()
    if lot < 0.25:
        period = rng.uniform(0.08, 0.3)
        along = sitter.x if rng.random() < 0.6 else sitter.y
        field = np.sign(np.sin(2 * np.pi * along / period)) * 0.5 + 0.5
    elif lot < 0.4:
        field = np.clip(blotches(rng, rng.uniform(4, 14)), 0, 1)
    folds = 1 + 0.07 * blotches(rng, 28) + 0.25 * sitter.pose.light[0] * sitter.x
    cloth = np.tile(color, (SIDE, SIDE, 1))
    if lot < 0.4:
        cloth += field[..., None] * (backdrops.thing(rng) - color)
    return (cloth * folds[..., None]).astype(np.float32)


def _body(canvas, sitter, rng):
    person = sitter.person
    slim = 0.62 * person.width + rng.uniform(-0.03, 0.05)
    neck = np.array([(-slim, 0.4), (-slim * 0.95, 1.1), (-slim * 1.5, 1.6), (-slim * 1.5, 3)])
    neck = np.concatenate([neck, (neck * (-1, 1))[::-1]])
    canvas.paint([sitter.at(neck)], sitter.skin * 0.86, FACE)
    chin = sitter.at(_face_outline(person) * 0.96 + (0, 0.14))
    on_neck = (canvas.ids == FACE).astype(np.float32)
    canvas.paint([chin], sitter.skin * 0.5, opacity=0.55, within=on_neck, blur=3)
    depth = rng.uniform(0.02, 0.4)
    half = [(-3.5, 4.2), (-2.3, 2.2), (-1.7, 1.72), (-slim * 1.3, 1.36), (-slim * 0.98, 1.24)]
    half = np.array(half + [(-slim * 0.5, 1.3 + depth * 0.8), (0, 1.34 + depth)])
    shirt = sitter.at(np.concatenate([half, (half * (-1, 1))[::-1]]))
    canvas.paint([shirt], _cloth(rng, sitter), BACKGROUND)
    if rng.random() < 0.35:  # a jacket
        lapel = np.array(
            [(-3.5, 4.2), (-2.3, 2.16), (-1.7, 1.68), (-slim * 1.05, 1.25), (-0.1, 2.4)]
        )
        color = _cloth(rng, sitter)
        for mirror in ((1, 1), (-1, 1)):
            canvas.paint([sitter.at(lapel * mirror)], color, BACKGROUND)
            edge = sitter.at(lapel[-2:] * mirror)
            canvas.paint([edge], color * 0.6, width=1.5)


def _features(canvas, sitter, rng):
    person, unit = sitter.person, sitter.pose.unit
    dark, thin = sitter.skin * 0.55, 0.03 * unit
    brow = person.hair * 0.75 if person.hair.sum() < 420 else person.hair * 0.7
    smile, gap = rng.uniform(-0.03, 0.1), rng.uniform(0.8, 1.15)
    if person.lips > 0.4:
        for side in (-1, 1):
            cheek = _ellipse(side * 0.42, 0.3, 0.16, 0.13)
            canvas.paint(
                [sitter.on_face(cheek)], sitter.skin * (1, 0.75, 0.75), opacity=0.5, blur=4
            )
    for side in (-1, 1):
        x = side * 0.3
        eye = _ellipse(x, 0, 0.13, 0.062 * gap)
        canvas.paint([sitter.on_face(_ellipse(x, -0.02, 0.18, 0.12))], dark, opacity=0.35, blur=2.5)
        canvas.paint([sitter.on_face(eye)], np.float32([238, 234, 230]) * sitter.shade[..., None])
        look = x + rng.normal(0, 0.004)
        canvas.paint([sitter.on_face(_ellipse(look, 0, 0.058, 0.058 * gap))], person.iris)
        canvas.paint([sitter.on_face(_ellipse(look, 0, 0.028, 0.028))], (15, 12, 12))
        canvas.paint([sitter.on_face(_ellipse(look + 0.02, -0.02, 0.012, 0.012))], (255, 255, 255))
        lid = _ellipse(x, 0, 0.135, 0.066 * gap, np.pi, 2 * np.pi)
        canvas.paint([sitter.on_face(lid)], dark * 0.6, width=thin * 0.9)
        arch = _ellipse(x, -0.12, 0.19, 0.1, 1.15 * np.pi, 1.85 * np.pi)
        thick = thin * (1.3 + 0.9 * (1 - person.lips))
        canvas.paint([sitter.on_face(arch)], brow, opacity=0.85, width=thick)
    nose = [(0.03, -0.02), (0.06, 0.2), (0.1, 0.3), (0.03, 0.36), (-0.05, 0.36), (-0.09, 0.31)]
    canvas.paint([sitter.on_face(nose)], dark, opacity=0.75, width=thin * 0.8)
    canvas.paint(
        [sitter.on_face(_ellipse(-0.02, 0.22, 0.05, 0.1))], sitter.skin * 1.18, opacity=0.6, blur=2
    )
    if person.beard != "none":
        _beard(canvas, sitter, rng)
    lip = sitter.skin * (1 - person.lips * np.float32([0.1, 0.5, 0.45])) * (0.92, 0.66, 0.66)
    span = np.linspace(-1, 1, 30)
    middle = 0.6 - smile * (1 - span**2) * -1 - smile * 0.6
    bow = np.cos(span * np.pi / 2)
    x = span * rng.uniform(0.22, 0.29)
    opened = max(0.0, rng.normal(0.0, 0.07)) if smile < 0.04 else max(0.0, rng.normal(0.05, 0.05))
    upper = np.stack([x, middle - 0.055 * bow], axis=1)
    lower = np.stack([x, middle + (0.075 + opened) * bow], axis=1)
    canvas.paint([sitter.on_face(np.concatenate([upper, lower[::-1]]))], lip)
    if opened > 0.02:
        inner = np.stack([x * 0.9, middle + (opened + 0.015) * bow], axis=1)
        mouth = sitter.on_face(np.concatenate([upper * (0.9, 1) + (0, 0.045), inner[::-1]]))
        canvas.paint([mouth], (232, 226, 216) if rng.random() < 0.7 else (70, 24, 26))
    else:
        canvas.paint([sitter.on_face(np.stack([x, middle], axis=1))], lip * 0.6, width=thin * 0.6)


def _beard(canvas, sitter, rng):
    person = sitter.person
    jaw = _face_outline(person)
    jaw = jaw[(jaw[:, 1] > 0.2)] * 1.02  # right to left along the chin
    full = [(-0.86, 0.25), (-0.7, 0.48), (-0.45, 0.5), (-0.3, 0.45), (-0.1, 0.42), (0, 0.44)]
    full = np.array(full) * (person.width, 1)
    full = np.concatenate([jaw, full, (full * (-1, 1))[::-1]])
    moustache = np.array([(-0.3, 0.62), (-0.28, 0.54), (-0.1, 0.43), (0, 0.45)])
    moustache = np.concatenate([moustache, (moustache * (-1, 1))[::-1], [(0, 0.53)]])
    shapes = {
        "full": [full],
        "stubble": [full],
        "moustache": [moustache],
        "goatee": [moustache, _ellipse(0, 0.86, 0.2, 0.16)],
    }[person.beard]
    for shape in shapes:
        shape = shape + 0.008 * np.stack([wave(rng, len(shape), 40)] * 2, axis=1)
        if person.beard == "stubble":  # a shadow, still skin
            canvas.paint([sitter.on_face(shape)], person.hair, opacity=0.22, blur=3)
        else:
            canvas.paint([sitter.on_face(shape)], sitter.hair * 0.92, HAIR)


def _hat(canvas, sitter, kind, rng):
    person, color = sitter.person, _cloth(rng, sitter)
    width = person.width + max(person.side, 0.04) + 0.05
    brow = -0.42 if kind != "brim" else -0.5
    crown = _ellipse(0, brow, width, 0.62 + max(person.top, 0.06) + 0.1, np.pi, 2 * np.pi)
    canvas.paint([sitter.at(crown)], color, BACKGROUND)
    if kind == "beanie":
        band = _ellipse(0, brow, width + 0.02, 0.07, 0, np.pi)
        band = np.concatenate([band, [(-width - 0.02, brow - 0.22), (width + 0.02, brow - 0.22)]])
        canvas.paint([sitter.at(band)], color * 0.82, BACKGROUND)
    else:
        reach = (width * 0.95, 0.2) if kind == "cap" else (width * 1.55, 0.13)
        aside = sitter.pose.turn if kind == "cap" else 0
        canvas.paint([sitter.at(_ellipse(aside, brow, *reach))], color * 0.75, BACKGROUND)


def _glasses(canvas, sitter, rng):
    frame, shaded = backdrops.thing(rng) * 0.5, rng.random() < 0.25
    width, height = rng.uniform(0.19, 0.24), rng.uniform(0.13, 0.2)
    stroke = sitter.pose.unit * rng.uniform(0.02, 0.045)
    for side in (-1, 1):
        lens = sitter.on_face(_ellipse(side * 0.3, 0.01, width, height))
        if shaded:
            canvas.paint([lens], (22, 20, 24), opacity=0.92)
        canvas.paint([lens], frame, width=stroke)
        temple = [(side * (0.3 + width), -0.02), (side * sitter.person.width, -0.06)]
        canvas.paint([sitter.on_face(temple)], frame, width=stroke)
    bridge = [(-0.3 + width, -0.02), (0, -0.05), (0.3 - width, -0.02)]
    canvas.paint([sitter.on_face(bridge)], frame, width=stroke)


def _photograph(image, rng):
    """Return the scene as a camera might have taken it, uint8."""
    image = image * np.float32(rng.uniform(0.78, 1.18) * rng.normal(1, 0.04, 3))
    contrast = np.float32(rng.uniform(0.8, 1.15))
    image = 118 + contrast * (image - 118)
    if rng.random() < 0.04:
        image = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.35, 1.1))
    image += np.float32(rng.uniform(0, 7)) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
