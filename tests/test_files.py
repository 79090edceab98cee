"""Files are complete or absent."""

import errno
import hashlib
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


def test_json_keeps_its_value_and_writes_a_list_of_numbers_on_one_line(tmp_path):
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


def test_the_next_write_removes_what_a_killed_process_left(tmp_path):
    (tmp_path / ".a.txt.1234.unfinished").mkdir()
    (tmp_path / ".a.txt.1234.unfinished" / "a.txt").touch()
    files.write_text(tmp_path / "a.txt", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_new_folders_are_removed_after_an_error_and_existing_ones_stay(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(RuntimeError):
        with files.written_whole(tmp_path / "a" / "b" / "c" / "d.txt"):
            raise RuntimeError
    assert [p.name for p in tmp_path.rglob("*")] == ["a"]


@pytest.mark.parametrize("folder", [True, False])
def test_a_file_replaces_no_folder_and_a_folder_no_file(tmp_path, folder):
    path = tmp_path / "a.tflite"
    path.touch() if folder else path.mkdir()
    with pytest.raises(InputError, match="a.tflite: a .* of this name is in the way"):
        with files.written_whole(path) as temporary:
            temporary.mkdir() if folder else temporary.touch()
    assert path.is_file() == folder and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_an_input_error_and_other_errors_pass_through(tmp_path):
    with pytest.raises(InputError, match="a.txt: cannot be written .No space.*make room there"):
        with files.written_whole(tmp_path / "a.txt"):
            raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FileNotFoundError):
        with files.written_whole(tmp_path / "a.txt"):
            (tmp_path / "missing").read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_write_permission_is_an_input_error(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):  # a real folder would not refuse root, who may run the tests
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files.tempfile, "mkdtemp", refuse)
    with pytest.raises(InputError, match="a.txt: cannot be written .Permission denied"):
        files.write_text(tmp_path / "a.txt", "new")


def test_the_hash_of_a_folder_is_that_of_what_sha256sum_lists(tmp_path):
    folder = tmp_path / "a.mlpackage"
    (folder / "Data").mkdir(parents=True)
    (folder / "Manifest.json").write_bytes(b"one")
    (folder / "Data" / "weights.bin").write_bytes(b"two")
    (folder / ".DS_Store").write_bytes(b"of a file manager")
    one, two = (hashlib.sha256(content).hexdigest() for content in (b"one", b"two"))
    assert files.sha256(folder / "Manifest.json") == one
    listed = f"{two}  Data/weights.bin\n{one}  Manifest.json\n"
    assert files.sha256(folder) == hashlib.sha256(listed.encode()).hexdigest()
    (folder / "Manifest.json").rename(folder / "manifest.json")
    assert files.sha256(folder) != hashlib.sha256(listed.encode()).hexdigest()
