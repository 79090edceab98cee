"""Loading weights of legacy networks, into those networks or into ours."""

import importlib

import nets
from segmentation.errors import InputError
from segmentation.legacy import hair2017, icnet2018, keras2
from segmentation.legacy.spec import LEGACY_NETWORKS, LegacySpec, caveat


def build(path, spec, saved):
    """Build the network that `spec` describes, without normalisation, and load its weights.

    Args:
        path: of the file, named in messages.
        spec: `LegacySpec` with a `network`.
        saved: `hdf5.SavedModel` of the file.

    Returns:
        `keras.Model` from normalised images to probabilities.

    Raises:
        InputError: if there is no such network, or the weights are not of it.
    """
    module = importlib.import_module(LEGACY_NETWORKS[spec.network])
    arrays = module.renamed(saved.arrays)
    score = arrays.get(module.SCORE_LAYER)
    try:
        model = module.build(spec.img_size, score[0].shape[-1] if score else 1, **spec.arguments)
    except ValueError as error:
        raise InputError(f"--model {spec.network}: {error}") from None
    model = keras2.upsampling_as_trained(model, saved.version)
    assign(path, model, arrays)
    return model


def assign(path, model, arrays):
    """Give each layer of `model` the arrays of its name.

    Args:
        path: of the file, named in messages.
        model: `keras.Model`.
        arrays: lists of arrays by layer name.

    Raises:
        InputError: if a layer gets none, or some of another shape: a network with some random
            weights would answer, and be wrong.
    """
    loaded, other_shape, missing = nets.take_weights(model, arrays)
    if not other_shape and not missing:
        return
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


def translate(path, arrays, img_size):
    """Return the arrays of a legacy network as our networks name and normalise them.

    The layers of hair2017's MobileUNet get our names, and its normalisation goes into the first.
    All other arrays are returned as they are.

    Args:
        path: of the file, named in messages.
        arrays: lists of arrays by layer name.
        img_size: `(height, width)` that they were trained at, or None if that is unknown.

    Returns:
        `(arrays, notes)`, the notes being lines for the user.

    Raises:
        InputError: for an ICNet of 2018: some of its layers have the names of ours, but differ.
    """
    if icnet2018.SCORE_LAYER in arrays:
        raise InputError(
            f"{path}: an ICNet of 2018, with ReLU before BatchNorm and biases: its weights do not "
            "fit our network; omit --weights, or give a model of this project"
        )
    if hair2017.FIRST_LAYER not in arrays:
        return arrays, []
    notes = ["named as in hair2017: its normalisation was moved into conv1 and conv1_bn"]
    notes += filter(None, [caveat(LegacySpec("hair2017"), img_size)])
    return hair2017.with_our_normalization(hair2017.renamed(arrays)), notes
