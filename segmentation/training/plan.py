"""What a run does where its options are silent: planned from the data, and said."""

import dataclasses
import logging
import math

from segmentation.data import split
from segmentation.data.pipeline import BATCH_SIZE
from segmentation.data.share import ALONE

logger = logging.getLogger(__name__)

STEP = 32  # the sides of every network's input are multiples of it
LARGEST = (768, 768)  # pixels of an input in all; the older ADE20K project's size
# Pixels of a batch, at most: eight images of 384 x 480 px.
BATCH_PIXELS = BATCH_SIZE * 384 * 384
BATCHES = 8  # in a pass over the images, at least, unless batches would become too small
SMALLEST_BATCH = 4  # the statistics of batch normalisation are noise below
STEPS = 1200  # optimizer steps of a run, at least, however few the images are


def img_size(card):
    """Return the `(height, width)` that images of TFRecords are stretched to.

    That is the median of the images at multiples of `STEP`, but no more pixels than `LARGEST` has;
    without a data card it is `LARGEST`.

    Args:
        card: of `data_card.read`, or None.
    """
    if card is None:
        return LARGEST
    sides = card["image_sizes"]["median"]
    scale = min(1, math.sqrt(math.prod(LARGEST) / math.prod(sides)))
    while math.prod(size := _at_multiples(sides, scale)) > math.prod(LARGEST):
        scale *= 0.99  # both sides were rounded up
    return size


def _at_multiples(sides, scale):
    return tuple(max(STEP, round(scale * side / STEP) * STEP) for side in sides)


def complete(config, samples, share=ALONE):
    """Fill in the options of a run that were left open, and make a batch divide among its devices.

    Args:
        config: `TrainConfig`.
        samples: `sources.Samples`.
        share: `Share` of this process in every batch.

    Returns:
        the `TrainConfig`, and the plan: by the name of each option that was planned, its value.

    Raises:
        InputError: if no validation data can be held out.
    """
    rows = range(len(samples.training))
    if samples.validation is None:  # whole groups are held out, which may be many more
        rows, _ = split.split(samples.training.groups, config.validation_split, config.seed)
    count = len(rows)
    values = {"batch_size": share.whole(batch_size(count, samples.img_size))}
    asked = config.batch_size
    if asked and share.whole(asked) != asked:
        config = dataclasses.replace(config, batch_size=share.whole(asked))
        logger.info(
            f"--batch_size {asked} does not divide among {share.devices} devices: "
            f"{config.batch_size} is used"
        )
    if config.files.tfrecord_data:
        values["img_size"] = samples.img_size
    batches = count // (config.batch_size or values["batch_size"])
    if not getattr(config, "num_steps", None):
        values |= _epochs(config.usual_epochs, config.steps_per_epoch or max(1, batches))
    plan = {name: value for name, value in values.items() if getattr(config, name) is None}
    if plan:
        logger.info("planned: %s", ", ".join(f"--{name} {_text(plan[name])}" for name in plan))
    return dataclasses.replace(config, **plan), plan


def batch_size(count, size):
    """Return the images in a batch: a power of two, at most `BATCH_SIZE`.

    Args:
        count: images to train on.
        size: `(height, width)` of the input in pixels.
    """
    most = min(BATCH_SIZE, BATCH_PIXELS // math.prod(size))
    most = min(most, max(SMALLEST_BATCH, count // BATCHES), max(1, count))
    return 2 ** int(math.log2(max(1, most)))


def _epochs(usual, batches):
    """Return the usual epochs of each stage, or as many more as make `STEPS` steps in all."""
    factor = max(1, STEPS / (batches * sum(usual.values())))
    return {name: math.ceil(factor * epochs) for name, epochs in usual.items()}


def _text(value):
    return "{}x{}".format(*value) if isinstance(value, tuple) else str(value)
