"""What a Core ML package gives, as probabilities."""

import numpy as np


def gives_ids_only(output, num_channels):
    """Return whether a package of the profile `output` gives class ids without probabilities."""
    return output == "labels" or (output == "image" and num_channels > 1)


def as_probabilities(results, output, num_channels):
    """Return what a package gives as probabilities, whatever its profile.

    Args:
        results: of `mil_interpreter.Program`, for N images.
        output: the profile: `scores`, `labels` or `image`.
        num_channels: number of the model's channels.

    Returns:
        `(N, h, w, C)` float32; class ids become 0 and 1.
    """
    if output == "scores":
        return results
    planes = results if output == "labels" else results[:, 0]  # (N, H, W)
    if num_channels == 1:
        return (planes[..., None] / (1 if output == "labels" else 255)).astype(np.float32)
    return (planes[..., None] == np.arange(num_channels)).astype(np.float32)
