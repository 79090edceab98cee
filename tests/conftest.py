"""Fixtures that several test files share."""

import gc
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

import tiny_network

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Its idle threads wait busily, and take the core that the other half of the tests runs on.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
gc.disable()  # until all test files are imported


def pytest_collection_finish():
    """Collect garbage from here on, but pass over what was imported, as commands do."""
    gc.enable()
    gc.freeze()


# No test is about the clock, and an example may take long on a busy machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def connected():
    """Show what the library logs on stderr, as a command does."""
    from segmentation.cli import terminal

    terminal.connect()


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Undo after each test what the converters set for themselves."""
    for name in ("KERAS_BACKEND", "CUDA_VISIBLE_DEVICES"):
        before = os.environ.get(name)
        monkeypatch.setenv(name, "")
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder, made the current one, with arrays of 20 images whose bright disc is hair."""
    monkeypatch.chdir(tmp_path)
    tiny_network.register(monkeypatch.setitem)
    tiny_network.write_arrays(tmp_path / "data")
    return tmp_path
