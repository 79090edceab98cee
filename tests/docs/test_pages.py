"""The links of README, the command reference, and versions that are written down twice."""

import re
import runpy

import pytest

import data
import printed


@pytest.mark.parametrize("page", printed.PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings_that_exist(page):
    for path, anchor in printed.links(page):
        target = page.parent / path if path else page
        if target == printed.GENERATED:
            continue
        assert target.exists(), path
        if anchor:
            assert anchor in printed.anchors(target), f"{path}#{anchor}"


def test_every_page_is_in_the_navigation():
    entries = set(re.findall(r": (\S+\.md)$", (printed.ROOT / "mkdocs.yml").read_text(), re.M))
    pages = {page.name for page in printed.PAGES if page.parent == printed.ROOT / "docs"}
    assert entries == pages | {printed.GENERATED.name}


@pytest.fixture
def reference():
    return runpy.run_path(str(printed.ROOT / "docs" / "reference.py"))


def test_the_command_reference_knows_every_command_and_the_subcommands_of_data(reference, capsys):
    assert set(reference["commands"]()) >= {"data.py", "train_full.py", "evaluate.py"}
    with pytest.raises(SystemExit):
        data.main(["--help"])
    found = reference["subcommands"](capsys.readouterr().out)
    assert {"lfw", "ade20k", "sample", "download"} <= set(found)
    with pytest.raises(SystemExit):
        data.main(["lfw", "--help"])
    assert reference["subcommands"](capsys.readouterr().out) == []


def test_the_app_and_the_code_of_contracts_have_one_version_of_litert():
    pinned = [
        re.findall(r"ai\.edge\.litert:litert(?:-gpu)?:([\d.]+)", (printed.ROOT / path).read_text())
        for path in ("apps/android/app/build.gradle.kts", "segmentation/export/contracts/tflite.md")
    ]
    (version,) = {each for found in pinned for each in found}
    assert all(pinned) and f"LiteRT {version}" in (printed.ROOT / "docs/apps.md").read_text()


def test_pre_commit_runs_the_ruff_that_make_lint_runs():
    config = (printed.ROOT / ".pre-commit-config.yaml").read_text()
    requirements = (printed.ROOT / "requirements-dev.txt").read_text()
    assert re.findall(r"rev: v(\S+)", config) == re.findall(r"^ruff==(\S+)", requirements, re.M)
