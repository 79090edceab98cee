"""What README, the documentation and the docstrings of commands print: command lines and links."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GENERATED = ROOT / "docs" / "commands.md"
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted(set(ROOT.glob("docs/*.md")) - {GENERATED})
SCRIPTS = sorted([*ROOT.glob("*.py"), *ROOT.glob("benchmarks/*.py"), ROOT / "docs/reference.py"])


def text(page):
    """Return the Markdown of a page without what it comments out."""
    return re.sub(r"<!--.*?-->", "", page.read_text(encoding="utf-8"), flags=re.S)


def blocks(page):
    """Return the fenced blocks of a page, each a list of its lines, continued ones joined."""
    found = re.findall(r"^```\w*\n(.*?)^```$", text(page), re.M | re.S)
    return [_joined(block) for block in found]


def command_lines(page):
    """Return the lines `python X.py …` of a page, those within a sentence included."""
    lines = [line for block in blocks(page) for line in block]
    lines += [line for line in re.findall(r"`([^`\n]+)`", text(page)) if "…" not in line]
    return [line for line in lines if re.match(r"python \S+\.py", line)]


def docstring_lines(script):
    """Return the lines `python X.py …` of the docstring of a script."""
    docstring = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))
    return [line.strip() for line in _joined(docstring) if line.startswith("    python ")]


def _joined(block):
    return [line for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def links(page):
    """Return the relative links and images of a page: `(path, anchor)`, either may be empty."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text(page))
    return [target.partition("#")[::2] for target in targets if "://" not in target]


def anchors(page):
    """Return what links to the headings of a page name."""
    prose = re.sub(r"^```.*?^```$", "", text(page), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", prose, re.M)
    return {re.sub(r"[^\w -]", "", each).strip().lower().replace(" ", "-") for each in headings}
