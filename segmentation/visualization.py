"""Pictures of results: overlays and contact sheets."""

import numpy as np

from segmentation import files
from segmentation.labels import IGNORED

CELL = 160  # height of a picture in a contact sheet, pixels
GAP = 6  # between cells, pixels
CAPTION = 18  # height of a line of text, pixels
OPACITY = 0.45  # of the class colours over the picture
# Colours of `agreement`, RGB, told apart by the colour-blind as well (Okabe and Ito).
HIT, MISSED, FALSE, REST = (0, 158, 115), (213, 94, 0), (86, 180, 233), (235, 235, 235)


def overlay(image, mask, colors):
    """Lay the colours of the classes over a picture; what is black or ignored stays as it is.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        mask: `(height, width)` uint8 channel ids, 255 ignored.
        colors: `[r, g, b]` 0..255 per class as in the model card, the background black: of id 1
            alone when there is one class, else from id 0 on.

    Returns:
        `(height, width, 3)` uint8 RGB.
    """
    from skimage.color import label2rgb

    by_id = np.zeros((256, 3))
    first = 1 if len(colors) == 1 else 0
    by_id[first : first + len(colors)] = np.array(colors) / 255
    painted = by_id.any(1)
    # label2rgb hands out colours to the labels that it meets: those of absent ones must not shift.
    shown = np.unique(mask[painted[mask]])
    blended = label2rgb(
        np.where(painted[mask], mask.astype(int) + 1, 0),
        image,
        colors=by_id[shown],
        alpha=OPACITY,
        bg_label=0,
        bg_color=None,
        saturation=1,
    )
    return np.rint(blended * 255).astype(np.uint8)


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
    """Draw a sheet with a column per picture: picture, truth, prediction and a caption below.

    Args:
        columns: of `(caption, [image, …])`; images are uint8 RGB of any size, as many in each
            column.

    Returns:
        uint8 RGB, rows of `CELL` pixels height on white.
    """
    from PIL import Image, ImageDraw

    drawn = [[_cell(image) for image in images] for _, images in columns]
    widths = [max(cell.width for cell in cells) for cells in drawn]
    rows = len(drawn[0])
    size = (sum(widths) + GAP * (len(widths) + 1), rows * (CELL + GAP) + GAP + CAPTION)
    sheet = Image.new("RGB", size, "white")
    left = GAP
    for (caption, _), cells, width in zip(columns, drawn, widths, strict=True):
        for row, cell in enumerate(cells):
            sheet.paste(cell, (left, GAP + row * (CELL + GAP)))
        below = GAP + rows * (CELL + GAP)
        ImageDraw.Draw(sheet).text((left, below), caption, fill="black", font_size=13)
        left += width + GAP
    return np.asarray(sheet)


def _cell(image):
    from PIL import Image

    height, width = image.shape[:2]
    size = (max(1, round(width * CELL / height)), CELL)
    return Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)


def curves(history, watched, path):
    """Draw loss and the watched score over the epochs of a run.

    Args:
        history: a dictionary of floats per epoch, with `epoch`, `loss`, `val_loss` and `watched`.
        watched: the name of a validation score, 0..1; `watched` without `val_` is of training.
        path: of the PNG.
    """
    from matplotlib.figure import Figure

    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axis, name in ((left, "val_loss"), (right, watched)):
        for key, label in ((name.removeprefix("val_"), "training"), (name, "validation")):
            axis.plot(epochs, [row[key] for row in history], label=label)
        axis.set_xlabel("epoch")
        axis.set_title(name.removeprefix("val_"))
        axis.grid(alpha=0.3)
    right.set_ylim(0, 1)
    right.legend()
    with files.written_whole(path) as temporary:
        figure.savefig(temporary, dpi=100)
