r"""Convert a trained model for Android and TensorFlow, and prove that the files still segment.

    python tf_converter.py artifacts/hair.keras
    python tf_converter.py artifacts/hair.keras --format tflite --quantize float16 --two_channels
    python tf_converter.py artifacts/hair.keras --format tflite --output_dir app --output_fn hair \
        --quantize int8
    python tf_converter.py artifacts/hair.keras --ladder artifacts/ladder \
        --img_file data/images-128.npy --split validation
    python tf_converter.py artifacts/hair.keras --format onnx
    python tf_converter.py artifacts/hair.keras --img_size 256x192
    python tf_converter.py artifacts/hair.keras --app hair-android
    python tf_converter.py --untrained --sizes 224 128 --alphas 1 0.25 -o grid

Writes a frozen graph (.pb) and a LiteRT file (.tflite), float32, in about 15 seconds; `--format`
also offers saved_model, a folder named STEM.saved_model, and onnx, for ONNX Runtime, after
pip install -r requirements-onnx.txt. The input `image` is (1, H, W, 3) float32 RGB 0..255, the
output `output_0` holds probabilities. Each file is run on the same images as the Keras model before
it gets its name: a file that differs is not written, and the exit status is 1. The images are those
of the run (STEM.check/ beside the model), else synthetic ones; --check_images names others.
The model card is copied beside the files, and FILE.contract.md is written: what an app passes in
and gets back, and code for exactly this file. ICNet's probabilities have a quarter of the height
and width of its input, unless --full_resolution upsamples them in the graph.

Three options shape the .tflite alone; other formats are float32. --quantize float16 halves its
size. --quantize int8 quarters it: the file takes uint8 images and gives uint8 probabilities. It is
calibrated on further images of the run, or on 100 of --calibration_images, photos such as the app
will see; without images of the run it is checked on some of these. --two_channels puts a channel
for the background before the channel of a single class, as MediaPipe's category masks expect. The
.tflite holds the metadata that MediaPipe's ImageSegmenter reads: the class names, and that the
input needs no normalisation.

--img_size exports the same weights at another input size, height x width, as STEM_256x192.tflite
and so on; the check is made at that size. The card and the contract say at which size the model was
trained: measure the export with evaluate.py.

--parity_kit writes FILE.kit beside each file: the images of the check, the scores and masks of the
Keras model, and the limits, to run on another runtime (evaluate.py --parity_kit) or on a device.

--app writes a project for Android Studio as well, in a new folder: camera, the .tflite and its mask
over the picture. The precision is then float16 unless --quantize names another: a phone's GPU
computes in it.

--ladder writes the .tflite in every precision, and a table that compares them (ladder-tflite.md
and .json). --untrained writes .tflite files, no other format, with random weights, named by size,
alpha and alpha_up, to time a device with before anything is trained.
"""

import dataclasses
from pathlib import Path

from segmentation import formats
from segmentation.cli import export_options, exports, options, terminal
from segmentation.errors import InputError
from segmentation.export.options import Options

PRECISIONS = formats.FORMATS["tflite"].precisions


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    suffixes = {
        name: formats.FORMATS[name].suffix for name in formats.written_by("tf_converter.py")
    }
    parser.add_argument("model", type=Path, nargs="?", metavar="IN", help=".keras or .h5")
    parser.add_argument("-i", "--input_model_path", type=Path, help="another way to name IN")
    parser.add_argument("--format", nargs="+", choices=suffixes, default=["pb", "tflite"])
    parser.add_argument("-o", "--output_dir", type=Path, help="default: the folder of the model")
    parser.add_argument("--output_fn", help="file name; default: that of the model")
    parser.add_argument(
        "--quantize",
        choices=PRECISIONS,
        help="precision of the .tflite (float32; with --app float16)",
    )
    parser.add_argument(
        "--calibration_images",
        type=Path,
        metavar="DIR|NPY",
        help="photos for --quantize int8; default: those that training kept",
    )
    parser.add_argument(
        "--two_channels", action="store_true", help="background and class, in the .tflite"
    )
    export_options.add(parser)
    args = parser.parse_args(argv)
    export_options.check(
        parser,
        args,
        args.model or args.input_model_path,
        without_untrained=[
            *("format", "output_fn", "check_images", "calibration_images", "two_channels")
        ],
        without_ladder=["format", "output_dir", "output_fn", "quantize"],
    )
    args.quantize = args.quantize or ("float16" if args.app else "float32")
    if args.output_dir and args.output_dir.suffix in suffixes.values():
        parser.error(f"-o names a folder; name the files with --output_fn {args.output_dir.stem}")
    if args.untrained:
        if not args.output_dir:
            parser.error("--untrained writes into a folder: name one with -o")
        if args.quantize == "int8":
            parser.error("--untrained has no photos to calibrate int8 on")
        return args
    if (args.model is None) == (args.input_model_path is None):
        parser.error("name one model to convert")
    if "tflite" not in args.format and args.app:
        parser.error("--app runs the .tflite: add it to --format")
    if "tflite" not in args.format and (args.quantize != "float32" or args.two_channels):
        parser.error(
            "--quantize and --two_channels shape the .tflite alone, and other formats are float32: "
            "add tflite to --format"
        )
    args.model = args.model or args.input_model_path
    if args.calibration_images and args.quantize != "int8" and not args.ladder:
        parser.error("--calibration_images goes with --quantize int8 or --ladder")
    args.output_dir = args.output_dir or args.model.parent
    args.output_fn = args.output_fn or export_options.stem(args)
    for suffix in suffixes.values():  # the older project's --output_fn had one
        args.output_fn = args.output_fn.removesuffix(suffix)
    return args


def main(argv=None):
    """Convert, check, put in place; return 1 if a check fails."""
    args = parse_args(argv)
    if args.untrained:
        return exports.write_untrained(
            args, args.output_dir, ".tflite", Options(precision=args.quantize)
        )
    if args.ladder:
        return sweep(args)
    paths = {
        name: args.output_dir / f"{args.output_fn}{formats.FORMATS[name].suffix}"
        for name in args.format
    }
    exporter = exports.open_exporter(args, paths.values(), args.two_channels, "android")
    tflite = dataclasses.replace(tflite_options(args, exporter), precision=args.quantize)
    written, failed = exports.write(
        exporter,
        {
            path: tflite if name == "tflite" else Options(kit=args.parity_kit)
            for name, path in paths.items()
        },
    )
    app = exports.write_app(args, "android", written, paths.get("tflite"))
    terminal.print_result({"files": written, "failed": failed} | app)
    return 1 if failed else 0


def sweep(args):
    """Convert a trained model to .tflite in every precision."""
    stem = export_options.stem(args)
    paths = {each: args.ladder / f"{stem}_{each}.tflite" for each in PRECISIONS}
    exporter = exports.open_exporter(args, paths.values(), args.two_channels)
    tflite = tflite_options(args, exporter)
    variants = {path: dataclasses.replace(tflite, precision=each) for each, path in paths.items()}
    return exports.sweep(args, exporter, variants, args.ladder / "ladder-tflite")


def tflite_options(args, exporter):
    """Return the `Options` of a .tflite, with the images to calibrate on."""
    from segmentation.export import tensorflow

    calibration = None
    if args.quantize == "int8" or args.ladder:
        calibration, origin = exporter.calibration, "the run, not seen in training"
        if args.calibration_images:
            img_size = exporter.model.input_shape[1:3]
            calibration = tensorflow.calibration_images(args.calibration_images, img_size)
            origin = args.calibration_images
        if calibration is None:
            raise InputError(
                f"{args.model}: its run kept no images, so int8 needs --calibration_images: a "
                "folder of photos, or images-….npy"
            )
        noun = "image" if len(calibration) == 1 else "images"
        terminal.say(f"calibrating on {len(calibration)} {noun} of {origin}")
    return Options(calibration=calibration, two_channels=args.two_channels, kit=args.parity_kit)


if __name__ == "__main__":
    terminal.run(main)
