r"""Adapt a pretrained encoder, or an earlier model, to your own classes and pictures.

Two stages in one run: the encoder stays as it is while the rest is trained; then all of it, or what
comes after --freeze_until, is trained at a lower rate. From MobileNet's ImageNet weights, which
Keras fetches:
    python train_transfer.py --img_file data/images-128.npy --mask_file data/masks-128.npy \
        -o artifacts/hair-imagenet.keras
From a model of other pictures, sizes or classes; the same classes keep what was learned of them:
    python train_transfer.py --img_file mine/data/images-128.npy --weights artifacts/hair.keras \
        -o artifacts/mine.keras
ICNet, from one trained on other TFRecords, its two deep branches left alone for good:
    python train_transfer.py -d data/room/room.tfrecord -s 384x480 --freeze_until conv5_3 \
        --weights artifacts/street.keras -o artifacts/room.keras

What was loaded is listed. Written beside -o: as train_full.py does, and --resume works alike.
"""

import nets
from segmentation.cli import options, terminal, training_options
from segmentation.quiet import start_keras

STAGES = ("transfer", "fine_tune")
OPTIONS_OF_OTHER_STAGE = {
    "transfer": ("freeze_until", "fine_tune_epochs", "fine_tune_lr"),
    "fine_tune": ("transfer_epochs", "lr"),
}
TRANSFER_EPOCHS, FINE_TUNE_EPOCHS = 10, 30
# The rate of fine-tuning by that of the stage before. Measured with benchmarks/transfer.py: of 0.5,
# 0.25 and 0.1 the more the better; with the last, training from scratch ended above it.
LOWER = 0.5


def parse_args(argv=None):
    """Parse the options."""
    parser = options.Parser(__doc__)
    network, training = training_options.add(parser)
    network.add_argument(
        "--weights",
        default="imagenet",
        metavar="imagenet|none|FILE",
        help="to begin with (default: %(default)s)",
    )
    network.add_argument(
        "--freeze_until",
        metavar="LAYER",
        help="the last layer that fine-tuning leaves as it is, like conv_pw_11 (default: none)",
    )
    training.add_argument("--stage", choices=[*STAGES, "both"], default="both")
    training.add_argument(
        "--transfer_epochs",
        type=options.count,
        metavar="N",
        help="with the encoder frozen (10)",
    )
    training.add_argument(
        "--fine_tune_epochs",
        type=options.count,
        metavar="N",
        help="of fine-tuning (30)",
    )
    training.add_argument(
        "--fine_tune_lr",
        type=options.positive,
        metavar="LR",
        help="highest rate of it (half of --lr)",
    )
    args = parser.parse_args(argv)
    for name in OPTIONS_OF_OTHER_STAGE.get(args.stage, ()):
        if getattr(args, name) is not None:
            parser.error(f"--{name} has no meaning with --stage {args.stage}")
    training_options.complete(parser, args)
    args.transfer_epochs = args.transfer_epochs or TRANSFER_EPOCHS
    args.fine_tune_epochs = args.fine_tune_epochs or FINE_TUNE_EPOCHS
    args.fine_tune_lr = args.fine_tune_lr or LOWER * args.lr
    return args


def main(argv=None):
    """Train, and print the model card."""
    args = parse_args(argv)
    start_keras()
    from segmentation.training import loop, train

    stages = {
        "transfer": loop.Stage(
            "transfer", args.transfer_epochs, args.lr, freeze_until=nets.encoder_end(args.model)
        ),
        "fine_tune": loop.Stage(
            "fine_tune", args.fine_tune_epochs, args.fine_tune_lr, freeze_until=args.freeze_until
        ),
    }
    chosen = STAGES if args.stage == "both" else [args.stage]
    weights = None if args.weights == "none" else args.weights
    if weights is None and "transfer" in chosen:
        terminal.say("--weights none: the encoder is frozen as it was drawn by chance")
    report = terminal.TrainingReport()
    terminal.print_result(train.train(args, [stages[name] for name in chosen], weights, report))


if __name__ == "__main__":
    terminal.run(main)
