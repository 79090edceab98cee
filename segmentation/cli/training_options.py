"""The options that both training commands have."""

import dataclasses

import nets
from segmentation.cli import data_options, job_options, options
from segmentation.training.config import (
    LOSSES,
    OPTIMIZERS,
    OTHER_LOSS_NAMES,
    PRECISIONS,
    SCHEDULES,
    TEACHER_WEIGHT,
    UNLABELLED_SHARE,
    DataFiles,
    TrainConfig,
)


def add(parser, default_model):
    """Add the options to an `options.Parser`, and return its groups `(network, training)`.

    Args:
        parser: `options.Parser`.
        default_model: which network `complete` chooses, in words.
    """
    _add_data(parser.add_argument_group("data"))
    network = parser.add_argument_group("network")
    _add_network(network, default_model)
    _add_distillation(parser.add_argument_group("distillation"))
    training = parser.add_argument_group("training")
    _add_training(training)
    parser.before_staging.append(_refuse)
    job_options.add(parser, training)
    return network, training


def _add_data(data):
    data.add_argument("--img_file", help="default: data/images-128.npy")
    data.add_argument("--mask_file", help="default: masks-….npy beside the images")
    data.add_argument("-d", "--tfrecord_data", help=f"{data_options.RECORDS}; instead of arrays")
    data.add_argument(
        "-l", "--label_filename", metavar="FILE", help="default: labels.txt beside the data"
    )
    data.add_argument(
        "-s",
        "--img_size",
        "--image_size",
        type=options.img_size,
        metavar="SIZE",
        help="128, or 384x480 for height x width (that of the arrays; for TFRecords planned)",
    )
    data.add_argument(
        "--classes",
        metavar="NAMES",
        help="from labels.txt, like hair,face or a|b (default: all; of hair and face hair alone)",
    )
    data.add_argument(
        "--ignore_class",
        type=options.non_negative,
        metavar="ID",
        help="leave its pixels out of loss and scores; with 0 the network's ids begin with class 1",
    )
    data.add_argument(
        "--validation_split",
        type=options.fraction,
        help="fraction held out, by person (0.2)",
    )
    data.add_argument("--val_img_file", help="validate on these arrays and hold nothing out")
    data.add_argument("--val_mask_file", help="default: beside --val_img_file")
    data.add_argument(
        "--val_tfrecord_data", help="validate on these TFRecords and hold nothing out"
    )


def _add_network(network, default_model):
    network.add_argument("--model", choices=nets.NETWORKS, help=f"default: {default_model}")
    network.add_argument(
        "--preset",
        choices=nets.PRESETS,
        help="unet in a width that was measured; other options win",
    )
    network.add_argument("--encoder", choices=nets.ENCODERS, help="of unet (efficientnet_lite0)")
    network.add_argument(
        "--output_stride",
        type=options.count,
        help="of unet: 1 for masks of the input's size; 4, for scenes, is faster (4 for TFRecords)",
    )
    network.add_argument("-a", "--alpha", type=options.positive, help="width of the network (1)")
    network.add_argument(
        "--alpha_up", type=options.positive, help="width of the decoder (mobile_unet 0.25, unet 1)"
    )
    network.add_argument(
        "--depth_multiplier",
        type=options.count,
        help="outputs per input channel of depthwise convolutions (1)",
    )
    network.add_argument("--upsampling", choices=nets.UPSAMPLINGS)
    network.add_argument(
        "--aux_classes",
        metavar="NAMES",
        help="classes for an auxiliary output that exists only during training",
    )
    network.add_argument(
        "--aux_weight",
        type=options.positive,
        metavar="W",
        help="weight of the loss of --aux_classes (0.3)",
    )
    network.add_argument("--model_name", metavar="LABEL", help="noted in the model card")


def _add_distillation(distillation):
    distillation.add_argument(
        "--teacher",
        metavar="MODEL",
        help="learn from the probabilities of this .keras or .h5, too",
    )
    distillation.add_argument(
        "--teacher_weight",
        type=options.fraction,
        metavar="FRACTION",
        help=f"share of the teacher in the loss; the rest is for the masks ({TEACHER_WEIGHT})",
    )
    distillation.add_argument(
        "--unlabelled",
        metavar="DIR",
        help="images without masks: only the teacher labels them",
    )
    distillation.add_argument(
        "--unlabelled_share",
        type=options.fraction,
        metavar="FRACTION",
        help=f"fraction of each batch that comes from --unlabelled ({UNLABELLED_SHARE})",
    )


def _add_training(training):
    training.add_argument(
        "--steps_per_epoch", type=options.count, help="default: one pass over the images"
    )
    training.add_argument(
        "-b",
        "--batch_size",
        type=options.count,
        help="per step (16; fewer if they are large or few)",
    )
    training.add_argument(
        "--loss",
        choices=[*LOSSES, *OTHER_LOSS_NAMES],
        default=TrainConfig.loss,
    )
    training.add_argument(
        "--class_weights",
        default=TrainConfig.class_weights,
        metavar="none|balanced|FILE",
        help="balanced: by median frequency; or a JSON object of weights by class name",
    )
    training.add_argument("--optimizer", choices=OPTIMIZERS, default=TrainConfig.optimizer)
    training.add_argument(
        "--lr", type=options.positive, help="peak learning rate (adamw 8e-3, sgd 0.1)"
    )
    training.add_argument("--schedule", choices=SCHEDULES, default=TrainConfig.schedule)
    training.add_argument(
        "--warm_up",
        type=options.fraction,
        metavar="FRACTION",
        help="fraction of the steps for the warm-up of the cosine schedule (0.05)",
    )
    training.add_argument(
        "--clip_norm",
        type=options.positive,
        metavar="N",
        help="clip the gradients to this global norm",
    )
    training.add_argument(
        "--ema",
        action="store_true",
        help="validate and save the exponential moving average of the weights",
    )
    training.add_argument("--augment", action="store_true", default=True, help="(default)")
    training.add_argument("--no_augment", action="store_false", dest="augment")
    training.add_argument(
        "--flip_up_down",
        action="store_true",
        help="also flip vertically: for images without a top, such as aerial photographs",
    )
    training.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=TrainConfig.precision,
        help="auto: what pays on the device, float32 on a CPU (default)",
    )
    training.add_argument(
        "--workers",
        type=options.count,
        metavar="N",
        help="threads that read and augment (as many as cores, 2 to 8); same batches for any N",
    )
    training.add_argument(
        "--patience", type=options.count, help="stop a stage after N epochs without improvement"
    )
    training.add_argument("--seed", type=options.seed, default=0)
    training.add_argument(
        "--devices",
        type=options.count,
        metavar="N",
        help="GPUs or other devices to train on, of each host (all that Keras sees)",
    )
    training.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    training.add_argument(
        "-o",
        "--output",
        help="default: artifacts/CLASS.keras, or artifacts/model.keras for several classes",
    )
    training.add_argument(
        "--gcs_bucket",
        metavar="BUCKET",
        help="also copy the files of the run to this bucket, after every epoch",
    )


def _refuse(parser, args):
    """Refuse options that contradict each other."""
    if args.val_mask_file and not args.val_img_file:
        parser.error("--val_mask_file goes with --val_img_file")
    if args.tfrecord_data and (args.img_file or args.mask_file or args.val_img_file):
        parser.error("--tfrecord_data and --img_file name two data sets: leave one out")
    if args.val_tfrecord_data and not args.tfrecord_data:
        parser.error("--val_tfrecord_data goes with --tfrecord_data")
    if args.validation_split is not None and (args.val_img_file or args.val_tfrecord_data):
        parser.error("--validation_split has no meaning with files to validate on")
    if args.flip_up_down and not args.augment:
        parser.error("--flip_up_down is an augmentation: leave out --no_augment")
    if args.aux_weight and not args.aux_classes:
        parser.error("--aux_weight goes with --aux_classes")
    if args.teacher_weight is not None and not args.teacher:
        parser.error("--teacher_weight goes with --teacher")
    if args.teacher_weight == 0:
        parser.error("--teacher_weight 0 ignores the teacher: leave out --teacher")
    if args.unlabelled and not args.teacher:
        parser.error("--unlabelled needs a --teacher, which labels the images")
    if args.unlabelled_share is not None and not args.unlabelled:
        parser.error("--unlabelled_share goes with --unlabelled")
    if args.unlabelled_share == 0:
        parser.error("--unlabelled_share 0 uses no image of --unlabelled: leave that out")
    if args.warm_up is not None and args.schedule != "cosine":
        parser.error("--warm_up goes with --schedule cosine")


def complete(args, default_model=None):
    """Fill in defaults that depend on other options.

    Args:
        args: parsed options.
        default_model: a key of `nets.NETWORKS`; None: that of the older projects.
    """
    for name, value in nets.PRESETS.get(args.preset, {}).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    del args.preset
    if args.validation_split is None:
        args.validation_split = TrainConfig.validation_split
    if args.tfrecord_data:
        args.model = args.model or default_model or "icnet"
    else:
        args.model = args.model or default_model or "mobile_unet"
        args.img_file = args.img_file or "data/images-128.npy"
    args.lr = args.lr or OPTIMIZERS[args.optimizer]


def to_config(args, kind):
    """Return the parsed options as a config.

    Args:
        args: namespace of the parser, completed.
        kind: subclass of `TrainConfig` with a field for every option.
    """
    values = vars(args)
    files = {field.name: values[field.name] for field in dataclasses.fields(DataFiles)}
    others = {name: value for name, value in values.items() if name not in files}
    return kind(files=DataFiles(**files), **others)
