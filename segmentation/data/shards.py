"""What a worker of a cluster does: some samples, a shard, into a file that the client reads.

A shard can be done any number of times: it is written under a temporary name and then renamed, and
a file under its final name is whole.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import logging
import os
import pickle
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, NamedTuple

import segmentation
from segmentation.errors import InputError, WorkerError, reason

DISTRIBUTIONS = ("distributed", "numpy", "pillow", "pi-heif", "opencv-python-headless")
DISTRIBUTIONS += ("pycocotools",)  # with those before, all that decodes, draws and encodes


class Outcome(NamedTuple):
    """What became of a sample: a result or an error, and what was logged, `(level, text)`."""

    result: Any
    error: Exception | None
    messages: list[tuple[int, str]]


def _facts():
    """Return what must be the same here and there, by name, so that the files are the same."""
    versions = {"Python": "{}.{}".format(*sys.version_info)}
    for name in DISTRIBUTIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted([*package.glob("*.py"), *package.glob("data/**/*.py")]):
        digest.update(path.read_bytes())
    return versions | {"the code of this project": digest.hexdigest()[:12]}


FACTS = _facts()  # of what was imported: a worker that runs on after an update is the older one


def run(facts, image, part, function, samples):
    """Work on the samples of a shard, unless that was done before by a worker that has died since.

    Args:
        facts: `FACTS` of the client.
        image: path of an image, which this machine must see.
        part: path of the file to write, of a pickled `Outcome` for each sample up to an error. Its
            folder must be there.
        function: path of a function of a sample, pickled, in the folder of `part`.
        samples: list of `Sample`, pickled, so that versions are compared before it is loaded.

    Raises:
        InputError: if this machine has other versions, does not see the files, or cannot write.
    """
    host = socket.gethostname()
    for name, version in facts.items():
        if FACTS.get(name) != version:
            raise InputError(
                f"the worker on {host} has {name} {FACTS.get(name)}, and this machine {version}: "
                "install the same on both, and start the worker anew"
            )
    for path, what in ((image, "images"), (part.parent, "the output")):
        if not path.exists():
            place = path.parent
            raise InputError(
                f"the worker on {host} does not see {place}: {what} must lie on a disk that all "
                "workers share, under one path"
            )
    if part.exists():
        return
    samples = pickle.loads(samples)
    try:
        function = _load(function)
        with tempfile.NamedTemporaryFile(dir=part.parent, delete=False) as file:
            for sample in samples:
                outcome = _outcome(function, sample, host)
                pickle.dump(outcome, file)
                if outcome.error:
                    break
        os.replace(file.name, part)
    except OSError as error:
        raise InputError(
            f"the worker on {host} cannot work in {part.parent.parent} ({error.strerror})"
        ) from None


@functools.lru_cache(maxsize=1)
def _load(path):
    return pickle.loads(path.read_bytes())


def _outcome(function, sample, host):
    with _logged() as messages:
        try:
            return Outcome(function(sample), None, messages)
        except InputError as error:
            return Outcome(None, error, messages)
        except Exception as error:
            line = f"{type(error).__name__}: {reason(error)}"
            fault = f"{sample.image}, on {host}: {line}; the traceback shows without --engine dask"
            return Outcome(None, WorkerError(fault), messages)


@contextlib.contextmanager
def _logged():
    """Yield a list of what this thread logs meanwhile, for whoever runs the command to see."""
    handler = _Messages(threading.get_ident())
    logger = logging.getLogger(segmentation.__name__)
    logger.setLevel(logging.INFO)  # as a command's
    logger.addHandler(handler)
    try:
        yield handler.messages
    finally:
        logger.removeHandler(handler)


class _Messages(logging.Handler):
    def __init__(self, thread):
        super().__init__()
        self._thread, self.messages = thread, []

    def emit(self, record):
        if record.thread == self._thread:
            self.messages.append((record.levelno, record.getMessage()))
