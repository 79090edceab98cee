"""Train a segmentation network from scratch.

Hair, from the arrays that data.py writes (46 s an epoch on two CPU cores for the 1,997 pictures of
LFW; hair IoU 0.73 after 12 epochs, 0.79 after 80):
    python train_full.py --img_file data/images-128.npy --mask_file data/masks-128.npy --epochs 12
After an interruption, the same command with --resume carries on. The face, or both:
    python train_full.py --img_file data/images-128.npy --classes face
    python train_full.py --img_file data/images-128.npy --classes hair,face -o artifacts/both.keras

Written beside -o: the model of the best epoch, its card (.json), the history (.csv), the curves
(.png) and the state for --resume (.ckpt/); logs/ is for TensorBoard.
"""

import nets
from segmentation import choices, command_line
from segmentation.chatter import start_keras
from segmentation.errors import InputError

NETWORK_OPTIONS = ("alpha", "alpha_up", "depth_multiplier", "upsampling")


def parse_args(argv=None):
    """Parse the options."""
    parser = command_line.Parser(__doc__)
    data = parser.add_argument_group("data")
    data.add_argument("--img_file", default="data/images-128.npy", help="(default: %(default)s)")
    data.add_argument("--mask_file", help="default: masks-….npy beside the images")
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

    network = parser.add_argument_group("network")
    network.add_argument("--model", choices=nets.NETWORKS, default="mobile_unet")
    network.add_argument(
        "-a", "--alpha", type=command_line.positive, help="width of the encoder (1)"
    )
    network.add_argument(
        "--alpha_up", type=command_line.positive, help="width of the decoder (0.25)"
    )
    network.add_argument(
        "--depth_multiplier", type=command_line.count, help="of depthwise convolutions (1)"
    )
    network.add_argument("--upsampling", choices=nets.UPSAMPLINGS)

    training = parser.add_argument_group("training")
    training.add_argument(
        "--epochs", type=command_line.count, default=40, help="(default: %(default)s)"
    )
    training.add_argument(
        "-n", "--num_steps", type=command_line.count, help="optimizer steps, overrides --epochs"
    )
    training.add_argument(
        "-b", "--batch_size", type=command_line.count, default=16, help="(%(default)s)"
    )
    training.add_argument(
        "--loss",
        choices=[*choices.LOSSES, *choices.OTHER_LOSS_NAMES],
        default="dice+crossentropy",
    )
    training.add_argument("--optimizer", choices=choices.OPTIMIZERS, default="adamw")
    training.add_argument(
        "--lr", type=command_line.positive, help="highest rate (adamw 8e-3, sgd 0.1)"
    )
    training.add_argument("--schedule", choices=choices.SCHEDULES, default="cosine")
    training.add_argument("--augment", action="store_true", default=True, help="(default)")
    training.add_argument("--no_augment", action="store_false", dest="augment")
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
    return args


def main(argv=None):
    """Train, and print the model card."""
    args = parse_args(argv)
    start_keras()
    import keras

    from segmentation import datasets, input_pipeline, labels, losses, metrics, training

    arrays = datasets.open_arrays(args.img_file, args.mask_file)
    validation = args.val_img_file and datasets.open_arrays(args.val_img_file, args.val_mask_file)
    chosen = labels.choose(arrays.labels, args.classes)
    output = training.output_path(args.output, chosen)
    data = input_pipeline.open_dataset(
        arrays,
        chosen,
        validation=validation,
        validation_split=args.validation_split,
        ignore_class=args.ignore_class,
        batch_size=args.batch_size,
        seed=args.seed,
        augment=args.augment,
    )
    keras.utils.set_random_seed(args.seed)
    keras.config.set_dtype_policy(args.precision)
    arguments = {name: getattr(args, name) for name in NETWORK_OPTIONS}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    try:
        model = nets.build(args.model, data.img_size, len(data.classes), **arguments)
    except ValueError as error:
        raise InputError(f"--model {args.model}: {error}") from None
    total_steps = args.num_steps or args.epochs * len(data.train)
    model.compile(
        optimizer=training.optimizer(args.optimizer, args.schedule, args.lr, total_steps),
        loss=losses.build(args.loss),
        metrics=[
            metrics.ConfusionScores(data.class_names),
            keras.metrics.MeanMetricWrapper(losses.build("crossentropy").call, "crossentropy"),
        ],
    )
    card = training.card(args.model, arguments, model, data, vars(args))
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


def describe(card, data):
    """Say what will be trained on what."""
    height, width = data.img_size
    command_line.say(
        f"{card['data']['training_pictures']} pictures to train on, "
        f"{card['data']['validation_pictures']} to validate on, {height}x{width} px"
    )
    for name, pixels, pictures in zip(data.class_names, data.pixels, data.pictures, strict=True):
        command_line.say(
            f"  {name}: {pixels / data.pixels.sum():.1%} of the pixels, in {pictures} pictures"
        )
    command_line.say(
        f"{card['network']}: {card['parameters']:,} parameters, "
        f"{card['macs'] / 1e6:,.0f} million multiply-accumulates a picture"
    )


if __name__ == "__main__":
    command_line.run(main)
