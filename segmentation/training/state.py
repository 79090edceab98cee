"""How far a run has come, and when a stage is over: numbers alone, no files and no Keras."""

import math


class RunState:
    """How far a run has come, in all stages.

    Attributes:
        card: the model card; its `stages` has the number of the first epoch of each stage that has
            begun.
        history: a dictionary of floats for each finished epoch.
        step: optimizer steps taken.
        stage: the present `Stage`.
        batches: batches in an epoch.
        watched: the score of `history` by which the best epoch is chosen.
        diverged: the loss that was not finite, or None.

    Args:
        card: see above.
        history: see above.
        config: `TrainConfig`, for the stages and the patience.
        batches: see above.
    """

    def __init__(self, card, history, config, batches):
        self.card, self.history, self.batches = card, history, batches
        self.stages, self.patience = config.stages, config.patience
        self.step = history[-1]["step"] if history else 0
        self.stage = None
        self.diverged = None
        classes = card["classes"]
        self.watched = f"val_iou_{classes[0]}" if len(classes) == 1 else "val_mean_iou"

    def stages_left(self):
        """Return the stages from the one on that the last epoch belongs to."""
        return self.stages[max(0, len(self.card["stages"]) - 1) :]

    def enter(self, stage):
        """Make `stage` the present one, and return whether it begins now."""
        self.stage = stage
        begins = stage.name not in self.card["stages"]
        if begins:
            self.card["stages"][stage.name] = len(self.history) + 1
        return begins

    @property
    def steps_left(self):
        """Optimizer steps until the present stage ends."""
        before = self.card["stages"][self.stage.name] - 1
        taken = self.step - (self.history[before - 1]["step"] if before else 0)
        return self.stage.steps(self.batches) - taken

    @property
    def epochs(self):
        """The number of the last epoch of the present stage."""
        # The last epoch may be cut short, and so may the one that a resumed run had ended with.
        return len(self.history) + math.ceil(self.steps_left / self.batches)

    def is_over(self):
        """Whether the stage is over: all steps are taken, or patience has run out."""
        before = self.card["stages"][self.stage.name] - 1
        waited = len(self.history) - max(before, self.card.get("best_epoch", 0))
        return self.steps_left <= 0 or bool(self.patience and waited >= self.patience)

    def count_step(self, loss):
        """Count an optimizer step that gave this loss."""
        self.step += 1
        self.check(loss)

    def check(self, loss):
        """Note a loss that is not finite."""
        if not math.isfinite(loss):
            self.diverged = loss

    def add_epoch(self, row):
        """Add an epoch to the history, and return whether it is the best so far.

        While the watched score is 0 the best epoch is that of the lowest loss: it has learned most.
        """
        best = self.card.get("metrics", {self.watched: -1.0})
        self.history.append(row)
        self.card |= {"epochs_trained": row["epoch"], "data_wait": data_wait(self.history)}
        is_best = row[self.watched] > best[self.watched] or (
            row[self.watched] == best[self.watched] == 0 and row["val_loss"] < best["val_loss"]
        )
        if is_best:
            self.card |= {"best_epoch": row["epoch"], "metrics": row}
        return is_best


def data_wait(history):
    """Return the mean `data_wait` of the epochs of a history, the first left out if it can be.

    The first compiles the graph. Epochs of versions that did not measure it are left out as well.
    """
    shares = [row["data_wait"] for row in history if "data_wait" in row]
    shares = shares[1:] or shares
    return sum(shares) / len(shares)
