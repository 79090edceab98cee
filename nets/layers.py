"""Layers that Keras lacks."""

import keras
import numpy as np


@keras.saving.register_keras_serializable(package="nets")
class BilinearUpSampling2D(keras.layers.Layer):
    """Bilinear upsampling as in TensorFlow 1, for networks that were trained with it.

    Output pixel j samples the input at j / size, and the last input pixel is repeated. Keras 3
    aligns the centres of pixels instead: a shift of half an output pixel at size 2.

    Args:
        size: integer factors of height and width.

    Input: `(batch, height, width, channels)` of known height and width.
    """

    __module__ = "nets.layers"  # in .keras files, wherever this file is installed

    def __init__(self, size=(2, 2), **options):
        super().__init__(**options)
        self.size = tuple(size)

    def call(self, inputs):
        """Return `inputs` upsampled by `size`."""
        (height, width), (down, across) = inputs.shape[1:3], self.size
        if keras.backend.backend() == "tensorflow":  # a single op, which phones support too
            import tensorflow as tf

            return tf.compat.v1.image.resize_bilinear(inputs, (height * down, width * across))
        rows, columns = _interpolation(height, down), _interpolation(width, across)
        return keras.ops.einsum("ih,jw,bhwc->bijc", rows, columns, inputs)

    def get_config(self):
        """Return the arguments of the constructor."""
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="nets")
class PyramidLevel(keras.layers.Layer):
    """Average pooling to `bins` × `bins`, upsampled bilinearly to the input size.

    Pooling is adaptive: bin i covers rows ⌊i·n / bins⌋ to ⌈(i + 1)·n / bins⌉ of n, as in Keras'
    AdaptiveAveragePooling2D, so that every size works. Both steps are linear along each axis and
    form one matrix: phones support matrix products, but no adaptive pooling. The matrix stands on
    the right, where LiteRT makes a fully connected op of it; from the left it would stay a batched
    product, which XNNPACK does not run in 8 bits.

    Args:
        bins: number of bins per side.

    Input: `(batch, height, width, channels)` of known height and width.
    """

    __module__ = "nets.layers"  # in .keras files, wherever this file is installed

    def __init__(self, bins, **options):
        super().__init__(**options)
        self.bins = bins

    def call(self, inputs):
        """Return the means, of the shape of `inputs`."""
        x = keras.ops.transpose(inputs, (0, 3, 1, 2))
        for _ in range(2):  # rows and columns swap places twice: (B, C, H, W), (B, C, W, H)
            matrix = _averaging(x.shape[-1], self.bins).T
            x = keras.ops.matmul(x, keras.ops.convert_to_tensor(matrix, inputs.dtype))
            x = keras.ops.swapaxes(x, 2, 3)
        return keras.ops.transpose(x, (0, 2, 3, 1))

    def get_config(self):
        """Return the arguments of the constructor."""
        return {**super().get_config(), "bins": self.bins}


def _averaging(length, bins):
    """Return the matrix `(length, length)` that pools and upsamples along one axis."""
    pooling = np.zeros((bins, length))
    for i in range(bins):
        start, end = i * length // bins, -(-(i + 1) * length // bins)
        pooling[i, start:end] = 1 / (end - start)
    # Centres of bins and pixels are aligned; beyond the outermost bins their values are repeated.
    places = np.clip((np.arange(length) + 0.5) * bins / length - 0.5, 0, bins - 1)
    upsampling = np.maximum(1 - np.abs(places[:, None] - np.arange(bins)), 0)
    return (upsampling @ pooling).astype("float32")


def _interpolation(length, factor):
    """Return the matrix `(length · factor, length)` that upsamples one axis."""
    places = np.minimum(np.arange(length * factor) / factor, length - 1)
    distances = np.abs(places[:, None] - np.arange(length))
    return np.maximum(1 - distances, 0).astype("float32")
