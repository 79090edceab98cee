"""The share of the time that training waits for data: measured, written down, and what helps."""

import json
import os
import time

import numpy as np
import pytest

from segmentation.data import arrays, pipeline
from segmentation.data.dataset import Subset
from segmentation.training import callbacks, data_wait, state
from tiny_network import history, train_tiny

ADVICE = "training waited for data"


def slow_down(monkeypatch, kind, method, seconds):
    whole = getattr(kind, method)

    def slow(self, *arguments, **options):
        time.sleep(seconds)
        return whole(self, *arguments, **options)

    monkeypatch.setattr(kind, method, slow)


@pytest.mark.slow
def test_slow_data_show_as_a_high_share_in_the_line_the_history_and_the_card(
    data, monkeypatch, capsys
):
    slow_down(monkeypatch, arrays.Arrays, "read", 0.05)
    train_tiny("--epochs", "3", "--no_augment", "--workers", "2")
    rows = history(data / "artifacts/hair.csv")
    shares = [float(row["data_wait"]) for row in rows]
    assert all(0.5 < share <= 1 for share in shares[1:])  # the first compiles the graph
    card = json.loads((data / "artifacts/hair.json").read_text())
    assert card["data_wait"] == pytest.approx(np.mean(shares[1:]))
    assert card["metrics"]["data_wait"] == shares[card["best_epoch"] - 1]
    assert "workers" not in card["settings"]
    lines = capsys.readouterr().err.splitlines()
    assert any(line.endswith(f"images/s, data {shares[2]:.0%}") for line in lines)
    assert sum(ADVICE in line for line in lines) == 1  # once is enough


@pytest.mark.slow
def test_fast_data_show_as_a_low_share_without_advice(data, monkeypatch, capsys):
    slow_down(monkeypatch, callbacks.StopRules, "on_train_batch_end", 0.1)  # as a large network
    train_tiny("--epochs", "2", "--steps_per_epoch", "6")
    assert all(float(row["data_wait"]) < 0.5 for row in history(data / "artifacts/hair.csv"))
    assert ADVICE not in capsys.readouterr().err


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
