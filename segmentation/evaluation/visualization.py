"""Pictures of results: overlays, contact sheets and heat maps."""

import cv2
import numpy as np

from segmentation.data.labels import IGNORED

CELL = 160  # height of a picture in a contact sheet, pixels; it may be twice as wide
NARROWEST = 90  # width that a caption gets, pixels
GAP = 6  # between cells, pixels
FONT = 13  # size of text, pixels
CAPTION = 18  # height of a line of text, pixels
MARGIN = 84  # for the names of the rows of a contact sheet, pixels
SHEET_WIDTH = 1600  # of a contact sheet, pixels
HEAT_CELL = 360  # longest side of a heat map, pixels
HEAT_SHEET = 2000  # longest side of a sheet of heat maps, pixels
SCALE_WIDTH = 256  # of the colour bar, pixels
OPACITY = 0.45  # of the class colours over the picture
# Colours of `agreement`, RGB, told apart by the colour-blind as well (Okabe and Ito).
HIT, MISSED, FALSE, REST = (0, 158, 115), (213, 94, 0), (86, 180, 233), (235, 235, 235)
LEGEND = {"found": HIT, "missed": MISSED, "false": FALSE}
ROWS = ("picture", "truth", "prediction", "agreement")  # of a contact sheet


def overlay(image, mask, colors):
    """Lay the colours of the classes over a picture; what is black or ignored stays as it is.

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


def agreement(truth, prediction, background=0):
    """Colour where a prediction agrees with the truth.

    Args:
        truth: `(height, width)` uint8 channel ids, 255 ignored.
        prediction: the same, without 255.
        background: the id of the background, or 255 if the model has none.

    Returns:
        `(height, width, 3)` uint8 RGB: `HIT` where a class was found, `MISSED` where it was taken
        for another or the background, `FALSE` where the background was taken for a class, `REST`.
    """
    drawn = np.full((*truth.shape, 3), REST, np.uint8)
    drawn[(truth == background) & (prediction != background)] = FALSE
    drawn[(truth != background) & (truth != prediction)] = MISSED
    drawn[(truth != background) & (truth == prediction)] = HIT
    drawn[truth == IGNORED] = REST
    return drawn


def contact_sheet(columns):
    """Draw a sheet with a column per picture: the `ROWS` below each other, then a caption.

    Columns beyond `SHEET_WIDTH` go on in another band below, all bands of as many columns.

    Args:
        columns: of `(caption, [image of each row])`; a caption may have two lines, and what is too
            long for the column is shortened; images are uint8 RGB of any size.

    Returns:
        uint8 RGB, on white.
    """
    from PIL import Image

    drawn = [(caption, [_cell(image) for image in images]) for caption, images in columns]
    for bands in range(1, len(drawn) + 1):
        per_band = -(-len(drawn) // bands)
        starts = range(0, len(drawn), per_band)
        sheets = [_contact_band(drawn[start : start + per_band]) for start in starts]
        width = max(sheet.width for sheet in sheets)
        if width <= SHEET_WIDTH:
            break
    whole = Image.new("RGB", (width, sum(sheet.height for sheet in sheets)), "white")
    top = 0
    for sheet in sheets:
        whole.paste(sheet, (0, top))
        top += sheet.height
    return np.asarray(whole)


def _contact_band(columns):
    """Return the columns beside each other, the names of the rows before them, as a PIL image."""
    from PIL import Image, ImageDraw

    widths = [max(NARROWEST, *(cell.width for cell in cells)) for _, cells in columns]
    below = GAP + len(ROWS) * (CELL + GAP)
    size = (MARGIN + sum(widths) + GAP * (len(widths) + 1), below + 2 * CAPTION + GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for row, name in enumerate(ROWS):
        draw.text((GAP, GAP + row * (CELL + GAP)), name, fill="black", font_size=FONT)
    for line, (name, color) in enumerate(LEGEND.items(), start=1):  # below the last row's name
        top = GAP + (len(ROWS) - 1) * (CELL + GAP) + line * CAPTION
        draw.rectangle((GAP, top + 2, GAP + 10, top + 12), fill=color)
        draw.text((GAP + 16, top), name, fill="black", font_size=FONT)
    left = MARGIN + GAP
    for (caption, cells), width in zip(columns, widths, strict=True):
        for row, cell in enumerate(cells):
            sheet.paste(cell, (left, GAP + row * (CELL + GAP)))
        for line, text in enumerate(caption.splitlines()):
            place = (left, below + line * CAPTION)
            draw.text(place, _shortened(text, width - GAP), fill="black", font_size=FONT)
        left += width + GAP
    return sheet


def _cell(image):
    from PIL import Image, ImageOps

    return ImageOps.contain(Image.fromarray(image), (2 * CELL, CELL), Image.Resampling.LANCZOS)


def _shortened(text, width):
    """Leave out the middle of what is too long: file names often differ at their ends alone."""
    from PIL import ImageFont

    length = ImageFont.load_default(FONT).getlength
    kept, shown = len(text), text
    while length(shown) > width and kept:
        kept -= 1
        shown = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
    return shown


def heat_maps(picture, probabilities, names):
    """Draw a picture and a heat map of the probability of each class in a grid.

    Args:
        picture: `(H, W, 3)` uint8 RGB.
        probabilities: `(h, w, C)` floats 0..1, stretched to the shape of the picture.
        names: of the C channels.

    Returns:
        uint8 RGB on white, the picture first and a colour bar below; no map has a side longer
        than `HEAT_CELL`, and the sheet none longer than `HEAT_SHEET`.
    """
    from PIL import Image, ImageDraw

    columns, (width, height) = _heat_grid(picture.shape, len(names) + 1)
    box_width, box_height = max(width, NARROWEST) + GAP, height + CAPTION + GAP
    rows = -(-(len(names) + 1) // columns)
    size = (GAP + columns * box_width, GAP + rows * box_height + CAPTION + GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for index, name in enumerate(["picture", *names]):
        if index == 0:
            cell = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
        else:
            channel = Image.fromarray(np.float32(probabilities[..., index - 1]))
            cell = channel.resize((width, height), Image.Resampling.BILINEAR)
            cell = Image.fromarray(_heat(np.asarray(cell)))
        left, top = GAP + index % columns * box_width, GAP + index // columns * box_height
        sheet.paste(cell, (left, top))
        text = _shortened(name, box_width - 2 * GAP)
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
    """Return the colours, uint8 RGB, of values 0..1: viridis, which the colour-blind read too."""
    levels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[..., ::-1]


def _draw_scale(sheet, top):
    """Draw the colours from 0 to 1 with both numbers beside them, at the left of a sheet."""
    from PIL import Image, ImageDraw

    draw = ImageDraw.Draw(sheet)
    width = min(SCALE_WIDTH, sheet.width - 6 * GAP)
    bar = _heat(np.tile(np.linspace(0, 1, width), (FONT, 1)))
    draw.text((GAP, top), "0", fill="black", font_size=FONT)
    sheet.paste(Image.fromarray(bar), (3 * GAP, top))
    draw.text((4 * GAP + width, top), "1", fill="black", font_size=FONT)
