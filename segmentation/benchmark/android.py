"""Measuring on a connected Android device, with LiteRT's own benchmark tool.

The tool, its options and what it prints: tflite/tools/benchmark in
https://github.com/google-ai-edge/LiteRT.
"""

import re
import shutil
import subprocess

from segmentation import progress
from segmentation.benchmark import turns
from segmentation.errors import InputError
from segmentation.inference import timing

FOLDER = "/data/local/tmp/segmentation_benchmark"  # on the device; removed at the end
INSTALLED = "/data/local/tmp/benchmark_model"  # where LiteRT's guide puts the tool
DOWNLOAD = (
    "https://storage.googleapis.com/tensorflow-nightly-public/prod/tensorflow/release/lite/tools/"
    "nightly/latest/android_aarch64_benchmark_model"
)
DESCRIPTION = ("ro.product.model", "ro.build.version.release", "ro.product.cpu.abi")
PEAK_MEMORY = "Overall peak memory footprint (MB) via periodic monitoring:"


def measure(paths, threads, rounds, tool=None):
    """Measure `.tflite` files on the one connected device, in turn.

    A round of a file is a start of the tool, which loads the file and runs it, `timing.WARM_UP`
    times without counting and `turns.RUNS` times with.

    Args:
        paths: of the files.
        threads: how many the tool may use.
        rounds: how often each has its turn.
        tool: path of `benchmark_model` for the device; None: it is there already, `INSTALLED`.

    Returns:
        `(device, rows)`: its model, system and instruction set, and a dictionary per file as
        `turns.measure` gives, without what the file is. Median and p90 are over the medians of the
        rounds. `peak_memory_mb` is what the tool reports of itself, from a start that does not
        count; None if its release does not.

    Raises:
        InputError: if there is no adb, device or tool, or the tool does not run a file.
    """
    _require_device()
    device = "{}, Android {}, {}".format(*(_shell("getprop", key).strip() for key in DESCRIPTION))
    try:
        binary = _installed(tool)
        places = [_push(path, f"{number}.tflite") for number, path in enumerate(paths)]
        lines = [(binary, f"--graph={place}", f"--num_threads={threads}") for place in places]
        peaks = [_shell(*line, "--report_peak_memory_footprint=true") for line in lines]
        runs = (f"--warmup_runs={timing.WARM_UP}", f"--num_runs={turns.RUNS}")
        short = ("--warmup_min_secs=0", "--min_secs=0")  # otherwise it goes on for a second
        taken = [[] for _ in paths]
        for _ in progress.track(range(rounds), rounds, "measuring"):
            for path, line, found in zip(paths, lines, taken, strict=True):
                found.append(_timings(path, _shell(*line, *runs, *short)))
    finally:
        _adb("shell", "rm", "-rf", FOLDER)
    rows = []
    for path, found, printed in zip(paths, taken, peaks, strict=True):
        row = turns.row(path, [median for median, _ in found])
        row["milliseconds"]["min"] = min(least for _, least in found)
        runtime = {"runtime": "LiteRT benchmark_model", "peak_memory_mb": _peak_memory(printed)}
        rows.append(row | runtime)
    return device, turns.with_ratios(rows)


def _require_device():
    """Raise InputError unless one device is there and lets itself be used."""
    if not shutil.which("adb"):
        raise InputError(
            "--adb: there is no adb; install Android's platform-tools "
            "(https://developer.android.com/tools/releases/platform-tools) and add them to PATH"
        )
    # adb names the device of ANDROID_SERIAL, if several are connected, by itself.
    done = _adb("get-state")
    if done.stdout.strip() != "device":
        raise InputError(
            f"--adb: no device to measure on ({_last_line(done) or 'adb says nothing'}); connect "
            "one, enable USB debugging in its developer options and allow this computer there, or "
            "choose one of several (adb devices) with ANDROID_SERIAL"
        )


def _installed(tool):
    """Return the path of the tool on the device."""
    if tool:
        binary = _push(tool, "benchmark_model")
        _adb("shell", "chmod", "+x", binary)
        return binary
    if _adb("shell", "test", "-x", INSTALLED).returncode:
        raise InputError(
            f"--adb: the device has no {INSTALLED}; download {DOWNLOAD} and name it with "
            "--adb_benchmark"
        )
    return INSTALLED


def _push(path, name):
    """Copy a file to the device, and return its path there."""
    _adb("shell", "mkdir", "-p", FOLDER)
    place = f"{FOLDER}/{name}"
    done = _adb("push", str(path), place)
    if done.returncode:
        raise InputError(f"{path}: cannot be copied to the device ({_last_line(done)})")
    return place


def _shell(*words):
    """Return what a command on the device prints."""
    done = _adb("shell", *words)
    return done.stdout + done.stderr  # the tool's log goes to either, by its release


def _adb(*words):
    return subprocess.run(["adb", *words], capture_output=True, text=True, errors="replace")


def _last_line(done):
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[-1].removeprefix("adb: ").removeprefix("error: ") if lines else ""


def _timings(path, printed):
    """Return the median and the least time of a start of the tool, in milliseconds.

    Raises:
        InputError: if it did not get so far.
    """
    # One line for the runs that do not count, and one for those that do, in microseconds.
    lines = re.findall(r"^.*\bcount=\d+ .*$", printed, re.M)
    if len(lines) < 2:
        said = printed.strip().splitlines() or ["nothing"]
        raise InputError(f"{path}: does not run on the device (benchmark_model: {said[-1]})")
    found = re.findall(r"(\w+)=([\d.e+]+)", lines[-1])
    values = {name: float(microseconds) / 1000 for name, microseconds in found}
    # Older releases give no median, and none gives a mean or a minimum of equal values.
    median = next(values[name] for name in ("median", "avg", "curr") if name in values)
    return median, values.get("min", median)


def _peak_memory(printed):
    _, found, rest = printed.partition(PEAK_MEMORY)
    return round(float(rest.split()[0]), 1) if found else None
