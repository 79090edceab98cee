"""Which cluster the environment names (Keras, TF_CONFIG, Vertex AI, SLURM, Open MPI); devices."""

import dataclasses
import json

import keras
import pytest

from segmentation.errors import InputError
from segmentation.training import distribution
from segmentation.training.cluster import Cluster, find_cluster
from segmentation.training.config import DataFiles, FullConfig

CHIEF, FIRST, SECOND = "10.0.0.1:2222", "10.0.0.2:2222", "10.0.0.3:2222"


def tf_config(kind=None, index=None, **tasks):
    task = {} if kind is None else {"task": {"type": kind, "index": index}}
    return {"TF_CONFIG": json.dumps({"cluster": tasks} | task)}


def of_keras(addresses, workers, worker):
    values = {"JOB_ADDRESSES": addresses, "NUM_PROCESSES": workers, "PROCESS_ID": worker}
    return {f"KERAS_DISTRIBUTION_{name}": value for name, value in values.items()}


SLURM = {
    "SLURM_JOB_ID": "7",
    "SLURM_STEP_NODELIST": "node[1-4]",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "2",
    "SLURM_LOCALID": "0",
}
VERTEX = {
    "cluster": {"workerpool0": [CHIEF], "workerpool1": [FIRST, SECOND]},
    "environment": "cloud",
    "task": {"type": "workerpool1", "index": 1},
}
VERTEX_ALONE = {
    "cluster": {"workerpool0": [CHIEF]},
    "environment": "cloud",
    "task": {"type": "workerpool0", "index": 0},
}


@pytest.mark.parametrize(
    "environ,workers,worker,coordinator",
    [
        (tf_config("worker", 0, worker=[FIRST, SECOND]), 2, 0, FIRST),
        (tf_config("worker", 1, worker=[FIRST, SECOND]), 2, 1, FIRST),
        (tf_config("chief", 0, worker=[FIRST, SECOND], chief=[CHIEF]), 3, 0, CHIEF),
        (tf_config("worker", 0, worker=[FIRST, SECOND], chief=[CHIEF]), 3, 1, CHIEF),
        (tf_config("worker", "1", worker=[FIRST, SECOND], master=[CHIEF]), 3, 2, CHIEF),
        (
            tf_config("worker", 0, chief=[CHIEF], worker=[FIRST], ps=[SECOND], evaluator=[SECOND]),
            2,
            1,
            CHIEF,
        ),
        ({"CLUSTER_SPEC": json.dumps(VERTEX)}, 3, 2, CHIEF),
        (of_keras("10.0.0.1:2222", "2", "1"), 2, 1, CHIEF),
        (of_keras(f"{CHIEF},{FIRST}", "2", "0"), 2, 0, CHIEF),
        (SLURM, 4, 2, None),
        ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"}, 2, 1, None),
        # Keras' own variables have been set by hand: they count.
        (SLURM | of_keras(CHIEF, "2", "1"), 2, 1, CHIEF),
    ],
)
def test_a_cluster_is_found(environ, workers, worker, coordinator):
    found = find_cluster(environ)
    assert found == Cluster(found.source, workers, worker, coordinator)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"TF_CONFIG": ""},
        {"TF_CONFIG": '{"environment": "cloud"}'},
        {"TF_CONFIG": '{"cluster": {}}'},
        tf_config("worker", 0, worker=[FIRST]),
        tf_config("chief", 0, chief=[CHIEF]),
        {"CLUSTER_SPEC": json.dumps(VERTEX_ALONE)},
        of_keras(CHIEF, "1", "0"),
        SLURM | {"SLURM_NTASKS": "1", "SLURM_PROCID": "0"},
        SLURM | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"},  # a shell of salloc
        {name: value for name, value in SLURM.items() if name != "SLURM_STEP_NODELIST"},  # sbatch
        {"OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"},
    ],
)
def test_one_worker_is_no_cluster(environ):
    assert find_cluster(environ) is None


@pytest.mark.parametrize(
    "environ,message",
    [
        ({"TF_CONFIG": "{"}, "TF_CONFIG is malformed: expected a value such as"),
        ({"TF_CONFIG": "[1]"}, "TF_CONFIG is malformed"),
        ({"TF_CONFIG": '{"cluster": 3}'}, "TF_CONFIG is malformed"),
        ({"TF_CONFIG": '{"cluster": ["10.0.0.1:2222"]}'}, "TF_CONFIG is malformed"),
        (tf_config("worker", 0, worker="10.0.0.1:2222"), "TF_CONFIG is malformed"),
        (tf_config("worker", 0, worker=["10.0.0.1", FIRST]), "TF_CONFIG is malformed"),
        (tf_config("worker", "x", worker=[CHIEF, FIRST]), "TF_CONFIG is malformed"),
        (tf_config("worker", None, worker=[CHIEF, FIRST]), "TF_CONFIG is malformed"),
        (tf_config(worker=[CHIEF, FIRST]), "TF_CONFIG has no 'task'"),
        (tf_config("worker", 2, worker=[CHIEF, FIRST]), "the task worker 2 does not train"),
        (tf_config("ps", 0, worker=[CHIEF], ps=[FIRST]), "the task ps 0 does not train"),
        (tf_config("evaluator", 0, chief=[CHIEF], evaluator=[FIRST]), "evaluator 0 does not"),
        ({"CLUSTER_SPEC": "null"}, "CLUSTER_SPEC is malformed"),
        ({"KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}, "lacks KERAS_DISTRIBUTION_JOB_ADDRESSES, "),
        (of_keras(CHIEF, "two", "0"), "NUM_PROCESSES is 'two', and not a number"),
        (of_keras(CHIEF, "2", "2"), "PROCESS_ID is 2, of 2 processes"),
        (of_keras(f"{CHIEF},{FIRST}", "3", "2"), "2 addresses for 3 processes"),
        (of_keras("10.0.0.1", "2", "0"), "has no port"),
    ],
)
def test_an_incomplete_or_malformed_cluster_gets_one_line(environ, message):
    with pytest.raises(InputError) as error:
        find_cluster(environ)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("option", [{"clip_norm": 1.0}, {"unlabelled": "photos"}])
def test_an_option_that_several_devices_would_change_silently_keeps_to_one(
    option, monkeypatch, capsys
):
    found = ["gpu:0", "gpu:1", "gpu:2"]
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: found)
    config = FullConfig(files=DataFiles(), model="tiny", lr=0.1, **option)
    with distribution.started(config) as devices:
        assert devices == distribution.Devices()
    said = f"--{next(iter(option))} trains on one device"
    assert f"warning: {said}: 2 more stay idle" in capsys.readouterr().err
    with pytest.raises(InputError, match=f"--devices 2: {said}"):
        with distribution.started(dataclasses.replace(config, devices=2)):
            pass
