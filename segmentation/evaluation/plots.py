"""Plots: training curves, confusion matrix, scores per class and per image."""

import numpy as np

from segmentation import files

DPI = 100
LONGEST_NAME = 24  # characters; ADE20K names a class by all its synonyms
FEW = 12  # classes, at most, for numbers in the cells of the confusion matrix
INCHES_PER_CLASS = 0.17  # a line of the smallest legible text
BINS = np.linspace(0, 1, 21)  # of the IoU histogram


def curves(history, watched, path):
    """Draw loss and the watched score over the epochs of a run.

    Args:
        history: a dictionary of floats per epoch, with `epoch`, `loss`, `val_loss`, `watched`, and
            `watched` without `val_`.
        watched: the name of a validation score, 0..1, such as `val_iou_hair`.
        path: of the PNG.
    """
    epochs = [row["epoch"] for row in history]
    figure = _figure(9, 3.5, layout=None)  # drawn after every epoch: twice as fast
    figure.subplots_adjust(left=0.06, right=0.98, bottom=0.14, top=0.91, wspace=0.15)
    left, right = figure.subplots(1, 2)
    for axis, name in ((left, "val_loss"), (right, watched)):
        for key, label in ((name.removeprefix("val_"), "training"), (name, "validation")):
            # Markers as well: after one epoch there is no line.
            axis.plot(epochs, [row[key] for row in history], marker=".", label=label)
        axis.set_xlabel("epoch")
        axis.set_title(name.removeprefix("val_"))
        axis.grid(alpha=0.3)
    right.set_ylim(0, 1)
    right.legend()
    _save(figure, path)


def confusion(matrix, names, path):
    """Draw a confusion matrix, each row as fractions of the true pixels of its class.

    Args:
        matrix: `(C, C)` counts; rows are true, columns predicted.
        names: of the C classes.
        path: of the PNG.
    """
    totals = matrix.sum(1, keepdims=True)
    fractions = np.divide(matrix, totals, out=np.full(matrix.shape, np.nan), where=totals > 0)
    side = 3 + max(0.55 * min(len(names), FEW), INCHES_PER_CLASS * len(names))
    figure = _figure(side + 1.2, side)  # plus the colour bar
    axis = figure.subplots()
    image = axis.imshow(fractions, cmap="viridis", vmin=0, vmax=1)
    figure.colorbar(image, ax=axis, fraction=0.05, label="fraction of the true pixels")
    size = 9 if len(names) <= FEW else 7
    axis.set_xticks(range(len(names)), _shown(names), rotation=90, fontsize=size)
    axis.set_yticks(range(len(names)), _shown(names), fontsize=size)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    if len(names) <= FEW:
        for (row, column), fraction in np.ndenumerate(fractions):
            color = "black" if fraction > 0.6 else "white"  # to stand out from the cell
            text = "" if np.isnan(fraction) else f"{fraction:.2f}"
            axis.text(column, row, text, ha="center", va="center", color=color, fontsize=size)
    _save(figure, path)


def class_bars(iou, boundary_iou, path):
    """Draw IoU and boundary IoU of each class as bars.

    Args:
        iou: floats 0..1 or None by class name.
        boundary_iou: floats 0..1 or None by class name, in the order of `iou`.
        path: of the PNG.
    """
    places = np.arange(len(iou))
    figure = _figure(8, 1.3 + max(0.5 * min(len(iou), FEW), INCHES_PER_CLASS * len(iou)))
    axis = figure.subplots()
    pairs = ((iou, "IoU", -0.2), (boundary_iou, "boundary IoU", 0.2))
    for scores, label, shift in pairs:
        values = [np.nan if score is None else score for score in scores.values()]
        bars = axis.barh(places + shift, values, height=0.38, label=label)
        if len(iou) <= FEW:
            texts = ["" if np.isnan(value) else f"{value:.3f}" for value in values]
            axis.bar_label(bars, texts, padding=3, fontsize=9)
    axis.set_yticks(places, _shown(iou), fontsize=9 if len(iou) <= FEW else 7)
    axis.set_ylim(len(iou) - 0.4, -0.6)  # the first class on top
    axis.set_xlim(0, 1.1 if len(iou) <= FEW else 1)  # room for the numbers
    axis.grid(axis="x", alpha=0.3)
    axis.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=2)
    _save(figure, path)


def iou_histogram(ious, path):
    """Draw a histogram of the IoU of each image.

    Args:
        ious: floats 0..1, one per image.
        path: of the PNG.
    """
    figure = _figure(7, 4)
    axis = figure.subplots()
    axis.hist(ious, BINS, edgecolor="white")
    mean = float(np.mean(ious))
    axis.axvline(mean, color="black", linestyle="--", label=f"mean {mean:.3f}")
    axis.set_xlim(0, 1)
    axis.set_xlabel("IoU of an image, mean over its classes without background")
    axis.set_ylabel("images")
    axis.yaxis.get_major_locator().set_params(integer=True)
    figure.legend(loc="outside upper center")
    _save(figure, path)


def _figure(width, height, layout="constrained"):
    """Return a figure of a size in inches that needs no display."""
    from matplotlib.figure import Figure  # slow

    return Figure(figsize=(width, height), layout=layout)


def _shown(names):
    """Shorten class names to fit, and escape dollar signs, which begin a formula."""
    short = [n if len(n) <= LONGEST_NAME else n[: LONGEST_NAME - 1] + "…" for n in names]
    return [name.replace("$", r"\$") for name in short]


def _save(figure, path):
    with files.written_whole(path) as temporary:
        figure.savefig(temporary, dpi=DPI)
