"""Images of predictions: overlays and heat maps."""

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

NARROWEST = 90  # width that a caption gets, pixels
GAP = 6  # between cells, pixels
FONT = 13  # size of text, pixels
CAPTION = 18  # height of a line of text, pixels
HEAT_CELL = 360  # longest side of a heat map, pixels
HEAT_SHEET = 2000  # longest side of a sheet of heat maps, pixels
SCALE_WIDTH = 256  # of the colour bar, pixels
OPACITY = 0.45  # of the class colours over the image


def overlay(image, mask, colors):
    """Lay the colours of the classes over an image; black and ignored pixels stay as they are.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        mask: `(height, width)` uint8 channel ids, 255 ignored.
        colors: an `(r, g, b)` 0..255 for each id, the background black (`Classes.id_colors`).

    Returns:
        `(height, width, 3)` uint8 RGB.
    """
    by_id = np.zeros((256, 3), np.uint8)
    by_id[: len(colors)] = colors
    # In bytes: a photo of 12 million pixels takes gigabytes as floats.
    blended = cv2.addWeighted(image, 1 - OPACITY, by_id[mask], OPACITY, 0)
    return np.where(by_id.any(1)[mask][..., None], blended, image)


def heat_maps(image, probabilities, names):
    """Draw an image and a heat map of the probability of each class in a grid.

    Args:
        image: `(H, W, 3)` uint8 RGB.
        probabilities: `(h, w, C)` floats 0..1, stretched to the shape of the image.
        names: of the C channels.

    Returns:
        uint8 RGB on white, the image first and a colour bar below. No side of a map is longer than
        `HEAT_CELL`, no side of the sheet longer than `HEAT_SHEET`.
    """
    columns, (width, height) = _heat_grid(image.shape, len(names) + 1)
    box_width, box_height = max(width, NARROWEST) + GAP, height + CAPTION + GAP
    rows = -(-(len(names) + 1) // columns)
    size = (GAP + columns * box_width, GAP + rows * box_height + CAPTION + GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for index, name in enumerate(["image", *names]):
        if index == 0:
            cell = Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)
        else:
            channel = Image.fromarray(np.float32(probabilities[..., index - 1]))
            cell = channel.resize((width, height), Image.Resampling.BILINEAR)
            cell = Image.fromarray(_heat(np.asarray(cell)))
        left, top = GAP + index % columns * box_width, GAP + index // columns * box_height
        sheet.paste(cell, (left, top))
        text = shortened(name, box_width - 2 * GAP)
        draw.text((left, top + height), text, fill="black", font_size=FONT)
    _draw_scale(sheet, GAP + rows * box_height)
    return np.asarray(sheet)


def _heat_grid(shape, cells):
    """Return the number of columns that gives the largest cells, and their (width, height)."""
    aspect = shape[1] / shape[0]

    def width(columns):
        rows = -(-cells // columns)
        room = (HEAT_SHEET - GAP) / columns - GAP
        room_below = (HEAT_SHEET - CAPTION - 2 * GAP) / rows - CAPTION - GAP
        return min(room, room_below * aspect, HEAT_CELL, HEAT_CELL * aspect)

    most = min(cells, (HEAT_SHEET - GAP) // (NARROWEST + GAP))
    columns = max(range(most, 0, -1), key=width)
    return columns, (max(1, int(width(columns))), max(1, int(width(columns) / aspect)))


def _heat(values):
    """Return the viridis colours, uint8 RGB, of values 0..1."""
    levels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[..., ::-1]


def _draw_scale(sheet, top):
    """Draw the colour bar from 0 to 1, with both numbers, at the left of a sheet."""
    draw = ImageDraw.Draw(sheet)
    width = min(SCALE_WIDTH, sheet.width - 6 * GAP)
    bar = _heat(np.tile(np.linspace(0, 1, width), (FONT, 1)))
    draw.text((GAP, top), "0", fill="black", font_size=FONT)
    sheet.paste(Image.fromarray(bar), (3 * GAP, top))
    draw.text((4 * GAP + width, top), "1", fill="black", font_size=FONT)


def shortened(text, width):
    """Shorten text to `width` pixels in its middle, as file names often differ only at the end."""
    length = ImageFont.load_default(FONT).getlength
    kept, shown = len(text), text
    while length(shown) > width and kept:
        kept -= 1
        shown = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
    return shown
