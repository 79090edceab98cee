"""What both converters do with their options: open a model, export it, show what came out."""

import os

from segmentation import files, formats, model_card
from segmentation.cli import data_options, model_options, terminal
from segmentation.errors import ExportError, InputError
from segmentation.export.sharing import shared
from segmentation.quiet import start_keras


def start_tensorflow():
    """Start Keras on TensorFlow, which traces every export, whatever backend did the training."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a GPU's TF32 differs by 1e-3: no reference
    start_keras()


def open_exporter(args, paths, two_channels=False, platform=None):
    """Return the `Exporter` of the model that the options name, on TensorFlow.

    Args:
        args: parsed options.
        paths: of the exports.
        two_channels: whether one of them is to give `[1 - p, p]`.
        platform: of the app that `--app` asks for, as in `apps.write`.

    Raises:
        InputError: if a path is in the way, the model cannot be read or converted, or the exports
            are not possible.
    """
    spec = model_options.legacy_spec(args)
    for path in paths:
        formats.require_place(path)
        formats.require_packages(path)
    start_tensorflow()
    from segmentation.export import apps, parity_kit, resized
    from segmentation.export.job import Exporter

    for path in paths if args.parity_kit else ():
        parity_kit.require_place(path)
    if args.app:
        apps.require_place(args.app, platform)
        if any(args.app.absolute() in path.absolute().parents for path in paths):
            raise InputError(f"{args.app}: the app has a folder of its own; export to another")
    if args.model.suffix.lower() not in model_card.MODEL_SUFFIXES:
        raise InputError(f"{args.model}: only .keras and .h5 models can be converted")
    source = model_options.load(args.model, spec, any_size=True)
    if source.card is None:
        terminal.say(
            f"{args.model}: no model card {model_card.path_beside(args.model).name} beside it; "
            f"its exports call their classes {', '.join(source.classes.names)}. Copy the card "
            "from where the model was trained, or name the classes with --classes"
        )
    if args.export_size and args.export_size != source.img_size:
        source = resized.at_size(source, args.export_size)
        terminal.say(
            f"{args.model}: trained at {_size(source.card['trained_img_size'])}, exported at "
            f"{_size(args.export_size)}: measure the export, its scores are not those of the model"
        )
    exporter = Exporter.of_trained(source, args.check_images, args.full_resolution)
    exporter.require_possible(paths, two_channels)
    return exporter


@shared()
def write(exporter, exports):
    """Write exports and print a line for each.

    Args:
        exporter: `Exporter`.
        exports: `Options` by path.

    Returns:
        `(written, failed)`: dictionaries of what was written, and paths of what failed its check.
    """
    from segmentation.export import parity_kit

    written, failed = [], []
    for path, options in exports.items():
        try:
            comparison = exporter.write(path, options)
        except ExportError as error:
            terminal.say(f"error: {error}")
            failed.append(str(path))
            continue
        checked_by = comparison.get("checked_by")
        suffix = f", checked by {checked_by}" if checked_by else ""
        suffix += f", kit {comparison['parity_kit']}" if options.kit else ""
        terminal.show(_line(path, comparison, f"{options.precision}, ") + suffix)
        kit = parity_kit.path_beside(path)
        if kit.exists() and not options.kit:
            terminal.say(f"{kit}: is of an earlier export; remove it, or add --parity_kit")
        result = {"path": str(path), "megabytes": _megabytes(path), "precision": options.precision}
        written.append(result | comparison)
    return written, failed


def write_app(args, platform, written, path):
    """Write the app that `--app` asks for, if the export that it runs was written.

    Args:
        args: parsed options.
        platform: as in `apps.write`.
        written: what `write` returned.
        path: of the export.

    Returns:
        what to add to the result: `app`, the folder, or nothing.
    """
    made = [export for export in written if export["path"] == str(path)]
    if not args.app or not made:
        return {}
    from segmentation.export import apps

    apps.write(args.app, platform, path, made[0]["precision"], made[0].get("parity_kit"))
    terminal.show(f"{args.app}: an app that runs {path.name}, {made[0]['precision']}")
    return {"app": str(args.app)}


@shared()
def sweep(args, exporter, exports, stem, note=""):
    """Write and measure exports in every precision, print the table, and return the exit status.

    Args:
        args: parsed options, which may name data to measure on.
        exporter: `Exporter`.
        exports: `Options` by path.
        stem: path of the table, without its suffix.
        note: line below the table.
    """
    from segmentation.export import precision_sweep

    score = None
    if args.img_file or args.tfrecord_data:
        source = exporter.source
        if source.card is None:
            raise InputError(
                f"{source.path}: no model card beside it; name its classes with --classes"
            )
        score = precision_sweep.ground_truth(source, data_options.open_data(args, source.card))
    rows = precision_sweep.sweep(exporter.write, exports, score)
    note = "\n\n".join(filter(None, [precision_sweep.checked_on(rows), note]))
    precision_sweep.save(stem, rows, note)
    terminal.show(precision_sweep.table(rows) + note)
    terminal.print_result({"ladder": rows})
    return 1 if any(row["refused"] for row in rows) else 0


def write_untrained(args, folder, suffix, options):
    """Write exports of networks with random weights, print a line for each; return the exit status.

    Args:
        args: parsed options.
        folder: where the exports will stand.
        suffix: of their format.
        options: `Options`.
    """
    start_tensorflow()
    from segmentation.export import untrained

    named = untrained.networks(args.network, args.sizes, args.alphas, args.preset)
    written = []
    try:
        for path, comparison in untrained.write(
            named, folder, suffix, options, args.full_resolution
        ):
            terminal.show(_line(path, comparison))
            written.append({"path": str(path), "megabytes": _megabytes(path)})
    except ExportError as error:
        terminal.say(f"error: {error}")
        return 1
    terminal.print_result({"untrained": written, "precision": options.precision})
    return 0


def _line(path, comparison, precision=""):
    from segmentation.export import parity

    return f"{path}: {_megabytes(path):.1f} MB, {precision}{parity.summary(comparison)}"


def _size(img_size):
    return "x".join(map(str, img_size))


def _megabytes(path):
    return round(files.size(path) / 1e6, 3)
