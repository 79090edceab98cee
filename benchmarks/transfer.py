"""Compare transfer from an earlier model with training from scratch, on few images and more.

    python benchmarks/transfer.py faces/images-128.npy artifacts/hair.keras transfer

Every run holds out the same third of the persons. For 20, 50 and all of the other images, and for
three seeds, which choose the images and seed the training, train_full.py and train_transfer.py run
for equally many steps. The last argument is the folder for their files; after an interruption the
same command goes on. It also gets `transfer.json`, the validation IoU of hair after each epoch, and
`transfer.png`. The best IoU of the runs is printed: mean, lowest and highest over the seeds.
"""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import matplotlib.pyplot as plt
import numpy as np

from segmentation import files
from segmentation.cli import options, terminal
from segmentation.data import arrays, labels, split
from segmentation.errors import InputError

COUNTS, SEEDS = (20, 50, None), (0, 1, 2)
HELD_OUT = 0.33
STEPS = 20  # in an epoch, however many images there are
LENGTH = ["--classes", "hair", "-b", "16", "--steps_per_epoch", str(STEPS)]
SCRATCH = ["train_full.py", "--epochs", "20"]
TRANSFER = ["train_transfer.py", "--transfer_epochs", "5", "--fine_tune_epochs", "15"]


def write(data, rows, folder):
    """Write some rows of a data set as a data set, and return the path of its images."""
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
    """Train, or go on, and return the validation IoU of hair after each epoch."""
    script = Path(__file__).resolve().parent.parent / command[0]
    options = ["--img_file", img_file, "--val_img_file", validation, "-o", output]
    options += ["--seed", seed, "--resume", *LENGTH]
    line = [sys.executable, script, *command[1:], *map(str, options)]
    if subprocess.run(line, stdout=subprocess.DEVNULL).returncode:
        raise InputError(f"{output}: was not trained; see the message above")
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
    """Train all, and write the IoUs and the plot."""
    args = parse_args(argv)
    data, folder = arrays.open_arrays(args.img_file), args.folder
    rows, validation_rows = split.split(data.groups, HELD_OUT, seed=0)
    validation = write(data, validation_rows, folder / "validation")
    print(f"{len(rows)} images to choose from, {len(validation_rows)} held out")
    found = {}
    for count in COUNTS:
        for seed in SEEDS:
            chosen = np.random.default_rng(seed).permutation(rows)[:count]
            name = f"{len(chosen)}-{seed}"
            img_file = write(data, np.sort(chosen), folder / name)
            for method, command in (
                ("from scratch", SCRATCH),
                ("transfer", [*TRANSFER, "--weights", args.model.resolve()]),
            ):
                output = folder / f"{method.replace(' ', '-')}-{name}.keras"
                ious = hair_ious(command, img_file, validation, output, seed)
                found.setdefault(method, {}).setdefault(len(chosen), []).append(ious)
    files.write_json(folder / "transfer.json", found)
    show(found, folder / "transfer.png")


def show(found, path):
    """Print the best IoU by method and number of images; plot it, and the IoU by epoch."""
    figure, (by_images, by_epochs) = plt.subplots(1, 2, figsize=(10, 4))
    for method, by_count in found.items():
        best = {count: [max(ious) for ious in of_seeds] for count, of_seeds in by_count.items()}
        for count, ious in best.items():
            print(f"{method:14}{count:5} {np.mean(ious):.3f} ({min(ious):.3f} to {max(ious):.3f})")
        means = [np.mean(ious) for ious in best.values()]
        spread = np.array([[np.mean(i) - min(i), max(i) - np.mean(i)] for i in best.values()])
        by_images.errorbar(list(best), means, spread.T, marker="o", capsize=4, label=method)
        of_few = np.array(by_count[COUNTS[0]])  # (seeds, epochs)
        epochs = range(1, of_few.shape[1] + 1)
        (line,) = by_epochs.plot(epochs, of_few.mean(0), marker="o")
        by_epochs.fill_between(
            epochs, of_few.min(0), of_few.max(0), alpha=0.2, color=line.get_color()
        )
    by_images.set(xlabel="training images", ylabel="hair IoU, held-out persons, best epoch")
    by_epochs.set(
        xlabel=f"epochs of {STEPS} steps, {COUNTS[0]} images", ylabel="hair IoU, held-out persons"
    )
    by_images.legend(loc="lower right")
    for axis in (by_images, by_epochs):
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=100, bbox_inches="tight")


if __name__ == "__main__":
    terminal.run(main)
