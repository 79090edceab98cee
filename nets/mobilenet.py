"""MobileNet V1 as an encoder, with the ImageNet weights that Keras fetches."""

import contextlib
import os
import sys
from pathlib import Path

import keras
from keras import layers

from nets.blocks import MOMENTUM, image_input

# The last layer at each of `encoders.STRIDES`.
ENDS = (
    "conv_pw_1_relu",
    "conv_pw_3_relu",
    "conv_pw_5_relu",
    "conv_pw_11_relu",
    "conv_pw_13_relu",
)
LAST, LAST_WIDTH = "conv_pw_13", 1024  # its last convolution, and the width of that at alpha 1
# Where the files are and which there are: keras/src/applications/mobilenet.py
IMAGENET_URL = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/"
IMAGENET_ALPHAS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}
IMAGENET_SIZES = (128, 160, 192, 224)  # of square images, in pixels; the last for all others


def encode(name, img_size, alpha):
    """Build MobileNet as an encoder: see `nets.encoders`."""
    image, x = image_input(img_size, smallest=32)
    encoder = mobilenet(x, alpha)
    return image, [encoder.get_layer(end).output for end in ENDS]


def mobilenet(x, alpha, depth_multiplier=1, weights=None):
    """Return MobileNet (https://arxiv.org/abs/1704.04861) on `x`, a model without classifier."""
    encoder = keras.applications.MobileNet(
        input_tensor=x,
        alpha=alpha,
        depth_multiplier=depth_multiplier,
        include_top=False,
        weights=weights,
    )
    for layer in encoder.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = MOMENTUM
    return encoder


def imagenet_file(name, model):
    """Return the path of ImageNet's weights for the MobileNet in a model; fetch them if needed.

    Raises:
        ValueError: if there are none for its width, or they cannot be fetched.
    """
    alpha = model.get_layer(LAST).kernel.shape[-1] / LAST_WIDTH
    depth_multiplier = model.get_layer("conv_dw_1").kernel.shape[-1]
    if alpha not in IMAGENET_ALPHAS or depth_multiplier != 1:
        exist = ", ".join(f"{alpha:g}" for alpha in IMAGENET_ALPHAS)
        raise ValueError(
            f"there are ImageNet weights for --alpha {exist} with --depth_multiplier 1, "
            f"not for {alpha:.3g} with {depth_multiplier}"
        )
    height, width = model.input_shape[1:3]
    size = height if height == width and height in IMAGENET_SIZES else IMAGENET_SIZES[-1]
    file = f"mobilenet_{IMAGENET_ALPHAS[alpha]}_{size}_tf_no_top.h5"
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras shows its progress there
            path = keras.utils.get_file(
                file, IMAGENET_URL + file, cache_dir=str(home), cache_subdir="models"
            )
    except Exception as error:  # Keras raises it bare where there is no network
        raise ValueError(
            f"ImageNet's weights cannot be fetched ({str(error).rpartition(' -- ')[2]}): fetch "
            f"{IMAGENET_URL}{file} by hand, and save it as {home / 'models' / file} or give it as "
            "--weights"
        ) from error
    return Path(path)
