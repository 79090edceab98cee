"""Compare transfer from an earlier model with training from scratch, on few pictures and more.

    python benchmarks/transfer.py faces/images-128.npy artifacts/hair.keras transfer

The third of the persons that is held out is the same in every run. For 20, 50 and all of the other
pictures and for three seeds, which choose those pictures and train on them, it runs train_full.py
and train_transfer.py for the same number of steps, in the folder that is named last; interrupted,
the same command goes on. Writes `transfer.json`, the validation IoU of the hair after each epoch,
and `transfer.png` there, and prints the best of each run: mean, lowest and highest of the seeds.
"""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import matplotlib.pyplot as plt
import numpy as np

from segmentation import files
from segmentation.cli import options, terminal
from segmentation.data import arrays, labels
from segmentation.errors import InputError
from segmentation.quiet import start_keras

COUNTS, SEEDS = (20, 50, None), (0, 1, 2)
HELD_OUT = 0.33
STEPS = 20  # of an epoch, whatever the pictures
LENGTH = ["--classes", "hair", "-b", "16", "--steps_per_epoch", str(STEPS)]
SCRATCH = ["train_full.py", "--epochs", "20"]
TRANSFER = ["train_transfer.py", "--transfer_epochs", "5", "--fine_tune_epochs", "15"]


def write(data, rows, folder):
    """Write some rows of a data set as one of their own, and return the path of its pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    img_file, mask_file, names_file, label_file = arrays.paths(folder, data.images.shape[1:3])
    np.save(img_file, data.images[rows])
    np.save(mask_file, data.masks[rows])
    arrays.write_names(
        names_file, [data.stems[row] for row in rows], [data.groups[row] for row in rows]
    )
    labels.write(label_file, data.labels)
    return img_file


def hair_ious(command, img_file, validation, output, seed):
    """Train, or go on, and return the validation IoU of the hair after each epoch."""
    script = Path(__file__).resolve().parent.parent / command[0]
    options = ["--img_file", img_file, "--val_img_file", validation, "-o", output]
    options += ["--seed", seed, "--resume", *LENGTH]
    line = [sys.executable, script, *command[1:], *map(str, options)]
    if subprocess.run(line, stdout=subprocess.DEVNULL).returncode:
        raise InputError(f"{output}: was not trained; see above")
    history = np.genfromtxt(output.with_suffix(".csv"), delimiter=",", names=True)
    return history["val_iou_hair"].tolist()


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument("img_file", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    return parser.parse_args(argv)


def main(argv=None):
    """Train all, and write the figures and the plot."""
    args = parse_args(argv)
    start_keras()
    from segmentation.data import pipeline

    data, folder = arrays.open_arrays(args.img_file), args.folder
    rows, validation_rows = pipeline.split(data.groups, HELD_OUT, seed=0)
    validation = write(data, validation_rows, folder / "validation")
    print(f"{len(rows)} pictures to choose from, {len(validation_rows)} held out")
    found = {}
    for count in COUNTS:
        for seed in SEEDS:
            chosen = np.random.default_rng(seed).permutation(rows)[:count]
            name = f"{len(chosen)}-{seed}"
            img_file = write(data, np.sort(chosen), folder / name)
            for way, command in (
                ("from scratch", SCRATCH),
                ("transfer", [*TRANSFER, "--weights", args.model.resolve()]),
            ):
                output = folder / f"{way.replace(' ', '-')}-{name}.keras"
                ious = hair_ious(command, img_file, validation, output, seed)
                found.setdefault(way, {}).setdefault(len(chosen), []).append(ious)
    files.write_json(folder / "transfer.json", found)
    show(found, folder / "transfer.png")


def show(found, path):
    """Print the best IoU by way and count of pictures, and plot these and the epochs."""
    figure, (by_pictures, by_epochs) = plt.subplots(1, 2, figsize=(10, 4))
    for way, by_count in found.items():
        best = {count: [max(ious) for ious in of_seeds] for count, of_seeds in by_count.items()}
        for count, ious in best.items():
            print(f"{way:14}{count:5} {np.mean(ious):.3f} ({min(ious):.3f} to {max(ious):.3f})")
        means = [np.mean(ious) for ious in best.values()]
        spread = np.array([[np.mean(i) - min(i), max(i) - np.mean(i)] for i in best.values()])
        by_pictures.errorbar(list(best), means, spread.T, marker="o", capsize=4, label=way)
        of_few = np.array(by_count[COUNTS[0]])  # (seeds, epochs)
        epochs = range(1, of_few.shape[1] + 1)
        (line,) = by_epochs.plot(epochs, of_few.mean(0), marker="o")
        by_epochs.fill_between(
            epochs, of_few.min(0), of_few.max(0), alpha=0.2, color=line.get_color()
        )
    by_pictures.set(xlabel="training pictures", ylabel="hair IoU, held-out persons, best epoch")
    by_epochs.set(
        xlabel=f"epochs of {STEPS} steps, {COUNTS[0]} pictures", ylabel="the same, by epoch"
    )
    by_pictures.legend(loc="lower right")
    for axis in (by_pictures, by_epochs):
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=100, bbox_inches="tight")


if __name__ == "__main__":
    terminal.run(main)
