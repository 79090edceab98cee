"""The parser of every command, and the types of its options."""

import argparse
import glob
import math
import os
import re
import sys

from segmentation import remote
from segmentation.cli import storage_options
from segmentation.errors import InputError

RECORD_SUFFIX = ".tfrecord"
RECORD_OPTIONS = ("-d", "--tfrecord_data", "--val_tfrecord_data")
STRIDE = 32  # of the networks' deepest features


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that takes `--img-size` for `--img_size` and refuses abbreviations.

    `description` is the docstring of the command: it opens `--help` as it is written.

    Attributes:
        before_staging: functions of this parser and the parsed options, which they may change. They
            are called before files in buckets are looked at: what clashes is said before anything
            is fetched.
    """

    def __init__(self, description, **options):
        super().__init__(
            description=description,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **options,
        )
        self.before_staging = []

    def parse_args(self, args=None, namespace=None):
        """Parse `args` as argparse does; files in buckets are copied, see `storage_options`."""
        namespace = super().parse_args(args, namespace)
        for complete in self.before_staging:
            complete(self, namespace)
        storage_options.stage(namespace)
        return namespace

    def parse_known_args(self, args=None, namespace=None):
        """Parse `args` (default: the command line) after spelling each option with underscores."""
        args = sys.argv[1:] if args is None else args
        args = [_underscored(arg) for arg in args]
        return super().parse_known_args(_without_expansions(args), namespace)

    def error(self, message):
        """Say what is wrong in one line, as for every other mistake, and exit with status 2."""
        self.exit(2, remote.shown(f"error: {message} (see {self.prog} --help)\n"))


def _underscored(arg):
    if not re.match(r"--[a-zA-Z]", arg):
        return arg
    name, equals, value = arg.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def _without_expansions(args):
    """Put a pattern in the place of the TFRecords that a shell made of one, since options take one.

    `-d a-0.tfrecord a-1.tfrecord` becomes `-d a-*.tfrecord`, if that fits these files alone.
    """
    kept = []
    for arg in args:
        is_records = arg.endswith(RECORD_SUFFIX)
        if is_records and len(kept) > 1 and kept[-2] in RECORD_OPTIONS:
            kept[-1] = [*kept[-1], arg] if isinstance(kept[-1], list) else [kept[-1], arg]
        else:
            kept.append(arg)
    return [_pattern(arg) if isinstance(arg, list) else arg for arg in kept]


def _pattern(names):
    start = os.path.commonprefix(names)
    end = os.path.commonprefix([name[len(start) :][::-1] for name in names])[::-1]
    pattern = f"{glob.escape(start)}*{glob.escape(end)}"
    if sorted(glob.glob(pattern)) != sorted(names):
        raise InputError(
            f"{names[0]} and {len(names) - 1} more files: name one set of TFRecords by a pattern "
            "in quotes, or by its folder"
        )
    return pattern


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
    """Parse an integer ≥ 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}': expected an integer ≥ 1")
    return int(text)


def non_negative(text):
    """Parse an integer ≥ 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}': expected an integer ≥ 0")
    return int(text)


def seed(text):
    """Parse a seed, which NumPy wants below 2³²."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"'{text}': expected an integer from 0 to {2**32 - 1}")
    return int(text)


def positive(text):
    """Parse a number above 0."""
    return _number(text, lambda value: value > 0, "a number above 0")


def fraction(text):
    """Parse a number from 0 to 1."""
    return _number(text, lambda value: 0 <= value <= 1, "a fraction from 0 to 1")


def _number(text, is_right, wanted):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not is_right(value) or math.isinf(value):
        raise argparse.ArgumentTypeError(f"'{text}': expected {wanted}")
    return value


def one_or_three(text):
    """Parse `127.5` or `123.7,116.8,103.9` into three numbers, of R, G and B."""
    values = [_number(part, math.isfinite, "a number, or three") for part in text.split(",")]
    if len(values) not in (1, 3):
        raise argparse.ArgumentTypeError(f"'{text}': write one number, or three for R,G,B")
    return tuple(values * 3)[:3]
