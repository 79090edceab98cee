"""A model of any format as one callable: RGB images in, probabilities out."""

import contextlib
import logging
import pkgutil
import zipfile
from pathlib import Path

import numpy as np

from segmentation import formats, model_card, probabilities
from segmentation.data.classes import Classes
from segmentation.errors import InputError, reason
from segmentation.inference import descriptions
from segmentation.legacy.spec import UNSPECIFIED
from segmentation.quiet import silenced

logger = logging.getLogger(__name__)


class Predictor:
    """A loaded model, whatever its format.

    Attributes:
        path: of the artefact.
        runner: `Runner` of the artefact.
        img_size: `(height, width)` of its input in pixels.
        classes: `Classes` of its channels.
        card: the model card beside the artefact, or one made from the class names that a person
            gave, or None.
        named: whether the card, the file or a person names the classes; else they are numbered.
        gives_ids_only: whether it gives only class ids, as probabilities of 0 and 1.
        model: `keras.Model` for inference behind a `.keras` or `.h5` file, else None.
    """

    def __init__(self, path, runner, class_names=None):
        """Find out what the channels mean.

        Args:
            path: of the artefact, beside which its card is looked for.
            runner: `Runner` of the artefact.
            class_names: text in which a person names the channels, or None.

        Raises:
            InputError: if the card, the file and the person contradict each other.
        """
        self.path, self.runner, self.img_size = Path(path), runner, runner.img_size
        self.gives_ids_only, self.model = runner.gives_ids_only, runner.model
        self.card = descriptions.card_of(self.path, runner, class_names)
        known = self.card or descriptions.of_metadata(runner)
        self.named = known is not None
        if self.named:
            self.classes = Classes.of_card(known)
        else:
            self.classes = descriptions.numbered_classes(runner.num_channels)

    def __call__(self, images):
        """Return probabilities.

        Args:
            images: `(N, height, width, 3)` uint8 RGB, of `img_size`.

        Returns:
            `(N, h, w, C)` float32, 0..1. h, w are those of the network's output, which may be
            smaller than its input: `probabilities.upsample` them before taking the argmax.

        Raises:
            ValueError: if `images` has another type or size.
        """
        if images.dtype != np.uint8 or images.shape[1:] != (*self.img_size, 3):
            raise ValueError(
                f"expected (N, {self.img_size[0]}, {self.img_size[1]}, 3) uint8, "
                f"got {images.shape} {images.dtype}"
            )
        return self.runner.run(images)


def load(path, spec=UNSPECIFIED):
    """Load a model.

    Args:
        path: of a file or folder in one of `formats.FORMATS`. The model card is looked for beside
            it, under the same stem.
        spec: `LegacySpec`: what a model of another project does not say itself.

    Returns:
        `Predictor`.

    Raises:
        InputError: if there is no such file, it is not a model, its card is of another model, or
            `spec` does not fit it.
    """
    path = Path(path)
    chosen = format_of(path)
    if not chosen.legacy and (spec.normalization or spec.network or spec.activation):
        raise InputError(
            f"{path}: is an export; --from, --input_mean, --activation and --model apply only to "
            ".keras and .h5"
        )
    with reading(path):
        read = pkgutil.resolve_name(chosen.reader)
        runner = read(path, spec) if chosen.legacy else read(path)
    return Predictor(path, runner, spec.class_names)


def require_probabilities(predict):
    """Warn of an export that may be of another origin; refuse it if it gives no probabilities.

    Those of this project say what they are, in their metadata or a card beside them.

    Args:
        predict: `Predictor`.

    Raises:
        InputError: if its output for an image of noise is not probabilities, or it does not run.
    """
    is_known = descriptions.of_metadata(predict.runner) or (
        model_card.path_beside(predict.path).exists()
    )
    if is_known or predict.model is not None:
        return
    logger.warning(
        "%s: has neither our metadata nor a model card, so it may be of another origin: it gets "
        "RGB 0..255, and its output is taken for probabilities",
        predict.path,
    )
    noise = np.random.default_rng(0).integers(0, 256, (1, *predict.img_size, 3), np.uint8)
    with reading(predict.path):
        scores = predict(noise)
    advice = "convert it with its sigmoid or softmax inside"
    probabilities.require(predict.path, scores, advice, step=1 / 255)


def format_of(path):
    """Return the `Format` of the model at `path`, by its suffix or by what a folder holds.

    Raises:
        InputError: if nothing here reads such a file.
    """
    path = Path(path)
    readable = [each for each in formats.FORMATS.values() if each.reader]
    for each in readable:
        if each.marker and (path / each.marker).is_file():  # a folder, which may have any name
            return each
    for each in readable:
        if path.suffix.lower() == each.suffix:
            return each
    suffixes = ", ".join(each.suffix for each in readable)
    raise InputError(f"{path}: unknown model format; known formats are {suffixes}")


@contextlib.contextmanager
def reading(path):
    """Turn whatever goes wrong while reading the model `path` into an InputError."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.suffix.lower() == ".keras" and not zipfile.is_zipfile(path):  # Keras would say: absent
        raise InputError(f"{path}: not a readable model (damaged or truncated); copy it again")
    try:
        with silenced():  # TensorFlow and LiteRT print notices
            yield
    except InputError:
        raise
    except ImportError as error:
        requirements = (formats.of_path(path) or formats.Format).requirements
        raise InputError(
            f"{path}: reading it needs {error.name}; run pip install {requirements}"
        ) from error
    except Exception as error:  # six libraries, each with its own errors for a damaged file
        raise InputError(f"{path}: not a readable model ({reason(error)})") from error
