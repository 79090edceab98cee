r"""Convert a trained model to Core ML, and prove that the package still segments.

    python coreml_converter.py artifacts/hair.keras
    python coreml_converter.py artifacts/hair.keras app/Hair.mlpackage --check_images photos
    python coreml_converter.py artifacts/hair.keras --output labels --quantize palette6
    python coreml_converter.py artifacts/hair.keras --ladder artifacts/ladder \
        --img_file data/images-128.npy --split validation
    python coreml_converter.py artifacts/hair.keras --img_size 256x192
    python coreml_converter.py artifacts/hair.keras --app hair-ios
    python coreml_converter.py --untrained --sizes 224 128 --alphas 1 0.25 -o grid

Writes an ML program (.mlpackage) for iOS 15 and later in float16, in about 15 seconds; a name that
ends in .mlmodel gives the older neural network format, for iOS 14 in float32. The input `image` is
an RGB image, the output `mask` holds probabilities, or what --output asks for. ICNet's
probabilities have a quarter of the height and width of its input, unless --full_resolution
upsamples them in the graph; class ids and grayscale images always have the size of the input. Names
and colours of the classes come from the model card, which is copied beside the package.
NAME.mlpackage.contract.md says what an app passes in and gets back, with a Swift function for
exactly this file. The package is run on the same images as the Keras model before it gets its name,
in NumPy and, on a Mac, in Core ML too: a package that differs is not written, and the exit status
is 1. The images are those of the run (STEM.check/ beside the model), else synthetic ones;
--check_images names others.

--img_size exports the same weights at another input size, height x width, as
STEM_256x192.mlpackage; the check is made at that size. The card and the contract say at which size
the model was trained: measure the export with evaluate.py.

--parity_kit writes NAME.mlpackage.kit beside the package: the images of the check, the scores and
masks of the Keras model, and the limits, to run on another runtime (evaluate.py --parity_kit) or on
a device.

--app writes a project for Xcode as well, in a new folder: camera, the package and its mask over the
picture.

--ladder writes every precision, and a table that compares them (ladder-coreml.md and .json).
--untrained writes networks with random weights, named by size, alpha and alpha_up, to time a
device with before anything is trained.
"""

import dataclasses
from pathlib import Path

from segmentation import formats
from segmentation.cli import export_options, exports, options, terminal
from segmentation.errors import InputError
from segmentation.export.options import Options

SUFFIX, OLDER_SUFFIX = ".mlpackage", ".mlmodel"
SUFFIXES = [formats.FORMATS[name].suffix for name in formats.written_by("coreml_converter.py")]
NOTE = "ms: of the NumPy interpreter on this computer; they say nothing about a phone"


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument("model", type=Path, nargs="?", metavar="IN", help=".keras or .h5")
    parser.add_argument(
        "package", type=Path, nargs="?", metavar="OUT", help="default: IN with .mlpackage"
    )
    parser.add_argument("-i", "--input_model_path", type=Path, help="another way to name IN")
    parser.add_argument("-o", "--output_model_path", type=Path, help="another way to name OUT")
    parser.add_argument(
        "--output",
        choices=formats.CORE_ML_OUTPUTS,
        default="scores",
        help="probabilities, int32 class ids [H, W], or an 8-bit grayscale image (%(default)s)",
    )
    parser.add_argument(
        "--quantize",
        choices=formats.CORE_ML_PRECISIONS,
        help="int8 and palettes store weights in 8, 6 or 4 bits, for iOS 16 (float16)",
    )
    parser.add_argument("--target", choices=formats.CORE_ML_TARGETS, help="oldest system to run on")
    parser.add_argument("--author", default="", help="shown by Xcode")
    parser.add_argument("--licence", default="", help="shown by Xcode")
    export_options.add(parser)
    args = parser.parse_args(argv)
    export_options.check(
        parser,
        args,
        args.model or args.input_model_path,
        without_untrained=["check_images", "author", "licence"],
        without_ladder=["package", "output_model_path", "quantize"],
    )
    if args.full_resolution and args.output != "scores":
        parser.error("labels and images have the size of the input without --full_resolution")
    if args.app and args.output != "scores":
        parser.error("--app takes the scores: omit --output")
    if args.target == "iOS15" and (args.ladder or args.quantize in ("int8", *formats.PALETTES)):
        parser.error("weights in 8 bits or fewer need --target iOS16 or later")
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
    beside = args.model.parent / f"{export_options.stem(args)}{SUFFIX}"
    args.package = args.package or args.output_model_path or beside
    if args.package.suffix == OLDER_SUFFIX:
        if args.app:
            parser.error(f"--app takes a {SUFFIX}")
        if args.target or args.output != "scores" or args.quantize not in (None, "float32"):
            parser.error(f"{OLDER_SUFFIX} holds float32 and gives scores, for iOS 14")
        args.quantize = "float32"
    args.quantize = args.quantize or "float16"
    return args


def main(argv=None):
    """Convert, check, put in place; return 1 if a check fails."""
    args = parse_args(argv)
    package = Options(
        precision=args.quantize,
        output=args.output,
        target=args.target,
        author=args.author,
        licence=args.licence,
        kit=args.parity_kit,
    )
    if args.untrained:
        return exports.write_untrained(args, args.output_model_path, SUFFIX, package)
    if args.ladder:
        return sweep(args, package)
    if args.package.suffix not in SUFFIXES:
        raise InputError(f"{args.package}: a Core ML package is called NAME{SUFFIX}; rename it")
    exporter = exports.open_exporter(args, [args.package], platform="ios")
    written, failed = exports.write(exporter, {args.package: package})
    if failed:
        return 1
    place = {key: written[0][key] for key in ("path", "megabytes")}
    app = exports.write_app(args, "ios", written, args.package)
    terminal.print_result(place | {"output": args.output} | written[0] | app)


def sweep(args, package):
    """Convert a trained model in every precision."""
    variants = {
        args.ladder / f"{export_options.stem(args)}_{each}{SUFFIX}": dataclasses.replace(
            package, precision=each
        )
        for each in formats.CORE_ML_PRECISIONS
    }
    exporter = exports.open_exporter(args, variants)
    return exports.sweep(args, exporter, variants, args.ladder / "ladder-coreml", NOTE)


if __name__ == "__main__":
    terminal.run(main)
