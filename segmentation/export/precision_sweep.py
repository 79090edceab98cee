"""Every variant of an export in one table, and the grid of untrained ones that time a phone."""

import logging
import statistics
import time

import nets
from segmentation import files
from segmentation.data.classes import Classes
from segmentation.errors import ExportError, InputError, reason
from segmentation.evaluation import measure, summary
from segmentation.inference import predictor

logger = logging.getLogger(__name__)

WARM_UP, TIMED = 3, 15  # runs of one picture
UNTRAINED = Classes(("untrained",), ((255, 0, 0),))  # of networks with random weights
COLUMNS = {
    "file": "file",
    "megabytes": "MB",
    "largest_difference": "largest difference",
    "mask_iou": "mask IoU",
    "truth_iou": "IoU with the ground truth",
    "milliseconds": "ms",
}


def climb(stem, paths, write, picture, truth=None, note=""):
    """Write every variant, measure each, and put them in a table, `.md` and `.json`.

    Args:
        stem: path of the table, without its suffix.
        paths: path of each variant, by precision.
        write: function of a path and a precision that writes the export and returns what
            `parity.compare` does, or raises `ExportError`.
        picture: `(height, width, 3)` uint8 RGB, to time with.
        truth: of `ground_truth`, or None.
        note: line below the table.

    Returns:
        list of dictionaries with the keys of `COLUMNS`, None where nothing was measured, and
        `precision` and `refused`: why a variant was not written, or None.
    """
    rows = []
    for precision, path in paths.items():
        row = dict.fromkeys(COLUMNS) | {"file": path.name, "precision": precision, "refused": None}
        rows.append(row)
        try:
            comparison = write(path, precision)
        except ExportError as error:
            row["refused"] = str(error)
            logger.error("error: %s", error)
            continue
        predict = predictor.load(path)
        row |= {key: comparison[key] for key in ("largest_difference", "mask_iou")}
        row |= {
            "megabytes": files.size(path) / 1e6,
            "truth_iou": truth(predict) if truth else None,
            "milliseconds": milliseconds(predict, picture),
        }
        logger.info("%s: %.1f MB, %.1f ms", path, row["megabytes"], row["milliseconds"])
    files.write_text(f"{stem}.md", table(rows) + (f"\n{note}\n" if note else ""))
    files.write_json(f"{stem}.json", rows)
    return rows


def ground_truth(reference, data):
    """Return a function that scores a predictor on pictures with masks.

    Args:
        reference: `Predictor` of the model that is exported; its card tells the classes.
        data: `Dataset`.

    Returns:
        function of a `Predictor`: the IoU of a single class, or the mean over several, 0..1.
    """
    classes = measure.match_classes(reference, data)

    def score(predict):
        found = summary.summarize(measure.measure(predict, data, classes).counts)
        single = len(classes) == 1
        return found["iou"][classes.names[0]] if single else found["mean_iou"]

    return score


def milliseconds(predict, picture):
    """Return the median time for one picture on one thread of this computer, once warm."""
    from threadpoolctl import threadpool_limits

    taken = []
    with threadpool_limits(1):  # NumPy's; LiteRT's interpreter is made with one
        for _ in range(WARM_UP + TIMED):
            started = time.perf_counter()
            predict(picture[None])
            taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken[WARM_UP:])


def table(rows):
    """Return the rows of `climb` as a Markdown table."""
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


def untrained(network, sizes, alphas):
    """Yield networks to time a device with: their speed is that of trained ones.

    Args:
        network: a key of `nets.NETWORKS`.
        sizes: `(height, width)` pairs in pixels; none: `nets.grid_sizes`, square.
        alphas: width multipliers.

    Yields:
        `(name, model)`, the names in order of size, alpha and, if the network has it, alpha_up:
        `mobile_unet_128_025_025`, `icnet_768_025`. The models are those for inference.

    Raises:
        InputError: if the network refuses a size or a width.
    """
    sizes = sizes or [(side, side) for side in nets.grid_sizes(network)]
    for height, width in sizes:
        side = f"{height:03d}" if height == width else f"{height:03d}x{width:03d}"
        for alpha in alphas:
            arguments = nets.arguments(network, {"alpha": alpha})
            widths = [arguments[key] for key in ("alpha", "alpha_up") if key in arguments]
            parts = [network, side, *(f"{round(100 * each):03d}" for each in widths)]
            try:
                model = nets.build(network, (height, width), 1, alpha=alpha)
            except ValueError as error:
                message = f"--untrained {network} {height}x{width}, alpha {alpha:g}"
                raise InputError(f"{message}: {reason(error)}") from None
            yield "_".join(parts), nets.inference_model(model)
