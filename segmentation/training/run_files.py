"""The files of a run: model, card, history and curves, and the checkpoint that it resumes from."""

import contextlib
import csv
import io
import logging
import re
import shutil
import time
from importlib.util import find_spec
from pathlib import Path

from segmentation import files, model_card, remote, storage
from segmentation.data import check_images
from segmentation.errors import InputError
from segmentation.evaluation import plots
from segmentation.training import checkpoint, distillation
from segmentation.training.config import IMAGENET
from segmentation.training.distribution import Devices
from segmentation.training.sample_predictions import SamplePredictions

logger = logging.getLogger(__name__)

# Settings that may change from a run to the one that resumes it.
MAY_CHANGE = set("epochs num_steps transfer_epochs fine_tune_epochs patience model_name".split())

BESIDE = (".json", ".csv", ".png", ".samples.png", ".check")
DEFAULT_FOLDER = "artifacts"
# Seconds between two drawings of the curves: one takes 0.2 s, as an epoch of few images does.
DRAWN_EVERY = 10
MASKS = ("masks", "validation_masks")  # which older versions did not note
FINGERPRINTS = ("data", "validation_data", "teacher_weights", "unlabelled_data", *MASKS)


def output_path(config, names):
    """Return where the model is to be written, in a folder that can be written to.

    Args:
        config: `TrainConfig`. Its `output`, a `.keras` or `.h5` path, may be None: `CLASS.keras`,
            or `model.keras` for several classes, in its `model_dir`, or in `artifacts`.
        names: of the classes to learn.

    Raises:
        InputError: if no model can be written under that name.
    """
    name = re.sub(r"\W+", "_", names[0]) if len(names) == 1 else "model"
    output = Path(config.output or f"{config.model_dir or DEFAULT_FOLDER}/{name}.keras")
    storage.look(*paths(config, output))
    for path in (output, checkpoint_path(config, output), log_dir(config, output)):
        with files.workspace_beside(path):  # shows at once what would stop the first epoch
            pass
    if output.suffix not in model_card.MODEL_SUFFIXES or output.is_dir():
        raise InputError(
            f"{output}: name a file that ends in {' or '.join(model_card.MODEL_SUFFIXES)}"
        )
    model_card.require_overwritable(output)
    check_images.require_overwritable(output)
    return output


def checkpoint_path(config, output):
    """Return the path of the checkpoint of a run that writes `output`."""
    return Path(config.checkpoint_dir or output.parent) / f"{output.stem}.ckpt" / "state.npz"


def log_dir(config, output):
    """Return the folder of TensorBoard's logs for a run that writes `output`.

    By default it is in `logs/` here; of a run in a bucket, in `logs/` beside the model.
    """
    default = output.parent / "logs" if remote.url_of(output) else "logs"
    return Path(config.log_dir or default) / output.stem


def paths(config, output):
    """Return where the files and folders of a run are, of this one or of an earlier one."""
    beside = [output.with_suffix(suffix) for suffix in (*model_card.MODEL_SUFFIXES, *BESIDE)]
    return [*beside, checkpoint_path(config, output).parent, log_dir(config, output)]


class RunFiles:
    """The files of a run, all of them up to date after every epoch, the curves every 10 s.

    Beside `output` are the card (`.json`), the history (`.csv`), the curves (`.png`), predictions
    for a few samples (`.samples.png`), the check images (`.check/`) and the checkpoint (`.ckpt/`);
    `logs/STEM/` is for TensorBoard. The config may name other folders for the last two.

    Of several workers the first one alone reads and writes them; in the others the methods take
    part in what all have to do together.

    Attributes:
        config: `TrainConfig`.
        devices: `distribution.Devices`.
        output: path of the model.
        begun: what `checkpoint.read` returns of the run that is resumed, or None.
        begun_path: of the checkpoint that it has in `begun`.
        earlier_card: of the model that the run goes on from, resumed or to begin with, or None.
        check_images: `data.check_images.Chosen`, set by `see`; None once written.
        samples: `SamplePredictions`, set by `see`.

    Args:
        config: `TrainConfig`.
        classes: `Classes` to learn.
        devices: `distribution.Devices`.

    Raises:
        InputError: if the model cannot be written, or the checkpoint or the card cannot be read.
    """

    def __init__(self, config, classes, devices=Devices()):  # noqa: B008 (it is immutable)
        self.config, self.devices = config, devices
        devices.require_equal(config.settings())  # before the network, which the workers compare
        self.averaging = []  # callbacks that swap in averaged weights, of the present stage
        self.check_images = self.samples = None
        self.output = Path(devices.on_first(lambda: str(output_path(config, classes.names))))
        self.log_dir = log_dir(config, self.output)
        self.checkpoint_path = checkpoint_path(config, self.output)
        self._duplicates = self._in_bucket(config.gcs_bucket) if config.gcs_bucket else {}
        self.replaced_path = self.checkpoint_path.with_name("earlier.npz")
        self.begun_path = devices.local_copy(self.checkpoint_path) if config.resume else None
        self.begun = checkpoint.read(self.begun_path) if config.resume else None
        self._epochs_drawn = len(self.begun["history"]) if self.begun else 0
        self._drawn_at = time.monotonic()
        if not self.begun and config.initial_weights != IMAGENET:
            self._require_other_file(config.initial_weights, "weights")
        self._require_other_file(config.teacher, "teacher")
        self.earlier_card = self.begun["card"] if self.begun else config.initial_card()

    def _in_bucket(self, bucket):
        """Return where the files of the run are to be in a bucket as well, by path."""
        if remote.url_of(self.output):
            raise InputError("--gcs_bucket copies a run that is here: -o names a bucket already")
        folder = remote.parse(bucket) or f"gs://{bucket}"
        found = {path: f"{folder}/{path.name}" for path in paths(self.config, self.output)}
        found[self.log_dir] = f"{folder}/logs/{self.log_dir.name}"
        storage.opened().buckets.require_writable(found[self.output])
        return found

    def _require_other_file(self, model, role):
        if model and Path(model).resolve().with_suffix("") == self.output.resolve().with_suffix(""):
            raise InputError(f"{self.output}: would overwrite its own {role}; name another -o")

    def start(self, card):
        """Begin the run or resume it; return the card and the history that it goes on from.

        Args:
            card: of `cards.new_card`. Its `settings` must be those of the run that is resumed,
                except for `MAY_CHANGE`.

        Raises:
            InputError: if the run cannot be resumed.
        """
        self.devices.on_first(lambda: self._prepare(card))
        if self.begun:
            return self.begun["card"] | {"settings": card["settings"]}, self.begun["history"]
        return card | {"stages": {}}, []

    def _prepare(self, card):
        """Make way for a new run, or make sure that the begun one can be resumed."""
        if not self.config.resume:
            self._make_way()
        elif self.begun:
            self._require_same_run(card)
        elif self.replaced_path.exists():
            raise InputError(
                f"{self.replaced_path}: the checkpoint of an earlier run, which a new run of the "
                f"same name began to replace; rename it to {self.checkpoint_path.name} to resume "
                "the earlier run, or leave out --resume"
            )
        else:
            logger.info(f"no checkpoint yet in {self.checkpoint_path}: starting from the beginning")
        if not self.begun:
            # In a bucket they would stand beside the first model of this run until theirs are sent.
            earlier = [self.checkpoint_path, model_card.path_beside(self.output)]
            storage.remove_before(self.output, earlier)

    def _make_way(self):
        """Make way for a new run, which must not be mistaken for an earlier run of its name.

        The earlier model and its card stay until this run has an epoch. Copies of them stay beside
        the earlier checkpoint, which gets another name: --resume may have been forgotten.
        """
        if not self.checkpoint_path.exists():
            return
        for events in self.log_dir.glob("*/events.out.tfevents*"):
            storage.remove(events)
        self.checkpoint_path.replace(self.replaced_path)
        for path in (self.output, model_card.path_beside(self.output)):
            if path.exists():
                shutil.copy2(path, self.replaced_path.with_suffix(path.suffix))
        logger.info(
            "starting a new run; the model and the checkpoint of the earlier one are kept as "
            f"{self.replaced_path.with_suffix('')}.*"
        )

    def _require_same_run(self, card):
        now, before = card["settings"], self.begun["card"]["settings"]
        begun = self.begun["card"]["stages"]
        fixed_now = {"transfer_epochs"} if len(begun) > 1 else set()  # that stage is over
        fixed = (now | before).keys() - (MAY_CHANGE - fixed_now) - ({*MASKS} - before.keys())
        changed = sorted(key for key in fixed if now.get(key) != before.get(key))
        if changed:
            listed = ", ".join(
                f"other {key.replace('_', ' ')}"  # a fingerprint says nothing to a person
                if key in FINGERPRINTS
                else f"{key} {before.get(key)} then, {now.get(key)} now"
                for key in changed
            )
            raise InputError(
                f"{self.checkpoint_path}: another run ({listed}); "
                "resume with its options, or start over without --resume"
            )
        self._require_best_model()
        logger.info(f"resuming after epoch {len(self.begun['history'])}")

    def _require_best_model(self):
        """Raise InputError unless `output` is the model of the best epoch of the begun run."""
        card, history = self.begun["card"], self.begun["history"]
        found = model_card.read(self.output) if self.output.exists() else {}
        fixed = card["settings"].keys() - MAY_CHANGE
        same_run = all(found.get("settings", {}).get(k) == card["settings"][k] for k in fixed)
        # Killed while it wrote, a run may leave a model and a card newer than its checkpoint.
        newer = same_run and found.get("best_epoch") == len(history) + 1
        if not newer and found.get("metrics") != card["metrics"]:
            raise InputError(
                f"{self.output}: is not the model of epoch {card['best_epoch']} that this run has "
                "reached; put that model and its card back, or start over without --resume"
            )

    def see(self, data):
        """Take note of the images to keep, and of those to watch, before training.

        Args:
            data: `pipeline.TrainingData`.
        """
        self.check_images = data.check_images
        self.samples = SamplePredictions(data.check_images.shown, data.classes, data.img_size)
        if self.begun and self.begun.get("samples") == self.samples.stems:
            self.samples.masks = self.begun["masks"]

    def save_model(self, model):
        """Save a compiled model, with averaged weights if the optimizer averages them.

        It is saved without its optimizer and loss, whole or not at all.
        """
        bare = distillation.without_teacher(model)
        with self._averaged():
            if self.devices.writes:
                with self.devices.alone(bare), files.written_whole(self.output) as temporary:
                    bare.save(temporary)

    @contextlib.contextmanager
    def _averaged(self):
        """Give the model its averaged weights within the block, if the optimizer averages them."""
        for callback in self.averaging:  # it knows whether a validation has swapped them in already
            callback.on_test_begin()
        yield
        for callback in self.averaging:
            callback.on_test_end()

    def save_card(self, card):
        """Write the model card and, once, the check images, whose fingerprint it gets."""
        if self.check_images:
            fingerprint = check_images.write(self.output, self.check_images, card["img_size"])
            card["check_images"] = fingerprint
            self.check_images = None
        model_card.write(self.output, card)

    def save_epoch(self, model, state):
        """Write card, history, samples and then, last, the checkpoint of a `RunState`."""
        best = state.card["best_epoch"]
        with self._averaged():
            self.samples.add(model, len(state.history), best)
        if self.devices.writes:
            with self.devices.alone():
                self._write_epoch(model, state)

    def _write_epoch(self, model, state):
        best = state.card["best_epoch"]
        self.save_card(state.card)
        self.samples.save(self.output.with_suffix(".samples.png"), best)
        if find_spec("tensorflow"):  # without it there are no curves of Keras' callback either
            self.samples.log(self.log_dir)
        table = io.StringIO()
        # The last row has all columns; an older version may have begun the run with fewer.
        writer = csv.DictWriter(table, state.history[-1], lineterminator="\n")
        writer.writeheader()
        writer.writerows(state.history)
        files.write_text(self.output.with_suffix(".csv"), table.getvalue())
        if state.is_over() or time.monotonic() - self._drawn_at > DRAWN_EVERY:
            self.draw_curves(state)
        progress = {"card": state.card, "history": state.history, "samples": self.samples.stems}
        checkpoint.save(self.checkpoint_path, model, progress, self.samples.masks)
        storage.send(self._duplicates)

    def draw_curves(self, state):
        """Draw the curves of a `RunState`, unless they show its last epoch already."""
        if self.devices.writes and self._epochs_drawn < len(state.history):
            plots.curves(state.history, state.watched, self.output.with_suffix(".png"))
            self._epochs_drawn, self._drawn_at = len(state.history), time.monotonic()
