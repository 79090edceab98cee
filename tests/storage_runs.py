"""Commands run as at the terminal, for the tests of buckets."""

import pytest

import nets
import tiny_network
from segmentation.cli import terminal

TRAIN = [*tiny_network.SMALL, "--no_augment"]


def run(command, *options):
    """Run a command as it is run at the terminal; return its exit status."""
    with pytest.raises(SystemExit) as end:
        terminal.run(lambda: command.main([str(option) for option in options]))
    return end.value.code or 0


def trained(path):
    """Return the weights of a model."""
    return nets.load(path).get_weights()
