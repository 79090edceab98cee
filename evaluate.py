"""Measure a model against masks: IoU, boundary IoU, dice, precision and recall per class.

    python evaluate.py artifacts/hair.keras --img_file data/images-128.npy
    python evaluate.py artifacts/hair.keras --img_file data/images-128.npy --split validation
    python evaluate.py artifacts/hair.tflite --data_dir data/raw --report artifacts/hair-report
    python evaluate.py data/room/icnet.keras -d data/room/room.tfrecord --split validation

Models: .keras .h5 .tflite .pb .mlpackage and SavedModel folders, with the model card beside them.
Prepared arrays are measured at their size, TFRecords and folders of pictures and masks at the size
of the masks. `--split validation` takes the pictures that training held out, and wants the data it
was given.
Scores count all pixels of the set; "Per picture" is the mean IoU over the pictures that show the
class. Boundary IoU looks only at a band inside the outline of each mask, 2 % of the picture's
diagonal wide (https://arxiv.org/abs/2103.16562): it shows how sharp a large object is cut out.
The confusion matrix is printed where it fits, and in counts in the JSON: rows true, columns
predicted. `--report DIR` writes report.json (all figures, and the IoU of each picture), the plots
confusion.png, classes.png and pictures.png, contact_sheet.png (good, middling and bad pictures)
and worst.png (the twelve worst); other files in DIR stay.
Damaged pictures and masks are named and left out, and the exit status is then 2.
About 100 pictures of 128 px a second on two CPU cores.
"""

from pathlib import Path

from segmentation.cli import data_options, model_options, options, terminal
from segmentation.data import mask_formats
from segmentation.errors import InputError
from segmentation.quiet import start_keras

COLUMNS = {
    "IoU": "iou",
    "Boundary": "boundary_iou",
    "Dice": "dice",
    "Precision": "precision",
    "Recall": "recall",
    "Per picture": "picture_iou",
}


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument("model", type=Path, help="what training or a converter wrote")
    parser.add_argument("--data_dir", type=Path, action="append", help="may be given several times")
    data_options.add(parser)
    parser.add_argument("--mask_format", choices=mask_formats.FORMATS, help="of --data_dir")
    parser.add_argument("--report", type=Path, metavar="DIR", help="figures, plots and examples")
    model_options.add(parser)
    args = parser.parse_args(argv)
    data_options.check(parser, args)
    if bool(args.data_dir) == bool(args.img_file or args.tfrecord_data):
        parser.error("name what to measure on: --img_file, --tfrecord_data or --data_dir")
    if args.mask_format and not args.data_dir:
        parser.error("--mask_format goes with --data_dir")
    if args.report and args.report.exists() and not args.report.is_dir():
        parser.error(f"--report names a folder, and {args.report} is a file")
    return args


def main(argv=None):
    """Measure, print the table and the scores."""
    args = parse_args(argv)
    given = model_options.legacy_spec(args)
    from segmentation import model_card
    from segmentation.evaluation import measure

    start_keras()
    predict = model_options.load(args.model, given)
    if not predict.named:  # without names nothing can be matched
        raise InputError(
            f"{args.model}: no model card {model_card.path_beside(args.model).name} beside it; "
            "copy the one that training wrote, or name its classes with --classes"
        )
    data = open_data(args, predict.card or {})
    classes = measure.target_of(predict, data)
    counts = measure.measure(predict, data, classes.table)
    summary = measure.summarize(counts, classes.id_names)
    print_tables(summary)
    broken = len(counts.broken)
    loss = "binary_crossentropy" if len(classes) == 1 else "crossentropy"
    result = {
        "model": str(args.model),
        "pictures": len(data) - broken,
        "broken": broken,
        "split": args.split,
        **summary,
        loss: None if predict.only_ids else round(counts.crossentropy, 6),
    }
    terminal.print_result(result)
    if args.report:
        from segmentation.evaluation import report

        paths = [str(path) for path in args.data_dir or [args.img_file or args.tfrecord_data]]
        report.write(args.report, {"data": paths} | result, counts, predict, data, classes.table)
    if broken:
        raise InputError(f"{broken} of {len(data)} pairs could not be read; see above")


def open_data(args, card):
    """Return the `Dataset` that the arguments name."""
    from segmentation.data.samples import SourceFiles

    if args.data_dir:
        reader = data_options.open_reader(
            "auto", args.data_dir, label_file=args.labels, mask_format=args.mask_format
        )
        return SourceFiles(reader)
    return data_options.open_data(args, card)


def print_tables(summary):
    """Print the scores per class and their means, and the confusion matrix where it fits."""
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False)  # a class may be called "wall [old]"
    names, matrix = summary["classes"], summary["confusion"]
    table = Table("Class")
    for heading in COLUMNS:
        table.add_column(heading, justify="right")
    for name in names:
        table.add_row(name, *(_shown(summary[key][name]) for key in COLUMNS.values()))
    table.add_section()
    table.add_row("mean", *(_shown(summary.get(f"mean_{key}", "")) for key in COLUMNS.values()))
    console.print(table)
    print(f"pixel accuracy {_shown(summary['pixel_accuracy'])}")

    table = Table("True \\ predicted, %")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Pixels", justify="right", no_wrap=True)
    for name, row in zip(names, matrix, strict=True):
        total = sum(row)
        shares = [f"{100 * count / total:.2f}" if total else "—" for count in row]
        table.add_row(name, *shares, str(total))
    unbounded = console.options.update(width=100_000)
    if console.measure(table, options=unbounded).maximum <= console.width:
        console.print(table)
    else:
        print("the confusion matrix is too wide to be shown here; see `confusion` in the JSON")


def _shown(value):
    if value == "":
        return value
    return "—" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    terminal.run(main)
