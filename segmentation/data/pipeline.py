"""From prepared files to batches of (image, mask), the same ones in every run of one seed."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import keras
import numpy as np

from segmentation.data import augmentation, image_io, labels, masks
from segmentation.data.classes import Classes
from segmentation.errors import InputError
from segmentation.probabilities import evaluation_batch_size

BATCH_SIZE = 16
# Threads that augment: OpenCV and NumPy let go of the interpreter lock. Each holds a batch.
WORKERS = min(max(os.cpu_count() or 2, 2), 8)
QUEUE = 8  # batches prepared ahead


@dataclass(frozen=True)
class Dataset:
    """What a network is trained and validated on.

    For each of `classes.id_names`, `shares` is its mean share of a training picture, and `pictures`
    the number of those that show it; `card` is what the model card says of them.
    """

    train: "TrainingBatches"
    validation: "Batches"
    img_size: tuple[int, int]
    classes: Classes
    shares: np.ndarray
    pictures: np.ndarray
    card: dict


def open_dataset(
    data,
    classes,
    *,
    img_size,
    validation,
    validation_split,
    batch_size,
    seed,
    motion,
    strides=(1,),
    steps_per_epoch=None,
    aux_classes=None,
):
    """Choose the classes, hold out pictures, and make batches of the others.

    Args:
        data: `datasets.Arrays` or `tfrecords.Records` to train on.
        classes: `Classes` to learn, of `data`.
        img_size: `(height, width)` in pixels that pictures and masks are stretched to.
        validation: the same kind of data to validate on, or None: a share of `data` is held out.
        validation_split: that share, 0..1.
        batch_size: pictures in a batch, or None: `BATCH_SIZE`, fewer if there are not so many.
        seed: of the split, the order and the augmentation.
        motion: `augmentation.AffineRanges` of the training images, or None to leave them as they
            are.
        strides: pixels of the picture that each output of the network has one for (`nets.strides`).
        steps_per_epoch: batches of an epoch, or None: one pass over the training pictures.
        aux_classes: `Classes` that one more output learns, or None.

    Returns:
        `Dataset`.

    Raises:
        InputError: if the classes are unknown, the two sets don't fit together, there are too few
            pictures, or a part of them shows none of the classes.
    """
    rows = np.arange(len(data))
    fingerprint = training_fingerprint = data.fingerprint()
    if validation is None:
        validation = data
        rows, validation_rows = split(data.groups, validation_split, seed)
    else:
        validation_rows = np.arange(len(validation))
        fingerprint = validation.fingerprint()
        if not labels.same(validation.labels, data.labels):
            raise InputError(
                f"training and validation data have other classes: {data.labels} and "
                f"{validation.labels}"
            )
    batch_size = batch_size or min(BATCH_SIZE, len(rows))
    if len(rows) < batch_size:
        raise InputError(f"{len(rows)} training pictures fill no batch: lower --batch_size")
    shares, shown = class_counts(data, rows, img_size, classes)
    _, validated = class_counts(validation, validation_rows, img_size, classes)
    _require_shown(shown, classes, "training")
    _require_shown(validated, classes, "validation")
    targets = [(classes.table, stride) for stride in strides]
    if aux_classes:
        _, aux_shown = class_counts(data, rows, img_size, aux_classes)
        _require_shown(aux_shown, aux_classes, "training")
        targets.append((aux_classes.table, 1))
    at_once = evaluation_batch_size(batch_size, img_size, len(classes.id_names))
    card = {
        "data": {
            "fingerprint": fingerprint,
            "training_fingerprint": training_fingerprint,
            "training_pictures": len(rows),
            "validation_pictures": len(validation_rows),
        },
        "validation_rows": validation_rows.tolist(),
    }
    of_batches = {"targets": targets, "img_size": img_size}
    return Dataset(
        TrainingBatches(
            data,
            rows,
            seed=seed,
            motion=motion,
            steps_per_epoch=steps_per_epoch,
            batch_size=batch_size,
            **of_batches,
        ),
        Batches(validation, validation_rows, batch_size=at_once, **of_batches),
        img_size,
        classes,
        shares,
        shown,
        card,
    )


def _require_shown(pictures, classes, part):
    first = int(labels.is_background(classes.id_names[0]))
    if not pictures[first:].any():
        chosen = " or ".join(classes.id_names[first:])
        raise InputError(f"no {part} picture shows {chosen}: nothing to learn from")


class Batches(keras.utils.PyDataset):
    """Batches of prepared data, for any Keras backend.

    Yields `(batch, H, W, 3)` uint8 RGB and `(batch, H, W)` uint8 channel ids, 255 where ignored;
    for a network of several outputs a tuple of ids, each at the stride of its target.

    Args:
        data: `datasets.Arrays` or `tfrecords.Records`.
        rows: indices of what to use of it.
        targets: for each output of the network `(table, stride)`: `(256,)` uint8, the channel id of
            each class id (`Classes.table`), and along a side the pixels of the picture to an id.
        batch_size: pictures in a batch.
        img_size: `(height, width)` to stretch them to.
    """

    def __init__(self, data, rows, targets, batch_size, img_size):
        super().__init__(workers=WORKERS, max_queue_size=QUEUE)
        self.data, self.rows, self.targets = data, np.asarray(rows), targets
        self.batch_size, self.img_size = batch_size, img_size
        self.error = None  # what stopped the reading, which Keras and TensorFlow reword

    def __len__(self):
        """Return the number of batches; the last may be smaller."""
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, batch):
        """Return the batch of that number, in the order of `rows`."""
        rows = self.rows[batch * self.batch_size : (batch + 1) * self.batch_size]
        return self._batch([self._stretched(*self._read(row)) for row in rows])

    def _read(self, row):
        try:
            return self.data.read(row)
        except InputError as error:
            self.error = error
            raise

    def _stretched(self, image, mask):
        return image_io.resize(image, self.img_size), masks.resize(mask, self.img_size)

    def _batch(self, pairs):
        images, ids = map(np.stack, zip(*pairs, strict=True))
        targets = self._targets(ids)
        return images, targets if len(targets) > 1 else targets[0]

    def _targets(self, ids):
        return tuple(table[ids] for table, _ in self.targets)


class TrainingBatches(Batches):
    """Batches in a new order every pass, augmented; each pass drops the rows that fill no batch.

    The ids come at the size of the output they are for, each that of the middle of its pixels.

    Order and augmentation follow from (seed, pass) alone, and the pass from the number of the
    epoch, so that a resumed run goes on with the pictures that it would have seen.

    Args:
        seed: of the run.
        motion: `augmentation.AffineRanges`, or None to leave the pictures as they are.
        epoch: number of the epoch, from 0.
        steps_per_epoch: batches of an epoch, or None: of a pass.
        others: as of `Batches`.
    """

    def __init__(self, data, rows, *, seed, motion, epoch=0, steps_per_epoch=None, **others):
        super().__init__(data, rows, **others)
        self.seed, self.motion, self.epoch = seed, motion, epoch
        self.batches_of_a_pass = len(self.rows) // self.batch_size
        self.steps_per_epoch = steps_per_epoch or self.batches_of_a_pass

    def __len__(self):
        """Return the number of batches of an epoch, all whole."""
        return self.steps_per_epoch

    def __getitem__(self, batch):
        """Return the batch of that number of this epoch."""
        number = self.epoch * self.steps_per_epoch + batch
        passes, place = divmod(number, self.batches_of_a_pass)
        order = np.random.default_rng((self.seed, passes)).permutation(self.rows)
        rows = order[place * self.batch_size : (place + 1) * self.batch_size]
        return self._batch([self._augmented(row, passes) for row in rows])

    def on_epoch_end(self):
        """Count an epoch. Keras calls it between epochs, when all threads have stopped, and once
        before the first.
        """
        self.epoch += 1

    def _targets(self, ids):
        return tuple(table[ids[:, n // 2 :: n, n // 2 :: n]] for table, n in self.targets)

    def _augmented(self, row, passes):
        image, mask = self._read(row)
        if self.motion is None:
            return self._stretched(image, mask)
        return augmentation.augment(
            image, mask, self.seed, passes, int(row), self.img_size, self.motion
        )


def split(groups, fraction, seed):
    """Hold out whole groups, so that no person is in both parts.

    Args:
        groups: the group of each row, a string; an empty one is a group of its own.
        fraction: share of the rows to hold out, reached or passed by less than one group.
        seed: of the draw.

    Returns:
        `(training_rows, validation_rows)`, sorted int arrays.

    Raises:
        InputError: if either part would be empty.
    """
    keys = np.array([group or f"\n{row}" for row, group in enumerate(groups)])
    names, members, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    before = np.cumsum(sizes[order]) - sizes[order]
    held_out = np.isin(members, order[before < fraction * len(groups)])
    training, validation = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    if not len(training) or not len(validation):
        raise InputError(
            f"{len(groups)} pictures of {len(names)} groups cannot be split at {fraction}: "
            "give validation data of their own (--val_img_file or --val_tfrecord_data), or another "
            "--validation_split"
        )
    return training, validation


def class_counts(data, rows, img_size, classes):
    """Return how much of a picture each channel id covers, and how many pictures show it.

    Args:
        data: `datasets.Arrays` or `tfrecords.Records`.
        rows: the rows to count.
        img_size: `(height, width)` that the masks are stretched to: small things may get lost.
        classes: `Classes` of the data.

    Returns:
        `(shares, pictures)`: the mean share of the pixels that are not ignored, and the number of
        pictures, each `(n,)` for the n `classes.id_names`.
    """
    num_classes = len(classes.id_names)

    def count(row):
        ids = classes.table[masks.resize(data.read_mask(row), img_size)]
        return np.bincount(ids.ravel(), minlength=num_classes)[:num_classes]

    with ThreadPoolExecutor(WORKERS) as pool:
        counts = np.array(list(pool.map(count, rows)))
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    return shares.mean(0), (counts > 0).sum(0)
