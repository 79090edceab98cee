"""How every command parses its options, shows progress, reports and exits."""

import argparse
import json
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
