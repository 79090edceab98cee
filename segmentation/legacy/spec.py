"""What a person has to say about a model of another project."""

from dataclasses import dataclass, field

from segmentation.errors import InputError

# Name of a project: (mean, std) per channel, R, G, B, of (x - mean) / std with x in 0..255.
ORIGINS = {
    # https://github.com/akirasosa/mobile-semantic-segmentation, 2017: `standardize` in data.py.
    "hair2017": ((29.24429131,) * 3, (69.8833313, 63.37436676, 61.38568878)),
    # https://github.com/fritzlabs/fritz-image-segmentation, 2018: data_generator.py, x / 255 - 0.5.
    "icnet2018": ((127.5,) * 3, (255.0,) * 3),
}
# hair2017 computed its mean in float32, where a sum of such numbers stops at 2^32, and 29.24429 is
# 2^32 / (2927 images · 224²): training at another size gave another mean.
HAIR2017_SIZE = (224, 224)

# Networks of files that hold only weights. Each module has `build(img_size, num_classes,
# **arguments)`, `renamed(arrays)`, from the names in such files to those of its layers, and
# SCORE_LAYER, the layer with a channel for each class.
LEGACY_NETWORKS = {
    "mobile_unet": "segmentation.legacy.hair2017",
    "icnet": "segmentation.legacy.icnet2018",
}

ACTIVATIONS = ("sigmoid", "softmax")


class UndescribedError(InputError):
    """A model that can be read, once a person says what its file does not."""


@dataclass(frozen=True)
class LegacySpec:
    """What a person knows about a model and its file does not say.

    Attributes:
        origin: a key of `ORIGINS`, or None.
        normalization: `(mean, std)`, three numbers each, by which images were normalised outside
            the network, `(x - mean) / std`; None: the network normalises them.
        class_names: text that names the channels, for `classes.of_channels`, or None.
        network: a key of `LEGACY_NETWORKS`, for a file that holds only weights, else None.
        img_size: `(height, width)` in pixels to build `network` for, or at which to use a model of
            any size, or None.
        arguments: keyword arguments to build `network` with.
        activation: one of `ACTIVATIONS`, which makes probabilities of its scores; None: they are.
    """

    origin: str | None = None
    normalization: tuple | None = None
    class_names: str | None = None
    network: str | None = None
    img_size: tuple | None = None
    arguments: dict = field(default_factory=dict)
    activation: str | None = None


UNSPECIFIED = LegacySpec()  # of a model of this project


def caveat(spec, img_size):
    """Return a warning if the normalisation of `spec` may be wrong at `img_size`, else None.

    `img_size` is `(height, width)`, or None if it is unknown.
    """
    if spec.origin != "hair2017" or img_size == HAIR2017_SIZE:
        return None
    size = f"{img_size[0]}x{img_size[1]}" if img_size else "another size"
    return (
        f"hair2017 has the mean of 224x224 images; training that project at {size} used another "
        "mean (see docs/older-projects.md): measure both with evaluate.py"
    )
