"""Measure a model against masks: IoU, boundary IoU, dice, precision and recall per class.

    python evaluate.py artifacts/hair.keras --img_file data/images-128.npy
    python evaluate.py artifacts/hair.keras --img_file data/images-128.npy --split validation
    python evaluate.py artifacts/hair.tflite --data_dir data/raw --report artifacts/hair-report
    python evaluate.py data/room/icnet.keras -d data/room/room.tfrecord --split validation
    python evaluate.py artifacts/hair.onnx --parity_kit artifacts/hair.onnx.kit

Models: .keras .h5 .tflite .pb .onnx .mlpackage and SavedModel folders, with the model card beside
them. Prepared arrays are measured at their size, TFRecords and folders of images and masks at the
size of the masks. `--data_dir` reads the layouts of data.py prepare. It does not merge classes:
measure a model of merged classes (data.py prepare --whitelist "chair:armchair") on its TFRecords or
arrays.
`--split validation` measures the samples that training held out, and needs the data that training
read.
Scores count all pixels of the set; "Per image" is the mean IoU over the images that show the class.
Boundary IoU counts only a band inside the outline of each mask, 2 % of the image's diagonal wide
(https://arxiv.org/abs/2103.16562): it shows how sharp the outline of a large object is.
The confusion matrix, rows true and columns predicted, is printed in percent if it fits; the JSON
has it in pixels. `--report DIR` writes report.json (all figures, and the IoU of each image), the
plots confusion.png, classes.png and pictures.png, contact_sheet.png (good, average and bad images)
and worst.png (the twelve worst); other files in DIR stay.
`--parity_kit DIR` measures against the Keras model instead of masks: it runs a kit, which the
converters write with --parity_kit, and compares probabilities and masks within the kit's limits.
The exit status is 3 outside of them.
Damaged images and masks are named and skipped, and the exit status is then 2.
About 100 images of 128 px per second on two CPU cores.
"""

import math
import statistics
from pathlib import Path

from segmentation.cli import data_options, model_options, options, terminal
from segmentation.data import readers
from segmentation.errors import InputError
from segmentation.quiet import start_keras

COLUMNS = {
    "IoU": "iou",
    "Boundary": "boundary_iou",
    "Dice": "dice",
    "Precision": "precision",
    "Recall": "recall",
    "Per image": "picture_iou",
}
KIT_COLUMNS = ("Largest difference", "Mask IoU", "Confident", "ms")
OF_DATA = (  # options that a kit has no use for
    *("img_file", "mask_file", "tfrecord_data", "labels", "split", "data_dir", "layout"),
    *("mask_format", "colors", "mask_suffix", "exif", "report"),
)
OUTSIDE = 3  # exit status of a kit whose limits are exceeded


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument("model", type=Path, help="a file or folder from training or a converter")
    parser.add_argument(
        "--data_dir",
        type=Path,
        action="append",
        help="folder in a layout of data.py prepare; may be given several times",
    )
    data_options.add(parser)
    parser.add_argument(
        "--layout",
        choices=("auto", *readers.LAYOUTS),
        default="auto",
        help="of --data_dir (default: detected from its folders)",
    )
    data_options.add_source(parser)
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write scores, plots and examples to DIR"
    )
    parser.add_argument(
        "--parity_kit",
        type=Path,
        metavar="DIR",
        help="run a kit that a converter wrote, in place of data with masks",
    )
    model_options.add(parser)
    parser.before_staging.append(_refuse)
    return parser.parse_args(argv)


def _refuse(parser, args):
    """Refuse options that do not go together."""
    data_options.check(parser, args)
    if args.parity_kit:
        for name in OF_DATA:
            if getattr(args, name) != parser.get_default(name):
                parser.error(f"--parity_kit brings images and scores: omit --{name}")
        return
    if bool(args.data_dir) == bool(args.img_file or args.tfrecord_data):
        parser.error("name what to measure on: --img_file, --tfrecord_data or --data_dir")
    if not args.data_dir and (args.layout != "auto" or data_options.names_source(args)):
        parser.error(
            "--layout, --mask_format, --colors, --mask_suffix and --exif go with --data_dir"
        )
    if args.report and args.report.exists() and not args.report.is_dir():
        parser.error(f"--report names a folder, and {args.report} is a file")


def main(argv=None):
    """Measure, print the table and the scores."""
    args = parse_args(argv)
    if args.parity_kit:
        return run_kit(args)
    spec = model_options.legacy_spec(args)
    start_keras()
    from segmentation import model_card
    from segmentation.evaluation import measure, report, summary

    predict = model_options.load(args.model, spec)
    if not predict.named:  # classes are matched by name
        raise InputError(
            f"{args.model}: no model card {model_card.path_beside(args.model).name} beside it; "
            "copy the one that training wrote, or name its classes with --classes"
        )
    data = open_data(args, predict.card or {})
    classes = measure.match_classes(predict, data)
    measurement = measure.measure(predict, data, classes)
    scores = summary.summarize(measurement.counts)
    print_tables(scores)
    damaged = len(measurement.counts.damaged)
    loss = "binary_crossentropy" if len(predict.classes) == 1 else "crossentropy"
    crossentropy = round(measurement.counts.crossentropy, 6)
    result = {
        "model": str(args.model),
        "pictures": len(data) - damaged,
        "broken": damaged,
        "split": args.split,
        **scores,
        loss: None if predict.gives_ids_only else crossentropy,
    }
    terminal.print_result(result)
    if args.report:
        paths = [str(path) for path in args.data_dir or [args.img_file or args.tfrecord_data]]
        report.write(args.report, measurement, {"data": paths} | result)
    if damaged:
        raise InputError(f"{damaged} of {len(data)} samples could not be read; see above")


def run_kit(args):
    """Run a parity kit, print how far the model is from it; return 3 if that is too far."""
    spec = model_options.legacy_spec(args)
    start_keras()
    from segmentation.export import parity, parity_kit
    from segmentation.formats import FORMATS
    from segmentation.inference import predictor

    kit = parity_kit.read(args.parity_kit)
    predict = predictor.load(args.model, spec)  # of any origin: the kit says what it has to give
    if not (is_kit_model := kit.is_of(args.model)):
        named = kit.manifest["model"]["file"]
        terminal.say(
            f"{args.model}: is not the {named} that {args.parity_kit} was made from (its SHA-256 "
            "differs); it is compared anyway"
        )
    if predictor.format_of(args.model) is FORMATS["mlpackage"]:
        terminal.say(f"{args.model}: runs in NumPy here, whose ms say nothing about Core ML")
    rows, total = parity_kit.run(kit, predict)
    total["milliseconds"] = statistics.median(row["milliseconds"] for row in rows)
    print_kit(rows, total)
    most, least = kit.limits
    allowed = "" if most is None else f"largest difference {most:g}, "
    print(f"limits of {kit.manifest['precision']}: {allowed}IoU over confident pixels {least:g}")
    found = parity.excess(total, most, least)
    result = {
        "model": str(args.model),
        "parity_kit": str(args.parity_kit),
        "is_kit_model": is_kit_model,
        "precision": kit.manifest["precision"],
        "limits": kit.manifest["limits"],
        "within_limits": not found,
        "pictures": len(rows),
        **_json_row(total),
        "per_picture": [_json_row(row) for row in rows],
    }
    terminal.print_result(result)
    if found:
        terminal.say(f"error: {args.model}: outside the limits of the kit: {', '.join(found)}")
    return OUTSIDE if found else 0


def print_kit(rows, total):
    """Print the comparison of each image and of all."""
    from rich.console import Console
    from rich.table import Table

    table = Table("Image")
    for heading in KIT_COLUMNS:
        table.add_column(heading, justify="right")

    def cells(row):
        difference = row["largest_difference"]
        yield "—" if difference is None else f"{difference:.1e}"
        yield from (f"{row[key]:.4f}" for key in ("mask_iou", "decided_iou"))
        yield f"{row['milliseconds']:.2f}"

    for row in rows:
        table.add_row(row["name"], *cells(row))
    table.add_section()
    table.add_row("all", *cells(total))
    Console(markup=False).print(table)


def _json_row(row):
    """Return a row with rounded milliseconds, and None for a NaN, which no limit lets through."""
    difference = row["largest_difference"]
    if difference is not None and not math.isfinite(difference):
        difference = None
    return row | {
        "largest_difference": difference,
        "milliseconds": round(row["milliseconds"], 3),
    }


def open_data(args, card):
    """Return the `Dataset` that the arguments name."""
    from segmentation.data.samples import SourceFiles

    if args.data_dir:
        reader = data_options.open_reader(
            args.layout,
            args.data_dir,
            args.exif,
            label_file=args.labels,
            **data_options.of_source(args),
        )
        return SourceFiles(reader)
    return data_options.open_data(args, card)


def print_tables(scores):
    """Print the scores per class and their means, and the confusion matrix if it fits."""
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False)  # a class may be called "wall [old]"
    names, matrix = scores["classes"], scores["confusion"]
    table = Table("Class")
    for heading in COLUMNS:
        table.add_column(heading, justify="right")
    for name in names:
        table.add_row(name, *(_shown(scores[key][name]) for key in COLUMNS.values()))
    table.add_section()
    table.add_row("mean", *(_shown(scores.get(f"mean_{key}", "")) for key in COLUMNS.values()))
    console.print(table)
    print(f"pixel accuracy {_shown(scores['pixel_accuracy'])}")

    table = Table("True \\ predicted, %")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Pixels", justify="right", no_wrap=True)
    for name, row in zip(names, matrix, strict=True):
        total = sum(row)
        fractions = [f"{100 * count / total:.2f}" if total else "—" for count in row]
        table.add_row(name, *fractions, str(total))
    unbounded = console.options.update(width=100_000)
    if console.measure(table, options=unbounded).maximum <= console.width:
        console.print(table)
    else:
        print("the confusion matrix is too wide to show here; see `confusion` in the JSON")


def _shown(value):
    if value == "":
        return value
    return "—" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    terminal.run(main)
