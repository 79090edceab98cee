"""Building blocks that several networks share."""

import keras
from keras import layers

from nets.names import OUTPUT

# Keras' default 0.99 averages over hundreds of steps: in short runs validation would lag behind.
MOMENTUM = 0.9
BINS = (1, 2, 3, 6)  # per side, of pyramid pooling: https://arxiv.org/abs/1612.01105


def image_input(img_size, smallest):
    """Return the input `image`, RGB 0..255, and the tensor of its values rescaled to -1..1.

    Args:
        img_size: `(height, width)` in pixels.
        smallest: shortest side in pixels that the network supports.

    Raises:
        ValueError: unless both sides are multiples of 32 and at least `smallest`.
    """
    image = raw_input(img_size, smallest)
    return image, layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(image)


def raw_input(img_size, smallest=32):
    """Return the input `image` alone; arguments and errors are those of `image_input`."""
    height, width = img_size
    if min(height, width) < smallest or height % 32 or width % 32:
        raise ValueError(
            f"img_size must be multiples of 32, at least {smallest}; got {height}x{width}"
        )
    return keras.Input((height, width, 3), name="image")


def width(filters):
    """Round a number of filters down, but to at least 1."""
    return max(1, int(filters))


def conv_bn(x, filters, kernel, name, strides=1, dilation=1, gamma="ones"):
    """Apply convolution `name` and BatchNorm `name_bn`."""
    x = layers.Conv2D(
        width(filters),
        kernel,
        strides=strides,
        dilation_rate=dilation,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",  # for ReLU: https://arxiv.org/abs/1502.01852
        name=name,
    )(x)
    return layers.BatchNormalization(momentum=MOMENTUM, gamma_initializer=gamma, name=f"{name}_bn")(
        x
    )


def conv_bn_relu(x, filters, kernel, name, strides=1, dilation=1):
    """Apply convolution `name`, BatchNorm `name_bn` and ReLU `name_relu`."""
    x = conv_bn(x, filters, kernel, name, strides, dilation)
    return layers.ReLU(name=f"{name}_relu")(x)


def conv_bn_relu6(x, filters, kernel, name, strides=1):
    """Apply convolution `name`, BatchNorm `name_bn` and ReLU6 `name_relu`."""
    return layers.ReLU(6.0, name=f"{name}_relu")(conv_bn(x, filters, kernel, name, strides))


def depthwise_bn_relu6(x, kernel, name, strides=1):
    """Apply depthwise convolution `name`, BatchNorm `name_bn` and ReLU6 `name_relu`."""
    x = layers.DepthwiseConv2D(kernel, strides, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def depthwise_block(x, filters, name, kernel=3):
    """Apply a depthwise convolution `name_dw` and a 1×1 `name_pw`, as MobileNet does."""
    x = depthwise_bn_relu6(x, kernel, f"{name}_dw")
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_pw")(x)
    x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_pw_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_pw_relu")(x)


def probabilities(x, num_classes, score="score", factor=1, name=OUTPUT):
    """Compute logits, upsample them bilinearly and turn them into probabilities, float32.

    Args:
        x: features, `(batch, h, w, channels)`.
        num_classes: channels of the result. 1: sigmoid; more: softmax.
        score: name of the convolution that computes the logits.
        factor: factor of the upsampling.
        name: name of the last layer.

    Returns: `(batch, h · factor, w · factor, num_classes)`.
    """
    x = layers.Conv2D(num_classes, 1, name=score)(x)
    if factor > 1:
        x = layers.UpSampling2D(factor, interpolation="bilinear", name=f"{score}_up")(x)
    activation = "sigmoid" if num_classes == 1 else "softmax"
    # float32 under any policy: half-precision probabilities saturate in the loss.
    return layers.Activation(activation, dtype="float32", name=name)(x)
