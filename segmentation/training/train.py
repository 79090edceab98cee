"""From the options of a training command to a trained model."""

import dataclasses
import logging
import platform
import re
from importlib.metadata import version
from pathlib import Path

import keras

import nets
from segmentation import files, model_card
from segmentation.data import arrays, augmentation, pipeline, tfrecords
from segmentation.data.classes import Classes, choose
from segmentation.errors import InputError
from segmentation.evaluation import metrics
from segmentation.training import checkpoint, class_weights, loop, losses, optimizers, transfer

logger = logging.getLogger(__name__)

AUX_WEIGHT = 0.3  # of the loss of --aux_classes
WEIGHTS = ("weights", "fine_tune_checkpoint")  # options that name what to begin with
# Options that say where things are; where a run may be carried on from another folder.
NO_SETTINGS = {
    *("img_file", "mask_file", "val_img_file", "val_mask_file"),
    *("tfrecord_data", "val_tfrecord_data", "label_filename", "output", "resume"),
}


def train(args, stages, weights, report):
    """Train a network as the options say, and return the result that a command prints.

    Args:
        args: parsed options of `training_options`.
        stages: list of `loop.Stage`.
        weights: what to begin with, for `transfer.load_weights`, or None.
        report: object of `loop.fit`.

    Returns:
        the model card, and `model`, the path of the trained model.

    Raises:
        InputError: for whatever a user can mend.
    """
    source, validation = _open_sources(args)
    chosen = choose(source.labels, args.classes, args.ignore_class)
    aux_chosen = args.aux_classes and choose(source.labels, args.aux_classes, None)
    if aux_chosen and set(aux_chosen) <= set(chosen):
        raise InputError(f"--aux_classes {args.aux_classes}: learned already, by --classes")
    output = output_path(args.output, chosen)
    img_size = args.img_size or source.images.shape[1:3]
    keras.utils.set_random_seed(args.seed)
    keras.config.set_dtype_policy(args.precision)
    begun = args.resume and checkpoint.read(loop.state_path(output))
    arguments = _arguments(args, begun["card"] if begun else transfer.card_of(weights))
    classes = Classes.of_data(source.labels, chosen, args.ignore_class)
    if len(classes) == 1 and args.loss == "dice" and args.class_weights != "none":
        raise InputError("--class_weights: the dice loss of one class has nothing to weigh")
    # Before the masks are counted, which can take long: it may be refused.
    try:
        model = nets.build(args.model, img_size, len(classes), **arguments)
    except ValueError as error:
        raise InputError(f"--model {args.model}: {error}") from None
    features = nets.features(model).shape[-1]
    if features < len(classes):
        logger.info(
            f"{len(classes)} classes are scored from {features} features, which may not tell them "
            "apart; a larger --alpha, of mobile_unet --alpha_up, gives more"
        )
    heads, aux_classes = nets.heads(args.model), None
    if aux_chosen:
        aux_classes = Classes.of_data(source.labels, aux_chosen, args.ignore_class)
        model = nets.with_aux_head(model, len(aux_classes))
        heads = heads | {nets.AUX: args.aux_weight or AUX_WEIGHT}
    for stage in reversed(stages):  # a mistake in the last one shows at once, too
        _freeze(model, stage)
    if weights and not begun:
        own = Path(weights).resolve().with_suffix("") == output.resolve().with_suffix("")
        if own and weights != transfer.IMAGENET:
            raise InputError(f"{output}: would be trained over its own weights; name another -o")
        taken = transfer.load_weights(model, weights, args.model, classes.names)
        for line in taken.lines():
            logger.info(line)
        _require_loaded(model, taken)
    logger.info(f"{len(source):,} pictures; looking at what their masks show")
    data = pipeline.open_dataset(
        source,
        classes,
        img_size=img_size,
        validation=validation,
        validation_split=args.validation_split,
        batch_size=args.batch_size,
        seed=args.seed,
        motion=_motion(args),
        strides=nets.strides(args.model),
        steps_per_epoch=args.steps_per_epoch,
        aux_classes=aux_classes,
    )
    weighed = class_weights.of_option(args.class_weights, data)
    card = card_of(args.model, arguments, model, data, vars(args))
    # By name, so that a resumed run is one of the same weights, whatever their file is called.
    card["settings"]["class_weights"] = weighed and dict(
        zip(data.classes.id_names, weighed, strict=True)
    )
    _describe(card, data, report)

    def prepare(stage):
        frozen = _freeze(model, stage)
        if frozen:
            logger.info(f"{stage.name}: {frozen} layers are frozen, until {stage.freeze_until}")
        steps = stage.steps(len(data.train))
        optimizer = optimizers.build(
            args.optimizer,
            optimizers.learning_rate(args.schedule, stage.learning_rate, steps, args.warm_up),
            clip_norm=args.clip_norm,
            ema=args.ema,
        )
        compile_model(model, optimizer, args.loss, data, weighed, heads)

    card = loop.fit(
        model,
        data.train,
        data.validation,
        card,
        output,
        stages=stages,
        prepare=prepare,
        patience=args.patience,
        resume=args.resume,
        report=report,
    )
    return {"model": str(output)} | card


def output_path(output, chosen):
    """Return where the model will stand, in a folder that can be written to.

    Args:
        output: `.keras` or `.h5` path, or None: `artifacts/CLASS.keras`, or `artifacts/model.keras`
            for several classes.
        chosen: names of the classes to learn.

    Raises:
        InputError: if no model can be written under that name.
    """
    name = re.sub(r"\W+", "_", chosen[0]) if len(chosen) == 1 else "model"
    output = Path(output or f"artifacts/{name}.keras")
    for path in (output, loop.log_dir(output)):
        with files.workspace_beside(path):  # which says at once what would stop the first epoch
            pass
    if output.suffix not in model_card.MODEL_SUFFIXES or output.is_dir():
        raise InputError(
            f"{output}: name a file that ends in {' or '.join(model_card.MODEL_SUFFIXES)}"
        )
    model_card.require_overwritable(output)
    return output


def compile_model(model, optimizer, loss, data, class_weights, heads):
    """Give a model its optimizer, its losses and the metrics that a run watches.

    Args:
        model: built network, `mask` its first output.
        optimizer: of Keras.
        loss: one of `choices.LOSSES`, or another name of one.
        data: `pipeline.Dataset`.
        class_weights: floats in the order of `data.classes.id_names`, or None.
        heads: weights of the losses of the other outputs (`nets.heads`).
    """
    crossentropy = losses.build("crossentropy")
    watched = [
        metrics.ConfusionScores(data.classes.id_names),
        keras.metrics.MeanMetricWrapper(crossentropy.call, "crossentropy"),
    ]
    names = [nets.OUTPUT, *heads]
    model.compile(
        optimizer=optimizer,
        # The weights are of the classes of `mask`, which all heads but one share.
        loss=[losses.build(loss, None if name == nets.AUX else class_weights) for name in names],
        loss_weights=[1.0, *heads.values()],
        metrics=[watched] + [[]] * len(heads),
    )


def card_of(network, arguments, model, data, options):
    """Return what is known of a model before it is trained, for its card.

    Args:
        network: a key of `nets.NETWORKS`.
        arguments: those that the network was built with; defaults are added.
        model: the built network.
        data: `pipeline.Dataset`.
        options: of the command, as a dictionary.
    """
    settings = {name: value for name, value in options.items() if name not in NO_SETTINGS}
    settings |= {"img_size": list(data.img_size), "batch_size": data.train.batch_size}
    settings |= {name: Path(options[name]).name for name in WEIGHTS if options.get(name)}
    fingerprints = {
        "data": data.card["data"]["training_fingerprint"],
        "validation_data": data.card["data"]["fingerprint"],
    }
    phone = nets.inference_model(model)
    return {
        "network": network,
        "arguments": nets.arguments(network, arguments),
        "img_size": list(data.img_size),
        **data.classes.to_card(),
        "parameters": phone.count_params(),
        "macs": nets.macs(phone),
        "settings": settings | fingerprints,
        **data.card,
        "versions": {
            "python": platform.python_version(),
            "keras": keras.__version__,
            keras.backend.backend(): version(keras.backend.backend()),
        },
    }


def _open_sources(args):
    """Return what to train on, and what to validate on or None."""
    given = args.label_filename
    path, other = (
        (args.tfrecord_data, args.val_tfrecord_data)
        if args.tfrecord_data
        else (args.img_file, args.val_img_file)
    )
    # Their own labels tell whether the two sets fit together, unless both have the same.
    own = [Path(data).parent / "labels.txt" for data in (path, other) if data]
    alike = all(each.exists() for each in own) and len({each.read_bytes() for each in own}) == 1
    theirs = given if alike or not own[-1].exists() else None
    if args.tfrecord_data:
        source = tfrecords.open_records(path, given)
        validation = other and tfrecords.open_records(other, theirs)
    else:
        source = arrays.open_arrays(path, args.mask_file, given)
        validation = other and arrays.open_arrays(other, args.val_mask_file, theirs)
    shared = validation and validation.shared(source)
    if shared:
        raise InputError(
            f"{other}: {shared} of its {len(validation)} pictures are in {path} too; validate on "
            "other pictures"
        )
    return source, validation


def _motion(args):
    """Return how far training pictures are moved, or None."""
    if not args.augment:
        return None
    usual = augmentation.SCENES if args.tfrecord_data else augmentation.PORTRAITS
    return dataclasses.replace(usual, flip_up_down=args.flip_up_down)


def _freeze(model, stage):
    """Freeze what a stage does not train, and return how many layers that are."""
    try:
        frozen = nets.freeze_until(model, stage.freeze_until)
    except ValueError as error:
        raise InputError(f"--freeze_until: {error}") from None
    # Of what the phone gets: a head that is for training alone may be left in any case.
    if stage.freeze_until and not (frozen and nets.inference_model(model).trainable_variables):
        left = "nothing to train" if frozen else "everything to train"
        raise InputError(f"--freeze_until {stage.freeze_until}: leaves {left}")
    return frozen


def _require_loaded(model, taken):
    """Raise InputError if the first stage would freeze layers at random weights."""
    drawn = [
        name for name in taken.other_shape + taken.missing if not model.get_layer(name).trainable
    ]
    if drawn:
        raise InputError(
            f"{taken.source}: {len(drawn)} of the layers that would be frozen are not in it "
            f"({drawn[0]} first); check --depth_multiplier, or leave the stage out"
        )


def _arguments(args, card):
    """Return those of the network: as given, else as of the model that it goes on from."""
    given = {name: getattr(args, name) for name in nets.ARGUMENTS}
    given = {name: value for name, value in given.items() if value is not None}
    if not card or card.get("network") != args.model:
        return given
    known = card.get("arguments", {})
    return {name: known[name] for name in nets.ARGUMENTS if name in known} | given


def _describe(card, data, report):
    """Say what will be trained on what."""
    height, width = data.img_size
    logger.info(
        f"{card['data']['training_pictures']} pictures to train on, "
        f"{card['data']['validation_pictures']} to validate on, {height}x{width} px"
    )
    weights = card["settings"]["class_weights"]
    for name, share, shown in zip(data.classes.id_names, data.shares, data.pictures, strict=True):
        weight = f", weight {weights[name]:.3g}" if weights else ""
        logger.info(f"  {name}: {share:.1%} of the pixels, in {shown} pictures{weight}")
    logger.info(
        f"{card['network']}: {card['parameters']:,} parameters, "
        f"{card['macs'] / 1e6:,.0f} million multiply-accumulates a picture"
    )
