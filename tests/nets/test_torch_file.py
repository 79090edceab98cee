"""Files of PyTorch's old format: what they hold, and what they must not do."""

import collections
import hashlib
import io
import os
import pickle
import struct
import sys
import types
from unittest import mock

import numpy as np
import pytest

from nets import torch_file


class FloatStorage:
    """Stands for that of PyTorch."""


class LongStorage:
    """Stands for that of PyTorch."""


def rebuild(*_):
    """Stands for `torch._utils._rebuild_tensor_v2`."""


rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
FloatStorage.__module__ = LongStorage.__module__ = "torch"
MODULES = {
    "torch": types.SimpleNamespace(FloatStorage=FloatStorage, LongStorage=LongStorage),
    "torch._utils": types.SimpleNamespace(_rebuild_tensor_v2=rebuild),
}


class Reference(tuple):
    """The persistent id of a storage: kind, type, key, device, number of values, view."""


class Tensor:
    """Pickles as a tensor."""

    def __init__(self, storage, offset, shape, strides):
        self.arguments = (storage, offset, shape, strides, False, collections.OrderedDict())

    def __reduce__(self):
        return rebuild, self.arguments


class Pickler(pickle.Pickler):
    """Writes storages as persistent ids."""

    def persistent_id(self, value):
        """Return the id of a storage, or None."""
        return tuple(value) if isinstance(value, Reference) else None


def dump(value):
    """Pickle a value as PyTorch does, whether it is installed or not."""
    file = io.BytesIO()
    with mock.patch.dict(sys.modules, MODULES):
        Pickler(file, 2).dump(value)
    return file.getvalue()


def storage(kind, key, size):
    return Reference(("storage", kind, key, "cpu", size, None))


def content(tensors, storages, magic=torch_file.MAGIC):
    """Bytes of a file with these tensors, and the arrays of its storages by key."""
    parts = [dump(magic), dump(1001), dump({}), dump(tensors), dump(sorted(storages))]
    for key in sorted(storages):
        parts += [struct.pack("<q", storages[key].size), storages[key].tobytes()]
    return b"".join(parts)


VALUES = np.arange(8, dtype="<f4")


def one_tensor(shape=(2, 3), strides=(3, 1), offset=2, size=8):
    tensor = Tensor(storage(FloatStorage, "k", size), offset, shape, strides)
    return content(collections.OrderedDict(a=tensor), {"k": VALUES})


def test_a_tensor_is_a_part_of_its_storage():
    found = torch_file.parse(one_tensor(), "x.pth")
    np.testing.assert_array_equal(found["a"], [[2, 3, 4], [5, 6, 7]])
    assert found["a"].dtype == np.float32


def test_a_transposed_tensor_is_read_by_its_strides():
    found = torch_file.parse(one_tensor((3, 2), (1, 3)), "x.pth")
    np.testing.assert_array_equal(found["a"], [[2, 5], [3, 6], [4, 7]])


def test_integers_are_read_too():
    tensor = Tensor(storage(LongStorage, "n", 1), 0, (), ())
    data = content(collections.OrderedDict(n=tensor), {"n": np.array([7], "<i8")})
    assert torch_file.parse(data, "x.pth")["n"] == 7


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((3, 3), (3, 1), 2), ((2, 3), (3, 1), -1), ((2, 3), (-3, 1), 5), ((2, 3), (3, 1), 10**9)],
)
def test_a_tensor_outside_its_storage_is_refused(shape, strides, offset):
    with pytest.raises(ValueError, match="x.pth: .*does not fit its storage"):
        torch_file.parse(one_tensor(shape, strides, offset), "x.pth")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04",
        one_tensor()[:-1],
        one_tensor(size=9),
        content({}, {}, magic=5),
        content([1], {}),
    ],
)
def test_what_is_no_such_file_is_refused(data):
    with pytest.raises(ValueError, match="x.pth: no weights that PyTorch saved"):
        torch_file.parse(data, "x.pth")


class Hostile:
    """Runs a command when it is unpickled by `pickle.load`."""

    def __init__(self, path):
        self.command = f"touch {path}"

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("place", range(5))
def test_a_hostile_pickle_does_nothing_and_is_refused(tmp_path, place):
    target = tmp_path / "run"
    values = [torch_file.MAGIC, 1001, {}, {}, []]
    values[place] = Hostile(target)
    with pytest.raises(ValueError, match="holds posix.system, which is not allowed"):
        torch_file.parse(b"".join(pickle.dumps(value, 2) for value in values), "x.pth")
    assert not target.exists()


def test_only_known_files_are_read(tmp_path):
    path = tmp_path / "x.pth"
    path.write_bytes(one_tensor())
    with pytest.raises(ValueError, match="not the published weights"):
        torch_file.read_tensors(path, {"0" * 64, None})
    known = hashlib.sha256(path.read_bytes()).hexdigest()
    assert list(torch_file.read_tensors(path, {known})) == ["a"]
