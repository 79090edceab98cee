"""What the two converters share: options, the model that is opened, ladders and untrained grids."""

from pathlib import Path

import nets
from segmentation import files, model_card
from segmentation.cli import data_options, model_options, options, terminal
from segmentation.errors import ExportError, InputError
from segmentation.legacy.spec import LEGACY_NETWORKS

ALPHAS = (1.0, 0.75, 0.5, 0.25)

SPELLED = {"origin": "--from", "package": "OUT"}  # options that are not called as they are written


def add_options(parser):
    """Add the options that both converters have."""
    parser.add_argument("--check_images", type=Path, help="folder; default: drawn pictures")
    parser.add_argument(
        "--full_resolution", action="store_true", help="enlarge scores to the size of the input"
    )
    group = parser.add_argument_group("many variants at once")
    group.add_argument(
        "--ladder", type=Path, metavar="DIR", help="write every precision, and a table of them"
    )
    data_options.add(group)
    group.add_argument(
        "--untrained", action="store_true", help="write networks to time a device with, into -o DIR"
    )
    some = {"nargs": "+", "default": []}
    alphas = " ".join(f"{alpha:g}" for alpha in ALPHAS)
    group.add_argument(
        "--sizes", type=options.img_size, **some, help="default: what phones run the network at"
    )
    group.add_argument("--alphas", type=options.positive, **some, help=f"default: {alphas}")
    # --untrained builds every network, also those of which no older weights are known.
    model_options.add(parser, nets.NETWORKS)


def check_variants(parser, args, model, without_untrained, without_ladder):
    """Refuse options that do not go together; fill in the defaults of `--untrained`.

    Args:
        parser: for errors.
        args: what it parsed.
        model: the model that was named, or None.
        without_untrained: options that `--untrained` would ignore, besides those of older models.
        without_ladder: options that `--ladder` would ignore.
    """
    without_untrained = [*without_untrained, *model_options.LEGACY_OPTIONS]
    data_options.check(parser, args)
    measured = args.img_file or args.tfrecord_data
    if measured and not args.ladder:
        parser.error("--img_file and --tfrecord_data measure a --ladder")
    if args.labels and not measured:
        parser.error("--labels goes with --img_file or --tfrecord_data")
    if args.untrained and (model or args.ladder):
        parser.error("--untrained builds its networks: name no model, and no --ladder")
    if args.untrained:
        _refuse(parser, args, without_untrained, "--untrained has no use for")
    if args.ladder:
        _refuse(parser, args, without_ladder, "--ladder writes every precision: leave out")
    if not args.untrained and args.network and args.network not in LEGACY_NETWORKS:
        known = " and ".join(LEGACY_NETWORKS)
        parser.error(f"--model {args.network} goes with --untrained: older weights are of {known}")
    if not args.untrained and (args.sizes or args.alphas):
        parser.error("--sizes and --alphas go with --untrained")
    args.alphas = args.alphas or ALPHAS
    if len({round(100 * alpha) for alpha in args.alphas}) < len(args.alphas):
        parser.error("--alphas: two of them are the same in hundredths, as files are named")
    if args.untrained:
        args.network = args.network or next(iter(nets.NETWORKS))


def _refuse(parser, args, options, reason):
    for option in options:
        if getattr(args, option) != parser.get_default(option):
            parser.error(f"{reason} {SPELLED.get(option, f'--{option}')}")


def open_model(args, given):
    """Open the model to convert, and say what is not known of it.

    Args:
        args: parsed options.
        given: of `model_options.legacy_spec`.

    Returns:
        its `predictor.Predictor`, and the `keras.Model` to export.

    Raises:
        InputError: if it is no Keras model, or cannot be read.
    """
    if args.model.suffix.lower() not in model_card.MODEL_SUFFIXES:
        raise InputError(f"{args.model}: only .keras and .h5 models can be converted")
    reference = model_options.load(args.model, given)
    if reference.card is None:
        terminal.say(
            f"{args.model}: no model card {model_card.path_beside(args.model).name} beside it; "
            f"its exports call their classes {', '.join(reference.classes.names)}. Copy the card "
            "from where the model was trained, or name the classes with --classes"
        )
    return reference, _exported(args, reference.model)


def _exported(args, model):
    return nets.full_resolution(model) if args.full_resolution else model


def climb(args, stem, paths, write, picture, reference, note=""):
    """Write every precision of a ladder, print the table and return the exit status.

    Args:
        args: parsed options.
        stem: as in `precision_sweep.climb`, like `paths`, `write` and `picture`.
        paths: by precision.
        write: of a path and a precision.
        picture: to time with.
        reference: `predictor.Predictor` of the model that is exported.
        note: line below the table.
    """
    from segmentation.export import precision_sweep

    measured = args.img_file or args.tfrecord_data
    truth = ground_truth(args, reference) if measured else None
    rows = precision_sweep.climb(stem, paths, write, picture, truth, note)
    terminal.show(precision_sweep.table(rows) + note)
    terminal.print_result({"ladder": rows})
    return 1 if any(row["refused"] for row in rows) else 0


def ground_truth(args, reference):
    """Return what measures a ladder on the arrays that the options name.

    Args:
        args: parsed options.
        reference: `predictor.Predictor` of the model that is exported.
    """
    from segmentation.export import precision_sweep

    if reference.card is None:
        raise InputError(f"{args.model}: no model card beside it; name its classes with --classes")
    data = data_options.open_data(args, reference.card)
    return precision_sweep.ground_truth(reference, data)


def require_place(path):
    """Raise InputError unless nothing but an earlier export stands under `path`."""
    within = {".mlpackage": "Manifest.json", ".saved_model": "saved_model.pb"}.get(path.suffix)
    if path.exists() and not (path / within if within else path).is_file():
        raise InputError(f"{path}: in the way, and no export; move it or choose another name")


def write_untrained(args, folder, suffix, write, output="scores"):
    """Write networks with random weights and their contracts; return the exit status.

    Args:
        args: parsed options.
        folder: where the files will stand.
        suffix: of their names.
        write: function of a `keras.Model` and a path that writes the export and returns what
            `parity.compare` does, or raises `ExportError`.
        output: what the exports give, as in `coreml.convert`.
    """
    from segmentation.export import contract, parity, precision_sweep

    networks = list(precision_sweep.untrained(args.network, args.sizes, args.alphas))
    paths = [folder / f"{name}{suffix}" for name, _ in networks]
    for path in paths:
        require_place(path)
    written = []
    for path, (_, network) in zip(paths, networks, strict=True):
        model = _exported(args, network)
        try:
            comparison = write(model, path)
        except ExportError as error:
            terminal.say(f"error: {error}")
            return 1
        contract.write(
            path,
            model.input_shape[1:3],
            model.output_shape[1:3],
            precision_sweep.UNTRAINED,
            output=output,
            facts=[
                ("weights", "random: to time a device with"),
                ("precision", args.quantize),
                ("beside the Keras model", parity.summary(comparison)),
            ],
        )
        megabytes = files.size(path) / 1e6
        terminal.show(f"{path}: {megabytes:.1f} MB, {parity.summary(comparison)}")
        written.append({"path": str(path), "megabytes": round(megabytes, 3)})
    terminal.print_result({"untrained": written, "precision": args.quantize})
    return 0
