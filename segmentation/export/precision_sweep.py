"""The precision sweep: an export in every precision of its format, measured, in one table."""

import logging
import statistics

from segmentation import files
from segmentation.errors import ExportError
from segmentation.evaluation import measure, summary
from segmentation.inference import predictor, timing

logger = logging.getLogger(__name__)

TIMED = 15  # runs of one image
COLUMNS = {
    "file": "file",
    "megabytes": "MB",
    "largest_difference": "largest difference",
    "mask_iou": "mask IoU",
    "truth_iou": "IoU with the ground truth",
    "milliseconds": "ms",
}


def sweep(write, exports, score=None):
    """Write every export, and measure each that could be written.

    Args:
        write: function of a path and `Options` that writes the export and returns what
            `parity.check` does, or raises `ExportError`: `Exporter.write`.
        exports: `Options` by path.
        score: of `ground_truth`, or None.

    Returns:
        list of dictionaries with the keys of `COLUMNS`, None where nothing was measured, and
        `precision`; `checked_on`, the images of the check, in words; and `refused`: why an export
        was not written, or None.
    """
    rows = []
    for path, options in exports.items():
        row = dict.fromkeys(COLUMNS)
        row |= {"file": path.name, "precision": options.precision}
        row |= {"checked_on": None, "refused": None}
        rows.append(row)
        try:
            comparison = write(path, options)
        except ExportError as error:
            row["refused"] = str(error)
            logger.error("error: %s", error)
            continue
        predict = predictor.load(path)
        row |= {key: comparison[key] for key in ("largest_difference", "mask_iou", "checked_on")}
        row |= {
            "megabytes": files.size(path) / 1e6,
            "truth_iou": score(predict) if score else None,
            "milliseconds": milliseconds(predict),
        }
        logger.info("%s: %.1f MB, %.1f ms", path, row["megabytes"], row["milliseconds"])
    return rows


def ground_truth(source, data):
    """Return a function that scores a `Predictor` on samples.

    Args:
        source: `Predictor` of the model that is exported; whose classes are named.
        data: `Dataset`.

    Returns:
        function of a `Predictor`: the IoU of a single class, or the mean over several, 0..1.

    Raises:
        InputError: if the data lack a class of the model.
    """
    classes = measure.match_classes(source, data)

    def score(predict):
        found = summary.summarize(measure.measure(predict, data, classes).counts)
        single = len(source.classes) == 1
        return found["iou"][classes.names[0]] if single else found["mean_iou"]

    return score


def milliseconds(predict):
    """Return the median time for one image on one thread of this computer, once warm."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # NumPy's; LiteRT's interpreter is made with one
        return statistics.median(timing.milliseconds(timing.of_predictor(predict).run, TIMED))


def checked_on(rows):
    """Return a line that says on which images the exports of `sweep` were checked."""
    by_images = {}
    for row in rows:
        if row["checked_on"]:
            by_images.setdefault(row["checked_on"], []).append(row["precision"])
    listed = "; ".join(f"{', '.join(names)} on {images}" for images, names in by_images.items())
    return f"largest difference and mask IoU: {listed or 'none'}"


def save(stem, rows, note=""):
    """Write the rows of `sweep` as a Markdown table, with a line below it, and as JSON.

    Args:
        stem: path of both files, without a suffix.
        rows: of `sweep`.
        note: the line, or nothing.
    """
    files.write_text(f"{stem}.md", table(rows) + (f"\n{note}\n" if note else ""))
    files.write_json(f"{stem}.json", rows)


def table(rows):
    """Return the rows of `sweep` as a Markdown table."""
    lines = ["| " + " | ".join(COLUMNS.values()) + " |", "|---" * len(COLUMNS) + "|"]
    formats = {
        "megabytes": "{:.2f}",
        "largest_difference": "{:.1e}",
        "mask_iou": "{:.4f}",
        "truth_iou": "{:.4f}",
        "milliseconds": "{:.1f}",
    }
    for row in rows:
        cells = [
            "—" if row[key] is None else formats.get(key, "{}").format(row[key]) for key in COLUMNS
        ]
        if row["refused"]:
            cells[1] = "refused"
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
