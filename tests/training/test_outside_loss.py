"""A loss that is registered from outside, as docs/extending.md describes it: one file, one row."""

import sys
import types

import keras
import numpy as np
import pytest

import train_full
from segmentation.training import losses
from segmentation.training.config import LOSSES
from tiny_network import history


class Tversky(keras.losses.Loss):
    """https://arxiv.org/abs/1706.05721: dice that weighs misses more than false alarms."""

    def __init__(self, class_weights=None):
        super().__init__(name="tversky")
        self.class_weights = class_weights

    def call(self, y_true, y_pred):
        target, valid = losses.targets(y_true, y_pred)
        overlap, missed, false = (
            keras.ops.sum(each * valid, axis=(1, 2))
            for each in (target * y_pred, target * (1 - y_pred), (1 - target) * y_pred)
        )
        return keras.ops.mean(1 - (overlap + 1) / (overlap + 0.7 * missed + 0.3 * false + 1), -1)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    outside = types.ModuleType("outside")
    outside.Tversky = Tversky
    monkeypatch.setitem(sys.modules, "outside", outside)
    monkeypatch.setitem(LOSSES, "tversky", "outside:Tversky")


def test_it_is_built_by_name_with_the_weights_of_the_classes():
    loss = losses.build("tversky", [1.0, 2.0])
    assert isinstance(loss, Tversky) and loss.class_weights == [1.0, 2.0]
    true, half = np.array([[[1, 0], [0, 255]]], np.uint8), np.full((1, 2, 2, 1), 0.5, np.float32)
    # overlap, missed and false are 0.5, 0.5 and 2 · 0.5 over the three valid pixels
    assert float(loss(true, half)) == pytest.approx(1 - 1.5 / (0.5 + 0.35 + 0.3 + 1))


def test_a_network_is_trained_with_it_by_the_name_of_an_option(data):
    options = ["--img_file", "data/images-32.npy", "--model", "tiny", "-b", "4", "--no_augment"]
    options += ["--epochs", "6", "--lr", "0.05", "--loss", "tversky"]
    train_full.main([*options, "-o", "out/a.keras"])
    rows = history(data / "out/a.csv")
    assert float(rows[-1]["loss"]) < 0.8 * float(rows[0]["loss"])
