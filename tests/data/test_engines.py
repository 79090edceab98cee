"""Shards on a Dask cluster: the bytes of the local run, and what a worker may lack or suffer."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import types
from contextlib import nullcontext

import distributed
import numpy as np
import pytest
from PIL import Image

import data
import layout_sets
import printed
from folder_sets import folder_set
from scene_sets import scene_set
from segmentation.cli import data_options, terminal
from segmentation.data import engines, pairing, preparation, shards
from segmentation.data.masks import Drawing
from segmentation.data.samples import LabelMap, Reader, Sample
from segmentation.errors import InputError, WorkerError

pytestmark = pytest.mark.slow
COUNT = 5 * engines.SHARD + 7
STEMS = [f"{number:04d}" for number in range(COUNT)]
ONCE = ("seconds", "pictures_per_second")  # differ from run to run


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        yield cluster


@pytest.fixture
def threads():
    """A cluster of threads of this process: quick to start, for what goes wrong."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
    ) as cluster:
        yield cluster


def on(cluster):
    return ["--engine", "dask", "--scheduler", cluster.scheduler_address]


def run(capsys, *argv):
    """Run the command; return its result but for the time it took and the output, and stderr."""
    data.main([str(each) for each in argv])
    out, err = capsys.readouterr()
    result = json.loads(out.splitlines()[-1])
    return {name: each for name, each in result.items() if name not in ONCE}, err


def failure(capsys, *argv):
    """Run the command, which must fail in one line; return its status and the line."""
    with pytest.raises(SystemExit) as end:
        terminal.run(lambda: data.main([str(each) for each in argv]))
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    return end.value.code, err


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def kill_one_at_work(cluster):
    """Kill a worker that holds an unfinished shard: it is stopped before, and cannot finish it."""
    while True:
        for address, worker in list(cluster.scheduler.workers.items()):
            if not worker.processing:
                continue
            pid = next(n.pid for n in cluster.workers.values() if n.worker_address == address)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.2)  # for what it has sent before
            if worker.processing:
                os.kill(pid, signal.SIGKILL)
                return
            os.kill(pid, signal.SIGCONT)


def test_the_files_are_those_of_the_local_run_though_a_worker_is_killed(
    cluster, tmp_path, capsys, monkeypatch
):
    folder_set(tmp_path / "raw", STEMS)
    damaged = tmp_path / "raw/images/0040.png"
    damaged.write_bytes(damaged.read_bytes()[:50])
    persons = "".join(f"{stem},p{stem[-1]}\n" for stem in STEMS)
    (tmp_path / "raw/mapping.csv").write_text("id,person_group\n" + persons)
    command = ["lfw", "-d", tmp_path / "raw", "-s", 32, "--max_bad", 0.1, "-o"]
    here, err_here = run(capsys, *command, tmp_path / "out")
    local = content(tmp_path / "out")
    assert len(here["skipped"]) == 1 and str(damaged) in here["skipped"][0]
    monkeypatch.setattr(pairing, "in_order", None)  # nothing is worked on here
    killer = threading.Thread(target=kill_one_at_work, args=(cluster,))
    killer.start()
    there, err = run(capsys, *command, tmp_path / "out", *on(cluster))
    killer.join()
    assert content(tmp_path / "out") == local and len(local) == 5
    assert there == here
    assert [line for line in err.splitlines() if "worker" not in line] == err_here.splitlines()
    assert err.count("is gone: its images are done again") == 1


def test_records_are_those_of_the_local_run_with_any_shards_and_whitelist(
    cluster, tmp_path, capsys
):
    scene_set(tmp_path, {stem: [int(stem) % 3, int(stem) % 4] for stem in STEMS})
    Image.open(tmp_path / "images/0001.jpg").save(tmp_path / "images/0001.png")  # re-encoded
    (tmp_path / "images/0001.jpg").unlink()
    pair = ["-i", tmp_path / "images", "-a", tmp_path / "annotations"]
    more = [
        "-l",
        tmp_path / "objectInfo.txt",
        "--num_shards",
        3,
        "-t",
        1,
        "-w",
        "wall|floor, flooring",
    ]
    here, _ = run(capsys, "ade20k", *pair, *more, "-o", tmp_path / "out/room.tfrecord")
    local = content(tmp_path / "out")
    there, _ = run(
        capsys, "ade20k", *pair, *more, "-o", tmp_path / "out/room.tfrecord", *on(cluster)
    )
    assert content(tmp_path / "out") == local and len(local) == 5
    assert there == here and 0 < here["pictures"] < COUNT


def test_masks_whose_format_shows_in_all_of_them_are_looked_at_there(
    cluster, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)  # where the workers are not
    folder_set(tmp_path / "raw", STEMS[: engines.SHARD + 1])
    command = ["prepare", "-d", "raw", "-o", "out/all.tfrecord"]
    here, _ = run(capsys, *command)
    local = content(tmp_path / "out")
    there, _ = run(capsys, *command, *on(cluster))
    assert content(tmp_path / "out") == local and there == here
    with distributed.Client(cluster, set_as_default=False) as client:
        assert not any(client.run(lambda: "tensorflow" in sys.modules).values())


def test_what_workers_say_is_said_here_once(cluster, tmp_path, capsys):
    for stem in STEMS[: engines.SHARD + 1]:
        layout_sets.save(tmp_path / f"set/images/{stem}.jpg", layout_sets.image("f0"))
        for name, index in (("cat", 1), ("dog", 2)):
            area = np.where(layout_sets.truth("f0") == index, 250, 3).astype(np.uint8)
            area[0, :5] = 100
            layout_sets.save(tmp_path / f"set/masks/{stem}_{name}.png", area)
    command = ["prepare", "-d", tmp_path / "set", "-s", 32, "-o"]
    for _ in range(2):  # the second time by workers that have said it
        _, err = run(capsys, *command, tmp_path / "out", *on(cluster))
        assert err.count("masks have blended edges") == 1


@pytest.mark.parametrize("name", layout_sets.CASES)
def test_every_layout_goes_to_workers_and_back(threads, tmp_path, name):
    function, *_ = layout_sets.CASES[name]
    (tmp_path / "set").mkdir()
    function(tmp_path / "set")
    for output in ("out", "out/all.tfrecord"):
        contents = []
        for each in (None, threads):
            reader = data_options.open_reader("auto", [tmp_path / "set"])
            writer = data_options.open_writer(None, tmp_path / output)
            with engines.open_dask(each.scheduler_address) if each else nullcontext() as engine:
                preparation.prepare(reader, writer, engine)
            contents.append(content(tmp_path / "out"))
        assert contents[0] == contents[1]


def test_masks_of_different_shards_are_compared_as_those_of_one(threads, tmp_path, capsys):
    scene_set(tmp_path, {stem: [1, 2] for stem in STEMS[: 2 * engines.SHARD]})
    for stem in (STEMS[0], STEMS[engines.SHARD + 1]):
        path = tmp_path / f"annotations/{stem}.png"
        mask = Image.fromarray(np.asarray(Image.open(path)))
        mask.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0] if stem == STEMS[0] else [0] * 4 + [99] * 5)
        mask.save(path)
    pair = ["-i", tmp_path / "images", "-a", tmp_path / "annotations"]
    command = ["ade20k", *pair, "-l", tmp_path / "objectInfo.txt", "-o", tmp_path / "a.tfrecord"]
    here = failure(capsys, *command)
    assert here[0] == 2 and "in an order of image software" in here[1]
    assert failure(capsys, *command, *on(threads)) == here


def reader_of(folder, draw, count=3):
    """Return a reader of images whose masks a function draws."""
    folder_set(folder, STEMS[:count])
    images = sorted((folder / "images").iterdir())
    samples = [Sample(path.stem, "", path, Drawing(path, draw)) for path in images]
    return Reader(samples, {}, LabelMap.of_ids(["background", "object"]))


def prepare(cluster, tmp_path, draw):
    """Prepare such a reader; it fails, and leaves nothing behind."""
    reader = reader_of(tmp_path / "raw", draw)
    writer = data_options.open_writer("arrays", tmp_path / "out/here", img_size=(32, 32))
    try:
        with engines.open_dask(cluster.scheduler_address) as engine:
            preparation.prepare(reader, writer, engine)
    finally:
        assert not (tmp_path / "out").exists()


def test_an_error_of_ours_is_one_line_that_names_the_image_and_the_machine(threads, tmp_path):
    with pytest.raises(WorkerError, match=r"raw/images/0000.png, on .*: ZeroDivisionError: div"):
        prepare(threads, tmp_path, lambda: 1 / 0)


def test_images_that_kill_every_worker_are_named(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    with pytest.raises(InputError, match="1 workers in turn died .*0000.png, 0001.png, 0002.png"):
        prepare(cluster, tmp_path, lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_a_scheduler_that_ends_is_one_line(tmp_path, capsys):
    file = tmp_path / "scheduler.json"
    arguments = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file]
    program = [sys.executable, "-m", "distributed.cli.dask_scheduler", *arguments]
    with subprocess.Popen(program, stderr=subprocess.DEVNULL) as process:
        while not file.exists() or not file.read_text():
            time.sleep(0.05)
        cluster = types.SimpleNamespace(scheduler_address=json.loads(file.read_text())["address"])
        killer = threading.Thread(target=kill_when, args=(process, tmp_path / "out/here"))
        killer.start()
        with pytest.raises(InputError, match="is gone, and nothing was written"):
            prepare(cluster, tmp_path, lambda: None)
        killer.join()
    assert "has no workers: waiting for them" in capsys.readouterr().err


def kill_when(process, path):
    while not path.exists():
        time.sleep(0.05)
    time.sleep(0.5)
    process.kill()


def test_a_worker_of_other_versions_is_refused(threads, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "FACTS", shards.FACTS | {"numpy": "1.0"})
    facts = shards.FACTS | {"pillow": "2.0"}
    with pytest.raises(InputError, match="the worker on .* has pillow .*, and this machine 2.0: "):
        shards.run(facts, tmp_path, tmp_path / "part", None, b"")


def test_a_scheduler_of_other_versions_is_one_line(threads, monkeypatch, capsys):
    numbers, honest = itertools.count(), distributed.versions.get_versions

    def differing():
        found = honest()
        return found | {"packages": found["packages"] | {"numpy": f"1.{next(numbers)}"}}

    monkeypatch.setattr(distributed.versions, "get_versions", differing)
    with engines.open_dask(threads.scheduler_address):
        pass
    err = capsys.readouterr().err
    assert err.endswith(" has other versions than this machine of numpy\n") and err.count("\n") == 1


def test_a_worker_must_see_the_images_and_the_output(tmp_path):
    for image, part, what in (
        (tmp_path / "raw/1.png", tmp_path / "part", f"does not see {tmp_path / 'raw'}: images"),
        (tmp_path, tmp_path / "out/.x/part", f"does not see {tmp_path / 'out'}: the output"),
    ):
        with pytest.raises(InputError, match=what):
            shards.run(shards.FACTS, image, part, None, b"")
    (tmp_path / "part").write_text("done before")
    shards.run(shards.FACTS, tmp_path, tmp_path / "part", None, b"")
    assert (tmp_path / "part").read_text() == "done before"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scheduler", "tcp://127.0.0.1:1"], "--scheduler goes with --engine dask"),
        (["--engine", "dask", "--scheduler", "tcp://127.0.0.1:1"], "no Dask scheduler of this"),
        (["--engine", "dask", "--scheduler", "nowhere"], "its address is like tcp://host:8786"),
        (["--engine", "dask", "--scheduler", "tcp://a:1", "--workers", "2"], "has its own"),
    ],
)
def test_a_wrong_scheduler_is_one_line(tmp_path, capsys, monkeypatch, options, message):
    monkeypatch.setattr(engines, "PATIENCE", 0.3)
    status, err = failure(capsys, "lfw", "-d", tmp_path, "-o", tmp_path / "out", *options)
    assert status == 2 and message in err and not list(tmp_path.iterdir())


def test_a_wrong_address_leaves_no_client_that_prints_a_traceback_when_the_process_ends(tmp_path):
    options = ["--engine", "dask", "--scheduler", "http://127.0.0.1:8787"]  # the dashboard's
    command = [sys.executable, printed.ROOT / "data.py", "lfw", "-d", tmp_path, *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and "unknown address scheme 'http'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_the_package_one_line_names_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    status, err = failure(capsys, "lfw", "-d", tmp_path, "--engine", "dask")
    assert status == 2
    assert "--engine dask needs distributed; run pip install -r requirements-dask.txt" in err


def test_without_a_scheduler_a_cluster_is_started_here(tmp_path, capsys):
    folder_set(tmp_path / "raw", STEMS[:3])
    command = ["lfw", "-d", tmp_path / "raw", "-s", 32, "-o", tmp_path / "out"]
    here, _ = run(capsys, *command)
    local = content(tmp_path / "out")
    there, err = run(capsys, *command, "--engine", "dask", "--workers", 1)
    assert there == here and content(tmp_path / "out") == local and err == ""
