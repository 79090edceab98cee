"""Prepare pictures and masks for training, draw sample portraits, or download LFW.

    python data.py --img_size 128                        # data/raw -> data/images-128.npy ...
    python data.py lfw --data_dir a/raw --data_dir b/raw --out_dir data
    python data.py lfw --data_dir own --img_size 384x480 --labels own/labels.txt
    python data.py sample --out_dir data/sample --count 200 --seed 1
    python data.py download lfw --out_dir data/raw

lfw, also meant when no command is given, reads images/ and masks/ of a folder (or LFW's own
lfw_funneled/ and parts_lfw_funneled_gt_images/), pairs them by file name, and writes
images-128.npy, masks-128.npy, names-128.txt and labels.txt. Masks may be red/green/blue part
masks, black and white, or class ids. The person of a picture, by whom training divides the data,
comes from its LFW name, or from the columns id and person_group of a mapping.csv beside images/.

The options of each command: python data.py lfw --help
"""

import os
import sys

from segmentation import command_line, masks


def parse_args(argv=None):
    """Parse the command line; without a command, `lfw` is meant."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help")):
        argv.insert(0, "lfw")
    parser = command_line.Parser(__doc__)
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
        type=command_line.img_size,
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
        type=command_line.share,
        default=0.01,
        metavar="SHARE",
        help="damaged files are left out up to this share of all (default %(default)s)",
    )
    lfw.add_argument(
        "--workers",
        type=command_line.count,
        default=os.cpu_count() or 1,
        metavar="N",
        help="threads (default %(default)s); the files are the same for any number",
    )

    sample = _add(commands, "sample", run_sample, "draw portraits and their masks")
    sample.add_argument("-o", "--out_dir", required=True, metavar="DIR")
    sample.add_argument(
        "--count", type=command_line.count, default=200, help="(default %(default)s)"
    )
    sample.add_argument("--seed", type=command_line.seed, default=1, help="(default %(default)s)")

    fetch = _add(commands, "download", run_download, "fetch LFW and its part masks")
    fetch.add_argument("name", choices=("lfw",))
    fetch.add_argument("-o", "--out_dir", default="data/raw", metavar="DIR", help="(%(default)s)")
    fetch.add_argument("--url", help="a mirror: address of the folder that holds both archives")
    return parser.parse_args(argv)


def _add(commands, name, run, text):
    parser = commands.add_parser(name, help=text, description=f"{name}: {text}")
    parser.set_defaults(run=run)
    return parser


def run_lfw(args):
    """Turn pictures and masks into arrays."""
    from segmentation import labels, lfw

    result = lfw.prepare(
        args.data_dir or ["data/raw"],
        args.out_dir,
        args.img_size,
        mask_format=None if args.mask_format == "auto" else args.mask_format,
        names=labels.read(args.labels) if args.labels else None,
        workers=args.workers,
        max_bad=args.max_bad,
        say=command_line.say,
        progress=command_line.progress,
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


def run_sample(args):
    """Draw portraits."""
    from segmentation import samples

    return samples.write_portraits(args.out_dir, args.count, args.seed, command_line.progress)


def run_download(args):
    """Fetch a data set."""
    from segmentation import download

    return download.download(args.name, args.out_dir, url=args.url, progress=command_line.progress)


def main(argv=None):
    """Run the command."""
    args = parse_args(argv)
    command_line.print_result(args.run(args))


if __name__ == "__main__":
    command_line.run(main)
