"""The wire format of `tf.train.Example` (tensorflow/core/example), without TensorFlow.

A message is a row of fields: a key, the number of the field and its kind in one varint, and a
value (https://protobuf.dev/programming-guides/encoding). An Example holds Features (1), which hold
a map (1) of names (1) and a Feature each (2): a list of bytes (1), floats (2) or integers (3).
"""

VARINT, EIGHT_BYTES, PAYLOAD, FOUR_BYTES = 0, 1, 2, 5  # kinds of fields that are still in use
LONGEST_VARINT = 10  # bytes of a number of 64 bits


def encode(values):
    """Return the bytes of an Example.

    Args:
        values: `{name: bytes or int ≥ 0}`.
    """
    entries = []
    for name, value in values.items():
        if isinstance(value, int):
            feature = _field(3, _field(1, _varint(value)))  # packed, as protobuf packs a list
        else:
            feature = _field(1, _field(1, value))
        entries.append(_field(1, _field(1, name.encode()) + _field(2, feature)))
    return _field(1, b"".join(entries))


def _field(number, payload):
    return _varint(number << 3 | PAYLOAD) + _varint(len(payload)) + payload


def _varint(value):
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def decode(data):
    """Return `{name: bytes}`: the first value of each list of bytes in an Example.

    Raises:
        ValueError: if `data` is no such message.
    """
    found = {}
    for features in _payloads(memoryview(data), 1):
        for entry in _payloads(features, 1):
            names, values = _payloads(entry, 1), _payloads(entry, 2)
            lists = _payloads(values[-1], 1) if values else []
            items = [item for each in lists for item in _payloads(each, 1)]
            if names and items:
                found[str(names[-1], "utf-8")] = bytes(items[0])
    return found


def _payloads(message, number):
    """Return the values of the fields of that number that have a length; pass over all others."""
    found, position = [], 0
    while position < len(message):
        key, position = _read_varint(message, position)
        if key & 7 == VARINT:
            _, position = _read_varint(message, position)
        elif key & 7 in (EIGHT_BYTES, FOUR_BYTES):
            position += 8 if key & 7 == EIGHT_BYTES else 4
        elif key & 7 == PAYLOAD:
            length, start = _read_varint(message, position)
            position = start + length
            if key >> 3 == number:
                found.append(message[start:position])
        else:
            raise ValueError("no protocol buffer")
    if position > len(message):
        raise ValueError("cut short")
    return found


def _read_varint(message, position):
    value = 0
    for shift, byte in enumerate(message[position : position + LONGEST_VARINT]):
        value |= (byte & 127) << 7 * shift
        if byte < 128:
            return value, position + shift + 1
    raise ValueError("no number")
