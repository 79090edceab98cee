"""Writing files and folders so that whatever stands under its final name is whole."""

import contextlib
import glob
import os
import shutil
import tempfile
from pathlib import Path

from segmentation.errors import InputError

UNFINISHED = ".unfinished"  # ends the name of a workspace


@contextlib.contextmanager
def written_whole(path):
    """Yield a temporary path beside `path`; rename it to `path` when the block ends without error.

    The block may write a file or a folder there. A file or folder that stood under `path` is
    replaced; after an error it is untouched and nothing else is left behind.

    Args:
        path: where the result will stand. Missing parent folders are made.

    Raises:
        InputError: if its folder cannot be made.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*{UNFINISHED}"):
        shutil.rmtree(leftover, ignore_errors=True)  # of a process that was killed
    workspace = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=UNFINISHED, dir=path.parent))
    try:
        temporary = workspace / path.name  # the same suffix: many writers choose a format by it
        yield temporary
        if temporary.is_dir() and path.is_dir():  # os.replace refuses a full folder
            os.replace(path, workspace / "replaced")
        os.replace(temporary, path)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


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
