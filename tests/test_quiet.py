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


@pytest.mark.parametrize(
    ("backend", "advice"),
    [
        ("tensorflow", "run pip install -r requirements.txt, or set KERAS_BACKEND"),
        ("jax", "run pip install -r requirements-jax.txt, or set KERAS_BACKEND"),
        ("nonsense", "set KERAS_BACKEND to another of tensorflow, jax, torch "),
    ],
)
def test_a_missing_backend_is_named_in_one_line_with_what_to_install(backend, advice):
    script = str(Path(__file__).parents[1] / "train_full.py")
    code = (
        "import runpy, sys\n"
        f"sys.modules[{backend!r}] = None  # makes it absent\n"
        f"sys.argv = [{script!r}, '--img_file', 'images-32.npy']\n"
        f"sys.path.insert(0, {str(Path(script).parent)!r})\n"
        f"runpy.run_path({script!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("error: Keras cannot start its backend (")
    cause, _, rest = done.stderr.partition("): ")
    assert backend in cause and rest.startswith(advice)
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
