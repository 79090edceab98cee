"""The layers that Keras lacks."""

import keras
import numpy as np


@keras.saving.register_keras_serializable(package="nets")
class BilinearUpSampling2D(keras.layers.Layer):
    """Bilinear enlarging as TensorFlow 1 did it, for networks that were trained with it.

    Output pixel j lies at j / size of the input and the last one is repeated, where Keras 3 lets
    the centres of pixels lie over each other: a shift of half an output pixel at size 2.

    Args:
        size: whole factors of height and width.

    Input `(batch, height, width, channels)` of known height and width.
    """

    def __init__(self, size=(2, 2), **options):
        super().__init__(**options)
        self.size = tuple(size)

    def call(self, inputs):
        """Return `inputs` enlarged."""
        (height, width), (down, across) = inputs.shape[1:3], self.size
        if keras.backend.backend() == "tensorflow":  # a single op, which phones have as well
            import tensorflow as tf

            return tf.compat.v1.image.resize_bilinear(inputs, (height * down, width * across))
        rows, columns = _interpolation(height, down), _interpolation(width, across)
        return keras.ops.einsum("ih,jw,bhwc->bijc", rows, columns, inputs)

    def get_config(self):
        """Return the arguments of the constructor."""
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="nets")
class BilinearResizing(keras.layers.Layer):
    """Bilinear enlarging to any size, the centres of the two maps' pixels over each other.

    UpSampling2D knows whole factors only, and Resizing runs the layers after it in training mode.

    Args:
        size: `(height, width)` of the output.

    Input `(batch, h, w, channels)`.
    """

    def __init__(self, size, **options):
        super().__init__(**options)
        self.size = tuple(size)

    def call(self, inputs):
        """Return `inputs` enlarged."""
        return keras.ops.image.resize(inputs, self.size, interpolation="bilinear")

    def get_config(self):
        """Return the arguments of the constructor."""
        return {**super().get_config(), "size": self.size}


def _interpolation(length, factor):
    """Return the matrix `(length · factor, length)` that enlarges one axis."""
    places = np.minimum(np.arange(length * factor) / factor, length - 1)
    distances = np.abs(places[:, None] - np.arange(length))
    return np.maximum(1 - distances, 0).astype("float32")
