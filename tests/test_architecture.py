"""The rooms of the house: who may import whom, and what each part may know of."""

import ast
import graphlib
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from segmentation.formats import FORMATS

ROOT = Path(__file__).resolve().parent.parent
SLOW = {"tensorflow", "keras", "coremltools", "matplotlib"}
ONNX = {"onnx", "tf2onnx", "onnxruntime"}  # optional
DASK = {"dask", "distributed", "cloudpickle"}  # optional
COMMANDS = sorted(ROOT.glob("*.py"))
LIBRARY = sorted([*ROOT.glob("segmentation/**/*.py"), *ROOT.glob("nets/*.py")])
MAX_LINES = 400
# From the top down: a room may import those below it. Rooms on one floor don't know each other.
FLOORS = (
    {"commands"},
    {"cli"},
    {"serving"},
    {"training", "export", "synthetic", "benchmark", "checking"},
    {"evaluation"},
    {"inference"},
    {"legacy"},
    {"data"},
    {"shared"},
    {"nets"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
DIAGRAM = ROOT / "docs" / "architecture.md"


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in COMMANDS + LIBRARY}


def room(module):
    """The room of one of our modules: a folder of segmentation, or what stands beside them."""
    first, *rest = module.split(".")
    if first == "nets":
        return "nets"
    if first != "segmentation":
        return "commands"
    in_folder = rest and (ROOT / "segmentation" / rest[0]).is_dir()
    return rest[0] if in_folder else "shared"


def imported(path):
    """The modules and names that a file imports, anywhere in it, in full."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def our_modules(path):
    """Our modules among them: of `from segmentation.data import masks` segmentation.data.masks."""
    found = set()
    for name in imported(path):
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        found |= {name} - {""}
    return found


def packages(path):
    return {name.split(".")[0] for name in imported(path)}


def ids(path):
    return str(path.relative_to(ROOT))


def edges():
    """Which room imports which, as (from, to)."""
    found = {
        (room(module), room(other))
        for module, path in MODULES.items()
        for other in our_modules(path)
    }
    return {(one, other) for one, other in found if one != other}


def test_rooms_import_downwards_only():
    wrong = {(one, other) for one, other in edges() if FLOOR[one] >= FLOOR[other]}
    assert not wrong


def test_no_modules_import_each_other_in_a_circle_not_even_inside_functions():
    graph = {module: our_modules(path) - {module} for module, path in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_only_the_data_command_knows_synthetic_images():
    users = {m for m, path in MODULES.items() if "synthetic" in map(room, our_modules(path))}
    assert {m for m in users if room(m) != "synthetic"} == {"data"}


def test_nets_import_nothing_of_ours_and_no_command_imports_a_command():
    for module, path in MODULES.items():
        below = {room(other) for other in our_modules(path)}
        assert room(module) != "nets" or below <= {"nets"}, module
        assert room(module) == "commands" or "commands" not in below, module
        assert room(module) != "commands" or not our_modules(path) & {c.stem for c in COMMANDS}


def test_the_diagram_of_the_documentation_shows_the_imports_as_they_are():
    block = re.search(r"```mermaid\n(.*?)```", DIAGRAM.read_text(encoding="utf-8"), re.S)[1]
    arrows = set(re.findall(r"^\s*(\w+) --> (\w+)$", block, re.M))
    assert len(arrows) == block.count("-->")
    assert arrows <= edges()
    reached = {one: {other for start, other in arrows if start == one} for one in FLOOR}
    for _ in FLOORS:  # arrows that follow from others are left out
        reached = {
            one: {*more, *(o for m in more for o in reached[m])} for one, more in reached.items()
        }
    assert {(one, other) for one, other in edges() if other not in reached[one]} == set()


def test_readers_and_writers_of_the_table_of_formats_exist_in_their_rooms():
    for format_ in FORMATS.values():
        for reference, home in ((format_.reader, "inference"), (format_.writer, "export")):
            if reference is None:
                continue
            module, _, function = reference.partition(":")
            assert room(module) == home
            assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("path", LIBRARY, ids=ids)
def test_the_library_neither_parses_options_nor_prints(path):
    if path.parent.name == "cli":
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert "argparse" not in packages(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            assert node.attr != "add_argument"
            assert not (isinstance(node.value, ast.Name) and node.value.id == "args")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print"


@pytest.mark.parametrize("path", COMMANDS + LIBRARY, ids=ids)
def test_libraries_of_converters_stay_in_their_rooms_and_tensorflow_is_imported_when_it_is_needed(
    path,
):
    if path.parent.name not in ("export", "inference"):
        assert not {"coremltools", *ONNX} & packages(path)
    if path.parent.name not in ("export", "inference", "benchmark"):
        assert "ai_edge_litert" not in packages(path)
    if path.name != "engines.py":
        assert not DASK & packages(path)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        assert not {"tensorflow", *ONNX, *DASK} & {name.split(".")[0] for name in names}


def test_no_file_grows_too_long():
    long = {ids(path) for path in COMMANDS + LIBRARY if path.read_bytes().count(b"\n") > MAX_LINES}
    assert not long


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
