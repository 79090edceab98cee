"""Keeping libraries quiet while they work."""

import contextlib
import os
import sys

from segmentation.errors import InputError, reason


def start_keras():
    """Import Keras and start its backend: TensorFlow announces itself, here to nobody."""
    try:
        with silenced():
            import keras
            from absl import logging

            keras.ops.ones(1)
    except (ImportError, ValueError) as error:
        raise InputError(
            f"Keras cannot start its backend ({reason(error)}): install it; KERAS_BACKEND may name "
            "another, but for the converters"
        ) from None
    logging.set_verbosity(logging.ERROR)  # Keras warns of .h5 at every epoch that is kept


# Never closed: a library's log handler keeps hold of what was stderr when it was imported.
NOWHERE = open(os.devnull, "w")  # noqa: SIM115


@contextlib.contextmanager
def silenced():
    """Send what is written to stdout and stderr, also by C++ code, to nowhere.

    For calls into libraries whose notices no option turns off. Exceptions pass through.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(stream, os.dup(stream)) for stream in (1, 2)]
    try:
        for stream, _ in kept:
            os.dup2(NOWHERE.fileno(), stream)
        with contextlib.redirect_stdout(NOWHERE), contextlib.redirect_stderr(NOWHERE):
            yield
    finally:
        for stream, copy in kept:
            os.dup2(copy, stream)
            os.close(copy)
