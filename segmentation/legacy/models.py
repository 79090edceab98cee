"""Loading Keras models, those of other projects as networks that keep our contract.

Other projects wrote them with Keras 2, as a whole model or as weights only, or with Keras 3, and
normalised images outside the network. Here the normalisation goes into the graph, whose input is
raw RGB 0..255.
"""

import keras
import numpy as np

import nets
from segmentation import model_card, probabilities
from segmentation.errors import InputError
from segmentation.legacy import hdf5, keras2, weights
from segmentation.legacy.spec import LEGACY_NETWORKS, UNSPECIFIED, UndescribedError

NORMALIZING = (keras.layers.Rescaling, keras.layers.Normalization)
# Of a channel of 0..255: photos have means of about 100 and deviations of about 60; normalised ones
# have means near 0 or, as 0..1, deviations below 1.
LEAST_MEAN = LEAST_DEVIATION = 10


def load(path, spec=UNSPECIFIED):
    """Load a model of this project or of another one.

    Args:
        path: `.keras` or `.h5`.
        spec: `LegacySpec`.

    Returns:
        `keras.Model`. A model of this project is returned as it was saved, and so is one without
        the card of a training that Keras 3 wrote and that normalises inside. One of another project
        maps `image`, `(batch, height, width, 3)` RGB 0..255, to `mask`, probabilities: its first
        output, since the others served training.

    Raises:
        InputError: if `spec` lacks something or does not fit the file: the message says what.
        ValueError, OSError: if the file is damaged or not a model.
    """
    saved = _read_keras2(path)
    if spec.network and (saved is None or saved.config):
        raise InputError(f"{path}: holds more than weights; omit --model and its options")
    if saved is None:
        model = nets.load(str(path))
        says_all = spec.normalization is None and spec.activation is None
        if says_all and _is_trained_here(path):
            return model
    elif saved.config:
        model = keras2.from_config(saved.config, saved.version)
        weights.assign(path, model, saved.arrays)
    elif spec.network:
        model = weights.build(path, spec, saved)
    else:
        raise UndescribedError(
            f"{path}: holds only weights; say of which network, for example --model "
            f"{next(iter(LEGACY_NETWORKS))} --img_size 224 --alpha 1 --alpha_up 0.25"
        )
    _require_rgb(path, model)
    img_size = _img_size(path, model, spec)
    _require_one_normalization(path, model, spec)
    if spec.activation:
        _require_scores(path, model, img_size, spec.activation)
    if saved or spec.normalization or spec.activation or None in model.input_shape[1:3]:
        model = _with_contract(model, spec, img_size)
    elif len(model.outputs) > 1:
        model = keras.Model(model.inputs, model.outputs[0], name=model.name)
    require_probabilities(path, model)
    return model


def _is_trained_here(path):
    """Return whether the card beside a model is that of its training.

    A converter writes one too, which does not say what its options said of the model.
    """
    return model_card.path_beside(path).exists() and "network" in model_card.read(path)


def _read_keras2(path):
    """Return the `hdf5.SavedModel` of a file that Keras 2 wrote, or None for one of Keras 3."""
    if path.suffix.lower() != ".h5":
        return None
    saved = hdf5.read(path)
    if saved is None:
        raise InputError(
            f"{path}: holds no network, only weights that Keras 3 saved; give the whole model"
        )
    return saved if saved.version.startswith("2.") else None


def _require_rgb(path, model):
    """Raise InputError unless the model takes RGB images, channels last."""
    shape = model.input_shape
    if isinstance(shape, (list, dict)) or len(shape) != 4:
        raise InputError(f"{path}: takes {shape}, not one batch of images")
    if shape[3] != 3 and shape[1] == 3:
        raise InputError(
            f"{path}: takes {shape}, channels first; phones want them last: build the model anew so"
        )
    if shape[3] != 3:
        raise InputError(f"{path}: takes images of {shape[3]} channels; only RGB can be used")


def _img_size(path, model, spec):
    """Return the `(height, width)` of the model, or for one of any size that of `spec`."""
    own = model.input_shape[1:3]
    if None not in own:
        return own
    if not spec.img_size:
        raise UndescribedError(
            f"{path}: takes images of any size, and phones need one: give --img_size, as 256x192"
        )
    return spec.img_size


def _require_scores(path, model, img_size, activation):
    """Raise InputError if `activation` does not make probabilities of what the model gives."""
    channels = model.outputs[0].shape[-1]
    if (activation == "sigmoid") != (channels == 1):
        fits = "sigmoid" if channels == 1 else "softmax"
        raise InputError(f"{path}: has {channels} channels: give --activation {fits}")
    if probabilities.in_range(_scores_of_noise(model, img_size)):
        raise InputError(f"{path}: its output is probabilities already; omit --activation")


def _require_one_normalization(path, model, spec):
    """Raise InputError if images would be normalised twice, or not at all."""
    if spec.normalization:
        if _first_layers(NORMALIZING, model):
            raise InputError(f"{path}: normalises inside; omit --from and --input_mean")
    elif not _first_layers(NORMALIZING, model) and not any(
        map(_saw_bytes, _first_layers(keras.layers.BatchNormalization, model))
    ):
        raise UndescribedError(
            f"{path}: a model without a card of training and without normalisation inside; say how "
            "its images were normalised: --from hair2017, --from icnet2018, or --input_mean and "
            "--input_std"
        )


def _first_layers(kinds, model):
    """Return the layers of these kinds that take the images themselves."""
    return [
        layer
        for layer in model.layers
        if isinstance(layer, kinds) and layer.input is model.inputs[0]
    ]


def _saw_bytes(batch_norm):
    """Return whether the statistics of a first BatchNormalization are those of 0..255."""
    mean, variance = map(
        keras.ops.convert_to_numpy, (batch_norm.moving_mean, batch_norm.moving_variance)
    )
    return mean.max() >= LEAST_MEAN and variance.max() >= LEAST_DEVIATION**2


def _with_contract(model, spec, img_size):
    """Return `model` from `image`, RGB 0..255, to `mask`, its first output as probabilities."""
    x = image = keras.Input((*img_size, 3), name="image")
    if spec.normalization:
        mean, std = np.array(spec.normalization)
        scale, offset = (1 / std).tolist(), (-mean / std).tolist()
        x = keras.layers.Rescaling(scale, offset, name="rescale")(image)
    first = keras.Model(model.inputs, model.outputs[0], name="older")
    mask = keras.layers.Activation(spec.activation or "linear", name=nets.OUTPUT)(first(x))
    return keras.Model(image, mask, name=model.name)


def require_probabilities(path, model):
    """Raise InputError if the output of the model for an image of noise is not probabilities."""
    advice = "if it gives scores (logits), say --activation sigmoid for one class, or softmax"
    probabilities.require(path, _scores_of_noise(model, model.input_shape[1:3]), advice)


def _scores_of_noise(model, img_size):
    noise = np.random.default_rng(0).integers(0, 256, (1, *img_size, 3))
    first = keras.Model(model.inputs, model.outputs[0])
    return keras.ops.convert_to_numpy(first([noise.astype("float32")], training=False))
