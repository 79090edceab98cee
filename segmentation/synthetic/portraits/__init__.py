"""Synthetic portraits: an image and its mask of hair and face from one geometry.

A network that is trained on them must learn shape and context: hair, skin, clothes, hats,
backdrops and bystanders share their colours and much of their texture.
"""

from dataclasses import replace

import cv2
import numpy as np

from segmentation.synthetic.canvas import Canvas, photograph, wave
from segmentation.synthetic.portraits import backdrops, clothes, faces, hairstyles, people
from segmentation.synthetic.portraits.people import BACKGROUND, FACE, HAIR

PERSON_STREAM, IMAGE_STREAM = 0, 1  # of random numbers, besides the seed
# Which person each image in a block of ten shows: LFW, too, has several images of some people.
BLOCK = (0, 1, 1, 2, 3, 3, 3, 4, 5, 6)


def portrait(seed, index):
    """Render a portrait: a pure function of its arguments.

    Args:
        seed: non-negative integer, of the whole collection.
        index: number of the image, from 0. Images of one person (`person_of`) share hair and face.

    Returns: (image, mask): (250, 250, 3) uint8 RGB and (250, 250) uint8 class ids, 0 background,
        1 hair, 2 face (with ears and neck, as in LFW; a beard is hair).
    """
    rng = np.random.default_rng([seed, IMAGE_STREAM, index])
    person = people.person(np.random.default_rng([seed, PERSON_STREAM, person_of(index)]))
    canvas = Canvas(backdrops.paint(rng))
    if rng.random() < 0.15:
        _paint(canvas, people.person(rng), people.pose(rng, beside=True), rng)
        canvas.image = cv2.GaussianBlur(canvas.image, (0, 0), rng.uniform(0.8, 2.5))
        canvas.ids[:] = BACKGROUND  # as in LFW, only the person in the middle counts
    _paint(canvas, person, people.pose(rng), rng)
    return photograph(canvas.image, rng), canvas.ids


def person_of(index):
    """Return the number of the person in image `index`."""
    block, place = divmod(index, len(BLOCK))
    return block * (max(BLOCK) + 1) + BLOCK[place]


def _paint(canvas, person, pose, rng):
    hatted = pose.hat != "none" and person.style not in ("scarf", "bun")
    if hatted:  # the hair is pressed flat, or it would show above the hat
        top, side = min(person.top, clothes.HAT_TOP), min(person.side, clothes.HAT_SIDE)
        person = replace(person, top=top, side=side)
    sitter = people.Sitter(person, pose, rng)
    color, label = sitter.hair, HAIR
    if person.style == "scarf":
        color, label = clothes.cloth(rng, sitter), BACKGROUND
    if hairstyles.STYLES[person.style].behind:
        back = hairstyles.outline(person, rng, person.end)
        canvas.paint([sitter.at(back)], color, label, gain=0.85)
    _paint_knot(canvas, sitter, rng)
    clothes.paint_body(canvas, sitter, rng)
    for side in (-1, 1):
        ear = people.ellipse(side * (person.width + 0.01), 0.08, 0.09, 0.19)
        canvas.paint([sitter.at(ear)], sitter.skin, FACE, gain=0.9)
    canvas.paint([sitter.at(people.face_outline(person))], sitter.skin, FACE)
    faces.paint_features(canvas, sitter, rng)
    if person.style == "wreath":
        for patch in hairstyles.wreath(person, rng):
            canvas.paint([sitter.at(patch)], color, label)
    elif person.style != "bald":
        end = person.end if person.locks else min(person.end, 0.2)
        front = sitter.at(hairstyles.front(person, rng, end))
        away = 0.03 * pose.unit * np.array([-np.sign(pose.light[0]), 1.6])
        on_face = (canvas.ids == FACE).astype(np.float32)
        shadow = front + away
        canvas.paint([shadow], sitter.skin, gain=0.55, opacity=0.5, within=on_face, blur=2)
        canvas.paint([front], color, label)
    if hatted:
        clothes.paint_hat(canvas, sitter, rng)
    if person.glasses:
        faces.paint_glasses(canvas, sitter, rng)


def _paint_knot(canvas, sitter, rng):
    """Paint the bun or the ponytail, if the person wears one."""
    person, side = sitter.person, -1 if sitter.person.mirrored else 1
    if person.style == "bun":
        knot = people.ellipse(side * rng.uniform(0, 0.15), -1.05 - person.top, 0.36, 0.27)
    elif person.style == "ponytail":
        knot = people.ellipse(side * (person.width + rng.uniform(0.12, 0.2)), 0.55, 0.2, 0.85)
    else:
        return
    knot = knot * (1 + 0.02 * wave(rng, len(knot), 20)[:, None])
    canvas.paint([sitter.at(knot)], sitter.hair, HAIR, gain=0.9)
