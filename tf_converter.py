"""Convert a trained model for Android and TensorFlow, and prove that the files still segment.

    python tf_converter.py artifacts/hair.keras
    python tf_converter.py artifacts/hair.keras --format tflite --output_dir app --output_fn hair

Writes a frozen graph (.pb) and a LiteRT file (.tflite), float32, in about 15 seconds; `--format`
also knows saved_model, a folder named STEM.saved_model. Input `image` (1, H, W, 3) float32 RGB
0..255, output `output_0` probabilities. Each file is run on the same pictures as the Keras model
before it takes its name: one that differs is not written, and the exit status is 1. The model card
goes along.
"""

import functools
import os
from pathlib import Path

from segmentation import command_line
from segmentation.chatter import start_keras
from segmentation.errors import ExportError

# Suffix of the result: function of segmentation.export.tensorflow that writes it.
WRITERS = {"pb": "to_frozen_graph", "tflite": "to_tflite", "saved_model": "to_saved_model"}
PRECISION = "float32"


def parse_args(argv=None):
    """Parse the command line."""
    parser = command_line.Parser(__doc__)
    parser.add_argument("model", type=Path, nargs="?", metavar="IN", help=".keras or .h5")
    parser.add_argument("-i", "--input_model_path", type=Path, help="the same as IN")
    parser.add_argument("--format", nargs="+", choices=WRITERS, default=["pb", "tflite"])
    parser.add_argument("--output_dir", type=Path, help="default: the folder of the model")
    parser.add_argument("--output_fn", help="file name; default: that of the model")
    parser.add_argument("--check_images", type=Path, help="folder; default: drawn pictures")
    command_line.add_older_model_options(parser)
    args = parser.parse_args(argv)
    if (args.model is None) == (args.input_model_path is None):
        parser.error("name one model to convert")
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

    written, failed = [], []
    for name in args.format:
        path = args.output_dir / f"{args.output_fn}.{name}"
        write = functools.partial(getattr(tensorflow, WRITERS[name]), model)
        try:
            comparison = parity.write_checked(write, path, images, expected, PRECISION)
        except ExportError as error:
            command_line.say(f"error: {error}")
            failed.append(str(path))
            continue
        megabytes = files.size(path) / 1e6
        print(
            f"{path}: {megabytes:.1f} MB, largest difference "
            f"{comparison['largest_difference']:.1e}, mask IoU {comparison['mask_iou']:.4f}"
        )
        written.append({"path": str(path), "megabytes": round(megabytes, 3), **comparison})
    if written and card:
        model_card.write(target, card)
    command_line.print_result({"files": written, "failed": failed, "precision": PRECISION})
    return 1 if failed else 0


if __name__ == "__main__":
    command_line.run(main)
