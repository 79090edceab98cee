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

    `read(index)` gives `(H, W, 3)` uint8 RGB and `(H, W)` uint8 class ids (255: no class), or
    raises `pictures.UnreadableError`; `titles` name the pictures and `labels` the classes by id.
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


def from_folders(data_dirs, mask_format=None, names=None, say=lambda line: None):
    """Return the `Pairs` of folders as `data.py lfw` reads them, at their own size.

    Args:
        data_dirs: folders.
        mask_format: one of `masks.FORMATS`, None to recognise it.
        names: class names by id, None for those of the format.
        say: called with a line for the user about what has no partner.

    Raises:
        InputError: if nothing pairs, no mask can be read, or the masks are in no known format or
            in several.
    """
    pairs, _, _ = lfw.find_all_pairs(data_dirs, say)
    seen, damage = {}, None  # all that the masks show together tells their format
    for pair in pairs:
        try:
            _, legend, codes, _ = masks.read(pair.mask, (1, 1))
        except pictures.UnreadableError as error:  # comes again when the pair is to be measured
            damage = error
            continue
        for code in codes:
            seen.setdefault(legend, {}).setdefault(code, pair.mask)
    if not seen:
        raise InputError(f"none of the {len(pairs)} masks can be read; the last: {damage}")
    mask_format, names = masks.recognize(seen, mask_format, names)

    def read(index):
        picture, codes, legend, _ = lfw.read_pair(pairs[index])
        return picture, masks.table(legend, seen[legend], mask_format)[codes]

    return Pairs([pair.stem for pair in pairs], names, read)


def target_of(predict, pairs):
    """Return how class ids of the data become channels of the model, matched by class name.

    Args:
        predict: `Predictor` with a model card.
        pairs: `Pairs`.

    Returns:
        `(names, table)`: the model's classes, of a single one the background before it, and the
        `(256,)` uint8 from class id to their index, 255 for pixels that do not count.

    Raises:
        InputError: if the data lacks a class of the model.
    """
    ignored = predict.card.get("ignored_class")  # by name: other data may number it otherwise
    ignores_background = ignored is not None and labels.is_background(ignored)
    if ignores_background:
        ignore_class = 0
    else:
        ignore_class = pairs.labels.index(ignored) if ignored in pairs.labels else None
    has_background = labels.is_background(predict.classes[0])
    chosen = predict.classes[1:] if has_background else predict.classes
    try:
        channels, table = labels.channels(pairs.labels, chosen, ignore_class)
    except InputError as error:
        raise InputError(
            f"{predict.path} does not fit this data: {error}; --labels names the classes of masks"
        ) from None
    return [pairs.labels[0], *chosen] if len(channels) == 1 else channels, table


def measure(predict, pairs, table, progress, say=lambda line: None):
    """Run the model on all pairs and count.

    Probabilities are enlarged bilinearly to the size of the mask before they are decided.

    Args:
        predict: `Predictor`.
        pairs: `Pairs`.
        table: of `target_of`.
        progress: as `command_line.progress`.
        say: called with a line for the user about each damaged pair.

    Returns:
        `(matrices, crossentropy, broken)`: `(N, C, C)` int64, a confusion matrix per pair, the
        background of a single class included, zeros for a damaged pair; the mean of -ln of the
        probability of the true class, over all pixels that count: the binary cross-entropy when
        there is one class; and how many pairs are damaged.

    Raises:
        InputError: if all are.
    """
    from segmentation import metrics

    num_classes = max(len(predict.classes), 2)
    matrices = np.zeros((len(pairs.titles), num_classes, num_classes), np.int64)
    loss, broken = 0.0, 0
    starts = range(0, len(pairs.titles), BATCH_SIZE)
    for start in progress(starts, len(starts), "Evaluating"):
        read = {}
        for index in range(start, min(start + BATCH_SIZE, len(pairs.titles))):
            try:
                read[index] = pairs.read(index)
            except pictures.UnreadableError as error:
                say(f"skipped: {error}")
                broken += 1
        results = run(predict, table, list(read.values()))
        for index, (truth, probabilities) in zip(read, results, strict=True):
            matrices[index] = metrics.confusion_matrix(truth, decide(probabilities), num_classes)
            loss += _total_crossentropy(truth, probabilities)
    if broken == len(pairs.titles):
        raise InputError(f"none of the {broken} pairs can be read; see above")
    return matrices, loss / max(int(matrices.sum()), 1), broken


def run(predict, table, read):
    """Yield `(truth, probabilities)` of what `Pairs.read` gave, at the size of the masks."""
    if not read:
        return
    batch = np.stack([pictures.resize(picture, predict.img_size) for picture, _ in read])
    for (_, ids), probabilities in zip(read, predict(batch), strict=True):
        yield table[ids], enlarge(probabilities, ids.shape)


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


def extremes(matrices, names):
    """Choose pictures that show what a model can do and cannot.

    Of the pictures whose mask shows more than background, those with the best, the middle and the
    worst mean IoU over classes other than the background; at most `SHOWN` of each.

    Args:
        matrices: `(N, C, C)`, of `measure`.
        names: of the C classes.

    Returns:
        list of (`best`, `middle` or `worst`, index, IoU).
    """
    objects = [index for index, name in enumerate(names) if not labels.is_background(name)]
    scores = picture_ious(matrices)[:, objects]
    showing = np.flatnonzero(matrices.sum(2)[:, objects].any(1))
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
