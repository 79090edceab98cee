"""Train a segmentation network from scratch.

Hair, from the arrays that data.py writes (46 s an epoch on two CPU cores for the 1,997 pictures of
LFW; hair IoU 0.73 after 12 epochs, 0.79 after 80, and with hair,face 0.805 after 115):
    python train_full.py --img_file data/images-128.npy --mask_file data/masks-128.npy --epochs 12
After an interruption, the same command with --resume carries on. The face, or both:
    python train_full.py --img_file data/images-128.npy --classes face
    python train_full.py --img_file data/images-128.npy --classes hair,face -o artifacts/both.keras
Objects, with ICNet, from the TFRecord that data.py writes:
    python train_full.py -d data/room/room.tfrecord -s 768 -a 0.25 -n 10000 -o data/room/icnet.keras

Written beside -o: the model of the best epoch, its card (.json), the history (.csv), the curves
(.png) and the state for --resume (.ckpt/); logs/ is for TensorBoard.
"""

import dataclasses
from pathlib import Path

import nets
from segmentation import choices, command_line
from segmentation.chatter import start_keras
from segmentation.errors import InputError

NETWORK_OPTIONS = ("alpha", "alpha_up", "depth_multiplier", "upsampling")
RECORD_SIZE = (768, 768)  # that pictures of TFRecords are stretched to; the older project's


def parse_args(argv=None):
    """Parse the options."""
    parser = command_line.Parser(__doc__)
    data = parser.add_argument_group("data")
    data.add_argument("--img_file", help="default: data/images-128.npy")
    data.add_argument("--mask_file", help="default: masks-….npy beside the images")
    data.add_argument("-d", "--tfrecord_data", help="TFRecords in their place; trains ICNet")
    data.add_argument(
        "-l", "--label_filename", metavar="FILE", help="default: labels.txt beside the data"
    )
    data.add_argument(
        "-s",
        "--img_size",
        "--image_size",
        type=command_line.img_size,
        metavar="SIZE",
        help="128, or 384x480 for height x width (default: of the arrays; of TFRecords 768)",
    )
    data.add_argument(
        "--classes", help="names from labels.txt, like hair,face or a|b (default: hair, else all)"
    )
    data.add_argument(
        "--ignore_class", type=command_line.whole, metavar="ID", help="left out of loss and scores"
    )
    data.add_argument(
        "--validation_split",
        type=command_line.share,
        default=0.2,
        help="share held out, by person (0.2)",
    )
    data.add_argument("--val_img_file", help="validate on these arrays; nothing is held out then")
    data.add_argument("--val_mask_file", help="default: beside --val_img_file")
    data.add_argument("--val_tfrecord_data", help="validate on these TFRecords, likewise")

    network = parser.add_argument_group("network")
    network.add_argument(
        "--model", choices=nets.NETWORKS, help="default: mobile_unet; of TFRecords icnet"
    )
    network.add_argument("-a", "--alpha", type=command_line.positive, help="width of it (1)")
    network.add_argument(
        "--alpha_up", type=command_line.positive, help="width of MobileUNet's decoder (0.25)"
    )
    network.add_argument(
        "--depth_multiplier", type=command_line.count, help="of depthwise convolutions (1)"
    )
    network.add_argument("--upsampling", choices=nets.UPSAMPLINGS)
    network.add_argument(
        "--fine_tune_checkpoint", metavar="MODEL", help="begin with the weights of this model"
    )
    network.add_argument("--model_name", metavar="LABEL", help="noted in the model card")

    training = parser.add_argument_group("training")
    training.add_argument(
        "--epochs", type=command_line.count, default=40, help="(default: %(default)s)"
    )
    training.add_argument(
        "-n", "--num_steps", type=command_line.count, help="optimizer steps, overrides --epochs"
    )
    training.add_argument(
        "--steps_per_epoch", type=command_line.count, help="default: one pass over the pictures"
    )
    training.add_argument(
        "-b", "--batch_size", type=command_line.count, help="pictures (16, or all if fewer)"
    )
    training.add_argument(
        "--loss",
        choices=[*choices.LOSSES, *choices.OTHER_LOSS_NAMES],
        default="dice+crossentropy",
    )
    training.add_argument(
        "--class_weights",
        default="none",
        metavar="none|balanced|FILE",
        help="balanced: by median frequency; or a JSON object of weights by class name",
    )
    training.add_argument("--optimizer", choices=choices.OPTIMIZERS, default="adamw")
    training.add_argument(
        "--lr", type=command_line.positive, help="highest rate (adamw 8e-3, sgd 0.1)"
    )
    training.add_argument("--schedule", choices=choices.SCHEDULES, default="cosine")
    training.add_argument("--augment", action="store_true", default=True, help="(default)")
    training.add_argument("--no_augment", action="store_false", dest="augment")
    training.add_argument(
        "--flip_up_down", action="store_true", help="for pictures without an up, as from above"
    )
    training.add_argument("--precision", choices=choices.PRECISIONS, default="float32")
    training.add_argument(
        "--patience", type=command_line.count, help="stop after so many epochs without a better one"
    )
    training.add_argument("--seed", type=command_line.seed, default=0)
    training.add_argument("--resume", action="store_true", help="go on after an interruption")
    training.add_argument("-o", "--output", help="default: artifacts/CLASS.keras")
    args = parser.parse_args(argv)
    if args.val_mask_file and not args.val_img_file:
        parser.error("--val_mask_file goes with --val_img_file")
    if args.tfrecord_data and (args.img_file or args.mask_file or args.val_img_file):
        parser.error("--tfrecord_data and --img_file name two data sets: leave one out")
    if args.val_tfrecord_data and not args.tfrecord_data:
        parser.error("--val_tfrecord_data goes with --tfrecord_data")
    if args.flip_up_down and not args.augment:
        parser.error("--flip_up_down is an augmentation: leave out --no_augment")
    if args.tfrecord_data:
        args.model = args.model or "icnet"
        args.img_size = args.img_size or RECORD_SIZE
    else:
        args.model = args.model or "mobile_unet"
        args.img_file = args.img_file or "data/images-128.npy"
    return args


def main(argv=None):
    """Train, and print the model card."""
    args = parse_args(argv)
    start_keras()
    import keras

    from segmentation import class_weights, input_pipeline, labels, optimizers, training

    source, validation = open_sources(args)
    chosen = labels.choose(source.labels, args.classes, args.ignore_class)
    output = training.output_path(args.output, chosen)
    heads = nets.heads(args.model)
    data = input_pipeline.open_dataset(
        source,
        chosen,
        img_size=args.img_size or source.images.shape[1:3],
        validation=validation,
        validation_split=args.validation_split,
        ignore_class=args.ignore_class,
        batch_size=args.batch_size,
        seed=args.seed,
        motion=motion(args),
        strides=nets.strides(args.model),
        steps_per_epoch=args.steps_per_epoch,
    )
    weights = class_weights.of_option(args.class_weights, data)
    keras.utils.set_random_seed(args.seed)
    keras.config.set_dtype_policy(args.precision)
    arguments = {name: getattr(args, name) for name in NETWORK_OPTIONS}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    try:
        model = nets.build(args.model, data.img_size, len(data.classes), **arguments)
    except ValueError as error:
        raise InputError(f"--model {args.model}: {error}") from None
    if args.fine_tune_checkpoint:
        begin_with(model, args.fine_tune_checkpoint)
    total_steps = args.num_steps or args.epochs * len(data.train)
    optimizer = optimizers.build(args.optimizer, args.schedule, args.lr, total_steps)
    training.compile_model(model, optimizer, args.loss, data, weights, heads)
    card = training.card(args.model, arguments, model, data, vars(args))
    # By name, so that a resumed run is one of the same weights, whatever their file is called.
    weights = weights and dict(zip(data.class_names, weights, strict=True))
    card["settings"]["class_weights"] = weights
    describe(card, data)
    card = training.fit(
        model,
        data.train,
        data.validation,
        card,
        output,
        total_steps=total_steps,
        patience=args.patience,
        resume=args.resume,
        report=command_line.TrainingReport(),
    )
    command_line.print_result({"model": str(output)} | card)


def open_sources(args):
    """Return what to train on, and what to validate on or None."""
    from segmentation import datasets, tfrecords

    given = args.label_filename
    path, other = (
        (args.tfrecord_data, args.val_tfrecord_data)
        if args.tfrecord_data
        else (args.img_file, args.val_img_file)
    )
    # Their own labels tell whether the two sets fit together.
    theirs = None if other and Path(other).with_name("labels.txt").exists() else given
    if not args.tfrecord_data:
        source = datasets.open_arrays(path, args.mask_file, given)
        return source, other and datasets.open_arrays(other, args.val_mask_file, theirs)
    source = tfrecords.open_records(path, given)
    if other and set(tfrecords.paths(path)) & set(tfrecords.paths(other)):
        raise InputError(f"{other}: belongs to {path} too; validate on other pictures")
    return source, other and tfrecords.open_records(other, theirs)


def motion(args):
    """Return how far training pictures are moved, or None."""
    from segmentation import augmentation

    if not args.augment:
        return None
    usual = augmentation.SCENES if args.tfrecord_data else augmentation.PORTRAITS
    return dataclasses.replace(usual, flip_up_down=args.flip_up_down)


def begin_with(model, path):
    """Load what fits of another model's weights, and say what was."""
    from segmentation import transfer

    taken = transfer.load_weights(model, path)
    command_line.say(
        f"{path}: {len(taken.loaded)} layers loaded, {len(taken.other_shape)} of another shape, "
        f"{len(taken.missing)} not in it"
    )
    for noun, names in (("another shape", taken.other_shape), ("not in it", taken.missing)):
        if names:
            command_line.say(f"  {noun}: {', '.join(names)}")


def describe(card, data):
    """Say what will be trained on what."""
    height, width = data.img_size
    command_line.say(
        f"{card['data']['training_pictures']} pictures to train on, "
        f"{card['data']['validation_pictures']} to validate on, {height}x{width} px"
    )
    weights = card["settings"]["class_weights"]
    for name, share, shown in zip(data.class_names, data.shares, data.pictures, strict=True):
        weight = f", weight {weights[name]:.3g}" if weights else ""
        command_line.say(f"  {name}: {share:.1%} of the pixels, in {shown} pictures{weight}")
    command_line.say(
        f"{card['network']}: {card['parameters']:,} parameters, "
        f"{card['macs'] / 1e6:,.0f} million multiply-accumulates a picture"
    )


if __name__ == "__main__":
    command_line.run(main)
