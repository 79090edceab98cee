"""The MobileUNet of the hair project of 2017, whose layers are those of `nets.mobile_unet`.

https://github.com/akirasosa/mobile-semantic-segmentation. Its names differ, and it normalised
images outside the network.
"""

import re

import keras
import numpy as np

import nets
from segmentation.legacy.spec import ORIGINS

SCORE_LAYER = "score"  # after `renamed`
FIRST_LAYER = "conv_0"  # its first convolution; no other project uses this name


def build(img_size, num_classes, **arguments):
    """Build our MobileUNet without its normalisation.

    Args:
        img_size: `(height, width)` in pixels, multiples of 32.
        num_classes: channels of the output.
        arguments: of `nets.mobile_unet.MobileUNet`.

    Returns:
        `keras.Model`, `(batch, height, width, 3)` normalised images → probabilities.

    Raises:
        ValueError: for an argument that the network lacks or refuses.
    """
    model = nets.build("mobile_unet", img_size, num_classes, narrowest=1, **arguments)
    (rescaling,) = (each for each in model.layers if isinstance(each, keras.layers.Rescaling))
    return keras.Model(rescaling.output, model.output)


def renamed(arrays):
    """Return lists of arrays by layer name under the names of `nets.mobile_unet`."""
    names = {"conv_0": "conv1", "conv_0_bn": "conv1_bn", "conv_18": "stem_conv"}
    names |= {"conv_18_bn": "stem_bn"}
    transposed = [name for name in arrays if name.startswith("conv2d_transpose")]
    scores = [name for name in arrays if re.fullmatch(r"conv2d(_\d+)?", name)]
    names |= {name: SCORE_LAYER for name in scores[-1:]}  # Keras counts on over a whole session
    for block, stride in enumerate((16, 8, 4, 2), start=14):
        for part in ("dw", "pw"):
            names[f"conv_{part}_{block}"] = f"up_{stride}_{part}"
            names[f"conv_{part}_{block}_bn"] = f"up_{stride}_{part}_bn"
        if transposed:
            names[transposed.pop(0)] = f"up_{stride}_deconv"
    return {names.get(name, name): weights for name, weights in arrays.items()}


def with_our_normalization(arrays):
    """Return the arrays of a MobileUNet for images normalised as ours are, x / 127.5 - 1.

    They were trained on (x - mean) / std, which is ours times a factor plus an offset. The factor
    goes into the kernel of conv1. The offset adds a constant to the output of conv1 (except at the
    padded border), which goes into the mean that conv1_bn subtracts.

    Args:
        arrays: of `renamed`.
    """
    mean, std = np.array(ORIGINS["hair2017"])
    (kernel,), (gamma, beta, moving_mean, variance) = arrays["conv1"], arrays["conv1_bn"]
    added = (kernel * ((127.5 - mean) / std)[:, None]).sum((0, 1, 2))  # (3, 3, 3, n) → (n,)
    kernel = kernel * (127.5 / std)[:, None]
    normalized = [gamma, beta, moving_mean - added, variance]
    return arrays | {"conv1": [kernel], "conv1_bn": normalized}
