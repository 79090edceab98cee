"""Fixtures of the tests of training."""

import shutil

import pytest

import nets
import tiny_network
from tiny_models import IMG_SIZE


@pytest.fixture(scope="session")
def unet():
    """A MobileUNet that tests fill, one after the other."""
    return nets.build("mobile_unet", IMG_SIZE, 1, alpha=0.25)


@pytest.fixture(scope="session")
def one_epoch(tmp_path_factory):
    """The folder of `data` after a run of one epoch, for reading alone."""
    folder = tmp_path_factory.mktemp("one_epoch")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        tiny_network.register(patch.setitem)
        tiny_network.write_arrays(folder / "data")
        tiny_network.train_tiny("--epochs", "1", "--schedule", "constant")
    return folder


@pytest.fixture
def begun(one_epoch, data):
    """The folder `data` with `artifacts/hair.keras`, a run of one epoch that can be resumed.

    It was trained with `--schedule constant`, so that it may become longer.
    """
    shutil.copytree(one_epoch, data, dirs_exist_ok=True)
    return data
