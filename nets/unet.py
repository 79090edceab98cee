"""UNet: one light decoder for any encoder."""

import keras
from keras import layers

from nets import encoders
from nets.blocks import conv_bn, conv_bn_relu6, depthwise_block, probabilities

CONTEXT = 128  # width of the features at stride 32, at alpha_up 1
WIDTHS = {16: 96, 8: 64, 4: 48, 2: 32}  # of the decoder's stages by stride, at alpha_up 1
NARROWEST = 16  # features: fewer may all die in training, and then nothing is learned
CONTEXT_KERNEL = 7  # at stride 32 it sees 224 pixels
ENCODER_END = "encoder"  # an identity, so that every encoder ends in the same name
OUTPUT_STRIDES = (1, 4)
SCENE_ARGUMENTS = {"output_stride": 4}
GRID_SIZES = (256, 192, 128)


def UNet(
    img_size,
    num_classes=1,
    encoder="efficientnet_lite0",
    alpha=1.0,
    alpha_up=1.0,
    output_stride=1,
):
    """Build a U-Net (https://arxiv.org/abs/1505.04597) on an encoder.

    At stride 32 a large depthwise kernel and the mean of the image give context. Each stage of the
    decoder projects to its width before it upsamples bilinearly, and adds the encoder's features to
    that; a depthwise separable block follows. These ops run on every accelerator of a phone, and
    in 8 bits.

    Args:
        img_size: `(height, width)` of the input in pixels, multiples of 32.
        num_classes: channels of the output. 1: sigmoid; more: softmax, channel 0 the background.
        encoder: a key of `nets.ENCODERS`.
        alpha: width multiplier of the encoder.
        alpha_up: width multiplier of the decoder.
        output_stride: 1: logits are computed at stride 2 and upsampled to the size of the input. 4:
            they are computed at stride 4, and so is the output. That suits scenes, where many
            classes at full size cost more than the network.

    Returns:
        `keras.Model`: `image` `(batch, height, width, 3)` RGB 0..255 → `mask`
        `(batch, height / output_stride, width / output_stride, num_classes)` probabilities,
        float32. Normalisation is in the graph.

    Raises:
        ValueError: unless both sides are multiples of 32, or if an argument is refused.
    """
    if output_stride not in OUTPUT_STRIDES:
        raise ValueError(f"output_stride must be one of {OUTPUT_STRIDES}, got {output_stride!r}")
    image, features = encoders.encode(encoder, img_size, alpha)
    *skips, x = features
    x = layers.Identity(name=ENCODER_END)(x)
    x = _context(x, _width(CONTEXT, alpha_up))
    for stride, skip in zip(encoders.STRIDES[-2::-1], reversed(skips), strict=True):
        if stride < output_stride:
            break
        x = _stage(x, skip, _width(WIDTHS[stride], alpha_up), name=f"up_{stride}")
    mask = probabilities(x, num_classes, factor=2 if output_stride == 1 else 1)
    return keras.Model(image, mask, name="unet")


def _width(filters, alpha_up):
    return max(NARROWEST, 8 * round(filters * alpha_up / 8))


def _context(x, filters):
    """Add to reduced features those of a large neighbourhood and of the whole image."""
    x = conv_bn_relu6(x, filters, 1, "context_reduce")
    near = depthwise_block(x, filters, "context", kernel=CONTEXT_KERNEL)
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="context_mean")(x)
    # No BatchNorm: it would be over one value for each image of the batch.
    mean = layers.Conv2D(filters, 1, activation="relu", name="context_mean_conv")(mean)
    return layers.Add(name="context_add")([x, near, mean])


def _stage(x, skip, filters, name):
    """Upsample features by 2, add the encoder's to them, and mix them."""
    x = conv_bn(x, filters, 1, f"{name}_reduce")
    x = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_bilinear")(x)
    skip = conv_bn(skip, filters, 1, f"{name}_skip")
    x = layers.Add(name=f"{name}_add")([x, skip])
    x = layers.ReLU(6.0, name=f"{name}_add_relu")(x)
    return depthwise_block(x, filters, name)
