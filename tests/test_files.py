"""Files are whole or absent."""

import errno
import json

import pytest

from segmentation import files
from segmentation.errors import InputError


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError):
        with files.written_whole(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_json_holds_what_it_is_given_with_lists_of_numbers_on_a_line(tmp_path):
    value = {"titles": ["IMG [1,2]", "a\n[3,4]", "[ 5 ]"], "rows": [1, 22, 3], "empty": []}
    files.write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == value and '"rows": [1, 22, 3],\n' in text


def test_a_folder_that_is_in_the_way_is_replaced(tmp_path):
    path = tmp_path / "a.mlpackage"
    path.mkdir()
    (path / "old").touch()
    with files.written_whole(path) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert [p.name for p in path.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.mlpackage"]


def test_what_a_killed_process_left_is_cleared_by_the_next_write(tmp_path):
    (tmp_path / ".a.txt.1234.unfinished").mkdir()
    (tmp_path / ".a.txt.1234.unfinished" / "a.txt").touch()
    files.write_text(tmp_path / "a.txt", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_folders_made_for_nothing_are_removed_and_others_stay(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(RuntimeError):
        with files.written_whole(tmp_path / "a" / "b" / "c" / "d.txt"):
            raise RuntimeError
    assert [p.name for p in tmp_path.rglob("*")] == ["a"]


@pytest.mark.parametrize("folder", [True, False])
def test_what_is_of_the_other_kind_is_not_replaced(tmp_path, folder):
    path = tmp_path / "a.tflite"
    path.touch() if folder else path.mkdir()
    with pytest.raises(InputError, match="a.tflite: a .* of this name is in the way"):
        with files.written_whole(path) as temporary:
            temporary.mkdir() if folder else temporary.touch()
    assert path.is_file() == folder and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_a_line_and_other_errors_of_the_block_are_its_own(tmp_path):
    with pytest.raises(InputError, match="a.txt: cannot be written .No space"):
        with files.written_whole(tmp_path / "a.txt"):
            raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FileNotFoundError):
        with files.written_whole(tmp_path / "a.txt"):
            (tmp_path / "missing").read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_written_to_is_a_line(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):  # the superuser, as whom tests may run, is refused nothing
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files.tempfile, "mkdtemp", refuse)
    with pytest.raises(InputError, match="a.txt: cannot be written .Permission denied"):
        files.write_text(tmp_path / "a.txt", "new")
