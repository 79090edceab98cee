"""The wire format of tf.train.Example: what TensorFlow writes is read, and no bytes do harm."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentation.data import example

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.one_of(
    st.binary(max_size=300),
    st.integers(0, 2**63 - 1),
)
examples = st.dictionaries(names, values, max_size=8)
changes = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=5)


def feature(value):
    import tensorflow as tf

    if isinstance(value[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
    if isinstance(value[0], float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=value))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=value))


def serialized(features):
    import tensorflow as tf

    features = {name: feature(value) for name, value in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@given(examples)
def test_what_is_encoded_is_decoded(values):
    texts = {name: value for name, value in values.items() if isinstance(value, bytes)}
    assert example.decode(example.encode(values)) == texts


@given(
    st.dictionaries(
        names,
        st.one_of(
            st.lists(st.binary(max_size=300), min_size=1, max_size=3),
            st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5),  # packed
            st.lists(st.floats(width=32), min_size=1, max_size=5),
        ),
        max_size=8,
    )
)
def test_what_tensorflow_writes_is_read(features):
    first = {name: value[0] for name, value in features.items() if isinstance(value[0], bytes)}
    assert example.decode(serialized(features)) == first


@given(examples)
def test_what_is_encoded_is_read_by_tensorflow(values):
    import tensorflow as tf

    features = tf.train.Example.FromString(example.encode(values)).features.feature
    assert set(features) == set(values)
    for name, value in values.items():
        kind = "bytes_list" if isinstance(value, bytes) else "int64_list"
        assert list(getattr(features[name], kind).value) == [value]


def test_fields_of_other_kinds_are_passed_over():
    fixed = bytes([9 << 3 | 1, *range(8), 10 << 3 | 5, *range(4), 11 << 3, 0x80, 0x01])
    entry = example._field(1, b"a") + fixed + example._field(2, example._field(1, b"\n\x01x"))
    data = fixed + example._field(1, fixed + example._field(1, entry)) + fixed
    assert example.decode(data) == {"a": b"x"}


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a",  # a key without a length
        b"\x0a\x05abc",  # shorter than its length
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",  # much shorter
        b"\x08" + b"\xff" * 11,  # a number without an end
        b"\x09\x00",  # eight bytes, of which one is there
        b"\x0b\x0c",  # a group, which nobody writes any more
    ],
)
def test_bytes_that_are_no_message_are_a_value_error(data):
    with pytest.raises(ValueError):
        example.decode(data)


@given(st.binary(max_size=200))
def test_random_bytes_are_decoded_or_refused(data):
    decoded_or_refused(data)


@given(examples, changes, st.data())
def test_damaged_messages_are_decoded_or_refused(values, changes, data):
    encoded = bytearray(example.encode(values))
    for place, byte in changes:
        if encoded:
            encoded[place % len(encoded)] = byte
    decoded_or_refused(bytes(encoded[: data.draw(st.integers(0, len(encoded)))]))


def decoded_or_refused(data):
    try:
        found = example.decode(data)
    except ValueError:
        return
    assert all(isinstance(value, bytes) for value in found.values())
    assert sum(map(len, found.values())) <= len(data)


def test_reading_tfrecords_imports_neither_tensorflow_nor_protobuf(tmp_path):
    code = (
        "import io, sys\n"
        "import numpy as np\n"
        "from PIL import Image\n"
        "from segmentation.data import labels, tfrecords\n"
        "folder = sys.argv[1]\n"
        "Image.new('L', (8, 6), 1).save(png := io.BytesIO(), 'PNG')\n"
        "mask = png.getvalue()\n"
        "with open(f'{folder}/a.tfrecord', 'wb') as file:\n"
        "    for stem in 'abc':\n"
        "        file.write(tfrecords.record(stem, mask, 'png', (6, 8), mask))\n"
        "labels.write(f'{folder}/labels.txt', ['none', 'wall'])\n"
        "data = tfrecords.open_records(f'{folder}/a.tfrecord')\n"
        "assert data.stems == ['a', 'b', 'c']\n"
        "assert [data.read(index)[0].shape for index in range(3)] == [(6, 8, 3)] * 3\n"
        "assert data.read_mask(2).tolist() == [[1] * 8] * 6 and data.fingerprint()\n"
        "slow = ('tensorflow', 'google.protobuf')\n"
        "slow = [name for name in sys.modules if name.startswith(slow)]\n"
        "assert not slow, slow\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
