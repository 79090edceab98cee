r"""Adapt a pretrained encoder, or an earlier model, to your own classes and images.

Two stages in one run: the encoder is frozen while the rest is trained; then all layers, or those
after --freeze_until, are trained at a lower learning rate. A UNet, from the ImageNet weights of its
encoder, which came with the installation (hair IoU 0.785 on the 1,997 images of LFW after these 12
epochs, about 8 minutes on two CPU cores):
    python train_transfer.py --img_file data/images-128.npy --fine_tune_epochs 10
MobileUNet, from the weights of MobileNet, which Keras fetches:
    python train_transfer.py --model mobile_unet --img_file data/images-128.npy \
        -o artifacts/hair-mobilenet.keras
From a model of other images, sizes or classes; classes that both models have keep their weights:
    python train_transfer.py --img_file mine/data/images-128.npy --weights artifacts/hair.keras \
        -o artifacts/mine.keras
ICNet, from one trained on other TFRecords, its two deep branches frozen in both stages:
    python train_transfer.py -d data/room/room.tfrecord -s 384x480 --freeze_until conv5_3 \
        --weights artifacts/street.keras -o artifacts/room.keras

What was loaded is listed. The files beside -o are those of train_full.py, and --resume works alike.
"""

import nets
from segmentation import model_card
from segmentation.cli import options, terminal, training_options
from segmentation.training import distribution
from segmentation.training.config import (
    FINE_TUNE_FACTOR,
    IMAGENET,
    IMAGENET_FINE_TUNE_FACTOR,
    STAGES,
    TransferConfig,
)

OPTIONS_OF_OTHER_STAGE = {
    "transfer": ("freeze_until", "fine_tune_epochs", "fine_tune_lr"),
    "fine_tune": ("transfer_epochs", "lr"),
}


def parse_args(argv=None):
    """Parse the options into a `TransferConfig`."""
    parser = options.Parser(__doc__)
    network, training = training_options.add(parser, "that of --weights FILE, else unet")
    network.add_argument(
        "--weights",
        default=TransferConfig.weights,
        metavar="imagenet|none|FILE",
        help="to begin with (default: %(default)s)",
    )
    network.add_argument(
        "--freeze_until",
        metavar="LAYER",
        help="the last layer that stays frozen in fine-tuning, like conv_pw_11 (default: none)",
    )
    training.add_argument("--stage", choices=[*STAGES, "both"], default=TransferConfig.stage)
    training.add_argument(
        "--transfer_epochs",
        type=options.count,
        metavar="N",
        help=f"epochs with the encoder frozen ({TransferConfig.usual_epochs['transfer_epochs']})",
    )
    training.add_argument(
        "--fine_tune_epochs",
        type=options.count,
        metavar="N",
        help=f"of fine-tuning ({TransferConfig.usual_epochs['fine_tune_epochs']}; more for few)",
    )
    training.add_argument(
        "--fine_tune_lr",
        type=options.positive,
        metavar="LR",
        help="peak learning rate of fine-tuning (half of --lr; from imagenet, a quarter)",
    )
    parser.before_staging.append(_refuse_other_stage)
    args = parser.parse_args(argv)
    training_options.complete(args, _default_model(args.weights))
    factor = IMAGENET_FINE_TUNE_FACTOR if args.weights == IMAGENET else FINE_TUNE_FACTOR
    args.fine_tune_lr = args.fine_tune_lr or factor * args.lr
    return training_options.to_config(args, TransferConfig)


def _refuse_other_stage(parser, args):
    for name in OPTIONS_OF_OTHER_STAGE.get(args.stage, ()):
        if getattr(args, name) is not None:
            parser.error(f"--{name} has no meaning with --stage {args.stage}")


def _default_model(weights):
    """Return the network of the model to begin with, or None: that of the older projects."""
    if weights in (IMAGENET, "none"):
        return "unet"
    card = model_card.of_weights(weights) or {}
    return card["network"] if card.get("network") in nets.NETWORKS else None


def main(argv=None):
    """Train, and print the model card."""
    config = parse_args(argv)
    with distribution.started(config) as devices:
        terminal.connect_worker(devices.share)
        from segmentation.training import assembly, loop

        opened = assembly.open_run(config, devices)
        model, data = assembly.build(opened)
        compile_stage, card = assembly.compiler(opened, model, data)
        result = loop.fit(model, data, card, compile_stage, opened.run, terminal.EpochBar())
    terminal.print_result(result)


if __name__ == "__main__":
    terminal.run(main)
