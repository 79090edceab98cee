"""The ICNet of the older ADE20K project, for files that hold only its weights.

https://github.com/fritzlabs/fritz-image-segmentation, 2018: image_segmentation/icnet.py. It differs
from `nets.icnet`: ReLU before BatchNorm, biases, unpadded max pooling, 1, 2, 3 and 4 bins,
nearest-neighbour upsampling. Layers keep their names, so that weights find them.
"""

import keras
from keras import layers

SCORE_LAYER = "conv6_cls"
SIZE_STEP = 384  # the sides of its square input are multiples of this
STAGES = ((2, 128, 3, 1), (3, 256, 4, 1), (4, 512, 6, 2), (5, 1024, 3, 4))  # …, blocks, dilation
BINS = (1, 2, 3, 4)  # of the pyramid, along a side


def build(img_size, num_classes, alpha=1.0, **others):
    """Build the network as it was converted for a phone: without training heads.

    Args:
        img_size: `(height, width)`, equal multiples of 384.
        num_classes: channels of the softmax.
        alpha: width multiplier.
        others: must be empty; arguments of other networks.

    Returns:
        `keras.Model`, `(batch, height, width, 3)` normalised images → `(batch, height / 4,
        width / 4, num_classes)` probabilities.

    Raises:
        ValueError: for another size, or an argument of another network.
    """
    if others:
        raise ValueError(f"icnet has no {' and no '.join(f'--{name}' for name in others)}")
    height, width = img_size
    if height != width or height % SIZE_STEP:
        raise ValueError(
            f"the ICNet of 2018 takes square images, multiples of {SIZE_STEP} px, not "
            f"{height}x{width}"
        )

    def conv(x, filters, kernel, name, activation="relu", norm=None, **options):
        x = layers.Conv2D(
            int(filters * alpha), kernel, activation=activation, name=name, **options
        )(x)
        return layers.BatchNormalization(name=f"{norm or name}_bn")(x)

    def block(x, filters, name, stride, dilation, projects):
        shortcut = x
        if projects:
            shortcut = conv(x, filters, 1, f"{name}_1x1_proj", None, strides=stride)
        x = conv(x, filters // 4, 1, f"{name}_1x1_reduce", strides=stride)
        x = layers.ZeroPadding2D(dilation)(x)
        x = conv(x, filters // 4, 3, f"{name}_3x3", dilation_rate=dilation)
        x = conv(x, filters, 1, f"{name}_1x1_increase", None)
        return layers.ReLU()(layers.Add()([x, shortcut]))

    def fused(low, name, high, high_name):
        low = conv(layers.ZeroPadding2D(2)(low), 128, 3, name, None, dilation_rate=2)
        high = conv(high, 128, 1, high_name, None)
        return layers.UpSampling2D()(layers.ReLU()(layers.Add()([low, high])))

    image = keras.Input((height, width, 3))
    x = layers.AveragePooling2D(2)(image)
    x = conv(x, 32, 3, "conv1_1_3x3_s2", strides=2, padding="same")
    x = conv(x, 32, 3, "conv1_2_3x3", norm="conv1_2_3x3_s2", padding="same")
    x = conv(x, 64, 3, "conv1_3_3x3", padding="same")
    x = layers.MaxPooling2D(3, 2)(x)
    for stage, filters, blocks, dilation in STAGES:
        for number in range(1, blocks + 1):
            # The fourth and fifth stage keep the size, and the third does after its first block.
            stride = 2 if (stage, number) == (3, 1) else 1
            x = block(x, filters, f"conv{stage}_{number}", stride, dilation, number == 1)
            if (stage, number) == (3, 1):
                half = x
                x = layers.AveragePooling2D(2)(x)
    levels = [x]
    for bins in BINS:
        level = layers.AveragePooling2D(x.shape[1] // bins)(x)
        levels.append(layers.UpSampling2D(x.shape[1] // bins)(level))
    x = conv(layers.Add()(levels), 256, 1, "conv5_4_k1")
    x = fused(layers.UpSampling2D()(x), "conv_sub4", half, "conv3_1_sub2_proj")
    full = image
    for number, filters in ((1, 32), (2, 32), (3, 64)):
        full = conv(full, filters, 3, f"conv{number}_sub1", strides=2, padding="same")
    x = fused(x, "conv_sub2", full, "conv3_sub1_proj")
    score = layers.Conv2D(num_classes, 1, activation="softmax", name=SCORE_LAYER)(x)
    return keras.Model(image, score)


def renamed(arrays):
    """Return lists of arrays by layer name: `build` keeps the names of the files."""
    return arrays
