"""Convert a trained model to Core ML, and prove that the package still segments.

    python coreml_converter.py artifacts/hair.keras
    python coreml_converter.py artifacts/hair.keras app/Hair.mlpackage --check_images photos
    python coreml_converter.py artifacts/hair.keras --output labels --quantize palette6

Writes an ML program (.mlpackage) for iOS 15 and later in float16, in about 15 seconds; a name that
ends in .mlmodel gives the older neural network format, for iOS 14 in float32. Its input `image` is
an RGB picture, its output `mask` holds probabilities, or what --output asks for; names and colours
of the classes come from the model card, which goes along. So does NAME.mlpackage.contract.md: what
an app hands over and gets back, with a Swift function for exactly this file. The package is run on
the same pictures as the Keras model before it takes its name, in NumPy and on a Mac in Core ML too:
one that differs is not written, and the exit status is 1.
"""

import os
from pathlib import Path

from segmentation import choices, command_line
from segmentation.chatter import silenced
from segmentation.errors import ExportError, InputError

SUFFIX, OLDER_SUFFIX = ".mlpackage", ".mlmodel"


def parse_args(argv=None):
    """Parse the command line."""
    parser = command_line.Parser(__doc__)
    parser.add_argument("model", type=Path, nargs="?", metavar="IN", help=".keras or .h5")
    parser.add_argument(
        "package", type=Path, nargs="?", metavar="OUT", help="default: IN with .mlpackage"
    )
    parser.add_argument("-i", "--input_model_path", type=Path, help="the same as IN")
    parser.add_argument("-o", "--output_model_path", type=Path, help="the same as OUT")
    parser.add_argument(
        "--output",
        choices=choices.CORE_ML_OUTPUTS,
        default="scores",
        help="probabilities, int32 class ids [H, W], or an 8-bit grey picture (%(default)s)",
    )
    parser.add_argument(
        "--quantize",
        choices=choices.CORE_ML_PRECISIONS,
        help="int8 and palettes store weights in 8, 6 or 4 bits, for iOS 16 (float16)",
    )
    parser.add_argument("--target", choices=choices.CORE_ML_TARGETS, help="oldest system to run on")
    parser.add_argument("--author", default="", help="shown by Xcode")
    parser.add_argument("--licence", default="", help="shown by Xcode")
    parser.add_argument("--check_images", type=Path, help="folder; default: drawn pictures")
    command_line.add_older_model_options(parser)
    args = parser.parse_args(argv)
    if args.input_model_path and args.model and not args.package:  # the one path is OUT
        args.model, args.package = None, args.model
    if (args.model is None) == (args.input_model_path is None):
        parser.error("name one model to convert")
    if args.package and args.output_model_path:
        parser.error("name one output")
    args.model = args.model or args.input_model_path
    beside = args.model.parent / f"{args.model.stem}{SUFFIX}"
    args.package = args.package or args.output_model_path or beside
    if args.package.suffix == OLDER_SUFFIX:
        if args.target or args.output != "scores" or args.quantize not in (None, "float32"):
            parser.error(f"{OLDER_SUFFIX} holds float32 and gives scores, for iOS 14")
        args.quantize = "float32"
    args.quantize = args.quantize or "float16"
    if args.target == "iOS15" and args.quantize not in ("float32", "float16"):
        parser.error(f"--quantize {args.quantize} needs --target iOS16 or later")
    return args


def main(argv=None):
    """Convert, check, put in place; return 1 if the check fails."""
    args = parse_args(argv)
    given = command_line.older_model(args)
    _require_place(args.package)
    os.environ["KERAS_BACKEND"] = "tensorflow"  # it does the tracing, whatever did the training
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a GPU's TF32 differs by 1e-3: no reference
    with silenced():  # TensorFlow's start-up notices, which TF_CPP_MIN_LOG_LEVEL lets through
        from segmentation import files, model_card, older_models, predictor
        from segmentation.export import contract, coreml, parity

    model, reference = predictor.load_keras(args.model, given), predictor.load(args.model, given)
    card = model_card.to_copy(args.model, args.package, reference.card)
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
            args.package,
            reference.classes,
            reference.colors,
            output=args.output,
            precision=args.quantize,
            target=args.target,
            author=args.author,
            licence=args.licence,
            pictures=parity.check_pictures(reference.img_size, args.check_images),
        )
    except ExportError as error:
        command_line.say(f"error: {error}")
        return 1
    if card:
        model_card.write(args.package, card)
    contract.write(
        args.package,
        reference.img_size,
        reference.img_size if args.output != "scores" else model.output_shape[1:3],
        reference.classes,
        reference.colors,
        output=args.output,
        facts=[
            ("precision", args.quantize),
            ("beside the Keras model", f"{parity.summary(result)}, by {result['checked_by']}"),
        ],
    )
    megabytes = files.size(args.package) / 1e6
    print(
        f"{args.package}: {megabytes:.1f} MB, {args.quantize}, {parity.summary(result)}, "
        f"checked by {result['checked_by']}"
    )
    command_line.print_result(
        {
            "path": str(args.package),
            "megabytes": round(megabytes, 3),
            "output": args.output,
            "precision": args.quantize,
            **result,
        }
    )


def _require_place(path):
    """Raise InputError unless a package may be written to `path`."""
    if path.suffix not in (SUFFIX, OLDER_SUFFIX):
        raise InputError(f"{path}: a Core ML package is called NAME{SUFFIX}; rename the output")
    is_one = path.is_file() if path.suffix == OLDER_SUFFIX else (path / "Manifest.json").is_file()
    if path.exists() and not is_one:
        raise InputError(
            f"{path}: in the way, and no Core ML package; move it or choose another name"
        )


if __name__ == "__main__":
    command_line.run(main)
