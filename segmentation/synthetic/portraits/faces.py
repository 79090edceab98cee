"""The eyes, nose, mouth, beard and glasses of a sitter."""

import numpy as np

from segmentation.synthetic import colors
from segmentation.synthetic.canvas import wave
from segmentation.synthetic.portraits import hairstyles
from segmentation.synthetic.portraits.people import FACE, HAIR, ellipse, face_outline

EYE_X = 0.3  # head units, like all lengths in this module


def paint_features(canvas, sitter, rng):
    """Paint eyes, nose, mouth and beard; the beard counts as hair, the rest as face."""
    if sitter.person.lips > 0.4:
        for x in (-0.42, 0.42):
            cheek = sitter.on_face(ellipse(x, 0.3, 0.16, 0.13))
            canvas.paint([cheek], sitter.skin, gain=(1, 0.75, 0.75), opacity=0.5, blur=4)
    opened = rng.uniform(0.8, 1.15)
    for side in (-1, 1):
        _eye(canvas, sitter, side * EYE_X, opened, rng)
    nose = [(0.03, -0.02), (0.06, 0.2), (0.1, 0.3), (0.03, 0.36), (-0.05, 0.36), (-0.09, 0.31)]
    width = 0.024 * sitter.pose.unit
    canvas.paint([sitter.on_face(nose)], sitter.skin, gain=0.55, opacity=0.75, width=width)
    ridge = sitter.on_face(ellipse(-0.02, 0.22, 0.05, 0.1))
    canvas.paint([ridge], sitter.skin, gain=1.18, opacity=0.6, blur=2)
    if sitter.person.beard != "none":
        _beard(canvas, sitter, rng)
    _mouth(canvas, sitter, rng)


def _eye(canvas, sitter, x, opened, rng):
    person, unit = sitter.person, sitter.pose.unit
    height, look = 0.062 * opened, x + rng.normal(0, 0.004)
    socket = sitter.on_face(ellipse(x, -0.02, 0.18, 0.12))
    canvas.paint([socket], sitter.skin, gain=0.55, opacity=0.35, blur=2.5)
    canvas.paint([sitter.on_face(ellipse(x, 0, 0.13, height))], (232, 228, 224))
    canvas.paint([sitter.on_face(ellipse(look, 0, 0.058, 0.94 * height))], person.iris)
    canvas.paint([sitter.on_face(ellipse(look, 0, 0.028, 0.028))], (15, 12, 12))
    canvas.paint([sitter.on_face(ellipse(look + 0.02, -0.02, 0.012, 0.012))], (255, 255, 255))
    lid = ellipse(x, 0, 0.135, 0.066 * opened, np.pi, 2 * np.pi)
    canvas.paint([sitter.on_face(lid)], sitter.skin, gain=0.33, width=0.027 * unit)
    brow = ellipse(x, -0.12, 0.19, 0.1, 1.15 * np.pi, 1.85 * np.pi)
    width = (0.066 - 0.027 * person.lips) * unit
    canvas.paint([sitter.on_face(brow)], person.hair, gain=0.72, opacity=0.85, width=width)


def _mouth(canvas, sitter, rng):
    person = sitter.person
    paint = np.float32([0.92, 0.66, 0.66]) * (1 - person.lips * np.float32([0.1, 0.5, 0.45]))
    smile = rng.uniform(-0.02, 0.1)
    opened = max(0.0, rng.normal(0.5 * smile, 0.06))
    span = np.linspace(-1, 1, 30)
    x, bow = span * rng.uniform(0.22, 0.29), np.cos(span * np.pi / 2)
    middle = 0.6 + smile * (0.4 - span**2)
    upper = np.stack([x, middle - 0.055 * bow], axis=1)
    lower = np.stack([x, middle + (0.075 + opened) * bow], axis=1)
    lips = sitter.on_face(np.concatenate([upper, lower[::-1]]))
    canvas.paint([lips], sitter.skin, FACE, gain=paint)  # a beard lies below
    if opened > 0.02:
        top = np.stack([0.9 * x, middle - 0.01 * bow], axis=1)
        bottom = np.stack([0.9 * x, middle + (opened + 0.015) * bow], axis=1)
        inside = (232, 226, 216) if rng.random() < 0.7 else (70, 24, 26)  # teeth, or a dark gap
        canvas.paint([sitter.on_face(np.concatenate([top, bottom[::-1]]))], inside)
    else:
        line = sitter.on_face(np.stack([x, middle], axis=1))
        canvas.paint([line], sitter.skin, gain=0.6 * paint, width=0.018 * sitter.pose.unit)


def _beard(canvas, sitter, rng):
    person = sitter.person
    jaw = face_outline(person)
    jaw = jaw[jaw[:, 1] > 0.2] * 1.02  # from the right along the chin to the left
    edge = np.array([(-0.86, 0.25), (-0.7, 0.48), (-0.45, 0.5), (-0.3, 0.45), (-0.1, 0.42)])
    edge = edge * (person.width, 1)
    full = np.concatenate([jaw, edge, [(0, 0.44)], hairstyles.mirrored(edge)])
    lip = np.array([(-0.3, 0.62), (-0.28, 0.54), (-0.1, 0.43), (0, 0.45)])
    moustache = np.concatenate([lip, hairstyles.mirrored(lip), [(0, 0.53)]])
    shapes = {
        "stubble": [full],
        "full": [full],
        "moustache": [moustache],
        "goatee": [moustache, ellipse(0, 0.86, 0.2, 0.16)],
    }[person.beard]
    for shape in shapes:
        shape = sitter.on_face(shape + 0.008 * wave(rng, len(shape), 40)[:, None])
        if person.beard == "stubble":  # a shadow that still counts as face
            canvas.paint([shape], person.hair, opacity=0.22, blur=3)
        else:
            canvas.paint([shape], sitter.hair, HAIR, gain=0.92)


def paint_glasses(canvas, sitter, rng):
    """Paint glasses, sometimes dark ones."""
    frame, dark = colors.thing(rng) * 0.5, rng.random() < 0.25
    width, height = rng.uniform(0.19, 0.24), rng.uniform(0.13, 0.2)
    stroke = sitter.pose.unit * rng.uniform(0.02, 0.045)
    for side in (-1, 1):
        lens = sitter.on_face(ellipse(side * EYE_X, 0.01, width, height))
        if dark:
            canvas.paint([lens], (22, 20, 24), opacity=0.92)
        canvas.paint([lens], frame, width=stroke)
        temple = [(side * (EYE_X + width), -0.02), (side * sitter.person.width, -0.06)]
        canvas.paint([sitter.on_face(temple)], frame, width=stroke)
    bridge = [(width - EYE_X, -0.02), (0, -0.05), (EYE_X - width, -0.02)]
    canvas.paint([sitter.on_face(bridge)], frame, width=stroke)
