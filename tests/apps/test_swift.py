"""The Swift of the app and of the contracts is parsed: neither Xcode nor its compiler is here."""

import re
from pathlib import Path

import pytest

from segmentation.data.classes import Classes
from segmentation.export import contract
from segmentation.export.interface import Interface

APP = Path(__file__).parent.parent.parent / "apps" / "ios"
SOURCES = sorted((APP / "Segmentation").glob("*.swift"))
PARTS = Classes(("background", "hair", "face"), ((0, 0, 0), (255, 0, 0), (0, 255, 0)))
HAIR = Classes(("hair",), ((255, 0, 0),))


@pytest.fixture(scope="module")
def faults():
    """A function of Swift to the pieces that a parser does not understand."""
    tree_sitter = pytest.importorskip("tree_sitter", reason="tree-sitter is not installed")
    swift = pytest.importorskip("tree_sitter_swift", reason="tree-sitter-swift is not installed")
    parser = tree_sitter.Parser(tree_sitter.Language(swift.language()))

    def under(node):
        if node.type == "ERROR" or node.is_missing:
            yield f"{node.start_point}: {node.text[:80]}"
        for child in node.children:
            yield from under(child)

    return lambda code: list(under(parser.parse(code.encode()).root_node))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_app_is_swift(faults, path):
    assert not faults(path.read_text())


def test_what_is_no_swift_is_found(faults):
    code = SOURCES[0].read_text()
    assert faults(code[: code.rindex("}")])


@pytest.mark.parametrize("output", ["scores", "labels", "image"])
@pytest.mark.parametrize("classes", [HAIR, PARTS], ids=len)
def test_the_code_of_contracts_is_swift(faults, tmp_path, classes, output):
    contract.write(tmp_path / "a.mlpackage", Interface((32, 64), (8, 16), classes, output=output))
    text = (tmp_path / "a.mlpackage.contract.md").read_text()
    (code,) = re.findall(r"```swift\n(.*?)```", text, re.S)
    assert not faults(code)


def test_the_app_has_under_300_lines_of_code():
    texts = [path.read_text() for path in SOURCES if path.name != "SelfTest.swift"]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    assert 200 < sum(bool(line) and not line.startswith("//") for line in lines) < 300


def test_the_project_refers_to_what_it_defines():
    project = (APP / "Segmentation.xcodeproj/project.pbxproj").read_text()
    defined = re.findall(r"^\t\t([0-9A-F]{24})(?: /\*.*?\*/)? = \{", project, re.M)
    assert len(defined) == len(set(defined))
    assert set(re.findall(r"\b[0-9A-F]{24}\b", project)) == set(defined)
    assert project.count("{") == project.count("}") and project.count("(") == project.count(")")
    for path in re.findall(r"\bpath = (\w+); sourceTree = \"<group>\"", project):
        assert (APP / path).is_dir()
