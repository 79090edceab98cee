"""Distillation: a network learns from a teacher's probabilities, besides the masks.

https://arxiv.org/abs/1503.02531, for each pixel as in https://arxiv.org/abs/1903.04197. While a
stage is trained, the network has one more output that holds its own probabilities and the
teacher's. The teacher itself is no part of the network: no optimizer, checkpoint or file sees it.
"""

import keras
from keras import ops

import nets
from segmentation.training.losses import EPSILON, SMOOTH, with_background

DISTILL = "distill"  # the output for the teacher


def with_teacher(model, teacher):
    """Return `model` with one more output, `distill`, for `TeacherLoss`.

    Args:
        model: built network, `mask` its first output; its layers are shared.
        teacher: `teacher.Teacher`.

    Returns:
        `keras.Model` whose last output is `(batch, h, w, 2 · S)` float32, of the size of `mask`:
        the probabilities of the S ids by the network, and by the teacher. In inference, where the
        teacher need not run, zeros are in the place of the latter.
    """
    beside = _Beside(teacher.probabilities, name=DISTILL)
    distilled = beside([model.input, model.get_layer(nets.OUTPUT).output])
    return keras.Model(model.input, [*model.outputs, distilled], name=model.name)


def without_teacher(model):
    """Return a model that shares the layers of `model`, without the output of `with_teacher`."""
    named = zip(model.output_names, model.outputs, strict=True)
    outputs = [output for name, output in named if name != DISTILL]
    return keras.Model(model.inputs, outputs, name=model.name)


class _Beside(keras.layers.Layer):
    """The probabilities of the network and, in training, those of the teacher beside them."""

    def __init__(self, probabilities, **options):
        # Not under mixed precision: the teacher would not say what it says elsewhere.
        super().__init__(dtype="float32", **options)
        # A method and not the teacher's model, whose variables Keras would find.
        self.probabilities = probabilities

    def call(self, inputs, training=None):
        image, mask = inputs
        student = with_background(mask)
        if not training:
            return ops.concatenate([student, ops.zeros_like(student)], axis=-1)
        teacher = self.probabilities(image, mask.shape[1:3])
        return ops.concatenate([student, teacher], axis=-1)


class TeacherLoss(keras.losses.Loss):
    """How far a network is from its teacher, between the probabilities of both.

    The Kullback-Leibler divergence KL(teacher ‖ student), averaged over all pixels of an image,
    plus the dice loss for probabilities as targets of https://arxiv.org/abs/2303.16296,
    Σ|p − t| / Σ(p + t) over the pixels, averaged over the classes. Where the teacher is certain the
    two are `losses.Crossentropy` and `losses.Dice`. Without dice the teacher was of no use: after
    400 steps on LFW the hair IoU of a network of 0.2 million parameters was 0.590 without a
    teacher, 0.579 with the divergence alone, and 0.602 with both.

    Where the probabilities of the teacher sum to m < 1, the pixel counts m. The mask is not looked
    at: the teacher has an opinion on ignored pixels, too.

    Args:
        single_class: whether the network has a single class, which counts alone in dice; otherwise
            the background counts as well.
    """

    def __init__(self, single_class, name="teacher_loss"):
        super().__init__(name=name)
        self.first = int(single_class)

    def call(self, y_true, y_pred):
        """Return `(batch,)`, of `(batch, h, w, 2 · S)` of `with_teacher`; 0 without a teacher."""
        student, teacher = ops.split(y_pred, 2, axis=-1)
        mass = ops.sum(teacher, axis=-1, keepdims=True)
        log_ratio = _log(teacher / ops.maximum(mass, EPSILON)) - _log(student)
        divergence = ops.mean(ops.sum(teacher * log_ratio, axis=-1), axis=(1, 2))
        student, teacher = (student * mass)[..., self.first :], teacher[..., self.first :]
        apart = ops.sum(ops.abs(student - teacher), axis=(1, 2))  # (batch, classes)
        total = ops.sum(student + teacher, axis=(1, 2))
        return divergence + ops.mean(apart / (total + SMOOTH), axis=-1)


def _log(probabilities):
    return ops.log(ops.clip(probabilities, EPSILON, 1.0))
