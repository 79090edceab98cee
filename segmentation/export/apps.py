"""The sample apps with a model inside: a copy of `apps/android` or `apps/ios` to start from.

An app holds no code for one model. What it needs to know beyond the file of the model stands in
`model.json` beside it.
"""

import hashlib
import shutil
from pathlib import Path

import numpy as np

from segmentation import files, storage
from segmentation.data import labels
from segmentation.errors import InputError
from segmentation.inference import predictor, tflite

TEMPLATES = Path(__file__).resolve().parents[2] / "apps"
# Where, in the copy, the model with `model.json` goes, and the folder of a parity kit.
PLACES = {
    "android": ("app/src/main/assets", "app/src/main/assets/kit"),
    "ios": ("Segmentation", "kit"),
}
CARD = "model.json"
# What Gradle, Android Studio and Xcode write, and a model that somebody tried in the template.
LEFT_OUT = ("build", ".gradle", ".idea", "local.properties", "xcuserdata", "assets", "*.mlpackage")
ALPHA = 0x80  # of the colours over the picture


def require_place(folder, platform):
    """Raise InputError unless an app can be written as `folder`.

    Args:
        folder: of the app; it must be new or empty.
        platform: `android` or `ios`.
    """
    folder = Path(folder)
    storage.look(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is in the way of the app; name a new folder with --app")
    with files.workspace_beside(folder):  # shows at once what would stop it later
        pass


def write(folder, platform, export, precision, kit=None):
    """Write an app around an export, whole or not at all.

    Args:
        folder: of the app, new or empty.
        platform: `android`, for a `.tflite`, or `ios`, for an `.mlpackage` that gives scores.
        export: path of the model that the app runs.
        precision: of the export, which the app shows.
        kit: folder of a parity kit of this export, which the app's self-test runs; or None.

    Raises:
        InputError: if something is in the way.
    """
    folder, export = Path(folder).absolute(), Path(export)
    require_place(folder, platform)
    card = {"name": export.name, "precision": precision}
    if platform == "android":  # Core ML tells an app all this
        card |= {"sha256": hashlib.sha256(export.read_bytes()).hexdigest(), **_tensors(export)}
    card |= {"classes": coloured(predictor.load(export).classes)}
    with files.written_whole(folder) as temporary:
        shutil.copytree(TEMPLATES / platform, temporary, ignore=shutil.ignore_patterns(*LEFT_OUT))
        place, place_of_kit = (temporary / each for each in PLACES[platform])
        place.mkdir(parents=True, exist_ok=True)
        if platform == "android":
            shutil.copy(export, place / "model.tflite")
        else:
            shutil.copytree(export, place / "Model.mlpackage")
        files.write_json(place / CARD, card)
        if kit:
            shutil.copytree(kit, place_of_kit, dirs_exist_ok=True)


def _tensors(path):
    """Return the input and the output of a `.tflite`: LiteRT's Kotlin API hides their steps."""
    interpreter = tflite.open_interpreter(path, threads=1)
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    return {"input": _tensor(source), "output": _tensor(target)}


def _tensor(details):
    """Return size and type of a tensor; uint8 means `(value - zero_point) * scale`."""
    _, height, width, channels = map(int, details["shape"])
    facts = {"height": height, "width": width, "channels": channels}
    facts["dtype"] = np.dtype(details["dtype"]).name
    if facts["dtype"] != "float32":
        scale, zero_point = details["quantization"]
        facts |= {"scale": float(scale), "zero_point": int(zero_point)}
    return facts


def coloured(classes):
    """Return name and colour, #AARRGGBB, of each class id; the background is transparent."""
    colors = [bytes((ALPHA, *rgb)) for rgb in classes.id_colors]
    if len(classes) == 1 or labels.is_background(classes.names[0]):
        colors[0] = bytes(4)
    return [
        {"name": name, "color": f"#{color.hex()}"}
        for name, color in zip(classes.id_names, colors, strict=True)
    ]
