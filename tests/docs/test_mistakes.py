"""The messages that the page of mistakes shows are those that the commands give."""

import importlib
import re
import shlex
import sys

import numpy as np
import pytest
from PIL import Image

import nets
import printed
import tiny_network
from segmentation.cli import terminal

pytestmark = pytest.mark.slow  # trains

PAGE = printed.ROOT / "docs" / "mistakes.md"


def examples():
    """Return `(command line, message)` of each example on the page."""
    lines = [line for block in printed.blocks(PAGE) for line in block]
    return [
        (line.removeprefix("$ "), message)
        for line, message in zip(lines, lines[1:], strict=False)
        if line.startswith("$ ")
    ]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A folder with all that the examples name, and a run of two layers under `a/`."""
    folder = tmp_path_factory.mktemp("mistakes")
    for name in ("lfw/data/raw/images", "lfw/data/raw/masks", "photos/images", "photos/masks"):
        (folder / name).mkdir(parents=True)
    blended = np.zeros((64, 64, 3), np.uint8)
    blended[..., 2] = 255
    blended[16:40, 16:40] = [255, 0, 0]
    for name in ("images", "masks"):
        Image.fromarray(blended).save(folder / "photos" / name / "0001.jpg")
    tiny_network.write_arrays(folder, size=32)
    scaled = np.load(folder / "images-32.npy").astype("float32") / 255
    np.save(folder / "images-32.npy", scaled)
    tiny_network.write_arrays(folder, size=64)
    tiny_network.write_arrays(folder / "other", size=128)
    with pytest.MonkeyPatch.context() as patch:
        tiny_network.register(patch.setitem)
        patch.setitem(nets.NETWORKS, "mobile_unet", nets.NETWORKS["tiny"])
        patch.chdir(folder)
        train_full = importlib.import_module("train_full")
        train_full.main(["--img_file", "images-64.npy", "-b", "8", "-n", "1", "-o", "a/hair.keras"])
        yield folder


@pytest.mark.parametrize(("line", "message"), examples(), ids=[line for line, _ in examples()])
def test_a_mistake_gets_the_line_that_the_page_shows(line, message, workspace, capsys, monkeypatch):
    _, script, *options = shlex.split(line)
    monkeypatch.setattr(sys, "argv", [script])  # what argparse calls the program
    command = importlib.import_module(script.removesuffix(".py"))
    with pytest.raises(SystemExit) as end:
        terminal.run(lambda: command.main(options))
    assert end.value.code == 2
    captured = capsys.readouterr()
    shown = captured.err.splitlines()[-1]
    if "more fit no mask format" in message:  # the numbers are those of one photo
        shown, message = (re.sub(r"\d+", "N", text) for text in (shown, message))
    assert shown == message
    assert not captured.out
