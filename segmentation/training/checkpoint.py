"""The checkpoint of an unfinished run: one file, from which it goes on as if never interrupted."""

import contextlib
import json
import zipfile

import numpy as np

from segmentation import files
from segmentation.errors import InputError

# Names in the file: of the variables and the masks, followed by their number or epoch.
PROGRESS, VARIABLE, MASKS = "run", "variable_", "masks_"


def save(path, model, progress, masks):
    """Write every variable of a model and its optimizer, and `progress`, whole or not at all.

    Args:
        path: `.npz` file.
        model: compiled `keras.Model` with a built optimizer.
        progress: dictionary of JSON values.
        masks: uint8 arrays by epoch (`SamplePredictions.masks`).
    """
    arrays = {f"{VARIABLE}{i}": np.asarray(v) for i, v in enumerate(_variables(model))}
    arrays |= {f"{MASKS}{epoch}": predicted for epoch, predicted in masks.items()}
    arrays[PROGRESS] = np.frombuffer(json.dumps(progress).encode(), np.uint8)
    with files.written_whole(path) as temporary:
        np.savez(temporary, **arrays)


def read(path):
    """Return the `progress` that `save` wrote, with `masks`, or None if there is no such file.

    Raises:
        InputError: if the file is damaged.
    """
    if not path.exists():
        return None
    with _opened(path) as arrays:
        masks = {
            int(name.removeprefix(MASKS)): arrays[name] for name in arrays if name.startswith(MASKS)
        }
        return json.loads(arrays[PROGRESS].tobytes()) | {"masks": masks}


def restore(path, model):
    """Give the model and its optimizer the variables that `save` wrote.

    Raises:
        InputError: if the file is damaged, or of another network or optimizer.
    """
    variables = _variables(model)
    with _opened(path) as arrays:
        values = [arrays[name] for name in arrays if name.startswith(VARIABLE)]
    if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
        raise InputError(
            f"{path}: a checkpoint of another network or optimizer; "
            "resume with the options of that run, or start over without --resume"
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


@contextlib.contextmanager
def _opened(path):
    """Open the file; an array is read when it is asked for."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            yield arrays
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: the checkpoint is damaged ({error}); start over without --resume"
        ) from None


def _variables(model):
    return [*model.variables, *model.optimizer.variables]
