"""The teacher of a distillation: a trained model, and which of its classes are the student's."""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from segmentation import model_card
from segmentation.data import labels
from segmentation.errors import InputError
from segmentation.inference import predictor
from segmentation.legacy.models import require_probabilities
from segmentation.legacy.spec import UndescribedError
from segmentation.training.config import TEACHER_WEIGHT
from segmentation.training.distribution import Devices
from segmentation.training.losses import with_background

logger = logging.getLogger(__name__)

BACKGROUND = labels.BACKGROUND_NAMES[0]


@dataclass(frozen=True)
class Teacher:
    """A frozen float32 model, and how its probabilities become those of the student's classes.

    Attributes:
        path: of the model.
        model: `keras.Model` from `(batch, height, width, 3)` RGB 0..255 to probabilities.
        classes: names of its channels.
        matching: `(T, S)` float32 of `match`.
        weight: share of the teacher's term in the loss, 0..1.
        fingerprint: 64 hexadecimal digits that identify its weights and classes.
        card: its model card.
    """

    path: Path
    model: keras.Model
    classes: tuple[str, ...]
    matching: np.ndarray
    weight: float
    fingerprint: str
    card: dict

    def probabilities(self, images, size):
        """Return what the teacher says of images, as constants without gradients.

        Args:
            images: `(batch, height, width, 3)` float32 RGB 0..255, of any height and width.
            size: `(h, w)` of the result.

        Returns:
            `(batch, h, w, S)` float32: p(class) in the order of the student's ids, the background
            of a single class before it. They sum to less than 1 where the teacher sees what counts
            nowhere for the student.
        """
        images = resize(images, self.model.input_shape[1:3])
        matched = ops.matmul(with_background(self.model(images, training=False)), self.matching)
        return ops.stop_gradient(resize(matched, size))

    def to_card(self, data_card):
        """Return what the model card of the student says of it.

        Args:
            data_card: what that card says of the data (`pipeline.TrainingData.card`).
        """
        return {
            "model": self.path.name,
            "classes": list(self.classes),
            "weight": self.weight,
            "fingerprint": self.fingerprint,
            "validation_pictures_seen": seen_in_validation(data_card, self.card),
        }


def open_teacher(config, classes, devices=Devices()):  # noqa: B008 (it is immutable)
    """Return the `Teacher` that a `TrainConfig` names, or None. Sets the precision of Keras.

    Args:
        config: `TrainConfig`.
        classes: `Classes` of the student.
        devices: `distribution.Devices`.

    Raises:
        InputError: if it is no model that describes itself, or lacks a class of the student.
    """
    if config.teacher is None:
        return None
    path = Path(config.teacher)
    # `network.build` sets what the student is trained in; the teacher stays as it was measured.
    keras.config.set_dtype_policy("float32")
    with devices.alone():  # JAX bakes it into each step, which it can do with values at hand alone
        found = _load(path)
    try:
        matching = match(found.classes, classes)
    except InputError as error:
        raise InputError(f"{path}: cannot teach: {error}") from None
    model = keras.Model(found.model.inputs[0], found.model.outputs[0])
    model.trainable = False
    require_probabilities(path, model)
    names, weight = found.classes.names, config.teacher_weight or TEACHER_WEIGHT
    fingerprint = _fingerprint(model, names)
    height, width = found.img_size
    others = [name for name in names if labels.key(name) not in _keys(classes)]
    logger.info(
        f"teacher {path}: {model.count_params():,} parameters, {height}x{width} px"
        + f"; not learned from it: {labels.listed(others)}" * bool(others)
    )
    return Teacher(path, model, names, matching, weight, fingerprint, found.card)


def _load(path):
    """Return the `Predictor` of a Keras model that names its classes."""
    try:
        found = predictor.load(path)
    except UndescribedError:
        raise InputError(
            f"{path}: a model of another project, which evaluate.py reads with --from or --model, "
            "cannot be a teacher: choose one that normalises images inside and has a model card"
        ) from None
    if found.model is None:
        raise InputError(f"{path}: is an export; the teacher is the model that it was made from")
    if not found.card:
        raise InputError(
            f"{path}: no model card {model_card.path_beside(path).name} beside it to name the "
            "classes of the teacher; copy the one that training wrote"
        )
    return found


def match(theirs, ours):
    """Match classes by name.

    Args:
        theirs: `Classes` of the teacher.
        ours: `Classes` of the student.

    Returns:
        `(T, S)` float32 of 0 and 1, for `probabilities @ matching`: rows are the ids of the
        teacher, columns those of the student, a single class with its background before it. The
        teacher's other classes are background to the student. What the student ignores, and without
        a background all other classes, has a row of zeros: it counts nowhere.

    Raises:
        InputError: if the teacher lacks a class or the background of the student.
    """
    their_keys, our_keys = _keys(theirs), _keys(ours)
    ignored = ours.ignored and labels.key(ours.ignored)
    needed = [key for key in our_keys if key not in (BACKGROUND, ignored)]
    missing = [key for key in needed if key not in their_keys]
    if missing:
        raise InputError(
            f"it lacks {labels.listed(missing)}; its classes are {labels.listed(theirs.names)}"
        )
    rest = our_keys.index(BACKGROUND) if BACKGROUND in our_keys else None
    if rest is not None and ignored != BACKGROUND and not _knows_background(theirs):
        raise InputError("it was trained without a background, which this network is to predict")
    matching = np.zeros((len(their_keys), len(our_keys)), np.float32)
    for row, key in enumerate(their_keys):
        if key == ignored and len(theirs) > 1:  # a single class knows no background from the rest
            continue
        column = our_keys.index(key) if key in our_keys else rest
        if column is not None:
            matching[row, column] = 1
    return matching


def _keys(classes):
    """Return the names of the ids, the background of all by one name."""
    return [labels.key(name) for name in classes.id_names]


def _knows_background(classes):
    ignores_it = classes.ignored is not None and labels.is_background(classes.ignored)
    return BACKGROUND in _keys(classes) and not ignores_it


def resize(images, size):
    """Resize `(batch, height, width, channels)` to `size` as `image_io.resize` does, in float32.

    Two matrix products: `ops.image.resize(antialias=True)` is no operation that XLA can compile.
    """
    _, height, width, channels = images.shape
    down, across = _resampling(height, size[0]), _resampling(width, size[1])
    if height != size[0]:
        rows = ops.matmul(down, ops.reshape(images, (-1, height, width * channels)))
        images = ops.reshape(rows, (-1, size[0], width, channels))
    return images if width == size[1] else ops.matmul(across, images)


def _resampling(source, target):
    """Return the matrix `(target, source)` that resamples one axis with a triangle as filter."""
    scale = source / target
    centers = (np.arange(target) + 0.5) * scale
    distances = np.abs(np.arange(source) + 0.5 - centers[:, None]) / max(scale, 1)
    weights = np.maximum(1 - distances, 0)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _fingerprint(model, names):
    digest = hashlib.sha256(json.dumps(list(names)).encode())
    for array in model.get_weights():
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def seen_in_validation(card, earlier_card):
    """Return how many validation images of a run an earlier model was trained on.

    Args:
        card: what the card of the run says of the data (`pipeline.TrainingData.card`).
        earlier_card: of the model that teaches, or whose weights the run begins with.

    Returns:
        their number, or None where it cannot be told: other files may hold the same images, at
        another size, say. Separate files of training and validation share none (`sources`).
    """
    data, theirs = card["data"], earlier_card.get("data", {})
    validation = data["fingerprint"]
    if theirs.get("training_fingerprint") == validation:
        held_out = theirs.get("fingerprint") == validation
        unseen = earlier_card.get("validation_rows", []) if held_out else []
        return len(set(card["validation_rows"]) - set(unseen))
    same_training = theirs.get("training_fingerprint") == data["training_fingerprint"]
    return 0 if same_training or theirs.get("fingerprint") == validation else None
