"""MobilePSPNet: pyramid pooling on a dilated MobileNet encoder."""

import keras
from keras import layers

from nets.blocks import (
    BINS,
    conv_bn_relu,
    depthwise_block,
    image_input,
    probabilities,
    width,
)
from nets.layers import PyramidLevel
from nets.mobilenet import mobilenet

SMALLEST = 96  # pixels: the finest pyramid level has 6 bins per side, at stride 16
# Changed options of MobileNet's layers, which keep the features at stride 16. MobileNet's feature
# (i, j) at stride 32 is feature (2i + 1, 2j + 1) here; the other features lie between them.
DILATED = {
    "conv_pad_12": {"padding": 0},
    "conv_dw_12": {"strides": 1, "padding": "same"},
    "conv_dw_13": {"dilation_rate": 2},
}
FUSED = 512  # width of the fused features at alpha 1, as in PSPNet
ENCODER = "mobilenet"
ENCODER_END = "conv_pw_13_relu"
GRID_SIZES = (224, 192, 160, 128)


def MobilePSPNet(img_size, num_classes=1, alpha=1.0, depth_multiplier=1, weights=None):
    """Build a PSPNet (https://arxiv.org/abs/1612.01105) on MobileNet, with MobileNet's weights.

    Encoder: MobileNet (https://arxiv.org/abs/1704.04861), dilated from stride 16 on. Head: the
    features are concatenated with their means over 1, 2, 3 and 6 bins per side, each a quarter as
    wide; a depthwise separable block fuses them, and the logits are upsampled by 16. PSPNet
    convolves the bins before it upsamples them; here they are convolved after upsampling.

    The model at 128×128 with one class:

    | alpha | parameters | multiply-accumulates |
    |-------|-----------:|---------------------:|
    | 1     |  5,359,297 |          401 million |
    | 0.5   |  1,370,465 |          104 million |
    | 0.25  |    357,937 |           28 million |

    Args:
        img_size: `(height, width)` of the input in pixels, multiples of 32, at least 96.
        num_classes: channels of the output. 1: sigmoid; more: softmax, channel 0 the background.
        alpha: width multiplier of every layer.
        depth_multiplier: depth multiplier of the encoder's depthwise convolutions.
        weights: None, `imagenet`, or the path of a Keras `mobilenet_*_no_top.h5`.

    Returns:
        `keras.Model`: `image` `(batch, height, width, 3)` RGB 0..255 → `mask`
        `(batch, height, width, num_classes)` probabilities, float32. Normalisation is in the graph.

    Raises:
        ValueError: unless both sides are multiples of 32 and at least 96.
    """
    image, x = image_input(img_size, SMALLEST)
    encoder = _dilated(mobilenet(x, alpha, depth_multiplier, weights), image)
    x = encoder.get_layer(ENCODER_END).output  # stride 16
    levels = [
        conv_bn_relu(
            PyramidLevel(bins, name=f"pyramid_{bins}")(x),
            x.shape[-1] / len(BINS),
            1,
            f"pyramid_{bins}_conv",
        )
        for bins in BINS
    ]
    x = layers.Concatenate(name="pyramid_concat")([x, *levels])
    x = depthwise_block(x, width(FUSED * alpha), "fuse")
    mask = probabilities(x, num_classes, factor=16)
    return keras.Model(image, mask, name="mobile_pspnet")


def _dilated(encoder, image):
    """Return the encoder on `image`, with the changes of `DILATED` and the same weights."""

    def changed(layer):
        return layer.from_config(layer.get_config() | DILATED.get(layer.name, {}))

    dilated = keras.models.clone_model(encoder, input_tensors=[image], clone_function=changed)
    dilated.set_weights(encoder.get_weights())
    return dilated
