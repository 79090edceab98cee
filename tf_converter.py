"""Convert a trained model for Android and TensorFlow, and prove that the files still segment.

    python tf_converter.py artifacts/hair.keras
    python tf_converter.py artifacts/hair.keras --format tflite --quantize float16 --two_channels
    python tf_converter.py artifacts/hair.keras --format tflite --output_dir app --output_fn hair \
        --quantize int8 --calibration_images data/images-128.npy

Writes a frozen graph (.pb) and a LiteRT file (.tflite), float32, in about 15 seconds; `--format`
also knows saved_model, a folder named STEM.saved_model. Input `image` (1, H, W, 3) float32 RGB
0..255, output `output_0` probabilities. Each file is run on the same pictures as the Keras model
before it takes its name: one that differs is not written, and the exit status is 1. The model card
goes along.

Three options shape the .tflite alone. --quantize float16 halves it; int8 quarters it, takes uint8
pictures and gives uint8 probabilities, and needs photos such as the app will see, of which it looks
at 100: --calibration_images. --two_channels gives a model of one class a channel for the background
before it, as MediaPipe's category masks want it. The .tflite holds the metadata that MediaPipe's
ImageSegmenter reads: class names, and that nothing is left to normalise.
"""

import functools
import os
from pathlib import Path

from segmentation import command_line
from segmentation.chatter import start_keras
from segmentation.errors import ExportError, InputError

# Suffix of the result: function of segmentation.export.tensorflow that writes it.
WRITERS = {"pb": "to_frozen_graph", "tflite": "to_tflite", "saved_model": "to_saved_model"}
# --quantize of the .tflite: its limits in parity.LIMITS. The other formats are float32.
PRECISIONS = {"float32": "float32", "float16": "float16", "int8": "full_int8"}


def parse_args(argv=None):
    """Parse the command line."""
    parser = command_line.Parser(__doc__)
    parser.add_argument("model", type=Path, nargs="?", metavar="IN", help=".keras or .h5")
    parser.add_argument("-i", "--input_model_path", type=Path, help="the same as IN")
    parser.add_argument("--format", nargs="+", choices=WRITERS, default=["pb", "tflite"])
    parser.add_argument("--output_dir", type=Path, help="default: the folder of the model")
    parser.add_argument("--output_fn", help="file name; default: that of the model")
    parser.add_argument("--check_images", type=Path, help="folder; default: drawn pictures")
    parser.add_argument("--quantize", choices=PRECISIONS, default="float32", help="the .tflite")
    parser.add_argument(
        "--calibration_images", type=Path, metavar="DIR|NPY", help="photos, for --quantize int8"
    )
    parser.add_argument(
        "--two_channels", action="store_true", help="background and class, in the .tflite"
    )
    command_line.add_older_model_options(parser)
    args = parser.parse_args(argv)
    if (args.model is None) == (args.input_model_path is None):
        parser.error("name one model to convert")
    if "tflite" not in args.format and (args.quantize != "float32" or args.two_channels):
        parser.error("--quantize and --two_channels shape the .tflite: add it to --format")
    if args.quantize == "int8" and not args.calibration_images:
        parser.error(
            "--quantize int8 needs --calibration_images: a folder of photos, or images-….npy"
        )
    if args.calibration_images and args.quantize != "int8":
        parser.error("--calibration_images goes with --quantize int8")
    args.model = args.model or args.input_model_path
    args.output_dir = args.output_dir or args.model.parent
    args.output_fn = args.output_fn or args.model.stem
    for suffix in WRITERS:  # the older project's --output_fn had one
        args.output_fn = args.output_fn.removesuffix(f".{suffix}")
    return args


def main(argv=None):
    """Convert, check, put in place; return 1 if a check fails."""
    args = parse_args(argv)
    given = command_line.older_model(args)
    os.environ["KERAS_BACKEND"] = "tensorflow"  # it does the tracing, whatever did the training
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a GPU's TF32 differs by 1e-3: no reference
    start_keras()
    from segmentation import files, model_card, older_models, predictor
    from segmentation.export import parity, tensorflow

    model, reference = predictor.load_keras(args.model, given), predictor.load(args.model, given)
    target = args.output_dir / f"{args.output_fn}.keras"  # whose card belongs to the exports
    card = model_card.to_copy(args.model, target, reference.card)
    if doubt := older_models.doubt(given, reference.img_size):
        command_line.say(doubt)
    images = parity.check_pictures(reference.img_size, args.check_images)
    expected = reference(images)

    exports = {}
    for name in args.format:
        write = functools.partial(getattr(tensorflow, WRITERS[name]), model)
        exports[name] = (write, expected, {"precision": "float32"})
    if "tflite" in exports:
        exports["tflite"] = plan_tflite(args, model, reference, expected)

    written, failed = [], []
    for name, (write, wanted, facts) in exports.items():
        path = args.output_dir / f"{args.output_fn}.{name}"
        limits = PRECISIONS[facts["precision"]]
        try:
            comparison = parity.write_checked(write, path, images, wanted, limits)
        except ExportError as error:
            command_line.say(f"error: {error}")
            failed.append(str(path))
            continue
        megabytes = files.size(path) / 1e6
        print(f"{path}: {megabytes:.1f} MB, {facts['precision']}, {parity.summary(comparison)}")
        written.append({"path": str(path), "megabytes": round(megabytes, 3), **facts, **comparison})
    if written and card:
        model_card.write(target, card)
    command_line.print_result({"files": written, "failed": failed})
    return 1 if failed else 0


def plan_tflite(args, model, reference, expected):
    """Return what writes the .tflite, the probabilities it should give, and what to report of it.

    Args:
        args: of `parse_args`.
        model: `keras.Model`.
        reference: `predictor.Predictor` of it.
        expected: probabilities that it gives for the pictures of the check.
    """
    import numpy as np

    from segmentation import labels
    from segmentation.export import tensorflow

    classes, colors = reference.classes, reference.colors
    if reference.card is None:
        command_line.say(
            f"{args.model}: no model card beside it; the .tflite calls its classes "
            f"{', '.join(classes)}"
        )
    if args.two_channels:
        if len(classes) > 1:
            raise InputError(
                f"{args.model}: predicts {', '.join(classes)}; --two_channels is for a single class"
            )
        model = tensorflow.with_background(model)
        classes = [labels.BACKGROUND_NAMES[0], *classes]
        colors = [*labels.colors(classes[:1]), *colors]
        expected = np.concatenate([1 - expected, expected], axis=-1)
    facts, calibration = {"precision": args.quantize}, None
    if args.calibration_images:
        calibration = tensorflow.calibration_pictures(args.calibration_images, reference.img_size)
        facts["calibration_pictures"] = len(calibration)
        noun = "picture" if len(calibration) == 1 else "pictures"
        command_line.say(f"calibrating on {len(calibration)} {noun} of {args.calibration_images}")
    write = functools.partial(
        tensorflow.to_tflite,
        model,
        classes=classes,
        colors=colors,
        precision=args.quantize,
        calibration=calibration,
    )
    return write, expected, facts


if __name__ == "__main__":
    command_line.run(main)
