"""Images that show how good predictions are: agreement with the truth, and contact sheets."""

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from segmentation.data.labels import IGNORED
from segmentation.inference.visualization import CAPTION, FONT, GAP, NARROWEST, shortened

CELL = 160  # height of an image in a contact sheet, pixels; it may be twice as wide
MARGIN = 84  # for the names of the rows, which are shortened to fit, pixels
SHEET_WIDTH = 1600  # of a contact sheet, pixels
# Colours of `agreement`, RGB, which colour-blind people can tell apart as well (Okabe and Ito).
HIT, MISSED, FALSE, REST = (0, 158, 115), (213, 94, 0), (86, 180, 233), (235, 235, 235)
LEGEND = {"found": HIT, "missed": MISSED, "false": FALSE}
ROWS = ("image", "truth", "prediction", "agreement")  # of a contact sheet


def agreement(truth, prediction, background=0):
    """Colour where a prediction agrees with the truth.

    Args:
        truth: `(height, width)` uint8 channel ids, 255 where a pixel is ignored.
        prediction: `(height, width)` uint8 channel ids.
        background: the id of the background, or 255 if the model has none.

    Returns:
        `(height, width, 3)` uint8 RGB: `HIT` where a class was found, `MISSED` where another class
        or the background was predicted for it, `FALSE` where a class was predicted for the
        background, `REST` elsewhere.
    """
    colors = np.full((*truth.shape, 3), REST, np.uint8)
    colors[(truth == background) & (prediction != background)] = FALSE
    colors[(truth != background) & (truth != prediction)] = MISSED
    colors[(truth != background) & (truth == prediction)] = HIT
    colors[truth == IGNORED] = REST
    return colors


def contact_sheet(columns, rows=ROWS, legend=LEGEND):
    """Draw a sheet of columns: an image of each row one below the other, then a caption.

    Columns beyond `SHEET_WIDTH` continue in another band below, with as many columns.

    Args:
        columns: list of `(caption, [image of each row])`. A caption may have two lines, which are
            shortened to fit the column. Images are uint8 RGB of any size.
        rows: the names of the rows.
        legend: colours by what they mean, shown below the name of the last row.

    Returns:
        uint8 RGB, on white.
    """
    columns = [(caption, [_cell(image) for image in images]) for caption, images in columns]
    for bands in range(1, len(columns) + 1):
        per_band = -(-len(columns) // bands)
        starts = range(0, len(columns), per_band)
        sheets = [_band(columns[start : start + per_band], rows, legend) for start in starts]
        width = max(sheet.width for sheet in sheets)
        if width <= SHEET_WIDTH:
            break
    whole = Image.new("RGB", (width, sum(sheet.height for sheet in sheets)), "white")
    top = 0
    for sheet in sheets:
        whole.paste(sheet, (0, top))
        top += sheet.height
    return np.asarray(whole)


def _band(columns, rows, legend):
    """Return a PIL image of the columns side by side, with the names of the rows on the left."""
    widths = [max(NARROWEST, *(cell.width for cell in cells)) for _, cells in columns]
    below = GAP + len(rows) * (CELL + GAP)
    size = (MARGIN + sum(widths) + GAP * (len(widths) + 1), below + 2 * CAPTION + GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for row, name in enumerate(rows):
        text = shortened(name, MARGIN - GAP)
        draw.text((GAP, GAP + row * (CELL + GAP)), text, fill="black", font_size=FONT)
    for line, (name, color) in enumerate(legend.items(), start=1):
        top = GAP + (len(rows) - 1) * (CELL + GAP) + line * CAPTION
        draw.rectangle((GAP, top + 2, GAP + 10, top + 12), fill=color)
        draw.text((GAP + 16, top), name, fill="black", font_size=FONT)
    left = MARGIN + GAP
    for (caption, cells), width in zip(columns, widths, strict=True):
        for row, cell in enumerate(cells):
            sheet.paste(cell, (left, GAP + row * (CELL + GAP)))
        for line, text in enumerate(caption.splitlines()):
            place = (left, below + line * CAPTION)
            draw.text(place, shortened(text, width - GAP), fill="black", font_size=FONT)
        left += width + GAP
    return sheet


def _cell(image):
    return ImageOps.contain(Image.fromarray(image), (2 * CELL, CELL), Image.Resampling.LANCZOS)
