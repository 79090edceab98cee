"""Workers of a cluster, all on this machine: processes of train_full.py without TensorFlow."""

import os
import socket
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
TRAIN = [sys.executable, TESTS / "tiny_network.py", "--img_file", "data/images-32.npy"]
TRAIN += ["--model", "tiny", "--batch_size", "4", "--seed", "3"]
HASTILY = "--xla_backend_optimization_level=0"  # is XLA to compile


def jax_environment(folder, **others):
    """Return an environment for JAX without TensorFlow; `folder` keeps what was compiled."""
    path = os.pathsep.join([str(TESTS / "no_tensorflow"), os.environ.get("PYTHONPATH", "")])
    compiler = {
        "XLA_FLAGS": HASTILY,
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    return os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": path} | compiler | others


def start(folder, *options, workers=2, others=None, **environment):
    """Start workers in `folder`, and return their processes.

    Args:
        folder: current folder of the workers.
        options: of train_full.py.
        workers: how many.
        others: by the number of a worker, other options that it gets.
        environment: of worker 0 alone.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    processes = []
    for worker in range(workers):
        cluster = {
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{port}",
            "KERAS_DISTRIBUTION_NUM_PROCESSES": str(workers),
            "KERAS_DISTRIBUTION_PROCESS_ID": str(worker),
        }
        own = environment if worker == 0 else {}
        processes.append(
            subprocess.Popen(
                [*TRAIN, *options, *(others or {}).get(worker, [])],
                cwd=folder,
                env=jax_environment(folder, **cluster, **own),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return processes


def end(processes):
    """Wait for processes; return the status, stdout and stderr of each."""
    texts = [process.communicate() for process in processes]
    return [(each.returncode, *text) for each, text in zip(processes, texts, strict=True)]
