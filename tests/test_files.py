"""Files are whole or absent."""

import pytest

from segmentation import files


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError):
        with files.written_whole(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


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
