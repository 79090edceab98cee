"""The network of a run: built, begun with the weights of another one, frozen and compiled."""

import logging

import keras
import numpy as np

import nets
from segmentation.errors import InputError
from segmentation.evaluation import metrics
from segmentation.training import (
    accelerator,
    distillation,
    distribution,
    losses,
    optimizers,
    transfer,
)

logger = logging.getLogger(__name__)

RAREST = 0.01  # prior of a class that is hardly there; the paper's
AUX_WEIGHT = 0.3  # of the loss of --aux_classes


def arguments(config, earlier_card):
    """Return the arguments of the network: from the options, else from an earlier model's card.

    Args:
        config: `TrainConfig`.
        earlier_card: of the model that the run goes on from, or None.
    """
    given = {name: getattr(config, name) for name in nets.ARGUMENTS}
    given = {name: value for name, value in given.items() if value is not None}
    known = nets.scene_arguments(config.model) if config.files.tfrecord_data else {}
    if earlier_card and earlier_card.get("network") == config.model:
        known = nets.arguments_of_card(earlier_card)
    return known | given


def build(config, samples, earlier_card=None):
    """Build the network with its outputs for training, frozen as the first stage wants it.

    Sets the random seed and the precision of Keras.

    Args:
        config: `TrainConfig`.
        samples: `sources.Samples`.
        earlier_card: of the model that the run goes on from, or None.

    Returns:
        `keras.Model`, `mask` its first output.

    Raises:
        InputError: if the network refuses its arguments or the size, or has no layer to freeze.
    """
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    num_classes = len(samples.classes)
    try:
        model = nets.build(
            config.model, samples.img_size, num_classes, **arguments(config, earlier_card)
        )
    except ValueError as error:
        raise InputError(f"--model {config.model}: {error}") from None
    features = nets.features(model).shape[-1]
    if features < num_classes:
        logger.info(
            f"{num_classes} classes are scored from {features} features, which may not tell them "
            "apart; a larger --alpha, or --alpha_up for mobile_unet, gives more features"
        )
    if samples.aux_classes:
        model = nets.with_aux_head(model, len(samples.aux_classes))
    distribution.synchronize(model)
    for stage in reversed(config.stages):  # a mistake in the last stage shows at once, too
        freeze(model, stage)
    return model


def load_weights(model, config, classes):
    """Give a network the weights that it is to begin with, and log which layers took them.

    Args:
        model: of `build`.
        config: `TrainConfig`.
        classes: `Classes` of the network.

    Returns:
        names of the score layers that were given none of any class.

    Raises:
        InputError: if they cannot be read or don't fit, or a frozen layer would be left out.
    """
    scores = nets.score_layers(config.model)
    if config.initial_weights is None:
        if config.stages[0].freeze_until:
            logger.info("no weights are loaded: the frozen encoder is randomly initialised")
        return scores
    report = transfer.load_weights(
        model, config.initial_weights, config.model, classes.names, arguments(config, None)
    )
    for line in report.lines():
        logger.info(line)
    not_loaded = [
        name for name in report.other_shape + report.missing if not model.get_layer(name).trainable
    ]
    if not_loaded:
        raise InputError(
            f"{report.source}: {len(not_loaded)} of the layers that would be frozen are not in it "
            f"({not_loaded[0]} first); check --depth_multiplier, or train with --stage fine_tune"
        )
    return [name for name in scores if name not in report.loaded and not report.heads.get(name)]


def start_at_priors(model, scores, statistics):
    """Set biases so that each class is at first predicted as often as it occurs.

    Otherwise the first steps teach every feature that most pixels are background, and in a network
    with few features all of them may go dead (https://arxiv.org/abs/1708.02002, section 3.3).

    Args:
        model: built network.
        scores: names of its score layers without trained weights.
        statistics: `ClassStatistics` of the training images.
    """
    priors = np.clip(statistics.fractions, RAREST, 1 - RAREST)
    for name in scores:
        bias = model.get_layer(name).bias
        log_odds = np.log(priors[1:] / (1 - priors[1:]))
        bias.assign(log_odds if bias.shape[0] == 1 else np.log(priors))


def freeze(model, stage):
    """Freeze what a `Stage` does not train, and return how many layers with weights that are.

    Raises:
        InputError: if there is no such layer, or nothing or everything would be trained.
    """
    try:
        frozen = nets.freeze_until(model, stage.freeze_until)
    except ValueError as error:
        raise InputError(f"--freeze_until: {error}") from None
    # A head that exists for training alone does not count: the phone never gets it.
    if stage.freeze_until and not (frozen and nets.inference_model(model).trainable_variables):
        left = "nothing to train" if frozen else "everything to train"
        raise InputError(f"--freeze_until {stage.freeze_until}: leaves {left}")
    return frozen


def stage_compiler(config, data, class_weights, device, teacher=None):
    """Return a function of `(model, stage)` that freezes and compiles a model for a `Stage`.

    It returns the compiled model: the same one or, with a teacher, one of the same layers.

    Args:
        config: `TrainConfig`.
        data: `pipeline.TrainingData`.
        class_weights: floats in the order of `data.classes.id_names`, or None.
        device: `accelerator.Device`.
        teacher: `teacher.Teacher`, or None.
    """

    def compile_stage(model, stage):
        frozen = freeze(model, stage)
        if frozen:
            logger.info(f"{stage.name}: {frozen} layers are frozen, until {stage.freeze_until}")
        optimizer = optimizers.of_stage(config, stage, stage.steps(len(data.train)))
        return compile_model(model, optimizer, config, data.classes, device, class_weights, teacher)

    return compile_stage


def compile_model(model, optimizer, config, classes, device, class_weights=None, teacher=None):
    """Give a model its optimizer, its losses and the metrics that a run watches, and return it.

    With a teacher that is a model of the same layers, with the output of `distillation`.

    Args:
        model: built network, `mask` its first output.
        optimizer: Keras optimizer.
        config: `TrainConfig`.
        classes: `Classes` of the network.
        device: `accelerator.Device`.
        class_weights: floats in the order of `classes.id_names`, or None.
        teacher: `teacher.Teacher`, or None.
    """
    heads = nets.heads(config.model)
    if nets.AUX in model.output_names:
        heads = heads | {nets.AUX: config.aux_weight or AUX_WEIGHT}
    # The weights are for the classes of `mask`, which all heads but AUX share.
    weights = [class_weights, *(None if name == nets.AUX else class_weights for name in heads)]
    of_outputs = [losses.build(config.loss, each) for each in weights]
    loss_weights = [1.0, *heads.values()]
    crossentropy = losses.build("crossentropy")
    if config.unlabelled:
        *of_outputs, crossentropy = map(losses.OverLabelled, [*of_outputs, crossentropy])
    if teacher:
        model = distillation.with_teacher(model, teacher)
        of_outputs.append(distillation.TeacherLoss(single_class=len(classes) == 1))
        loss_weights = [*((1 - teacher.weight) * each for each in loss_weights), teacher.weight]
    watched = [
        metrics.ConfusionScores(classes.id_names),
        keras.metrics.MeanMetricWrapper(crossentropy.call, "crossentropy"),
    ]
    model.compile(
        optimizer=optimizer,
        loss=of_outputs,
        loss_weights=loss_weights,
        metrics=[watched] + [[]] * (len(of_outputs) - 1),
        jit_compile=accelerator.jit_compile(
            keras.backend.backend(), device, distribution.mirrored()
        ),
    )
    # Where tracing the first step creates variables, those of the optimizer or the mean losses of
    # several outputs, TensorFlow traces it a second time.
    model.optimizer.build(model.trainable_variables)
    if len(model.outputs) > 1:
        scores = [np.zeros((1, *output.shape[1:]), np.float32) for output in model.outputs]
        model.compute_loss(y=[each[..., 0].astype(np.uint8) for each in scores], y_pred=scores)
    return model
