r"""Convert a trained model to Core ML, and prove that the package still segments.

    python coreml_converter.py artifacts/hair.keras
    python coreml_converter.py artifacts/hair.keras app/Hair.mlpackage --check_images photos
    python coreml_converter.py artifacts/hair.keras --output labels --quantize palette6
    python coreml_converter.py artifacts/hair.keras --ladder artifacts/ladder \
        --img_file data/images-128.npy --split validation
    python coreml_converter.py --untrained --sizes 224 128 --alphas 1 0.25 -o grid

Writes an ML program (.mlpackage) for iOS 15 and later in float16, in about 15 seconds; a name that
ends in .mlmodel gives the older neural network format, for iOS 14 in float32. Its input `image` is
an RGB picture, its output `mask` holds probabilities, or what --output asks for. ICNet's
probabilities are a quarter as wide and high, unless --full_resolution enlarges them in the graph;
class ids and grey pictures always have the size of the picture. Names and colours of the classes
come from the model card, which goes along. So does NAME.mlpackage.contract.md: what an app hands
over and gets back, with a Swift function for exactly this file. The package is run on the same
pictures as the Keras model before it takes its name, in NumPy and on a Mac in Core ML too: one that
differs is not written, and the exit status is 1.

--ladder writes every precision, and a table of what each gives and costs (ladder-coreml.md
and .json).
--untrained writes networks with random weights, named by size, alpha and alpha_up, to time a
device with before anything is trained.
"""

import os
from pathlib import Path

from segmentation import choices
from segmentation.cli import converters, model_options, options, terminal
from segmentation.errors import ExportError, InputError
from segmentation.quiet import start_keras

SUFFIX, OLDER_SUFFIX = ".mlpackage", ".mlmodel"


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
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
    converters.add_options(parser)
    args = parser.parse_args(argv)
    converters.check_variants(
        parser,
        args,
        args.model or args.input_model_path,
        without_untrained=["check_images", "author", "licence"],
        without_ladder=["package", "output_model_path", "quantize"],
    )
    if args.full_resolution and args.output != "scores":
        parser.error("labels and images have the size of the picture without --full_resolution")
    if args.target == "iOS15" and (args.ladder or args.quantize in ("int8", *choices.PALETTES)):
        parser.error("weights in 8 bits and less need --target iOS16 or later")
    if args.untrained:
        if not args.output_model_path:
            parser.error("--untrained writes into a folder: name one with -o")
        args.quantize = args.quantize or "float16"
        return args
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
    return args


def main(argv=None):
    """Convert, check, put in place; return 1 if a check fails."""
    args = parse_args(argv)
    os.environ["KERAS_BACKEND"] = "tensorflow"  # it does the tracing, whatever did the training
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a GPU's TF32 differs by 1e-3: no reference
    return write_grid(args) if args.untrained else convert(args)


def convert(args):
    """Convert a trained model, once or, with --ladder, in every precision."""
    given = model_options.legacy_spec(args)
    paths = {args.quantize: args.package}
    if args.ladder:
        names = {each: f"{args.model.stem}_{each}{SUFFIX}" for each in choices.CORE_ML_PRECISIONS}
        paths = {precision: args.ladder / name for precision, name in names.items()}
    for path in paths.values():
        _require_package(path)
    start_keras()
    from segmentation import files, model_card
    from segmentation.export import contract, coreml, parity
    from segmentation.inference import core_ml

    reference, model = converters.open_model(args, given)
    pictures = parity.check_pictures(reference.img_size, args.check_images)
    cards = {
        path: model_card.card_for_export(args.model, path, reference.card)
        for path in paths.values()
    }

    only_ids = core_ml.gives_ids_only(args.output, len(reference.classes))
    expected = reference(pictures)

    def write(path, precision):
        parity.require_telling(expected, precision, path, only_ids)
        result = coreml.convert(
            model,
            path,
            reference.classes,
            output=args.output,
            precision=precision,
            target=args.target,
            author=args.author,
            licence=args.licence,
            pictures=pictures,
        )
        contract.write(
            path,
            reference.img_size,
            model.output_shape[1:3],
            reference.classes,
            output=args.output,
            facts=[
                ("precision", precision),
                ("beside the Keras model", f"{parity.summary(result)}, by {result['checked_by']}"),
            ],
        )
        if cards[path]:
            model_card.write(path, cards[path])
        return result

    if args.ladder:
        note = "ms: of the NumPy interpreter on this computer; it says nothing of a phone"
        stem = args.ladder / "ladder-coreml"
        return converters.climb(args, stem, paths, write, pictures[0], reference, note)

    try:
        result = write(args.package, args.quantize)
    except ExportError as error:
        terminal.say(f"error: {error}")
        return 1
    megabytes = files.size(args.package) / 1e6
    print(
        f"{args.package}: {megabytes:.1f} MB, {args.quantize}, {parity.summary(result)}, "
        f"checked by {result['checked_by']}"
    )
    terminal.print_result(
        {
            "path": str(args.package),
            "megabytes": round(megabytes, 3),
            "output": args.output,
            "precision": args.quantize,
            **result,
        }
    )


def write_grid(args):
    """Convert networks with random weights, in one precision."""
    start_keras()
    from segmentation.export import coreml, precision_sweep

    def write(model, path):
        return coreml.convert(
            model,
            path,
            precision_sweep.UNTRAINED,
            output=args.output,
            precision=args.quantize,
            target=args.target,
        )

    return converters.write_untrained(args, args.output_model_path, SUFFIX, write, args.output)


def _require_package(path):
    """Raise InputError unless a package may be written to `path`."""
    if path.suffix not in (SUFFIX, OLDER_SUFFIX):
        raise InputError(f"{path}: a Core ML package is called NAME{SUFFIX}; rename the output")
    converters.require_place(path)


if __name__ == "__main__":
    terminal.run(main)
