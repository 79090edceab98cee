r"""Prepare pictures and masks for training, draw samples of them, or download LFW or ADE20K.

    python data.py --img_size 128                        # data/raw -> data/images-128.npy ...
    python data.py lfw --data_dir a/raw --data_dir b/raw --out_dir data
    python data.py lfw --data_dir own --img_size 384x480 --labels own/labels.txt
    python data.py sample --out_dir data/sample --count 200 --seed 1
    python data.py download lfw --out_dir data/raw
    python data.py ade20k -i images/training -a annotations/training -l objectInfo150.txt \
        -w "wall|floor, flooring|bed|chair:armchair|lamp" -t 0.6 -o data/room/room.tfrecord
    python data.py ade20k -l objectInfo150.txt --list_labels
    python data.py sample --kind scenes --out_dir data/rooms
    python data.py download ade20k --out_dir data/raw

lfw, also meant when no command is given, reads images/ and masks/ of a folder (or LFW's own
lfw_funneled/ and parts_lfw_funneled_gt_images/), pairs them by file name, and writes
images-128.npy, masks-128.npy, names-128.txt and labels.txt. Masks may be red/green/blue part
masks, black and white, or class ids. The person of a picture, by whom training divides the data,
comes from its LFW name, or from the columns id and person_group of a mapping.csv beside images/.

ade20k reads folders of pictures and of index masks, keeps the classes of a whitelist (names as in
the label file, separated by |, and merged by :) and the pictures that show enough of them, and
writes them as TFRecords, with labels.txt beside them.

The options of each command: python data.py lfw --help
"""

import os
import sys

from segmentation.cli import options, terminal
from segmentation.data import masks
from segmentation.errors import InputError


def parse_args(argv=None):
    """Parse the command line; without a command, `lfw` is meant."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help")):
        argv.insert(0, "lfw")
    parser = options.Parser(__doc__)
    commands = parser.add_subparsers(dest="run", required=True, metavar="command")

    lfw = _add(commands, "lfw", run_lfw, "turn pictures and masks into arrays")
    lfw.add_argument(
        "-d",
        "--data_dir",
        action="append",
        metavar="DIR",
        help="folder that holds images/ and masks/; may be repeated (default data/raw)",
    )
    lfw.add_argument("-o", "--out_dir", default="data", metavar="DIR", help="(default %(default)s)")
    lfw.add_argument(
        "-s",
        "--img_size",
        "--image_size",
        type=options.img_size,
        default=(128, 128),
        metavar="SIZE",
        help="128, or 384x480 for height x width, multiples of 32 (default 128)",
    )
    lfw.add_argument(
        "-l",
        "--labels",
        "--label_filename",
        metavar="FILE",
        help="labels.txt that names the classes (default: the usual names of the mask format)",
    )
    lfw.add_argument(
        "--mask_format",
        choices=("auto", *masks.FORMATS),
        default="auto",
        help="red/green/blue parts, class ids, or black and white (default: seen from the pixels)",
    )
    lfw.add_argument(
        "--max_bad",
        type=options.fraction,
        default=0.01,
        metavar="SHARE",
        help="damaged files are left out up to this share of all (default %(default)s)",
    )
    _add_workers(lfw)

    _add_ade20k(commands)

    sample = _add(commands, "sample", run_sample, "draw pictures and their masks")
    sample.add_argument(
        "--kind",
        choices=("portraits", "scenes"),
        default="portraits",
        help="for lfw, or rooms for ade20k (default %(default)s)",
    )
    sample.add_argument("-o", "--out_dir", required=True, metavar="DIR")
    sample.add_argument("--count", type=options.count, default=200, help="(default %(default)s)")
    sample.add_argument("--seed", type=options.seed, default=1, help="(default %(default)s)")

    fetch = _add(commands, "download", run_download, "fetch LFW and its part masks, or ADE20K")
    fetch.add_argument("name", choices=("lfw", "ade20k"))
    fetch.add_argument("-o", "--out_dir", default="data/raw", metavar="DIR", help="(%(default)s)")
    fetch.add_argument("--url", help="a mirror: address of the folder that holds the archives")
    return parser.parse_args(argv)


def _add_ade20k(commands):
    ade20k = _add(commands, "ade20k", run_ade20k, "turn pictures and index masks into TFRecords")
    ade20k.add_argument("-i", "--image_dir", metavar="DIR", help="JPEG or PNG pictures")
    ade20k.add_argument("-a", "--annotation_dir", metavar="DIR", help="their masks, as index PNGs")
    ade20k.add_argument("-o", "--output", metavar="FILE", help="a name that ends in .tfrecord")
    ade20k.add_argument(
        "-l", "--label_filename", required=True, metavar="FILE", help="objectInfo150.txt, or alike"
    )
    ade20k.add_argument(
        "-w",
        "--whitelist",
        "--whitelist_labels",
        metavar="NAMES",
        help="classes to keep: a|b:c|d, b and c as one (default: all classes, all pictures)",
    )
    ade20k.add_argument(
        "-t",
        "--whitelist_threshold",
        type=options.fraction,
        metavar="SHARE",
        help="of the whitelisted classes, that a picture must show to be kept (default 0.7)",
    )
    ade20k.add_argument(
        "--list_labels", action="store_true", help="print the classes of the label file, and stop"
    )
    ade20k.add_argument(
        "--num_shards",
        type=options.count,
        default=1,
        metavar="N",
        help="more than one: room-00000-of-0000N.tfrecord ... (default %(default)s)",
    )
    _add_workers(ade20k)
    ade20k.add_argument(
        "--skip_bad",
        action="store_true",
        help="leave out damaged files, and masks of another size than their picture",
    )


def _add_workers(parser):
    parser.add_argument(
        "--workers",
        type=options.count,
        default=os.cpu_count() or 1,
        metavar="N",
        help="threads (default %(default)s); the files are the same for any number",
    )


def _add(commands, name, run, text):
    parser = commands.add_parser(name, help=text, description=f"{name}: {text}")
    parser.set_defaults(run=run)
    return parser


def run_lfw(args):
    """Turn pictures and masks into arrays."""
    from segmentation.data import labels
    from segmentation.data.readers import folders

    result = folders.prepare(
        args.data_dir or ["data/raw"],
        args.out_dir,
        args.img_size,
        mask_format=None if args.mask_format == "auto" else args.mask_format,
        names=labels.read(args.labels) if args.labels else None,
        workers=args.workers,
        max_bad=args.max_bad,
    )
    persons = f" of {result['persons']} persons" if result["persons"] else ", persons unknown"
    print(f"{result['pictures']} pictures{persons}; {result['mask_format']} masks")
    width = max(len(name) for name in result["classes"])
    print(f"{'class':<{width}}  share of pixels  in pictures")
    rows = zip(result["classes"], result["class_shares"], result["class_pictures"], strict=True)
    for name, share, shown in rows:
        print(f"{name:<{width}}  {share:15.2%}  {shown:11d}")
    if result["ignored_share"]:
        print(f"no class (255), left out of training: {result['ignored_share']:.2%} of all pixels")
    print(f"{result['pictures_per_second']:.0f} pictures/s; wrote {result['images']} and others")
    return result


def run_ade20k(args):
    """Turn pictures and index masks into TFRecords, or list the classes of a label file."""
    from segmentation.data.readers import ade20k

    if args.list_labels:
        return _list_labels(args.label_filename)
    missing = [
        name for name in ("image_dir", "annotation_dir", "output") if not getattr(args, name)
    ]
    if missing:
        raise InputError(f"--{missing[0]} is missing (see data.py ade20k --help)")
    if args.whitelist_threshold is not None and args.whitelist is None:
        raise InputError("--whitelist_threshold is a share of the --whitelist, which is missing")
    threshold = args.whitelist_threshold
    result = ade20k.prepare(
        args.image_dir,
        args.annotation_dir,
        args.output,
        args.label_filename,
        whitelist=args.whitelist,
        threshold=ade20k.DEFAULT_THRESHOLD if threshold is None else threshold,
        num_shards=args.num_shards,
        workers=args.workers,
        skip_bad=args.skip_bad,
    )
    _print_shown(result)
    print(f"{'share of pixels':>15}  {'in pictures':>11}  class")
    rows = zip(result["classes"], result["class_shares"], result["class_pictures"], strict=True)
    for name, share, shown in rows:
        print(f"{share:15.2%}  {shown:11d}  {name}")
    if result["ignored_share"]:
        print(f"no class (255), left out of training: {result['ignored_share']:.2%} of all pixels")
    recoded = result["pictures"] - result["copied"]
    if recoded:
        print(f"{recoded} pictures are no upright RGB or grey JPEG: decoded and written as PNG")
    print(
        f"kept {result['pictures']} of {result['pictures_of']} pictures; "
        f"{result['pictures_per_second']:.0f} pictures/s; wrote {result['tfrecords'][0]}"
        + (f" and {len(result['tfrecords']) - 1} more" if len(result["tfrecords"]) > 1 else "")
    )
    return result


def _print_shown(result):
    """Print how many pictures each threshold would keep, where there is one."""
    from segmentation.data.readers import ade20k

    shown = result["pictures_by_classes_shown"]
    if result["classes_needed"] is None:
        return
    print("classes shown  pictures  kept by -t")
    for count in range(len(shown)):
        threshold = ade20k.share_of(count, len(shown) - 1)
        mark = "  <- this run" if count == result["classes_needed"] else ""
        bar = "#" * round(30 * shown[count] / max(shown))
        kept = f"{sum(shown[count:])} by {threshold:g}"
        print(f"{count:13d}  {shown[count]:8d}  {kept:<14}  {bar}{mark}".rstrip())


def _list_labels(path):
    from segmentation.data import labels

    names, shares = labels.read_object_info(path)
    for index, name in names.items():
        share = f"{shares[index]:7.2%}  " if shares else ""
        print(f"{index:3d}  {share}{name}")
    return {"classes": {name: shares.get(index) for index, name in names.items()}}


def run_sample(args):
    """Write synthetic portraits or scenes."""
    from segmentation.synthetic import portrait_dataset, room_dataset

    if args.kind == "scenes":
        return room_dataset.write_rooms(args.out_dir, args.count, args.seed)
    return portrait_dataset.write_portraits(args.out_dir, args.count, args.seed)


def run_download(args):
    """Fetch a data set."""
    from segmentation.data import download

    return download.download(args.name, args.out_dir, url=args.url)


def main(argv=None):
    """Run the command."""
    args = parse_args(argv)
    terminal.print_result(args.run(args))


if __name__ == "__main__":
    terminal.run(main)
