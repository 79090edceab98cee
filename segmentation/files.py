"""Atomic writing: a file or folder under its final name is complete."""

import contextlib
import errno
import glob
import hashlib
import json
import math
import os
import re
import shutil
import tempfile
from pathlib import Path

from segmentation import remote
from segmentation.errors import InputError

UNFINISHED = ".unfinished"  # suffix of a workspace
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
# Of a container, in either version of Linux' control groups.
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@contextlib.contextmanager
def workspace_beside(path):
    """Yield a hidden folder next to `path`, for a result that is then renamed to `path`.

    The folder is removed afterwards, and so are folders that a killed process left for this `path`.
    Missing parent folders are made, and removed if they are still empty at the end.

    Args:
        path: the file or folder to write.

    Raises:
        InputError: if a parent folder cannot be made or written to, or the disk is full.
    """
    path = Path(path)
    missing, workspace = [], None
    try:
        missing = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.*{UNFINISHED}"):
            shutil.rmtree(leftover, ignore_errors=True)
        workspace = Path(tempfile.mkdtemp(UNFINISHED, f".{path.name}.", path.parent))
        yield workspace
    except OSError as error:
        if workspace and error.errno not in DISK_FULL:
            raise
        advice = "make room there, or " if error.errno in DISK_FULL else ""
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); {advice}{remote.other_place(path)}"
        ) from None
    finally:
        if workspace:
            shutil.rmtree(workspace, ignore_errors=True)
        for folder in missing:
            with contextlib.suppress(OSError):  # not empty: the result is there
                folder.rmdir()


@contextlib.contextmanager
def written_whole(path):
    """Yield a temporary path and rename it to `path` if the block ends without an error.

    The block may write a file or a folder there. It replaces a file or folder at `path`; after an
    error that one is unchanged and nothing else is left behind.

    Args:
        path: path of the result. Missing parent folders are made.

    Raises:
        InputError: if a parent folder cannot be made or written to, the disk is full, or a folder
            is in the way of a file, or a file in the way of a folder.
    """
    path = Path(path)
    with workspace_beside(path) as workspace:
        temporary = workspace / path.name  # writers infer the format from its suffix
        yield temporary
        if path.exists() and temporary.is_dir() != path.is_dir():
            kind = "folder" if path.is_dir() else "file"
            raise InputError(f"{path}: a {kind} of this name is in the way; move it")
        if path.is_dir():  # os.replace refuses a folder that is not empty
            os.replace(path, workspace / "replaced")
        os.replace(temporary, path)


def user_cache():
    """Return the folder for what the user's commands keep from one to the next."""
    import pooch  # slow, and most commands need no cache

    return Path(pooch.os_cache("mobile-segmentation"))


def require_disk(path, num_bytes):
    """Raise InputError if a file of so many bytes cannot have room where `path` would be."""
    folder = next(parent for parent in Path(path).absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise InputError(
            f"{path}: would take {num_bytes / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free; "
            f"make room there, choose a smaller --img_size, or {remote.other_place(path)}"
        )


def require_memory(num_bytes, what):
    """Raise InputError if `what` takes more bytes than the machine, or the container, has."""
    there = _memory()
    if num_bytes > there:
        raise InputError(
            f"{what} takes {num_bytes / 1e9:,.1f} GB of memory, and this machine has "
            f"{there / 1e9:,.1f} GB"
        )


def _memory():
    found = [math.inf]
    if hasattr(os, "sysconf"):  # not on Windows
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for limit in CGROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # "max" is no limit
            found.append(int(Path(limit).read_text()))
    return min(found)


def size(path):
    """Return the size in bytes of a file, or of all files in a folder."""
    path = Path(path)
    if path.is_file():
        return path.stat().st_size
    return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())


def sha256(path):
    r"""Return the SHA-256 of a file as hexadecimal text, or of a folder.

    That of a folder is of the lines `HASH  RELATIVE/PATH` of its files in the order of their paths,
    hidden ones left out: inside it, of what this prints:
    `find * -type f -not -name '.*' | LC_ALL=C sort | xargs -d "\n" sha256sum`.
    """
    path = Path(path)
    if path.is_dir():
        parts = {each.relative_to(path).as_posix(): each for each in path.rglob("*")}
        lines = [
            f"{sha256(each)}  {name}\n"
            for name, each in sorted(parts.items())
            if each.is_file() and not each.name.startswith(".")
        ]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path, text):
    """Write `text` to `path` as UTF-8, completely or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(remote.shown(text), encoding="utf-8", newline="\n")


def write_json(path, value):
    """Write `value` to `path` as readable JSON, completely or not at all."""
    text = json.dumps(value, indent=2)
    # Lists of numbers on one line: colours and rows are easier to read. JSON strings hold no line
    # breaks, so that they never match.
    text = re.sub(
        r"\[\n[\d,\s]+\]", lambda numbers: re.sub(r"\s+", "", numbers[0]).replace(",", ", "), text
    )
    write_text(path, text + "\n")
