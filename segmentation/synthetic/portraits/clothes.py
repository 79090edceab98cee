"""The neck, the clothes and the hat of a sitter."""

import numpy as np

from segmentation.synthetic import colors
from segmentation.synthetic.canvas import SIDE, blotches, tinted
from segmentation.synthetic.portraits import hairstyles
from segmentation.synthetic.portraits.people import BACKGROUND, FACE, ellipse, face_outline

HAT_TOP, HAT_SIDE = 0.06, 0.1  # how far hair may stand off the head under a hat


def cloth(rng, sitter):
    """Return the shaded colours of a random cloth, (SIDE, SIDE, 3) float32 RGB 0..255."""
    color, lot = colors.thing(rng), rng.random()
    folds = 1 + 0.07 * blotches(rng, 28) + 0.25 * sitter.pose.light[0] * sitter.x
    if lot < 0.25:
        along = sitter.x if rng.random() < 0.6 else sitter.y
        blend = np.sin(2 * np.pi / rng.uniform(0.08, 0.3) * along) > 0
    elif lot < 0.4:
        blend = np.clip(blotches(rng, rng.uniform(4, 14)), 0, 1)
    else:
        blend = np.zeros((SIDE, SIDE))
    blend, pattern = np.float32(blend) * folds, colors.thing(rng)
    return tinted(color, folds) + tinted(pattern - color, blend)


def paint_body(canvas, sitter, rng):
    """Paint the neck with the shadow of the chin, and the clothes over the shoulders."""
    person = sitter.person
    slim = 0.62 * person.width + rng.uniform(-0.03, 0.05)
    neck = np.array([(-slim, 0.4), (-slim * 0.95, 1.15), (-slim * 1.3, 1.5), (-slim * 1.3, 3)])
    neck = sitter.at(np.concatenate([neck, hairstyles.mirrored(neck)]))
    canvas.paint([neck], sitter.skin, FACE, gain=0.86)
    on_neck = (canvas.ids == FACE).astype(np.float32)
    chin = sitter.at(face_outline(person) * 0.96 + (0, 0.14))
    canvas.paint([chin], sitter.skin, gain=0.5, opacity=0.55, within=on_neck, blur=3)

    depth = rng.uniform(0.02, 0.4)
    shoulder = [(-3.5, 4.2), (-2.3, 2.2), (-1.7, 1.72), (-slim * 1.3, 1.36), (-slim, 1.18)]
    collar = [(-slim * 0.5, 1.3 + depth * 0.8), (0, 1.34 + depth)]
    half = np.array(shoulder + collar)
    shirt = np.concatenate([half, hairstyles.mirrored(half)])
    canvas.paint([sitter.at(shirt)], cloth(rng, sitter), BACKGROUND)
    if rng.random() < 0.35:
        half = np.array([(-3.5, 4.2), (-2.3, 2.16), (-1.7, 1.68), (-slim * 1.05, 1.2), (-0.1, 2.4)])
        color = cloth(rng, sitter)
        for jacket in (half, hairstyles.mirrored(half)):
            canvas.paint([sitter.at(jacket)], color, BACKGROUND)
            lapel = jacket[jacket[:, 1].argsort()[[0, -2]]]
            canvas.paint([sitter.at(lapel)], color, gain=0.6, width=1.5)


def paint_hat(canvas, sitter, rng):
    """Paint the hat that the pose names."""
    person, kind, color = sitter.person, sitter.pose.hat, cloth(rng, sitter)
    width = person.width + HAT_SIDE + 0.04
    brow = -0.5 if kind == "brim" else -0.42
    crown = ellipse(
        0, brow, width, 0.98 + HAT_TOP + brow + rng.uniform(0.1, 0.25), np.pi, 2 * np.pi
    )
    canvas.paint([sitter.at(crown)], color, BACKGROUND)
    if kind == "beanie":
        band = ellipse(0, brow, width + 0.02, 0.07, 0, np.pi)
        band = np.concatenate([band, [(-width - 0.02, brow - 0.22), (width + 0.02, brow - 0.22)]])
        canvas.paint([sitter.at(band)], color, BACKGROUND, gain=0.82)
    elif kind == "cap":
        peak = ellipse(sitter.pose.turn, brow, width * 0.95, 0.2)
        canvas.paint([sitter.at(peak)], color, BACKGROUND, gain=0.75)
    else:
        brim = ellipse(0, brow, width * 1.5, 0.13)
        canvas.paint([sitter.at(brim)], color, BACKGROUND, gain=0.75)
