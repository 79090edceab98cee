"""Fetch public data sets: a table of them, and downloads that resume and are checked."""

import errno
import logging
import os
from pathlib import Path
from typing import NamedTuple

from segmentation.data import archives
from segmentation.errors import InputError
from segmentation.progress import track

CHUNK = 1 << 14  # bytes: what may be lost where a connection breaks off
TIMEOUT = (30, 60)  # seconds, to connect and between bytes


class Archive(NamedTuple):
    """A tar or zip archive of a data set.

    Attributes:
        file: its name on disk, which ends in .zip or as a tar archive does.
        url: where it was published.
        known_hash: its checksum, `algorithm:hexadecimal`, as pooch takes it.
        folder: the one folder in it, which appears beside the archive.
    """

    file: str
    url: str
    known_hash: str
    folder: str


# The archives of each data set that `data.py download` knows.
DATA_SETS = {
    "lfw": (
        Archive(  # address and checksum of scikit-learn's fetch_lfw_people
            file="lfw-funneled.tgz",
            url="https://ndownloader.figshare.com/files/5976015",
            known_hash="sha256:b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a",
            folder="lfw_funneled",
        ),
        Archive(  # http://vis-www.cs.umass.edu/lfw/part_labels/
            file="parts_lfw_funneled_gt_images.tgz",
            url="http://vis-www.cs.umass.edu/lfw/part_labels/parts_lfw_funneled_gt_images.tgz",
            known_hash="md5:3e7e26e801c3081d651c8c2ef3c45cfc",
            folder="parts_lfw_funneled_gt_images",
        ),
    ),
    "ade20k": (
        Archive(  # http://sceneparsing.csail.mit.edu: 20,210 images to train, 2,000 to validate
            file="ADEChallengeData2016.zip",
            url="http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip",
            known_hash="sha1:219e1696abb36c8ba3a3afe7fb2f4b4606a897c7",
            folder="ADEChallengeData2016",
        ),
    ),
}


def download(name, out_dir, url=None):
    """Download and unpack a data set; what is there already is not fetched or unpacked again.

    The archives stay beside the folders that they unpack to. An archive put there by hand is
    taken if its checksum is right. An interrupted download continues where it stopped.

    Args:
        name: key of `DATA_SETS`.
        out_dir: the folder, made if it is missing.
        url: http(s) address of a folder that holds the archives under their own names; None
            takes them from where they were published.

    Returns:
        dictionary of `out_dir`, `folders` (the paths unpacked to), and `downloaded` and `unpacked`:
        the names of the files and folders that this call added.

    Raises:
        InputError: if an address does not answer or lacks the file, a checksum is wrong, an
            archive is damaged or holds paths or links that lead out of its folder, or the disk
            is full or not writable. What is complete stays.
    """
    if name not in DATA_SETS:
        raise InputError(f"no data set '{name}'; known are {', '.join(sorted(DATA_SETS))}")
    if url and not url.startswith(("http://", "https://")):
        raise InputError(f"--url {url}: no http:// or https:// address")
    out_dir = Path(out_dir)
    result = {"out_dir": str(out_dir), "folders": [], "downloaded": [], "unpacked": []}
    for archive in DATA_SETS[name]:
        folder = out_dir / archive.folder
        result["folders"].append(str(folder))
        if folder.is_dir() and any(folder.iterdir()):
            continue
        address = f"{url.rstrip('/')}/{archive.file}" if url else archive.url
        fetcher = _Fetcher(out_dir / f".{archive.file}.part", archive.file)
        try:
            _fetch(archive, address, out_dir, fetcher)
            archives.unpack(out_dir / archive.file, archive.folder)
        except OSError as error:
            reason = "disk is full" if error.errno == errno.ENOSPC else error.strerror or error
            raise InputError(
                f"{out_dir}: {reason} while writing {archive.file} or its contents; make room "
                "or choose another --out_dir, then run again"
            ) from None
        if fetcher.used:
            result["downloaded"].append(archive.file)
        result["unpacked"].append(archive.folder)
    return result


def _fetch(archive, address, out_dir, fetcher):
    """Bring an archive to `out_dir`, checked, unless it is there."""
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)  # the progress bar says enough
    by_hand = f"or put {archive.file} into {out_dir} by hand and run again"
    try:
        pooch.retrieve(address, archive.known_hash, archive.file, out_dir, downloader=fetcher)
    except requests.HTTPError as error:
        response = error.response
        raise InputError(
            f"{address}: the server answers {response.status_code} {response.reason}; give a "
            f"mirror with --url, {by_hand}"
        ) from None
    except requests.RequestException as error:
        kept = f"; {fetcher.kept()} bytes are kept" if fetcher.kept() else ""
        raise InputError(
            f"{address}: no connection, or it broke ({type(error).__name__}){kept}; run again "
            f"to go on, give a mirror with --url, {by_hand}"
        ) from None
    except ValueError as error:  # what pooch raises for a wrong checksum
        raise InputError(f"{address}: {error} Run again, give another --url, {by_hand}") from None


class _Fetcher:
    """A downloader for pooch that continues where an earlier one stopped.

    Pooch's own starts from nothing each time. The bytes gather in `partial`. A file that has
    changed on the server in the meantime is found out by its checksum.
    """

    def __init__(self, partial, description):
        self.partial, self.description = partial, description
        self.used = False

    def kept(self):
        """Return the size of what has been downloaded so far, in bytes."""
        return self.partial.stat().st_size if self.partial.exists() else 0

    def __call__(self, url, output_file, pooch):
        """Download `url` to the path `output_file`. Raises requests.RequestException, OSError."""
        from requests import exceptions

        broken_off = (
            exceptions.ConnectionError,
            exceptions.Timeout,
            exceptions.ChunkedEncodingError,
        )
        self.used = True
        while True:
            before = self.kept()
            try:
                self._receive(url)
                break
            except broken_off:
                if self.kept() <= before:  # nothing more comes
                    raise
        os.replace(self.partial, output_file)

    def _receive(self, url):
        import requests

        start = self.kept()
        # A server that compresses on the way would count other bytes than those we keep.
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            span = response.headers.get("Content-Range", "")
            if response.status_code == 416 and span == f"bytes */{start}":
                return  # complete: only the renaming was cut off
            goes_on = response.status_code == 206 and span.startswith(f"bytes {start}-")
            if start and response.status_code in (206, 416) and not goes_on:
                self.partial.unlink()
                return self._receive(url)
            # Not raise_for_status: some servers send an empty 202 to what is no browser.
            if response.status_code not in (200, 206):
                raise requests.HTTPError(response=response)
            length = int(response.headers.get("Content-Length", 0))
            if response.status_code == 200:
                start = 0
            chunks = response.iter_content(CHUNK)
            chunks = track(chunks, -(-length // CHUNK) or None, self.description)
            with open(self.partial, "ab" if start else "wb") as file:
                for chunk in chunks:
                    file.write(chunk)
        if self.kept() < start + length:
            raise requests.ConnectionError("the connection was closed early")
