"""Names of files in buckets, the cache, what is fetched and sent, and the messages."""

import argparse
import asyncio
import http.server
import json
import os
import shutil
import threading
from argparse import Namespace
from collections import namedtuple
from pathlib import Path

import pytest

import benchmark
import coreml_converter
import data
import evaluate
import predict
import serve
import tf_converter
import train_full
import train_transfer
from segmentation import buckets, files, remote, storage
from segmentation.cli import options, storage_options
from segmentation.errors import InputError
from storage_runs import run

COMMANDS = (
    *(benchmark, coreml_converter, data, evaluate, predict, serve, tf_converter),
    *(train_full, train_transfer),
)


@pytest.fixture
def opened(bucket):
    """The storage of a command."""
    yield storage.opened()
    storage.finish()


def put(bucket, **contents):
    for key, content in contents.items():
        bucket.client.put_object(Bucket="bucket", Key=key, Body=content)


def test_a_copy_is_called_what_it_is_a_copy_of(tmp_path):
    folder = tmp_path / "ä b"
    remote.keep_copies_in(folder)
    try:
        assert remote.parse(Path("s3://bucket/a/b/")) == "s3://bucket/a/b"
        assert remote.parse("gs://bucket") == "gs://bucket"
        assert remote.parse("gs://bucket//a//b") == "gs://bucket/a/b"
        assert [remote.parse(name) for name in ("a/b", "azure://a/b", "s3", "gs.txt")] == [None] * 4
        copy = remote.local("s3://bucket/a.json")
        assert remote.url_of(copy) == "s3://bucket/a.json"
        assert remote.url_of("a.json") is remote.url_of(folder / "s3") is None
        assert remote.shown(f"{copy}: no") == "s3://bucket/a.json: no"
        assert remote.shown(json.dumps([str(copy)])) == '["s3://bucket/a.json"]'
        files.write_json(tmp_path / "a.json", {"data": str(copy)})
        assert "s3://bucket/a.json" in (tmp_path / "a.json").read_text()
    finally:
        remote.keep_copies_in(None)
    assert remote.shown(str(copy)) == str(copy) and remote.url_of(copy) is None


def paths_of(parser):
    """The destinations of the options, also of subcommands, whose values are paths."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from paths_of(sub)
        named = isinstance(action.metavar, str) and {*action.metavar.split("|")} & {
            *("DIR", "FILE", "PATH", "MODEL", "IMAGE", "NPY", "IN", "OUT")
        }
        if action.type is Path or named or action.dest.endswith(("_file", "_data")):
            yield action.dest


def test_every_option_with_a_path_is_known_as_read_or_as_written(monkeypatch):
    found = set()

    def collect(parser, args=None, namespace=None):
        found.update(paths_of(parser))
        raise SystemExit

    monkeypatch.setattr(options.Parser, "parse_args", collect)
    for command in COMMANDS:
        with pytest.raises(SystemExit):
            command.parse_args(["--help"])
    here_alone = {"adb_benchmark"}  # a program for a device
    assert found - here_alone <= {*storage_options.READ, *storage_options.WRITTEN}
    assert not storage_options.READ.keys() & storage_options.WRITTEN


def test_an_object_is_fetched_once_and_again_when_it_has_changed(bucket, monkeypatch):
    gets, whole = [], storage.Buckets.get
    monkeypatch.setattr(
        storage.Buckets,
        "get",
        lambda self, urls, places: (gets.extend(places), whole(self, urls, places)),
    )
    put(bucket, **{"a/1.txt": b"one", "a/b/2.txt": b"two", "a/empty/": b""})
    for first, expected in ((b"one", 2), (b"one", 0), (b"ONE", 1)):
        put(bucket, **{"a/1.txt": first})
        gets.clear()
        storage.opened().fetch(["s3://bucket/a"])
        folder = remote.local("s3://bucket/a")
        assert (folder / "1.txt").read_bytes() == first
        assert (folder / "b/2.txt").read_bytes() == b"two"
        assert len(gets) == expected
        # What a killed process leaves is in the folder that may be removed.
        assert all(Path(place).parent.parent.name == storage.RUNS for place in gets)
        storage.finish()
    kept = [path for path in Path(os.environ[remote.CACHE]).rglob("*") if path.is_file()]
    assert len(kept) == 2  # of the changed one the later version


def test_what_is_fetched_is_not_sent_and_what_is_removed_here_stays_there(bucket, opened):
    put(bucket, **{"a/1.txt": b"one", "a/2.txt": b"two"})
    opened.fetch(["s3://bucket/a"])
    shutil.rmtree(remote.local("s3://bucket/a"))  # someone empties the cache while we work
    files.write_text(remote.local("s3://bucket/a/3.txt"), "three")
    opened.send()
    assert bucket.names() == {"a/1.txt", "a/2.txt", "a/3.txt"}


def test_an_export_in_many_files_replaces_an_earlier_one_whole(bucket, opened, monkeypatch):
    put(bucket, **{"x.mlpackage/old.bin": b"", "x.mlpackage.txt": b"", "y.mlpackage/old.bin": b""})
    package = remote.local("s3://bucket/x.mlpackage")
    for name in ("Manifest.json", "Data/weights.bin"):
        files.write_text(package / name, name)
    whole, calls = storage.Buckets.put, []

    def breaks_once(self, path, url):
        calls.append(url)
        if len(calls) == 2:
            raise InputError("no connection")
        whole(self, path, url)

    monkeypatch.setattr(storage.Buckets, "put", breaks_once)
    with pytest.raises(InputError, match="no connection"):
        opened.send()
    opened.send()
    parts = {"x.mlpackage/Manifest.json", "x.mlpackage/Data/weights.bin"}
    assert bucket.names() == {*parts, "x.mlpackage.txt", "y.mlpackage/old.bin"}


def test_nothing_of_another_set_or_of_other_people_makes_way(bucket, opened):
    others = {
        *("set1/images-32.npy", "room-val-00000-of-00001.tfrecord", "rooms.tfrecord"),
        *("my.check/notes.txt", "my.kit/a/b.txt", "set1/room-00000-of-00009.tfrecord"),
    }
    replaced = {
        *("set[1]/images-32.npy", "set[1]/room-00000-of-00009.tfrecord", "set[1]/room.tfrecord"),
        *("my.kit/x.kit/old.png", "room-00000-of-00009.tfrecord"),
    }
    put(bucket, **dict.fromkeys(others | replaced, b""))
    written = {
        *("set[1]/masks-32.npy", "set[1]/room-00000-of-00002.tfrecord", "my.check/hair.keras"),
        *("my.kit/x.kit/manifest.json", "my.kit/x.kit/0_mask.png", "room-00000-of-00002.tfrecord"),
    }
    for name in {*written, "set[1]/images-32.npy"}:
        files.write_text(remote.local(f"s3://bucket/{name}"), name)
    opened.send()
    assert bucket.names() == others | written | {"set[1]/images-32.npy"}
    assert bucket.read("set[1]/images-32.npy")


def test_the_shards_of_a_set_are_fetched_and_of_no_other(bucket, monkeypatch):
    shards = [f"d[1]/room-0000{number}-of-00002.tfrecord" for number in range(2)]
    others = ("d[1]/room-val-00000-of-00001.tfrecord", "d1/room-00000-of-00002.tfrecord")
    put(bucket, **dict.fromkeys((*shards, *others), b"x"))
    fetched = Namespace(data="s3://bucket/d[1]/room.tfrecord")
    try:
        storage_options.stage(fetched)
        assert sorted(map(str, storage.opened()._known)) == [
            str(remote.local(f"s3://bucket/{name}")) for name in shards
        ]
    finally:
        storage.finish()


def test_masks_are_looked_for_in_the_same_bucket_alone(bucket):
    put(bucket, **{"raw/a.png": b"x"})
    bucket.client.create_bucket(Bucket="images")
    try:
        storage_options.stage(Namespace(data_dir=["s3://images/raw"]))
    finally:
        storage.finish()
        bucket.client.delete_bucket(Bucket="images")


def test_a_probe_of_another_command_is_no_file(bucket, opened):
    put(bucket, **{f"a/.b.0123{files.UNFINISHED}": b"", "a/b.txt": b"x"})
    assert [*opened.buckets.find("s3://bucket/a")] == ["s3://bucket/a/b.txt"]


def test_the_disk_is_looked_at_before_anything_is_fetched(bucket, opened, monkeypatch):
    put(bucket, big=b"12345")
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda path: usage(4))
    with pytest.raises(InputError, match=f"s3://bucket/big: 0.0 GB to fetch.*{remote.CACHE}"):
        opened.fetch(["s3://bucket/big"])


@pytest.mark.parametrize("name", ["x" * 300, "a/b"])
def test_an_object_whose_name_has_no_room_here_is_told(name, bucket, opened):
    put(bucket, **{"d/a": b"x", f"d/{name}": b"y"})
    with pytest.raises(InputError, match="^s3://bucket/d/.*no file here can have that name"):
        opened.fetch(["s3://bucket/d"])


def test_what_has_no_room_in_the_cache_is_not_told_to_go_to_another_bucket(opened, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: usage(4))
    advice = f"name a folder on another disk in {remote.CACHE}, as files are made in {opened.cache}"
    with pytest.raises(InputError, match=advice):
        files.require_disk(remote.local("s3://bucket/a.npy"), 5)
    with pytest.raises(InputError, match="a.npy.*or choose another folder$"):
        files.require_disk("a.npy", 5)


def test_a_name_that_leads_elsewhere_is_refused(bucket, opened):
    put(bucket, **{"a/../../etc": b""})
    with pytest.raises(InputError, match="a name that no file here can have"):
        opened.fetch(["s3://bucket/a"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "train_full --img_file x.npy -o s3://bucket/hair.h5",
            "s3://bucket/hair.h5: a bucket takes models as .keras alone; name hair.keras",
        ),
        ("train_full -o s3://absent/hair.keras", "s3://absent/hair.keras: no such bucket"),
        (
            "train_full --img_file s3://absent/images-1.npy",
            "s3://absent/images-1.npy: no such bucket",
        ),
        (
            "train_full --img_file s3://bucket/images-1.npy",
            "s3://bucket/images-1.npy: no such file; data.py writes it",
        ),
        (
            "train_full -d s3://bucket/*.tfrecord",
            "s3://bucket/*.tfrecord: no file fits this pattern",
        ),
        ("evaluate s3://bucket/m.keras --data_dir x", "s3://bucket/m.keras: no such file"),
        ("predict azure://b/m.keras x.jpg -o y", "files are read and written here and in buckets"),
        ("data lfw -d s3:// -o y", "s3://: names no bucket"),
        ("data lfw -d x -o s3://bucket/../../x", "s3://bucket/../../x: a name that no file here"),
        ("train_full -o s3://bucket/../x.keras", "s3://bucket/../x.keras: a name that no file"),
        ("data prepare -d s3://bucket/raw -o x", "s3://bucket/raw: no such folder"),
        ("data lfw -d x --out_dir s3://absent/x", "s3://absent/x: no such bucket"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(line, message, bucket, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command, *words = line.split()
    assert run({each.__name__: each for each in COMMANDS}[command], *words) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert message in said


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train_full -d s3://b/x.tfrecord --img_file y.npy", "name two data sets"),
        ("train_full --img_file s3://b/x.npy --warm_up 0.1 --schedule constant", "--warm_up goes"),
        ("train_transfer --img_file s3://b/x.npy --stage transfer --fine_tune_epochs 2", "no mean"),
        ("evaluate s3://b/m.keras --data_dir s3://b/x --mask_file y.npy", "--mask_file goes with"),
        ("data prepare -d s3://b/x -t 0.5 -o y", "--whitelist_threshold is a fraction"),
        ("data ade20k -i s3://b/x -a s3://b/y -l z.txt", "--output is missing"),
    ],
)
def test_options_that_clash_are_told_before_a_bucket_is_looked_at(
    line, message, monkeypatch, capsys
):
    monkeypatch.setattr(storage, "Storage", None)
    command, *words = line.split()
    assert run({each.__name__: each for each in COMMANDS}[command], *words) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert message in said


@pytest.mark.parametrize("url", ["gs://b/x", "s3://b/x"])
def test_a_server_that_falls_silent_is_given_up(url, monkeypatch, tmp_path):
    class Silent(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def do_POST(self):
            over.wait(60)

        do_HEAD, do_PUT = do_GET, do_POST

    async def at_once(*_):
        pass

    over = threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("STORAGE_EMULATOR_HOST", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(buckets, "SILENCE", 0.2)
    monkeypatch.setattr(asyncio, "sleep", at_once)  # between the tries
    (tmp_path / "x").write_text("x")
    said = f"not sent: {url}: no connection, or it broke .(no answer|Read timeout)"
    try:
        with pytest.raises(InputError, match=said):
            buckets.Buckets().put(tmp_path / "x", url)
    finally:
        over.set()
        server.shutdown()


def test_whoever_lacks_credentials_a_connection_or_a_package_is_told(bucket, monkeypatch, capsys):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
    with monkeypatch.context() as patch:
        patch.delenv("AWS_ACCESS_KEY_ID")
        patch.delenv("AWS_SECRET_ACCESS_KEY")
        assert run(predict, "s3://bucket/m.keras", "x.jpg", "-o", "y") == 2
    assert (
        "m.keras: no credentials (Unable to locate credentials); run aws" in capsys.readouterr().err
    )
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        assert run(predict, "s3://bucket/m.keras", "x.jpg", "-o", "y") == 2
    assert "m.keras: no connection, or it broke (Could not connect" in capsys.readouterr().err
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "none.json")
    assert run(predict, "gs://bucket/m.keras", "x.jpg", "-o", "y") == 2
    assert "no credentials (File none.json was not found.); run gcloud" in capsys.readouterr().err

    def filesystem(*_, **__):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.filesystem", filesystem)
    assert run(predict, "s3://bucket/m.keras", "x.jpg", "-o", "y") == 2
    assert "s3fs; run pip install -r requirements-storage.txt" in capsys.readouterr().err
