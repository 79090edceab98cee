"""Running `.keras` and `.h5` files, those of other projects included."""

import numpy as np

import nets
from segmentation.inference.runner import Runner, sizes
from segmentation.legacy import models

BATCH_SIZE = 16  # images that the model sees at once


def read(path, spec):
    """Return the `Runner` of a Keras model.

    Args:
        path: `.keras` or `.h5`.
        spec: `legacy.spec.LegacySpec`.

    Raises:
        InputError: if `spec` lacks something, or does not fit the file.
        ValueError, OSError: if the file is damaged or no model of images.
    """
    return runner(nets.inference_model(models.load(path, spec)))


def runner(model):
    """Return the `Runner` of a `keras.Model` for inference.

    Raises:
        ValueError: if it is no model of images.
    """

    def run(images):
        starts = range(0, len(images), BATCH_SIZE)
        batches = (images[start : start + BATCH_SIZE].astype(np.float32) for start in starts)
        return np.concatenate([model.predict_on_batch(batch) for batch in batches])

    return Runner(run, *sizes(model.input_shape, model.output_shape), model=model)
