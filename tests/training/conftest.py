"""Fixtures of the tests of training."""

import pytest

import nets
from tiny_models import IMG_SIZE


@pytest.fixture(scope="session")
def unet():
    """A MobileUNet that tests fill, one after the other."""
    return nets.build("mobile_unet", IMG_SIZE, 1, alpha=0.25)
