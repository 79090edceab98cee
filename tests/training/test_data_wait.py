"""The share of the time that training waits for data: measured, written down, and what helps."""

import itertools
import json
import os
import types

import numpy as np
import pytest
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

from segmentation.data import arrays, pipeline
from segmentation.data.dataset import Subset
from segmentation.training import callbacks, data_wait, state
from tiny_network import history, train_tiny

ADVICE = "training waited for data"


@pytest.fixture
def clock(monkeypatch):
    """Return a function of the seconds of a batch and of a step: no other time passes."""
    now = itertools.count()  # a tick for each look at the clock keeps time from standing still
    passed = [0.0]
    fake = types.SimpleNamespace(perf_counter=lambda: passed[0] + next(now) * 1e-6)
    for module in (data_wait, callbacks):
        monkeypatch.setattr(module, "time", fake)

    def set_up(batch, step):
        batches = PyDatasetAdapter._get_iterator

        def drawn(self):
            for each in batches(self):
                passed[0] += batch
                yield each

        def trained(self, *arguments, **options):
            passed[0] += step

        monkeypatch.setattr(PyDatasetAdapter, "_get_iterator", drawn)
        # The end of a step is when the callback looks at the clock.
        monkeypatch.setattr(callbacks.Recorder, "on_train_batch_begin", trained)

    return set_up


@pytest.mark.slow
def test_slow_data_show_as_a_high_share_in_the_line_the_history_and_the_card(data, clock, capsys):
    clock(batch=3.0, step=1.0)
    train_tiny("--epochs", "3", "--no_augment", "--workers", "2")
    rows = history(data / "artifacts/hair.csv")
    assert [float(row["data_wait"]) for row in rows] == pytest.approx([0.75] * 3, rel=1e-4)
    card = json.loads((data / "artifacts/hair.json").read_text())
    assert card["data_wait"] == pytest.approx(0.75, rel=1e-4)
    assert card["metrics"]["data_wait"] == float(rows[card["best_epoch"] - 1]["data_wait"])
    assert "workers" not in card["settings"]
    lines = capsys.readouterr().err.splitlines()
    assert sum(line.endswith("images/s, data 75%") for line in lines) == 3
    assert sum(ADVICE in line for line in lines) == 1  # once is enough


@pytest.mark.slow
def test_fast_data_show_as_a_low_share_without_advice(data, clock, capsys):
    clock(batch=0.1, step=0.9)
    train_tiny("--epochs", "2")
    rows = history(data / "artifacts/hair.csv")
    assert [float(row["data_wait"]) for row in rows] == pytest.approx([0.1] * 2, rel=1e-4)
    assert ADVICE not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "steps_left", "said"),
    [
        (1, 59, ["less than a minute to go, not counting validation"]),
        (1, 61, ["about 2 min to go, not counting validation"]),
        (30, 2, ["about 1 min to go, not counting validation"]),
        (1, 0, []),  # all of the run were these steps
    ],
)
def test_the_time_to_go_is_said_once_and_not_as_none(
    monkeypatch, caplog, seconds, steps_left, said
):
    clock = types.SimpleNamespace(perf_counter=iter((9, 9 + 2 * seconds)).__next__)
    monkeypatch.setattr(callbacks, "time", clock)
    run = types.SimpleNamespace(stages=[0], epochs=1, batches=3, steps_left=3)
    bar = types.SimpleNamespace(start=lambda *_: None, advance=lambda: None)
    reporter = callbacks.Reporter(run, None, bar)
    reporter.on_epoch_begin(0)
    run.steps_left = steps_left
    caplog.set_level("INFO", callbacks.__name__)
    for batch in range(3):
        reporter.on_train_batch_end(batch)
    assert caplog.messages == said


def test_the_card_leaves_out_the_first_epoch_and_those_of_versions_that_measured_nothing():
    rows = [{}, {"data_wait": 0.9}, {"data_wait": 0.1}, {"data_wait": 0.3}]
    assert state.data_wait(rows) == pytest.approx(0.2)
    assert state.data_wait(rows[:2]) == 0.9


@pytest.mark.parametrize(
    ("workers", "stored", "img_size", "help_"),
    [
        (2, (32, 32), (32, 32), "--workers 4 reads with all 4 cores"),
        (4, (64, 64), (32, 48), "data.py prepare --img_size 32x48"),
        (4, (32, 32), (32, 32), "more of them"),
        (4, None, (32, 32), "arrays of 32 px"),
    ],
)
def test_advice_names_what_is_left_to_do(monkeypatch, workers, stored, img_size, help_):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    size = stored or (32, 32)
    images, masks = np.zeros((5, *size, 3), "u1"), np.zeros((5, *size), "u1")
    found = arrays.Arrays(images, masks, ["0"] * 5, [""] * 5, ["background", "hair"])
    if stored is None:  # as of TFRecords
        found = Subset(found, range(5))
    options = pipeline.BatchOptions(img_size, batch_size=2)
    batches = pipeline.TrainingBatches(Subset(found, range(5)), [(np.arange(256), 1)], options)
    batches.workers = workers
    line = data_wait.advice(0.456, batches)
    assert line.startswith("training waited for data in 46% of the time: ") and help_ in line
