"""Writing files and folders so that whatever stands under its final name is whole."""

import contextlib
import errno
import glob
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

from segmentation.errors import InputError

UNFINISHED = ".unfinished"  # ends the name of a workspace
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def workspace_beside(path):
    """Yield a hidden folder beside `path`, for work that ends in a renaming to `path`.

    It is removed afterwards, as are those for the same `path` that a killed process left. Missing
    parent folders are made; those that are still empty in the end are removed.

    Args:
        path: what is to be written.

    Raises:
        InputError: if its folder cannot be made or written to, or the disk is full.
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
        advice = "make room there, or name" if error.errno in DISK_FULL else "name"
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); {advice} another place"
        ) from None
    finally:
        if workspace:
            shutil.rmtree(workspace, ignore_errors=True)
        for folder in missing:
            with contextlib.suppress(OSError):  # not empty, as it should be
                folder.rmdir()


@contextlib.contextmanager
def written_whole(path):
    """Yield a temporary path beside `path`; rename it to `path` when the block ends without error.

    The block may write a file or a folder there. A file or folder that stood under `path` is
    replaced; after an error it is untouched and nothing else is left behind.

    Args:
        path: where the result will stand. Missing parent folders are made.

    Raises:
        InputError: if its folder cannot be made or written to, the disk is full, or a folder
            stands where a file is to be written, or the other way round.
    """
    path = Path(path)
    with workspace_beside(path) as workspace:
        temporary = workspace / path.name  # the same suffix: many writers choose a format by it
        yield temporary
        if path.exists() and temporary.is_dir() != path.is_dir():
            kind = "folder" if path.is_dir() else "file"
            raise InputError(f"{path}: a {kind} of this name is in the way; move it")
        if path.is_dir():  # os.replace refuses a full folder
            os.replace(path, workspace / "replaced")
        os.replace(temporary, path)


def size(path):
    """Return the bytes of a file, or of all files in a folder."""
    path = Path(path)
    if path.is_file():
        return path.stat().st_size
    return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())


def write_text(path, text):
    """Write `text` to `path` as UTF-8, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path, value):
    """Write `value` to `path` as JSON for people too, whole or not at all."""
    text = json.dumps(value, indent=2)
    # A list of numbers on one line: colours and rows are read as a whole. No string of JSON holds a
    # line break.
    text = re.sub(
        r"\[\n[\d,\s]+\]", lambda numbers: re.sub(r"\s+", "", numbers[0]).replace(",", ", "), text
    )
    write_text(path, text + "\n")
