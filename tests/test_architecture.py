"""The direction of the imports, and what each part may know of."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SLOW = {"tensorflow", "keras", "coremltools", "matplotlib"}
COMMANDS = sorted(ROOT.glob("*.py"))
LIBRARY = sorted([*ROOT.glob("segmentation/**/*.py"), *ROOT.glob("nets/*.py")])


def imported(path):
    """The modules that a file imports, anywhere in it, in full."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def packages(path):
    return {name.split(".")[0] for name in imported(path)}


@pytest.mark.parametrize("path", COMMANDS + LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_a_command_and_nets_import_nothing_of_ours(path):
    assert not packages(path) & {command.stem for command in COMMANDS}
    if path.parent.name == "nets":
        assert "segmentation" not in packages(path)


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_neither_parses_options_nor_prints(path):
    if path.parent.name == "cli":
        return
    assert "argparse" not in packages(path)
    calls = [
        node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    ]
    assert "print" not in {call.id for call in calls if isinstance(call, ast.Name)}


@pytest.mark.parametrize("path", COMMANDS + LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_converters_libraries_stay_in_export_and_tensorflow_is_imported_where_it_is_needed(path):
    if path.parent.name not in ("export", "inference"):
        assert "coremltools" not in packages(path)
    at_the_top = ast.Module(
        [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.Import | ast.ImportFrom)],
        [],
    )
    assert "tensorflow" not in {
        name.split(".")[0]
        for node in at_the_top.body
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
        )
    }


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.name)
def test_help_answers_without_slow_imports_and_shows_the_docstring(path):
    code = (
        "import runpy, sys\n"
        f"sys.argv = [{str(path)!r}, '--help']\n"
        "try:\n"
        f"    runpy.run_path({str(path)!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        f"slow = {SLOW} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring.splitlines()[0] in done.stdout


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.name)
@pytest.mark.parametrize("option", ["--no_such_option", "--hel"])
def test_unknown_and_abbreviated_options_are_errors(path, option):
    done = subprocess.run([sys.executable, path, option], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert not done.stdout and "Traceback" not in done.stderr
