"""What a network learns from: samples to train and validate on, and the classes in them."""

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path

import nets
from segmentation import probabilities
from segmentation.data import arrays, augmentation, pipeline, split, tfrecords
from segmentation.data.classes import Classes, choose
from segmentation.data.split import Split
from segmentation.errors import InputError
from segmentation.training import class_weights

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Samples:
    """What a network learns from, before any mask is looked at.

    Attributes:
        split: `Split`.
        classes: `Classes` that the network learns.
        aux_classes: `Classes` that an output for training alone learns, or None.
        img_size: `(height, width)` in pixels that images are stretched to.
    """

    split: Split
    classes: Classes
    aux_classes: Classes | None
    img_size: tuple[int, int]


def open_samples(config):
    """Open the data that a `TrainConfig` names, and choose the classes.

    Returns:
        `Samples`.

    Raises:
        InputError: if a file is missing or damaged, the two sets don't fit together or share
            images, or an option doesn't fit the classes.
    """
    training, validation = _open(config.files)
    if validation is None:
        parts = split.hold_out(training, config.validation_split, config.seed)
    else:
        parts = split.of_two(training, validation)
    chosen = choose(training.labels, config.classes, config.ignore_class)
    classes = Classes.of_data(training.labels, chosen, config.ignore_class)
    aux_classes = None
    if config.aux_classes:
        aux_chosen = choose(training.labels, config.aux_classes)
        if set(aux_chosen) <= set(chosen):
            raise InputError(f"--aux_classes {config.aux_classes}: learned already, by --classes")
        aux_classes = Classes.of_data(training.labels, aux_chosen, config.ignore_class)
    class_weights.check_option(config, classes)
    img_size = config.img_size or training.images.shape[1:3]
    return Samples(parts, classes, aux_classes, img_size)


def open_batches(config, samples):
    """Look at every mask and make batches of the samples.

    Args:
        config: `TrainConfig`.
        samples: `Samples`.

    Returns:
        `pipeline.TrainingData`.

    Raises:
        InputError: if there are too few images, or a part of them shows none of the classes.
    """
    num_masks = len(samples.split.training) + len(samples.split.validation)
    logger.info(f"counting classes in {num_masks:,} masks")
    batch_size = config.batch_size or min(pipeline.BATCH_SIZE, len(samples.split.training))
    options = pipeline.BatchOptions(
        samples.img_size,
        batch_size,
        probabilities.evaluation_batch_size(
            batch_size, samples.img_size, len(samples.classes.id_names)
        ),
        config.seed,
        _affine_ranges(config),
        nets.strides(config.model),
        config.steps_per_epoch,
    )
    return pipeline.open_training_data(samples.split, samples.classes, options, samples.aux_classes)


def _open(files):
    """Return the data set to train on, and the one to validate on or None."""
    path, other = (
        (files.tfrecord_data, files.val_tfrecord_data)
        if files.tfrecord_data
        else (files.img_file, files.val_img_file)
    )
    # --label_filename renames the classes of both sets where their own labels are equal. Otherwise
    # the validation data keep their own, which show whether the two sets fit together.
    label_files = [Path(data).parent / "labels.txt" for data in (path, other) if data]
    exist = [file.exists() for file in label_files]
    equal = all(exist) and len({file.read_bytes() for file in label_files}) == 1
    other_labels = files.label_filename if equal or not exist[-1] else None
    if files.tfrecord_data:
        training = tfrecords.open_records(path, files.label_filename)
        validation = other and tfrecords.open_records(other, other_labels)
    else:
        training = arrays.open_arrays(path, files.mask_file, files.label_filename)
        validation = other and arrays.open_arrays(other, files.val_mask_file, other_labels)
    shared = validation and validation.shared(training)
    if shared:
        raise InputError(
            f"{other}: {shared} of its {len(validation)} images are in {path} too; validate on "
            "other images"
        )
    return training, validation


def _affine_ranges(config):
    """Return the `AffineRanges` of the augmentation, or None."""
    if not config.augment:
        return None
    usual = augmentation.SCENES if config.files.tfrecord_data else augmentation.PORTRAITS
    return dataclasses.replace(usual, flip_up_down=config.flip_up_down)
