"""Time the networks with random weights, in turn, and print a Markdown table, as for README.

    python benchmarks/networks.py
    python benchmarks/networks.py selfie_segmentation.tflite --rounds 40 -o costs.json

Every configuration is exported as a float32 `.tflite`; files named on the command line take turns
with them. The time is that of benchmark.py on one thread: it depends on the shape of a network,
not on its weights. The rows of the JSON have the fields that benchmarks/pareto.py reads, but for
the IoU. About a minute and a half for the table below on two CPU cores.
"""

import shlex
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import nets
from segmentation import files
from segmentation.cli import exports, options, terminal

THREADS = 1
# Network, its arguments, height and width in pixels, classes. Add a line to time another.
CONFIGURATIONS = (
    ("mobile_unet", {"alpha": 1.0}, (128, 128), 1),
    ("mobile_unet", {"alpha": 0.5}, (128, 128), 1),
    ("mobile_unet", {"alpha": 0.25}, (128, 128), 1),
    ("mobile_unet", {"alpha": 1.0}, (256, 256), 1),
    ("mobile_unet", {"alpha": 0.5}, (256, 256), 1),
    ("mobile_unet", {"alpha": 0.25}, (256, 256), 1),
    ("mobile_pspnet", {"alpha": 1.0}, (128, 128), 1),
    ("unet", {}, (128, 128), 1),
    *(
        (
            preset["model"],
            {name: value for name, value in preset.items() if name != "model"},
            (side, side),
            1,
        )
        for side in (128, 256)
        for preset in nets.PRESETS.values()
    ),
    ("unet", {"output_stride": 4}, (384, 480), 11),
    ("icnet", {"alpha": 0.5}, (384, 480), 11),
    ("icnet", {"alpha": 0.25}, (384, 480), 11),
)
COLUMNS = {
    "network": "network",
    "arguments": "arguments",
    "img_size": "input, px",
    "classes": "classes",
    "milliseconds": "ms",
    "ratio": "ratio",
    "megabytes": "MB",
    "peak_memory_mb": "memory, MB",
}


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument("others", type=Path, nargs="*", help=".tflite files to time beside them")
    parser.add_argument("--rounds", type=options.count, default=20, help="(%(default)s)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="JSON file to write")
    return parser.parse_args(argv)


def export(folder):
    """Write a `.tflite` of each configuration into `folder`, and return the paths."""
    exports.start_tensorflow()
    from segmentation.export.tensorflow import to_tflite
    from segmentation.export.untrained import UNTRAINED

    paths = []
    for number, (network, arguments, img_size, classes) in enumerate(CONFIGURATIONS):
        terminal.say(f"exporting {network}, {_text(arguments)}, {_text(img_size)} px")
        model = nets.inference_model(nets.build(network, img_size, classes, **arguments))
        paths.append(folder / f"{number}.tflite")
        to_tflite(model, paths[-1], UNTRAINED)
    return paths


def main(argv=None):
    """Export, measure and print."""
    args = parse_args(argv)
    from segmentation.benchmark import turns

    turns.require(args.others)
    with tempfile.TemporaryDirectory() as folder:
        paths = export(Path(folder))
        measured = turns.measure([*paths, *args.others], THREADS, args.rounds)
    words = sys.argv[1:] if argv is None else argv
    shared = {
        "device": turns.device(),
        "threads": THREADS,
        "command": shlex.join(["python", "benchmarks/networks.py", *map(str, words)]),
    }
    named = [
        {
            "name": name,
            "network": name,
            "arguments": arguments,
            "img_size": size,
            "classes": classes,
        }
        for name, arguments, size, classes in CONFIGURATIONS
    ]
    named += [
        {"name": path.stem, "network": None, "arguments": {}, "classes": None}
        for path in args.others
    ]
    rows = []
    for name, found in zip(named, measured, strict=True):
        median = found.pop("milliseconds")["median"]
        del found["file"]
        rows.append(found | name | {"milliseconds": median} | shared)
    terminal.show(table(rows))
    if args.output:
        files.write_json(args.output, rows)
    terminal.print_result({"rows": rows})


def table(rows):
    """Return the rows as a Markdown table."""
    lines = ["| " + " | ".join(COLUMNS.values()) + " |", "|---" * len(COLUMNS) + "|"]
    for row in rows:
        cells = {key: _text(row[key]) for key in COLUMNS}
        cells["network"] = f"`{row['network']}`" if row["network"] else row["name"]
        for key, places in (("milliseconds", 2), ("ratio", 2), ("megabytes", 2)):
            cells[key] = f"{row[key]:.{places}f}"
        lines.append("| " + " | ".join(cells.values()) + " |")
    return "\n".join(lines)


def _text(value):
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items()) or "—"
    if isinstance(value, (tuple, list)):
        return " × ".join(map(str, value))
    return "—" if value is None else str(value)


if __name__ == "__main__":
    terminal.run(main)
