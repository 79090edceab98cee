"""Where samples are read and made into what is written: in threads, or on a Dask cluster.

An engine has `map(function, samples, folder)`, which yields `function(sample)` for each sample, in
their order, and may keep files in `folder`; `workers`, how many samples this machine works on at a
time; and `elsewhere`: whether paths must be absolute, and what it is given be pickled.
"""

import contextlib
import logging
import pickle
import re
import signal
import uuid
import warnings
from collections import deque

from segmentation.data import labels, pairing
from segmentation.errors import InputError, reason

logger = logging.getLogger(__name__)

REQUIREMENTS = "-r requirements-dask.txt"
SHARD = 32  # samples of a task: a tenth of a second, of which Dask's own part is small
PATIENCE = 5  # seconds without an answer


class Threads:
    """The engine of this process.

    Args:
        workers: how many threads.
    """

    elsewhere = False

    def __init__(self, workers):
        self.workers = workers

    def map(self, function, samples, folder):
        """Yield the results, as the engines do."""
        return pairing.in_order(function, samples, self.workers)


@contextlib.contextmanager
def open_dask(scheduler=None, workers=1):
    """Yield the engine of a Dask cluster.

    Args:
        scheduler: its address, `tcp://host:8786`; None starts a cluster on this machine, which ends
            with the block.
        workers: how many processes that has.

    Raises:
        InputError: if Dask is not installed, or no scheduler answers.
    """
    try:
        import distributed
    except ImportError:
        raise InputError(
            f"--engine dask needs distributed; run pip install {REQUIREMENTS}"
        ) from None
    for name in ("distributed", "distributed.client"):  # what it says in many lines is said here
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        cluster = scheduler
        if scheduler is None:
            cluster = stack.enter_context(_started(distributed, workers))
        name = scheduler or "the cluster on this machine"
        client = stack.enter_context(_connected(distributed, cluster, name))
        yield Dask(client, name, 1 if scheduler else workers)


def _started(distributed, workers):
    """Return a cluster of processes on this machine."""
    try:
        with _without_interrupts():
            return distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                dashboard_address=":0",
                silence_logs=logging.CRITICAL,
            )
    except Exception as error:  # of several kinds, when processes cannot start, or not in time
        raise InputError(
            f"--engine dask: {workers} processes do not start on this machine ({reason(error)}): "
            "choose fewer --workers"
        ) from None


def _connected(distributed, cluster, name):
    """Return a client; say in one line what Dask says in a table: that versions differ."""
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        try:
            if isinstance(cluster, str):
                # Left to itself, a client prints a traceback, ten seconds after it was refused.
                distributed.comm.resolve_address(cluster)
            client = distributed.Client(cluster, timeout=PATIENCE, set_as_default=False)
        except Exception as error:  # of many kinds, by what is wrong with an address or a network
            raise InputError(
                f"--scheduler {name}: no Dask scheduler of this version answers "
                f"({reason(error)}); its address is like tcp://host:8786"
            ) from None
    for warning in raised:
        if warning.category is distributed.versions.VersionMismatchWarning:
            packages = re.findall(r"^\| (\w+) ", str(warning.message), re.M)[1:]  # after the head
            logger.warning(
                "warning: %s has other versions than this machine of %s", name, ", ".join(packages)
            )
    return client


@contextlib.contextmanager
def _without_interrupts():
    """Keep Ctrl-C from threads and processes that the block starts, and from it until it ends.

    A terminal sends it to all processes. They inherit what this thread blocks, and are ended by
    this process.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # if a process is the first to need it, the block is undone
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Call:
    """A call that is made where its pickle is loaded.

    The scheduler unpickles what it hands on, and need not have this project. It gets bytes, and a
    function of Python's own, `pickle.loads`.
    """

    def __init__(self, function, *arguments):
        self._function, self._arguments = function, arguments

    def __reduce__(self):
        return self._function, self._arguments


class Dask:
    """The engine of a Dask cluster, whose workers share the disks of source and output.

    Samples go in shards to the workers, which leave files in the folder of the output. A shard of a
    worker that dies is done again by another.

    Args:
        client: `distributed.Client`.
        name: of the cluster, for messages.
        workers: on this machine.
    """

    elsewhere = True

    def __init__(self, client, name, workers):
        self.workers = workers
        self._client, self._name = client, name
        self._threads, self._addresses, self._said = 1, set(), set()

    def map(self, function, samples, folder):
        """Yield the results, as the engines do.

        Raises:
            InputError: as the function, or if workers lack the files, the versions or the disk, die
                of a shard again and again, or the scheduler is gone.
            WorkerError: for another error of the function.
        """
        import cloudpickle  # comes with Dask; for functions inside functions, as of label maps

        from segmentation.data import shards  # reads our source files: only where it is needed

        self._look_at_workers()
        run, waiting = uuid.uuid4().hex, deque()
        # It may be large, as with a table for each palette: each worker reads it once.
        work = folder.absolute() / run
        work.write_bytes(cloudpickle.dumps(function))
        for start in range(0, len(samples), SHARD):
            shard = samples[start : start + SHARD]
            part = work.with_name(f"{run}-{start}")
            call = _Call(
                *(shards.run, shards.FACTS, samples[0].image, part, work, cloudpickle.dumps(shard))
            )
            future = self._client.submit(
                pickle.loads, pickle.dumps(call), key=f"prepare-{run}-{start}"
            )
            waiting.append((shard, future, part))
            if len(waiting) > pairing.IN_FLIGHT * self._threads:
                yield from self._results(*waiting.popleft())
        while waiting:
            yield from self._results(*waiting.popleft())

    def _results(self, shard, future, part):
        self._wait(future, shard)
        self._look_at_workers()
        with open(part, "rb") as file:
            for _ in shard:
                outcome = pickle.load(file)
                for level, text in outcome.messages:
                    self._say(level, text)
                if outcome.error:
                    raise outcome.error
                yield outcome.result
        part.unlink()

    def _wait(self, future, shard):
        from distributed import KilledWorker

        while True:
            try:
                return future.result(timeout=PATIENCE)
            except TimeoutError:
                self._look_at_workers()
            except InputError:
                raise
            except KilledWorker as error:
                names = labels.listed([sample.image.name for sample in shard], SHARD)
                raise InputError(
                    f"{error.allowed_failures + 1} workers in turn died at one of these images in "
                    f"{shard[0].image.parent}, which kills what reads it, or takes more memory "
                    f"than a worker has: {names}"
                ) from None
            except Exception as error:
                if future.cancelled():
                    raise self._lost() from None
                raise InputError(
                    f"a worker of {self._name} cannot run this project ({reason(error)}): start it "
                    "with this project's code and packages, of the versions that are here"
                ) from None

    def _look_at_workers(self):
        """Count their threads; say which have gone since, and that there are none."""
        try:
            threads = self._client.nthreads()
        except Exception:  # of several kinds, by when the scheduler was lost
            raise self._lost() from None
        for address in sorted(self._addresses - threads.keys()):
            self._say(logging.WARNING, f"worker {address} is gone: its images are done again")
        self._addresses = {*threads}
        if not threads:
            self._say(logging.WARNING, f"{self._name} has no workers: waiting for them")
        self._threads = max(sum(threads.values()), 1)

    def _say(self, level, text):
        """Log a line, which several workers may have to say, once."""
        if text not in self._said:
            self._said.add(text)
            logger.log(level, "%s", text)

    def _lost(self):
        return InputError(
            f"{self._name} is gone, and nothing was written: see to it, and run this again"
        )
