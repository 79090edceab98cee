"""How long training waits for data, and what helps."""

import os
import time

from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

from segmentation.data.arrays import Arrays, size_name

HIGH = 0.2  # share of an epoch's training beyond which there is advice


class TimedBatches(PyDatasetAdapter):
    """Batches of a `PyDataset` for `fit`, which adds up how long training waits for them.

    `fit` takes an adapter in place of data, and makes this kind of a `PyDataset` itself; Keras has
    no public name for it. All backends draw batches from its one iterator, TensorFlow from within
    the compiled step, where no callback comes between. `next` returns at once while threads keep
    batches ready, and blocks while they do not: the wait is the time spent there. The device is
    idle meanwhile, because the loop awaits the loss of each step (`callbacks.Recorder`). Where
    another thread draws batches ahead of the steps, as tf.distribute does, the wait is an upper
    bound.

    Attributes:
        seconds_waited: in all.

    Args:
        batches: `keras.utils.PyDataset`.
    """

    def __init__(self, batches):
        super().__init__(batches)
        self.seconds_waited = 0.0

    def _get_iterator(self):
        batches = super()._get_iterator()
        while True:
            start = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:  # no wait: it stops the threads
                return
            self.seconds_waited += time.perf_counter() - start
            yield batch


def advice(share, batches):
    """Return a line that says what makes the data faster.

    Args:
        share: of the time that training waited for data.
        batches: `pipeline.TrainingBatches`.
    """
    cores = os.cpu_count() or 1
    return f"training waited for data in {share:.0%} of the time: {_advice(batches, cores)}"


def _advice(batches, cores):
    if batches.workers < cores:
        return f"--workers {cores} reads with all {cores} cores"
    size = size_name(batches.img_size)
    if not isinstance(batches.data, Arrays):
        return f"arrays of {size} px need no decoding (docs/scaling.md says what else changes)"
    if batches.data.images.shape[1:3] != batches.img_size:
        return f"arrays of {size} px need no resizing (data.py prepare --img_size {size})"
    return f"all {cores} cores read already; a machine with more of them for an accelerator helps"
