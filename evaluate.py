"""Measure a model against masks: IoU, dice, precision and recall per class.

    python evaluate.py artifacts/hair.keras --img_file data/images-128.npy
    python evaluate.py artifacts/hair.keras --img_file data/images-128.npy --split validation
    python evaluate.py artifacts/hair.tflite --data_dir data/raw --contact_sheet hair.png

Models: .keras .h5 .tflite .pb .mlpackage and SavedModel folders, with the model card beside them.
Prepared arrays are measured at their size, folders of pictures and masks at the size of the masks.
`--split validation` takes the pictures that training held out, and wants the arrays it was given.
Scores count all pixels of the set; "IoU/picture" is the mean over the pictures that show the class.
Damaged pictures and masks are named and left out, and the exit status is then 2.
About 100 pictures of 128 px a second on two CPU cores.
"""

from pathlib import Path

from segmentation import command_line, masks
from segmentation.chatter import start_keras
from segmentation.errors import InputError

COLUMNS = {
    "IoU": "iou",
    "Dice": "dice",
    "Precision": "precision",
    "Recall": "recall",
    "IoU/picture": "picture_iou",
}


def parse_args(argv=None):
    """Parse the command line."""
    parser = command_line.Parser(__doc__)
    parser.add_argument("model", type=Path, help="what training or a converter wrote")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--img_file", type=Path, help="images-….npy that data.py wrote")
    data.add_argument("--data_dir", type=Path, action="append", help="may be given several times")
    parser.add_argument("--mask_file", type=Path, help="default: masks-….npy beside --img_file")
    parser.add_argument("--split", choices=("all", "validation"), default="all")
    parser.add_argument("-l", "--labels", type=Path, help="labels.txt; default: beside --img_file")
    parser.add_argument("--mask_format", choices=masks.FORMATS, help="of --data_dir")
    parser.add_argument("--contact_sheet", type=Path, metavar="FILE.png", help="examples to draw")
    command_line.add_older_model_options(parser)
    args = parser.parse_args(argv)
    if args.data_dir and (args.mask_file or args.split != "all"):
        parser.error("--mask_file and --split go with --img_file")
    if args.img_file and args.mask_format:
        parser.error("--mask_format goes with --data_dir")
    if args.contact_sheet and args.contact_sheet.suffix.lower() not in (".png", ".jpg"):
        parser.error("--contact_sheet names a .png or a .jpg")
    return args


def main(argv=None):
    """Measure, print the table and the scores."""
    args = parse_args(argv)
    given = command_line.older_model(args)
    from segmentation import evaluation, model_card, older_models, predictor

    start_keras()
    predict = predictor.load(args.model, given)
    if doubt := older_models.doubt(given, predict.img_size):
        command_line.say(doubt)
    if predict.card is None:  # without names nothing can be matched
        raise InputError(
            f"{args.model}: no model card {model_card.path_beside(args.model).name} beside it; "
            "copy the one that training wrote, or name its classes with --classes"
        )
    pairs = open_pairs(args, predict.card)
    names, table = evaluation.target_of(predict, pairs)
    matrices, crossentropy, broken = evaluation.measure(
        predict, pairs, table, command_line.progress, command_line.say
    )
    summary = evaluation.summarize(matrices, names)
    print_table(summary, names)
    if args.contact_sheet:
        draw_sheet(args.contact_sheet, predict, pairs, table, matrices, names)
    loss = "binary_crossentropy" if len(predict.classes) == 1 else "crossentropy"
    command_line.print_result(
        {
            "model": str(args.model),
            "pictures": len(pairs.titles) - broken,
            "broken": broken,
            "split": args.split,
            **summary,
            loss: round(crossentropy, 6),
        }
    )
    if broken:
        raise InputError(f"{broken} of {len(pairs.titles)} pairs could not be read; see above")


def open_pairs(args, card):
    """Return the `evaluation.Pairs` that the arguments name."""
    from segmentation import datasets, evaluation, labels

    if args.data_dir:
        names = labels.read(args.labels) if args.labels else None
        return evaluation.from_folders(args.data_dir, args.mask_format, names, command_line.say)
    arrays = datasets.open_arrays(args.img_file, args.mask_file, args.labels)
    if args.split == "all":
        return evaluation.from_arrays(arrays)
    if "validation_rows" not in card:
        raise InputError(f"{args.model}: its card lists no held-out pictures; use --split all")
    if card.get("data", {}).get("fingerprint") != datasets.fingerprint(arrays):
        raise InputError(
            f"{args.img_file}: not the data that {args.model} was validated on; "
            "give those arrays, or use --split all"
        )
    return evaluation.from_arrays(arrays, card["validation_rows"])


def print_table(summary, names):
    """Print the scores per class and their means."""
    from rich.console import Console
    from rich.table import Table

    table = Table("Class")
    for heading in COLUMNS:
        table.add_column(heading, justify="right")
    for name in names:
        table.add_row(name, *(_shown(summary[key][name]) for key in COLUMNS.values()))
    table.add_section()
    table.add_row(
        "mean", _shown(summary["mean_iou"]), "", "", "", _shown(summary["mean_picture_iou"])
    )
    Console().print(table)
    print(f"pixel accuracy {_shown(summary['pixel_accuracy'])}")


def _shown(value):
    return "—" if value is None else f"{value:.4f}"


def draw_sheet(path, predict, pairs, table, matrices, names):
    """Write a sheet of the best, middle and worst pictures.

    Rows: picture, truth, prediction, and where the two agree (green), a class was missed (orange)
    or wrongly found (blue).
    """
    from PIL import Image

    from segmentation import evaluation, files, labels, predictor, visualization

    background = 0 if labels.is_background(names[0]) else labels.IGNORED
    columns = []
    for kind, index, iou in evaluation.extremes(matrices, names):
        picture, ids = pairs.read(index)
        ((truth, probabilities),) = evaluation.run(predict, table, [(picture, ids)])
        predicted = predictor.decide(probabilities)
        drawn = [
            *(visualization.overlay(picture, mask, predict.colors) for mask in (truth, predicted)),
            visualization.agreement(truth, predicted, background),
        ]
        columns.append((f"{kind} {iou:.2f}  {pairs.titles[index]}", [picture, *drawn]))
    if not columns:
        raise InputError(f"{path}: no mask shows a class of the model: nothing to draw")
    with files.written_whole(path) as temporary:
        Image.fromarray(visualization.contact_sheet(columns)).save(temporary)


if __name__ == "__main__":
    command_line.run(main)
