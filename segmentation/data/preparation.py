"""Turn the samples of any reader into the files of any writer."""

import functools
import logging
import math
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from segmentation import files, storage
from segmentation.data import data_card, engines, image_io, labels, mask_evidence, masks
from segmentation.data.samples import check_sizes, read_label_map
from segmentation.errors import InputError
from segmentation.progress import track

logger = logging.getLogger(__name__)

MANY_CLASSES = 20  # from the older ADE20K project's README: beyond, accuracy suffers
DEFAULT_THRESHOLD = 0.7  # the older ADE20K project's
ROUNDING = 1e-9  # 0.7 * 10 is 7.000000000000001


class _Prepared(NamedTuple):
    """What becomes of a sample; `loaded` is None for one that shows too few classes."""

    mask: masks.Mask  # without its codes
    size: tuple[int, int]  # of the image
    classes_shown: int
    loaded: Any = None


@dataclass
class _Progress:
    """What is known of the samples that have been read."""

    kept: int = 0
    sizes: list[tuple[int, int]] = field(default_factory=list)  # of the images that are kept
    persons: set[str] = field(default_factory=set)
    skipped: list[str] = field(default_factory=list)
    by_classes_shown: Counter = field(default_factory=Counter)  # samples, kept or not
    seen: dict = field(default_factory=dict)  # what the masks show, as `mask_evidence.note` says


def prepare(reader, writer, engine=None, max_bad=None, threshold=None):
    """Write the samples of a reader, and labels.txt and their data card beside them.

    The files are the same bytes whatever the engine is, and appear together at the end. Memory does
    not grow with the number of samples, names excepted.

    Args:
        reader: `samples.Reader`.
        writer: one of `writers.FORMATS`, new.
        engine: of `engines`, which reads, and encodes or resizes; None: one thread.
        max_bad: fraction, 0..1, of the samples that may be damaged before it is an error; None:
            none. Damaged is a file that cannot be read whole, and a mask of another size than its
            image.
        threshold: fraction, 0..1, of the classes that a sample must show to be kept. Class 0 is
            not counted. None keeps every sample; a reader without a label map takes no other.

    Returns:
        dictionary: the paths written, counts, the fraction of pixels of each class, the number of
        samples that show it, what was skipped, and images per second.

    Raises:
        InputError: for whatever is wrong with the files, names or the disk, or if no sample is
            kept.
    """
    start = time.perf_counter()
    engine = engine or engines.Threads(1)
    storage.look(writer.label_path)
    if threshold is None:  # else few samples may be kept
        writer.require_room(reader.samples, engine.workers)
    with files.workspace_beside(writer.target) as workspace:
        each = functools.partial(engine.map, folder=workspace)
        label_map = read_label_map(reader, each) if writer.needs_label_map else reader.label_map
        if label_map:
            labels.check_free(writer.label_path, label_map.labels)
            _warn_of_many(label_map.labels)
        needed = None if threshold is None else required(threshold, _objects(label_map.labels))
        with writer.open(workspace):
            progress = _write(reader.samples, writer, label_map, needed or 0, each, max_bad)
            if not progress.kept:
                raise InputError(_nothing_kept(progress, label_map, threshold))
            label_map = label_map or reader.resolve(progress.seen)
            _say_without_background(label_map.labels)
            writer.finish(label_map)
        if reader.label_map:
            _require_a_class(reader.samples, writer.tally, label_map.labels, needed)
        labels.write(writer.label_path, label_map.labels)
        card = data_card.path_beside(writer.target)
        card.unlink(missing_ok=True)  # it is of the data that are replaced
        written = writer.publish()
    seconds = time.perf_counter() - start
    result = {**written, "pictures": progress.kept, "classes": label_map.labels}
    persons = len(progress.persons - {""})
    shares = writer.tally.report(len(label_map.labels))
    facts = {"pictures": progress.kept, "groups": persons, "classes": label_map.labels, **shares}
    data_card.write(card, writer.fingerprint(), progress.sizes, facts)
    if persons or label_map.mask_format:
        result |= {"persons": persons}
    if label_map.mask_format:
        result |= {"mask_format": label_map.mask_format}
    if reader.label_map:
        counts = range(_objects(label_map.labels) + 1)
        shown = [progress.by_classes_shown[count] for count in counts]
        result |= {"pictures_of": len(reader.samples), "classes_needed": needed}
        result |= {"pictures_by_classes_shown": shown}
    return {
        **result,
        **shares,
        "skipped": progress.skipped,
        "unpaired": reader.unpaired,
        "seconds": round(seconds, 2),
        "pictures_per_second": round(len(reader.samples) / seconds, 1),
    }


def _write(samples, writer, label_map, needed, each, max_bad):
    """Read all samples and add those to keep to the writer. Returns `_Progress`."""
    # What other machines run holds neither the writer, whose files are open, nor the check, which
    # compares each mask with those before it.
    work = functools.partial(
        _prepared,
        open_image=writer.open_image,
        load=writer.load,
        mask_size=writer.mask_size,
        names=label_map and label_map.labels,
        table=label_map and label_map.table,
        needed=needed,
    )
    progress = _Progress()
    results = track(each(work, samples), len(samples), "images")
    for sample, result in zip(samples, results, strict=True):
        if isinstance(result, image_io.UnreadableError):
            progress.skipped.append(str(result))
            _skip_or_refuse(progress.skipped, len(samples), max_bad)
            continue
        if label_map:
            label_map.check(sample.mask, result.mask)
        progress.by_classes_shown[result.classes_shown] += 1
        if result.loaded is not None:
            mask_evidence.note(progress.seen, result.mask, sample.mask)
            writer.add(sample, result.loaded)
            progress.kept += 1
            progress.sizes.append(result.size)
            progress.persons.add(sample.group)
    return progress


def _prepared(sample, open_image, load, mask_size, names, table, needed):
    """Return the `_Prepared` of a sample, or the UnreadableError for which it may be skipped."""
    try:
        image = open_image(sample)
        mask = sample.read_mask(mask_size)
        check_sizes(sample, image.size, mask.size)
        classes_shown = _classes_shown(mask, names, table) if table else 0
        loaded = load(sample, image, mask, table) if classes_shown >= needed else None
        return _Prepared(mask._replace(codes=None), image.size, classes_shown, loaded)
    except image_io.UnreadableError as error:
        return error


def required(threshold, num_classes):
    """Return how many of the classes a fraction of them is: 0.6 of 10 is 6, 0.61 of 10 is 7."""
    return math.ceil(threshold * num_classes - ROUNDING)


def threshold_of(count, num_classes):
    """Return a threshold, to three digits, for which `count` classes are `required`."""
    return math.floor(1000 * count / num_classes) / 1000


def _classes_shown(mask, names, table):
    ids = table(mask.legend)[mask.shown].tolist()
    return sum(labels.first_object(names) <= index < labels.IGNORED for index in {*ids})


def _objects(names):
    """Return how many of some classes are no background."""
    return len(names) - labels.first_object(names)


def _say_without_background(names):
    if not labels.first_object(names):
        logger.info(
            "class 0, '%s', is a class like the others; call it background if it is what belongs "
            "to none of them",
            names[0],
        )


def _warn_of_many(names):
    if _objects(names) > MANY_CLASSES:
        logger.warning(
            "warning: %d classes; accuracy suffers beyond %d: choose with --whitelist, or with "
            "--classes in training",
            _objects(names),
            MANY_CLASSES,
        )


def _skip_or_refuse(skipped, count, max_bad):
    """Log the last message about a damaged sample; raise InputError if there are too many."""
    if max_bad is None:
        raise InputError(f"{skipped[0]}; fix or remove it, or say --skip_bad")
    logger.warning("skipped: %s", skipped[-1])
    if len(skipped) > max_bad * count:
        raise InputError(
            f"{len(skipped)} of {count} pairs are damaged or do not match, more than --max_bad "
            f"{max_bad:g} allows: fix or remove them; the first: {skipped[0]}"
        )


def _nothing_kept(progress, label_map, threshold):
    shown, skipped = progress.by_classes_shown, progress.skipped
    if not shown:
        return f"none of the {len(skipped)} pairs can be read; the first: {skipped[0]}"
    classes = _objects(label_map.labels)
    needed = required(threshold, classes)
    would = [
        f"{threshold_of(count, classes):g} would keep "
        f"{sum(shown[more] for more in range(count, needed))}"
        for count in range(needed - 1, 0, -1)
        if shown[count]
    ]
    return (
        f"none of {shown.total()} images shows {needed} of the {classes} classes, as "
        f"--whitelist_threshold {threshold:g} requires: " + (", ".join(would) or "none shows any")
    )


def _require_a_class(samples, tally, names, needed):
    if tally.pixels[labels.first_object(names) : len(names)].any():
        return
    more = "" if needed is None else " of --whitelist"
    if tally.pixels[labels.IGNORED] and needed is None:
        more = "; objects of black and white masks must be 1: 255 is no class"
    raise InputError(f"{samples[0].mask.parent}: no mask shows a class{more}")
