"""Segment images with any model that this project writes.

    python predict.py artifacts/hair.keras portrait.jpg -o predictions
    python predict.py artifacts/hair.tflite holiday/ -o predictions --probabilities

For each image, at its own size: STEM_mask.png, one channel of class ids in the order of the model
card (a single class is 1, on a background of 0), and STEM_overlay.jpg, the class colours over the
image. `--probabilities` adds STEM_probabilities.png, at most 2000 px wide and high: the image, and
the probability of each class as a heat map. Damaged images are named and skipped, and the exit
status is then 2. Of a folder in a layout of data.py prepare, the images are segmented, and not the
masks. Models: .keras .h5 .tflite .pb .onnx .mlpackage and SavedModel folders.
About 30 images of 250 px per second.
"""

from pathlib import Path

from segmentation.cli import model_options, options, terminal
from segmentation.errors import InputError


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument("model", type=Path, help="a file or folder from training or a converter")
    parser.add_argument("inputs", type=Path, nargs="+", metavar="IMAGE|DIR")
    parser.add_argument("-o", "--output_dir", type=Path, required=True, help="made if missing")
    parser.add_argument("--probabilities", action="store_true", help="write heat maps as well")
    model_options.add(parser)
    return parser.parse_args(argv)


def main(argv=None):
    """Write masks and overlays, print how many."""
    args = parse_args(argv)
    spec = model_options.legacy_spec(args)
    from segmentation.data import image_io
    from segmentation.inference import predictions

    paths = predictions.find_images(args.inputs)
    stems = predictions.stems(paths, args.output_dir, args.probabilities)
    white = image_io.survey(paths)[0].white
    predict = model_options.load(args.model, spec)
    if not predict.named:
        terminal.say(f"{args.model}: no model card beside it; the classes have no names")

    damaged = 0
    for path in terminal.bar(paths, len(paths), "Predicting"):
        try:
            predictions.write(predict, path, stems[path], args.probabilities, white)
        except image_io.UnreadableError as error:
            terminal.say(f"skipped: {error}")
            damaged += 1
    terminal.print_result(
        {
            "model": str(args.model),
            "classes": predict.classes.names,
            "pictures": len(paths) - damaged,
            "broken": damaged,
            "output_dir": str(args.output_dir),
        }
    )
    if damaged:
        raise InputError(f"{damaged} of {len(paths)} images could not be read; see above")


if __name__ == "__main__":
    terminal.run(main)
