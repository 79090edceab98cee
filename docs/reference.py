"""Write docs/commands.md, the command reference, from the `--help` of every command.

    python docs/reference.py

`make docs` runs this before it builds the site. The page is not committed.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "commands.md"
INTRODUCTION = """# Command reference

This page is what each command prints for `--help`, made when the site was built. `--img-size` means
the same as `--img_size`, for every option. Abbreviated options are errors.
"""
COLUMNS = "100"  # to which argparse wraps


def commands():
    """Return the names of the commands, the `.py` files at the top level."""
    return sorted(path.name for path in ROOT.glob("*.py"))


def help_of(*words):
    """Return what `python WORDS… --help` prints.

    Raises:
        subprocess.CalledProcessError: if the command fails.
    """
    done = subprocess.run(
        [sys.executable, *words, "--help"],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": COLUMNS, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def subcommands(text):
    """Return the names of the subcommands that the help `text` of a command lists."""
    listed = re.search(r"^positional arguments:\n  command\n((?:    .*\n)+)", text, re.M)
    return re.findall(r"^    (\S+)", listed[1], re.M) if listed else []


def page():
    """Return the Markdown of the page."""
    parts = [INTRODUCTION]
    for command in commands():
        text = help_of(command)
        parts.append(_section("##", command, text))
        for name in subcommands(text):
            parts.append(_section("###", f"{command} {name}", help_of(command, name)))
    return "\n".join(parts)


def _section(level, title, text):
    return f"{level} {title}\n\n```text\n{text.rstrip()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
