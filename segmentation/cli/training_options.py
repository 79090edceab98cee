"""The options that both training commands have."""

import nets
from segmentation import choices
from segmentation.cli import options

VALIDATION_SPLIT = 0.2
RECORD_SIZE = (768, 768)  # that pictures of TFRecords are stretched to; the older project's


def add(parser):
    """Add them to a `options.Parser`, and return its groups `(network, training)`."""
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
        type=options.img_size,
        metavar="SIZE",
        help="128, or 384x480 for height x width (default: of the arrays; of TFRecords 768)",
    )
    data.add_argument(
        "--classes",
        metavar="NAMES",
        help="from labels.txt, like hair,face or a|b (default: all; hair of hair and face)",
    )
    data.add_argument(
        "--ignore_class",
        type=options.non_negative,
        metavar="ID",
        help="left out of loss and scores; with 0 the network's ids begin with class 1",
    )
    data.add_argument(
        "--validation_split",
        type=options.fraction,
        help="share held out, by person (0.2)",
    )
    data.add_argument("--val_img_file", help="validate on these arrays; nothing is held out then")
    data.add_argument("--val_mask_file", help="default: beside --val_img_file")
    data.add_argument("--val_tfrecord_data", help="validate on these TFRecords, likewise")

    network = parser.add_argument_group("network")
    network.add_argument(
        "--model", choices=nets.NETWORKS, help="default: mobile_unet; of TFRecords icnet"
    )
    network.add_argument("-a", "--alpha", type=options.positive, help="width of it (1)")
    network.add_argument(
        "--alpha_up", type=options.positive, help="width of MobileUNet's decoder (0.25)"
    )
    network.add_argument(
        "--depth_multiplier", type=options.count, help="of depthwise convolutions (1)"
    )
    network.add_argument("--upsampling", choices=nets.UPSAMPLINGS)
    network.add_argument(
        "--aux_classes",
        metavar="NAMES",
        help="learned beside --classes, by an output that no export has",
    )
    network.add_argument(
        "--aux_weight", type=options.positive, metavar="W", help="of the loss of these (0.3)"
    )
    network.add_argument("--model_name", metavar="LABEL", help="noted in the model card")

    training = parser.add_argument_group("training")
    training.add_argument(
        "--steps_per_epoch", type=options.count, help="default: one pass over the pictures"
    )
    training.add_argument(
        "-b", "--batch_size", type=options.count, help="pictures (16, or all if fewer)"
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
    training.add_argument("--lr", type=options.positive, help="highest rate (adamw 8e-3, sgd 0.1)")
    training.add_argument("--schedule", choices=choices.SCHEDULES, default="cosine")
    training.add_argument(
        "--warm_up",
        type=options.fraction,
        metavar="SHARE",
        help="of the steps, in which the cosine's rate rises (0.05)",
    )
    training.add_argument(
        "--clip_norm",
        type=options.positive,
        metavar="N",
        help="cut gradients down to this norm, all together",
    )
    training.add_argument(
        "--ema", action="store_true", help="validate and keep the moving average of the weights"
    )
    training.add_argument("--augment", action="store_true", default=True, help="(default)")
    training.add_argument("--no_augment", action="store_false", dest="augment")
    training.add_argument(
        "--flip_up_down", action="store_true", help="for pictures without an up, as from above"
    )
    training.add_argument("--precision", choices=choices.PRECISIONS, default="float32")
    training.add_argument(
        "--patience", type=options.count, help="stop after so many epochs without a better one"
    )
    training.add_argument("--seed", type=options.seed, default=0)
    training.add_argument("--resume", action="store_true", help="go on after an interruption")
    training.add_argument(
        "-o", "--output", help="default: artifacts/CLASS.keras; model.keras if several"
    )
    return network, training


def complete(parser, args):
    """Refuse options that do not go together, and fill in those that follow from others."""
    if args.val_mask_file and not args.val_img_file:
        parser.error("--val_mask_file goes with --val_img_file")
    if args.tfrecord_data and (args.img_file or args.mask_file or args.val_img_file):
        parser.error("--tfrecord_data and --img_file name two data sets: leave one out")
    if args.val_tfrecord_data and not args.tfrecord_data:
        parser.error("--val_tfrecord_data goes with --tfrecord_data")
    if args.validation_split is None:
        args.validation_split = VALIDATION_SPLIT
    elif args.val_img_file or args.val_tfrecord_data:
        parser.error("--validation_split means nothing beside files to validate on")
    if args.flip_up_down and not args.augment:
        parser.error("--flip_up_down is an augmentation: leave out --no_augment")
    if args.aux_weight and not args.aux_classes:
        parser.error("--aux_weight goes with --aux_classes")
    if args.warm_up is not None and args.schedule != "cosine":
        parser.error("--warm_up goes with --schedule cosine")
    if args.tfrecord_data:
        args.model = args.model or "icnet"
        args.img_size = args.img_size or RECORD_SIZE
    else:
        args.model = args.model or "mobile_unet"
        args.img_file = args.img_file or "data/images-128.npy"
    args.lr = args.lr or choices.OPTIMIZERS[args.optimizer]
