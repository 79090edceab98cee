"""Running a model on samples and counting pixels, at the size of the masks."""

import logging
from dataclasses import dataclass

import numpy as np

from segmentation.data import image_io, labels
from segmentation.data.classes import Classes
from segmentation.data.dataset import Dataset, Subset
from segmentation.errors import InputError
from segmentation.evaluation import metrics
from segmentation.evaluation.metrics import PixelCounts
from segmentation.inference.predictor import Predictor
from segmentation.probabilities import evaluation_batch_size, to_mask_at, upsample
from segmentation.progress import track

logger = logging.getLogger(__name__)

BATCH_SIZE = 16  # samples at once, at most
SMALLEST_PROBABILITY = 1e-7  # keeps the cross-entropy finite; Keras' epsilon


def held_out(data, path, model_path, card):
    """Return the samples that training held out for validation.

    Args:
        data: `Arrays` or `Records` that the model was trained or validated on.
        path: where `data` was read from, named in messages.
        model_path: path of the model, named in messages.
        card: of the model.

    Returns:
        `Subset`.

    Raises:
        InputError: if the card lists no held-out samples, or describes other data.
    """
    if "validation_rows" not in card:
        raise InputError(f"{model_path}: its card lists no held-out samples; use --split all")
    if card.get("data", {}).get("fingerprint") != data.fingerprint():
        raise InputError(
            f"{path}: not the data that {model_path} was validated on; "
            "name that data, or use --split all"
        )
    return Subset(data, card["validation_rows"])


def match_classes(predict, data):
    """Match class ids of the data to channels of the model, by class name.

    Args:
        predict: `Predictor` whose classes are named.
        data: `Dataset`.

    Returns:
        `Classes` of the model, with a `table` of the ids of the data. A background that the model
        has and the data have not has no pixels.

    Raises:
        InputError: if the data lacks a class of the model.
    """
    names, ignored = predict.classes.names, predict.classes.ignored
    has_background = labels.is_background(names[0])
    no_channel = len(names) > 1 and not has_background
    if (no_channel or (ignored is not None and labels.is_background(ignored))) and (
        labels.is_background(data.labels[0])
    ):
        ignore_class = 0
    else:
        # By name: other data may give it another id.
        ignore_class = data.labels.index(ignored) if ignored in data.labels else None
    chosen = names[1:] if has_background else names
    try:
        return Classes.of_data(data.labels, chosen, ignore_class, no_channel)
    except InputError as error:
        raise InputError(
            f"{predict.path} does not fit this data: {error}; --labels names the classes of masks"
        ) from None


@dataclass(frozen=True)
class Counts:
    """What was counted on N samples, for C classes. Ignored pixels are left out.

    Attributes:
        names: of the classes, by id; for a single class, the background comes first.
        confusion: `(C, C)` int64 over all samples; rows are true, columns predicted.
        per_image: `PixelCounts` of `(N, C)`, zeros for a damaged sample. A confusion matrix for
            each would take gigabytes for 150 classes.
        boundary: `PixelCounts` of `(C,)` over all samples, in the bands of boundary IoU.
        crossentropy: mean over all pixels of -ln of the probability of the true class.
        damaged: indexes of samples that could not be read.
    """

    names: tuple[str, ...]
    confusion: np.ndarray
    per_image: PixelCounts
    boundary: PixelCounts
    crossentropy: float
    damaged: list[int]


@dataclass(frozen=True)
class Measurement:
    """A model, the samples that it was measured on, and what was counted.

    Attributes:
        predict: `Predictor`.
        data: `Dataset`.
        classes: of `match_classes`.
        counts: `Counts`.
    """

    predict: Predictor
    data: Dataset
    classes: Classes
    counts: Counts


def measure(predict, data, classes):
    """Run the model on all samples and count.

    Probabilities are upsampled bilinearly to the size of the mask before the argmax or threshold.

    Args:
        predict: `Predictor`.
        data: `Dataset`.
        classes: of `match_classes`.

    Returns:
        `Measurement`.

    Raises:
        InputError: if all samples are damaged.
    """
    names = classes.id_names
    num_classes = len(names)
    confusion = np.zeros((num_classes, num_classes), np.int64)
    per_image = np.zeros((3, len(data), num_classes), np.int64)
    boundary = np.zeros((3, num_classes), np.int64)
    loss, damaged = 0.0, []
    batch_size = evaluation_batch_size(BATCH_SIZE, predict.img_size, num_classes)
    starts = range(0, len(data), batch_size)
    for start in track(starts, len(starts), "Evaluating"):
        samples = {}
        for index in range(start, min(start + batch_size, len(data))):
            try:
                samples[index] = data.read(index)
            except image_io.UnreadableError as error:
                logger.warning("skipped: %s", error)
                damaged.append(index)
        results = segment(predict, classes, list(samples.values()))
        for index, (truth, predicted, probabilities) in zip(samples, results, strict=True):
            matrix = metrics.confusion_matrix(truth, predicted, num_classes)
            confusion += matrix
            per_image[:, index] = metrics.pixel_counts(matrix)
            boundary += metrics.boundary_counts(truth, predicted, num_classes)
            loss += _total_crossentropy(truth, probabilities)
    if len(damaged) == len(data):
        raise InputError(f"none of the {len(damaged)} samples can be read; see above")
    crossentropy = loss / max(int(confusion.sum()), 1)
    counts = Counts(
        names, confusion, PixelCounts(*per_image), PixelCounts(*boundary), crossentropy, damaged
    )
    return Measurement(predict, data, classes, counts)


def segment(predict, classes, samples):
    """Run the model on samples.

    Args:
        predict: `Predictor`.
        classes: of `match_classes`.
        samples: list of what `Dataset.read` returns.

    Yields:
        `(truth, predicted, probabilities)` for each sample: `(H, W)` uint8 channel ids, with 255
        in `truth` for ignored pixels, and `(h, w, C)` of the network's own size.
    """
    if not samples:
        return
    batch = np.stack([image_io.resize(image, predict.img_size) for image, _ in samples])
    for (_, ids), probabilities in zip(samples, predict(batch), strict=True):
        yield classes.table[ids], to_mask_at(probabilities, ids.shape), probabilities


def _total_crossentropy(truth, probabilities):
    """Return the sum over all pixels that are not ignored. One channel is upsampled at a time."""
    total = 0.0
    for index in np.unique(truth[truth != labels.IGNORED]):
        channel = index if probabilities.shape[-1] > 1 else 0
        values = upsample(probabilities[..., channel : channel + 1], truth.shape)[truth == index]
        if probabilities.shape[-1] == 1 and index == 0:
            values = 1 - values
        total -= np.log(np.maximum(values, SMALLEST_PROBABILITY)).sum(dtype=np.float64)
    return total
