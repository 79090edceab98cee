"""The part of each batch that one process of several makes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """Which part of every batch this process makes, and what the size of a batch has to divide by.

    Attributes:
        worker: number of this process, from 0.
        workers: processes, each with a part of every batch of the same size.
        devices: devices of all workers together, each with a part of the same size.
    """

    worker: int = 0
    workers: int = 1
    devices: int = 1

    def whole(self, batch_size):
        """Return the batch size, at most that and at least 1, that divides among the devices."""
        return max(1, batch_size // self.devices) * self.devices

    def of(self, items):
        """Return this worker's part of the items of a batch, a sequence that divides."""
        size = len(items) // self.workers
        return items[self.worker * size : (self.worker + 1) * size]


ALONE = Share()
