"""Start large libraries: quickly, and without their chatter."""

import contextlib
import functools
import gc
import os
import sys

from segmentation.errors import InputError, reason

# What `pip install` needs to be told to bring a backend of Keras.
REQUIREMENTS = {
    "tensorflow": "-r requirements.txt",
    "jax": "-r requirements-jax.txt",
    "torch": "torch",
}


def start_keras(connect=None):
    """Import Keras and start its backend, without TensorFlow's start-up messages.

    Args:
        connect: function to call between the import and the first computation, or None.

    Raises:
        InputError: if the backend is missing or unknown.
    """
    try:
        with silenced():
            keras = _imported_keras()
        if connect:
            connect()
        with silenced():
            keras.ops.ones(1)
    except (ImportError, ValueError) as error:
        missing = REQUIREMENTS.get((getattr(error, "name", None) or "").partition(".")[0])
        install = f"run pip install {missing}, or " if missing else ""
        raise InputError(
            f"Keras cannot start its backend ({reason(error)}): {install}set KERAS_BACKEND to "
            f"another of {', '.join(REQUIREMENTS)} (the converters need tensorflow)"
        ) from None
    from absl import logging

    logging.set_verbosity(logging.ERROR)  # Keras warns about .h5 whenever it saves one


@functools.cache  # once: whatever there is when `gc.freeze` is called is never freed
def _imported_keras():
    """Import Keras without garbage collection, which then passes over what was imported.

    All of it stays, and there is much: searching it again and again takes a third of the time in
    which TensorFlow is imported, and of each conversion to Core ML, where coremltools collects.
    """
    gc.disable()
    try:
        import keras

        return keras
    finally:
        gc.enable()
        gc.freeze()


# Never closed: a library's log handler keeps the stderr that it found when it was imported.
NOWHERE = open(os.devnull, "w")  # noqa: SIM115


@contextlib.contextmanager
def silenced():
    """Discard all output to stdout and stderr, that of C++ code included.

    For calls into libraries whose messages no option turns off. Exceptions pass through.
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
