"""ICNet: a deep branch on a downsampled image, refined by two shallow branches."""

import keras
from keras import layers

from nets.blocks import BINS, conv_bn, conv_bn_relu, image_input, probabilities, width
from nets.layers import PyramidLevel
from nets.names import OUTPUT

SMALLEST = 192  # pixels: the finest pyramid level has 6 bins per side, at stride 32
FUSED = 128  # width of the fused features at alpha 1
HEADS = {"aux_8": 0.4, "aux_16": 0.16}  # training heads and the weights of their losses
SCORE_LAYERS = ("mask_score", "aux_8_score", "aux_16_score")
GRID_SIZES = (768, 384, 192)
# Stages of the deep branch: (width of a block's output at alpha 1, blocks, stride, dilation).
# The half-resolution branch ends after conv3_1, the first block of the second one.
STAGES = ((128, 3, 1, 1), (256, 4, 2, 1), (512, 6, 1, 2), (1024, 3, 1, 4))
ENCODER_END = "conv5_3_relu"


def ICNet(img_size, num_classes=2, alpha=1.0):
    """Build ICNet with its training heads (https://arxiv.org/abs/1704.08545).

    The full-resolution image passes through three convolutions, and the half-resolution image
    through the start of a residual network. Only its features, downsampled to stride 32, pass
    through the rest of that network and pyramid pooling. Cascade feature fusion joins the three
    branches.

    Pyramid pooling is adaptive, so that every multiple of 32 works; half resolution is the mean of
    2×2 pixels.

    The inference model at 768×768 with 21 classes:

    | alpha | parameters | multiply-accumulates |
    |-------|-----------:|---------------------:|
    | 1     |  6,728,789 |        8,287 million |
    | 0.5   |  1,697,589 |        2,165 million |
    | 0.25  |    432,101 |          588 million |

    Args:
        img_size: `(height, width)` of the input in pixels, multiples of 32, at least 192.
        num_classes: channels of the output. 1: sigmoid; more: softmax, channel 0 the background.
        alpha: width multiplier of every layer.

    Returns:
        `keras.Model`: `image` `(batch, height, width, 3)` RGB 0..255 → `mask`, `aux_8` and
        `aux_16`, probabilities `(batch, height / n, width / n, num_classes)` with n = 4, 8 and 16,
        float32. Normalisation is in the graph.

    Raises:
        ValueError: unless both sides are multiples of 32 and at least 192.
    """
    image, full = image_input(img_size, SMALLEST)
    half = layers.AveragePooling2D(2, name="half")(full)

    x = conv_bn_relu(half, 32 * alpha, 3, "conv1_1", strides=2)  # 1/4
    x = conv_bn_relu(x, 32 * alpha, 3, "conv1_2")
    x = conv_bn_relu(x, 64 * alpha, 3, "conv1_3")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)  # 1/8
    for stage, (filters, blocks, stride, dilation) in enumerate(STAGES, start=2):
        for block in range(1, blocks + 1):
            name = f"conv{stage}_{block}"
            x = _bottleneck(x, filters * alpha, stride if block == 1 else 1, dilation, name)
            if name == "conv3_1":
                half_features = x  # 1/16
                x = layers.AveragePooling2D(2, name="quarter")(x)  # 1/32
    x = _pyramid_pooling(x)
    x = conv_bn_relu(x, 256 * alpha, 1, "conv5_4")

    filters = FUSED * alpha
    low = layers.UpSampling2D(2, interpolation="bilinear", name="conv5_4_up")(x)  # 1/16
    x = _cascade_feature_fusion(low, half_features, filters, "fuse_16")
    middle = layers.UpSampling2D(2, interpolation="bilinear", name="fuse_16_up")(x)  # 1/8
    full = conv_bn_relu(full, 32 * alpha, 3, "full_1", strides=2)
    full = conv_bn_relu(full, 32 * alpha, 3, "full_2", strides=2)
    full = conv_bn_relu(full, 64 * alpha, 3, "full_3", strides=2)
    x = _cascade_feature_fusion(middle, full, filters, "fuse_8")
    x = layers.UpSampling2D(2, interpolation="bilinear", name="fuse_8_up")(x)  # 1/4
    outputs = [
        probabilities(features, num_classes, f"{name}_score", name=name)
        for name, features in ((OUTPUT, x), ("aux_8", middle), ("aux_16", low))
    ]
    return keras.Model(image, outputs, name="icnet")


def _bottleneck(x, filters, strides, dilation, name):
    """Apply a residual block of 1×1, 3×3 and 1×1 convolutions, a quarter as wide inside."""
    shortcut = x
    if x.shape[-1] != width(filters):
        shortcut = conv_bn(x, filters, 1, f"{name}_proj", strides)
    x = conv_bn_relu(x, filters / 4, 1, f"{name}_reduce", strides)
    x = conv_bn_relu(x, filters / 4, 3, f"{name}_3x3", dilation=dilation)
    # Initially a block is the identity: https://arxiv.org/abs/1706.02677, section 5.1.
    x = conv_bn(x, filters, 1, f"{name}_increase", gamma="zeros")
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_relu")(x)


def _pyramid_pooling(x):
    """Add to features their means over 1, 2, 3 and 6 bins per side (arXiv:1612.01105)."""
    levels = [PyramidLevel(bins, name=f"pyramid_{bins}")(x) for bins in BINS]
    return layers.Add(name="pyramid")([x, *levels])


def _cascade_feature_fusion(low, high, filters, name):
    """Fuse features that were upsampled by 2 with more detailed features of that size."""
    low = conv_bn(low, filters, 3, f"{name}_low", dilation=2)
    high = conv_bn(high, filters, 1, f"{name}_high")
    x = layers.Add(name=f"{name}_add")([low, high])
    return layers.ReLU(name=f"{name}_relu")(x)
