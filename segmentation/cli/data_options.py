"""Options that name data: prepared ones to measure on, source layouts, and what they become."""

import contextlib
import inspect
import os
from pathlib import Path

from segmentation.cli import options
from segmentation.errors import InputError

DEFAULT_FOLDER = "data"
NUM_CPUS = os.cpu_count() or 1
RECORDS = "TFRecords: a file, a shard (for all of its set), their folder, or a pattern"
PAIR = ("image_dir", "annotation_dir")
OPTIONS = {"label_file": "labels", "data_dirs": "data_dir"}  # of arguments with another name


def add(parser):
    """Add the options that name prepared data to measure on; `open_data` reads them."""
    parser.add_argument("--img_file", type=Path, help="images-….npy that data.py wrote")
    parser.add_argument("--mask_file", type=Path, help="default: masks-….npy beside --img_file")
    parser.add_argument("-d", "--tfrecord_data", type=Path, help=RECORDS)
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


def add_source(parser):
    """Add the options that say what files in a source layout mean; `of_source` returns them."""
    from segmentation.data import mask_formats

    parser.add_argument(
        "--mask_format",
        choices=("auto", *mask_formats.FORMATS),
        default="auto",
        help="of masks in image files: red/green/blue parts, class ids, black and white, or a "
        "colour per class (default: detected)",
    )
    parser.add_argument(
        "--colors",
        metavar="FILE",
        help="the classes of colours: labelmap.txt, class_dict.csv, a labels.txt with a column "
        "color; or voc (default: such a file in the folder)",
    )
    parser.add_argument(
        "--mask_suffix",
        metavar="TEXT",
        help="what a mask's name has more than its image's: _mask for 1.jpg and 1_mask.png "
        "(default: detected)",
    )
    parser.add_argument(
        "--exif",
        choices=("apply", "ignore"),
        default="apply",
        help="ignore: images and masks lie as stored, not upright (default: apply)",
    )


def add_workers(parser, default=NUM_CPUS, what="threads"):
    """Add the number of threads, or of what it is."""
    parser.add_argument(
        "--workers",
        type=options.count,
        default=default,
        metavar="N",
        help=f"{what} (default {NUM_CPUS}); the files are the same for any number",
    )


def add_engine(parser):
    """Add the options that say where samples are worked on; `open_engine` reads them."""
    add_workers(parser, None, "threads, or processes of --engine dask")
    parser.add_argument(
        "--engine",
        choices=("threads", "dask"),
        default="threads",
        help="dask: on a Dask cluster, by default one that is started on this machine "
        "(default %(default)s)",
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="of the Dask cluster, such as tcp://host:8786"
    )


def open_engine(args):
    """Return a context manager of the engine that the options of `add_engine` say.

    Raises:
        InputError: for options that do not go together.
    """
    from segmentation.data import engines

    workers = args.workers or NUM_CPUS
    if args.engine == "threads":
        if args.scheduler:
            raise InputError("--scheduler goes with --engine dask")
        return contextlib.nullcontext(engines.Threads(workers))
    if args.scheduler and args.workers:
        raise InputError(
            "--workers is for this machine, and a --scheduler has its own: leave it out"
        )
    return engines.open_dask(args.scheduler, workers)


def of_source(args):
    """Return the options of `add_source` but --exif, as `open_reader` takes them."""
    mask_format = None if args.mask_format == "auto" else args.mask_format
    return {"mask_format": mask_format, "colors": args.colors, "mask_suffix": args.mask_suffix}


def names_source(args):
    """Return whether any of the options of `add_source` was given."""
    return args.exif != "apply" or any(of_source(args).values())


def open_reader(layout, data_dirs, exif="apply", absolute=False, **given):
    """Return the `samples.Reader` of a source layout, its images surveyed.

    Args:
        layout: a key of `readers.LAYOUTS`, or "auto".
        data_dirs: folders; None if other options name the files.
        exif: as for `samples.survey`.
        absolute: whether the paths of samples have to be, for who works in another folder.
        given: the options that were given, None for those that were not.

    Raises:
        InputError: for an option that the layout does not take, and as `readers.detect` and its
            `open_reader`.
    """
    from segmentation.data import readers, samples

    data_dirs = data_dirs and [Path(data_dir) for data_dir in data_dirs]
    if absolute:
        data_dirs = data_dirs and [data_dir.absolute() for data_dir in data_dirs]
        given |= {name: Path(given[name]).absolute() for name in PAIR if given.get(name)}
    if layout == "auto":
        layout = readers.detect(data_dirs)
    function = readers.LAYOUTS[layout].open_reader
    reader = _call(function, {"data_dirs": data_dirs} | given, f"the layout {layout}")
    return samples.survey(reader, exif)


def open_writer(file_format, output, **given):
    """Return a writer of a format.

    Args:
        file_format: a key of `writers.FORMATS`, or None: what the suffix of `output` says.
        output: path, or None for the usual one.
        given: the options that were given, None for those that were not.

    Raises:
        InputError: for an option that the format does not take, or an output that does not fit it.
    """
    from segmentation.data import tfrecords, writers

    is_records = Path(output or DEFAULT_FOLDER).suffix == tfrecords.SUFFIX
    file_format = file_format or ("tfrecord" if is_records else "arrays")
    if is_records and file_format == "arrays":
        raise InputError(f"{output}: arrays go to a folder; name one without {tfrecords.SUFFIX}")
    given |= {"output": output or DEFAULT_FOLDER}
    return _call(writers.FORMATS[file_format], given, f"the format {file_format}")


def _call(function, given, what):
    """Call a function with the options that are given; refuse one that it does not take."""
    given = {name: value for name, value in given.items() if value is not None}
    parameters = inspect.signature(function).parameters
    for name in given:
        if name not in parameters:
            raise InputError(f"--{OPTIONS.get(name, name)} does not go with {what}")
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in given:
            raise InputError(f"--{OPTIONS.get(name, name)} is missing for {what}")
    return function(**given)
