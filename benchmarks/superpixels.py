"""Measure how closely labels of superpixels can follow an outline, as those of LFW's parts do.

    python benchmarks/superpixels.py faces/data/images-256.npy --class_name hair

LFW's annotators gave a class to each superpixel, of which an image has a few hundred. Here masks
that were drawn pixel by pixel take that step: each superpixel (SLIC, of scikit-image) becomes what
most of its pixels are. The IoU between both masks is what a perfect model would reach if it were
judged by such labels, as far as the outline goes: where annotators disagree comes on top. LFW's own
superpixels come from another method, so this is an estimate. About two minutes for 200 images.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from skimage import segmentation as superpixels

from segmentation.cli import options, terminal
from segmentation.data import arrays
from segmentation.errors import InputError


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument("img_file", type=Path, metavar="FILE", help="images-*.npy of data.py")
    parser.add_argument("--class_name", default="hair", help="(%(default)s)")
    parser.add_argument(
        "--segments",
        type=options.count,
        nargs="+",
        default=[60, 150, 225, 300, 600],
        metavar="N",
        help="superpixels of an image (%(default)s)",
    )
    return parser.parse_args(argv)


def by_superpixel(image, mask, segments):
    """Return the mask whose superpixels are each in the class where most of their pixels are.

    Args:
        image: `(height, width, 3)` uint8, RGB.
        mask: `(height, width)` bool.
        segments: superpixels, about.

    Returns:
        `(height, width)` bool.
    """
    numbers = superpixels.slic(image, n_segments=segments, start_label=0)
    inside = np.bincount(numbers.ravel(), weights=mask.ravel())
    return (2 * inside > np.bincount(numbers.ravel()))[numbers]


def main(argv=None):
    """Print a Markdown table of IoU by number of superpixels."""
    args = parse_args(argv)
    data = arrays.open_arrays(args.img_file)
    if args.class_name not in data.labels:
        raise InputError(f"{args.img_file}: no class is called {args.class_name!r}")
    class_id = data.labels.index(args.class_name)
    terminal.say("| superpixels | IoU of masks by superpixel with masks by pixel |\n|---|---|")
    for segments in args.segments:
        both = either = 0
        for image, mask in zip(data.images, data.masks, strict=True):
            exact = mask == class_id
            coarse = by_superpixel(image, exact, segments)
            both += np.sum(exact & coarse)
            either += np.sum(exact | coarse)
        terminal.say(f"| {segments} | {both / either:.3f} |")


if __name__ == "__main__":
    terminal.run(main)
