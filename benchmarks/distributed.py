"""Measure training by two workers against one: equality, speed, and what a lost worker costs.

All workers run on this machine, under JAX (20 minutes on two CPU cores; they share the cores, so
that images/s say what the communication costs, and nothing of what a second machine brings):
    python benchmarks/distributed.py data/images-128.npy
"""

import argparse
import csv
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
EPOCHS = 3
OPTIONS = ["--alpha", "0.25", "--upsampling", "bilinear", "-b", "16", "--epochs", str(EPOCHS)]


def start(img_file, folder, name, workers):
    """Start the workers of a run, and return their processes."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, ROOT / "train_full.py", "--img_file", img_file, *OPTIONS]
    command += ["--resume", "-o", folder / f"{name}.keras"]
    cluster = {"JOB_ADDRESSES": f"127.0.0.1:{port}", "NUM_PROCESSES": str(workers)}
    processes = []
    for worker in range(workers):
        own = {f"KERAS_DISTRIBUTION_{key}": value for key, value in cluster.items()}
        own |= {"KERAS_DISTRIBUTION_PROCESS_ID": str(worker), "KERAS_BACKEND": "jax"}
        log = open(folder / f"{name}-{worker}.log", "a")
        processes.append(
            subprocess.Popen(command, env=os.environ | own, cwd=folder, stdout=log, stderr=log)
        )
    return processes


def difference(folder, name, other):
    """Return the largest difference between the weights, and the optimizer's, of two runs."""
    one, two = (np.load(folder / f"{each}.ckpt/state.npz") for each in (name, other))
    keys = [key for key in one if key.startswith("variable") and one[key].size]
    return max(float(np.abs(one[key].astype(float) - two[key]).max()) for key in keys)


def throughput(folder, name):
    """Return images/s of the last epoch, validation and files included."""
    card = json.loads((folder / f"{name}.json").read_text())
    with open(folder / f"{name}.csv", newline="") as file:
        seconds = float(list(csv.DictReader(file))[-1]["seconds"])
    return card["data"]["training_pictures"] / seconds


def lose(img_file, folder, name, number):
    """Send worker 1 a signal after the first epoch; return seconds until worker 0 ends, and how."""
    first, second = start(img_file, folder, name, 2)
    while not (folder / f"{name}.ckpt/state.npz").exists():
        time.sleep(0.2)
    started = time.perf_counter()
    second.send_signal(number)
    status = first.wait()
    seconds = time.perf_counter() - started
    second.kill()
    second.wait()
    return seconds, status


def parse_args(argv=None):
    """Parse the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("img_file", type=Path, help="arrays to train on")
    return parser.parse_args(argv)


def main():
    """Print the table."""
    img_file = parse_args().img_file.resolve()
    folder = Path(tempfile.mkdtemp())
    print(f"logs and models are in {folder}", file=sys.stderr)
    for name, workers in (("one", 1), ("two", 2)):
        assert not any(process.wait() for process in start(img_file, folder, name, workers))
        print(f"{workers} workers: {throughput(folder, name):.1f} images/s", flush=True)
    print(f"largest difference of weights: {difference(folder, 'one', 'two'):.1e}", flush=True)
    for name, number in (("killed", signal.SIGKILL), ("frozen", signal.SIGSTOP)):
        seconds, status = lose(img_file, folder, name, number)
        print(f"{name} worker: the other ends after {seconds:.1f} s with status {status}")
        assert not any(process.wait() for process in start(img_file, folder, name, 2))
        print(f"  after a restart, from two: {difference(folder, 'two', name):.1e}", flush=True)


if __name__ == "__main__":
    main()
