"""The folder that `evaluate.py --report` writes: figures, plots, and pictures good and bad."""

import numpy as np
from PIL import Image

from segmentation import files
from segmentation.data import labels
from segmentation.errors import InputError
from segmentation.evaluation import measure, plots, visualization

WORST = 12  # pictures in worst.png


def write(folder, result, counts, predict, data, table):
    """Write the report. Each file is whole or as it was; other files of the folder stay.

    Args:
        folder: made if it is missing.
        result: dictionary of what was measured and how, with `measure.summarize`'s keys; it
            becomes `report.json`, with `per_picture` and the names of `damaged` pairs.
        counts: `measure.Counts`.
        predict: `Predictor` that was measured.
        data: `Dataset` on which it was.
        table: of `measure.target_of`.

    Raises:
        InputError: if no mask shows a class of the model, or a file cannot be written.
    """
    names = result["classes"]
    ranked = measure.ranking(counts, names)
    if not ranked:
        raise InputError(f"{folder}: no mask shows a class of the model: nothing to draw")
    plots.confusion(counts.confusion, names, folder / "confusion.png")
    plots.class_bars(result["iou"], result["boundary_iou"], folder / "classes.png")
    plots.picture_histogram([iou for _, iou in ranked], folder / "pictures.png")
    background = 0 if labels.is_background(names[0]) else labels.IGNORED
    for name, chosen in {
        "contact_sheet.png": measure.extremes(ranked),
        "worst.png": [("IoU", index, iou) for index, iou in reversed(ranked[-WORST:])],
    }.items():
        columns = [
            (
                f"{kind} {iou:.2f}\n{data.stems[index]}",
                _rows(index, predict, data, table, background),
            )
            for kind, index, iou in chosen
        ]
        with files.written_whole(folder / name) as temporary:
            Image.fromarray(visualization.contact_sheet(columns)).save(temporary)
    per_picture = _per_picture(counts, names, data.stems, dict(ranked))
    damaged = [data.stems[index] for index in counts.broken]
    files.write_json(
        folder / "report.json", result | {"per_picture": per_picture, "damaged": damaged}
    )


def _per_picture(counts, names, titles, ious):
    """Return a dictionary per measured picture: `title`, `iou` as ranked, and `class_iou`."""
    from segmentation.evaluation import metrics

    by_class, damaged = metrics.iou(counts.areas), set(counts.broken)  # (N, C)
    return [
        {
            "title": title,
            "iou": round(ious[index], 6) if index in ious else None,
            "class_iou": {
                name: round(float(iou), 6)
                for name, iou in zip(names, by_class[index], strict=True)
                if np.isfinite(iou)  # not where neither mask shows the class
            },
        }
        for index, title in enumerate(titles)
        if index not in damaged
    ]


def _rows(index, predict, data, table, background):
    """Return the pictures of a column, in the order of `visualization.ROWS`."""
    picture, ids = data.read(index)
    ((truth, predicted, _),) = measure.run(predict, table, [(picture, ids)])
    overlays = [
        visualization.overlay(picture, mask, predict.classes.id_colors)
        for mask in (truth, predicted)
    ]
    return [picture, *overlays, visualization.agreement(truth, predicted, background)]
