"""Metrics from one confusion matrix: in NumPy for evaluation, as a Keras metric while training."""

from typing import NamedTuple

import cv2
import keras
import numpy as np
from keras import ops

from segmentation.data.labels import IGNORED

BAND = 0.02  # width of the band of boundary IoU, as a fraction of the diagonal; from the paper
LIMB = 2**20  # counts are stored as high · LIMB + low: int32 alone overflows at 2·10⁹ pixels


class PixelCounts(NamedTuple):
    """Pixels per class, each `(…, C)` int64: predicted correctly, true, and predicted."""

    tp: np.ndarray
    support: np.ndarray
    predicted: np.ndarray


def confusion_matrix(true, predicted, num_classes):
    """Count pixels by true and predicted class.

    Args:
        true: integer array of class ids, 255 where a pixel is ignored.
        predicted: integer array of the shape of `true`, ids below `num_classes`.
        num_classes: number of classes, the background included.

    Returns:
        `(num_classes, num_classes)` int64; rows are true, columns predicted.
    """
    valid = true != IGNORED
    pairs = true[valid].astype(np.int64) * num_classes + predicted[valid]
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def pixel_counts(matrix):
    """Return the `PixelCounts` of a `(C, C)` confusion matrix."""
    return PixelCounts(np.diagonal(matrix), matrix.sum(1), matrix.sum(0))


def boundary_counts(true, predicted, num_classes):
    """Count pixels as `pixel_counts` does, but only in the band along the outline of each mask.

    The `iou` of these counts is boundary IoU, https://arxiv.org/abs/2103.16562: it shows errors
    along the outline of a large object, which IoU hardly notices. As in the paper's code the band
    lies inside the mask, is `BAND` of the diagonal wide (rounded, at least 1 pixel), and follows
    the border of the image where that cuts the object off. Ignored pixels are treated like the
    outside of the image, in both masks, so that a perfect prediction scores 1 next to them too.

    Args:
        true: `(H, W)` uint8 class ids, 255 where a pixel is ignored.
        predicted: `(H, W)` uint8 class ids below `num_classes`.
        num_classes: number of classes, the background included.

    Returns:
        `PixelCounts` of `(num_classes,)`: pixels in both bands, in that of `true`, in that of
        `predicted`.
    """
    true_band = _band(true)
    predicted_band = _band(np.where(true == IGNORED, IGNORED, predicted).astype(np.uint8))
    both = true_band[true_band == predicted_band]
    counts = (np.bincount(ids.ravel(), minlength=256) for ids in (both, true_band, predicted_band))
    return PixelCounts(*(count[:num_classes] for count in counts))


def _band(mask):
    """Return the mask with 255 in place of all ids outside the bands of their classes."""
    width = max(1, round(BAND * float(np.hypot(*mask.shape))))
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=IGNORED)
    # All classes at once: erosion keeps a pixel of its class where all neighbours have its id.
    square = np.ones((3, 3), np.uint8)
    lowest = cv2.erode(padded, square, iterations=width)
    highest = cv2.dilate(padded, square, iterations=width)
    return np.where(lowest == highest, IGNORED, padded)[1:-1, 1:-1]


def iou(counts):
    """Return the `(…, C)` IoU of `PixelCounts`, NaN where neither mask shows the class."""
    tp, support, predicted = counts
    union = support + predicted - tp
    return np.divide(tp, union, out=np.full(tp.shape, np.nan), where=union > 0)


def scores(matrix):
    """Derive every score from a confusion matrix.

    Args:
        matrix: `(C, C)` counts; rows are true, columns predicted.

    Returns:
        `iou`, `dice`, `precision`, `recall`: lists of C floats 0..1, NaN where the denominator is
        0; `mean_iou`: the mean of `iou` without NaN; `pixel_accuracy`.
    """
    values = _scores(ops.convert_to_tensor(np.asarray(matrix, np.float32)))
    return {name: ops.convert_to_numpy(value).tolist() for name, value in values.items()}


def _scores(matrix):
    """Return `scores` as tensors."""
    tp, support, predicted = ops.diagonal(matrix), ops.sum(matrix, 1), ops.sum(matrix, 0)
    iou = tp / (support + predicted - tp)  # 0 / 0 is NaN
    known = ops.logical_not(ops.isnan(iou))
    return {
        "iou": iou,
        "dice": 2 * tp / (support + predicted),
        "precision": tp / predicted,
        "recall": tp / support,
        "mean_iou": ops.sum(ops.where(known, iou, 0.0)) / ops.sum(ops.cast(known, "float32")),
        "pixel_accuracy": ops.sum(tp) / ops.sum(matrix),
    }


class ConfusionScores(keras.metrics.Metric):
    """IoU, dice, precision and recall per class, mean IoU and pixel accuracy, over all pixels.

    Args:
        classes: names in the order of the ids in `y_true`; for a single class, the background
            comes first.
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
            y_pred: `(batch, h, w, channels)` probabilities, which are upsampled first.
            sample_weight: must be None; each pixel counts once.
        """
        num_classes = len(self.classes)
        if y_pred.shape[1:3] != y_true.shape[1:3]:
            y_pred = ops.image.resize(y_pred, y_true.shape[1:3], interpolation="bilinear")
        if y_pred.shape[-1] == 1:
            predicted = ops.cast(y_pred[..., 0] > 0.5, "int32")
        else:
            predicted = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        true = ops.cast(y_true, "int32")
        # Ignored pixels go into an extra bin, which is dropped.
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
