"""Where a trained model is sure of another class than the mask."""

from segmentation.checking.findings import Finding
from segmentation.data import labels
from segmentation.errors import InputError
from segmentation.evaluation import measure
from segmentation.progress import track

MOST = 200  # masks that are listed


def rank(predict, datasets):
    """Return a `Finding` for each of the masks that a model disputes most, the worst first.

    The measure is the fraction of the labelled pixels for which the model predicts another class.

    Args:
        predict: `Predictor` whose classes are named.
        datasets: `Dataset` by part.

    Raises:
        InputError: if the data lacks a class of the model.
    """
    found = []
    for part, data in datasets.items():
        classes = measure.match_classes(predict, data)
        for number in track(range(len(data)), len(data), "disputes"):
            try:
                image, ids = data.read(number)
            except InputError:  # a finding already
                continue
            truth, mask, _ = next(iter(measure.segment(predict, classes, [(image, ids)])))
            known = truth != labels.IGNORED
            share = float((mask != truth)[known].mean()) if known.any() else 0.0
            found.append((share, part, number, data.stems[number]))
    found.sort(key=lambda one: -one[0])
    return [
        Finding("disputed", name, f"{share:.1%} of the pixels", ((part, number),))
        for share, part, number, name in found[:MOST]
    ]
