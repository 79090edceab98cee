"""The options of the training commands, importable without Keras: `--help` must answer at once."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import nets
from segmentation import model_card

# By the name of the option: module and builder, called with the weights of the classes, floats in
# the order of the channel ids, or None; it returns a `keras.losses.Loss` (see `losses`).
LOSSES = {
    "dice": "segmentation.training.losses:Dice",
    "crossentropy": "segmentation.training.losses:Crossentropy",
    "dice+crossentropy": "segmentation.training.losses:dice_and_crossentropy",
    "focal": "segmentation.training.losses:focal",
}
OTHER_LOSS_NAMES = {"categorical": "crossentropy", "binary": "crossentropy"}
OPTIMIZERS = {"adamw": 8e-3, "sgd": 0.1}  # and the peak learning rate of each
SCHEDULES = ("cosine", "progressive", "constant")
PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
IMAGENET = "imagenet"  # the weights that belong to an encoder
STAGES = ("transfer", "fine_tune")
# The learning rate of fine-tuning relative to that of the stage before. From a model of the same
# task, measured with benchmarks/transfer.py, 0.5 was better than 0.25, and 0.25 better than 0.1:
# with 0.1, training from scratch ended higher. ImageNet's weights are spoiled by 0.5; 0.125 was a
# little worse than 0.25, too (docs/results.md).
FINE_TUNE_FACTOR, IMAGENET_FINE_TUNE_FACTOR = 0.5, 0.25
# Share of the teacher in the loss; https://arxiv.org/abs/1903.04197 weighs it 10 to 1. Measured as
# `distillation.TeacherLoss` says, the hair IoU was 0.602 with it, and 0.584 with 0.5.
TEACHER_WEIGHT = 0.9
UNLABELLED_SHARE = 0.5  # of a batch: as many images without masks as with them
# They say where things are, or how fast.
NO_SETTINGS = set("files unlabelled workers devices output gcs_bucket resume".split())
NO_SETTINGS |= set("model_dir checkpoint_dir log_dir".split())
# Of these files the card notes the name alone.
MODELS = ("weights", "fine_tune_checkpoint", "teacher")


@dataclass(frozen=True)
class Stage:
    """A part of a run, with an optimizer of its own.

    Attributes:
        name: in the model card.
        epochs: passes over the training images, or over as many batches as an epoch has.
        learning_rate: the peak learning rate.
        num_steps: optimizer steps in place of the epochs, or None; the last epoch may be cut short.
        freeze_until: layer until which nothing is trained (`nets.freeze_until`), or None.
    """

    name: str
    epochs: int
    learning_rate: float
    num_steps: int | None = None
    freeze_until: str | None = None

    def steps(self, batches):
        """Return its optimizer steps, if an epoch has so many batches."""
        return self.num_steps or self.epochs * batches


@dataclass(frozen=True, kw_only=True)
class DataFiles:
    """Where the data are: arrays or TFRecords, by the name of their options."""

    img_file: str | None = None
    mask_file: str | None = None
    val_img_file: str | None = None
    val_mask_file: str | None = None
    tfrecord_data: str | None = None
    val_tfrecord_data: str | None = None
    label_filename: str | None = None


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What both training commands are asked for; a field is the option of its name.

    A subclass has the options of one command, `usual_epochs` of what it leaves open, and the
    properties `stages`, a list of `Stage`, and `initial_weights`: `imagenet`, a path or None. What
    is None and concerns the data, `plan.complete` fills in.
    """

    files: DataFiles
    # data
    img_size: tuple[int, int] | None = None  # (height, width) in pixels; None: of the arrays
    classes: str | None = None
    ignore_class: int | None = None
    validation_split: float = 0.2
    # network
    model: str
    encoder: str | None = None
    output_stride: int | None = None
    alpha: float | None = None
    alpha_up: float | None = None
    depth_multiplier: int | None = None
    upsampling: str | None = None
    aux_classes: str | None = None
    aux_weight: float | None = None
    model_name: str | None = None
    # distillation
    teacher: str | None = None
    teacher_weight: float | None = None
    unlabelled: str | None = None
    unlabelled_share: float | None = None
    # training
    steps_per_epoch: int | None = None
    batch_size: int | None = None
    loss: str = "dice+crossentropy"
    class_weights: str = "none"
    optimizer: str = "adamw"
    lr: float
    schedule: str = "cosine"
    warm_up: float | None = None
    clip_norm: float | None = None
    ema: bool = False
    augment: bool = True
    flip_up_down: bool = False
    precision: str = "auto"
    workers: int | None = None
    patience: int | None = None
    seed: int = 0
    devices: int | None = None  # of each host; None: all
    resume: bool = False
    output: str | None = None
    gcs_bucket: str | None = None
    model_dir: str | None = None  # if `output` is None
    checkpoint_dir: str | None = None  # None: beside the model
    log_dir: str | None = None  # None: logs

    def initial_card(self):
        """Return the card of the model to begin with, or None.

        Raises:
            InputError: if it cannot be read.
        """
        weights = self.initial_weights
        return None if weights in (None, IMAGENET) else model_card.of_weights(weights)

    def settings(self):
        """Return what the model card notes of the options, and what a resumed run must repeat."""
        names = [field.name for field in dataclasses.fields(self)]
        settings = {name: getattr(self, name) for name in names if name not in NO_SETTINGS}
        return settings | {name: Path(settings[name]).name for name in MODELS if settings.get(name)}


@dataclass(frozen=True, kw_only=True)
class FullConfig(TrainConfig):
    """Training of all layers: the options of train_full.py."""

    usual_epochs: ClassVar = {"epochs": 40}

    fine_tune_checkpoint: str | None = None
    epochs: int | None = None
    num_steps: int | None = None

    @property
    def stages(self):
        """The only `Stage`."""
        return [Stage("full", self.epochs, self.lr, self.num_steps)]

    @property
    def initial_weights(self):
        """The path of the model to begin with, or None."""
        return self.fine_tune_checkpoint


@dataclass(frozen=True, kw_only=True)
class TransferConfig(TrainConfig):
    """Training with the encoder frozen, then fine-tuning: the options of train_transfer.py."""

    usual_epochs: ClassVar = {"transfer_epochs": 2, "fine_tune_epochs": 28}

    weights: str = IMAGENET
    freeze_until: str | None = None
    stage: str = "both"
    transfer_epochs: int | None = None
    fine_tune_epochs: int | None = None
    fine_tune_lr: float

    @property
    def stages(self):
        """One `Stage` or both."""
        both = {
            "transfer": Stage(
                "transfer",
                self.transfer_epochs,
                self.lr,
                freeze_until=nets.encoder_end(self.model),
            ),
            "fine_tune": Stage(
                "fine_tune",
                self.fine_tune_epochs,
                self.fine_tune_lr,
                freeze_until=self.freeze_until,
            ),
        }
        return [both[name] for name in (STAGES if self.stage == "both" else [self.stage])]

    @property
    def initial_weights(self):
        """What to begin with: `imagenet`, the path of a model, or None."""
        return None if self.weights == "none" else self.weights
