"""MobileUNet: a U-Net decoder of depthwise blocks on a MobileNet encoder."""

import keras
from keras import layers

from nets.blocks import MOMENTUM, depthwise_block, image_input, probabilities, width
from nets.mobilenet import mobilenet
from nets.names import UPSAMPLINGS

# Skip connections, deepest first: (encoder layer, stride, width of the decoder stage at alpha 1).
SKIPS = (
    ("conv_pw_11_relu", 16, 512),
    ("conv_pw_5_relu", 8, 256),
    ("conv_pw_3_relu", 4, 128),
    ("conv_pw_1_relu", 2, 64),
)
STEM = ("conv1_relu", 32)
# Fewest features of a decoder stage. A class that is scored from 2 features, as the older project's
# widths give at alpha 0.25, is often not learned at all: some seeds keep an IoU of 0.
NARROWEST = 8
EARLIER_ARGUMENTS = {"narrowest": 1}
ENCODER = "mobilenet"
ENCODER_END = "conv_pw_13_relu"
GRID_SIZES = (224, 192, 160, 128)


def MobileUNet(
    img_size,
    num_classes=1,
    alpha=1.0,
    alpha_up=0.25,
    depth_multiplier=1,
    upsampling="deconvolution",
    narrowest=NARROWEST,
    weights=None,
):
    """Build MobileUNet.

    Encoder: MobileNet (https://arxiv.org/abs/1704.04861) down to stride 32. Decoder: U-Net
    (https://arxiv.org/abs/1505.04597) with a depthwise separable block per stage, back to stride 2,
    where the logits are computed and upsampled by 2.

    Args:
        img_size: `(height, width)` of the input in pixels, multiples of 32.
        num_classes: channels of the output. 1: sigmoid; more: softmax, channel 0 the background.
        alpha: width multiplier of the encoder and of the upsampling layers.
        alpha_up: width multiplier of the decoder's blocks, on top of `alpha`.
        depth_multiplier: depth multiplier of the encoder's depthwise convolutions.
        upsampling: `deconvolution` (2×2 transposed convolutions) or `bilinear` (cheaper).
        narrowest: the fewest features of a decoder's block. 1 gives the older project's widths.
        weights: None, `imagenet`, or the path of a Keras `mobilenet_*_no_top.h5`.

    Returns:
        `keras.Model`: `image` `(batch, height, width, 3)` RGB 0..255 → `mask`
        `(batch, height, width, num_classes)` probabilities, float32. Normalisation is in the graph.

    Raises:
        ValueError: unless both sides are multiples of 32, or if `upsampling` is unknown.
    """
    if upsampling not in UPSAMPLINGS:
        raise ValueError(f"upsampling must be one of {UPSAMPLINGS}, got {upsampling!r}")

    image, x = image_input(img_size, smallest=32)
    encoder = mobilenet(x, alpha, depth_multiplier, weights)
    x = encoder.get_layer(ENCODER_END).output  # stride 32
    for skip, stride, stage_width in SKIPS:
        filters = width(stage_width * alpha)
        x = _upsample(x, filters, upsampling, name=f"up_{stride}")
        x = layers.Concatenate(name=f"up_{stride}_concat")([x, encoder.get_layer(skip).output])
        x = depthwise_block(x, max(narrowest, width(filters * alpha_up)), name=f"up_{stride}")
    skip, stem_width = STEM
    x = layers.Concatenate(name="stem_concat")([x, encoder.get_layer(skip).output])
    x = layers.Conv2D(
        max(narrowest, width(width(stem_width * alpha) * alpha_up)),
        3,
        padding="same",
        use_bias=False,
        name="stem_conv",
    )(x)
    x = layers.BatchNormalization(momentum=MOMENTUM, name="stem_bn")(x)
    x = layers.ReLU(6.0, name="stem_relu")(x)
    mask = probabilities(x, num_classes, factor=2)  # from stride 2
    return keras.Model(image, mask, name="mobile_unet")


def _upsample(x, filters, upsampling, name):
    if upsampling == "deconvolution":
        return layers.Conv2DTranspose(filters, 2, strides=2, padding="same", name=f"{name}_deconv")(
            x
        )
    return layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_bilinear")(x)
