"""Convert a trained model to Core ML, and prove that the package still segments.

    python coreml_converter.py artifacts/hair.keras
    python coreml_converter.py artifacts/hair.keras app/Hair.mlpackage --check_images photos

Writes an ML program (.mlpackage) for iOS 15 and later in float16, in about 15 seconds. Its input
`image` is an RGB picture, its output `mask` holds probabilities; names and colours of the classes
come from the model card, which goes along. The package is run on the same pictures as the Keras
model before it takes its name, in NumPy and on a Mac in Core ML too: one that differs is not
written, and the exit status is 1.
"""

import os
from pathlib import Path

from segmentation import command_line
from segmentation.chatter import silenced
from segmentation.errors import ExportError, InputError

SUFFIX = ".mlpackage"
PRECISION = "float16"


def parse_args(argv=None):
    """Parse the command line."""
    parser = command_line.Parser(__doc__)
    parser.add_argument("model", type=Path, nargs="?", metavar="IN", help=".keras or .h5")
    parser.add_argument(
        "package", type=Path, nargs="?", metavar="OUT", help="default: IN with .mlpackage"
    )
    parser.add_argument("-i", "--input_model_path", type=Path, help="the same as IN")
    parser.add_argument("-o", "--output", type=Path, help="the same as OUT")
    parser.add_argument("--check_images", type=Path, help="folder; default: drawn pictures")
    command_line.add_older_model_options(parser)
    args = parser.parse_args(argv)
    if args.input_model_path and args.model and not args.package:  # the one path is OUT
        args.model, args.package = None, args.model
    if (args.model is None) == (args.input_model_path is None):
        parser.error("name one model to convert")
    if args.package and args.output:
        parser.error("name one output")
    args.model = args.model or args.input_model_path
    beside = args.model.parent / f"{args.model.stem}{SUFFIX}"
    args.output = args.output or args.package or beside
    return args


def main(argv=None):
    """Convert, check, put in place; return 1 if the check fails."""
    args = parse_args(argv)
    given = command_line.older_model(args)
    _require_place(args.output)
    os.environ["KERAS_BACKEND"] = "tensorflow"  # it does the tracing, whatever did the training
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a GPU's TF32 differs by 1e-3: no reference
    with silenced():  # TensorFlow's start-up notices, which TF_CPP_MIN_LOG_LEVEL lets through
        from segmentation import files, model_card, older_models, predictor
        from segmentation.export import coreml, parity

    model, reference = predictor.load_keras(args.model, given), predictor.load(args.model, given)
    card = model_card.to_copy(args.model, args.output, reference.card)
    if doubt := older_models.doubt(given, reference.img_size):
        command_line.say(doubt)
    if reference.card is None:
        command_line.say(
            f"{args.model}: no model card beside it; the package calls its classes "
            f"{', '.join(reference.classes)}"
        )
    try:
        result = coreml.convert(
            model,
            args.output,
            reference.classes,
            reference.colors,
            precision=PRECISION,
            pictures=parity.check_pictures(reference.img_size, args.check_images),
        )
    except ExportError as error:
        command_line.say(f"error: {error}")
        return 1
    if card:
        model_card.write(args.output, card)
    megabytes = files.size(args.output) / 1e6
    print(
        f"{args.output}: {megabytes:.1f} MB, {PRECISION}, largest difference "
        f"{result['largest_difference']:.1e}, mask IoU {result['mask_iou']:.4f}, "
        f"checked by {result['checked_by']}"
    )
    command_line.print_result(
        {
            "path": str(args.output),
            "megabytes": round(megabytes, 3),
            "precision": PRECISION,
            **result,
        }
    )


def _require_place(path):
    """Raise InputError unless a package may be written to `path`."""
    if path.suffix != SUFFIX:
        raise InputError(f"{path}: a Core ML package is called NAME{SUFFIX}; rename the output")
    if path.exists() and not (path / "Manifest.json").is_file():
        raise InputError(
            f"{path}: in the way, and no Core ML package; move it or choose another name"
        )


if __name__ == "__main__":
    command_line.run(main)
