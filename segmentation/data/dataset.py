"""What training and evaluation read: samples by number, whatever they are stored in."""

from typing import Protocol

from segmentation.errors import InputError


class Dataset(Protocol):
    """Samples, read when they are asked for: arrays, TFRecords, folders, or a part of them.

    Attributes:
        labels: class names by id, the background first.
        stems: the file name, without folder and suffix, of each sample.
        groups: what a split keeps together, for each sample: the person, say; empty: unknown.
    """

    labels: list[str]
    stems: list[str]
    groups: list[str]

    def __len__(self):
        """Return the number of samples."""

    def read(self, index):
        """Return `(H, W, 3)` uint8 RGB and `(H, W)` uint8 class ids (255: no class) of a sample.

        Raises:
            image_io.UnreadableError: if it is damaged.
        """

    def read_mask(self, index):
        """Return the class ids of a sample alone."""


class Subset:
    """Some samples of a `Dataset`, in the order of `rows`.

    Raises:
        InputError: if there are no such rows.
    """

    def __init__(self, dataset, rows):
        if not len(rows) or not 0 <= min(rows) <= max(rows) < len(dataset):
            raise InputError(f"the rows are not among the {len(dataset)} samples of the data")
        self.dataset, self.rows = dataset, rows
        self.labels = dataset.labels

    def __len__(self):
        return len(self.rows)

    @property
    def stems(self):
        """Return the file name, without folder and suffix, of each sample."""
        stems = self.dataset.stems
        return [stems[row] for row in self.rows]

    @property
    def groups(self):
        """Return the group of each sample."""
        return [self.dataset.groups[row] for row in self.rows]

    def read(self, index):
        """Return the image and the class ids of a sample."""
        return self.dataset.read(self.rows[index])

    def read_mask(self, index):
        """Return the class ids of a sample alone."""
        return self.dataset.read_mask(self.rows[index])
