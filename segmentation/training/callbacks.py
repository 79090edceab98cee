"""Keras callbacks of a run. One writes its files, one reports, one stops it, in that order."""

import logging
import math
import signal
import time

import keras

import nets
from segmentation.training import data_wait

logger = logging.getLogger(__name__)

MEANS = ("loss", "crossentropy")  # end the names of means over images; scores count pixels
TIMED_STEPS = 20  # after so many steps the remaining time is logged


class Recorder(keras.callbacks.Callback):
    """Counts steps and epochs in the state of a run, and keeps its files up to date.

    Args:
        state: `RunState`.
        run: `RunFiles`.
        batches: `data_wait.TimedBatches` that the steps are taken on.
        mean_factor: of the `pipeline.Batches` to validate on.
    """

    def __init__(self, state, run, batches, mean_factor):
        super().__init__()
        self.state, self.run, self.batches = state, run, batches
        self.mean_factor = mean_factor

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock."""
        self.started = time.perf_counter()
        self.waited_before = self.batches.seconds_waited

    def on_train_batch_end(self, batch, logs=None):
        """Count a step."""
        self.state.count_step(logs["loss"])
        self.trained = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Write the files, unless the loss is not finite."""
        for name in logs:  # the same dictionary that the callbacks after this one get
            if name.startswith("val_") and name.endswith(MEANS):
                logs[name] *= self.mean_factor
        if self.state.diverged is None:
            self.state.check(logs["val_loss"])
        if self.state.diverged is not None:
            return
        seconds = time.perf_counter() - self.started
        row = {"epoch": epoch + 1, "step": self.state.step}
        row |= {_history_name(name): _number(value) for name, value in logs.items()}
        row |= {"learning_rate": float(self.model.optimizer.learning_rate), "seconds": seconds}
        waited = self.batches.seconds_waited - self.waited_before
        row["data_wait"] = min(1.0, waited / (self.trained - self.started))
        if self.state.add_epoch(row):
            self.run.save_model(self.model)
        self.run.save_epoch(self.model, self.state)


class Reporter(keras.callbacks.Callback):
    """Logs a line for every epoch, and once in a stage the time that it is expected to take.

    Args:
        state: `RunState`.
        batches: `pipeline.TrainingBatches`.
        bar: progress bar of an epoch, with `start(total, text)`, `advance()` and `stop()`.
    """

    def __init__(self, state, batches, bar):
        super().__init__()
        self.state, self.batches, self.bar = state, batches, bar
        self.several_stages = len(state.stages) > 1
        self.timed = self.compiled = self.advised = False

    def on_epoch_begin(self, epoch, logs=None):
        """Start the bar."""
        state = self.state
        stage = f"{state.stage.name} " if self.several_stages else ""
        self.text = f"{stage}epoch {epoch + 1}/{state.epochs}"
        self.steps_in_epoch = min(state.batches, state.steps_left)
        self.bar.start(self.steps_in_epoch, self.text)

    def on_train_batch_end(self, batch, logs=None):
        """Move the bar, and log the expected time once it is known."""
        self.bar.advance()
        if self.timed:
            return
        if batch == 0:
            self.first_step_ended = time.perf_counter()  # it compiles the graph: not to be counted
        elif batch + 1 == min(TIMED_STEPS, self.steps_in_epoch):
            seconds = (time.perf_counter() - self.first_step_ended) / batch
            if steps_left := self.state.steps_left:
                part = " in this stage" if self.several_stages else ""
                logger.info(f"{_about(steps_left * seconds)} to go{part}, not counting validation")
            self.timed = True

    def on_epoch_end(self, epoch, logs=None):
        """Log the scores of the epoch, if it was recorded."""
        if self.state.diverged is not None:
            return
        row, watched = self.state.history[-1], self.state.watched
        best = self.state.card["best_epoch"]
        images = self.steps_in_epoch * self.batches.batch_size
        logger.info(
            f"{self.text}  loss {row['loss']:.4f}  "
            f"val_loss {row['val_loss']:.4f}  {watched} {row[watched]:.4f}  "
            f"({'best' if best == row['epoch'] else f'best: epoch {best}'})  "
            f"{row['seconds']:.0f} s, {images / row['seconds']:.0f} images/s, "
            f"data {row['data_wait']:.0%}"
        )
        only = predicted_everywhere(row)
        if only:
            logger.info(f"  it predicts {only} everywhere in the validation images")
        # The first epoch of a stage compiles the graph, which hides how long a step takes.
        if self.compiled and not self.advised and row["data_wait"] > data_wait.HIGH:
            logger.info(f"  {data_wait.advice(row['data_wait'], self.batches)}")
            self.advised = True
        self.compiled = True


class StopRules(keras.callbacks.Callback):
    """Stops a stage after its last step, when patience runs out, when it diverges, or on Ctrl-C.

    Args:
        state: `RunState`.
        interruption: `Interruption`.

    Raises:
        KeyboardInterrupt: on Ctrl-C, when the batch or the epoch has ended.
    """

    def __init__(self, state, interruption):
        super().__init__()
        self.state, self.interruption = state, interruption

    def on_train_batch_end(self, batch, logs=None):
        """Stop after the last step, on divergence or on Ctrl-C."""
        if self.state.diverged is not None or self.state.steps_left <= 0:
            self.model.stop_training = True
        self.interruption.raise_if_pressed()

    def on_epoch_end(self, epoch, logs=None):
        """Stop when the stage is over, on divergence or on Ctrl-C."""
        if self.state.diverged is not None or self.state.is_over():
            self.model.stop_training = True
        self.interruption.raise_if_pressed()


class Interruption:
    """Remembers Ctrl-C within its block until it can be handled; pressed twice, it acts at once.

    SIGTERM, which announces that the machine will be taken away, is handled like Ctrl-C.

    An exception raised just anywhere can get lost: Python ignores those that are raised while it
    deletes an object, and at the end of an epoch Keras deletes many.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __enter__(self):
        self.pressed = False
        self._previous = {each: signal.signal(each, self._press) for each in self.SIGNALS}
        return self

    def __exit__(self, *_):
        for each, handler in self._previous.items():
            signal.signal(each, handler)

    def _press(self, *_):
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
        logger.info("stopping after this batch or this validation; Ctrl-C again stops at once")

    def raise_if_pressed(self):
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self.pressed:
            raise KeyboardInterrupt


def _about(seconds):
    return "less than a minute" if seconds < 60 else f"about {math.ceil(seconds / 60)} min"


def _history_name(name):
    """Undo what Keras puts before a metric's name when a model has heads."""
    return name.replace(f"{nets.OUTPUT}_crossentropy", "crossentropy")


def _number(value):
    """Return a float for JSON, or None for nan: a score with no pixel to judge it by."""
    return None if math.isnan(value) else float(value)


def predicted_everywhere(row):
    """Return the one class that every pixel was predicted as, or None.

    Args:
        row: of a history, with `val_recall_CLASS`; a class is predicted where its recall is not 0.
    """
    recalls = {k: v for k, v in row.items() if k.startswith("val_recall_")}
    found = [k.removeprefix("val_recall_") for k, v in recalls.items() if v]
    return found[0] if len(found) == 1 and recalls["val_recall_" + found[0]] == 1 else None
