"""Build the package `mobile_segmentation` from the flat scripts and packages of a checkout.

In a checkout the commands are scripts at the top level, and import `nets` and `segmentation` from
beside them. Installed under these names, they would stand in the way of other people's modules. So
the build puts all of them into one package, in the same places, and its name before theirs in

- imports: `from nets import registry`, `import segmentation`;
- strings that are nothing but the name of one of our modules, or of something in it: the tables of
  networks, losses and formats hold `"nets.unet:UNet"`, to be imported when it is needed. That of
  `__module__ = …` stays: Keras writes it into files, and they must not tell where they come from;
- the command lines in the docstrings of commands, which `--help` prints.

Messages that advise `pip install -r requirements-onnx.txt` name the extra of the package instead.

MANIFEST.in says which files there are, for the source distribution and for the wheel.
"""

import ast
import re
import shutil
from pathlib import Path

from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel
from setuptools.errors import SetupError

PACKAGE = "mobile_segmentation"
DISTRIBUTION = "mobile-semantic-segmentation"
PROGRAM = "mobile-segmentation"
ROOTS = ("nets", "segmentation")  # the packages at the top level of a checkout
FOLDERS = (*ROOTS, "apps", "web")  # that keep their places
OWN_FILES = ("__init__.py", "__main__.py")  # beside this file, for the top of the package
COMMAND_LINE = re.compile(r"\bpython (\w+)\.py\b")
REQUIREMENTS = re.compile(r"-r requirements(?:-(\w+))?\.txt")


class BuildPackage(build_py):
    """The step of setuptools that collects the modules of a wheel."""

    def run(self):
        """Fill the folder from which the wheel is made."""
        top = Path(self.build_lib) / PACKAGE
        shutil.rmtree(top, ignore_errors=True)  # of an earlier build: files that are gone since
        self.run_command("egg_info")
        listed = [Path(name) for name in self.get_finalized_command("egg_info").filelist.files]
        places = {path: place for path in listed if (place := place_of(path))}
        commands = {path.stem for path, place in places.items() if path.parent == Path()}
        modules = {module_name(path) for path in places if path.parts[0] in ROOTS}
        for path, place in places.items():
            target = top / place
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".py" and path.parts[0] not in ("apps", "web"):
                source = path.read_text(encoding="utf-8")
                target.write_text(rewritten(source, str(path), modules, commands), "utf-8")
            else:
                shutil.copyfile(path, target)


class RefuseEditable(editable_wheel):
    """The step of setuptools for `pip install -e`, which could not rewrite what it links to."""

    def run(self):
        """End the installation."""
        raise SetupError(
            "pip install -e cannot work, as modules have other names in the package: run the "
            "commands of the checkout in place, or install without -e"
        )


def place_of(path):
    """Return where in the package a file of the checkout goes, or None if it is not part of it."""
    folder, *rest = path.parts
    if folder in FOLDERS:
        return path
    if folder == Path(__file__).parent.name and path.name in OWN_FILES:
        return Path(*rest)
    return path if not rest and path.suffix == ".py" else None


def module_name(path):
    """Return the dotted name of a module or package by its path in the checkout."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def rewritten(source, name, modules, commands):
    """Return the source of a module as it stands in the package.

    Args:
        source: text of the module.
        name: of its file, for messages.
        modules: dotted names of our modules in `ROOTS`.
        commands: names of the scripts at the top level.

    Raises:
        SetupError: if there is an import that cannot be rewritten.
    """
    tree = ast.parse(source)
    fixed = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__module__"
    }
    lines = source.encode().splitlines(keepends=True)  # as ast counts lines, and bytes in them
    edits = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            if is_ours(node.module, commands):
                edits.append((node, f"from {node.module} ", f"from {PACKAGE}.{node.module} "))
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if is_ours(alias.name, commands):
                    edits.append((node, *_import(node, alias, name)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in fixed:
            if node.value.partition(":")[0] in modules - set(ROOTS):
                edits.append((node, f'"{node.value}"', f'"{PACKAGE}.{node.value}"'))
    for node, old, new in sorted(edits, key=lambda edit: edit[0].col_offset, reverse=True):
        line, start = lines[node.lineno - 1], node.col_offset
        if not line.startswith(old.encode(), start):
            raise SetupError(f"{name}:{node.lineno}: write it as {old}: the build looks for that")
        rest = line[start + len(old.encode()) :]
        lines[node.lineno - 1] = line[:start] + new.encode() + rest
    text = REQUIREMENTS.sub(_extra, b"".join(lines).decode())
    return _with_docstring(text) if name.removesuffix(".py") in commands else text


def is_ours(module, commands):
    """Return whether an imported name is one of a checkout's packages or scripts."""
    root = module.partition(".")[0]
    return root in ROOTS or root in commands


def _import(node, alias, name):
    """Return `import X` or `import X.Y as Z`, and what stands for it in the package."""
    old = ast.unparse(node)
    parent, _, last = f"{PACKAGE}.{alias.name}".rpartition(".")
    if len(node.names) > 1 or (parent != PACKAGE and not alias.asname):
        raise SetupError(f"{name}:{node.lineno}: {old}: import one name, with `from`")
    return old, f"from {parent} import {last}" + (f" as {alias.asname}" if alias.asname else "")


def _extra(match):
    return f"'{DISTRIBUTION}[{match[1]}]'" if match[1] else DISTRIBUTION


def _with_docstring(text):
    """Return the source of a command with the command lines of its docstring as they are now."""
    end = ast.parse(text).body[0].end_lineno
    lines = text.splitlines(keepends=True)
    head = COMMAND_LINE.sub(rf"{PROGRAM} \1", "".join(lines[:end]))
    return head + "".join(lines[end:])
