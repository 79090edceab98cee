r"""Prepare images and masks for training, make synthetic ones, or download LFW or ADE20K.

    python data.py prepare -d own --labels own/labels.txt --img_size 384x480 -o own/data
    python data.py prepare -d ade20k/images/training -w "wall|bed|chair:armchair" -o room.tfrecord
    python data.py lfw --data_dir data/raw --img_size 128        # data/images-128.npy and others
    python data.py ade20k -i images/training -a annotations/training -l objectInfo150.txt \
        -w "wall|floor, flooring|bed|chair:armchair|lamp" -t 0.6 -o data/room/room.tfrecord
    python data.py ade20k -l objectInfo150.txt --list_labels
    python data.py check -d own -o own-check             # what is wrong with it, before training
    python data.py sample --out_dir data/sample --count 200 --seed 1
    python data.py sample --kind scenes --out_dir data/rooms
    python data.py download lfw --out_dir data/raw
    python data.py download ade20k --out_dir data/raw

prepare pairs images and masks and writes them with labels.txt beside them. It reads these layouts,
which --layout auto tells apart (docs/data.md shows each):
  folders   images/ and masks/ of the same names, in subfolders or not, or LFW's own lfw_funneled/
            and parts_lfw_funneled_gt_images/. Masks may be red/green/blue part masks, black and
            white, class ids, or colours that a labelmap.txt, a class_dict.csv, a labels.txt with a
            column color or --colors names. The group of an image, by which training divides the
            data, is its subfolder, the person of its LFW name, or what the columns id and
            person_group of a mapping.csv beside images/ say.
  ade20k    images/ and annotations/, whole or divided into training/ and validation/, with index
            masks, and objectInfo150.txt or a similar file beside them. --whitelist keeps classes
            (names as in that file, separated by |, and merged by :) and the images that show
            enough of them.
  ade20k_full     ADE_….jpg and ADE_…_seg.png
  cityscapes      leftImg8bit/ and gtFine/, with labelIds or labelTrainIds
  coco            annotations/….json and images/, or the .json file
  labelme         images and labelme's .json files
  mask_per_class  images/X.jpg and masks/X_hair.png, masks/X_skin.png …, as CelebAMask-HQ
  roboflow        X.jpg, X_mask.png and _classes.csv
  voc             JPEGImages/ and SegmentationClass/, as PASCAL VOC and CVAT
and writes two formats:
  arrays    images-128.npy, masks-128.npy and names-128.txt, stretched to one size
  tfrecord  TFRecords of images and masks of their own sizes; JPEGs are copied byte for byte

check reads any of these layouts, images-….npy and TFRecords, and writes report.html and
report.json. It exits with 0 if it finds nothing, with 3 if it does.

lfw, the default command, prepares folders as arrays; ade20k prepares its layout as
TFRecords. Both keep the options that they have always had.

prepare, lfw and ade20k work in threads, or with --engine dask on a Dask cluster.

The options of each command: python data.py prepare --help
"""

import functools
import sys

from segmentation.cli import check_options, data_options, data_report, options, terminal
from segmentation.data import download, preparation, readers, writers
from segmentation.errors import InputError

DEFAULT_DATA_DIR = "data/raw"


def parse_args(argv=None):
    """Parse the command line; without a command, `lfw` is run."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help")):
        argv.insert(0, "lfw")
    parser = options.Parser(__doc__)
    commands = parser.add_subparsers(dest="run", required=True, metavar="command")
    _add_prepare(commands)
    _add_lfw(commands)
    _add_ade20k(commands)

    check_options.add(_add(commands, "check", check_options.run, "find what is wrong with data"))

    sample = _add(commands, "sample", run_sample, "make synthetic images and their masks")
    sample.add_argument(
        "--kind",
        choices=("portraits", "scenes"),
        default="portraits",
        help="for lfw, or rooms for ade20k (default %(default)s)",
    )
    sample.add_argument("-o", "--out_dir", required=True, metavar="DIR")
    sample.add_argument("--count", type=options.count, default=200, help="(default %(default)s)")
    sample.add_argument("--seed", type=options.seed, default=1, help="(default %(default)s)")

    fetch = _add(commands, "download", run_download, "fetch a public data set")
    fetch.add_argument("name", choices=download.DATA_SETS)
    fetch.add_argument("-o", "--out_dir", default=DEFAULT_DATA_DIR, metavar="DIR")
    fetch.add_argument("--url", help="a mirror: address of the folder that holds the archives")
    parser.before_staging.append(_refuse)
    return parser.parse_args(argv)


def _refuse(parser, args):
    """Refuse options without another one that they need."""
    if args.run is run_ade20k:
        if args.list_labels:
            return
        for name in ("image_dir", "annotation_dir", "output"):
            if not getattr(args, name):
                raise InputError(f"--{name} is missing (see data.py ade20k --help)")
    if "whitelist" in args and args.whitelist is None and args.whitelist_threshold is not None:
        raise InputError("--whitelist_threshold is a fraction of the --whitelist, which is missing")


def _add_prepare(commands):
    prepare = _add(
        commands, "prepare", run_prepare, "turn images and masks into arrays or TFRecords"
    )
    prepare.add_argument(
        "--layout",
        choices=("auto", *readers.LAYOUTS),
        default="auto",
        help="layout of the source (default: detected from its folders)",
    )
    prepare.add_argument(
        "--format",
        choices=writers.FORMATS,
        help="format to write (default: tfrecord if --output ends in .tfrecord, else arrays)",
    )
    _add_data_dir(prepare)
    prepare.add_argument(
        "-l",
        "--labels",
        "--label_filename",
        metavar="FILE",
        help="labels.txt that names the classes, or objectInfo150.txt "
        "(default: the usual names of the mask format, or the file in the folder)",
    )
    data_options.add_source(prepare)
    _add_pair_of_folders(prepare)
    _add_whitelist(prepare)
    prepare.add_argument(
        "-o",
        "--output",
        "--out_dir",
        metavar="PATH",
        help="folder of the arrays, or a file name that ends in .tfrecord (default: data)",
    )
    _add_img_size(prepare, None)
    _add_num_shards(prepare, None)
    _add_max_bad(prepare)
    data_options.add_engine(prepare)


def _add_lfw(commands):
    lfw = _add(commands, "lfw", run_lfw, "turn folders of images and masks into arrays")
    _add_data_dir(lfw)
    lfw.add_argument("-o", "--out_dir", default="data", metavar="DIR", help="(default %(default)s)")
    _add_img_size(lfw, (128, 128))
    lfw.add_argument(
        "-l",
        "--labels",
        "--label_filename",
        metavar="FILE",
        help="labels.txt that names the classes (default: the usual names of the mask format)",
    )
    data_options.add_source(lfw)
    _add_max_bad(lfw)
    data_options.add_engine(lfw)


def _add_ade20k(commands):
    ade20k = _add(commands, "ade20k", run_ade20k, "turn images and index masks into TFRecords")
    _add_pair_of_folders(ade20k)
    ade20k.add_argument("-o", "--output", metavar="FILE", help="a name that ends in .tfrecord")
    ade20k.add_argument(
        "-l", "--label_filename", required=True, metavar="FILE", help="objectInfo150.txt or similar"
    )
    _add_whitelist(ade20k)
    ade20k.add_argument(
        "--list_labels", action="store_true", help="print the classes of the label file, and stop"
    )
    _add_num_shards(ade20k, 1)
    data_options.add_engine(ade20k)
    ade20k.add_argument(
        "--skip_bad",
        action="store_true",
        help="leave out damaged files, and masks of another size than their image",
    )


def _add_data_dir(parser):
    parser.add_argument(
        "-d",
        "--data_dir",
        action="append",
        metavar="DIR",
        help=f"folder of the images and masks; may be repeated (default {DEFAULT_DATA_DIR})",
    )


def _add_pair_of_folders(parser):
    parser.add_argument(
        "-i", "--image_dir", metavar="DIR", help="images of the layout ade20k, folders or coco"
    )
    parser.add_argument(
        "-a",
        "--annotation_dir",
        "--annotations",
        metavar="PATH",
        help="the folder of their masks, or the .json file of coco",
    )


def _add_whitelist(parser):
    parser.add_argument(
        "-w",
        "--whitelist",
        "--whitelist_labels",
        metavar="NAMES",
        help="classes to keep: a|b:c|d, b and c as one (default: all classes, all images)",
    )
    parser.add_argument(
        "-t",
        "--whitelist_threshold",
        type=options.fraction,
        metavar="FRACTION",
        help="of the classes of -w: an image that shows fewer is left out (default 0.7)",
    )


def _add_img_size(parser, default):
    parser.add_argument(
        "-s",
        "--img_size",
        "--image_size",
        type=options.img_size,
        default=default,
        metavar="SIZE",
        help="128, or 384x480 for height x width, multiples of 32 (default 128)",
    )


def _add_num_shards(parser, default):
    parser.add_argument(
        "--num_shards",
        type=options.count,
        default=default,
        metavar="N",
        help="number of TFRecord files, room-00000-of-0000N.tfrecord ... (default 1)",
    )


def _add_max_bad(parser):
    parser.add_argument(
        "--max_bad",
        type=options.fraction,
        default=0.01,
        metavar="FRACTION",
        help="damaged files are left out up to this fraction of all (default %(default)s)",
    )


def _add(commands, name, run, text):
    parser = commands.add_parser(name, help=text, description=f"{name}: {text}")
    parser.set_defaults(run=run)
    return parser


def run_prepare(args):
    """Turn images and masks of any layout into arrays or TFRecords."""
    threshold = _threshold(args)
    writer = data_options.open_writer(
        args.format, args.output, img_size=args.img_size, num_shards=args.num_shards
    )
    pair = {"image_dir": args.image_dir, "annotation_dir": args.annotation_dir}
    in_pair = any(pair.values())
    of_pair = "coco" if str(args.annotation_dir).endswith(".json") else "ade20k"
    open_reader = functools.partial(
        data_options.open_reader,
        of_pair if in_pair and args.layout == "auto" else args.layout,
        args.data_dir or (None if in_pair else [DEFAULT_DATA_DIR]),
        label_file=args.labels,
        exif=args.exif,
        whitelist=args.whitelist,
        **data_options.of_source(args),
        **pair,
    )
    return _prepare(args, open_reader, writer, args.max_bad, threshold)


def run_lfw(args):
    """Turn folders of images and masks into arrays."""
    writer = data_options.open_writer("arrays", args.out_dir, img_size=args.img_size)
    open_reader = functools.partial(
        data_options.open_reader,
        "folders",
        args.data_dir or [DEFAULT_DATA_DIR],
        label_file=args.labels,
        exif=args.exif,
        **data_options.of_source(args),
    )
    return _prepare(args, open_reader, writer, args.max_bad)


def run_ade20k(args):
    """Turn images and index masks into TFRecords, or list the classes of a label file."""
    if args.list_labels:
        return data_report.list_labels(args.label_filename)
    threshold = _threshold(args)
    writer = data_options.open_writer("tfrecord", args.output, num_shards=args.num_shards)
    open_reader = functools.partial(
        data_options.open_reader,
        "ade20k",
        None,
        label_file=args.label_filename,
        image_dir=args.image_dir,
        annotation_dir=args.annotation_dir,
        whitelist=args.whitelist,
    )
    return _prepare(args, open_reader, writer, 1 if args.skip_bad else None, threshold)


def _threshold(args):
    given = args.whitelist_threshold
    usual = None if args.whitelist is None else preparation.DEFAULT_THRESHOLD
    return usual if given is None else given


def _prepare(args, open_reader, writer, max_bad, threshold=None):
    with data_options.open_engine(args) as engine:
        reader = open_reader(absolute=engine.elsewhere)
        result = preparation.prepare(reader, writer, engine, max_bad, threshold)
    data_report.print_prepared(result)
    return result


def run_sample(args):
    """Write synthetic portraits or scenes."""
    from segmentation.synthetic import portrait_dataset, room_dataset

    if args.kind == "scenes":
        return room_dataset.write_rooms(args.out_dir, args.count, args.seed)
    return portrait_dataset.write_portraits(args.out_dir, args.count, args.seed)


def run_download(args):
    """Fetch a data set."""
    return download.download(args.name, args.out_dir, url=args.url)


def main(argv=None):
    """Run the command; return its exit status."""
    args = parse_args(argv)
    result = args.run(args)
    terminal.print_result(result)
    return check_options.FOUND if args.run is check_options.run and result["findings"] else 0


if __name__ == "__main__":
    terminal.run(main)
