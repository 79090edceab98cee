"""Metrics from one confusion matrix: in NumPy for evaluation, as a Keras metric while training."""

import cv2
import keras
import numpy as np
from keras import ops

from segmentation.data.labels import IGNORED

BAND = 0.02  # width of the band of boundary IoU, of the picture's diagonal; from the paper
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


def pixel_counts(matrix):
    """Return `(3, C)` pixels per class, found, true and predicted, of a confusion matrix."""
    return np.stack([np.diagonal(matrix), matrix.sum(1), matrix.sum(0)])


def boundary_counts(true, predicted, num_classes):
    """Count as `pixel_counts` does, but of each mask only the band along its outline.

    Boundary IoU, https://arxiv.org/abs/2103.16562, is the `iou` of these: IoU hardly notices the
    outline of a large object, this does. As in the paper's code the band lies inside the mask, is
    `BAND` of the diagonal wide (rounded, 1 pixel at least), and follows the border of the picture
    where that cuts the object off. Ignored pixels are treated like the outside of the picture, in
    both masks: so a prediction without mistakes scores 1 beside them too.

    Args:
        true: `(H, W)` uint8 class ids, 255 where a pixel is ignored.
        predicted: the same, ids below `num_classes`.
        num_classes: number of classes, the background included.

    Returns:
        `(3, num_classes)` int64: pixels in both bands, in that of `true`, in that of `predicted`.
    """
    true_band = _band(true)
    predicted_band = _band(np.where(true == IGNORED, IGNORED, predicted).astype(np.uint8))
    both = true_band[true_band == predicted_band]
    counts = [np.bincount(ids.ravel(), minlength=256) for ids in (both, true_band, predicted_band)]
    return np.stack(counts)[:, :num_classes]


def _band(mask):
    """Return the mask with 255 in place of all ids outside the bands of their classes."""
    width = max(1, round(BAND * float(np.hypot(*mask.shape))))
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=IGNORED)
    # All classes at once: a pixel outlives the erosion of its class where all around are the same.
    square = np.ones((3, 3), np.uint8)
    lowest = cv2.erode(padded, square, iterations=width)
    highest = cv2.dilate(padded, square, iterations=width)
    return np.where(lowest == highest, IGNORED, padded)[1:-1, 1:-1]


def iou(areas):
    """Return `(…, C)` IoU from `(…, 3, C)` areas, NaN where neither mask shows the class."""
    found, true, predicted = np.moveaxis(areas, -2, 0)
    union = true + predicted - found
    return np.divide(found, union, out=np.full(found.shape, np.nan), where=union > 0)


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
            y_pred: `(batch, h, w, channels)` probabilities, which are enlarged before they decide.
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
