"""Downloads, from a server on loopback that breaks off, ignores ranges, refuses or lies."""

import errno
import hashlib
import http.server
import io
import json
import random
import re
import tarfile
import threading
import zipfile

import pytest

import data
from segmentation import progress
from segmentation.data import download
from segmentation.errors import InputError


class Server(http.server.ThreadingHTTPServer):
    """Serves `contents` by path; the rest says how badly, and `ranges` what was asked for."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents, self.ranges = {}, []
        self.limit = None  # bytes sent before the connection closes
        self.honours_ranges = True
        self.status = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/mirror/"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET, with ranges of the form `bytes=N-`."""

    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.ranges.append(asked)
        content = server.contents.get(self.path)
        if server.status or content is None:
            self.send_response(server.status or 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
        if not server.honours_ranges:
            start = 0
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: server.limit])
        self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def archive_of(members):
    """Return a .tgz of {name: bytes, or TarInfo} as bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def publish(server, monkeypatch, images, masks=None):
    """Make `server` the origin of a data set "tiny" of two archives."""
    masks = masks or archive_of({"masks/a.ppm": b"mask"})
    archives = []
    for file, content in (("pictures.tgz", images), ("masks.tgz", masks)):
        server.contents[f"/mirror/{file}"] = content
        known = "sha256:" + hashlib.sha256(content).hexdigest()
        folder = file.partition(".")[0]
        archives.append(download.Archive(file, server.url + file, known, folder))
    monkeypatch.setitem(download.DATA_SETS, "tiny", tuple(archives))


def zip_of(members):
    """Return a .zip of {name: bytes} as bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def publish_zip(server, monkeypatch, content):
    """Make `server` the origin of a data set "zipped" of one archive."""
    server.contents["/mirror/scenes.zip"] = content
    known = "sha1:" + hashlib.sha1(content).hexdigest()
    archive = download.Archive("scenes.zip", server.url + "scenes.zip", known, "scenes")
    monkeypatch.setitem(download.DATA_SETS, "zipped", (archive,))


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


WHOLE = ["masks", "masks.tgz", "masks/a.ppm", "pictures", "pictures.tgz", "pictures/a.jpg"]
NOISE = random.Random(1).randbytes(100_000)  # compresses to no less
IMAGES = archive_of({"pictures/a.jpg": NOISE})


def test_lfw_is_what_the_issue_names():
    images, masks = download.DATA_SETS["lfw"]
    assert images.file == "lfw-funneled.tgz"
    assert images.known_hash.endswith(
        "b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a"
    )
    assert masks.url.endswith("/lfw/part_labels/parts_lfw_funneled_gt_images.tgz")
    assert masks.known_hash == "md5:3e7e26e801c3081d651c8c2ef3c45cfc"
    assert (images.folder, masks.folder) == ("lfw_funneled", "parts_lfw_funneled_gt_images")


def test_ade20k_is_what_the_challenge_names():
    (archive,) = download.DATA_SETS["ade20k"]
    assert archive.url == ("http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip")
    assert archive.known_hash == "sha1:219e1696abb36c8ba3a3afe7fb2f4b4606a897c7"
    assert (archive.file, archive.folder) == ("ADEChallengeData2016.zip", "ADEChallengeData2016")


def test_a_zip_goes_on_is_checked_and_unpacked_once(server, monkeypatch, tmp_path):
    content = zip_of({"scenes/images/a.jpg": NOISE, "__MACOSX/a": b"", "scenes/info.txt": b"x"})
    publish_zip(server, monkeypatch, content)
    server.limit = len(content) // 2
    result = download.download("zipped", tmp_path)
    assert len(server.ranges) > 1 and server.ranges[1].startswith("bytes=")
    assert (result["downloaded"], result["unpacked"]) == (["scenes.zip"], ["scenes"])
    assert (tmp_path / "scenes/images/a.jpg").read_bytes() == NOISE
    assert tree(tmp_path) == [
        *("scenes", "scenes.zip", "scenes/images", "scenes/images/a.jpg", "scenes/info.txt")
    ]
    assert download.download("zipped", tmp_path)["unpacked"] == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zip_of({"scenes/a": b"", "../outside.txt": b"evil"}), "would write outside"),
        (zip_of({"scenes/a": b"", "/tmp/outside.txt": b"evil"}), "would write outside"),
        (zip_of({"scenes/a": b"", "scenes\\..\\..\\out": b"evil"}), "would write outside"),
        (zip_of({"other/a": b""}), "holds no folder scenes"),
        (zip_of({"scenes/a": NOISE})[:-100], "a damaged archive"),
        (zip_of({"scenes/a": NOISE}).replace(NOISE[:99], NOISE[1:100]), "a damaged archive"),
    ],
)
def test_a_bad_zip_is_named_and_leaves_no_folder(server, monkeypatch, tmp_path, content, message):
    publish_zip(server, monkeypatch, content)
    with pytest.raises(InputError, match=f"scenes.zip: .*{message}") as error:
        download.download("zipped", tmp_path / "raw")
    assert "\n" not in str(error.value)
    assert tree(tmp_path) == ["raw", "raw/scenes.zip"]


def test_fetches_and_unpacks_once(server, monkeypatch, tmp_path):
    publish(server, monkeypatch, IMAGES)
    shown = []

    def display(items, total, description):
        shown.append((description, total))
        return items

    monkeypatch.setattr(progress, "_display", display)
    result = download.download("tiny", tmp_path / "raw")
    assert tree(tmp_path / "raw") == WHOLE
    assert (tmp_path / "raw/pictures/a.jpg").read_bytes() == NOISE
    assert result["downloaded"] == ["pictures.tgz", "masks.tgz"]
    assert result["folders"] == [str(tmp_path / "raw" / name) for name in ("pictures", "masks")]
    assert shown[:2] == [("pictures.tgz", 7), ("unpacking pictures.tgz", 1)]
    requests = len(server.ranges)
    result = download.download("tiny", tmp_path / "raw")
    assert len(server.ranges) == requests
    assert result["downloaded"] == result["unpacked"] == []


def test_url_replaces_the_folder_part_of_each_address(server, monkeypatch, tmp_path):
    publish(server, monkeypatch, IMAGES)
    server.contents = {path.replace("mirror", "other"): v for path, v in server.contents.items()}
    other = server.url.replace("mirror/", "other")  # with or without the last slash
    assert download.download("tiny", tmp_path, url=other)["downloaded"]
    assert tree(tmp_path) == WHOLE


def test_an_archive_put_there_by_hand_is_taken(server, monkeypatch, tmp_path):
    publish(server, monkeypatch, IMAGES)
    (tmp_path / "pictures.tgz").write_bytes(IMAGES)
    result = download.download("tiny", tmp_path)
    assert result["downloaded"] == ["masks.tgz"]
    assert result["unpacked"] == ["pictures", "masks"]


def test_goes_on_within_a_call_while_bytes_come(server, monkeypatch, tmp_path):
    publish(server, monkeypatch, IMAGES)
    server.limit = len(IMAGES) // 2 + 1
    download.download("tiny", tmp_path)
    whole_chunks = server.limit // download.CHUNK * download.CHUNK
    assert server.ranges[:2] == [None, f"bytes={whole_chunks}-"]
    assert tree(tmp_path) == WHOLE


def test_a_later_call_goes_on_where_an_earlier_one_stopped(server, monkeypatch, tmp_path):
    publish(server, monkeypatch, IMAGES)
    content = server.contents["/mirror/pictures.tgz"]
    (tmp_path / ".pictures.tgz.part").write_bytes(content[:30])
    server.limit = 0
    with pytest.raises(InputError, match=r"30 bytes are kept; run again"):
        download.download("tiny", tmp_path)
    assert tree(tmp_path) == [".pictures.tgz.part"]
    server.limit, server.ranges = None, []
    download.download("tiny", tmp_path)
    assert server.ranges[0] == "bytes=30-"
    assert tree(tmp_path) == WHOLE


def test_begins_again_if_the_server_ignores_ranges(server, monkeypatch, tmp_path):
    publish(server, monkeypatch, IMAGES)
    server.honours_ranges = False
    (tmp_path / ".pictures.tgz.part").write_bytes(b"x" * 30)
    download.download("tiny", tmp_path)
    assert server.ranges[0] == "bytes=30-"
    assert tree(tmp_path) == WHOLE


def test_takes_a_part_that_is_complete_and_drops_one_that_is_too_long(
    server, monkeypatch, tmp_path
):
    publish(server, monkeypatch, IMAGES)
    for surplus, requests in ((b"", 1), (b"too long", 2)):
        out = tmp_path / str(requests)
        out.mkdir()
        (out / ".pictures.tgz.part").write_bytes(IMAGES + surplus)
        server.ranges = []
        download.download("tiny", out)
        assert len(server.ranges) == requests + 1  # one more for the masks
        assert tree(out) == WHOLE


def test_a_wrong_checksum_names_both_and_leaves_what_was_there(server, monkeypatch, tmp_path):
    publish(server, monkeypatch, IMAGES)
    (tmp_path / "pictures.tgz").write_bytes(b"mine")
    (tmp_path / "notes.txt").write_bytes(b"mine too")
    server.contents["/mirror/pictures.tgz"] = b"something else"
    with pytest.raises(InputError) as caught:
        download.download("tiny", tmp_path)
    message = str(caught.value)
    assert server.url + "pictures.tgz" in message and "\n" not in message
    assert hashlib.sha256(IMAGES).hexdigest() in message
    assert hashlib.sha256(b"something else").hexdigest() in message
    assert (tmp_path / "pictures.tgz").read_bytes() == b"mine"
    assert tree(tmp_path) == ["notes.txt", "pictures.tgz"]
    server.contents["/mirror/pictures.tgz"] = IMAGES
    download.download("tiny", tmp_path)
    assert tree(tmp_path) == sorted([*WHOLE, "notes.txt"])


@pytest.mark.parametrize("status", [404, 403, 503, 202])
def test_a_refusal_names_address_and_status(server, monkeypatch, tmp_path, status):
    publish(server, monkeypatch, IMAGES)
    server.status = status
    with pytest.raises(InputError, match=f"pictures.tgz: the server answers {status}.*by hand"):
        download.download("tiny", tmp_path)
    assert tree(tmp_path) == []


def test_offline(server, monkeypatch, tmp_path):
    publish(server, monkeypatch, IMAGES)
    with pytest.raises(InputError, match="no connection"):
        download.download("tiny", tmp_path, url="http://127.0.0.1:9")
    with pytest.raises(InputError, match="no http"):
        download.download("tiny", tmp_path, url="ftp://127.0.0.1")
    with pytest.raises(InputError, match="known are .*lfw"):
        download.download("lwf", tmp_path)


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "name, content",
    [
        ("../outside.txt", b"evil"),
        ("pictures/../../outside.txt", b"evil"),
        ("pictures/way", link("pictures/way", "../../..")),
        ("pictures/way", link("pictures/way", "/etc/passwd")),
        ("pictures/way", link("pictures/way", "../../outside.txt", tarfile.LNKTYPE)),
        ("pictures/device", link("pictures/device", "", tarfile.CHRTYPE)),
    ],
)
def test_nothing_leaves_the_folder(server, monkeypatch, tmp_path, name, content):
    publish(server, monkeypatch, archive_of({"pictures/a.jpg": NOISE, name: content}))
    out = tmp_path / "deep" / "raw"
    with pytest.raises(InputError, match="would write outside|not unpacked"):
        download.download("tiny", out)
    assert tree(tmp_path) == ["deep", "deep/raw", "deep/raw/pictures.tgz"]


def test_only_the_named_folder_appears(server, monkeypatch, tmp_path):
    publish(server, monkeypatch, archive_of({"pictures/a.jpg": NOISE, "readme.txt": b"hello"}))
    download.download("tiny", tmp_path)
    assert tree(tmp_path) == WHOLE
    publish(server, monkeypatch, archive_of({"other/a.jpg": NOISE}))
    with pytest.raises(InputError, match="holds no folder pictures"):
        download.download("tiny", tmp_path / "again")


def test_a_damaged_archive_is_named(server, monkeypatch, tmp_path):
    publish(server, monkeypatch, IMAGES[: len(IMAGES) // 2])
    with pytest.raises(InputError, match="pictures.tgz: a damaged archive"):
        download.download("tiny", tmp_path)
    publish(server, monkeypatch, b"no archive at all")
    with pytest.raises(InputError, match="pictures.tgz: a damaged archive"):
        download.download("tiny", tmp_path)


def test_a_full_disk_is_said_and_keeps_the_download(server, monkeypatch, tmp_path):
    publish(server, monkeypatch, IMAGES)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(tarfile.TarFile, "extractall", full)
        with pytest.raises(InputError, match="pictures: cannot be written .No space.*make room"):
            download.download("tiny", tmp_path)
    assert tree(tmp_path) == ["pictures.tgz"]
    assert download.download("tiny", tmp_path)["downloaded"] == ["masks.tgz"]


def test_a_data_set_from_outside_is_one_row(server, monkeypatch, tmp_path, capsys):
    publish(server, monkeypatch, IMAGES)  # sets DATA_SETS["tiny"]
    data.main(["download", "tiny", "-o", str(tmp_path / "raw"), "--url", server.url])
    result = json.loads(capsys.readouterr().out)
    assert result["unpacked"] == ["pictures", "masks"] and tree(tmp_path / "raw") == WHOLE
    with pytest.raises(SystemExit):
        data.main(["download", "small"])
    assert "invalid choice: 'small'" in capsys.readouterr().err
