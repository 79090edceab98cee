"""Measure training steps on this machine, and reckon what several workers would add to them.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --precision float32 auto --batch_size 16 64 256 -o steps.json

Three Markdown tables, as in docs/scaling.md: the steps of each network on the device that is here,
with random images in memory, and how many images a second a core augments for it; what the workers
of a ring all-reduce send in each step; and how far a data set goes. Nothing is sent: times on a
network follow from the bytes. The first steps are not timed. On a CPU the time of a step is the
processor time over all cores. Some minutes on two cores.
"""

import math
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import nets
from segmentation import files
from segmentation.cli import options, terminal
from segmentation.quiet import start_keras
from segmentation.training.config import OPTIMIZERS, PRECISIONS, DataFiles, FullConfig

# Network, its arguments, height and width in pixels, classes.
CONFIGURATIONS = {
    **{
        name: (preset["model"], {k: v for k, v in preset.items() if k != "model"}, (128, 128), 1)
        for name, preset in nets.PRESETS.items()
    },
    "unet": ("unet", {}, (128, 128), 1),
    "mobile_unet": ("mobile_unet", {}, (128, 128), 1),
    "icnet-0.25": ("icnet", {"alpha": 0.25}, (384, 480), 11),
    "icnet": ("icnet", {"alpha": 1.0}, (384, 480), 11),
}
BYTES = 4  # of a gradient: float32 in every precision
DATA_SETS = {"LFW": 1597, "ADE20K": 20210}  # images to train on: 80 % of 1,997; its training part
TUNED_BATCH = 16  # images, for which the learning rates of `OPTIMIZERS` were tuned
HOP = 10e-6  # seconds from a worker to the next, whatever is sent: an assumption


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument(
        "--networks",
        nargs="+",
        choices=CONFIGURATIONS,
        default=list(CONFIGURATIONS),
        metavar="NAME",
        help=f"of {', '.join(CONFIGURATIONS)} (default: all)",
    )
    parser.add_argument(
        "-b", "--batch_size", nargs="+", type=options.count, default=[16], metavar="N"
    )
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=["auto"])
    parser.add_argument("--steps", type=options.count, default=10, help="(%(default)s)")
    parser.add_argument(
        "--workers", nargs="+", type=options.count, default=[8, 64, 512], metavar="N"
    )
    parser.add_argument(
        "--gbit", nargs="+", type=options.positive, default=[10, 100], help="per second (10 100)"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="JSON file to write")
    return parser.parse_args(argv)


def main(argv=None):
    """Measure, reckon and print."""
    args = parse_args(argv)
    start_keras()
    from segmentation.training import accelerator

    device = accelerator.find()
    rows = []
    for name in args.networks:
        for precision in args.precision:
            chosen = accelerator.precision(device) if precision == "auto" else precision
            for batch_size in args.batch_size:
                terminal.say(f"{name}, {chosen}, batches of {batch_size}")
                rows.append(measure(name, chosen, batch_size, args.steps, device))
    pipeline = {name: augmented(name) for name in args.networks}
    terminal.show(f"Steps on {device}:\n\n{steps_table(rows, pipeline)}\n")
    exchange = [
        reckon(row, workers, gbit) for row in rows for workers in args.workers for gbit in args.gbit
    ]
    terminal.show(f"Exchange of gradients:\n\n{exchange_table(rows, args)}\n")
    terminal.show(f"Passes over a data set:\n\n{passes_table(args)}")
    result = {"device": str(device), "steps": rows, "pipeline": pipeline, "exchange": exchange}
    if args.output:
        files.write_json(args.output, result)
    terminal.print_result(result)


def measure(name, precision, batch_size, steps, device):
    """Time training steps of a network, compiled and fed as the training commands do."""
    import keras
    import numpy as np

    from segmentation.data.classes import Classes
    from segmentation.training import network, optimizers

    model_name, arguments, img_size, num_classes = CONFIGURATIONS[name]
    keras.utils.clear_session()
    keras.config.set_dtype_policy(precision)
    model = nets.build(model_name, img_size, num_classes, **arguments)
    config = FullConfig(files=DataFiles(), model=model_name, lr=OPTIMIZERS["adamw"])
    classes = Classes.of_names([f"class {number}" for number in range(num_classes)])
    optimizer = optimizers.build("adamw", 1e-3)
    model = network.compile_model(model, optimizer, config, classes, device)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch_size, *img_size, 3), dtype=np.uint8)
    ids = rng.integers(0, 2, (batch_size, *img_size), dtype=np.uint8)
    targets = [ids[:, ::n, ::n] for n in nets.strides(model)]
    targets = targets if len(targets) > 1 else targets[0]
    for _ in range(2):  # these compile
        model.train_on_batch(images, targets)
    # Processor time over all cores, on a CPU: other processes don't lengthen it.
    clock = time.process_time if device.kind == "cpu" else time.perf_counter
    start = clock()
    for _ in range(steps):
        model.train_on_batch(images, targets)
    seconds = (clock() - start) / steps / (os.cpu_count() if device.kind == "cpu" else 1)
    statistics = [v for v in model.non_trainable_variables if "moving" in v.name]
    return {
        "network": name,
        "img_size": list(img_size),
        "precision": precision,
        "batch_size": batch_size,
        "step_seconds": seconds,
        "images_per_second": batch_size / seconds,
        "trainable": sum(math.prod(v.shape) for v in model.trainable_variables),
        "statistics": sum(math.prod(v.shape) for v in statistics),
    }


def augmented(name):
    """Return how many images a second one core reads from arrays in memory and augments."""
    import numpy as np

    from segmentation.data import arrays, augmentation, pipeline
    from segmentation.data.dataset import Subset

    *_, img_size, num_classes = CONFIGURATIONS[name]
    count, batch_size = 256, 16
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, *img_size, 3), dtype=np.uint8)
    masks, blank = rng.integers(0, 2, (count, *img_size), dtype=np.uint8), [""] * count
    data = arrays.Arrays(images, masks, blank, blank, ["background", "one"])
    ranges = augmentation.PORTRAITS if num_classes == 1 else augmentation.SCENES
    settings = pipeline.BatchOptions(img_size, batch_size, affine_ranges=ranges)
    targets = [(np.arange(256, dtype=np.uint8), 1)]
    batches = pipeline.TrainingBatches(Subset(data, range(count)), targets, settings)
    start = time.process_time()
    for number in range(len(batches)):
        batches[number]
    return count / (time.process_time() - start)


def reckon(row, workers, gbit):
    """Return what a ring all-reduce of the gradients adds to a step.

    Each worker sends its gradients 2 (n - 1) / n times, in 2 (n - 1) hops
    (https://arxiv.org/abs/1802.05799). BatchNorm over all workers adds the mean and the variance of
    each channel forwards, and as many gradients backwards.
    """
    size = BYTES * (row["trainable"] + 2 * row["statistics"])
    sent = 2 * (workers - 1) / workers * size
    return {
        "network": row["network"],
        "precision": row["precision"],
        "batch_size": row["batch_size"],
        "workers": workers,
        "gbit_per_second": gbit,
        "bytes_sent": sent,
        "seconds": sent * 8 / (gbit * 1e9),
        "seconds_of_hops": 2 * (workers - 1) * HOP,
        "step_seconds": row["step_seconds"],
    }


def steps_table(rows, pipeline):
    """Return the measured steps as a Markdown table."""
    lines = [
        "| network | px | precision | batch | ms a step | images/s | trainable parameters | "
        "BatchNorm statistics | MB all-reduced | augmented images/s of a core |",
        "|---" * 10 + "|",
    ]
    for row in rows:
        size = BYTES * (row["trainable"] + 2 * row["statistics"]) / 1e6
        lines.append(
            f"| {row['network']} | {'{} × {}'.format(*row['img_size'])} | {row['precision']} "
            f"| {row['batch_size']} | {1000 * row['step_seconds']:,.0f} "
            f"| {row['images_per_second']:,.1f} | {row['trainable']:,} | {row['statistics']:,} "
            f"| {size:.1f} | {pipeline[row['network']]:,.0f} |"
        )
    return "\n".join(lines)


def exchange_table(rows, args):
    """Return the reckoned exchange as a Markdown table, a line for each of the measured steps."""
    numbers = " · ".join(map(str, args.workers))
    times = " | ".join(f"ms at {gbit:g} Gbit/s" for gbit in args.gbit)
    lines = [
        f"| network | batch | MB sent by each of {numbers} workers | {times} | ms of a step here |",
        "|---" * (4 + len(args.gbit)) + "|",
    ]
    for row in rows:
        sent = [reckon(row, n, 1)["bytes_sent"] / 1e6 for n in args.workers]
        seconds = [[reckon(row, n, gbit)["seconds"] for n in args.workers] for gbit in args.gbit]
        cells = [row["network"], str(row["batch_size"]), _listed(sent)]
        cells += [_listed([1000 * each for each in some]) for some in seconds]
        lines.append(f"| {' | '.join(cells)} | {1000 * row['step_seconds']:,.0f} |")
    hops = _listed([1000 * reckon(rows[0], n, 1)["seconds_of_hops"] for n in args.workers])
    return "\n".join([*lines, "", f"On top, hops of an assumed {HOP * 1e6:g} µs: {hops} ms."])


def _listed(numbers):
    return " · ".join(f"{number:.1f}" for number in numbers)


def passes_table(args):
    """Return the batch, the learning rates and the steps of an epoch as a Markdown table."""
    batch_size, peak = args.batch_size[0], OPTIMIZERS["adamw"]
    names = " | ".join(f"steps an epoch, {name}" for name in DATA_SETS)
    lines = [
        f"| workers | batch | --lr, square root | --lr, linear | {names} |",
        "|---" * (4 + len(DATA_SETS)) + "|",
    ]
    for workers in [1, *args.workers]:
        batch = workers * batch_size
        larger = batch / TUNED_BATCH
        steps = " | ".join(f"{images // batch:,}" for images in DATA_SETS.values())
        lines.append(
            f"| {workers} | {batch:,} | {peak * math.sqrt(larger):.3g} | {peak * larger:.3g} "
            f"| {steps} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    terminal.run(main)
