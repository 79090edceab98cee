"""Exports with random weights, to time a device with: they are as fast as trained ones."""

import nets
from segmentation import formats
from segmentation.data.classes import Classes
from segmentation.errors import InputError, reason
from segmentation.export.job import Exporter

UNTRAINED = Classes(("untrained",), ((255, 0, 0),))


def networks(network, sizes, alphas, preset=None):
    """Yield networks with random weights, for inference.

    Args:
        network: a key of `nets.NETWORKS`.
        preset: a key of `nets.PRESETS`, whose arguments they get, besides the width; or None.
        sizes: `(height, width)` pairs in pixels; none: `nets.grid_sizes`, square.
        alphas: width multipliers.

    Yields:
        `(name, model)`, the names in order of size, alpha and, if the network has it, alpha_up:
        `mobile_unet_128_025_025`, `icnet_768_025`, `unet_fast_256_100_050`.

    Raises:
        InputError: if the network refuses a size or a width.
    """
    others = nets.PRESETS.get(preset, {})
    others = {key: value for key, value in others.items() if key not in ("model", "alpha")}
    name = f"{network}_{preset}" if preset else network
    sizes = sizes or [(side, side) for side in nets.grid_sizes(network)]
    for height, width in sizes:
        side = f"{height:03d}" if height == width else f"{height:03d}x{width:03d}"
        for alpha in alphas:
            arguments = nets.arguments(network, {**others, "alpha": alpha})
            widths = [arguments[key] for key in ("alpha", "alpha_up") if key in arguments]
            parts = [name, side, *(f"{round(100 * each):03d}" for each in widths)]
            try:
                model = nets.build(network, (height, width), 1, **others, alpha=alpha)
            except ValueError as error:
                message = f"--untrained {network} {height}x{width}, alpha {alpha:g}"
                raise InputError(f"{message}: {reason(error)}") from None
            yield "_".join(parts), nets.inference_model(model)


def write(named, folder, suffix, options, full_resolution=False):
    """Write an export of each network; nothing if a network or a place is refused.

    Args:
        named: of `networks`.
        folder: where the exports will stand, called by their networks.
        suffix: of their format.
        options: `Options`.
        full_resolution: whether exports give probabilities at the size of the input.

    Yields:
        `(path, comparison)` of each, as `Exporter.write` returns it.

    Raises:
        ExportError: if an export fails its check; those before it stand.
    """
    models = {folder / f"{name}{suffix}": model for name, model in named}
    for path in models:
        formats.require_place(path)
    for path, model in models.items():
        if full_resolution:
            model = nets.full_resolution(model)
        yield path, Exporter(model, UNTRAINED).write(path, options)
