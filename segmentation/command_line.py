"""How every command parses its options, shows progress, reports and exits."""

import argparse
import json
import math
import os
import re
import sys
from pathlib import Path

import nets
from segmentation import older_models
from segmentation.errors import InputError

# TensorFlow's start-up notices (oneDNN, CPU features) hide the lines that matter.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

STRIDE = 32  # of the networks' deepest features
# Of `add_older_model_options`, but for --model.
OLDER_MODEL_OPTIONS = (
    *("classes", "origin", "input_mean", "input_std"),
    *("img_size", "alpha", "alpha_up", "upsampling"),
)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that takes `--img-size` for `--img_size` and refuses abbreviations.

    `description` is the docstring of the command: it opens `--help` as it is written.
    """

    def __init__(self, description, **options):
        super().__init__(
            description=description,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **options,
        )

    def parse_known_args(self, args=None, namespace=None):
        """Parse `args` (default: the command line) after spelling each option with underscores."""
        args = sys.argv[1:] if args is None else args
        return super().parse_known_args([_underscored(arg) for arg in args], namespace)

    def error(self, message):
        """Say what is wrong in one line, as for every other mistake, and exit with status 2."""
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def _underscored(arg):
    if not re.match(r"--[a-zA-Z]", arg):
        return arg
    name, equals, value = arg.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def img_size(text):
    """Parse `128` or `384x480` (height × width, pixels) into `(height, width)`, multiples of 32."""
    if not re.fullmatch(r"\d+(x\d+)?", text):
        raise argparse.ArgumentTypeError(
            f"'{text}' is no size: write 128, or 384x480 for height x width"
        )
    sides = [int(side) for side in text.split("x")]
    height, width = sides[0], sides[-1]
    if height < STRIDE or width < STRIDE or height % STRIDE or width % STRIDE:
        raise argparse.ArgumentTypeError(
            f"'{text}': height and width must be multiples of {STRIDE}, {STRIDE} or more"
        )
    return height, width


def count(text):
    """Parse a whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 1 on")
    return int(text)


def whole(text):
    """Parse a whole number from 0 on."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 0 on")
    return int(text)


def seed(text):
    """Parse a seed, which NumPy wants below 2³²."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 0 to {2**32 - 1}")
    return int(text)


def positive(text):
    """Parse a number above 0."""
    return _number(text, lambda value: value > 0, "number above 0")


def share(text):
    """Parse a number from 0 to 1."""
    return _number(text, lambda value: 0 <= value <= 1, "share from 0 to 1")


def _number(text, is_right, wanted):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not is_right(value) or math.isinf(value):
        raise argparse.ArgumentTypeError(f"'{text}' is no {wanted}")
    return value


def one_or_three(text):
    """Parse `127.5` or `123.7,116.8,103.9` into three numbers, of R, G and B."""
    values = [_number(part, math.isfinite, "number, nor three") for part in text.split(",")]
    if len(values) not in (1, 3):
        raise argparse.ArgumentTypeError(f"'{text}': write one number, or three for R,G,B")
    return tuple(values * 3)[:3]


def add_older_model_options(parser, networks=older_models.OF_WEIGHTS):
    """Add what a model of another project does not say itself; `older_model` reads it.

    Args:
        parser: `Parser`.
        networks: what --model chooses from.
    """
    group = parser.add_argument_group("models of other projects (see README)")
    group.add_argument(
        "--classes", help="of a model without card: hair,face or a|b, in the order of its channels"
    )
    group.add_argument(
        "--from", dest="origin", choices=older_models.ORIGINS, help="which normalised outside"
    )
    group.add_argument(
        "--input_mean", type=one_or_three, metavar="M", help="or normalised by: one number or R,G,B"
    )
    group.add_argument("--input_std", type=one_or_three, metavar="S", help="the same")
    group.add_argument(
        "--model",
        dest="network",
        choices=networks,
        help="for an .h5 of weights only",
    )
    group.add_argument("-s", "--img_size", type=img_size, help="that such weights are to work at")
    group.add_argument("-a", "--alpha", type=positive, help="that they were trained with (1)")
    group.add_argument("--alpha_up", type=positive, help="the same (0.25)")
    group.add_argument("--upsampling", choices=nets.UPSAMPLINGS, help="the same")


def older_model(args):
    """Return the `older_models.Given` of parsed options.

    Raises:
        InputError: if some contradict others, or lack them.
    """
    normalization = older_models.ORIGINS.get(args.origin)
    by_numbers = (args.input_mean, args.input_std)
    if by_numbers != (None, None):
        if normalization or None in by_numbers:
            raise InputError("give --from, or --input_mean and --input_std")
        if 0 in args.input_std:
            raise InputError("--input_std: nothing can be divided by 0")
        normalization = by_numbers
    arguments = {name: getattr(args, name) for name in ("alpha", "alpha_up", "upsampling")}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    if (args.network is None) != (args.img_size is None):
        raise InputError("--model, for a file of weights only, and --img_size go together")
    return older_models.Given(
        args.origin, normalization, args.classes, args.network, args.img_size, arguments
    )


def load(path, given):
    """Return the `predictor.Predictor` of a model, and say what is in doubt about it.

    Args:
        path: of the model, in any format.
        given: of `older_model`.
    """
    from segmentation import predictor

    predict = predictor.load(path, given)
    known = (predict.card or {}).get("arguments", {})
    for name, value in given.arguments.items():
        if known.get(name, value) != value:
            raise InputError(f"{path}: has {name} {known[name]}, not {value}; leave out --{name}")
        if name not in known and not given.network:
            say(f"{path}: --{name} has no effect, as the file holds the network itself")
    if doubt := older_models.doubt(given, predict.img_size):
        say(doubt)
    return predict


def add_prepared(parser):
    """Add the options that name prepared data to measure on; `open_prepared` reads them."""
    parser.add_argument("--img_file", type=Path, help="images-….npy that data.py wrote")
    parser.add_argument("--mask_file", type=Path, help="default: masks-….npy beside --img_file")
    parser.add_argument("-d", "--tfrecord_data", type=Path, help="TFRecords that data.py wrote")
    parser.add_argument("-l", "--labels", type=Path, help="default: labels.txt beside the data")
    parser.add_argument("--split", choices=("all", "validation"), default="all")


def check_prepared(parser, args):
    """Refuse options of `add_prepared` that do not go together."""
    if args.img_file and args.tfrecord_data:
        parser.error("--img_file and --tfrecord_data name two data sets: leave one out")
    if args.mask_file and not args.img_file:
        parser.error("--mask_file goes with --img_file")
    if args.split != "all" and not (args.img_file or args.tfrecord_data):
        parser.error("--split goes with --img_file or --tfrecord_data")


def open_prepared(args, card):
    """Return the `evaluation.Pairs` of the prepared data that the options name.

    Args:
        args: parsed options of `add_prepared`, and `model`, its path.
        card: of the model.
    """
    from segmentation import datasets, evaluation, tfrecords

    path = args.img_file or args.tfrecord_data
    if args.img_file:
        data = datasets.open_arrays(path, args.mask_file, args.labels)
    else:
        data = tfrecords.open_records(path, args.labels)
    if args.split == "validation":
        return evaluation.held_out(data, path, args.model, card)
    return evaluation.from_prepared(data)


def progress(items, total, description):
    """Yield from `items`, drawing a bar on stderr when that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(
        items,
        description,
        total=total,
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def say(text):
    """Print a line for the person at the terminal (stderr: stdout carries results only)."""
    print(text, file=sys.stderr, flush=True)


def show(text):
    """Print lines of a result (stdout)."""
    print(text, flush=True)


class TrainingReport:
    """Lines for the person at the terminal, and a bar for each epoch where stderr is a terminal."""

    def __init__(self):
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self._bar = Progress(console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("")

    def start(self, total, text):
        """Begin a bar of `total` steps."""
        self._bar.reset(self._task, total=total, description=text)
        self._bar.start()

    def advance(self):
        """Move the bar by a step."""
        self._bar.advance(self._task)

    def stop(self):
        """Take the bar away."""
        self._bar.stop()

    def say(self, text):
        """Print a line; a bar stays below it."""
        say(text)


def print_result(result):
    """Print `result`, a dictionary, as the one JSON line that ends stdout."""
    print(json.dumps(result), flush=True)


def run(main):
    """Call `main()` and exit: 0 done, 2 a mistake that the user can mend, 130 interrupted, 1 if
    nobody reads the output any more.

    Any other exception is a fault of ours: its traceback shows and the status is 1.
    """
    try:
        status = main()
    except InputError as error:
        say(f"error: {error}")
        status = 2
    except KeyboardInterrupt:
        say("interrupted")
        status = 130
    except BrokenPipeError:  # whoever read the output, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)
