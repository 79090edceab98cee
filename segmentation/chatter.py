"""Keeping libraries quiet while they work."""

import contextlib
import os
import sys


def start_keras():
    """Import Keras and start its backend: TensorFlow announces itself, here to nobody."""
    with silenced():
        import keras

        keras.ops.ones(1)


@contextlib.contextmanager
def silenced():
    """Send what is written to stdout and stderr, also by C++ code, to nowhere.

    For calls into libraries whose notices no option turns off. Exceptions pass through.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(stream, os.dup(stream)) for stream in (1, 2)]
    try:
        with open(os.devnull, "w") as nowhere:
            for stream, _ in kept:
                os.dup2(nowhere.fileno(), stream)
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            with contextlib.redirect_stderr(nowhere):
                yield
    finally:
        for stream, copy in kept:
            os.dup2(copy, stream)
            os.close(copy)
