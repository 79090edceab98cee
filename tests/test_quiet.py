"""Silence for chatty libraries."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from segmentation.quiet import silenced


def test_output_is_discarded_and_a_handler_made_meanwhile_still_works(capfd):
    with silenced():
        print("notice")
        handler = logging.StreamHandler()  # as TensorFlow does when it is imported
    print("result")
    handler.emit(logging.makeLogRecord({"msg": "later"}))
    captured = capfd.readouterr()
    assert captured.out == "result\n" and captured.err == ""


@pytest.mark.parametrize("backend", ["tensorflow", "nonsense"])
def test_a_missing_backend_is_named_in_one_line(backend):
    tests = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, tests.parent / "train_full.py", "--img_file", "images-32.npy"],
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(tests / "no_tensorflow")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("error: Keras cannot start its backend (")
    assert backend in done.stderr.partition(")")[0]
    assert done.stderr.count("\n") == 1


def test_a_line_is_shown_once_though_absl_gives_the_root_logger_a_handler():
    code = (
        "from absl import logging\n"
        "from segmentation.cli import terminal\n"
        "terminal.connect()\n"
        "logging.set_verbosity(logging.ERROR)\n"
        "logging.warning('of Keras')\n"
        "terminal.say('once')\n"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "once\n")
