"""Which cluster this process is a worker of, as the environment says it."""

import json
from dataclasses import dataclass

from segmentation.errors import InputError

KERAS = ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID")  # each after KERAS_DISTRIBUTION_
# Tasks that train, in the order of their numbers; the first of them is worker 0.
TRAINING_TASKS = ("chief", "master", "worker")
# What Vertex AI calls its worker pools in CLUSTER_SPEC, and the tasks that TF_CONFIG has for them.
POOLS = {
    "workerpool0": "chief",
    "workerpool1": "worker",
    "workerpool2": "ps",
    "workerpool3": "evaluator",
}


@dataclass(frozen=True)
class Cluster:
    """A cluster of several workers.

    Attributes:
        source: what of the environment names it, for messages.
        workers: how many there are.
        worker: the number of this one, from 0.
        coordinator: `host:port` at which worker 0 listens; None: JAX finds it.
    """

    source: str
    workers: int
    worker: int
    coordinator: str | None = None


def find_cluster(environ):
    """Return the `Cluster` that the environment names, or None if there is one worker at most.

    Args:
        environ: `os.environ`.

    Raises:
        InputError: if a cluster is named incompletely, or this process is none of its workers.
    """
    for find in (_of_keras, _of_tf_config, _of_slurm, _of_open_mpi):
        cluster = find(environ)
        if cluster:
            return cluster if cluster.workers > 1 else None
    return None


def of_tf_config(name, text):
    """Translate TF_CONFIG, or Vertex AI's CLUSTER_SPEC, into a `Cluster`.

    Args:
        name: of the variable.
        text: its JSON.

    Returns:
        `Cluster`, of one worker perhaps, or None if no cluster is named.

    Raises:
        InputError: if it is malformed, or this task does not train.
    """
    try:
        config = json.loads(text)
        addresses = {POOLS.get(kind, kind): hosts for kind, hosts in config["cluster"].items()}
        training = {kind: addresses[kind] for kind in TRAINING_TASKS if addresses.get(kind)}
        if not training:
            return None
        workers = [(kind, index) for kind in training for index in range(len(training[kind]))]
        coordinator = next(iter(training.values()))[0]
        host, port = coordinator.rsplit(":", 1)
        kind, index = config["task"]["type"], int(config["task"]["index"])
        kind = POOLS.get(kind, kind)
        assert host and int(port) and all(isinstance(hosts, list) for hosts in training.values())
    except KeyError as error:
        if error.args == ("cluster",):  # no cluster, as in {"environment": "cloud"}
            return None
        raise InputError(f"{name} has no {error}: {_AS_IN}") from None
    except (ValueError, TypeError, AttributeError, AssertionError):
        raise InputError(f"{name} is malformed: {_AS_IN}") from None
    if (kind, index) not in workers:
        raise InputError(
            f"{name}: the task {kind} {index} does not train: parameter servers and evaluators are "
            f"not supported, and {' and '.join(training)} tasks are numbered from 0"
        )
    return Cluster(name, len(workers), workers.index((kind, index)), coordinator)


_AS_IN = (
    'expected a value such as {"cluster": {"worker": ["10.0.0.1:1234", "10.0.0.2:1234"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


def _of_tf_config(environ):
    for name in ("TF_CONFIG", "CLUSTER_SPEC"):
        if environ.get(name):
            cluster = of_tf_config(name, environ[name])
            if cluster:
                return cluster
    return None


def _of_keras(environ):
    names = [f"KERAS_DISTRIBUTION_{name}" for name in KERAS]
    given = [environ.get(name) for name in names]
    if not any(given):
        return None
    if not all(given):
        missing = ", ".join(name for name, value in zip(names, given, strict=True) if not value)
        raise InputError(f"the environment lacks {missing}: set all three of KERAS_DISTRIBUTION_*")
    addresses, workers, worker = (
        given[0].split(","),
        *(_number(name, value) for name, value in zip(names[1:], given[1:], strict=True)),
    )
    if len(addresses) not in (1, workers):
        raise InputError(
            f"{names[0]} has {len(addresses)} addresses for {workers} processes: name that of "
            "process 0, or all"
        )
    if ":" not in addresses[0]:
        raise InputError(f"{names[0]}: {addresses[0]} has no port; write host:port")
    if worker >= workers:
        raise InputError(f"{names[2]} is {worker}, of {workers} processes: they count from 0")
    return Cluster("KERAS_DISTRIBUTION_*", workers, worker, addresses[0].strip())


def _of_slurm(environ):
    # Those by which JAX knows a step of srun. A script of sbatch itself has no step's nodes.
    names = "SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID"
    if not all(environ.get(name) for name in names):
        return None
    # A shell of `salloc` is a step of one task in an allocation for many.
    name = "SLURM_STEP_NUM_TASKS" if environ.get("SLURM_STEP_NUM_TASKS") else "SLURM_NTASKS"
    worker = _number("SLURM_PROCID", environ["SLURM_PROCID"])
    return Cluster("SLURM", _number(name, environ[name]), worker)


def _of_open_mpi(environ):
    names = "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"
    if not all(environ.get(name) for name in names):
        return None
    return Cluster("Open MPI", *(_number(name, environ[name]) for name in names))


def _number(name, text):
    if not text.strip().isdecimal():
        raise InputError(f"{name} is {text!r}, and not a number")
    return int(text)
