"""Small untrained models, and one whose answers are given, for what happens after training."""

import keras
import numpy as np

import nets
from segmentation import model_card
from segmentation.data import palette
from segmentation.data.classes import Classes
from segmentation.export import parity
from segmentation.inference.predictor import Predictor
from segmentation.inference.runner import Runner

IMG_SIZE = (32, 64)  # not square, so that swapped sides show
CORE_ML_SIZE = (64, 96)
HAIR = Classes(("hair",), ((255, 0, 0),))
CLASSES = {1: ["hair"], 3: ["background", "hair", "face"]}
# `icnet.STAGES` with 6 blocks for 16, of every stride and dilation: a fraction of the graph.
SHALLOW_ICNET = ((128, 1, 1, 1), (256, 1, 2, 1), (512, 1, 1, 2), (1024, 3, 1, 4))


def tiny_model(num_classes, seed=0):
    """Return a MobileUNet of 32x64 px with random weights (`with_random_weights`)."""
    keras.utils.set_random_seed(seed)
    network = nets.build("mobile_unet", IMG_SIZE, num_classes, alpha=0.25, narrowest=1)
    return with_random_weights(network, seed)


def quick_model(num_classes, seed=0):
    """Return a `small_net` of 32x64 px with random weights (`with_random_weights`).

    It is wide enough for its weights to be most of a file.
    """
    keras.utils.set_random_seed(seed)
    return with_random_weights(small_net(IMG_SIZE, num_classes, alpha=16), seed)


def with_random_weights(model, seed):
    """Give a new model random weights, also where training begins with 0 or 1.

    Converters leave a bias of zeros out.
    """
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
    scale = 2 if kernel.shape[2] < 32 else 0.2  # of wide features the sum is large
    model.get_layer("score").set_weights([generator.normal(0, scale, kernel.shape), bias])
    images = generator.integers(0, 256, (4, *IMG_SIZE, 3)).astype("float32")
    scores = keras.Model(model.input, model.get_layer("score").output).predict(images, verbose=0)
    # Centred, so that no class wins everywhere.
    model.get_layer("score").bias.assign(bias - np.median(scores, (0, 1, 2)))
    return model


def blank_model():
    """Return a model of one class at `IMG_SIZE` that sees it nowhere."""
    image = keras.Input((*IMG_SIZE, 3), name="image")
    mask = keras.layers.Conv2D(1, 1, activation="sigmoid")
    model = keras.Model(image, mask(keras.layers.Rescaling(1 / 255)(image)))
    mask.set_weights([np.zeros((1, 1, 3, 1)), np.array([-100.0])])
    return model


def fake_predictor(tmp_path, probabilities, classes):
    """Return a predictor that gives `probabilities`, whatever it sees."""
    path = tmp_path / "fake.keras"
    h, w = probabilities.shape[1:3]
    card = {"img_size": [h, w], "classes": classes, "colors": palette.colors(classes)}
    model_card.write(path, card)
    remaining = list(probabilities)
    runner = Runner(
        lambda images: np.stack([remaining.pop(0) for _ in images]), (h, w), len(classes)
    )
    return Predictor(path, runner)


def save(model, path):
    """Save a model of `IMG_SIZE` with its card; return the path."""
    model.save(path)
    classes = Classes.of_names(CLASSES[model.output_shape[-1]])
    model_card.write(path, {"img_size": IMG_SIZE, **classes.to_card()})
    return path


def with_clear_masks(model, img_size):
    """Give an untrained model biases, batch statistics and scores whose masks have clear borders.

    Without biases converters leave them out, without statistics BatchNorm does nothing, and without
    such scores every pixel is near the decision threshold, where float16 changes classes.
    """
    generator = np.random.default_rng(0)
    for layer in model.layers:
        if getattr(layer, "bias", None) is not None:
            layer.bias.assign(generator.normal(0, 0.2, layer.bias.shape))
        if isinstance(layer, keras.layers.BatchNormalization):
            (width,) = layer.gamma.shape
            layer.set_weights(
                [
                    generator.uniform(0.8, 1.2, width),
                    generator.normal(0.2, 0.1, width),
                    generator.normal(0, 0.1, width),
                    generator.uniform(0.5, 1, width),
                ]
            )
    score = model.get_layer("score")
    images = parity.check_images(img_size).astype("float32")
    logits = keras.Model(model.input, score.output).predict(images, verbose=0)
    logits = logits.reshape(-1, logits.shape[-1])
    kernel, _ = score.get_weights()
    gain = 3 / logits.std(0)
    score.set_weights([kernel * gain, -np.quantile(logits, 0.1, axis=0) * gain])
    return model


def small_net(img_size=(32, 32), num_classes=1, alpha=1):
    """Return a network with one of each layer of MobileUNet, which converts quickly."""
    layers = keras.layers
    image = keras.Input((*img_size, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(image)
    x = layers.Conv2D(8 * alpha, 3, strides=2, padding="same", use_bias=False, name="conv")(x)
    x = layers.BatchNormalization(name="bn")(x)
    skip = layers.ReLU(6.0)(x)
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(skip)
    x = layers.DepthwiseConv2D(3, strides=2, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6.0)(x)
    x = layers.Conv2DTranspose(4 * alpha, 2, strides=2, padding="same")(x)
    x = layers.Concatenate()([x, skip])
    x = layers.Conv2D(num_classes, 1, name="score")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name="score_up")(x)
    return keras.Model(
        image, layers.Activation("sigmoid" if num_classes == 1 else "softmax", name="mask")(x)
    )
