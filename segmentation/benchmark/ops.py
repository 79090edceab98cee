"""Where the time of a `.tflite` goes, and what runs in a delegate."""

import logging

from segmentation.benchmark import gpu_delegate, litert_profiler
from segmentation.benchmark.child import Child
from segmentation.errors import InputError

logger = logging.getLogger(__name__)


def measure(path, threads):
    """Return what is known of the ops of a `.tflite`.

    Args:
        path: of the file.
        threads: how many LiteRT may use.

    Returns:
        dictionary: `ops` and `xnnpack_parts`, the rows and the parts of `litert_profiler.by_type`,
        or None, and a warning, if this release of LiteRT gives none; and `gpu_refused`, the ops of
        `gpu_delegate.refused`.
    """
    child = Child(litert_profiler.serve, path, threads)
    try:
        rows, parts = child.answer()
    except InputError as error:
        logger.warning("%s", error)
        rows, parts = None, None
    finally:
        child.close()
    return {"ops": rows, "xnnpack_parts": parts, "gpu_refused": gpu_delegate.refused(path)}
