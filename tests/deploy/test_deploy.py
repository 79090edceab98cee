"""The files of jobs: what can be known of them without a cluster, a cloud or Docker."""

import importlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

import printed
import train_full

DEPLOY = printed.ROOT / "deploy"
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
SHELLCHECK = shutil.which("shellcheck", path=PATH)
# A Slurm of one machine: srun runs its command for each of $CODES, and ends with the highest.
TOOLS = {
    "srun": 'shift; most=0\nfor CODE in $CODES; do\n  export CODE; "$@"; code=$?\n'
    "  ((code > most)) && most=$code\ndone\nexit $most",
    "mobile-segmentation": 'echo "$KERAS_BACKEND $*" >> calls\n'
    '[ "$CODE" = wait ] && { touch started; exec sleep 60; }\nexit "$CODE"',
    "scontrol": 'echo "$*" >> requeued',
}
OPTIONS = ["--img_file", "a folder/images-128.npy", "-o", "out/hair.keras"]


@pytest.fixture
def slurm(tmp_path):
    """A function that starts the job, whose workers end with given statuses."""
    for name, code in TOOLS.items():
        tool = tmp_path / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(f"#!/usr/bin/env bash\n{code}\n")
        tool.chmod(0o755)
    own = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}

    def start(codes, **more):
        return subprocess.Popen(
            ["bash", DEPLOY / "slurm.sh", *OPTIONS],
            cwd=tmp_path,
            env=os.environ | own | {"CODES": codes} | more,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start


@pytest.mark.parametrize(
    ("codes", "status", "requeued"),
    [
        ("0 0", 0, False),
        ("75 75", 0, True),  # each lost another
        ("75 137", 0, True),  # one was killed, the other noticed it
        ("2 75", 2, False),  # wrong options or data
        ("75 1", 1, False),  # a bug
    ],
)
def test_slurm_starts_all_workers_again_when_one_was_lost_and_not_for_mistakes(
    codes, status, requeued, slurm, tmp_path
):
    job = slurm(codes)
    _, said = job.communicate()
    assert job.returncode == status, said
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == [f"jax train_full {' '.join(OPTIONS)} --resume"] * 2
    assert (tmp_path / "requeued").exists() == requeued
    assert ("start again" in said) == requeued
    if requeued:
        assert (tmp_path / "requeued").read_text() == "requeue 7\n"


def test_slurm_gives_up_after_so_many_restarts(slurm, tmp_path):
    job = slurm("75 75", SLURM_RESTART_COUNT="3", RESTARTS="3")
    _, said = job.communicate()
    assert job.returncode == 75 and "giving up" in said
    assert not (tmp_path / "requeued").exists()


def test_slurm_requeues_when_the_time_is_nearly_up(slurm, tmp_path):
    job = slurm("wait")
    try:
        while not (tmp_path / "started").exists():
            assert job.poll() is None
            time.sleep(0.01)
        os.kill(job.pid, signal.SIGUSR1)  # the shell alone, as --signal=B: does
        assert job.wait() == 0
        assert (tmp_path / "requeued").read_text() == "requeue 7\n"
    finally:
        os.killpg(job.pid, signal.SIGKILL)  # Slurm ends the step of a job that it requeues
        job.communicate()


def test_slurm_reads_all_its_options_before_the_first_command():
    lines = (DEPLOY / "slurm.sh").read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if n and line and not line.startswith("#"))
    options = [n for n, line in enumerate(lines) if line.startswith("#SBATCH")]
    assert options and max(options) < first


@pytest.mark.skipif(not SHELLCHECK, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing():
    subprocess.run([SHELLCHECK, DEPLOY / "slurm.sh"], check=True)


def containers():
    """Yield the containers of the job files: `args` and `env` by name."""
    for pool in yaml.safe_load((DEPLOY / "vertex.yaml").read_text())["workerPoolSpecs"]:
        yield pool["containerSpec"]
    _, job = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    yield from job["spec"]["template"]["spec"]["containers"]


def test_the_commands_of_jobs_exist_and_carry_on_after_a_restart():
    commands = list(containers())
    assert len(commands) == 3
    for container in commands:
        name, *options = container["args"]
        assert name == "train_full"
        config = train_full.parse_args([each.replace("gs://BUCKET", "data") for each in options])
        assert config.resume
        assert {"name": "KERAS_BACKEND", "value": "jax"} in container["env"]


def printed_options():
    """Yield the command and the options of each line for a job or the package that is printed."""
    for page in (printed.ROOT / "README.md", printed.ROOT / "docs" / "cloud.md"):
        for line in (line for block in printed.blocks(page) for line in block):
            if not re.match(r"\s*(gcloud|sbatch|mobile-segmentation) ", line):
                continue
            words = shlex.split(line)
            for word in words:
                if word.startswith("--args="):
                    options = word.removeprefix("--args=").removeprefix("train_full,").split(",")
                    yield "train_full", options
            if words[0] == "mobile-segmentation":
                yield words[1], words[2:]
            if "deploy/slurm.sh" in words:
                yield "train_full", words[words.index("deploy/slurm.sh") + 1 :]


def test_the_options_that_the_documentation_prints_for_jobs_exist():
    lines = list(printed_options())
    assert len(lines) >= 7 and sum("--job-dir=" in str(options) for _, options in lines) == 3
    for name, options in lines:
        command = importlib.import_module(name)
        try:
            command.parse_args([each.replace("gs://BUCKET", "data") for each in options])
        except SystemExit as end:
            assert not end.code, (name, options)  # --help


# https://cloud.google.com/vertex-ai/docs/reference/rest/v1/CustomJobSpec
VERTEX = {
    "": {"workerPoolSpecs", "scheduling", "baseOutputDirectory"},
    "workerPoolSpecs": {"machineSpec", "replicaCount", "diskSpec", "containerSpec"},
    "machineSpec": {"machineType", "acceleratorType", "acceleratorCount"},
    "diskSpec": {"bootDiskType", "bootDiskSizeGb"},
    "containerSpec": {"imageUri", "args", "env"},
    "env": {"name", "value"},
    "scheduling": {"restartJobOnWorkerRestart", "timeout"},
    "baseOutputDirectory": {"outputUriPrefix"},
}


def test_the_job_of_vertex_ai_has_fields_of_its_schema():
    job = yaml.safe_load((DEPLOY / "vertex.yaml").read_text())

    def check(value, name):
        if isinstance(value, dict):
            assert value.keys() <= VERTEX[name], name
            for key, part in value.items():
                check(part, key)
        elif isinstance(value, list):
            for part in value:
                check(part, name)

    check(job, "")
    first, others = job["workerPoolSpecs"]
    assert first["replicaCount"] == 1  # worker 0, which the others look for
    assert first["containerSpec"] == others["containerSpec"]
    assert job["scheduling"]["restartJobOnWorkerRestart"] is True


def test_the_workers_of_the_kubernetes_job_find_each_other_and_all_start_again():
    service, job = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    spec = job["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    env = {each["name"]: each for each in container["env"]}
    name, subdomain = job["metadata"]["name"], service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None" and pod["subdomain"] == subdomain
    assert service["spec"]["selector"] == {"batch.kubernetes.io/job-name": name}
    address = env["KERAS_DISTRIBUTION_JOB_ADDRESSES"]["value"]
    assert re.fullmatch(rf"{name}-0\.{subdomain}:\d+", address)
    count = int(env["KERAS_DISTRIBUTION_NUM_PROCESSES"]["value"])
    assert spec["completions"] == spec["parallelism"] == count > 1
    field = env["KERAS_DISTRIBUTION_PROCESS_ID"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert spec["completionMode"] == "Indexed" and "job-completion-index" in field
    rules = [rule for rule in spec["podFailurePolicy"]["rules"] if "onExitCodes" in rule]
    actions = {tuple(r["onExitCodes"]["values"]): r["action"] for r in rules}
    assert actions == {(2,): "FailJob", (75,): "Ignore"}
    assert {r["onExitCodes"]["containerName"] for r in rules} == {container["name"]}
    assert pod["restartPolicy"] == "Never"  # which a podFailurePolicy asks for
    volumes = {each["name"] for each in pod["volumes"]}
    assert {each["name"] for each in container["volumeMounts"]} == volumes


def test_the_image_is_made_of_files_that_exist_and_runs_as_nobody_of_rank():
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    copied = set()
    for line in lines:
        word, *rest = shlex.split(line)
        if word == "COPY" and not rest[0].startswith("--from"):
            for pattern in rest[:-1]:
                found = list(printed.ROOT.glob(pattern))
                assert found, pattern
                copied |= {path.name for path in found}
    assert {"pyproject.toml", "requirements-jax.txt", "train_full.py", "nets", "package"} <= copied
    for name in re.findall(r"-r (requirements[\w-]*\.txt)", text):
        assert name in copied
    manifest = (printed.ROOT / "MANIFEST.in").read_text()
    assert set(re.findall(r"^graft (\w+)$", manifest, re.M)) <= copied
    assert lines.index("USER 1000") < lines.index('ENTRYPOINT ["mobile-segmentation"]')
