"""Small untrained models whose masks are not constant, for tests of what happens after training."""

import keras
import numpy as np

import nets
from segmentation import labels, model_card

IMG_SIZE = (32, 64)  # not square, so that swapped sides show
CLASSES = {1: ["hair"], 3: ["background", "hair", "face"]}


def tiny_model(num_classes, seed=0):
    """Return a MobileUNet of 32x64 px with random weights, also where training begins with 0 or 1.

    Converters leave out a bias of zeros.
    """
    keras.utils.set_random_seed(seed)
    model = nets.build("mobile_unet", IMG_SIZE, num_classes, alpha=0.25)
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        if getattr(layer, "bias", None) is not None:
            layer.bias.assign(generator.normal(0, 0.2, layer.bias.shape))
        if isinstance(layer, keras.layers.BatchNormalization):
            width = layer.gamma.shape[0]
            gamma, beta = generator.uniform(0.5, 1.5, width), generator.normal(0, 0.5, width)
            mean, variance = generator.normal(0, 0.3, width), generator.uniform(0.3, 1.5, width)
            layer.set_weights([gamma, beta, mean, variance])
    kernel, bias = model.get_layer("score").get_weights()
    model.get_layer("score").set_weights([generator.normal(0, 2, kernel.shape), bias])
    images = generator.integers(0, 256, (4, *IMG_SIZE, 3)).astype("float32")
    scores = keras.Model(model.input, model.get_layer("score").output).predict(images, verbose=0)
    # Centred, so that no class wins everywhere.
    model.get_layer("score").bias.assign(bias - np.median(scores, (0, 1, 2)))
    return model


def save(model, path):
    """Save a model of `tiny_model` with its card; return the path."""
    model.save(path)
    names = CLASSES[model.output_shape[-1]]
    model_card.write(path, {"img_size": IMG_SIZE, "classes": names, "colors": labels.colors(names)})
    return path
