"""The wheel: what it holds, and that its commands do from anywhere what a checkout's do."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import version

import numpy as np
import pytest
from packaging.requirements import Requirement

import nets
import printed
import train_full

pytestmark = pytest.mark.slow

ROOT = printed.ROOT
COMMANDS = sorted(path.stem for path in ROOT.glob("*.py"))
OURS = {"nets", "segmentation", "tests", "package", "benchmarks", *COMMANDS}
SOURCES = ("nets", "segmentation", "package", "apps", "web")
LEFT_OUT = ("__pycache__", "dist", "node_modules", ".gradle")
# What a person's own folder may hold: none of it may be taken for a module of the package.
HOSTILE = ("data", "nets", "segmentation", "train_full", "package")
PLACES = ("here", "there")  # models that the checkout wrote, and the package
METADATA = tomllib.loads((ROOT / "pyproject.toml").read_text())


def check_output(command, folder, **options):
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "KERAS_BACKEND")}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        **options,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A folder with the wheel and the source distribution, built from a copy of the sources."""
    copy, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("dist")
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    for name in SOURCES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
    (copy / "tests").mkdir()
    (copy / "tests" / "test_nothing.py").touch()
    here = all(
        Requirement(each).specifier.contains(version(Requirement(each).name))
        for each in METADATA["build-system"]["requires"]
    )
    # What is installed builds it without a connection; an older one is fetched into a place apart.
    options = ["--no-isolation"] if here else []
    check_output([sys.executable, "-m", "build", *options, "-o", out, copy], copy)
    return out


@pytest.fixture(scope="session")
def wheel(built):
    """The path of the wheel."""
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """The `bin` of an environment with the wheel in it, and the packages of this environment."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    scripts = folder / "bin"
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "these.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", scripts / "python"]
    check_output([*pip, "install", "--no-deps", "--no-index", "--quiet", wheel], folder)
    return scripts


@pytest.fixture
def folder(tmp_path):
    """A folder with files that have the names of our modules."""
    for name in HOSTILE:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    return tmp_path


def test_a_wheel_is_one_package_with_all_that_its_commands_read(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"mobile_segmentation", f"{wheel.name.rpartition('-py3')[0]}.dist-info"}
    inside = {name.partition("/")[2] for name in names if name.startswith("mobile_segmentation/")}
    modules = {*COMMANDS, "__init__", "__main__"}
    assert {name for name in inside if "/" not in name} == {f"{each}.py" for each in modules}
    tracked = {
        path.relative_to(ROOT).as_posix()
        for name in ("nets", "segmentation", "apps", "web")
        for path in (ROOT / name).rglob("*")
        if path.is_file() and not {*LEFT_OUT, "build", "assets"} & set(path.relative_to(ROOT).parts)
    }
    assert {name for name in inside if "/" in name} == tracked


def test_no_module_or_list_of_requirements_is_looked_for_in_a_checkout(wheel):
    with zipfile.ZipFile(wheel) as archive:
        sources = {name: archive.read(name) for name in archive.namelist() if name.endswith(".py")}
    assert len(sources) > 100
    for name, source in sources.items():
        assert b"requirements-" not in source, name  # files of a checkout: the wheel has extras
        tree = ast.parse(source)
        kept = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__module__"
        ]
        for node in ast.walk(tree):
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                imported = [node.module]
            assert not OURS & {each.partition(".")[0] for each in imported}, (name, imported)
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                is_module = re.match(r"(nets|segmentation)\.[\w.]*(:\w+)?$", node.value)
                exempt = node in kept or node.value == "segmentation.json"  # no module
                assert not is_module or exempt, (name, node.value)
            # The logger of all our modules is called as they are, by __name__.
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "logging.getLogger":
                assert ast.unparse(node.args[0]).strip("'") not in OURS, (name, ast.unparse(node))


def test_the_wheel_advises_extras_and_no_files_that_only_a_checkout_has(wheel):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".py"):
                assert not re.search(r"requirements-\w+\.txt", archive.read(name).decode()), name


def test_the_source_distribution_holds_what_builds_the_wheel_and_no_tests(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "MANIFEST.in", "package/build.py", "requirements.txt"} <= names
    assert {"requirements-onnx.txt", "README.md", "LICENSE", "data.py", "web/main.js"} <= names
    assert not [name for name in names if name.startswith("tests") or name.endswith(".pyc")]


def test_what_the_wheel_requires_is_what_the_requirements_list(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith("/METADATA")]
        text = archive.read(name).decode()
    required = [Requirement(line) for line in re.findall(r"^Requires-Dist: (.+)$", text, re.M)]
    extras = {path.stem.partition("-")[2]: path for path in ROOT.glob("requirements-*.txt")}
    for name in ("all", "dev", "docs"):  # of development
        del extras[name]
    assert set(re.findall(r"^Provides-Extra: (.+)$", text, re.M)) == set(extras)
    for extra, path in {"": ROOT / "requirements.txt", **extras}.items():
        lines = [line for line in path.read_text().splitlines() if line and line[0] != "#"]
        wanted = {(each.name, each.specifier) for each in map(Requirement, lines)}
        mark = f'extra == "{extra}"' if extra else "None"
        chosen = [each for each in required if str(each.marker) == mark]
        assert wanted and {(each.name, each.specifier) for each in chosen} == wanted, extra


# A network of the fewest ops, with a layer of ours, as a module beside the data of its user.
NETWORK = """
ENCODER_END = "conv"

def Small(img_size, num_classes=1, alpha=1.0):
    import keras
    image = keras.Input((*img_size, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(4, 3, padding="same", name="conv")(x)
    level = keras.saving.get_registered_object("nets>PyramidLevel")
    x = keras.layers.Conv2D(num_classes, 1, name="score")(level(2)(x))
    mask = keras.layers.Activation("sigmoid", dtype="float32", name="mask")(x)
    return keras.Model(image, mask, name="small")
"""
# Runs each list of words as `python -m` does, in one process: importing TensorFlow takes longest.
RUN = """
import json, pkgutil, runpy, sys
from mobile_segmentation import nets
from mobile_segmentation.segmentation import formats
from mobile_segmentation.segmentation.training import config

names = [*nets.NETWORKS.values(), *nets.ENCODERS.values(), *config.LOSSES.values()]
for each in formats.FORMATS.values():
    names += filter(None, (each.reader, each.writer))
nets.NETWORKS["small"] = "small:Small"
for words in json.loads(sys.argv[1]):
    name, *sys.argv[1:] = words
    try:
        runpy.run_module(f"mobile_segmentation.{name}", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        assert not end.code, words
for each in names:
    assert each.startswith("mobile_segmentation."), each
    pkgutil.resolve_name(each)
"""


def test_from_data_to_an_export_with_the_installed_commands_alone(
    installed, folder, monkeypatch, capsys
):
    def run(*words):
        return json.loads(check_output([installed / words[0], *words[1:]], folder).splitlines()[-1])

    run("python", "-m", "mobile_segmentation.data", "sample", "--out_dir", "raw", "--count", "10")
    run("mobile-segmentation", "data", "-d", "raw", "--out_dir", "own", "--img_size", "32")
    (folder / "small.py").write_text(NETWORK)
    options = ["--img_file", "own/images-32.npy", "--model", "small", "-b", "4", "--epochs", "1"]
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(nets.NETWORKS, "small", "small:Small")
    for name in HOSTILE:  # so that this process does not take them
        (folder / f"{name}.py").rename(folder / f"{name}.kept")
    train_full.main([*options, "-o", "here/hair.keras"])
    for name in HOSTILE:
        (folder / f"{name}.kept").rename(folder / f"{name}.py")
    capsys.readouterr()
    # A model that the checkout wrote is converted by the package; one of the package is read here.
    steps = [["train_full", *options, "-o", "there/hair.keras"]]
    steps += [["tf_converter", f"{place}/hair.keras", "--format", "tflite"] for place in PLACES]
    run("python", "-c", RUN, json.dumps(steps))
    image = np.load("own/images-32.npy")[:1].astype("float32")
    for place in PLACES:
        with zipfile.ZipFile(f"{place}/hair.keras") as archive:
            config = archive.read("config.json").decode()
        assert '"module": "nets.layers"' in config and "mobile_segmentation" not in config
        assert nets.load(f"{place}/hair.keras")({"image": image}).shape == (1, 32, 32, 1)
    # Each file is measured in a process of its own, which finds its function in the package.
    measured = run(
        *("python", "-m", "mobile_segmentation.benchmark", "--rounds", "1"),
        *(f"{place}/hair.tflite" for place in PLACES),
    )
    assert [row["file"] for row in measured["rows"]] == ["here/hair.tflite", "there/hair.tflite"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_answers_by_the_name_it_was_called(name, installed, folder):
    text = check_output([installed / "mobile-segmentation", name, "--help"], folder)
    assert text.startswith(f"usage: mobile-segmentation {name} ")
    assert f"    mobile-segmentation {name} " in text and "python " not in text


def test_the_program_lists_its_commands_and_refuses_others(installed, folder):
    program = installed / "mobile-segmentation"
    text = check_output([program], folder)
    assert set(re.findall(r"^  (\w+)  ", text, re.M)) == set(COMMANDS)
    assert check_output([program, "--version"], folder).strip() == METADATA["project"]["version"]
    done = subprocess.run([program, "train"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("error: there is no command train; choose data, ")


@pytest.mark.long
def test_the_wheel_brings_all_that_it_needs(wheel, folder):
    venv.create(folder / "venv", with_pip=True, symlinks=True)
    scripts = folder / "venv" / "bin"
    # Not compiled: of gigabytes, few modules are imported.
    check_output([scripts / "pip", "install", "--no-compile", "--quiet", wheel], folder)
    check_output([scripts / "pip", "check"], folder)
    program = scripts / "mobile-segmentation"
    for words in (
        ["data", "sample", "--out_dir", "raw", "--count", "10"],
        ["data", "lfw", "--data_dir", "raw", "--out_dir", "own", "--img_size", "32"],
        ["train_full", "--img_file", "own/images-32.npy", "-b", "4", "-n", "2", "-a", "0.25"],
        ["coreml_converter", "artifacts/hair.keras"],
    ):
        check_output([program, *words], folder)
    assert (folder / "artifacts" / "hair.mlpackage").is_dir()
