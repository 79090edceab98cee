"""The model card: the JSON file beside a model that says what it is, sees and predicts."""

import json
from pathlib import Path

from segmentation import files
from segmentation.errors import InputError

REQUIRED = ("img_size", "classes", "colors")
MODEL_SUFFIXES = (".keras", ".h5")  # of what training writes; the rest are exports


def path_beside(model_path):
    """Return where the card of `model_path` stands: `hair.json` beside `hair.keras`."""
    path = Path(model_path)
    return path.parent / f"{path.stem}.json"


def read(model_path):
    """Return the card beside `model_path` as a dictionary.

    Its keys are `network`, `arguments` (of the network), `img_size` (`[height, width]`, pixels),
    `classes` (names in channel order: one, or several with the background first, unless training
    ignored it), `colors` (an `[r, g, b]` 0..255 per class), and what training adds about itself.
    An export at another size also has `trained_img_size`.

    Raises:
        InputError: if there is no card, or it is not JSON with the keys in `REQUIRED`.
    """
    path = path_beside(model_path)
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{model_path}: no model card {path.name} beside it; copy the one that training wrote"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: not a readable model card ({error}); fix it, or copy it again from where the "
            "model was trained"
        ) from None
    missing = [key for key in REQUIRED if not isinstance(card, dict) or key not in card]
    if missing:
        raise InputError(f"{path}: the model card lacks {', '.join(missing)}; train again")
    if not _is_valid(*(card[key] for key in REQUIRED)):
        raise InputError(
            f"{path}: its {', '.join(REQUIRED)} are not as training writes them; train again, or "
            "copy the card again"
        )
    return card


def of_weights(path):
    """Return the card beside weights, or None; X.weights.h5 shares the card of X.h5."""
    model_path = Path(str(path).replace(".weights.h5", ".h5"))
    return read(model_path) if path_beside(model_path).exists() else None


def _is_valid(img_size, classes, colors):
    return (
        _are_integers(img_size, 2)
        and isinstance(classes, list)
        and len(classes) > 0
        and all(isinstance(name, str) for name in classes)
        and isinstance(colors, list)
        and len(colors) == len(classes)
        and all(_are_integers(rgb, 3) for rgb in colors)
    )


def _are_integers(values, count):
    """Return whether `values` is a list of `count` integers."""
    return (
        isinstance(values, list)
        and len(values) == count
        and all(type(value) is int for value in values)
    )


def require_overwritable(model_path):
    """Raise InputError unless training may write `model_path` and the files beside it.

    It may replace what an earlier run wrote under that name, and nothing else.
    """
    path = path_beside(model_path)
    others = [model_path.with_suffix(suffix) for suffix in MODEL_SUFFIXES]
    others = [other for other in others if other != model_path and other.exists()]
    if others:
        raise InputError(f"{path}: is the card of {others[0]}; choose another name")
    try:
        if path.exists():
            read(model_path)
    except InputError:
        raise InputError(f"{path}: exists and is not a model card; choose another name") from None
    for beside in (model_path.with_suffix(suffix) for suffix in (".csv", ".png", ".samples.png")):
        if beside.exists() and not path.exists():
            raise InputError(f"{beside}: exists and belongs to no run; choose another name")


def write(model_path, card):
    """Write `card`, a dictionary, beside `model_path`."""
    files.write_json(path_beside(model_path), card)


def card_for_export(export_path, card):
    """Return the card to write beside an export, or None if none has to be written.

    A card that already stands there is replaced if it can only belong to earlier exports: if it is
    a model card, and no model of that name stands beside it.

    Args:
        export_path: of the export.
        card: of the exported model, or None.

    Raises:
        InputError: if the card of another model stands beside `export_path`.
    """
    target = path_beside(export_path)
    if not target.exists():
        return card
    if card is not None:
        if read(export_path) == card:
            return None
        if not any(target.with_suffix(suffix).exists() for suffix in MODEL_SUFFIXES):
            return card
    raise InputError(f"{target}: belongs to another model; choose another name or folder")
