"""Models that other projects left behind, as networks that keep our contract.

They come from Keras 2, as a whole model or as weights only, and their pictures were normalised
outside of the network. Here the normalisation goes into the graph: raw RGB 0..255 comes in.

Keras 2's HDF5 layout: attributes `keras_version` and, for a whole model, `model_config` (JSON). In
the group `model_weights`, or at the top of a file of weights only, the attribute `layer_names`; for
each layer a group with the attribute `weight_names` and the arrays. Keras 3 writes a whole model to
`.h5` in the same layout.
"""

import json
import re
from dataclasses import dataclass, field

import numpy as np

import nets
from segmentation.errors import InputError

# Name: (mean, std) per channel, R, G, B, of (x - mean) / std with x in 0..255.
ORIGINS = {
    # https://github.com/akirasosa/mobile-semantic-segmentation, 2017: `standardize` in data.py.
    "hair2017": ((29.24429131,) * 3, (69.8833313, 63.37436676, 61.38568878)),
    # https://github.com/fritzlabs/fritz-image-segmentation, 2018: data_generator.py, x / 255 - 0.5.
    "icnet2018": ((127.5,) * 3, (255.0,) * 3),
}
# Its training took the mean in float32, where a sum of such numbers ends at 2^32, and 29.24429 is
# 2^32 / (2927 pictures · 224²): at another size the mean was another.
SIZE_OF_HAIR2017 = (224, 224)
FIRST_OF_HAIR2017 = "conv_0"  # its first convolution, by a name that nobody else uses


@dataclass(frozen=True)
class LegacySpec:
    """What a person knows of a model that its file does not say.

    Attributes:
        origin: a key of `ORIGINS`, or None.
        normalization: `(mean, std)`, three numbers each, of what the pictures were normalised with
            outside of the network, `(x - mean) / std`; None: it happens inside.
        classes: text that names the channels, for `labels.of_channels`, or None.
        network: a key of `OF_WEIGHTS`, for a file that holds weights only, else None.
        img_size, arguments: `(height, width)` and keyword arguments to build `network` with.
    """

    origin: str | None = None
    normalization: tuple | None = None
    classes: str | None = None
    network: str | None = None
    img_size: tuple | None = None
    arguments: dict = field(default_factory=dict)


NOTHING = LegacySpec()


def doubt(given, img_size):
    """Return a line about what may be wrong with `given` for a model of `img_size`, or None.

    `img_size` is `(height, width)`, or None if it is not known.
    """
    if given.origin != "hair2017" or img_size == SIZE_OF_HAIR2017:
        return None
    size = f"{img_size[0]}x{img_size[1]}" if img_size else "another size"
    return (
        f"hair2017 has the means of 224x224 pictures; that project's training at {size} took "
        "others (see README): measure both with evaluate.py"
    )


def load(path, given=NOTHING):
    """Load a model of this project, or of another one as a model that keeps our contract.

    Args:
        path: `.keras` or `.h5`.
        given: `LegacySpec`.

    Returns:
        `keras.Model`. Of this project: as it was saved. Of another: from `image`
        `(batch, height, width, 3)` RGB 0..255 to `mask`, probabilities; of several outputs, which
        training needs, the first.

    Raises:
        InputError: if something must be given, or does not fit: the message says what.
        ValueError, OSError: if the file is damaged or no model.
    """
    written = _read(path) if path.suffix.lower() == ".h5" else None
    if path.suffix.lower() == ".h5" and written is None:
        raise InputError(
            f"{path}: holds no network; of weights that Keras 3 wrote alone, give the whole model"
        )
    if written and not written.version.startswith("2."):
        written = None  # Keras 3's, of this project
    if given.network and (written is None or written.config):
        raise InputError(f"{path}: holds more than weights; leave out --model and what it needs")
    if written is None:
        model = nets.load(str(path))
        if given.normalization is None:
            return model
    elif written.config:
        model = _from_config(written.config, written.version)
        _assign(path, model, written.arrays)
    elif given.network:
        model = _from_weights(path, given, written)
    else:
        raise InputError(
            f"{path}: holds weights only; say of what, like --model {next(iter(OF_WEIGHTS))} "
            "--img_size 224 --alpha 1 --alpha_up 0.25"
        )
    _require_one_normalization(path, model, given)
    model = _keeping_the_contract(model, given.normalization)
    _require_probabilities(path, model)
    return model


def read_arrays(path):
    """Return the lists of arrays by layer name in an HDF5 file of Keras 2 or 3, and its img_size.

    `img_size` is `(height, width)`, or None where the file holds weights only.

    Raises:
        ValueError, OSError: if the file is damaged or of another layout.
    """
    written = _read(path)
    if written is None:
        raise ValueError("it holds no weights by the name of their layer")
    if not written.config:
        return written.arrays, None
    image = written.config["config"]["layers"][0]["config"]
    shape = image.get("batch_input_shape") or image["batch_shape"]  # of Keras 2 or 3
    return written.arrays, tuple(shape[1:3])


def as_ours(path, arrays, img_size):
    """Return what arrays, read from `path`, are in our networks, and lines for the user.

    The layers of hair2017's MobileUNet get our names, and its normalisation goes into the first.

    Raises:
        InputError: for an ICNet of 2018: some of its layers are called as ours, and are others.
    """
    if OF_WEIGHTS["icnet"][2] in arrays:
        raise InputError(
            f"{path}: an ICNet of 2018, with ReLU before BatchNorm and biases: its weights mean "
            "nothing in our network; leave out --weights, or give a model of this project"
        )
    if FIRST_OF_HAIR2017 not in arrays:
        return arrays, []
    notes = ["named as in hair2017: its normalisation was moved into conv1 and conv1_bn"]
    notes += filter(None, [doubt(LegacySpec("hair2017"), img_size)])
    return _seeing_ours(_as_in_ours(arrays), *ORIGINS["hair2017"]), notes


def _seeing_ours(arrays, mean, std):
    """Return the arrays of a MobileUNet for pictures as ours sees them, x / 127.5 - 1.

    They were trained on (x - mean) / std, which is ours by a factor and plus an offset: the factor
    goes into the kernel of conv1, and what the offset adds to its output, a constant but for the
    padded border, into the mean that conv1_bn takes off.
    """
    mean, std = np.array(mean), np.array(std)
    (kernel,), (gamma, beta, moving_mean, variance) = arrays["conv1"], arrays["conv1_bn"]
    added = (kernel * ((127.5 - mean) / std)[:, None]).sum((0, 1, 2))  # (3, 3, 3, n) → (n,)
    kernel = kernel * (127.5 / std)[:, None]
    normalized = [gamma, beta, moving_mean - added, variance]
    return arrays | {"conv1": [kernel], "conv1_bn": normalized}


@dataclass(frozen=True)
class _Written:
    """What an HDF5 file holds: arrays by layer name; `config` is None without a model."""

    version: str
    config: dict | None
    arrays: dict


def _read(path):
    """Return the `_Written` of an HDF5 file with weights by layer name, or None for another one."""
    import h5py

    with h5py.File(path) as file:
        group = file["model_weights"] if "model_weights" in file else file
        if "layer_names" not in group.attrs:
            return None
        version = _text(file.attrs.get("keras_version", ""))
        config = file.attrs.get("model_config")
        arrays = {}
        for name in map(_text, group.attrs["layer_names"]):
            keys = map(_text, group[name].attrs["weight_names"])
            weights = [group[name][key][()] for key in keys]
            if weights:
                arrays[_allowed(name)] = weights
    return _Written(version, config and json.loads(_text(config)), arrays)


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def _allowed(name):
    """Return the name of a layer without slashes: Keras 3 refuses them, and ICNet's had some."""
    return name.replace("/", "_")


def _from_config(config, version):
    """Return the network of a Keras 2 `model_config`, without its weights."""
    import keras

    from nets.layers import BilinearUpSampling2D

    if config["class_name"] not in ("Model", "Functional"):
        raise ValueError(f"it is a {config['class_name']}, not a functional model")
    config = _readable(config["config"])
    objects = {"BilinearUpSampling2D": BilinearUpSampling2D}
    model = keras.Model.from_config(config, custom_objects=objects)
    if any(isinstance(layer, keras.Model) for layer in model.layers):
        raise ValueError("it holds a model within the model")
    return _enlarging_as_before(model, version)


# What Keras 3 does not read though it says nothing new; the first two tf.keras took from Conv2D.
UNREAD = {
    "DepthwiseConv2D": {"groups": 1},
    "Conv2DTranspose": {"groups": 1},
    "BilinearUpSampling2D": {"data_format": "channels_last"},
}


def _readable(config, key=None):
    """Return a (nested) Keras 2 configuration as Keras 3 reads it."""
    if key == "batch_input_shape":  # its first is a number where training filled a queue
        return [None, *config[1:]]
    if key == "dtype":  # mixed precision is of no use after training
        return "float32"
    if isinstance(config, str):
        return _allowed(config)
    if isinstance(config, list):
        return [_readable(value) for value in config]
    if not isinstance(config, dict):
        return config
    config = {name: _readable(value, name) for name, value in config.items()}
    for name, usual in UNREAD.get(config.get("class_name"), {}).items():
        if config["config"].get(name) == usual:
            del config["config"][name]
    return config


def _enlarging_as_before(model, version):
    """Return `model`, its bilinear enlarging as TensorFlow 1 did it if it was trained with that.

    Keras up to 2.3 calls `resize_bilinear` of TensorFlow 1; tf.keras, from 2.2.4-tf on, that of 2.
    """
    import keras

    from nets.layers import BilinearUpSampling2D

    if "tf" in version or int(version.split(".")[1]) > 3:
        return model

    def copied(layer):
        if isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation == "bilinear":
            return BilinearUpSampling2D(layer.size, name=layer.name)
        return type(layer).from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=copied)


def _from_weights(path, given, written):
    """Return the network that `given` describes, without normalisation, with the weights."""
    build, renamed, score = OF_WEIGHTS[given.network]
    arrays = renamed(written.arrays)
    channels = arrays[score][0].shape[-1] if score in arrays else 1
    try:
        model = build(given.img_size, channels, **given.arguments)
    except ValueError as error:
        raise InputError(f"--model {given.network}: {error}") from None
    model = _enlarging_as_before(model, written.version)
    _assign(path, model, arrays)
    return model


def _icnet(img_size, num_classes, **arguments):
    from segmentation.legacy import icnet2018

    if arguments.keys() - {"alpha"}:
        raise ValueError("icnet has no --alpha_up and no --upsampling")
    return icnet2018.build(img_size, num_classes, **arguments)


def _mobile_unet(img_size, num_classes, **arguments):
    """Build ours, whose layers are theirs, and cut its normalisation off."""
    import keras

    model = nets.build("mobile_unet", img_size, num_classes, **arguments)
    (rescaling,) = (one for one in model.layers if isinstance(one, keras.layers.Rescaling))
    return keras.Model(rescaling.output, model.output)


def _as_in_ours(arrays):
    """Rename the arrays of hair2017's MobileUNet, by layer, to the names of `nets.mobile_unet`."""
    names = {"conv_0": "conv1", "conv_0_bn": "conv1_bn", "conv_18": "stem_conv"}
    names |= {"conv_18_bn": "stem_bn"}
    transposed = [name for name in arrays if name.startswith("conv2d_transpose")]
    scores = [name for name in arrays if re.fullmatch(r"conv2d(_\d+)?", name)]
    names |= {name: "score" for name in scores[-1:]}  # the numbers go on from network to network
    for block, stride in enumerate((16, 8, 4, 2), start=14):
        for part in ("dw", "pw"):
            names[f"conv_{part}_{block}"] = f"up_{stride}_{part}"
            names[f"conv_{part}_{block}_bn"] = f"up_{stride}_{part}_bn"
        if transposed:
            names[transposed.pop(0)] = f"up_{stride}_deconv"
    return {names.get(name, name): weights for name, weights in arrays.items()}


# Networks whose older weights are known: how to build them, what names the arrays as they name
# their layers, and the layer whose channels are the classes.
OF_WEIGHTS = {
    "mobile_unet": (_mobile_unet, _as_in_ours, "score"),
    "icnet": (_icnet, dict, "conv6_cls"),
}


def _assign(path, model, arrays):
    """Give each layer of `model` the arrays of its name.

    Raises:
        InputError: if a layer gets none, or none of its shapes; a network with some random weights
            would answer, and be wrong.
    """
    loaded, other_shape, missing = nets.take_weights(model, arrays)
    if other_shape or missing:
        shapes = [
            f"{name} {arrays[name][0].shape} in place of "
            f"{tuple(model.get_layer(name).weights[0].shape)}"
            for name in other_shape
        ]
        counts = [
            f"{len(loaded) or 'none'} of {len(loaded + other_shape + missing)} layers loaded",
            f"{len(other_shape)} of another shape{_first(shapes)}",
            f"{len(missing)} not in the file{_first(missing)}",
        ]
        raise InputError(
            f"{path}: these weights are not of this network: {', '.join(counts)}; "
            "check --model, --alpha, --alpha_up and --upsampling"
        )


def _first(names):
    return f" ({names[0]})" if names else ""


def _require_one_normalization(path, model, given):
    """Raise InputError if pictures would be normalised twice, or not at all."""
    from keras import layers

    inside = (layers.Rescaling, layers.Normalization)
    if given.normalization:
        if _first_is(inside, model):
            raise InputError(f"{path}: normalises inside; leave out --from and --input_mean")
    elif not _first_is((*inside, layers.BatchNormalization), model):
        raise InputError(
            f"{path}: a model of Keras 2 without normalisation inside; say what its pictures were "
            "normalised with: --from hair2017, --from icnet2018, or --input_mean and --input_std"
        )


def _first_is(kinds, model):
    return any(
        isinstance(layer, kinds) and layer.input is model.inputs[0] for layer in model.layers
    )


def _keeping_the_contract(model, normalization):
    """Return `model` from `image`, RGB 0..255, to `mask`, its first output."""
    import keras

    x = image = keras.Input(model.input_shape[1:], name="image")
    if normalization:
        mean, std = np.array(normalization)
        scale, offset = (1 / std).tolist(), (-mean / std).tolist()
        x = keras.layers.Rescaling(scale, offset, name="rescale")(image)
    first = keras.Model(model.inputs, model.outputs[0], name="older")
    mask = keras.layers.Activation("linear", name=nets.OUTPUT)(first(x))
    return keras.Model(image, mask, name=model.name)


def _require_probabilities(path, model):
    """Raise InputError if the model gives something else for a picture of noise."""
    import keras

    noise = np.random.default_rng(0).integers(0, 256, (1, *model.input_shape[1:]))
    scores = keras.ops.convert_to_numpy(model(noise.astype("float32"), training=False))
    sums = scores.sum(-1) if scores.shape[-1] > 1 else np.ones(1)
    if not (scores.min() >= 0 and scores.max() <= 1 and np.allclose(sums, 1, atol=1e-3)):
        raise InputError(
            f"{path}: its output is no probabilities ({scores.min():.3g} to {scores.max():.3g}, "
            "without sigmoid or softmax); only models that end in these can be used"
        )
