"""Metrics from one confusion matrix: in NumPy for evaluation, as a Keras metric while training."""

import keras
import numpy as np
from keras import ops

from segmentation.labels import IGNORED

LIMB = 2**20  # counts are kept as high · LIMB + low: int32 alone overflows at 2·10⁹ pixels


def confusion_matrix(true, predicted, num_classes):
    """Count pixels by true and predicted class.

    Args:
        true: integer array of class ids, 255 where a pixel is ignored.
        predicted: integer array of the same shape, ids below `num_classes`.
        num_classes: number of classes, the background included.

    Returns:
        `(num_classes, num_classes)` int64; rows are true, columns predicted.
    """
    valid = true != IGNORED
    pairs = true[valid].astype(np.int64) * num_classes + predicted[valid]
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def scores(matrix):
    """Derive every score from a confusion matrix.

    Args:
        matrix: `(C, C)` counts; rows are true, columns predicted.

    Returns:
        `iou`, `dice`, `precision`, `recall`: lists of C floats 0..1, nan where a class has no
        pixel to judge it by; `mean_iou`: mean of `iou` without those; `pixel_accuracy`.
    """
    values = _scores(ops.convert_to_tensor(np.asarray(matrix, np.float32)))
    return {name: ops.convert_to_numpy(value).tolist() for name, value in values.items()}


def _scores(matrix):
    """Return `scores` as tensors."""
    hit, true, predicted = ops.diagonal(matrix), ops.sum(matrix, 1), ops.sum(matrix, 0)
    iou = hit / (true + predicted - hit)  # 0 / 0 is nan: nothing to judge by
    known = ops.logical_not(ops.isnan(iou))
    return {
        "iou": iou,
        "dice": 2 * hit / (true + predicted),
        "precision": hit / predicted,
        "recall": hit / true,
        "mean_iou": ops.sum(ops.where(known, iou, 0.0)) / ops.sum(ops.cast(known, "float32")),
        "pixel_accuracy": ops.sum(hit) / ops.sum(matrix),
    }


class ConfusionScores(keras.metrics.Metric):
    """IoU, dice, precision and recall per class, mean IoU and pixel accuracy, over all pixels.

    Args:
        classes: names in the order of the ids in `y_true`; of a single class, the background
            before it.
    """

    def __init__(self, classes, name="scores"):
        super().__init__(name=name)
        self.classes = list(classes)
        shape = (len(classes) ** 2,)
        self.low = self.add_weight(shape=shape, initializer="zeros", dtype="int32", name="low")
        self.high = self.add_weight(shape=shape, initializer="zeros", dtype="int32", name="high")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count a batch.

        Args:
            y_true: `(batch, height, width)` class ids, 255 where a pixel is ignored.
            y_pred: `(batch, height, width, channels)` probabilities.
            sample_weight: must be None; each pixel counts once.
        """
        num_classes = len(self.classes)
        if y_pred.shape[-1] == 1:
            predicted = ops.cast(y_pred[..., 0] > 0.5, "int32")
        else:
            predicted = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        true = ops.cast(y_true, "int32")
        # Ignored pixels are counted in one bin more, which is dropped.
        pairs = ops.where(true == IGNORED, num_classes**2, true * num_classes + predicted)
        pairs = ops.reshape(pairs, (-1,))
        # Not ops.bincount: JAX cannot compile it.
        counts = ops.segment_sum(ops.ones_like(pairs), pairs, num_segments=num_classes**2 + 1)
        low = self.low + counts[:-1]
        self.high.assign(self.high + low // LIMB)
        self.low.assign(low % LIMB)

    def result(self):
        """Return a dictionary: `mean_iou`, `pixel_accuracy`, and `iou_hair` and so on by class."""
        num_classes = len(self.classes)
        counts = ops.cast(self.high, "float32") * LIMB + ops.cast(self.low, "float32")
        values = _scores(ops.reshape(counts, (num_classes, num_classes)))
        by_class = {
            f"{name}_{label}": values[name][index]
            for name in ("iou", "dice", "precision", "recall")
            for index, label in enumerate(self.classes)
        }
        return {name: values[name] for name in ("mean_iou", "pixel_accuracy")} | by_class
