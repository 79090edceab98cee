"""The devices of a run, on this machine or on several, and how the workers stay together.

One process on each host is a worker. They all train the same network at the same time on their
parts of each batch, by Keras' distribution on JAX; only worker 0 writes.
"""

import contextlib
import ctypes
import functools
import json
import logging
import os
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

from segmentation.data.share import Share
from segmentation.errors import InputError, TryAgainError, reason
from segmentation.quiet import silenced, start_keras
from segmentation.training.cluster import find_cluster

logger = logging.getLogger(__name__)

# Seconds without a heartbeat after which JAX takes a worker for dead; its own default is 100.
HEARTBEAT = 12
LOST = "another worker died, froze, or cannot be reached; start all workers again with --resume"
# In messages of the libraries by which JAX' workers speak to each other, when one has gone.
SIGNS_OF_A_LOST_WORKER = ("Gloo", "NCCL", "coordination service", "Socket closed", "heartbeat")


@dataclass(frozen=True)
class Devices:
    """The devices that a run trains on.

    Attributes:
        share: `Share` of this process in each batch.
        distribution: `keras.distribution.DataParallel` under JAX, `tf.distribute.MirroredStrategy`
            under TensorFlow; None for a single device.
    """

    share: Share = Share()
    distribution: object = None

    @property
    def writes(self):
        """Whether this process writes the files of the run, and shows its result."""
        return self.share.worker == 0

    def to_card(self):
        """Return what the model card says of them; nothing for a single device."""
        if self.distribution is None:
            return {}
        return {"devices": self.share.devices, "workers": self.share.workers}

    def on_first(self, function):
        """Call `function()` in worker 0 alone; return its result, a value of JSON, in all workers.

        An InputError is raised in all of them. Whatever is about the files of the run is done
        there: another worker may not see them, and two that make way for the same file would get
        into each other's way.
        """
        if self.share.workers == 1:
            return function()
        return json.loads(self._of_first(lambda: json.dumps(function()).encode()))

    def local_copy(self, path):
        """Return the path at which this worker finds what worker 0 has at `path`, if anything.

        All go on from the same checkpoint, whether or not they share a file system.
        """
        path = Path(path)
        content = self._of_first(lambda: path.read_bytes() if path.exists() else None)
        if self.writes:
            return path
        copy = Path(_received().name) / path.name
        if content is not None:
            copy.write_bytes(content)
        return copy

    def require_equal(self, settings):
        """Raise InputError in all workers unless all have the settings of worker 0.

        Otherwise they would wait for each other for ever, or learn from other data unnoticed.
        """
        if self.share.workers == 1:
            return
        first = json.loads(self._of_first(lambda: json.dumps(settings).encode()))
        mine = json.loads(json.dumps(settings))
        differing = sorted(key for key in first | mine if first.get(key) != mine.get(key))
        everywhere = _gathered(",".join(differing).encode())
        for worker, names in enumerate(everywhere):
            if names:
                raise InputError(
                    f"worker {worker} has other settings or data than worker 0 ({names.decode()}): "
                    "start all workers with the same command, and give them the same data"
                )

    def _of_first(self, function):
        """Return the bytes, or the None, that `function()` returns in worker 0, in all workers."""
        if self.share.workers == 1:
            return function()
        message, content = b"", None
        if self.writes:
            try:
                content = function()
            except InputError as error:
                message = str(error).encode()
        message, content = _broadcast(message), _broadcast(content)
        if message:
            raise InputError(message.decode())
        return content

    @contextlib.contextmanager
    def alone(self, model=None):
        """Make Keras work as on one device within the block, and `model` saveable for any backend.

        With several workers whatever makes or assigns a variable compares its value among them,
        and would wait for ever in a block that one worker alone runs through.
        """
        import keras

        before = keras.distribution.distribution()
        layers = _normalizations(model) if mirrored() and model else []
        try:
            keras.distribution.set_distribution(None)
            for layer in layers:
                layer.synchronized = False
            yield
        finally:
            keras.distribution.set_distribution(before)
            for layer in layers:
                layer.synchronized = True


@contextlib.contextmanager
def started(config):
    """Start Keras, and use the devices of this host, or of the cluster, within the block.

    Args:
        config: `TrainConfig`, for `devices`: how many to use on each host, at most; None: all.

    Yields:
        `Devices`.

    Raises:
        InputError: if the environment names a cluster that this backend cannot join, or there are
            fewer devices.
        TryAgainError: if another worker is lost.
    """
    cluster = find_cluster(os.environ)
    start_keras(cluster and functools.partial(_join, cluster))
    devices = _choose(cluster, config)
    if devices.distribution is None:
        yield devices
        return
    try:
        with devices.distribution.scope():
            if cluster:
                with silenced():  # Gloo greets on stdout when its workers meet
                    _broadcast(b"")
            yield devices
        if cluster:
            _leave()
    except Exception as error:
        if cluster and any(sign in str(error) for sign in SIGNS_OF_A_LOST_WORKER):
            logger.debug("lost", exc_info=True)
            raise TryAgainError(LOST) from None
        raise


@functools.cache
def _received():
    """Return the `TemporaryDirectory` of what worker 0 has sent; it goes when the process ends."""
    return tempfile.TemporaryDirectory()


def mirrored():
    """Return whether TensorFlow's devices each run a replica of the network."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return tf.distribute.has_strategy()


def synchronize(model):
    """Make batch normalization see the whole batch, where replicas see parts of it."""
    if mirrored():
        for layer in _normalizations(model):
            layer.synchronized = True


def _normalizations(model):
    import keras

    kind = keras.layers.BatchNormalization
    return [layer for layer in model._flatten_layers() if isinstance(layer, kind)]


def _join(cluster):
    """Join a `Cluster`, before Keras has computed anything."""
    import keras

    backend = keras.backend.backend()
    if backend != "jax":
        raise InputError(
            f"{cluster.source} names {cluster.workers} workers, and Keras trains in one process on "
            f"{backend}: set KERAS_BACKEND=jax"
        )
    import jax

    # Otherwise SIGTERM, by which schedulers end a job, is noted and nobody acts on it.
    jax.config.update("jax_enable_preemption_service", False)
    _exit_when_jax_aborts(cluster.worker)
    try:
        jax.distributed.initialize(
            cluster.coordinator,
            cluster.workers,
            cluster.worker,
            heartbeat_timeout_seconds=HEARTBEAT,
            # What is named is all there is to know, even where JAX would know another cluster.
            cluster_detection_method="deactivate" if cluster.coordinator else None,
        )
    except ValueError as error:  # JAX does not find worker 0
        raise InputError(
            f"{cluster.source}: {reason(error)}: set JAX_COORDINATOR_ADDRESS to the host of worker "
            "0 and a free port, host:port"
        ) from None
    except RuntimeError as error:
        raise TryAgainError(f"cannot join {cluster.source}: {reason(error)}") from None


def _exit_when_jax_aborts(worker):
    """Turn the abort by which JAX ends a process whose peers are lost into status 75 and a line.

    JAX' own callback for it cannot be written in Python (it fails with std::bad_cast), and Python's
    signal handlers don't run while the process aborts: hence one of C.
    """
    global _ABORT  # must not be collected

    def end(_):
        os.write(2, f"worker {worker}: error: {LOST}\n".encode())
        os._exit(TryAgainError.status)

    _ABORT = ctypes.CFUNCTYPE(None, ctypes.c_int)(end)
    ctypes.CDLL(None).signal(signal.SIGABRT, _ABORT)


def _leave():
    """Wait for all workers to be done: worker 0, which leads them, must not go before."""
    import jax

    _broadcast(b"")
    jax.distributed.shutdown()


def _choose(cluster, config):
    """Return the `Devices` to use."""
    import keras

    backend, limit = keras.backend.backend(), config.devices
    if backend == "jax":
        return _of_jax(cluster, config)
    found = keras.distribution.list_devices() if backend == "tensorflow" else ["one"]
    used = _limited(found, limit)
    reason = _why_one(backend, config)
    if len(used) > 1 and reason:
        used = _only_one(used, limit, reason)
    if len(used) == 1:
        return Devices()
    import tensorflow as tf

    with silenced():
        strategy = tf.distribute.MirroredStrategy([name.upper() for name in used])
    return _said(Devices(Share(devices=len(used)), strategy), used)


def _of_jax(cluster, config):
    import jax
    import keras

    by_worker = {}
    for device in jax.devices():
        by_worker.setdefault(device.process_index, []).append(device)
    counts = [len(each) for each in by_worker.values()]
    if len(set(counts)) > 1:
        raise InputError(
            f"the workers have {', '.join(map(str, counts))} devices, and each makes as large a "
            "part of a batch: show as many to all, by CUDA_VISIBLE_DEVICES for example"
        )
    used = [each for own in by_worker.values() for each in _limited(own, config.devices)]
    reason = _why_one("jax", config)
    if len(used) > 1 and reason:
        if cluster:
            raise InputError(f"{reason} trains on one device: start a single worker")
        used = _only_one(used, config.devices, reason)
    if len(used) == 1:
        return Devices()
    names = [f"{device.platform}:{device.id}" for device in used]
    distribution = keras.distribution.DataParallel(devices=names, auto_shard_dataset=False)
    share = Share(jax.process_index(), jax.process_count(), len(used))
    return _said(Devices(share, distribution), names)


def _limited(found, limit):
    if limit and limit > len(found):
        raise InputError(
            f"--devices {limit}: Keras sees {len(found)} on this machine; leave the option out to "
            "use all"
        )
    return found[:limit]


def _why_one(backend, config):
    """Return the option that would go wrong on several devices, or None."""
    if config.unlabelled:
        return "--unlabelled"  # its loss is averaged over the images of a batch that have a mask
    if backend == "tensorflow" and config.clip_norm:
        return "--clip_norm"  # Keras clips the gradients of each replica, before they are summed
    return None


def _only_one(used, limit, reason):
    if limit:
        raise InputError(f"--devices {limit}: {reason} trains on one device; leave one of them out")
    logger.warning(f"warning: {reason} trains on one device: {len(used) - 1} more stay idle")
    return used[:1]


def _said(devices, names):
    share = devices.share
    hosts = f" of {share.workers} workers" if share.workers > 1 else ""
    if devices.writes:
        logger.info(f"training on {share.devices} devices{hosts}: {', '.join(names)}")
    return devices


def _broadcast(content):
    """Return the bytes, or the None, of worker 0 in all workers."""
    import numpy as np
    from jax.experimental import multihost_utils

    size = -1 if content is None else len(content)
    size = int(multihost_utils.broadcast_one_to_all(np.int32(size)))
    if size <= 0:
        return None if size else b""
    array = np.zeros(size, np.uint8)
    if content and len(content) == size:
        array = np.frombuffer(content, np.uint8)
    return np.asarray(multihost_utils.broadcast_one_to_all(array)).astype(np.uint8).tobytes()


def _gathered(content):
    """Return the bytes of each worker, in all workers."""
    import numpy as np
    from jax.experimental import multihost_utils

    sizes = multihost_utils.process_allgather(np.int32(len(content)))
    padded = np.zeros(max(1, int(sizes.max())), np.uint8)
    padded[: len(content)] = np.frombuffer(content, np.uint8)
    rows = multihost_utils.process_allgather(padded)
    return [row[:size].tobytes() for row, size in zip(rows, sizes, strict=True)]
