"""From prepared files to batches of (image, mask), the same ones in every run of one seed."""

from dataclasses import dataclass

import keras
import numpy as np

from segmentation import augmentation, datasets, labels
from segmentation.errors import InputError

WORKERS = 2  # threads that augment: OpenCV and NumPy let go of the interpreter lock
QUEUE = 8  # batches prepared ahead


@dataclass(frozen=True)
class Dataset:
    """What a network is trained and validated on.

    `classes` are those of the model's channels, with `colors` (`[r, g, b]` 0..255 each), and
    `class_names` the same with the background first;
    `pixels` and `pictures` count each of `class_names` in the training pictures; `card` is what
    the model card says of them.
    """

    train: "TrainingBatches"
    validation: "ArrayBatches"
    img_size: tuple[int, int]
    classes: list[str]
    colors: list[list[int]]
    class_names: list[str]
    pixels: np.ndarray
    pictures: np.ndarray
    card: dict


def open_dataset(
    arrays, chosen, *, validation, validation_split, ignore_class, batch_size, seed, augment
):
    """Choose the classes, hold out pictures, and make batches of the others.

    Args:
        arrays: `datasets.Arrays` to train on.
        chosen: names of the classes to learn.
        validation: `datasets.Arrays` to validate on, or None: a share of `arrays` is held out.
        validation_split: that share, 0..1.
        ignore_class: a class id whose pixels count nowhere, or None.
        batch_size: pictures in a batch.
        seed: of the split, the order and the augmentation.
        augment: whether to augment the training pictures.

    Returns:
        `Dataset`.

    Raises:
        InputError: if the classes are unknown, the two sets don't fit together, there are too few
            pictures, or a part of them shows none of the classes.
    """
    classes, table = labels.channels(arrays.labels, chosen, ignore_class)
    class_names = classes if len(classes) > 1 else [arrays.labels[0], *classes]
    rows = np.arange(len(arrays.images))
    if validation is None:
        validation = arrays
        rows, validation_rows = split(arrays.groups, validation_split, seed)
    else:
        validation_rows = np.arange(len(validation.images))
        if validation.labels != arrays.labels or (
            validation.images.shape[1:] != arrays.images.shape[1:]
        ):
            raise InputError(
                "training and validation arrays have other classes or sizes: "
                f"{arrays.labels} at {arrays.images.shape[1:3]}, "
                f"{validation.labels} at {validation.images.shape[1:3]}"
            )
    if len(rows) < batch_size:
        raise InputError(f"{len(rows)} training pictures fill no batch: lower --batch_size")
    pixels, pictures = class_counts(arrays.masks, rows, table, len(class_names))
    _, shown = class_counts(validation.masks, validation_rows, table, len(class_names))
    first = int(labels.is_background(class_names[0]))
    for part, counts in (("training", pictures), ("validation", shown)):
        if not counts[first:].any():
            raise InputError(
                f"no {part} picture shows {' or '.join(chosen)}: nothing to learn from"
            )
    card = {
        "data": {
            "fingerprint": datasets.fingerprint(validation),
            "training_fingerprint": datasets.fingerprint(arrays),
            "training_pictures": len(rows),
            "validation_pictures": len(validation_rows),
        },
        "ignored_class": None if ignore_class is None else arrays.labels[ignore_class],
        "validation_rows": validation_rows.tolist(),
    }
    return Dataset(
        TrainingBatches(
            arrays.images, arrays.masks, rows, table, batch_size, seed, augment=augment
        ),
        ArrayBatches(validation.images, validation.masks, validation_rows, table, batch_size),
        arrays.images.shape[1:3],
        classes,
        [labels.colors(arrays.labels)[arrays.labels.index(name)] for name in classes],
        class_names,
        pixels,
        pictures,
        card,
    )


class ArrayBatches(keras.utils.PyDataset):
    """Batches of rows of memory-mapped arrays, for any Keras backend.

    Yields `(batch, H, W, 3)` uint8 RGB and `(batch, H, W)` uint8 channel ids, 255 where ignored.

    Args:
        images: `(N, H, W, 3)` uint8.
        masks: `(N, H, W)` uint8 class ids.
        rows: indices of the rows to use.
        table: `(256,)` uint8, channel id of each class id (`labels.channels`).
        batch_size: rows in a batch.
    """

    def __init__(self, images, masks, rows, table, batch_size):
        super().__init__(workers=WORKERS, max_queue_size=QUEUE)
        self.images, self.masks, self.table = images, masks, table
        self.rows, self.batch_size = np.asarray(rows), batch_size

    def __len__(self):
        """Return the number of batches; the last may be smaller."""
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, batch):
        """Return the batch of that number, in the order of `rows`."""
        rows = self.rows[batch * self.batch_size : (batch + 1) * self.batch_size]
        return np.stack([self.images[row] for row in rows]), np.stack(
            [self.table[self.masks[row]] for row in rows]
        )


class TrainingBatches(ArrayBatches):
    """Batches in a new order every epoch, augmented; each pass drops the rows that fill no batch.

    Order and augmentation follow from (seed, epoch) alone, so that a resumed run goes on with the
    pictures that it would have seen.

    Args:
        seed: of the run.
        epoch: passes made so far.
        augment: whether to augment.
    """

    def __init__(self, images, masks, rows, table, batch_size, seed, epoch=0, augment=True):
        super().__init__(images, masks, rows, table, batch_size)
        self.seed, self.epoch, self.augment = seed, epoch, augment

    def __len__(self):
        """Return the number of whole batches."""
        return len(self.rows) // self.batch_size

    def __getitem__(self, batch):
        """Return the batch of that number in this epoch's order."""
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.rows)
        pairs = [
            self._pair(row)
            for row in order[batch * self.batch_size : (batch + 1) * self.batch_size]
        ]
        images, masks = zip(*pairs, strict=True)
        return np.stack(images), self.table[np.stack(masks)]

    def on_epoch_end(self):
        """Count a pass. Keras calls it between passes, when all threads have stopped, and once
        before the first.
        """
        self.epoch += 1

    def _pair(self, row):
        image, mask = np.asarray(self.images[row]), np.asarray(self.masks[row])
        if not self.augment:
            return image, mask
        return augmentation.augment(image, mask, self.seed, self.epoch, int(row))


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
            "give validation arrays of their own (--val_img_file), or another --validation_split"
        )
    return training, validation


def class_counts(masks, rows, table, num_classes):
    """Count the pixels of each channel id, and the pictures that show it.

    Args:
        masks: `(N, H, W)` uint8 class ids.
        rows: the rows to count.
        table: `(256,)` uint8, channel id of each class id.
        num_classes: of channel ids, the background included.

    Returns:
        `(pixels, pictures)`, int64 arrays of `num_classes`.
    """
    pixels, pictures = np.zeros((2, num_classes), np.int64)
    for row in rows:
        counts = np.bincount(table[masks[row]].ravel(), minlength=num_classes)[:num_classes]
        pixels += counts
        pictures += counts > 0
    return pixels, pictures
