r"""Convert a trained model for Android and TensorFlow, and prove that the files still segment.

    python tf_converter.py artifacts/hair.keras
    python tf_converter.py artifacts/hair.keras --format tflite --quantize float16 --two_channels
    python tf_converter.py artifacts/hair.keras --format tflite --output_dir app --output_fn hair \
        --quantize int8 --calibration_images data/images-128.npy
    python tf_converter.py artifacts/hair.keras --ladder artifacts/ladder \
        --calibration_images data/images-128.npy --img_file data/images-128.npy --split validation
    python tf_converter.py --untrained --sizes 224 128 --alphas 1 0.25 -o grid

Writes a frozen graph (.pb) and a LiteRT file (.tflite), float32, in about 15 seconds; `--format`
also knows saved_model, a folder named STEM.saved_model. Input `image` (1, H, W, 3) float32 RGB
0..255, output `output_0` probabilities. Each file is run on the same pictures as the Keras model
before it takes its name: one that differs is not written, and the exit status is 1. The model card
goes along, with FILE.contract.md: what an app hands over and gets back, and code for exactly this
file. ICNet's probabilities are a quarter as wide and high as its pictures, unless
--full_resolution enlarges them in the graph.

Three options shape the .tflite alone. --quantize float16 halves it; int8 quarters it, takes uint8
pictures and gives uint8 probabilities, and needs photos such as the app will see, of which it looks
at 100: --calibration_images. It is checked on some of them, unless --check_images names others.
--two_channels gives a model of one class a channel for the background before it, as MediaPipe's
category masks want it. The .tflite holds the metadata that MediaPipe's ImageSegmenter reads: class
names, and that nothing is left to normalise.

--ladder writes the .tflite in every precision, and a table of what each gives and costs
(ladder-tflite.md and .json). --untrained writes .tflite files with random weights, named by size,
alpha and alpha_up, to time a device with before anything is trained.
"""

import functools
import os
from pathlib import Path

from segmentation.cli import converters, model_options, options, terminal
from segmentation.errors import ExportError, InputError
from segmentation.quiet import start_keras

# Suffix of a float32 result: function of segmentation.export.tensorflow that writes it.
WRITERS = {"pb": "to_frozen_graph", "saved_model": "to_saved_model"}
FORMATS = ("pb", "tflite", "saved_model")
# --quantize of the .tflite: its limits in parity.LIMITS. The other formats are float32.
PRECISIONS = {"float32": "float32", "float16": "float16", "int8": "full_int8"}


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument("model", type=Path, nargs="?", metavar="IN", help=".keras or .h5")
    parser.add_argument("-i", "--input_model_path", type=Path, help="the same as IN")
    parser.add_argument("--format", nargs="+", choices=FORMATS, default=["pb", "tflite"])
    parser.add_argument("-o", "--output_dir", type=Path, help="default: the folder of the model")
    parser.add_argument("--output_fn", help="file name; default: that of the model")
    parser.add_argument("--quantize", choices=PRECISIONS, default="float32", help="the .tflite")
    parser.add_argument(
        "--calibration_images", type=Path, metavar="DIR|NPY", help="photos, for --quantize int8"
    )
    parser.add_argument(
        "--two_channels", action="store_true", help="background and class, in the .tflite"
    )
    converters.add_options(parser)
    args = parser.parse_args(argv)
    converters.check_variants(
        parser,
        args,
        args.model or args.input_model_path,
        without_untrained=[
            *("format", "output_fn", "check_images", "calibration_images", "two_channels")
        ],
        without_ladder=["format", "output_dir", "output_fn", "quantize"],
    )
    if args.output_dir and args.output_dir.suffix.removeprefix(".") in FORMATS:
        parser.error(f"-o names a folder; call the files with --output_fn {args.output_dir.stem}")
    if args.untrained:
        if not args.output_dir:
            parser.error("--untrained writes into a folder: name one with -o")
        if args.quantize == "int8":
            parser.error("--untrained has no photos to take the ranges of int8 from")
        return args
    if (args.model is None) == (args.input_model_path is None):
        parser.error("name one model to convert")
    if "tflite" not in args.format and (args.quantize != "float32" or args.two_channels):
        parser.error("--quantize and --two_channels shape the .tflite: add it to --format")
    needs_photos = args.quantize == "int8" or bool(args.ladder)
    if needs_photos and not args.calibration_images:
        parser.error("int8 needs --calibration_images: a folder of photos, or images-….npy")
    if args.calibration_images and not needs_photos:
        parser.error("--calibration_images goes with --quantize int8 or --ladder")
    args.model = args.model or args.input_model_path
    args.output_dir = args.output_dir or args.model.parent
    args.output_fn = args.output_fn or args.model.stem
    for suffix in FORMATS:  # the older project's --output_fn had one
        args.output_fn = args.output_fn.removesuffix(f".{suffix}")
    return args


def main(argv=None):
    """Convert, check, put in place; return 1 if a check fails."""
    args = parse_args(argv)
    os.environ["KERAS_BACKEND"] = "tensorflow"  # it does the tracing, whatever did the training
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a GPU's TF32 differs by 1e-3: no reference
    start_keras()
    return write_grid(args) if args.untrained else convert(args)


def convert(args):
    """Convert a trained model to every format or, with --ladder, to .tflite in every precision."""
    given = model_options.legacy_spec(args)
    if args.ladder:
        paths = {each: args.ladder / f"{args.model.stem}_{each}.tflite" for each in PRECISIONS}
    else:
        paths = {each: args.output_dir / f"{args.output_fn}.{each}" for each in args.format}
    for path in paths.values():
        converters.require_place(path)
    from segmentation import files, model_card
    from segmentation.export import parity

    reference, model = converters.open_model(args, given)
    images = parity.check_pictures(reference.img_size, args.check_images)
    export = Export(args, model, reference, images)
    if args.ladder:
        cards = {
            path: model_card.card_for_export(args.model, path, reference.card)
            for path in paths.values()
        }

        def write(path, precision):
            comparison = export.write_tflite(path, precision)
            if cards[path]:
                model_card.write(path, cards[path])
            return comparison

        return converters.climb(
            args, args.ladder / "ladder-tflite", paths, write, images[0], reference
        )

    target = args.output_dir / f"{args.output_fn}.keras"  # whose card belongs to the exports
    card = model_card.card_for_export(args.model, target, reference.card)
    written, failed = [], []
    for name, path in paths.items():
        precision = args.quantize if name == "tflite" else "float32"
        try:
            if name == "tflite":
                comparison = export.write_tflite(path, precision)
            else:
                comparison = export.write_float32(path, WRITERS[name])
        except ExportError as error:
            terminal.say(f"error: {error}")
            failed.append(str(path))
            continue
        megabytes = files.size(path) / 1e6
        print(f"{path}: {megabytes:.1f} MB, {precision}, {parity.summary(comparison)}")
        result = {"path": str(path), "megabytes": round(megabytes, 3), "precision": precision}
        written.append(result | comparison)
    if written and card:
        model_card.write(target, card)
    terminal.print_result({"files": written, "failed": failed})
    return 1 if failed else 0


class Export:
    """A trained model, and what its exports are compared with."""

    def __init__(self, args, model, reference, images):
        from segmentation.export import parity, tensorflow

        self.model, self.images = model, images
        self.expected = parity.expected(model, images)
        self.drawn = args.check_images is None
        self.img_size, self.output_size = reference.img_size, model.output_shape[1:3]
        self.classes = reference.classes
        self.two_channels = args.two_channels
        if self.two_channels and len(self.classes) > 1:
            raise InputError(
                f"{args.model}: predicts {', '.join(self.classes.names)}; "
                "--two_channels is for a single class"
            )
        self.calibration = None
        if args.calibration_images:
            found = tensorflow.calibration_pictures(args.calibration_images, self.img_size)
            self.calibration = found
            noun = "picture" if len(found) == 1 else "pictures"
            terminal.say(f"calibrating on {len(found)} {noun} of {args.calibration_images}")

    def write_float32(self, path, writer):
        """Write with a function of `segmentation.export.tensorflow`; return the comparison."""
        from segmentation.export import parity, tensorflow

        write = functools.partial(getattr(tensorflow, writer), self.model)
        comparison = parity.write_checked(write, path, self.images, self.expected, "float32")
        self._write_contract(path, self.classes, "float32", comparison)
        return comparison

    def write_tflite(self, path, precision):
        """Write a .tflite; return the comparison, and how many pictures int8 was calibrated on."""
        import numpy as np

        from segmentation.data import image_io
        from segmentation.export import parity, tensorflow

        model, classes = self.model, self.classes
        images, expected = self.images, self.expected
        calibration = self.calibration if precision == "int8" else None
        if calibration is not None and self.drawn:
            # Its ranges are those of photos: drawn pictures go beyond, and show nothing.
            images = calibration[image_io.spread(len(calibration), parity.COUNT)]
            expected = parity.expected(model, images)
        if self.two_channels:
            model = tensorflow.with_background(model)
            classes = classes.with_background()
            expected = np.concatenate([1 - expected, expected], axis=-1)
        write = functools.partial(
            tensorflow.to_tflite,
            model,
            classes=classes,
            precision=precision,
            calibration=calibration,
        )
        limits = PRECISIONS[precision]
        parity.require_telling(expected, limits, path)
        comparison = parity.write_checked(write, path, images, expected, limits)
        self._write_contract(path, classes, precision, comparison)
        if calibration is not None:
            comparison |= {"calibration_pictures": len(calibration)}
        return comparison

    def _write_contract(self, path, classes, precision, comparison):
        from segmentation.export import contract, parity, tensorflow

        contract.write(
            path,
            self.img_size,
            self.output_size,
            classes,
            steps=tensorflow.output_steps(path) if precision == "int8" else None,
            facts=[
                ("precision", precision),
                ("beside the Keras model", parity.summary(comparison)),
            ],
        )


def write_grid(args):
    """Write .tflite files with random weights, in one precision."""
    from segmentation.export import parity, precision_sweep, tensorflow

    def write(model, path):
        images = parity.check_pictures(model.input_shape[1:3])
        expected = parity.expected(model, images)
        write = functools.partial(
            tensorflow.to_tflite,
            model,
            classes=precision_sweep.UNTRAINED,
            precision=args.quantize,
        )
        return parity.write_checked(write, path, images, expected, args.quantize)

    return converters.write_untrained(args, args.output_dir, ".tflite", write)


if __name__ == "__main__":
    terminal.run(main)
