"""Running Core ML packages on any operating system, with our interpreter."""

import json

import numpy as np

from segmentation.inference import mil_interpreter
from segmentation.inference.runner import Runner


def read(path):
    """Return the `Runner` of an `.mlpackage`, whatever its output profile.

    Raises:
        InputError: if it is no ML program of one RGB image.
        ExportError: if it holds an op that our interpreter lacks.
    """
    program = mil_interpreter.load(path)
    output = program.metadata.get("output", "scores")
    if output == "scores":
        num_channels = program(np.zeros((1, *program.img_size, 3), np.uint8)).shape[-1]
    else:
        num_channels = len(json.loads(program.metadata["classes"]))
    return Runner(
        lambda images: as_probabilities(program(images), output, num_channels),
        tuple(program.img_size),
        num_channels,
        program.metadata,
        gives_ids_only(output, num_channels),
    )


def gives_ids_only(output, num_channels):
    """Return whether a package of the profile `output` gives class ids without probabilities."""
    return output == "labels" or (output == "image" and num_channels > 1)


def as_probabilities(results, output, num_channels):
    """Return the output of a package as probabilities, whatever its profile.

    Args:
        results: of `mil_interpreter.Program`, for N images.
        output: the profile: `scores`, probabilities `(N, h, w, C)`; `labels`, class ids
            `(N, H, W)`; or `image`, `(N, 1, H, W)`: 255 times the probability of a single class,
            else class ids.
        num_channels: C, the classes of the model.

    Returns:
        `(N, h, w, C)` float32, 0..1; class ids become 0 and 1.
    """
    if output == "scores":
        return results
    planes = results if output == "labels" else results[:, 0]  # (N, H, W)
    if num_channels == 1:
        return (planes[..., None] / (1 if output == "labels" else 255)).astype(np.float32)
    return (planes[..., None] == np.arange(num_channels)).astype(np.float32)
