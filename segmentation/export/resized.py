"""A trained model at another input size: the same network and the same weights, built anew."""

import copy

import numpy as np

import nets
from segmentation import model_card
from segmentation.errors import InputError, reason
from segmentation.export import parity
from segmentation.inference import keras_model

PROOF_IMAGES = 2  # of `parity.CHECK_IMAGES`: a portrait and colours


def at_size(source, img_size):
    """Return a `Predictor` of a model at another input size.

    Its network is built as the model card says. Built at the model's own size, too, it must answer
    as the model does: the network of that name may have changed since the model was trained.

    Args:
        source: `Predictor` of a trained model.
        img_size: `(height, width)` in pixels.

    Returns:
        `Predictor`, whose card has the new `img_size` and `macs`, and `trained_img_size`, the
        `[height, width]` of `source`. All else in the card is about the trained size.

    Raises:
        InputError: if no card says what the network is, it refuses the size, or it is not that of
            the model.
    """
    card = source.card or {}
    if card.get("network") not in nets.NETWORKS:
        raise InputError(
            f"{source.path}: no model card says which network it is, so it cannot be built at "
            "another size; leave out --img_size"
        )
    model, same = (_built(source, card, size) for size in (img_size, source.img_size))
    images = parity.check_images(source.img_size, count=PROOF_IMAGES)
    difference = np.abs(keras_model.runner(same).run(images) - source(images)).max()
    if not difference <= parity.LIMITS["float32"][0]:
        raise _other_network(source, f"probabilities differ by {difference:.2g}")
    resized = copy.copy(source)
    resized.model, resized.img_size = model, tuple(img_size)
    resized.runner = keras_model.runner(model)
    resized.card = card | {
        "img_size": list(img_size),
        "trained_img_size": list(source.img_size),
        "macs": nets.macs(model),
    }
    return resized


def _built(source, card, img_size):
    """Return the network of a card at a size, with the weights of `source`."""
    name, (height, width) = card["network"], img_size
    try:
        built = nets.build(
            name, img_size, source.runner.num_channels, **nets.arguments_of_card(card)
        )
    except ValueError as error:
        raise InputError(f"--img_size {height}x{width}: {name}: {reason(error)}") from None
    model = nets.inference_model(built)
    arrays = {layer.name: layer.get_weights() for layer in source.model.layers if layer.weights}
    loaded, other_shape, missing = nets.take_weights(model, arrays)
    unknown = arrays.keys() - {*loaded, *other_shape}
    if wrong := [*other_shape, *missing, *sorted(unknown)]:
        raise _other_network(source, f"layers differ: {', '.join(wrong[:3])}")
    return model


def _other_network(source, found):
    card = source.card
    return InputError(
        f"{source.path}: is not {card['network']} as {model_card.path_beside(source.path).name} "
        f"describes it ({found}), so it cannot be built at another size; leave out --img_size"
    )
