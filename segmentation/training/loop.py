"""The training loop over the stages of a run, and the files that it keeps up to date."""

import contextlib
import csv
import io
import logging
import math
import shutil
import signal
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import keras

import nets
from segmentation import files, model_card
from segmentation.errors import InputError
from segmentation.evaluation import plots
from segmentation.training import checkpoint

logger = logging.getLogger(__name__)

TIMED_STEPS = 20  # after so many steps the remaining time is told
# Settings that may change from a run to the one that resumes it.
MAY_CHANGE = set("epochs num_steps transfer_epochs fine_tune_epochs patience model_name".split())


@dataclass(frozen=True)
class Stage:
    """A part of a run, with an optimizer of its own.

    Attributes:
        name: in the model card.
        epochs: passes over the pictures, or of as many batches as the training data say.
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
        """Return its optimizer steps, for epochs of so many batches."""
        return self.num_steps or self.epochs * batches


def state_path(output):
    """Return where the state of the run that writes `output` stands."""
    return Path(output).with_suffix(".ckpt") / "state.npz"


def log_dir(output):
    """Return where TensorBoard's logs of that run stand."""
    return Path("logs") / Path(output).stem


def fit(model, train, validation, card, output, *, stages, prepare, patience, resume, report):
    """Train a model stage by stage, keep the best epoch, and return the model card.

    Beside `output` stand, up to date after every epoch: the card (`.json`), the history (`.csv`),
    the curves (`.png`) and the state to resume from (`.ckpt/`); `logs/STEM/` is for TensorBoard.

    Args:
        model: built network.
        train: `input_pipeline.TrainingBatches`; when a run is resumed, its epoch is set.
        validation: batches for `evaluate`.
        card: what is known of the model before training (`model_card`). Its `settings` must be
            those of the run that is resumed, but for `MAY_CHANGE`.
        output: `.keras` or `.h5` path for the model of the best epoch.
        stages: list of `Stage`; each goes on with the weights that the one before ended with.
        prepare: function of a stage that freezes layers and compiles the model, with
            `metrics.ConfusionScores`.
        patience: epochs without a better one after which a stage ends, or None.
        resume: go on from the state beside `output`, if there is one.
        report: object with `say(text)`, and `start(total, text)`, `advance()` and `stop()` of a
            progress bar.

    Returns:
        the card with `best_epoch`, `epochs_trained`, and `metrics`, those of the best epoch.

    Raises:
        InputError: if the loss is no number any more, or the state cannot be resumed.
        KeyboardInterrupt: when interrupted, with all files in order.
    """
    run = Run(card, Path(output), train, stages, patience, report)
    if resume:
        run.restore()
    else:
        run.begin()
    trained_before = len(run.history)
    try:
        with run.interruptible():
            for stage in run.stages_left():
                prepare(stage)
                run.enter(stage, model)
                if not run.is_over():
                    _fit_stage(model, train, validation, run)
                if run.diverged:
                    break
    except KeyboardInterrupt:
        run.keep_what_there_is()
        raise
    finally:
        report.stop()
    if run.diverged:
        best = run.card.get("best_epoch")
        kept = f"the model of epoch {best} is kept" if best else "this run kept no model"
        raise InputError(
            f"{output}: the loss became {run.diverged} in epoch {len(run.history) + 1} ({kept}); "
            "lower --lr, or look for broken pictures"
        )
    if len(run.history) == trained_before:
        logger.info(f"{output}: this run is finished; --resume and more epochs carry it on")
    return run.card


def _fit_stage(model, train, validation, run):
    callbacks = [run, *run.averaging]
    if find_spec("tensorflow"):  # Keras' TensorBoard callback writes with it on any backend
        callbacks.append(keras.callbacks.TensorBoard(run.log_dir, write_graph=False))
    if keras.backend.backend() != "tensorflow":
        # Builds the metrics. Otherwise Keras builds them with a batch of `train`, and what is
        # fetched ahead of it comes into the first epoch.
        model.test_on_batch(*validation[0])
    try:
        model.fit(
            train,
            validation_data=validation,
            epochs=run.epochs,
            initial_epoch=len(run.history),
            shuffle=False,  # the batches come in an order of their own
            verbose=0,
            callbacks=callbacks,
        )
    except Exception:
        error = train.error or validation.error
        if error is None:
            raise
        raise error from None  # a damaged picture, in the words of whoever read it


class Run(keras.callbacks.Callback):
    """Keeps the files of a run up to date, and ends a stage when it is over or has diverged."""

    def __init__(self, card, output, train, stages, patience, report):
        super().__init__()
        self.card = card | {"stages": {}}  # the number of the first epoch of each that has begun
        self.output, self.train, self.report = output, train, report
        self.stages, self.patience = stages, patience
        self.stage = None  # the present one
        self.averaging = []  # the callback that swaps in averaged weights, if they are averaged
        self.step = 0  # optimizer steps taken, in all stages
        self.state_path = state_path(output)
        self.earlier_path = self.state_path.with_name("earlier.npz")
        self.log_dir = log_dir(output)
        classes = card["classes"]
        self.watched = f"val_iou_{classes[0]}" if len(classes) == 1 else "val_mean_iou"
        self.history = []  # a dictionary of floats for each finished epoch
        self.diverged = None  # or the loss that was no number
        self.interrupted = False

    def begin(self):
        """Make way for a new run, which must not be taken for an earlier one of the same name.

        The earlier model and its card stay until this run has an epoch. Copies of them stay beside
        its state, which gets another name: --resume may have been forgotten.
        """
        if self.state_path.exists():
            for events in self.log_dir.glob("*/events.out.tfevents*"):
                events.unlink()
            self.state_path.replace(self.earlier_path)
            for path in (self.output, model_card.path_beside(self.output)):
                if path.exists():
                    shutil.copy2(path, self.earlier_path.with_suffix(path.suffix))
            logger.info(
                f"starting anew; the model and the state of the earlier run are kept as "
                f"{self.earlier_path.with_suffix('')}.*"
            )

    def restore(self):
        """Take up the state beside the output, if there is one, but for the variables."""
        state = checkpoint.read(self.state_path)
        if state is None and self.earlier_path.exists():
            raise InputError(
                f"{self.earlier_path}: the state of a run that another one of its name began to "
                f"replace; rename it {self.state_path.name} to go on with it, or leave out --resume"
            )
        if state is None:
            logger.info(f"{self.state_path}: no such file; starting from the beginning")
            return
        now, before = self.card["settings"], state["card"]["settings"]
        over = {"transfer_epochs"} if len(state["card"]["stages"]) > 1 else set()
        fixed = (now | before).keys() - (MAY_CHANGE - over)
        changed = sorted(key for key in fixed if now.get(key) != before.get(key))
        if changed:
            listed = ", ".join(
                f"{key} {before.get(key)} then, {now.get(key)} now" for key in changed
            )
            raise InputError(
                f"{self.state_path}: another run ({listed}); "
                "resume with its options, or start over without --resume"
            )
        self.history = state["history"]
        self._require_best_model(state["card"])
        self.card = state["card"] | {"settings": now}
        self.step = self.history[-1]["step"]
        logger.info(f"resuming after epoch {len(self.history)}")

    def _require_best_model(self, card):
        """Raise InputError unless `output` is the model of the best epoch that `card` tells of."""
        found = model_card.read(self.output) if self.output.exists() else {}
        fixed = card["settings"].keys() - MAY_CHANGE
        same_run = all(found.get("settings", {}).get(k) == card["settings"][k] for k in fixed)
        # Killed while it wrote, it may have left a model and a card newer than its state.
        newer = same_run and found.get("best_epoch") == len(self.history) + 1
        if not newer and found.get("metrics") != card["metrics"]:
            raise InputError(
                f"{self.output}: is not the model of epoch {card['best_epoch']} that this run has "
                f"reached; put that and its card back, or start over without --resume"
            )

    @contextlib.contextmanager
    def interruptible(self):
        """Let Ctrl-C end the run after a batch, with its files in order; pressed twice, at once.

        As an exception that comes up anywhere it can get lost: Python ignores those that are raised
        while it deletes an object, and at the end of an epoch Keras deletes many.
        """

        def pressed(*_):
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True
            logger.info(
                "stopping after this batch or this validation; Ctrl-C once more stops at once"
            )

        previous = signal.signal(signal.SIGINT, pressed)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)

    def _stop_if_interrupted(self):
        if self.interrupted:
            raise KeyboardInterrupt

    def stages_left(self):
        """Return the stages from the one on that the last epoch belongs to."""
        return self.stages[max(0, len(self.card["stages"]) - 1) :]

    def enter(self, stage, model):
        """Begin a stage, or go on with it, when `model` is compiled for it."""
        self.stage, self.timed = stage, False
        # Keras has counted on where --patience ended a stage, and not where the steps did.
        self.train.epoch = len(self.history)
        optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        self.averaging = [keras.callbacks.SwapEMAWeights()] if optimizer.use_ema else []
        if stage.name not in self.card["stages"]:
            self.card["stages"][stage.name] = len(self.history) + 1
            return
        checkpoint.restore(self.state_path, model)
        if self.is_over():  # as Keras' `fit` does when it ends
            model.optimizer.finalize_variable_values(model.trainable_variables)

    @property
    def steps_left(self):
        """Optimizer steps of the present stage."""
        before = self.card["stages"][self.stage.name] - 1
        taken = self.step - (self.history[before - 1]["step"] if before else 0)
        return self.stage.steps(len(self.train)) - taken

    @property
    def epochs(self):
        """Epochs until the stage ends; its last one, or that before a resumption, may be short."""
        return len(self.history) + math.ceil(self.steps_left / len(self.train))

    def is_over(self):
        """Tell whether the stage is: all steps taken, or none was better for too long."""
        before = self.card["stages"][self.stage.name] - 1
        waited = len(self.history) - max(before, self.card.get("best_epoch", 0))
        return self.steps_left <= 0 or bool(self.patience and waited >= self.patience)

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock and the bar."""
        stage = f"{self.stage.name} " if len(self.stages) > 1 else ""
        self.epoch_text = f"{stage}epoch {epoch + 1}/{self.epochs}"
        self.steps_in_epoch = min(len(self.train), self.steps_left)
        self.report.start(self.steps_in_epoch, self.epoch_text)
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """Stop on a loss that is no number, or after the last step; tell the expected time."""
        self.step += 1
        self.report.advance()
        if not math.isfinite(logs["loss"]):
            self.diverged = logs["loss"]
        if self.diverged is not None or self.steps_left <= 0:
            self.model.stop_training = True
        self._tell_expected_time(batch)
        self._stop_if_interrupted()

    def _tell_expected_time(self, batch):
        if self.timed:
            return
        if batch == 0:
            self.first_step_ended = time.perf_counter()  # it compiles the graph: not to be counted
        elif batch + 1 == min(TIMED_STEPS, self.steps_in_epoch):
            seconds = (time.perf_counter() - self.first_step_ended) / batch
            minutes = self.steps_left * seconds / 60
            part = " in this stage" if len(self.stages) > 1 else ""
            logger.info(f"about {math.ceil(minutes)} min to go{part}, without validation")
            self.timed = True

    def on_epoch_end(self, epoch, logs=None):
        """Write the files of the run, the state to resume from last."""
        if self.diverged is not None:
            return
        if not math.isfinite(logs["val_loss"]):
            self.diverged = logs["val_loss"]
            self.model.stop_training = True
            return
        seconds = time.perf_counter() - self.started
        row = {"epoch": epoch + 1, "step": self.step}
        row |= {_history_name(name): _number(value) for name, value in logs.items()}
        row |= {"learning_rate": float(self.model.optimizer.learning_rate), "seconds": seconds}
        best = self.card.get("metrics", {}).get(self.watched, -1.0)
        self.history.append(row)
        self.card |= {"epochs_trained": epoch + 1}
        if row[self.watched] > best:
            self.card |= {"best_epoch": epoch + 1, "metrics": row}
            self._save_model()
        self._write_files()
        self._tell_epoch(row)
        if self.is_over():
            self.model.stop_training = True
        self._stop_if_interrupted()

    def _save_model(self):
        for callback in self.averaging:
            callback.on_test_begin()
        save_model(self.model, self.output)
        for callback in self.averaging:
            callback.on_test_end()

    def _write_files(self):
        model_card.write(self.output, self.card)
        table = io.StringIO()
        writer = csv.DictWriter(table, self.history[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        files.write_text(self.output.with_suffix(".csv"), table.getvalue())
        plots.curves(self.history, self.watched, self.output.with_suffix(".png"))
        checkpoint.save(self.state_path, self.model, {"card": self.card, "history": self.history})

    def _tell_epoch(self, row):
        pictures = self.steps_in_epoch * self.train.batch_size
        best = self.card["best_epoch"]
        logger.info(
            f"{self.epoch_text}  loss {row['loss']:.4f}  "
            f"val_loss {row['val_loss']:.4f}  {self.watched} {row[self.watched]:.4f}  "
            f"({'best' if best == row['epoch'] else f'best: epoch {best}'})  "
            f"{row['seconds']:.0f} s, {pictures / row['seconds']:.0f} pictures/s"
        )
        only = predicted_everywhere(row)
        if only:
            logger.info(f"  it predicts {only} everywhere in the validation pictures")

    def keep_what_there_is(self):
        """After an interruption: save the model if there is none yet; say how to go on."""
        if self.history:
            logger.info(
                f"{self.output}: the model of epoch {self.card['best_epoch']} is kept; "
                f"--resume goes on after epoch {len(self.history)}"
            )
        elif self.output.exists():
            logger.info(f"{self.output}: the model of an earlier run is kept")
        elif self.step:
            self._save_model()
            model_card.write(self.output, self.card)
            logger.info(f"{self.output}: saved before the first epoch ended")


def save_model(model, path):
    """Save a model without its optimizer and loss, whole or not at all."""
    bare = keras.Model(model.inputs, model.outputs, name=model.name)
    with files.written_whole(path) as temporary:
        bare.save(temporary)


def _history_name(name):
    """Undo what Keras puts before a metric's name when a model has heads."""
    return name.replace(f"{nets.OUTPUT}_crossentropy", "crossentropy")


def _number(value):
    """Return a float for JSON, or None for nan: a score with no pixel to judge it by."""
    return None if math.isnan(value) else float(value)


def predicted_everywhere(row):
    """Return the one class that every pixel was predicted as, or None.

    Args:
        row: of a history, with `val_recall_CLASS`; a class is found where its recall is not 0.
    """
    recalls = {k: v for k, v in row.items() if k.startswith("val_recall_")}
    found = [k.removeprefix("val_recall_") for k, v in recalls.items() if v]
    return found[0] if len(found) == 1 and recalls["val_recall_" + found[0]] == 1 else None
