"""Beginning a network with the weights of something else: ImageNet's, or a file's.

Layers take weights by their name. The heads, whose channels are classes, take them by the names of
the classes, which the model card beside a file knows.
"""

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import nets
from segmentation import model_card
from segmentation.data import labels
from segmentation.errors import InputError, reason
from segmentation.inference import predictor
from segmentation.legacy.hdf5 import read_arrays
from segmentation.legacy.weights import translate

IMAGENET = "imagenet"
# Where the files are and which there are: keras/src/applications/mobilenet.py
IMAGENET_URL = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/"
IMAGENET_ALPHAS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}
IMAGENET_SIZES = (128, 160, 192, 224)  # of square pictures, in pixels; for others, the last
MOBILENET_END, MOBILENET_WIDTH = "conv_pw_13", 1024  # its last convolution, and how wide at alpha 1
BACKGROUND = labels.BACKGROUND_NAMES[0]
SHOWN = 3  # names in a row of the table that holds no bad news


@dataclass(frozen=True)
class LoadReport:
    """What a network took over.

    Attributes:
        source: what the weights are from.
        classes: names of the network's channels.
        loaded, other_shape, missing: names of layers with weights: loaded, of another shape in the
            source, not in it.
        heads: `{layer: names of the classes that were taken over}`; the other classes are fresh,
            and the layer is in none of the lists.
        notes: lines for the user.
    """

    source: str
    classes: list[str]
    loaded: list[str]
    other_shape: list[str]
    missing: list[str]
    heads: dict[str, list[str]]
    notes: list[str]

    def lines(self):
        """Return a table with counts that names in full what was not loaded."""
        rows = [
            ("layers loaded", len(self.loaded), _shortened(self.loaded)),
            ("of another shape", len(self.other_shape), self.other_shape),
            ("not in the file", len(self.missing), self.missing),
        ]
        for head, taken in self.heads.items():
            fresh = [name for name in self.classes if name not in taken]
            rows.append((f"classes of {head}", len(taken), _shortened(taken)))
            rows.append(("fresh classes", len(fresh), fresh))
        width = max(len(label) for label, _, _ in rows)
        table = [f"  {label:{width}} {count:4}  {', '.join(names)}" for label, count, names in rows]
        notes = [f"  {note}" for note in self.notes]
        return [f"weights of {self.source}:", *(row.rstrip() for row in table), *notes]


def _shortened(names):
    return names if len(names) <= SHOWN else [*names[:SHOWN], "…"]


def load_weights(model, weights, network, classes):
    """Give each layer of `model` the weights of its name and shapes in something else.

    Args:
        model: built network, training heads included.
        weights: `imagenet`, or the path of a `.keras` or `.h5` file: a model of this project, of
            any size of picture and with other classes, or only its weights; a MobileNet of
            keras.applications; a MobileUNet of hair2017 (see `older_models`).
        network: key of `nets.NETWORKS` that `model` is.
        classes: names of its channels.

    Returns:
        `LoadReport`.

    Raises:
        InputError: if there are no such weights, the file or its card cannot be read or the card is
            of another model, or nothing fits.
    """
    path = _imagenet(model, network) if weights == IMAGENET else Path(weights)
    if path.suffix.lower() not in model_card.MODEL_SUFFIXES or path.is_dir():
        raise InputError(
            f"{path}: weights are {IMAGENET} or a {' or '.join(model_card.MODEL_SUFFIXES)} file; "
            "in place of an export give the model that it was made of"
        )
    with predictor.reading(path):
        arrays, notes = translate(path, *_read(path))
    card, heads = card_of(path), {}
    fresh = arrays.pop(f"{nets.AUX}_score", None)  # of classes that no card names
    if card:
        arrays, heads = _match_heads(path, card, model, network, classes, arrays)
    loaded, other_shape, missing = nets.take_weights(model, arrays)
    loaded = [name for name in loaded if name not in heads]
    if not loaded:
        raise InputError(
            f"{path}: none of its layers fits this network ({len(other_shape)} have another "
            f"shape, {len(missing)} are not in the file); check --model and --alpha"
        )
    if any(name in nets.score_layers(network) for name in loaded):
        taken_for = ", ".join(_shortened(classes))
        notes = [*notes, f"no model card: its classes are taken to be {taken_for}"]
    if fresh and nets.AUX in model.output_names:
        notes = [*notes, f"{nets.AUX}_score of {path.name} is left out: it begins anew"]
    return LoadReport(str(path), list(classes), loaded, other_shape, missing, heads, notes)


def _imagenet(model, network):
    """Return the path of ImageNet's weights for the MobileNet in `model`; fetch it if need be."""
    import keras

    names = [layer.name for layer in model.layers]
    if MOBILENET_END not in names:
        raise InputError(
            f"there are no ImageNet weights for {network}; give a file as --weights, or choose "
            "--model mobile_unet"
        )
    alpha = model.get_layer(MOBILENET_END).kernel.shape[-1] / MOBILENET_WIDTH
    depth_multiplier = model.get_layer("conv_dw_1").kernel.shape[-1]
    if alpha not in IMAGENET_ALPHAS or depth_multiplier != 1:
        exist = ", ".join(f"{alpha:g}" for alpha in IMAGENET_ALPHAS)
        raise InputError(
            f"there are ImageNet weights for --alpha {exist} with --depth_multiplier 1, "
            f"not for {alpha:.3g} with {depth_multiplier}"
        )
    height, width = model.input_shape[1:3]
    size = height if height == width and height in IMAGENET_SIZES else IMAGENET_SIZES[-1]
    name = f"mobilenet_{IMAGENET_ALPHAS[alpha]}_{size}_tf_no_top.h5"
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    try:
        with contextlib.redirect_stdout(sys.stderr):  # where Keras shows how far it is
            path = keras.utils.get_file(
                name, IMAGENET_URL + name, cache_dir=str(home), cache_subdir="models"
            )
    except Exception as error:  # Keras raises it bare where there is no network
        raise InputError(
            f"ImageNet's weights cannot be fetched ({reason(error).rpartition(' -- ')[2]}): fetch "
            f"{IMAGENET_URL}{name} by hand, and put it as {home / 'models' / name} or give it as "
            "--weights"
        ) from error
    return Path(path)


def _read(path):
    """Return lists of arrays by layer name, and the `(height, width)` of their model or None."""
    import h5py

    if path.suffix.lower() == ".keras":
        model = nets.load(str(path))
        return {layer.name: layer.get_weights() for layer in model.layers}, model.input_shape[1:3]
    with h5py.File(path) as file:
        if "layers" not in file:
            return read_arrays(path)
        # What Keras 3's `save_weights` writes: groups by class and number, with the name inside.
        layers = [layer["vars"] for layer in file["layers"].values()]
        if not all("name" in layer.attrs for layer in layers):
            raise InputError(
                f"{path}: the Keras that wrote these weights left out the names of layers; "
                "give the whole model, .keras or .h5"
            )
        numbered = ((layer, map(str, range(len(layer)))) for layer in layers)
        return {layer.attrs["name"]: [layer[i][()] for i in keys] for layer, keys in numbered}, None


def card_of(weights):
    """Return the model card beside weights, if any; X.weights.h5 has that of X."""
    if weights in (None, IMAGENET):
        return None
    model_path = Path(str(weights).replace(".weights.h5", ".h5"))
    return model_card.read(model_path) if model_card.path_beside(model_path).exists() else None


def _match_heads(path, card, model, network, classes, arrays):
    """Put into `arrays` heads for `classes`; return it, and the classes taken over by head.

    A head of another network saw other features: of that nothing is taken.
    """
    theirs = card["classes"] if card.get("network", network) == network else []
    their_keys, keys = _keys(theirs), _keys(classes)
    matched, heads = {}, {}
    for layer in model.layers:
        if layer.name not in nets.score_layers(network) or layer.name not in arrays:
            continue
        found, fresh = arrays[layer.name], layer.get_weights()  # kernel and bias, (…, classes)
        if found[0].shape[-1] != len(card["classes"]):
            raise InputError(
                f"{path}: the card beside it is of another model: it names {len(card['classes'])} "
                f"classes, the file has {found[0].shape[-1]}"
            )
        if found[0].shape[:-1] != fresh[0].shape[:-1]:
            continue
        matched[layer.name] = []
        for source, target in zip(found, fresh, strict=True):
            columns = _columns(source, their_keys, keys)
            new = [columns.get(key, target[..., index]) for index, key in enumerate(keys)]
            matched[layer.name].append(np.stack(new, axis=-1))
        heads[layer.name] = [
            name for name, key in zip(classes, keys, strict=True) if key in columns
        ]
    return arrays | matched, heads


def _keys(classes):
    """Return the names with one name for the background."""
    return [BACKGROUND if labels.is_background(name) else name for name in classes]


def _columns(array, theirs, ours):
    """Return by class what `array`, `(…, classes)` of `theirs`, gives to the logits of `ours`."""
    columns = dict(zip(theirs, np.moveaxis(array, -1, 0), strict=False))
    if len(theirs) == 1 and len(ours) > 1 and theirs[0] in ours:
        columns[BACKGROUND] = np.zeros_like(columns[theirs[0]])  # softmax of (0, z) is sigmoid(z)
    elif len(ours) == 1 and len(theirs) > 1 and ours[0] in columns:
        # A sigmoid's logit is a log-odds: against the background, or the mean of the others.
        column = columns.pop(ours[0])
        return {ours[0]: column - columns.get(BACKGROUND, np.mean([*columns.values()], axis=0))}
    return columns
