"""Train a semantic segmentation network in Keras and ship it to a phone.

    mobile-segmentation COMMAND [OPTIONS]
    mobile-segmentation COMMAND --help

The commands, in the order of work; messages and documentation call data data.py, and so on:
"""

import importlib
import importlib.metadata
import sys

# This file becomes `mobile_segmentation/__main__.py`, and `python -m` runs it by that name.
from mobile_segmentation.segmentation.cli import terminal

PROGRAM = "mobile-segmentation"
DISTRIBUTION = "mobile-semantic-segmentation"
COMMANDS = {
    "data": "prepare images and masks, check them, make or download some",
    "train_full": "train a network from scratch",
    "train_transfer": "adapt a pretrained encoder, or an earlier model",
    "evaluate": "measure a model: IoU and other scores by class",
    "predict": "write masks and overlays of images",
    "coreml_converter": "export for iOS",
    "tf_converter": "export for Android and others: LiteRT, ONNX, frozen graph, SavedModel",
    "benchmark": "measure milliseconds, megabytes and memory of models",
    "serve": "show a model at work in a browser",
}


def help_text():
    """Return what `--help` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {does}" for name, does in COMMANDS.items()]
    return "\n".join([__doc__.rstrip(), *lines])


def main():
    """Run the command that the first argument names."""
    name, *options = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(help_text())
        return
    if name == "--version":
        print(importlib.metadata.version(DISTRIBUTION))
        return
    name = name.replace("-", "_").removesuffix(".py")
    if name not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(f"error: there is no command {name}; choose {known}", file=sys.stderr)
        sys.exit(2)
    sys.argv = [f"{PROGRAM} {name}", *options]  # messages name the program by it
    terminal.run(importlib.import_module(f"mobile_segmentation.{name}").main)


if __name__ == "__main__":
    main()
