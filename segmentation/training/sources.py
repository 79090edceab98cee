"""What a network learns from: samples to train and validate on, and the classes in them."""

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import nets
from segmentation import probabilities
from segmentation.data import (
    arrays,
    augmentation,
    data_card,
    labels,
    pipeline,
    readers,
    split,
    statistics,
    tfrecords,
    unlabelled,
)
from segmentation.data.classes import Classes, choose, mirrored
from segmentation.data.dataset import Dataset, Subset
from segmentation.data.share import ALONE
from segmentation.data.split import Split
from segmentation.errors import InputError
from segmentation.training import class_weights, plan
from segmentation.training.config import UNLABELLED_SHARE

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Samples:
    """What a network learns from, before any mask is looked at.

    Attributes:
        training: `Dataset` to train on, and without `validation` to hold out a part of.
        validation: `Dataset` to validate on, or None.
        classes: `Classes` that the network learns.
        aux_classes: `Classes` that an output for training alone learns, or None.
        img_size: `(height, width)` in pixels that images are stretched to.
        unlabelled: paths of images without masks, which a teacher labels.
    """

    training: Dataset
    validation: Dataset | None
    classes: Classes
    aux_classes: Classes | None
    img_size: tuple[int, int]
    unlabelled: tuple[Path, ...] = ()


def open_samples(config, share=ALONE):
    """Open the data that a `TrainConfig` names, and choose the classes.

    Args:
        config: `TrainConfig`.
        share: `Share` of this process in every batch.

    Returns:
        `Samples`.

    Raises:
        InputError: if a file is missing or damaged, the two sets don't fit together or share
            images, there are fewer TFRecord files than workers, or an option doesn't fit the
            classes.
    """
    training, validation = _open(config.files)
    if config.files.tfrecord_data and training.num_files < share.workers:
        raise InputError(
            f"{config.files.tfrecord_data}: {training.num_files} files for {share.workers} workers "
            "that each read files of their own: prepare the data with data.py --num_shards "
            f"{share.workers} or more, or start fewer workers"
        )
    if validation is not None:
        split.require_same_labels(training, validation)
        _require_other_images(config.files, training, validation)
    chosen = choose(training.labels, config.classes, config.ignore_class)
    classes = Classes.of_data(training.labels, chosen, config.ignore_class)
    aux_classes = None
    if config.aux_classes:
        aux_chosen = choose(training.labels, config.aux_classes)
        if set(aux_chosen) <= set(chosen):
            raise InputError(f"--aux_classes {config.aux_classes}: learned already, by --classes")
        aux_classes = Classes.of_data(training.labels, aux_chosen, config.ignore_class)
    class_weights.check_option(config, classes)
    img_size = config.img_size or _img_size(config.files, training)
    others = tuple(readers.find_images(config.unlabelled)) if config.unlabelled else ()
    return Samples(training, validation, classes, aux_classes, img_size, others)


def open_batches(config, samples, model, begun=None, share=ALONE):
    """Look at every mask, split the samples and make batches of them.

    Args:
        config: `TrainConfig`, completed by `plan`.
        samples: `Samples`.
        model: built network.
        begun: `RunFiles.begun`: a resumed run keeps its split.
        share: `Share` of this process in every batch.

    Returns:
        `pipeline.TrainingData`.

    Raises:
        InputError: if there are too few images, or a part of them shows none of the classes.
    """
    parts, counts = _split(config, samples, begun)
    at_once = probabilities.evaluation_batch_size(
        config.batch_size, samples.img_size, len(samples.classes.id_names)
    )
    by_file = config.files.tfrecord_data and share.workers > 1
    options = pipeline.BatchOptions(
        samples.img_size,
        config.batch_size,
        share.whole(at_once),
        config.seed,
        _affine_ranges(config, samples),
        nets.strides(model)[: 1 + len(nets.heads(config.model))],
        config.steps_per_epoch,
        bool(config.teacher),
        _unlabelled(config, samples),
        share,
        samples.training.files if by_file else None,
    )
    data = pipeline.open_training_data(parts, counts, samples.classes, options, samples.aux_classes)
    if config.workers:
        data.train.workers = data.validation.workers = config.workers
    return data


def _unlabelled(config, samples):
    """Return the `Unlabelled` images of the samples, or None."""
    if not samples.unlabelled:
        return None
    share = config.unlabelled_share or UNLABELLED_SHARE
    per_batch = unlabelled.number_per_batch(share, config.batch_size)
    logger.info(f"reading {len(samples.unlabelled):,} images without masks")
    return unlabelled.read(samples.unlabelled, samples.img_size, per_batch)


def _split(config, samples, begun):
    """Return a `Split`, and `statistics.count_ids` of its two parts."""
    training, validation = samples.training, samples.validation
    num_masks = len(training) + len(validation or ())
    logger.info(f"counting classes in {num_masks:,} masks")
    counts = statistics.count_ids(training, samples.img_size)
    if validation is not None:
        validation_counts = statistics.count_ids(validation, samples.img_size)
        return split.of_two(training, validation), (counts, validation_counts)
    data = begun and begun["card"]["data"]
    if data and {data["fingerprint"], data["training_fingerprint"]} == {training.fingerprint()}:
        held_out = np.array(begun["card"]["validation_rows"])
        rest = np.setdiff1d(np.arange(len(training)), held_out)
        parts = Split(Subset(training, rest), Subset(training, held_out))
    else:
        shown = statistics.shown(counts, samples.classes)
        parts = split.hold_out(training, config.validation_split, config.seed, shown)
    return parts, (counts[parts.training.rows], counts[parts.validation.rows])


def _paths(files):
    """Return the path of the data to train on, and of those to validate on or None."""
    if files.tfrecord_data:
        return files.tfrecord_data, files.val_tfrecord_data
    return files.img_file, files.val_img_file


def _open(files):
    """Return the data set to train on, and the one to validate on or None."""
    path, other = _paths(files)
    # --label_filename renames the classes of both sets where their own labels are equal. Otherwise
    # the validation data keep their own, which show whether the two sets fit together.
    given = [Path(data) for data in (path, other) if data]
    folders = [data if data.is_dir() else data.parent for data in given]
    label_files = [folder / "labels.txt" for folder in folders]
    exist = [file.exists() for file in label_files]
    equal = all(exist) and len({file.read_bytes() for file in label_files}) == 1
    other_labels = files.label_filename if equal or not exist[-1] else None
    if files.tfrecord_data:
        training = tfrecords.open_records(path, files.label_filename)
        validation = other and tfrecords.open_records(other, other_labels)
    else:
        training = arrays.open_arrays(path, files.mask_file, files.label_filename)
        validation = other and arrays.open_arrays(other, files.val_mask_file, other_labels)
    return training, validation


def _require_other_images(files, training, validation):
    """Raise InputError if images to validate on are trained on; warn of groups that are."""
    path, other = _paths(files)
    shared = validation.shared(training)
    if shared:
        by_pixels = files.tfrecord_data or training.images.shape[1:] == validation.images.shape[1:]
        how = "" if by_pixels else ", by name and group (at one size pixels are compared)"
        raise InputError(
            f"{other}: {shared} of its {len(validation)} images are in {path} too{how}; validate "
            "on other images"
        )
    groups = sorted({*training.groups} & {*validation.groups} - {""})
    if groups:
        logger.warning(
            f"{other}: {len(groups)} of its groups (persons, drives), {groups[0]} first, are in "
            f"{path} too: the scores will be better than for other groups"
        )


def _img_size(files, training):
    """Return the `(height, width)` of arrays, or what is planned for TFRecords."""
    if not files.tfrecord_data:
        return training.images.shape[1:3]
    path = tfrecords.set_path(files.tfrecord_data)
    return plan.img_size(data_card.read(path, training.fingerprint()))


def _affine_ranges(config, samples):
    """Return the `AffineRanges` of the augmentation of these samples, or None."""
    if not config.augment:
        return None
    usual = augmentation.SCENES if config.files.tfrecord_data else augmentation.PORTRAITS
    table, pairs, unpaired = mirrored(samples.training.labels)
    if pairs:
        logger.info("a flip turns %s", ", ".join(f"{a} into {b}" for a, b in pairs))
    learned = {*samples.classes.names, *(samples.aux_classes.names if samples.aux_classes else ())}
    unpaired = [name for name in unpaired if name in learned]
    if unpaired:
        logger.warning(
            f"{labels.listed(unpaired)}: no class is the other side, so flips show the network "
            "either side as this one; name the classes alike (left_…, right_…), or train with "
            "--no_augment"
        )
    table = table if pairs else None
    return dataclasses.replace(usual, flip_up_down=config.flip_up_down, mirrored=table)
