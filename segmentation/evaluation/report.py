"""The folder that `evaluate.py --report` writes: scores, plots, and good and bad images."""

import numpy as np
from PIL import Image

from segmentation import files
from segmentation.data import labels
from segmentation.errors import InputError
from segmentation.evaluation import measure, metrics, plots, summary
from segmentation.evaluation.contact_sheet import agreement, contact_sheet
from segmentation.inference.visualization import overlay

WORST = 12  # images in worst.png


def write(folder, measurement, result):
    """Write the report. Each file is whole or as it was; other files in the folder stay.

    Args:
        folder: made if it is missing.
        measurement: `measure.Measurement`.
        result: dictionary of scores with the keys of `summary.summarize`, and how they were
            measured. It becomes `report.json`, together with `per_picture` and the names of
            `damaged` samples.

    Raises:
        InputError: if no mask shows a class of the model, or a file cannot be written.
    """
    counts, stems = measurement.counts, measurement.data.stems
    ranked = summary.rank(counts)
    if not ranked:
        raise InputError(f"{folder}: no mask shows a class of the model: there is nothing to plot")
    plots.confusion(counts.confusion, counts.names, folder / "confusion.png")
    plots.class_bars(result["iou"], result["boundary_iou"], folder / "classes.png")
    plots.iou_histogram([iou for _, iou in ranked], folder / "pictures.png")
    worst = [("IoU", index, iou) for index, iou in reversed(ranked[-WORST:])]
    _write_sheet(folder / "contact_sheet.png", measurement, summary.extremes(ranked))
    _write_sheet(folder / "worst.png", measurement, worst)
    details = {
        "per_picture": _per_image(counts, stems, dict(ranked)),
        "damaged": [stems[index] for index in counts.damaged],
    }
    files.write_json(folder / "report.json", result | details)


def _write_sheet(path, measurement, chosen):
    """Write a contact sheet of the samples in `chosen`, a list of (kind, index, IoU)."""
    stems = measurement.data.stems
    columns = [
        (f"{kind} {iou:.2f}\n{stems[index]}", _column(measurement, index))
        for kind, index, iou in chosen
    ]
    with files.written_whole(path) as temporary:
        Image.fromarray(contact_sheet(columns)).save(temporary)


def _column(measurement, index):
    """Return the images of a sample in the order of `contact_sheet.ROWS`."""
    classes, predict = measurement.classes, measurement.predict
    image, ids = measurement.data.read(index)
    ((truth, predicted, _),) = measure.segment(predict, classes, [(image, ids)])
    background = 0 if labels.is_background(measurement.counts.names[0]) else labels.IGNORED
    return [
        image,
        *(overlay(image, mask, predict.classes.id_colors) for mask in (truth, predicted)),
        agreement(truth, predicted, background),
    ]


def _per_image(counts, titles, ious):
    """Return a dictionary per readable sample: `title`, `iou` as ranked, and `class_iou`."""
    by_class, damaged = metrics.iou(counts.per_image), set(counts.damaged)  # (N, C)
    return [
        {
            "title": title,
            "iou": round(ious[index], 6) if index in ious else None,
            "class_iou": {
                name: round(float(iou), 6)
                for name, iou in zip(counts.names, by_class[index], strict=True)
                if np.isfinite(iou)  # else neither mask shows the class
            },
        }
        for index, title in enumerate(titles)
        if index not in damaged
    ]
