"""Every command line that is printed somewhere has options that exist."""

import runpy
import shlex

import pytest

import printed
from segmentation.cli import storage_options

LINES = [(page, line) for page in printed.PAGES for line in printed.command_lines(page)]
LINES += [(path, line) for path in printed.SCRIPTS for line in printed.docstring_lines(path)]


def test_lines_are_found_in_blocks_and_docstrings_and_continued_ones_are_whole():
    readme = printed.command_lines(printed.ROOT / "README.md")
    assert "python coreml_converter.py artifacts/hair.keras" in readme
    (objects,) = (line for line in readme if line.startswith("python data.py ade20k"))
    assert " -i " in objects and " -l " in objects and " -w " in objects
    assert {path.name for path, _ in LINES} >= {"README.md", "results.md", "data.py", "transfer.py"}


@pytest.mark.parametrize(
    ("path", "line"), LINES, ids=[f"{path.name}-{line}" for path, line in LINES]
)
def test_the_options_of_a_printed_command_line_exist(path, line, monkeypatch):
    monkeypatch.setattr(storage_options, "stage", lambda args: None)  # no bucket is looked for
    _, script, *options = shlex.split(line, comments=True)
    script = printed.ROOT / script
    assert script in printed.SCRIPTS
    names = runpy.run_path(str(script))
    if "parse_args" not in names:
        assert not options
        return
    try:
        names["parse_args"](options)
    except SystemExit as end:
        assert not end.code  # --help
