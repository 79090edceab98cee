"""The options of `data.py check`, and what it runs."""

import contextlib
import logging
from dataclasses import replace
from pathlib import Path

import segmentation
from segmentation.cli import data_options, options
from segmentation.data import pairing, readers
from segmentation.errors import InputError

logger = logging.getLogger(__name__)

FOUND = 3  # exit status: there are findings
PARTNERS = {"pictures": "a mask", "masks": "an image"}
DIVISIONS = {"train": "training", "training": "training"} | dict.fromkeys(
    ("val", "valid", "validation"), "validation"
)


def add(parser):
    """Add the options of `data.py check`."""
    data = "a folder in a layout of prepare, images-….npy, or TFRecords"
    parser.add_argument("-d", "--data", required=True, type=Path, metavar="PATH", help=data)
    parser.add_argument(
        "--validation",
        type=Path,
        metavar="PATH",
        help="other data, which must not show the same images "
        "(default: what the folder calls validation)",
    )
    parser.add_argument("-l", "--labels", metavar="FILE", help="default: labels.txt beside")
    parser.add_argument("--layout", choices=("auto", *readers.LAYOUTS), default="auto")
    data_options.add_source(parser)
    parser.add_argument("-m", "--model", metavar="MODEL", help="rank the masks that it disputes")
    parser.add_argument(
        "--fewest",
        type=options.count,
        default=10,
        metavar="N",
        help="a class that fewer images show is a finding (default %(default)s)",
    )
    parser.add_argument(
        "-o", "--out_dir", default="check", metavar="DIR", help="(default %(default)s)"
    )
    data_options.add_workers(parser)


def run(args):
    """Check data; return what is printed."""
    from segmentation.checking import check
    from segmentation.data import labels

    predict = _load(args.model) if args.model else None
    out_dir = Path(args.out_dir)
    if out_dir.exists() and not out_dir.is_dir():
        raise InputError(f"{out_dir}: --out_dir names a folder, and this is a file")
    with _warnings() as notes:
        path, other = args.data, args.validation
        try:
            datasets, more = _open(path, args)
        except pairing.DividedError as error:
            path, other = _divided(error, other)
            datasets, more = _open(path, args)
        if other:
            validation, theirs = _open(other, args)
            datasets = {"training": _whole(datasets, path)} | {
                "validation": _whole(validation, other)
            }
            more += [
                replace(one, samples=tuple(("validation", number) for _, number in one.samples))
                for one in theirs
            ]
    names = next(iter(datasets.values())).labels
    labels.check(names)
    data = [path, *([other] if other else [])]
    return check.check(
        datasets, out_dir, data, args.fewest, args.workers, more, notes, predict=predict
    )


def _load(path):
    from segmentation import model_card
    from segmentation.inference import predictor
    from segmentation.quiet import start_keras

    start_keras()
    predict = predictor.load(path)
    if not predict.named:
        raise InputError(
            f"{path}: no model card {model_card.path_beside(path).name} beside it to name its "
            "classes; copy the one that training wrote"
        )
    return predict


def _divided(error, other):
    """Return the folders of training and of validation in a set with both."""
    named = {DIVISIONS.get(pairing.division(folder.name)): folder for folder in error.folders}
    if other or not {"training", "validation"} <= named.keys():
        raise error
    chosen = named["training"], named["validation"]
    if left := [str(folder) for folder in error.folders if folder not in chosen]:
        logger.info("not checked: %s; name it with -d in another run", ", ".join(left))
    return chosen


def _whole(datasets, path):
    if len(datasets) > 1:
        raise InputError(f"{path}: has training and validation already; leave out --validation")
    return next(iter(datasets.values()))


def _open(path, args):
    """Return a `Dataset` by part, and the findings that show before any sample is read."""
    from segmentation.data import arrays, tfrecords

    folder = path.is_dir()
    records = any(path.glob(f"*{tfrecords.SUFFIX}")) if folder else path.suffix == tfrecords.SUFFIX
    if records or (path.suffix == ".npy" and not folder):
        if args.layout != "auto" or data_options.names_source(args):
            raise InputError(
                f"{path}: is prepared data: --layout, --mask_format, --colors, --mask_suffix and "
                "--exif go with folders of images and masks; leave them out"
            )
        if records:
            return {"training": tfrecords.open_records(path, args.labels)}, []
        return {"training": arrays.open_arrays(path, label_file=args.labels)}, []
    return _open_folder(path, args)


def _open_folder(path, args):
    from segmentation.checking.findings import Finding
    from segmentation.data.dataset import Subset
    from segmentation.data.samples import SourceFiles

    reader = data_options.open_reader(
        args.layout, [path], args.exif, label_file=args.labels, **data_options.of_source(args)
    )
    data = SourceFiles(reader)
    more = [
        Finding("unpaired", kind, f"{count} without {PARTNERS[kind]}, left out")
        for kind, count in reader.unpaired.items()
        if count
    ]
    rows = {}
    for number, sample in enumerate(reader.samples):
        inside = sample.image.parts[len(path.parts) :]
        parts = (DIVISIONS.get(pairing.division(one)) for one in inside)
        part = next(filter(None, parts), "")
        rows.setdefault(part or "training", []).append(number)
    for part, numbers in rows.items():
        for place, number in enumerate(numbers):
            sample = reader.samples[number]
            if sample.orientation > 1:
                detail = f"orientation {sample.orientation}"
                more.append(Finding("exif", sample.stem, detail, ((part, place),)))
    return {part: Subset(data, numbers) for part, numbers in rows.items()}, more


@contextlib.contextmanager
def _warnings():
    """Yield a list that fills with the lines that reading the data logs."""
    notes = []
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: notes.append(record.getMessage())
    logger = logging.getLogger(segmentation.__name__)
    logger.addHandler(handler)
    try:
        yield notes
    finally:
        logger.removeHandler(handler)
