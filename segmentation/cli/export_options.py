"""The options that both converters have."""

from pathlib import Path

import nets
from segmentation.cli import data_options, model_options, options
from segmentation.legacy.spec import LEGACY_NETWORKS

ALPHAS = (1.0, 0.75, 0.5, 0.25)

SPELLED = {"origin": "--from", "package": "OUT"}  # options that are not called as they are written


def add(parser):
    """Add the options that both converters have."""
    parser.add_argument(
        "--check_images",
        type=Path,
        metavar="DIR",
        help="images for the check; default: those that training kept, else synthetic ones",
    )
    parser.add_argument(
        "--full_resolution",
        action="store_true",
        help="upsample the scores to the size of the input, in the graph",
    )
    parser.add_argument(
        "--parity_kit",
        action="store_true",
        help="also write NAME.kit: the check as files, to run on another runtime or device",
    )
    parser.add_argument(
        "--app",
        type=Path,
        metavar="DIR",
        help="also write an app that runs the export on the camera: a project to start from",
    )
    group = parser.add_argument_group("many exports at once")
    group.add_argument(
        "--ladder",
        type=Path,
        metavar="DIR",
        help="precision sweep: write every precision, and a table that compares them",
    )
    data_options.add(group)
    group.add_argument(
        "--untrained",
        action="store_true",
        help="write networks with random weights, to time a device with, into -o DIR",
    )
    group.add_argument(
        "--preset",
        choices=nets.PRESETS,
        help="the network of this preset of the training commands, in its width",
    )
    some = {"nargs": "+", "default": []}
    alphas = " ".join(f"{alpha:g}" for alpha in ALPHAS)
    group.add_argument(
        "--sizes",
        type=options.img_size,
        **some,
        help="input sizes; default: those that suit the network on a phone",
    )
    group.add_argument("--alphas", type=options.positive, **some, help=f"default: {alphas}")
    # --untrained builds every network, also those that have no legacy weights.
    other_size = "; without --model: another input size to export a model of ours at"
    model_options.add(parser, nets.NETWORKS, other_size)


def check(parser, args, model, without_untrained, without_ladder):
    """Refuse options that do not go together; fill in the defaults of `--untrained`.

    `args.export_size` gets an `--img_size` that is not of legacy weights.

    Args:
        parser: for errors.
        args: what it parsed.
        model: the model that was named, or None.
        without_untrained: options that `--untrained` would ignore, besides those of legacy models.
        without_ladder: options that `--ladder` would ignore.
    """
    data_options.check(parser, args)
    measured = args.img_file or args.tfrecord_data
    if measured and not args.ladder:
        parser.error("--img_file and --tfrecord_data measure the exports of --ladder: add it")
    if args.labels and not measured:
        parser.error("--labels goes with --img_file or --tfrecord_data")
    if args.untrained and (model or args.ladder):
        parser.error("--untrained builds its own networks: name no model, and no --ladder")
    if args.untrained:
        refused = [*without_untrained, "app", "parity_kit", *model_options.LEGACY_OPTIONS]
        _refuse(parser, args, refused, "--untrained has no use for")
    if args.ladder:
        _refuse(parser, args, [*without_ladder, "app"], "--ladder writes every precision: omit")
    if not args.untrained and args.network and args.network not in LEGACY_NETWORKS:
        known = " and ".join(LEGACY_NETWORKS)
        parser.error(
            f"--model {args.network} goes with --untrained: there are legacy weights of {known} "
            "alone"
        )
    if not args.untrained and (args.sizes or args.alphas):
        parser.error("--sizes and --alphas go with --untrained")
    if args.preset and not args.untrained:
        parser.error("--preset goes with --untrained")
    if args.preset:
        preset = nets.PRESETS[args.preset]
        if args.network not in (None, preset["model"]):
            parser.error(f"--preset {args.preset} is of {preset['model']}: omit --model")
        args.network = preset["model"]
        args.alphas = args.alphas or [preset.get("alpha", 1.0)]
    args.alphas = args.alphas or ALPHAS
    if len({round(100 * alpha) for alpha in args.alphas}) < len(args.alphas):
        parser.error("--alphas: two values are equal in hundredths, by which files are named")
    args.export_size = None
    if args.untrained:
        args.network = args.network or next(iter(nets.NETWORKS))
    elif not args.network:
        args.export_size = args.img_size


def stem(args):
    """Return the stem of the exports of `args.model` where no name is given: with another size."""
    if not args.export_size:
        return args.model.stem
    from segmentation.data.arrays import size_name

    return f"{args.model.stem}_{size_name(args.export_size)}"


def _refuse(parser, args, options, reason):
    for option in options:
        if getattr(args, option) != parser.get_default(option):
            parser.error(f"{reason} {SPELLED.get(option, f'--{option}')}")
