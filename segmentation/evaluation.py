"""Measuring a model on pictures with masks, at the size of the masks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from segmentation import labels, lfw, masks, pictures
from segmentation.errors import InputError
from segmentation.predictor import BATCH_SIZE, decide, enlarge

SMALLEST_PROBABILITY = 1e-7  # keeps the cross-entropy finite; Keras' epsilon
SHOWN = 3  # pictures of each kind in a contact sheet


@dataclass(frozen=True)
class Pairs:
    """Pictures with masks, read when they are asked for.

    `read(index)` gives `(H, W, 3)` uint8 RGB and `(H, W)` uint8 class ids (255: no class);
    `titles` name the pictures and `labels` the classes by id.
    """

    titles: list[str]
    labels: list[str]
    read: Callable


def from_arrays(arrays, rows=None):
    """Return the `Pairs` of prepared arrays, of the given rows or of all.

    Args:
        arrays: `datasets.Arrays`.
        rows: row numbers, or None.

    Raises:
        InputError: if there are no such rows.
    """
    rows = list(range(len(arrays.images)) if rows is None else rows)
    if not rows or not 0 <= min(rows) <= max(rows) < len(arrays.images):
        raise InputError(f"the rows to evaluate are none of the {len(arrays.images)} of the data")

    def read(index):
        return np.asarray(arrays.images[rows[index]]), np.asarray(arrays.masks[rows[index]])

    return Pairs([arrays.stems[row] for row in rows], arrays.labels, read)


def from_folders(data_dirs, mask_format=None, names=None):
    """Return the `Pairs` of folders as `data.py lfw` reads them, at their own size.

    Args:
        data_dirs: folders.
        mask_format: one of `masks.FORMATS`, None to recognise it.
        names: class names by id, None for those of the format.

    Raises:
        InputError: if nothing pairs, or the masks are in no known format or in several.
    """
    pairs = [pair for folder in data_dirs for pair in lfw.find_pairs(folder)[0]]
    seen = {}  # all that the masks show together tells their format
    for pair in pairs:
        _, legend, codes, _ = masks.read(pair.mask, (1, 1))
        for code in codes:
            seen.setdefault(legend, {}).setdefault(code, pair.mask)
    mask_format, names = masks.recognize(seen, mask_format, names)

    def read(index):
        pair = pairs[index]
        picture = pictures.read(pair.picture)
        codes, legend, _, size = masks.read(pair.mask, picture.shape[:2])
        if size != picture.shape[:2]:
            raise InputError(f"{pair.mask}: has not the size of {pair.picture}; remove the pair")
        return picture, masks.table(legend, seen[legend], mask_format)[codes]

    return Pairs([pair.stem for pair in pairs], names, read)


def target_of(predict, pairs):
    """Return how class ids of the data become channels of the model, matched by class name.

    Args:
        predict: `Predictor` with a model card.
        pairs: `Pairs`.

    Returns:
        `(names, table)`: the model's classes with the background first, and the `(256,)` uint8
        from class id to their index, 255 for pixels that do not count.

    Raises:
        InputError: if the data lacks a class of the model.
    """
    chosen = predict.classes if len(predict.classes) == 1 else predict.classes[1:]
    ignore_class = predict.card.get("settings", {}).get("ignore_class")
    try:
        channels, table = labels.channels(pairs.labels, chosen, ignore_class)
    except InputError as error:
        raise InputError(f"{predict.path} does not fit this data: {error}") from None
    return [pairs.labels[0], *chosen] if len(channels) == 1 else channels, table


def measure(predict, pairs, table, progress):
    """Run the model on all pairs and count.

    Probabilities are enlarged bilinearly to the size of the mask before they are decided.

    Args:
        predict: `Predictor`.
        pairs: `Pairs`.
        table: of `target_of`.
        progress: as `command_line.progress`.

    Returns:
        `(matrices, crossentropy)`: `(N, C, C)` int64, a confusion matrix per picture, background
        included; and the mean of -ln of the probability of the true class, over all
        pixels that count: the binary cross-entropy when there is one class.
    """
    from segmentation import metrics

    matrices, loss = [], 0.0
    num_classes = max(len(predict.classes), 2)
    starts = range(0, len(pairs.titles), BATCH_SIZE)
    for start in progress(starts, len(starts), "Evaluating"):
        indexes = range(start, min(start + BATCH_SIZE, len(pairs.titles)))
        for truth, probabilities, _ in run(predict, pairs, table, indexes):
            matrices.append(metrics.confusion_matrix(truth, decide(probabilities), num_classes))
            loss += _total_crossentropy(truth, probabilities)
    matrices = np.stack(matrices)
    return matrices, loss / max(int(matrices.sum()), 1)


def run(predict, pairs, table, indexes):
    """Yield `(truth, probabilities, picture)` of the pairs at `indexes`, at the masks' size."""
    read = [pairs.read(index) for index in indexes]
    batch = np.stack([pictures.resize(picture, predict.img_size) for picture, _ in read])
    for (picture, ids), probabilities in zip(read, predict(batch), strict=True):
        yield table[ids], enlarge(probabilities, ids.shape), picture


def _total_crossentropy(truth, probabilities):
    valid = truth != labels.IGNORED
    ids, values = truth[valid], probabilities[valid]  # (pixels,), (pixels, C)
    if values.shape[-1] == 1:
        of_truth = np.where(ids == 1, values[:, 0], 1 - values[:, 0])
    else:
        of_truth = values[np.arange(len(ids)), ids]
    return -np.log(np.maximum(of_truth, SMALLEST_PROBABILITY)).sum(dtype=np.float64)


def summarize(matrices, names):
    """Derive the scores of a set of pictures.

    Args:
        matrices: `(N, C, C)`, of `measure`.
        names: of the C classes.

    Returns:
        dictionary: `mean_iou` and `pixel_accuracy`, over all pixels of the set; `iou`, `dice`,
        `precision` and `recall`, each by class name, None where there is no pixel to judge by;
        `picture_iou` by class name, the mean of the IoU over the pictures whose mask shows the
        class; and `mean_picture_iou`, the mean of that over the classes.
    """
    from segmentation import metrics

    total = metrics.scores(matrices.sum(0))
    by_picture = picture_ious(matrices)
    by_picture[matrices.sum(2) == 0] = np.nan
    shown = {
        name: float(np.nanmean(by_picture[:, index]))
        for index, name in enumerate(names)
        if np.isfinite(by_picture[:, index]).any()
    }
    per_class = {
        key: {name: _known(value) for name, value in zip(names, total[key], strict=True)}
        for key in ("iou", "dice", "precision", "recall")
    }
    return {
        "mean_iou": _known(total["mean_iou"]),
        "pixel_accuracy": _known(total["pixel_accuracy"]),
        **per_class,
        "mean_picture_iou": _known(float(np.mean(list(shown.values()))) if shown else np.nan),
        "picture_iou": {name: _known(shown.get(name, np.nan)) for name in names},
    }


def picture_ious(matrices):
    """Return `(N, C)`: the IoU of each class in each picture, NaN where neither mask shows it."""
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    unions = matrices.sum(1) + matrices.sum(2) - hits
    return np.divide(hits, unions, out=np.full(hits.shape, np.nan), where=unions > 0)


def _known(value):
    return None if np.isnan(value) else round(float(value), 6)


def extremes(matrices):
    """Choose pictures that show what a model can do and cannot.

    Of the pictures whose mask shows more than background, those with the best, the middle and the
    worst mean IoU over classes other than the background; at most `SHOWN` of each.

    Args:
        matrices: `(N, C, C)`, of `measure`.

    Returns:
        list of (`best`, `middle` or `worst`, index, IoU).
    """
    scores = picture_ious(matrices)[:, 1:]
    showing = np.flatnonzero(matrices.sum(2)[:, 1:].any(1))
    ranked = sorted(showing, key=lambda index: -np.nanmean(scores[index]))
    middle = max((len(ranked) - SHOWN) // 2, 0)
    kinds = {"best": ranked[:SHOWN], "middle": ranked[middle:][:SHOWN], "worst": ranked[-SHOWN:]}
    chosen, taken = [], set()
    for kind, indexes in kinds.items():
        for index in indexes:
            if index not in taken:
                taken.add(index)
                chosen.append((kind, int(index), float(np.nanmean(scores[index]))))
    return chosen
