"""Images without masks: read once, before training, and mixed into its batches."""

import hashlib
import logging
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from segmentation.data import image_io
from segmentation.data.labels import IGNORED
from segmentation.data.statistics import WORKERS
from segmentation.errors import InputError
from segmentation.progress import track

logger = logging.getLogger(__name__)

# The fourth number of a seed; samples with masks have three, so that nothing is in step with them.
ORDER, AUGMENTATION = 1, 2


@dataclass(frozen=True)
class Unlabelled:
    """Images without masks, of which every batch of training has some.

    Attributes:
        images: `(N, height, width, 3)` uint8 RGB.
        per_batch: how many of them a batch has.
        fingerprint: 64 hexadecimal digits that identify the images and their order.
        unreadable: how many files were left out.
    """

    images: np.ndarray
    per_batch: int
    fingerprint: str
    unreadable: int = 0

    def of_batch(self, number, seed):
        """Return what a batch has of them: a pure function of (seed, number of the batch).

        Each pass over the images has an order of its own and ends within a batch, if need be.

        Args:
            number: of the batch since training began, from 0.
            seed: of the run.

        Returns:
            `per_batch` pairs of a sample, `(image, mask)` whose mask is ignored everywhere, and
            the key of its augmentation.
        """
        places = range(number * self.per_batch, (number + 1) * self.per_batch)
        passes = {place // len(self.images) for place in places}
        orders = {
            each: np.random.default_rng((seed, each, 0, ORDER)).permutation(len(self.images))
            for each in passes
        }
        found = []
        for place in places:
            of_pass, index = divmod(place, len(self.images))
            row = int(orders[of_pass][index])
            image = np.asarray(self.images[row])
            mask = np.full(image.shape[:2], IGNORED, np.uint8)
            found.append(((image, mask), (seed, of_pass, row, AUGMENTATION)))
        return found

    def to_card(self):
        """Return what the model card says of them."""
        return {
            "unlabelled_pictures": len(self.images),
            "unlabelled_unreadable": self.unreadable,
            "unlabelled_per_batch": self.per_batch,
            "unlabelled_fingerprint": self.fingerprint,
        }


def number_per_batch(share, batch_size):
    """Return how many images of a batch are such a share of it.

    Raises:
        InputError: if that is none or all of them.
    """
    number = round(share * batch_size)
    if not 0 < number < batch_size:
        raise InputError(
            f"--unlabelled_share {share:g} of a batch of {batch_size} is "
            f"{'all of it' if number else 'no image'}: choose another share or --batch_size"
        )
    return number


def read(paths, img_size, per_batch):
    """Read images, stretched to one size, into an unnamed temporary file.

    Photos are decoded once and not in every pass; on disk they take height · width · 3 bytes each,
    as in prepared arrays. Files that cannot be read are named and left out.

    Args:
        paths: of the image files.
        img_size: `(height, width)`, pixels.
        per_batch: how many of them a batch of training has.

    Returns:
        `Unlabelled`.

    Raises:
        InputError: if none can be read, or the temporary file cannot be written.
    """

    def stretched(path):
        try:
            return image_io.resize(image_io.read(path, white=white), img_size)
        except image_io.UnreadableError as error:
            return error

    white = image_io.survey(paths, workers=WORKERS)[0].white
    digest, count = hashlib.sha256(), 0
    with ThreadPoolExecutor(WORKERS) as pool, tempfile.TemporaryFile() as file:
        for result in track(pool.map(stretched, paths), len(paths), "unlabelled images"):
            if isinstance(result, image_io.UnreadableError):
                logger.warning("%s", result)
                continue
            digest.update(result.tobytes())
            _append(file, result)
            count += 1
        unreadable = len(paths) - count
        if not count:
            raise InputError(f"none of the {unreadable} unlabelled images can be read; see above")
        if unreadable:
            logger.warning(
                f"{unreadable} of {len(paths)} unlabelled images cannot be read and are left out"
            )
        file.flush()
        images = np.memmap(file, np.uint8, "r", shape=(count, *img_size, 3))
    return Unlabelled(images, per_batch, digest.hexdigest(), unreadable)


def _append(file, image):
    try:
        file.write(image.tobytes())
    except OSError as error:
        raise InputError(
            f"{tempfile.gettempdir()}: the unlabelled images do not fit there ({error.strerror}); "
            "make room, or name another folder as TMPDIR"
        ) from None
