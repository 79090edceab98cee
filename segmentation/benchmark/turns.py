"""Measuring files in turn, so that a machine that slows down or warms up does so for all alike."""

import platform
from pathlib import Path

import numpy as np

from segmentation import files, progress
from segmentation.benchmark import worker
from segmentation.benchmark.child import Child
from segmentation.errors import InputError
from segmentation.inference import predictor

RUNS = 5  # of a file in a round


def measure(paths, threads, rounds):
    """Measure models on this computer, each in a process of its own, A, B, A, B and so on.

    Args:
        paths: of models in formats that are read here.
        threads: how many threads each may use.
        rounds: how often each has its turn, `RUNS` runs.

    Returns:
        a dictionary per file, in order: those of `row`, and `img_size`, `precision`, `runtime` (its
        name and version) and `peak_memory_mb` (see `worker.serve`), None where not known.

    Raises:
        InputError: if a file is no model that runs here, or ends its process.
    """
    for path in paths:
        predictor.format_of(path)
    workers, abouts = [], []
    try:
        for path in paths:  # one after the other: loading would slow what runs beside it
            workers.append(Child(worker.serve, path, threads))
            abouts.append(workers[-1].answer())
        taken = [[] for _ in paths]
        for _ in progress.track(range(rounds), rounds, "measuring"):
            for each, times in zip(workers, taken, strict=True):
                times += each.ask(RUNS)
        rows = []
        for each, about, times in zip(workers, abouts, taken, strict=True):
            peak = each.ask(None)
            memory = {"peak_memory_mb": None if peak is None else round(peak / 1e6, 1)}
            rows.append(row(each.path, times) | about | memory)
    finally:
        for each in workers:
            each.close()
    return with_ratios(rows)


def require(paths):
    """Raise InputError unless there is a file or folder at each of `paths`."""
    for path in map(Path, paths):
        if not path.exists():
            raise InputError(f"{path}: no such file")


def row(path, taken):
    """Return what is known of a file: its size, and `milliseconds` by `median`, `min` and `p90`.

    Args:
        path: of the file or folder.
        taken: milliseconds of its runs.
    """
    statistics = {"median": np.median(taken), "min": min(taken), "p90": np.percentile(taken, 90)}
    return {
        "file": str(path),
        "megabytes": round(files.size(path) / 1e6, 3),
        "milliseconds": {key: round(float(value), 3) for key, value in statistics.items()},
    }


def with_ratios(rows):
    """Return `rows` with the `ratio` of each median to the first one."""
    first = rows[0]["milliseconds"]["median"]
    return [each | {"ratio": round(each["milliseconds"]["median"] / first, 3)} for each in rows]


def device():
    """Return the model of this computer's processor, or of the machine where nothing tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
