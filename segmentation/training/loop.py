"""The training loop over the stages of a run."""

import logging
from importlib.util import find_spec

import keras

from segmentation.errors import InputError
from segmentation.training import checkpoint, optimizers
from segmentation.training.callbacks import Interruption, Recorder, Reporter, StopRules
from segmentation.training.data_wait import TimedBatches
from segmentation.training.state import RunState

logger = logging.getLogger(__name__)


def fit(model, data, card, compile_stage, run, bar):
    """Train a model stage by stage, keep the best epoch, and return the result.

    Each stage goes on with the weights that the stage before it ended with.

    Args:
        model: built network.
        data: `pipeline.TrainingData`; when a run is resumed, the epoch of `data.train` is set.
        card: what is known of the model before training (`cards.new_card`).
        compile_stage: function of `(model, stage)` that freezes layers and returns a compiled model
            of these layers, with `metrics.ConfusionScores` (`network.stage_compiler`).
        run: `RunFiles`.
        bar: progress bar of an epoch (`callbacks.Reporter`).

    Returns:
        `model`, the path of the trained model, and the model card, now with `stages`,
        `best_epoch`, `epochs_trained` and `metrics`, those of the best epoch.

    Raises:
        InputError: if the loss is not finite any more, or the run cannot be resumed.
        KeyboardInterrupt: when interrupted, with all files in order.
    """
    _log_start(card, data)
    run.devices.require_equal(card["settings"])
    state = RunState(*run.start(card), run.config, len(data.train))
    run.see(data)
    trained_before = len(state.history)
    try:
        with Interruption() as interruption:
            for stage in state.stages_left():
                compiled = compile_stage(model, stage)
                _enter(state, stage, compiled, data, run)
                if not state.is_over():
                    _fit_stage(compiled, data, state, run, interruption, bar)
                if state.diverged is not None:
                    run.draw_curves(state)
                    raise InputError(_divergence(state, run))
    except KeyboardInterrupt:
        _keep_what_there_is(model, state, run)
        run.draw_curves(state)
        raise
    finally:
        bar.stop()
    if len(state.history) == trained_before:
        logger.info(f"{run.output}: this run is finished; --resume and more epochs carry it on")
    return {"model": str(run.output)} | state.card


def _enter(state, stage, model, data, run):
    """Begin a stage, or go on with it, when `model` is compiled for it."""
    # Keras has counted on where --patience ended a stage, and not where the steps did.
    data.train.epoch = len(state.history)
    run.averaging = optimizers.averaging(model)
    if state.enter(stage):
        return
    checkpoint.restore(run.begun_path, model)
    if state.is_over():  # as Keras' `fit` does when it ends
        model.optimizer.finalize_variable_values(model.trainable_variables)


def _fit_stage(model, data, state, run, interruption, bar):
    batches = TimedBatches(data.train)
    callbacks = [
        Recorder(state, run, batches, data.validation.mean_factor),
        Reporter(state, data.train, bar),
        StopRules(state, interruption),
        *run.averaging,
    ]
    # Keras' TensorBoard callback writes with TensorFlow on any backend.
    if run.devices.writes and find_spec("tensorflow"):
        callbacks.append(keras.callbacks.TensorBoard(run.log_dir, write_graph=False))
    if keras.backend.backend() != "tensorflow":
        # Builds the metrics. Otherwise Keras builds them with a batch of `train`, and what is
        # fetched ahead of it comes into the first epoch.
        model.test_on_batch(*data.validation[0])
    try:
        model.fit(
            batches,
            validation_data=data.validation,
            epochs=state.epochs,
            initial_epoch=len(state.history),
            shuffle=False,  # the batches come in an order of their own
            verbose=0,
            callbacks=callbacks,
        )
    except Exception:
        error = data.train.error or data.validation.error
        if error is None:
            raise
        raise error from None  # a damaged image, in the words of whoever read it


def _keep_what_there_is(model, state, run):
    """After an interruption, save the model if there is none yet, and say how to go on."""
    if state.history:
        logger.info(
            f"{run.output}: the model of epoch {state.card['best_epoch']} is kept; "
            f"--resume goes on after epoch {len(state.history)}"
        )
    elif run.output.exists():
        logger.info(f"{run.output}: the model of an earlier run is kept")
    elif state.step and run.devices.share.workers == 1:
        run.save_model(model)
        run.save_card(state.card)
        logger.info(f"{run.output}: saved before the first epoch ended")


def _divergence(state, run):
    best = state.card.get("best_epoch")
    kept = f"the model of epoch {best} is kept" if best else "this run kept no model"
    return (
        f"{run.output}: the loss became {state.diverged} in epoch {len(state.history) + 1} "
        f"({kept}); lower --lr, or look for damaged images"
    )


def _log_start(card, data):
    """Log what will be trained on what."""
    height, width = card["img_size"]
    logger.info(
        f"{card['data']['training_pictures']:,} images to train on, "
        f"{card['data']['validation_pictures']:,} to validate on, {height}x{width} px"
    )
    weights, statistics = card["settings"]["class_weights"], data.statistics
    columns = (data.classes.id_names, statistics.fractions, statistics.images)
    for name, fraction, images in zip(*columns, strict=True):
        weight = f", weight {weights[name]:.3g}" if weights else ""
        logger.info(f"  {name}: {fraction:.1%} of the pixels, in {images} images{weight}")
    logger.info(
        f"{card['network']}: {card['parameters']:,} parameters, "
        f"{card['macs'] / 1e6:,.0f} million multiply-accumulates per image"
    )
    if count := card["data"].get("unlabelled_pictures"):
        logger.info(
            f"{count:,} images without masks, {card['data']['unlabelled_per_batch']} of the "
            f"{data.train.batch_size} in a batch"
        )
    for key, what in (("teacher", "the teacher"), ("earlier_model", "the model to begin with")):
        if seen := card.get(key, {}).get("validation_pictures_seen"):
            logger.warning(
                f"{what} was trained on {seen:,} of the images that this run validates on: the "
                "scores will be too good; give both the same --seed and --validation_split"
            )
    if card.get("teacher", {}).get("validation_pictures_seen", 0) is None:
        logger.info(
            "it cannot be told whether the teacher was trained on images that this run validates "
            "on: if its files hold the same images, at another size, say, give both the same "
            "--seed and --validation_split"
        )
