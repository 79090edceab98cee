"""Small networks to load weights from and into, for tests of transfer."""

import keras
import numpy as np

from segmentation import model_card
from segmentation.data import palette
from segmentation.training import transfer

HAIR, FACE, BOTH = ["background", "hair"], ["background", "face"], ["background", "hair", "face"]


def network(classes, heads=("score",), width=4, seed=0):
    """Return a network of a convolution and heads, with random weights and biases."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(width, 3, padding="same", name="conv1")(image)
    scores = [keras.layers.Conv2D(len(classes), 1, name=name)(x) for name in heads]
    activation = "sigmoid" if len(classes) == 1 else "softmax"
    outputs = [
        keras.layers.Activation(activation, name=f"out_{index}")(score)
        for index, score in enumerate(scores)
    ]
    model = keras.Model(image, outputs)
    generator = np.random.default_rng(seed)
    model.set_weights([generator.normal(0, 0.5, weight.shape) for weight in model.weights])
    return model


def saved(path, classes, card=None, **options):
    """Save such a network with a card of its classes and, of `card`, more; return both."""
    model = network(classes, **options)
    (model.save_weights if path.name.endswith(".weights.h5") else model.save)(path)
    beside = {"img_size": [8, 8], "classes": classes, "colors": palette.colors(classes)}
    model_card.write(path.with_name(path.name.replace(".weights.h5", ".h5")), beside | (card or {}))
    return path, model


def load(model, weights, classes, of="mobile_unet"):
    return transfer.load_weights(model, weights, of, classes)
