"""What the facts of all samples say together: the findings of a check."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from segmentation.checking import duplicates
from segmentation.data import labels

# All measured, see docs/data.md. Of standard deviations, `placement.Placement`:
GAIN = 1.0  # by which borders must fit better elsewhere than where they lie
POOR = 0.3  # of the set's median fit: less, and the mask may be of another image
FEWEST_PLACED = 20  # masks: fewer have no distribution
MANY_SPECKS = 20  # in a mask, and more than the outer fence of the set's own numbers
BLENDED = 0.25  # of the places where a border of a mask passes: as many are blends
FEWEST_BLENDS = 24  # in a mask: hair that ends in a point is as narrow as a blend
TINY = 32  # pixels, of the shorter side
USUAL = 0.9  # of the images: if so many are of one size, the others are odd

MEANINGS = {
    "unreadable": "files that are damaged",
    "sizes_differ": "masks of another size than their image",
    "outside_labels": "masks with ids that no label names",
    "unpaired": "images without a mask, or masks without an image: skipped",
    "between_parts": "images of validation that are equal or nearly equal to one of training",
    "equal": "images that are equal",
    "nearly_equal": "images that are nearly equal",
    "shifted": "masks that would fit better elsewhere",
    "flipped": "masks that would fit better flipped",
    "poor_fit": "masks whose borders hardly lie on edges of the image: perhaps another's",
    "one_class": "masks that show one class alone",
    "no_class": "masks that show no class, or the background alone",
    "rare_class": "classes that few images show",
    "blended": "masks with classes in narrow lines between others, as interpolation makes them",
    "specks": "masks with many specks and holes",
    "odd_size": "images of an unusual size",
    "exif": "images with an EXIF orientation",
}


@dataclass(frozen=True)
class Finding:
    """What is wrong with a sample, a pair, or a class.

    Attributes:
        kind: a key of `MEANINGS`.
        name: of what it is about.
        detail: a line.
        samples: `(part, number)` of those to show.
    """

    kind: str
    name: str
    detail: str
    samples: tuple = ()


def of(facts, names, fewest):
    """Yield a `Finding` for all that is wrong, kind by kind.

    Args:
        facts: `examine.Facts` of all samples of all parts, one of which could be read.
        names: of the classes by id.
        fewest: images that must show a class.
    """
    for one in facts:
        if one.problem:
            yield _about(one, one.kind, one.problem)
    good = [one for one in facts if not one.problem]
    yield from _copies(good)
    yield from _places(good)
    yield from _classes(good, names, fewest)
    yield from _blends(good)
    yield from _specks(good)
    yield from _sizes(good)


def _about(one, kind, detail):
    return Finding(kind, one.name, detail, ((one.part, one.number),))


def _copies(facts):
    hashes = np.array([one.phash for one in facts], np.uint64)
    for i, j, similarity in duplicates.pairs(hashes, [one.small for one in facts]):
        one, other = facts[i], facts[j]
        equal = one.digest == other.digest
        kind = "equal" if equal else "nearly_equal"
        if one.part != other.part:
            kind = "between_parts"
        detail = "equal" if equal else f"structural similarity {similarity:.2f}"
        if one.part == other.part and one.group != other.group:
            detail += f"; in the groups {one.group!r} and {other.group!r}"
        shown = ((one.part, one.number), (other.part, other.number))
        yield Finding(kind, f"{one.name} and {other.name}", detail, shown)


def _places(facts):
    placed = [one for one in facts if one.place]
    if len(placed) < FEWEST_PLACED:
        return
    fits = np.array([one.place.fit for one in placed])
    others = {"best": "shifted", "mirrored": "flipped", "upended": "flipped"}
    elsewhere = np.array([[getattr(one.place, name) for name in others] for one in placed])
    # What a good place is in this set, even one whose masks are all shifted in the same way.
    usual = float(np.quantile(np.maximum(fits, elsewhere.max(1)), 0.25))
    median = float(np.median(fits))
    for one, fit, places in zip(placed, fits, elsewhere, strict=True):
        best = int(places.argmax())
        if places[best] - fit > GAIN and places[best] >= usual:
            down, right = one.place.shift
            detail = (
                f"fits better {_way(down, 'up', 'down')} and {_way(right, 'left', 'right')}",
                "fits better mirrored left to right",
                "fits better upside down",
            )[best]
            kind = tuple(others.values())[best]
            yield _about(one, kind, f"{detail} ({fit:.1f} to {places[best]:.1f})")
        elif fit < POOR * median:
            yield _about(one, "poor_fit", f"fit {fit:.1f}, and {median:.1f} is the median")


def _way(fraction, below, above):
    return f"{abs(fraction):.0%} further {below if fraction < 0 else above}"


def _classes(facts, names, fewest):
    first = labels.first_object(names)
    shown_by = Counter()
    for one in facts:
        shown = [index for index in one.shown if index != labels.IGNORED]
        shown_by.update(shown)
        if not [index for index in shown if index >= first]:
            what = "background alone" if shown else "no class: every pixel is ignored"
            yield _about(one, "no_class", what)
        elif len(shown) == 1:
            yield _about(one, "one_class", f"{names[shown[0]]} alone")
    for index, name in enumerate(names):
        if shown_by[index] < fewest:
            yield Finding("rare_class", name, f"images that show it: {shown_by[index]}")


def _blends(facts):
    for one in facts:
        blends, jumps = one.borders
        if blends >= FEWEST_BLENDS and blends > BLENDED * (blends + jumps):
            detail = f"at {blends} of {blends + jumps} places a border passes through ids between"
            yield _about(one, "blended", f"{detail}: resized with interpolation, not nearest")


def _specks(facts):
    counts = np.array([one.specks for one in facts])
    low, high = np.quantile(counts, (0.25, 0.75))
    limit = max(MANY_SPECKS, high + 3 * (high - low))  # Tukey's outer fence
    for one in facts:
        if one.specks > limit:
            yield _about(one, "specks", f"{one.specks} specks and holes")


def _sizes(facts):
    usual, number = Counter(one.size for one in facts).most_common(1)[0]
    for one in facts:
        height, width = one.size
        if min(one.size) < TINY or (one.size != usual and number >= USUAL * len(facts)):
            yield _about(one, "odd_size", f"{width} x {height}")
