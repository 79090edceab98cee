"""From prepared files to batches of (image, mask), the same ones in every run of one seed."""

import keras
import numpy as np

from segmentation import augmentation
from segmentation.errors import InputError

WORKERS = 2  # threads that augment: OpenCV and NumPy let go of the interpreter lock
QUEUE = 8  # batches prepared ahead


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
        epoch: number of the pass to begin with, from 0.
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
        """Go on to the next epoch (Keras calls it when all threads have stopped)."""
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
