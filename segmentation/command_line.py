"""How every command parses its options, shows progress, reports and exits."""

import argparse
import json
import math
import os
import re
import sys

from segmentation.errors import InputError

# TensorFlow's start-up notices (oneDNN, CPU features) hide the lines that matter.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

STRIDE = 32  # of the networks' deepest features


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
    """Call `main()` and exit: 0 done, 2 a mistake that the user can mend, 130 interrupted.

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
    sys.exit(status)
