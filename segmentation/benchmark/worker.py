"""The process of one file: loads it, times it whenever it is asked to, and knows its memory.

Each file has a process of its own, so that the memory of one is not that of another and a crash in
a runtime ends one measurement alone.
"""

import importlib
import os
import signal
import sys
from pathlib import Path

from threadpoolctl import threadpool_limits

from segmentation.errors import InputError
from segmentation.inference import predictor, timing
from segmentation.quiet import start_keras

PEAK, RESET_PEAK = "VmHWM:", "5"  # https://man7.org/linux/man-pages/man5/proc.5.html


def serve(connection, path, threads):
    """Load a model and time it until there is no more to do.

    Sends a dictionary about the model, or an `InputError`. Then, for each number received, sends
    the milliseconds of so many runs, and for None the `peak_memory` of loading and running: by how
    much the resident memory grew at its peak over what Python, NumPy and the runtime took before,
    in bytes, None where that is not known. It counts the pages of the file that were read.

    Args:
        connection: one end of a `multiprocessing.Pipe`.
        path: of the model.
        threads: how many threads LiteRT, ONNX Runtime, TensorFlow, PyTorch and NumPy may use.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command ends its workers
    # Read when a runtime starts.
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    with threadpool_limits(threads):
        try:
            runtime = start_runtime(path)
            before = _peak_memory(reset=True)
            timed = timing.load(path, threads)
            timing.milliseconds(timed.run, count=0)  # the runs that warm up
        except InputError as error:
            connection.send(error)
            return
        about = {"img_size": timed.img_size, "precision": timed.precision, "runtime": runtime}
        connection.send(about)
        for count in iter(connection.recv, None):
            # One run that does not count: other models have emptied the caches meanwhile.
            connection.send(timing.milliseconds(timed.run, count, warm_up=1))
        after = _peak_memory()
        connection.send(None if before is None else after - before)


def start_runtime(path):
    """Import what runs a model here; return its name and version, such as `ai_edge_litert 2.3`."""
    file_format = predictor.format_of(path)
    if file_format.runtime == "keras":
        start_keras()
        import keras

        return f"{_version('keras')} on {_version(keras.backend.backend())}"
    with predictor.reading(path):
        importlib.import_module(file_format.runtime)
    return _version(file_format.runtime.partition(".")[0])


def _version(package):
    return f"{package} {importlib.import_module(package).__version__}"


def _peak_memory(reset=False):
    """Return the peak of this process's resident memory in bytes, or None; `reset` it before."""
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if sys.platform != "linux":
        return None
    # Not getrusage: Linux begins with the peak of the process that started this one.
    if reset:
        Path("/proc/self/clear_refs").write_text(RESET_PEAK)
    lines = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = [line.split()[1] for line in lines if line.startswith(PEAK)]
    return 1024 * int(kilobytes)
