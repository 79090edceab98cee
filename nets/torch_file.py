"""Weights that PyTorch saved in its old format, read into NumPy without PyTorch.

A plain `pickle.load` runs whatever code is in a file. Here only known files are opened, by their
sha256, and no class but those that such a file needs.

The format is that of torch/serialization.py (`_legacy_save`): five pickles (a magic number, the
version, the system, the tensors and the keys of their storages), then each storage as an int64
count and its raw values.
"""

import collections
import hashlib
import io
import pickle

import numpy as np
from numpy.lib.stride_tricks import as_strided

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
COUNT = np.dtype("<i8")


def read_tensors(path, known):
    """Read the tensors of a file.

    Args:
        path: the file.
        known: sha256 of the files that may be read, hexadecimal.

    Returns:
        dictionary of read-only NumPy arrays by name, float32 or int64.

    Raises:
        ValueError: if the file is not known, or is not of this format.
        OSError: if it cannot be read.
    """
    with open(path, "rb") as file:
        content = file.read()
    if hashlib.sha256(content).hexdigest() not in known:
        raise ValueError(f"{path}: not the published weights (sha256 differs); install them again")
    return parse(content, path)


def parse(content, path):
    """Return the tensors of the bytes of a file; `path` names it in messages."""
    file = io.BytesIO(content)
    try:
        magic, _, _ = (_Unpickler(file).load() for _ in range(3))
        if magic != MAGIC:
            raise ValueError("another format")
        unpickler = _Unpickler(file)
        tensors, keys = unpickler.load(), _Unpickler(file).load()
        values = {}
        for key in keys:
            dtype, size = unpickler.storages[key]
            if int.from_bytes(file.read(COUNT.itemsize), "little") != size:
                raise ValueError("damaged")
            values[key] = np.frombuffer(file.read(size * dtype.itemsize), dtype, size)
        return {name: tensor.view(values) for name, tensor in tensors.items()}
    except Exception as error:  # whatever a damaged or hostile pickle leads to
        raise ValueError(f"{path}: no weights that PyTorch saved ({error})") from error


class _Tensor:
    """A tensor whose values follow later in the file."""

    def __init__(self, storage, offset, shape, strides, *_):
        self.key, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def view(self, values):
        """Return it as an array, of the values of all storages by key."""
        flat = values[self.key]
        # Tensors that were transposed before they were saved are not contiguous.
        axes = list(zip(self.shape, self.strides, strict=True))
        last = self.offset + sum((length - 1) * stride for length, stride in axes)
        if min(self.offset, *self.shape, *self.strides, 0) < 0 or last >= len(flat):
            raise ValueError("a tensor does not fit its storage")
        strides = [stride * flat.itemsize for stride in self.strides]
        return as_strided(flat[self.offset :], self.shape, strides, writeable=False)


class _Unpickler(pickle.Unpickler):
    """Unpickles tensors, and refuses every other class."""

    def __init__(self, file):
        super().__init__(file)
        self.storages = {}  # by key: (dtype, number of values)

    def find_class(self, module, name):
        """Return what stands for a class of a file of weights."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"it holds {module}.{name}, which is not allowed")

    def persistent_load(self, pid):
        """Note a storage, and return its key."""
        kind, dtype, key, _, size, _ = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"it holds a {kind}")
        self.storages[key] = (dtype, size)
        return key
