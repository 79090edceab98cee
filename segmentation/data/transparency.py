"""Masks on a transparent ground, as image editors export them: what is transparent is background.

The colours that files store under transparent pixels are of no account: black, white, or that of
the object, as the editor pleases.
"""

from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from segmentation.errors import InputError

MIDDLE = 128  # of an edge that is partly transparent: from here on it belongs to what is drawn
ENDS = 32  # as near to 0 or 255 as this, alpha is that of the ground or of what is drawn
ROUNDING = 2  # by which colours under alpha from `MIDDLE` on differ: browsers store them multiplied
MANY = 8192  # colours of edges: 256 of masks, each rounded in up to 27 ways, are fewer


class Flat(NamedTuple):
    """A mask file without transparency: an image of mode L, P or RGB, black where it was.

    `clear` is the number of pixels that were transparent, `soft` that of those on edges, partly
    transparent.
    """

    image: Image.Image
    clear: int
    soft: int


def flatten(image, path):
    """Return the `Flat` of a decoded mask file with transparency.

    Raises:
        InputError: if it is not plain what the ground is: black beside it, areas that are neither
            drawn nor transparent, shapes under a mask that is transparent everywhere.
    """
    if image.mode == "P":
        return _of_palette(image, path)
    grey = image.mode in ("1", "L", "LA", "La")
    pixels = np.array(image.convert("LA" if grey else "RGBA"))
    colors, alpha = pixels[..., :-1], pixels[..., -1]
    drawn, soft = alpha >= MIDDLE, (alpha > 0) & (alpha < 255)
    if alpha.min() < 255:
        _require_areas_opaque(alpha, path)
    if not alpha.any() and (colors != colors[0, 0]).any():
        raise InputError(
            f"{path}: every pixel is transparent, and there are shapes under it; save it without "
            "transparency"
        )
    if (soft & drawn).any():
        _round(colors, alpha, soft & drawn)
    if not drawn.all():
        if (drawn & ~colors.any(-1)).any():
            raise InputError(_black(path))
        colors[~drawn] = 0
    flat = Image.fromarray(colors[..., 0] if grey else colors)
    return Flat(flat, int((~drawn).sum()), int(soft.sum()))


def _require_areas_opaque(alpha, path):
    block = np.ones((3, 3), np.uint8)
    even = cv2.dilate(alpha, block) == cv2.erode(alpha, block)
    areas = even & (alpha >= ENDS) & (alpha <= 255 - ENDS)
    if areas.any() or 0 < alpha.max() <= 255 - ENDS:
        found = int(alpha[areas][0] if areas.any() else alpha.max())
        raise InputError(
            f"{path}: is drawn half transparent (alpha {found} of 255): save what is drawn opaque, "
            "on a transparent ground or without one"
        )


def _round(colors, alpha, edges):
    """Set colours on edges that differ by rounding to the opaque ones that are meant, in place."""
    opaque = np.unique(_packed(colors[alpha == alpha.max()]))
    found, place = np.unique(_packed(colors[edges]), return_inverse=True)
    if len(opaque) > 256 or len(found) > MANY:
        return  # no mask: whoever reads it counts its colours
    apart = np.abs(_unpacked(found)[:, None] - _unpacked(opaque)).max(-1)
    nearest = np.where(apart.min(1) <= ROUNDING, opaque[apart.argmin(1)], found)
    colors[edges] = _unpacked(nearest[place])[:, : colors.shape[-1]]


def _packed(colors):
    """Return colours, `(N, 1 or 3)` uint8, as one number each."""
    return sum(colors[:, i].astype(np.int32) << 8 * i for i in range(colors.shape[1]))


def _unpacked(numbers):
    return numbers[:, None] >> np.array([0, 8, 16]) & 255


def _of_palette(image, path):
    """Return the `Flat` of indices. 0 alone may be transparent: others may be class ids."""
    indices = np.array(image)
    alpha = np.array(image.convert("RGBA"))[..., 3]
    clear = np.unique(indices[alpha < MIDDLE]).tolist()
    if not clear:
        return Flat(image, 0, 0)
    if clear != [0]:
        found = ", ".join(map(str, clear[:5]))
        raise InputError(
            f"{path}: its palette shows {found} as transparent, which may be the background or a "
            "class id; save it with colours, or without transparency"
        )
    palette = [0, 0, 0, *image.getpalette()[3:]]
    if any(palette[3 * i : 3 * i + 3] == [0, 0, 0] for i in np.unique(indices).tolist() if i):
        raise InputError(_black(path))
    image = image.copy()
    image.putpalette(palette)
    return Flat(image, int((indices == 0).sum()), 0)


def _black(path):
    return (
        f"{path}: shows black beside transparent pixels, which are the background: draw objects in "
        "another colour, and remove black that is none"
    )
