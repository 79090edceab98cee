"""Options that name prepared data to measure on."""

from pathlib import Path


def add(parser):
    """Add the options that name prepared data to measure on; `open_data` reads them."""
    parser.add_argument("--img_file", type=Path, help="images-….npy that data.py wrote")
    parser.add_argument("--mask_file", type=Path, help="default: masks-….npy beside --img_file")
    parser.add_argument("-d", "--tfrecord_data", type=Path, help="TFRecords that data.py wrote")
    parser.add_argument("-l", "--labels", type=Path, help="default: labels.txt beside the data")
    parser.add_argument("--split", choices=("all", "validation"), default="all")


def check(parser, args):
    """Refuse options of `add` that do not go together."""
    if args.img_file and args.tfrecord_data:
        parser.error("--img_file and --tfrecord_data name two data sets: leave one out")
    if args.mask_file and not args.img_file:
        parser.error("--mask_file goes with --img_file")
    if args.split != "all" and not (args.img_file or args.tfrecord_data):
        parser.error("--split goes with --img_file or --tfrecord_data")


def open_data(args, card):
    """Return the `Dataset` that the options name.

    Args:
        args: parsed options of `add`, and `model`, its path.
        card: of the model.
    """
    from segmentation.data import arrays, tfrecords
    from segmentation.evaluation import measure

    path = args.img_file or args.tfrecord_data
    if args.img_file:
        data = arrays.open_arrays(path, args.mask_file, args.labels)
    else:
        data = tfrecords.open_records(path, args.labels)
    if args.split == "validation":
        return measure.held_out(data, path, args.model, card)
    return data
