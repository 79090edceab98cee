"""What is done with the probabilities that a model gives: checks, masks, and resizing."""

import math

import cv2
import numpy as np

from segmentation.errors import InputError

SLACK = 1e-3  # by which rounding may take probabilities out of 0..1, or their sum off 1
# Most float32 values that the full-size probabilities of a batch may hold (256 MiB). A single image
# may exceed it.
MAX_FLOATS = 2**26


def in_range(scores):
    """Return whether all scores are in 0..1."""
    return scores.min() >= -SLACK and scores.max() <= 1 + SLACK


def require(path, scores, advice, step=0.0):
    """Raise InputError unless scores are probabilities.

    Args:
        path: of the model, named in the message.
        scores: `(N, h, w, C)` of the model.
        advice: what to do if they are not in 0..1.
        step: between the values that the model can give, if it is quantized.
    """
    if not in_range(scores):
        raise InputError(
            f"{path}: its output is not probabilities ({scores.min():.3g} to {scores.max():.3g}); "
            f"{advice}"
        )
    channels = scores.shape[-1]
    if channels > 1 and not np.allclose(scores.sum(-1), 1, atol=SLACK + step / 2 * channels):
        raise InputError(
            f"{path}: its probabilities do not sum to 1, as with a sigmoid for each class; train "
            "it with softmax, so that a pixel is of one class"
        )


def to_mask(probabilities):
    """Turn probabilities `(…, h, w, C)` into channel ids `(…, h, w)`, uint8.

    One channel: 1 where p > 0.5, else 0. Several: the argmax, the first of equals.
    """
    if probabilities.shape[-1] == 1:
        return (probabilities[..., 0] > 0.5).astype(np.uint8)
    return probabilities.argmax(-1).astype(np.uint8)


def upsample(probabilities, size):
    """Resize the probabilities `(h, w, C)` of one image bilinearly to `size`, (height, width)."""
    height, width = size
    channels = np.moveaxis(probabilities, -1, 0)  # one by one: OpenCV 5 takes at most 128
    resized = [cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in channels]
    return np.stack(resized, axis=-1)


def to_mask_at(probabilities, size):
    """Return `to_mask(upsample(probabilities, size))`, using the memory of a single channel.

    150 classes at the size of a photograph would take gigabytes.
    """
    if probabilities.shape[-1] == 1:
        return to_mask(upsample(probabilities, size))
    best = upsample(probabilities[..., :1], size)[..., 0]
    mask = np.zeros(size, np.uint8)
    for channel in range(1, probabilities.shape[-1]):
        score = upsample(probabilities[..., channel : channel + 1], size)[..., 0]
        better = score > best
        mask[better] = channel
        best[better] = score[better]
    return mask


def evaluation_batch_size(batch_size, img_size, num_classes):
    """Return how many images to evaluate at once: `batch_size`, or fewer to save memory.

    Args:
        batch_size: upper limit.
        img_size: `(height, width)` in pixels to which probabilities are upsampled.
        num_classes: channels of the probabilities.
    """
    return int(np.clip(MAX_FLOATS // (math.prod(img_size) * num_classes), 1, batch_size))
