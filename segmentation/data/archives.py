"""Unpack downloaded archives safely."""

import os
import sys
import tarfile
import zipfile
import zlib
from pathlib import PurePosixPath

from segmentation import files
from segmentation.errors import InputError
from segmentation.progress import track


def unpack(path, folder):
    """Unpack an archive into its own folder: `folder` appears there whole, and nothing else does.

    Args:
        path: of a .zip, or of a tar archive that may be compressed.
        folder: name of the one folder in the archive to keep.

    Raises:
        InputError: if the archive is damaged, holds no such folder, or holds paths or links that
            lead out of it.
    """
    with files.written_whole(path.parent / folder) as temporary:
        stage = temporary.parent / "unpacked"
        stage.mkdir()
        extract = _extract_zip if path.suffix == ".zip" else _extract_tar
        try:
            extract(path, stage)
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error) as error:
            raise InputError(
                f"{path}: a damaged archive ({error}); delete it and run again"
            ) from None
        if not (stage / folder).is_dir():
            raise InputError(f"{path}: holds no folder {folder}; delete it and run again")
        os.replace(stage / folder, temporary)


def _extract_tar(path, stage):
    if not hasattr(tarfile, "data_filter"):
        raise InputError(
            f"{path}: Python {sys.version.split()[0]} cannot unpack archives safely; take 3.11.4 "
            f"or later, or unpack it by hand into {path.parent}"
        )
    try:
        with tarfile.open(path) as tar:
            members = tar.getmembers()
            members = track(members, len(members), f"unpacking {path.name}")
            tar.extractall(stage, members, filter="data")
    except tarfile.FilterError as error:
        raise InputError(_not_unpacked(path, error)) from None


def _extract_zip(path, stage):
    # extract() takes dots out of a path and writes a link as a small file: nothing gets outside.
    # But an archive that tries is to be refused, as a tar archive is.
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for member in members:
            name = PurePosixPath(member.filename.replace("\\", "/"))
            if name.is_absolute() or ".." in name.parts:
                raise InputError(_not_unpacked(path, f"'{member.filename}'"))
        members = track(members, len(members), f"unpacking {path.name}")
        for member in members:
            archive.extract(member, stage)


def _not_unpacked(path, error):
    return (
        f"{path}: not unpacked, for it would write outside its folder ({error}); take the "
        "archive from elsewhere"
    )
