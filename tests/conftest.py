"""Fixtures that several test files share."""

import os
import sys
from pathlib import Path

from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

# No test is about the clock, and an example may take long on a busy machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
