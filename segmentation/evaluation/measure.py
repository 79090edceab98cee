"""Measuring a model on pictures with masks, at the size of the masks."""

import logging
from dataclasses import dataclass

import numpy as np

from segmentation.data import image_io, labels
from segmentation.data.classes import Classes
from segmentation.data.dataset import Subset
from segmentation.errors import InputError
from segmentation.inference.predictor import BATCH_SIZE, evaluation_batch_size, to_mask_at, upsample
from segmentation.progress import track

logger = logging.getLogger(__name__)

SMALLEST_PROBABILITY = 1e-7  # keeps the cross-entropy finite; Keras' epsilon
SHOWN = 3  # pictures of each kind in a contact sheet


def held_out(data, path, model_path, card):
    """Return the samples that training held out for validation.

    Args:
        data: `datasets.Arrays` or `tfrecords.Records`, those that the model was trained or
            validated on.
        path: theirs, for messages.
        model_path: the same of the model.
        card: of the model.

    Raises:
        InputError: if the card lists none, or was written about other data.
    """
    if "validation_rows" not in card:
        raise InputError(f"{model_path}: its card lists no held-out pictures; use --split all")
    if card.get("data", {}).get("fingerprint") != data.fingerprint():
        raise InputError(
            f"{path}: not the data that {model_path} was validated on; "
            "give that, or use --split all"
        )
    return Subset(data, card["validation_rows"])


def target_of(predict, data):
    """Return how class ids of the data become channels of the model, matched by class name.

    Args:
        predict: `Predictor` whose classes are named.
        data: `Dataset`.

    Returns:
        `Classes` of the model, with the `table` of the data.

    Raises:
        InputError: if the data lacks a class of the model.
    """
    names, ignored = predict.classes.names, predict.classes.ignored
    has_background = labels.is_background(names[0])
    left_out = len(names) > 1 and not has_background
    if left_out or (ignored is not None and labels.is_background(ignored)):
        ignore_class = 0
    else:
        # By name: other data may number it otherwise.
        ignore_class = data.labels.index(ignored) if ignored in data.labels else None
    chosen = names[1:] if has_background else names
    try:
        return Classes.of_data(data.labels, chosen, ignore_class)
    except InputError as error:
        raise InputError(
            f"{predict.path} does not fit this data: {error}; --labels names the classes of masks"
        ) from None


@dataclass(frozen=True)
class Counts:
    """What was counted on N pictures, for C classes. Pixels without a class count nowhere.

    `confusion` is `(C, C)` int64 over all images, rows true, columns predicted. `areas` is
    `(N, 3, C)` int64, as `metrics.pixel_counts`, zeros for a damaged sample: a matrix per image
    would take gigabytes for 150 classes. `boundary` is `(3, C)` int64, as
    `metrics.boundary_counts`, over all images; `crossentropy` the mean of -ln of the probability of
    the true class over all pixels, the binary one when there is one class; `broken` holds the
    indexes of damaged samples.
    """

    confusion: np.ndarray
    areas: np.ndarray
    boundary: np.ndarray
    crossentropy: float
    broken: list[int]


def measure(predict, data, table):
    """Run the model on all pairs and count.

    Probabilities are enlarged bilinearly to the size of the mask before they are decided.

    Args:
        predict: `Predictor`.
        data: `Dataset`.
        table: of `target_of`.

    Returns:
        `Counts`; the background of a single class is a class of it.

    Raises:
        InputError: if all pairs are damaged.
    """
    from segmentation.evaluation import metrics

    num_classes = max(len(predict.classes), 2)
    confusion = np.zeros((num_classes, num_classes), np.int64)
    areas = np.zeros((len(data), 3, num_classes), np.int64)
    boundary = np.zeros((3, num_classes), np.int64)
    loss, broken = 0.0, []
    batch_size = evaluation_batch_size(BATCH_SIZE, predict.img_size, num_classes)
    starts = range(0, len(data), batch_size)
    for start in track(starts, len(starts), "Evaluating"):
        read = {}
        for index in range(start, min(start + batch_size, len(data))):
            try:
                read[index] = data.read(index)
            except image_io.UnreadableError as error:
                logger.warning("skipped: %s", error)
                broken.append(index)
        results = run(predict, table, list(read.values()))
        for index, (truth, predicted, probabilities) in zip(read, results, strict=True):
            matrix = metrics.confusion_matrix(truth, predicted, num_classes)
            confusion += matrix
            areas[index] = metrics.pixel_counts(matrix)
            boundary += metrics.boundary_counts(truth, predicted, num_classes)
            loss += _total_crossentropy(truth, probabilities)
    if len(broken) == len(data):
        raise InputError(f"none of the {len(broken)} pairs can be read; see above")
    return Counts(confusion, areas, boundary, loss / max(int(confusion.sum()), 1), broken)


def run(predict, table, read):
    """Run the model on what `Dataset.read` gave.

    Yields:
        `(truth, predicted, probabilities)` of each pair: `(H, W)` uint8 channel ids, 255 in
        `truth` for pixels that do not count, and `(h, w, C)`, of the network's own size.
    """
    if not read:
        return
    batch = np.stack([image_io.resize(picture, predict.img_size) for picture, _ in read])
    for (_, ids), probabilities in zip(read, predict(batch), strict=True):
        yield table[ids], to_mask_at(probabilities, ids.shape), probabilities


def _total_crossentropy(truth, probabilities):
    """Return the sum over the pixels that count; one channel is enlarged at a time, as above."""
    total = 0.0
    for index in np.unique(truth[truth != labels.IGNORED]):
        channel = index if probabilities.shape[-1] > 1 else 0
        values = upsample(probabilities[..., channel : channel + 1], truth.shape)[truth == index]
        if probabilities.shape[-1] == 1 and index == 0:
            values = 1 - values
        total -= np.log(np.maximum(values, SMALLEST_PROBABILITY)).sum(dtype=np.float64)
    return total


def summarize(counts, names):
    """Derive the scores of a set of pictures.

    Args:
        counts: `Counts`.
        names: of the C classes.

    Returns:
        dictionary: `classes`, which is `names`; `mean_iou`, `mean_boundary_iou` and
        `pixel_accuracy`, over all pixels of the set; `iou`, `boundary_iou`, `dice`, `precision`
        and `recall`, each by class name, None where there is no pixel to judge by; `picture_iou`
        by class name, the mean of the IoU over the pictures whose mask shows the class;
        `mean_picture_iou`, the mean of that over the classes; and `confusion`, lists of counts,
        rows true, columns predicted.
    """
    from segmentation.evaluation import metrics

    total = metrics.scores(counts.confusion)
    boundary = metrics.iou(counts.boundary)
    by_picture = metrics.iou(counts.areas)
    by_picture[counts.areas[:, 1] == 0] = np.nan  # (N, C)
    picture_iou = [_mean(values) for values in by_picture.T]

    def by_class(values):
        return {name: rounded(value) for name, value in zip(names, values, strict=True)}

    return {
        "classes": list(names),
        "mean_iou": rounded(total["mean_iou"]),
        "mean_boundary_iou": rounded(_mean(boundary)),
        "mean_picture_iou": rounded(_mean(picture_iou)),
        "pixel_accuracy": rounded(total["pixel_accuracy"]),
        "iou": by_class(total["iou"]),
        "boundary_iou": by_class(boundary),
        "picture_iou": by_class(picture_iou),
        **{key: by_class(total[key]) for key in ("dice", "precision", "recall")},
        "confusion": counts.confusion.tolist(),
    }


def _mean(values):
    known = np.asarray(values)[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def rounded(value):
    """Return a score as it is written to JSON: six digits, None for NaN."""
    return None if np.isnan(value) else round(float(value), 6)


def ranking(counts, names):
    """Rank the pictures whose mask shows more than background, the best first.

    Args:
        counts: `Counts`.
        names: of the C classes.

    Returns:
        list of (index, IoU): the mean IoU over the classes other than the background that the
        mask or the prediction shows.
    """
    from segmentation.evaluation import metrics

    objects = [index for index, name in enumerate(names) if not labels.is_background(name)]
    scores = metrics.iou(counts.areas[:, :, objects])
    showing = np.flatnonzero(counts.areas[:, 1, objects].any(1))
    ranked = [(int(index), _mean(scores[index])) for index in showing]
    return sorted(ranked, key=lambda each: -each[1])


def extremes(ranked):
    """Choose pictures that show what a model can do and cannot.

    Args:
        ranked: of `ranking`.

    Returns:
        list of (`best`, `middle` or `worst`, index, IoU), at most `SHOWN` of each, none twice.
    """
    middle = max((len(ranked) - SHOWN) // 2, 0)
    kinds = {"best": ranked[:SHOWN], "middle": ranked[middle:][:SHOWN], "worst": ranked[-SHOWN:]}
    chosen, taken = [], set()
    for kind, group in kinds.items():
        for index, iou in group:
            if index not in taken:
                taken.add(index)
                chosen.append((kind, index, iou))
    return chosen
