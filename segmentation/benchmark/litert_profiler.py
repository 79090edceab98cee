"""The time of each op of a `.tflite`, from LiteRT's own profiler.

LiteRT's Python has no way to it, so that this calls the C functions of the same library, which
https://github.com/google-ai-edge/LiteRT declares under litert/c: litert_compiled_model.h,
litert_profiler.h and litert_profiler_event.h. Call it in a process of its own: a release that
changed one of them would end it. The compiled model hands its ops to XNNPACK as LiteRT's
interpreter does.
"""

import collections
import ctypes
import functools
import signal
import statistics
from ctypes import byref, c_char_p, c_int, c_size_t, c_uint64, c_void_p
from pathlib import Path

from segmentation.errors import InputError, reason
from segmentation.quiet import silenced

WARM_UP, TIMED = 3, 20
CPU = 1  # of LiteRtHwAccelerators
WRITE = 1  # of LiteRtTensorBufferLockMode
# Of LiteRtProfilerEventType: an op that LiteRT's own kernel ran, and one inside of a delegate.
OWN_KERNEL, DELEGATED = 2, 8
FIRST = c_size_t(0)  # signature
KEEP = ctypes.CFUNCTYPE(None, c_void_p)(lambda text: None)  # Python owns the text


class _TensorType(ctypes.Structure):
    _fields_ = [
        ("element_type", c_int),
        ("rank", ctypes.c_uint32),
        ("dimensions", ctypes.c_int32 * 8),
        ("strides", ctypes.c_uint32 * 8),
    ]


class _Event(ctypes.Structure):
    _fields_ = [
        ("tag", c_char_p),
        ("type", c_int),
        ("start", c_uint64),  # microseconds, as the next
        ("elapsed", c_uint64),
        ("memory", c_size_t * 6),
        ("index", c_uint64),  # of the op in its graph, or in its part of the delegate
        ("more", c_uint64),
        ("source", c_int),
    ]


def profile(path, threads):
    """Return the ops of a `.tflite`, with the median of their times.

    Args:
        path: of the file.
        threads: how many LiteRT may use.

    Returns:
        a list in the order in which they run: `(op, microseconds, index)`. `op` is XNNPACK's name
        of it, with layout, type and kernel, or LiteRT's; `index` counts the ops of a part of the
        graph that XNNPACK runs from 0, and is None for an op that LiteRT's own kernel runs.

    Raises:
        RuntimeError: if LiteRT refuses a call.
        AttributeError, OSError, ValueError: if the library lacks a function, or is not found.
    """
    ops = []
    for same in zip(*_runs(path, threads), strict=True):
        names, microseconds, indices = zip(*same, strict=True)
        if len({*zip(names, indices, strict=True)}) > 1:
            raise ValueError("its ops ran in another order each time")
        ops.append((names[0], statistics.median(microseconds), indices[0]))
    return ops


def by_type(ops):
    """Return the ops of `profile` by name, the slowest first.

    Returns:
        `(rows, parts)`: dictionaries of `op`, `xnnpack` (whether it runs there), `count`,
        `milliseconds` and `share` (0..1 of all ops); and how many parts of the graph XNNPACK runs.
    """
    found = collections.defaultdict(list)
    for op, microseconds, index in ops:
        found[op, index is not None].append(microseconds)
    total = sum(map(sum, found.values())) or 1
    rows = [
        {
            "op": op,
            "xnnpack": xnnpack,
            "count": len(times),
            "milliseconds": round(sum(times) / 1000, 3),
            "share": round(sum(times) / total, 4),
        }
        for (op, xnnpack), times in found.items()
    ]
    parts = sum(index == 0 for _, _, index in ops)
    return sorted(rows, key=lambda row: -row["milliseconds"]), parts


def serve(connection, path, threads):
    """Send what `by_type(profile(path, threads))` returns, or an `InputError` that says why not."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command ends its children
    try:
        with silenced():  # LiteRT lists the accelerators that are not there
            found = by_type(profile(path, threads))
    except (AttributeError, OSError, RuntimeError, ValueError) as error:
        found = InputError(f"{path}: no times of its ops ({reason(error)})")
    connection.send(found)


def _runs(path, threads):
    """Yield the ops of each run, as `profile` returns them."""
    environment = _made("LiteRtCreateEnvironment", 0, None)
    model = _made("LiteRtCreateModelFromFile", environment, str(path).encode())
    options = _made("LiteRtCreateOptions")
    _call("LiteRtSetOptionsHardwareAccelerators", options, CPU)
    # As litert_runtime_options.cc and litert_cpu_options.cc write them.
    texts = {
        b"runtime_options_string": b"enable_profiling = true\n",
        b"xnnpack": b"num_threads = %d\n" % threads,
    }
    for identifier, text in texts.items():
        part = _made("LiteRtCreateOpaqueOptions", identifier, c_char_p(text), KEEP)
        _call("LiteRtAddOpaqueOptions", options, part)
    compiled = _made("LiteRtCreateCompiledModel", environment, model, options)
    signature = _made("LiteRtGetModelSignature", model, FIRST)
    buffers = []
    for kind in ("Input", "Output"):
        buffers += _buffers(kind, environment, compiled, signature)
    profiler = _made("LiteRtCompiledModelGetProfiler", compiled)
    for run in range(WARM_UP + TIMED):
        _call("LiteRtStartProfiler", profiler)  # which forgets the run before
        _call("LiteRtRunCompiledModel", compiled, FIRST, *buffers)
        _call("LiteRtStopProfiler", profiler)
        count = c_int()
        _call("LiteRtGetNumProfilerEvents", profiler, byref(count))
        events = (_Event * count.value)()
        _call("LiteRtGetProfilerEvents", profiler, count, events)
        if run >= WARM_UP:
            # Now: the profiler owns the names, and forgets them with the next run.
            yield [_op(event) for event in events if event.type in (OWN_KERNEL, DELEGATED)]


def _op(event):
    index = event.index if event.type == DELEGATED else None
    return event.tag.decode(), event.elapsed, index


def _buffers(kind, environment, compiled, signature):
    """Return the number of inputs or outputs, and their buffers, zeros."""
    count = c_size_t()
    _call(f"LiteRtGetNumSignature{kind}s", signature, byref(count))
    buffers = (c_void_p * count.value)()
    for index in map(c_size_t, range(count.value)):
        tensor = _made(f"LiteRtGetSignature{kind}TensorByIndex", signature, index)
        tensor_type = _TensorType()
        _call("LiteRtGetRankedTensorType", tensor, byref(tensor_type))
        asked = _made(f"LiteRtGetCompiledModel{kind}BufferRequirements", compiled, FIRST, index)
        buffers[index.value] = _made(
            "LiteRtCreateManagedTensorBufferFromRequirements",
            environment,
            byref(tensor_type),
            asked,
        ).value
        _fill_with_zeros(c_void_p(buffers[index.value]))
    return count, buffers


def _fill_with_zeros(buffer):
    size = c_size_t()
    _call("LiteRtGetTensorBufferPackedSize", buffer, byref(size))
    address = c_void_p()
    _call("LiteRtLockTensorBuffer", buffer, byref(address), WRITE)
    ctypes.memset(address, 0, size.value)
    _call("LiteRtUnlockTensorBuffer", buffer)


def _made(name, *arguments):
    """Return what a function writes to its last argument, a pointer."""
    made = c_void_p()
    _call(name, *arguments, byref(made))
    return made


def _call(name, *arguments):
    function = getattr(_library(), name)
    function.restype = c_int
    if status := function(*arguments):
        raise RuntimeError(f"LiteRT's {name} failed with status {status}")


@functools.cache
def _library():
    import ai_edge_litert

    (path,) = Path(ai_edge_litert.__path__[0]).glob("*LiteRt.*")  # .so, .dylib or .dll
    return ctypes.CDLL(str(path))
