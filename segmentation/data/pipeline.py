"""From prepared data to batches of (image, mask), the same batches in every run of one seed."""

import logging
from dataclasses import dataclass

import keras
import numpy as np

from segmentation.data import augmentation, check_images, image_io, labels, masks, statistics
from segmentation.data.augmentation import AffineRanges
from segmentation.data.check_images import Chosen
from segmentation.data.classes import Classes
from segmentation.data.share import ALONE, Share
from segmentation.data.statistics import WORKERS, ClassStatistics
from segmentation.data.unlabelled import Unlabelled
from segmentation.errors import InputError

logger = logging.getLogger(__name__)

BATCH_SIZE = 16
QUEUE = 8  # batches prepared ahead; each thread holds one more


@dataclass(frozen=True)
class BatchOptions:
    """How samples become batches.

    Attributes:
        img_size: `(height, width)` in pixels that images and masks are stretched to.
        batch_size: images in a batch of training.
        validation_batch_size: images in a batch of validation.
        seed: of the order and the augmentation.
        affine_ranges: `AffineRanges` of the augmentation, or None for no augmentation.
        strides: the stride of each output that predicts the classes (`nets.strides`).
        steps_per_epoch: batches in an epoch, or None: one pass over the training images.
        taught: whether the last output of the network is for a teacher (`training.distillation`).
        unlabelled: images without masks that are a part of every batch of training, or None.
        share: `Share` of this process in every batch.
        files: for each row of the data to train on the number of its file, if workers draw from
            files of their own; None: every worker reads its part of the same batches.
    """

    img_size: tuple[int, int]
    batch_size: int = BATCH_SIZE
    validation_batch_size: int = BATCH_SIZE
    seed: int = 0
    affine_ranges: AffineRanges | None = None
    strides: tuple[int, ...] = (1,)
    steps_per_epoch: int | None = None
    taught: bool = False
    unlabelled: Unlabelled | None = None
    share: Share = ALONE
    files: np.ndarray | None = None

    @property
    def labelled(self):
        """Images with masks in a batch of training."""
        return self.batch_size - (self.unlabelled.per_batch if self.unlabelled else 0)


@dataclass(frozen=True)
class TrainingData:
    """What a network is trained and validated on.

    Attributes:
        train: `TrainingBatches`.
        validation: `Batches`.
        classes: `Classes` that the network learns.
        statistics: `ClassStatistics` of the training images.
        card: what the model card says of the data.
        check_images: `check_images.Chosen` to keep beside the model.
    """

    train: "TrainingBatches"
    validation: "Batches"
    classes: Classes
    statistics: ClassStatistics
    card: dict
    check_images: Chosen

    @property
    def img_size(self):
        """The `(height, width)` of the images in pixels."""
        return self.train.img_size


def open_training_data(split, counts, classes, options, aux_classes=None):
    """Make batches for training and validation.

    Args:
        split: `Split` of `Arrays` or `Records`.
        counts: `statistics.count_ids` of its two parts.
        classes: `Classes` to learn, matched with the labels of the data.
        options: `BatchOptions`.
        aux_classes: `Classes` that one more output learns, or None.

    Returns:
        `TrainingData`.

    Raises:
        InputError: if there are too few images, or a part of them shows none of the classes.
    """
    if len(split.training) < options.labelled:
        raise InputError(
            f"{len(split.training)} training images are fewer than a batch: lower --batch_size"
        )
    if options.files is not None:
        _require_share(split.training.rows, options)
    training_counts, validation_counts = counts
    of_training = statistics.of_classes(training_counts, classes)
    of_validation = statistics.of_classes(validation_counts, classes)
    _require_shown(of_training, classes, "training")
    _require_shown(of_validation, classes, "validation")
    _log_missing(of_training, of_validation, classes)
    targets = [(classes.table, stride) for stride in options.strides]
    if aux_classes:
        of_aux = statistics.of_classes(training_counts, aux_classes)
        _require_shown(of_aux, aux_classes, "training")
        targets.append((aux_classes.table, 1))
    if options.taught:  # Keras wants a target for each output; the teacher's loss reads none
        targets.append(targets[0])
    return TrainingData(
        TrainingBatches(split.training, targets, options),
        Batches(
            split.validation,
            targets,
            options.validation_batch_size,
            options.img_size,
            options.share,
        ),
        classes,
        of_training,
        _card(split, options.unlabelled),
        check_images.choose(split.validation, validation_counts, classes),
    )


def _require_share(rows, options):
    """Raise InputError, in all workers, unless the files of each fill its part of a batch."""
    workers = options.share.workers
    counts = [len(own) for own in rows_by_worker(rows, options.files, workers)]
    if min(counts) < options.labelled // workers:
        raise InputError(
            f"worker {counts.index(min(counts))} would train on {min(counts)} images, those of its "
            f"files, which are fewer than its {options.labelled // workers} of a batch: lower "
            "--batch_size, or write files of equal size with data.py --num_shards"
        )


def _require_shown(of_part, classes, part):
    first = int(labels.is_background(classes.id_names[0]))
    if not of_part.images[first:].any():
        chosen = " or ".join(classes.id_names[first:])
        raise InputError(f"no {part} image shows {chosen}: nothing to learn from")


def _log_missing(of_training, of_validation, classes):
    """Name the classes that one part alone shows."""
    for shows, lacks, part in (
        (of_training, of_validation, "validation"),
        (of_validation, of_training, "training"),
    ):
        missing = [
            name
            for name, there, here in zip(classes.id_names, shows.images, lacks.images, strict=True)
            if there and not here
        ]
        if missing:
            logger.warning(f"no {part} image shows {labels.listed(missing)}")


def _card(split, unlabelled):
    training, validation = split.training.dataset, split.validation.dataset
    fingerprint = training.fingerprint()
    return {
        "data": {
            "fingerprint": fingerprint if validation is training else validation.fingerprint(),
            "training_fingerprint": fingerprint,
            "training_pictures": len(split.training),
            "validation_pictures": len(split.validation),
            **(unlabelled.to_card() if unlabelled else {}),
        },
        "validation_rows": np.asarray(split.validation.rows).tolist(),
    }


def rows_by_worker(rows, files, workers):
    """Divide rows among workers so that no two workers read the same file.

    Args:
        rows: int array.
        files: int array, the number of the file of each row of the data.
        workers: how many; the files go round among them.

    Returns:
        list of int arrays, one for each worker.
    """
    owners = files[rows] % workers
    return [rows[owners == worker] for worker in range(workers)]


class Batches(keras.utils.PyDataset):
    """Batches of prepared data, for any Keras backend.

    Yields `(batch, H, W, 3)` uint8 RGB and `(batch, H, W)` uint8 channel ids, 255 where ignored;
    for a network of several outputs a tuple of channel ids, one for each output.

    Where several devices share a batch, the last one is filled up with blanks until it divides:
    black images whose pixels are all ignored. Then every batch also has sample weights, `(batch,)`
    float32, 0 for a blank and 1 otherwise: a blank adds nothing to any loss or score, but it counts
    where Keras divides by the number of images (`mean_factor`).

    Args:
        samples: `Subset` of a `Dataset`.
        targets: for each output of the network `(table, stride)`: `(256,)` uint8, the channel id of
            each class id (`Classes.table`), and the stride of the output.
        batch_size: images in a batch, of all workers together.
        img_size: `(height, width)` in pixels to stretch them to.
        share: `Share` of this process.
    """

    def __init__(self, samples, targets, batch_size, img_size, share=ALONE):
        super().__init__(workers=WORKERS, max_queue_size=QUEUE)
        self.data, self.rows, self.targets = samples.dataset, np.asarray(samples.rows), targets
        self.batch_size, self.img_size, self.share = batch_size, img_size, share
        self.blanks = -len(self.rows) % share.devices
        self.error = None  # what stopped the reading, which Keras and TensorFlow reword

    def __len__(self):
        """Return the number of batches; the last one may be smaller."""
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, batch):
        """Return this process's part of the batch of that number, in the order of `rows`."""
        rows = self.rows[batch * self.batch_size : (batch + 1) * self.batch_size].tolist()
        mine = self.share.of(rows + [None] * (-len(rows) % self.share.devices))
        samples = [self._blank() if row is None else self._whole(row) for row in mine]
        if not self.blanks:
            return self._batch(samples)
        weights = np.array([row is not None for row in mine], np.float32)
        return *self._batch(samples), weights

    @property
    def mean_factor(self):
        """By which a mean over all images, the blanks among them, has to be multiplied."""
        return (len(self.rows) + self.blanks) / len(self.rows)

    def _whole(self, row):
        return self._stretched(*self._read(row))

    def _blank(self):
        image = np.zeros((*self.img_size, 3), np.uint8)
        return image, np.full(self.img_size, labels.IGNORED, np.uint8)

    def _read(self, row):
        try:
            return self.data.read(row)
        except InputError as error:
            self.error = error
            raise

    def _stretched(self, image, mask):
        return image_io.resize(image, self.img_size), masks.resize(mask, self.img_size)

    def _batch(self, samples, number=0):
        images, ids = map(np.stack, zip(*samples, strict=True))
        targets = self._targets(ids, number)
        return images, targets if len(targets) > 1 else targets[0]

    def _targets(self, ids, number):
        return tuple(table[ids] for table, _ in self.targets)


class TrainingBatches(Batches):
    """Batches in a new order in every pass, augmented; each pass drops the rows that fill no batch.

    Channel ids come at the size of the output that they are for, each that of the middle of the
    pixels that it stands for. An even number of pixels has none: the pixels before and after it
    take turns from batch to batch. With one of them alone, masks of a stride of 4 would be learned
    half a pixel off.

    Order and augmentation follow from (seed, pass) alone, and the pass from the number of the
    epoch, so that a resumed run goes on with the images that it would have seen. So it is with
    images without masks, which come last in a batch and don't count in the length of an epoch.

    Several workers make the same batches as one, each its part of them. With files of their own
    they draw from these alone, as many images for each batch; whoever has fewer repeats them
    earlier. The number of batches in an epoch is the same for all, by all rows.

    Args:
        samples: `Subset` of a `Dataset`.
        targets: see `Batches`.
        options: `BatchOptions`.

    Attributes:
        epoch: number of the epoch, from 0; whoever resumes a run sets it.
        workers_with_files: workers that draw from files of their own; 0: all make the same batches.
    """

    def __init__(self, samples, targets, options):
        share = options.share
        super().__init__(samples, targets, options.batch_size, options.img_size, share)
        self.seed, self.affine_ranges = options.seed, options.affine_ranges
        self.unlabelled, self.labelled = options.unlabelled, options.labelled
        self.epoch = 0
        self.steps_per_epoch = options.steps_per_epoch or len(self.rows) // self.labelled
        self.workers_with_files = 0 if options.files is None else share.workers
        if options.files is not None:
            self.rows = rows_by_worker(self.rows, options.files, share.workers)[share.worker]
            self.labelled //= share.workers
            self.share = ALONE  # what is left is its own
        self.batches_of_a_pass = len(self.rows) // self.labelled

    def __len__(self):
        """Return the number of batches in an epoch, all of them full."""
        return self.steps_per_epoch

    def __getitem__(self, batch):
        """Return this process's part of the batch of that number of this epoch."""
        number = self.epoch * self.steps_per_epoch + batch
        passes, place = divmod(number, self.batches_of_a_pass)
        order = np.random.default_rng((self.seed, passes)).permutation(self.rows)
        rows = self.share.of(order[place * self.labelled : (place + 1) * self.labelled])
        samples = [self._augmented(self._read(row), (self.seed, passes, int(row))) for row in rows]
        if self.unlabelled:
            others = self.unlabelled.of_batch(number, self.seed)
            samples += [self._augmented(sample, key) for sample, key in others]
        return self._batch(samples, number)

    def on_epoch_end(self):
        """Count an epoch. Keras calls it between epochs, when all threads have stopped, and once
        before the first epoch.
        """
        self.epoch += 1

    def _targets(self, ids, number):
        starts = [(stride - number % 2) // 2 for _, stride in self.targets]
        return tuple(
            table[ids[:, start::stride, start::stride]]
            for start, (table, stride) in zip(starts, self.targets, strict=True)
        )

    def _augmented(self, sample, key):
        if self.affine_ranges is None:
            return self._stretched(*sample)
        return augmentation.augment(*sample, key, self.img_size, self.affine_ranges)
