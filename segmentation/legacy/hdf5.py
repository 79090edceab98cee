"""Reading HDF5 files of Keras 2, and whole models that Keras 3 saved as `.h5`.

The layout: attributes `keras_version` and, for a whole model, `model_config` (JSON). In the group
`model_weights`, or at the top of a file that holds only weights, the attribute `layer_names`; for
each layer a group with the attribute `weight_names` and the arrays.
"""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class SavedModel:
    """What an HDF5 file holds.

    Attributes:
        version: of the Keras that wrote it, or "".
        config: the configuration of the whole model, a dictionary; None in a file of weights only.
        arrays: lists of arrays by layer name.
    """

    version: str
    config: dict | None
    arrays: dict

    @property
    def img_size(self):
        """`(height, width)` of the input in pixels; None in a file of weights only."""
        if not self.config:
            return None
        image = self.config["config"]["layers"][0]["config"]
        shape = image.get("batch_input_shape") or image["batch_shape"]  # of Keras 2 or 3
        return tuple(shape[1:3])


def read(path):
    """Return the `SavedModel` of an HDF5 file, or None if it has another layout.

    Raises:
        ValueError, OSError: if the file is damaged.
    """
    import h5py

    with h5py.File(path) as file:
        group = file["model_weights"] if "model_weights" in file else file
        if "layer_names" not in group.attrs:
            return None
        version = _text(file.attrs.get("keras_version", ""))
        config = file.attrs.get("model_config")
        arrays = {}
        for name in map(_text, group.attrs["layer_names"]):
            keys = map(_text, group[name].attrs["weight_names"])
            weights = [group[name][key][()] for key in keys]
            if weights:
                arrays[valid_name(name)] = weights
    return SavedModel(version, config and json.loads(_text(config)), arrays)


def read_arrays(path):
    """Return the lists of arrays by layer name in an HDF5 file, and its `img_size`.

    `img_size` is `(height, width)`, or None where the file holds only weights.

    Raises:
        ValueError, OSError: if the file is damaged or has another layout.
    """
    saved = read(path)
    if saved is None:
        raise ValueError("it holds no weights by layer name")
    return saved.arrays, saved.img_size


def valid_name(name):
    """Return a layer's name without slashes: Keras 3 refuses them, and ICNet's had some."""
    return name.replace("/", "_")


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)
