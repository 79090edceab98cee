"""Draw IoU over milliseconds, from the file of the published figures.

    python benchmarks/pareto.py
    python benchmarks/pareto.py docs/figures.json -o docs/networks.png --device "AMD EPYC"

The file holds a list of rows, dictionaries with these fields:

    name          label in the plot, such as "fast, 256 px"
    network       of nets.NETWORKS; null for a network of others
    arguments     of the network, such as {"alpha": 0.25}
    img_size      [height, width] of the input in pixels
    classes       channels of the output
    data          on which the IoU was measured, such as "LFW, 400 images of other persons"
    metric        which IoU: "hair IoU" or "mean IoU of 11 classes"
    iou           0..1
    milliseconds  for one image: the median of benchmark.py or benchmarks/networks.py
    megabytes     of the file
    precision     float32, float16 or int8
    device        on which it was timed, as benchmark.py calls it
    runtime       and its version, such as "ai_edge_litert 2.3.0"
    command       that gave the milliseconds; and whatever else explains a figure, in fields of its
                  own, such as training and evaluation

A row without `iou` or without `milliseconds` (null, or no such field) is published and not drawn.
Each pair of data and metric has a plot of its own; the area of a mark is its megabytes, and the
line joins the files that no other one beats in both. Milliseconds of several devices are no
comparison: `--device` chooses one.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from segmentation import files
from segmentation.cli import options, terminal
from segmentation.errors import InputError

ROOT = Path(__file__).resolve().parent.parent
NEEDED = ("name", "data", "metric", "iou", "milliseconds", "megabytes", "device", "runtime")
AREA = 60  # of a megabyte, points²
LEGEND = (0.5, 2, 10)  # megabytes
SMALLEST, FONT = 5, 8  # points
WIDTH, HEIGHT = 7.5, 5  # of a plot, inches
DPI = 120
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
DISTANCES = range(4, 200, 4)  # of a label from its mark, points


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument(
        "figures", type=Path, nargs="?", default=ROOT / "docs/figures.json", help="(%(default)s)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=ROOT / "docs/networks.png", help="(%(default)s)"
    )
    parser.add_argument("--device", help="draw the rows of this device alone")
    return parser.parse_args(argv)


def main(argv=None):
    """Read the figures and draw them."""
    args = parse_args(argv)
    rows = read(args.figures, args.device)
    panels = {}
    for row in rows:
        panels.setdefault((row["data"], row["metric"]), []).append(row)
    draw(panels, args.output)
    best = {f"{data}: {metric}": front(drawn) for (data, metric), drawn in panels.items()}
    names = {panel: [row["name"] for row in drawn] for panel, drawn in best.items()}
    terminal.print_result({"plot": str(args.output), "rows": len(rows), "front": names})


def read(path, device=None):
    """Return the rows to draw.

    Raises:
        InputError: if the file is no list of rows, a row lacks a field, or there are several
            devices, or none.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except ValueError as error:
        raise InputError(f"{path}: is no JSON ({error})") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: is no list of rows; see the fields with --help")
    both = ("iou", "milliseconds")
    rows = [row for row in rows if all(row.get(key) is not None for key in both)]
    rows = [row for row in rows if device in (None, row.get("device"))]
    for row in rows:
        if missing := [key for key in NEEDED if row.get(key) is None]:
            raise InputError(f"{path}: the row {row.get('name')} lacks {', '.join(missing)}")
    if not rows:
        of_device = f" of {device}" if device else ""
        raise InputError(f"{path}: has no row with iou and milliseconds{of_device}")
    devices = sorted({row["device"] for row in rows})
    if len(devices) > 1:
        raise InputError(f"{path}: was timed on {' and '.join(devices)}; choose one with --device")
    return rows


def front(rows):
    """Return the rows that no other beats in both IoU and time, the fastest first."""
    kept = []
    for row in sorted(rows, key=lambda row: (row["milliseconds"], -row["iou"])):
        if not kept or row["iou"] > kept[-1]["iou"]:
            kept.append(row)
    return kept


def draw(panels, path):
    """Draw the rows of each panel, by data and metric, beside each other; write a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH * len(panels), HEIGHT), layout="constrained", dpi=DPI)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, ((data, metric), rows) in zip(axes, panels.items(), strict=True):
        _draw_panel(axis, rows)
        axis.set(title=data, ylabel=metric)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # labels are placed among marks that stay where they are
    for axis, rows in zip(axes, panels.values(), strict=True):
        place_labels(axis, rows)
    with files.written_whole(path) as temporary:
        figure.savefig(temporary)


def _draw_panel(axis, rows):
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    best = front(rows)
    axis.plot(*_points(best), color="tab:gray", linewidth=1, zorder=1)
    colors = ["tab:blue" if row in best else "tab:orange" for row in rows]
    areas = [AREA * row["megabytes"] for row in rows]
    axis.scatter(*_points(rows), s=areas, c=colors, alpha=0.6, edgecolors="black", linewidths=0.5)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.xaxis.set_minor_formatter("")
    device, runtime = rows[0]["device"], ", ".join(sorted({row["runtime"] for row in rows}))
    axis.set_xlabel(f"ms for one image, {device}, {runtime}")
    axis.margins(0.15)
    axis.grid(alpha=0.3)
    for megabytes in LEGEND:
        label = f"{megabytes:g} MB"
        axis.scatter([], [], s=AREA * megabytes, color="tab:gray", alpha=0.6, label=label)
    axis.legend(loc="best", labelspacing=1.2, borderpad=1, fontsize=FONT)


def _points(rows):
    return [row["milliseconds"] for row in rows], [row["iou"] for row in rows]


def place_labels(axis, rows):
    """Write the name of each row near its mark, and return the texts.

    Each label takes the nearest place inside the plot that is free of marks, of the legend and of
    the labels before it; a label with no such place stays on its mark.
    """
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

    figure = axis.figure
    pixels = figure.dpi / 72  # of a point
    marks = []
    for row in rows:
        x, y = axis.transData.transform((row["milliseconds"], row["iou"]))
        radius = max(SMALLEST, (AREA * row["megabytes"] / 3.1416) ** 0.5) * pixels
        marks.append(Bbox([[x - radius, y - radius], [x + radius, y + radius]]))
    taken = [*marks, axis.get_legend().get_window_extent()]
    inside, texts = axis.get_window_extent(), []
    for row, mark in zip(rows, marks, strict=True):
        text = axis.annotate(
            row["name"].replace("$", r"\$"),
            (row["milliseconds"], row["iou"]),
            (0, 0),
            textcoords="offset points",
            fontsize=FONT,
            ha="center",
            va="center",
            arrowprops={
                "arrowstyle": "-",
                "linewidth": 0.5,
                "color": "tab:gray",
                "shrinkB": mark.width / 2 / pixels,
            },
        )
        width, height = Text.get_window_extent(text).size  # without the line to the mark
        for x, y in _offsets(mark.width + width, mark.height + height):
            left, bottom = (mark.x0 + mark.x1 - width) / 2 + x, (mark.y0 + mark.y1 - height) / 2 + y
            box = Bbox.from_bounds(left, bottom, width, height)
            within = inside.x0 < box.x0 and box.x1 < inside.x1
            within &= inside.y0 < box.y0 and box.y1 < inside.y1
            if within and not box.count_overlaps(taken):
                text.set_position((x / pixels, y / pixels))
                taken.append(box)
                break
        texts.append(text)
    return texts


def _offsets(width, height):
    """Yield where a label may stand, from the centre of its mark in pixels, near places first.

    Args:
        width: of the label and its mark together, in pixels.
        height: the same.
    """
    for distance in DISTANCES:
        for x, y in DIRECTIONS:
            yield x * (width / 2 + distance), y * (height / 2 + distance)


if __name__ == "__main__":
    terminal.run(main)
