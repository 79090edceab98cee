"""What a command shows at the terminal, and how it exits."""

import json
import logging
import os
import sys
import traceback

import segmentation
from segmentation import progress, remote, storage
from segmentation.errors import InputError, TryAgainError, WorkerError

# TensorFlow's start-up notices (oneDNN, CPU features) hide the lines that matter.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

logger = logging.getLogger(segmentation.__name__)
_worker = None  # number of this process, where there are several


class _Lines(logging.Handler):
    """Writes each record as a line to stderr: stdout carries results only.

    Not rich's own handler, which wraps a line at the width of the terminal, or at 80 characters
    where there is none: a message stays one line. A bar of rich's stays below it.
    """

    def emit(self, record):
        """Write a record."""
        name = f"worker {_worker}: " if _worker else ""
        print(name + remote.shown(self.format(record)), file=sys.stderr, flush=True)


def connect():
    """Show what the library logs, and the progress of its loops, at the terminal."""
    if not any(isinstance(handler, _Lines) for handler in logger.handlers):
        logger.addHandler(_Lines())
    logger.setLevel(logging.INFO)
    logger.propagate = False  # absl gives the root logger a handler, which would repeat each line
    progress.display_with(bar)


def connect_worker(share):
    """Let the first of several workers speak for all; the others only warn, and say who they are.

    Args:
        share: `Share` of this process.
    """
    global _worker
    if share.workers > 1:
        _worker = share.worker
        logger.setLevel(logging.WARNING if _worker else logging.INFO)


def bar(items, total, description):
    """Yield from `items`, drawing a bar on stderr when that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(
        items,
        description,
        total=total,
        console=console,
        disable=bool(_worker) or not console.is_terminal,
        transient=True,
    )


def say(text):
    """Show a line to the person at the terminal."""
    logger.info("%s", text)


def show(text):
    """Print lines of a result (stdout)."""
    print(remote.shown(text), flush=True)


class EpochBar:
    """The progress bar of a training epoch, on stderr where that is a terminal."""

    def __init__(self):
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        disable = bool(_worker) or not console.is_terminal
        self._bar = Progress(console=console, transient=True, disable=disable)
        self._task = self._bar.add_task("")

    def start(self, total, text):
        """Begin an epoch of `total` steps."""
        self._bar.reset(self._task, total=total, description=text)
        self._bar.start()

    def advance(self):
        """Move the bar by one step."""
        self._bar.advance(self._task)

    def stop(self):
        """Remove the bar."""
        self._bar.stop()


def print_result(result):
    """Print `result`, a dictionary, as the one JSON line that ends stdout, but by one worker."""
    if not _worker:
        print(remote.shown(json.dumps(result)), flush=True)


def run(main):
    """Call `main()` and exit: 0 done, 2 a mistake that the user can fix, 75 something from outside
    that may pass, 130 interrupted, 1 if nobody reads the output any more.

    Any other exception is a fault of ours: its traceback shows and the status is 1.
    """
    connect()
    try:
        status = _sending(main)
    except (InputError, TryAgainError, WorkerError) as error:
        logger.error("error: %s", error)
        status = error.status
    except KeyboardInterrupt:
        logger.error("interrupted")
        status = 130
    except BrokenPipeError:  # whoever read the output, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except Exception:
        if not _has_peers():
            raise
        traceback.print_exc()
        status = 1
    if status and _has_peers():
        # Else JAX waits 5 minutes for the other workers to end too, and they wait for this one.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def _sending(main):
    """Call `main()` and, however it ends, send what it has written for a bucket."""
    try:
        status = main()
    except BaseException:
        try:
            storage.finish()
        except InputError as error:
            logger.error("error: %s", error)
        raise
    storage.finish()
    return status


def _has_peers():
    """Return whether this process is a worker among others that JAX has connected."""
    jax = sys.modules.get("jax")
    return jax is not None and jax.distributed.is_initialized()
