"""The parity kit of an export: its check as files, to be run again on another runtime or device.

The folder `NAME.kit` beside the export NAME holds the images of the check at the size of the model
(`0.png`), the scores that the Keras model gives for them (`0.npy`, `(h, w, C)` float32), the masks
of these (`0_mask.png`, a class id per pixel), and `manifest.json`: what the model is, how far an
export may be from the scores, and the SHA-256 of every file.
"""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from segmentation import files, storage
from segmentation.data import image_io
from segmentation.errors import InputError, reason
from segmentation.export import parity
from segmentation.probabilities import to_mask

VERSION = 1  # of the manifest
SUFFIX = ".kit"  # of the folder
MANIFEST = "manifest.json"
OWN_FILES = re.compile(r"manifest\.json|\d+(\.png|\.npy|_mask\.png)")
NPY_VERSION = (1, 0)  # of NumPy's file format: the one that readers in other languages know


def path_beside(path):
    """Return the folder of the kit of the export at `path`."""
    return Path(path).parent / f"{Path(path).name}{SUFFIX}"


def require_place(path):
    """Raise InputError unless the kit of an export may stand, or replace an earlier one."""
    folder = path_beside(path)
    storage.look(folder)
    if not folder.exists():
        return
    inside = folder.iterdir() if folder.is_dir() else [folder]
    if not all(OWN_FILES.fullmatch(each.name) for each in inside):
        raise InputError(f"{folder}: holds more than a parity kit; move it")


def write(path, reference, classes, options, limits):
    """Write the kit of an export, whole or not at all; an earlier one is replaced.

    Args:
        path: of the export, which exists.
        reference: `parity.Reference` that it was checked against.
        classes: `Classes` of its channels.
        options: `Options` that it was written with.
        limits: a key of `parity.LIMITS`.

    Returns:
        the path of the kit.

    Raises:
        InputError: if it cannot be written.
    """
    folder = path_beside(path)
    height, width = reference.images.shape[1:3]
    most, least = parity.limits_of(limits, options.output, len(classes))
    with files.written_whole(folder) as temporary:
        temporary.mkdir()
        expected = reference.at_output(options.output)
        samples = [
            _write_sample(temporary, str(index), image, scores)
            for index, (image, scores) in enumerate(zip(reference.images, expected, strict=True))
        ]
        manifest = {
            "version": VERSION,
            "model": {"file": Path(path).name, "sha256": files.sha256(path)},
            "precision": options.precision,
            "input": {"height": height, "width": width},
            "classes": list(classes.names),
            "limits": {"max_difference": most, "mask_iou": least},
            "samples": samples,
        }
        files.write_json(temporary / MANIFEST, manifest)
    return folder


def _write_sample(folder, name, image, scores):
    """Write the files of an image; return its entry in the manifest."""
    names = {"image": f"{name}.png", "scores": f"{name}.npy", "mask": f"{name}_mask.png"}
    Image.fromarray(image).save(folder / names["image"])
    Image.fromarray(to_mask(scores)).save(folder / names["mask"])
    with open(folder / names["scores"], "wb") as file:
        np.lib.format.write_array(file, np.ascontiguousarray(scores, "<f4"), version=NPY_VERSION)
    return {"name": name} | names | {"sha256": _hashes(folder, names.values())}


def _hashes(folder, names):
    return {name: files.sha256(folder / name) for name in names}


@dataclass(frozen=True)
class Kit:
    """A parity kit whose files are those that it was written with.

    Attributes:
        folder: where it stands.
        manifest: the dictionary in its `manifest.json`.
    """

    folder: Path
    manifest: dict

    @property
    def samples(self):
        """The entries of its images."""
        return self.manifest["samples"]

    @property
    def limits(self):
        """The `(largest difference, lowest IoU over confident pixels)` of `parity.excess`."""
        limits = self.manifest["limits"]
        return limits["max_difference"], limits["mask_iou"]

    def is_of(self, path):
        """Return whether the export at `path` is, byte by byte, the one that the kit is of."""
        return files.sha256(path) == self.manifest["model"]["sha256"]

    def read(self, sample):
        """Return the image `(height, width, 3)` uint8 and the scores `(h, w, C)` of a sample."""
        image = image_io.read(self.folder / sample["image"])
        try:
            scores = np.load(self.folder / sample["scores"], allow_pickle=False)
        except (OSError, ValueError, EOFError):
            raise self._wrong(sample["scores"], "no array that NumPy reads") from None
        sides = self.manifest["input"]
        if image.shape[:2] != (sides["height"], sides["width"]):
            raise self._wrong(sample["image"], "another size than its manifest says")
        num_classes = len(self.manifest["classes"])
        if scores.ndim != 3 or scores.dtype != np.float32 or scores.shape[-1] != num_classes:
            raise self._wrong(sample["scores"], f"not float32 (h, w, {num_classes})")
        return image, scores

    def _wrong(self, name, found):
        return InputError(f"{self.folder / name}: {found}; write the kit again with a converter")


def read(folder):
    """Read a kit and compare all its files with the hashes of its manifest.

    Raises:
        InputError: if it is no kit, or a file is missing or another one.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{folder}: no {MANIFEST} in it; name a folder that a converter wrote with --parity_kit"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable ({reason(error)}); copy the kit again") from None
    version = manifest.get("version") if isinstance(manifest, dict) else None
    if version != VERSION:
        raise InputError(f"{path}: a kit of version {version}; version {VERSION} can be run here")
    if not _is_valid(manifest):
        raise InputError(f"{path}: not as the converters write it; copy the kit again")
    for sample in manifest["samples"]:
        for name, expected in sample["sha256"].items():
            if not (folder / name).is_file():
                raise InputError(f"{folder / name}: missing; copy the kit again")
            if files.sha256(folder / name) != expected:
                raise InputError(
                    f"{folder / name}: not the file that the kit was written with (its SHA-256 "
                    "differs); copy the kit again"
                )
    return Kit(folder, manifest)


def _is_valid(manifest):
    """Return whether a manifest has all that a run reads, and a hash for each file it names."""
    try:
        sides, limits, samples = (manifest[key] for key in ("input", "limits", "samples"))
        model = manifest["model"]
        strings = [manifest["precision"], model["file"], model["sha256"], *manifest["classes"]]
        numbers = [sides["height"], sides["width"], limits["mask_iou"]]
        numbers += [limits["max_difference"]] * (limits["max_difference"] is not None)
        for sample in samples:
            named = {sample[key] for key in ("image", "scores", "mask")}
            plain = all(OWN_FILES.fullmatch(name) for name in named)  # no path out of the folder
            if not plain or set(sample["sha256"]) != named:
                return False
            strings += [sample["name"], *sample["sha256"].values()]
    except (AttributeError, KeyError, TypeError):
        return False
    return (
        len(samples) > 0  # else nothing would differ
        and len(manifest["classes"]) > 0
        and all(isinstance(each, str) for each in strings)
        and all(isinstance(each, int | float) for each in numbers)
    )


def run(kit, predict):
    """Run a kit on a model.

    Args:
        kit: `Kit`.
        predict: `Predictor`.

    Returns:
        `(rows, total)`: for each image what `parity.compare` returns, its `name` and the
        `milliseconds` of its run, after one that does not count; and what `parity.compare` returns
        for all images together.

    Raises:
        InputError: if the kit is of a model of another size, other classes or other scores.
    """
    require_same_model(kit, predict)
    rows, pairs = [], map(kit.read, kit.samples)
    predict(kit.read(kit.samples[0])[0][None])

    def runs():
        for sample, (image, expected) in zip(kit.samples, pairs, strict=True):
            started = time.perf_counter()
            scores = predict(image[None])[0]
            taken = 1000 * (time.perf_counter() - started)
            if scores.shape != expected.shape:
                raise InputError(
                    f"{predict.path}: gives scores {scores.shape}, {kit.folder} holds scores "
                    f"{expected.shape} of {kit.manifest['model']['file']}; the outputs of both "
                    "must be exported alike (--full_resolution, --output)"
                )
            found = parity.compare([expected], [scores], predict.gives_ids_only)
            rows.append({"name": sample["name"], **found, "milliseconds": taken})
            yield expected, scores

    total = parity.compare_pairs(runs(), predict.gives_ids_only)
    return rows, total


def require_same_model(kit, predict):
    """Raise InputError if a `Predictor` has another size or other classes than a kit."""
    manifest = kit.manifest
    img_size = (manifest["input"]["height"], manifest["input"]["width"])
    if img_size != tuple(predict.img_size):
        theirs, ours = ("x".join(map(str, size)) for size in (img_size, predict.img_size))
        raise InputError(
            f"{kit.folder}: a kit of a model of {theirs} px (height x width), and {predict.path} "
            f"takes {ours}; name the kit of this model"
        )
    names, ours = manifest["classes"], predict.classes.names
    if len(names) != len(ours) or (predict.named and list(ours) != names):
        raise InputError(
            f"{kit.folder}: a kit of a model of {', '.join(names)}, and {predict.path} has "
            f"{', '.join(ours)}; name the kit of this model"
        )
