"""What travels together about one export: how to write it, and what its writer found out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Options:
    """How to write an export. A writer reads the options that its format has.

    Attributes:
        precision: one of the `precisions` of the format.
        calibration: `(N, height, width, 3)` uint8 RGB, images such as the app will see, from which
            an int8 `.tflite` takes the range of each tensor.
        two_channels: whether a model of a single class gives `[1 - p, p]`, the background first.
        output: profile of a Core ML package. `scores`: probabilities `(1, h, w, C)`; `labels`:
            int32 class ids `(H, W)`, 0 and 1 for a single class; `image`: an 8-bit grayscale image
            of the input's size that holds 255 times the probability of a single class, or the
            channel ids of several.
        target: one of `formats.CORE_ML_TARGETS`, the oldest system that runs the package; None: the
            oldest that can.
        author: shown to the person who opens a Core ML package.
        licence: shown beside the author.
        kit: whether to write the parity kit beside the export.
    """

    precision: str = "float32"
    calibration: Any = None
    two_channels: bool = False
    output: str = "scores"
    target: str | None = None
    author: str = ""
    licence: str = ""
    kit: bool = False


@dataclass(frozen=True)
class Written:
    """What a writer knows about the export that it wrote.

    Attributes:
        runners: by name, what runs the export on this computer: functions from images
            `(N, height, width, 3)` uint8 to probabilities. None: `predictor.load` does.
        steps: `(scale, zero point)` of a uint8 output, whose input is uint8 too: probabilities are
            `(value - zero point) * scale`. None: both are float32.
    """

    runners: Mapping[str, Callable] | None = None
    steps: tuple[float, int] | None = None
