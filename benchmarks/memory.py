"""Measure how much memory training on many images takes. Linux only.

    python benchmarks/memory.py
    KERAS_BACKEND=jax python benchmarks/memory.py --images 20000 --img_size 256

Draws arrays in a temporary folder (5.2 GB, TMPDIR says where), trains MobileUNet for 20 steps on
images from all over them, validates, and prints the peaks of the process. `anonymous` is memory
that it holds; `file` are pages of files that it has mapped, the arrays and libraries, which the
kernel takes back when somebody needs the room.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from segmentation.cli import options, terminal

ROOT = Path(__file__).resolve().parent.parent
TRAINING = "-a 0.25 -b 16 --epochs 1 --validation_split 0.01".split()
FIELDS = {"anonymous": "RssAnon", "file": "RssFile", "resident": "VmRSS"}  # of /proc/PID/status
SECONDS = 0.1  # from one look to the next
DISTINCT = 200  # images that are drawn; the others are these, shifted


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument("--images", type=options.count, default=20000, help="(%(default)s)")
    parser.add_argument("-s", "--img_size", type=options.img_size, default=(256, 256))
    parser.add_argument("--steps", type=options.count, default=20, help="(%(default)s)")
    return parser.parse_args(argv)


def main(argv=None):
    """Draw, train and print the peaks in GiB."""
    args = parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        images = draw(Path(folder), args.images, args.img_size)
        command = [sys.executable, ROOT / "train_full.py", "--img_file", images, *TRAINING]
        command += ["--steps_per_epoch", str(args.steps), "-o", Path(folder) / "a.keras"]
        peaks = watch(subprocess.Popen([*map(str, command)], cwd=folder, stdout=sys.stderr))
    for name, peak in peaks.items():
        print(f"{name:10} {peak:.2f} GiB")
    terminal.print_result({"images": args.images, "img_size": args.img_size, "gib": peaks})


def draw(folder, count, size):
    """Write arrays of ellipses on noise, and return the path of the images."""
    import cv2
    import numpy as np

    from segmentation.data import arrays, labels

    rng, shape = np.random.default_rng(0), (count, *size)
    img_file, mask_file, names_file, label_file = arrays.paths(folder, size)
    images = np.lib.format.open_memmap(img_file, "w+", np.uint8, (*shape, 3))
    masks = np.lib.format.open_memmap(mask_file, "w+", np.uint8, shape)
    drawn = []
    for _ in range(min(DISTINCT, count)):
        center, axes = (rng.integers(*ends, 2).tolist() for ends in ((0, min(size)), (9, 80)))
        mask = cv2.ellipse(np.zeros(size, np.uint8), center, axes, 0, 0, 360, 1, -1)
        drawn.append((60 + 100 * mask[..., None] + rng.integers(0, 60, (*size, 3), "u1"), mask))
    for row in range(count):
        image, mask = drawn[row % len(drawn)]
        images[row], masks[row] = (np.roll(each, row // DISTINCT, axis=1) for each in (image, mask))
    arrays.write_names(names_file, [str(row) for row in range(count)], [""] * count)
    labels.write(label_file, ["background", "ellipse"])
    return img_file


def watch(process):
    """Return the peaks of a process by the names of `FIELDS`, in GiB, when it has ended."""
    peaks = dict.fromkeys(FIELDS, 0.0)
    while process.poll() is None:
        text = Path(f"/proc/{process.pid}/status").read_text()
        for name, field in FIELDS.items():
            if found := re.search(rf"{field}:\s+(\d+) kB", text):
                peaks[name] = max(peaks[name], int(found[1]) / 2**20)
        time.sleep(SECONDS)
    if process.returncode:
        sys.exit(process.returncode)
    return peaks


if __name__ == "__main__":
    terminal.run(main)
