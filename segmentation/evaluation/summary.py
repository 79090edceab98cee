"""Scores from counts: of the whole set, of each image, and the images to look at."""

import numpy as np

from segmentation.data import labels
from segmentation.evaluation import metrics

SHOWN = 3  # images of each kind in a contact sheet


def summarize(counts):
    """Derive the scores of a set of samples.

    Args:
        counts: `measure.Counts`.

    Returns:
        dictionary: `classes`, the names; `mean_iou`, `mean_boundary_iou` and `pixel_accuracy`, over
        all pixels of the set; `iou`, `boundary_iou`, `dice`, `precision` and `recall`, each by
        class name, None where the denominator is 0; `picture_iou` by class name, the mean IoU over
        the images whose mask shows the class; `mean_picture_iou`, the mean of `picture_iou` over
        the classes; and `confusion`, lists of counts, rows true, columns predicted.
    """
    total = metrics.scores(counts.confusion)
    boundary = metrics.iou(counts.boundary)
    by_image = metrics.iou(counts.per_image)  # (N, C)
    by_image[counts.per_image.support == 0] = np.nan
    image_iou = [_mean(values) for values in by_image.T]

    def by_class(values):
        return {name: rounded(value) for name, value in zip(counts.names, values, strict=True)}

    return {
        "classes": list(counts.names),
        "mean_iou": rounded(total["mean_iou"]),
        "mean_boundary_iou": rounded(_mean(boundary)),
        "mean_picture_iou": rounded(_mean(image_iou)),
        "pixel_accuracy": rounded(total["pixel_accuracy"]),
        "iou": by_class(total["iou"]),
        "boundary_iou": by_class(boundary),
        "picture_iou": by_class(image_iou),
        **{key: by_class(total[key]) for key in ("dice", "precision", "recall")},
        "confusion": counts.confusion.tolist(),
    }


def _mean(values):
    known = np.asarray(values)[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def rounded(value):
    """Return a score as JSON holds it: six digits, None for NaN."""
    return None if np.isnan(value) else round(float(value), 6)


def rank(counts):
    """Rank the images whose mask shows more than background, the best first.

    Args:
        counts: `measure.Counts`.

    Returns:
        list of `(index, IoU)`: the mean IoU over the classes other than the background that the
        mask or the prediction shows.
    """
    objects = [index for index, name in enumerate(counts.names) if not labels.is_background(name)]
    scores = metrics.iou(counts.per_image)[:, objects]
    with_objects = np.flatnonzero(counts.per_image.support[:, objects].any(1))
    ranked = [(int(index), _mean(scores[index])) for index in with_objects]
    return sorted(ranked, key=lambda each: -each[1])


def extremes(ranked):
    """Choose images that show what a model can do and what it cannot.

    Args:
        ranked: of `rank`.

    Returns:
        list of `(kind, index, IoU)`, with the kinds `best`, `middle` and `worst`: at most `SHOWN`
        of each, none twice.
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
