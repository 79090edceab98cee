"""CRC-32C (RFC 3720, B.4), the checksum of TFRecords, in NumPy.

TensorFlow has one, but to import it takes as long as to prepare hundreds of pictures, and neither
Python nor what we require has another.
"""

import functools

import numpy as np

POLYNOMIAL = 0x82F63B78  # Castagnoli's, its bits reversed
ROW = 512  # bytes looked up at once
BLOCK = 1 << 20  # bytes worked on together: bounds memory
ALL_ONES = 0xFFFFFFFF


@functools.cache
def _tables():
    """Return `(ROW, 256)` uint32: what a byte at each place of a row adds to its checksum.

    A checksum is linear: that of a row is the exclusive or of what its bytes add.
    """
    tables = np.zeros((ROW, 256), np.uint32)
    last = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        last = np.where(last & 1, POLYNOMIAL ^ (last >> 1), last >> 1).astype(np.uint32)
    tables[-1] = last
    for place in range(ROW - 2, -1, -1):  # a byte further to the left, one more zero follows
        after = tables[place + 1]
        tables[place] = last[after & 255] ^ (after >> 8)
    return tables


@functools.cache
def _lists():
    """Return the tables that bring a checksum past a row, and the one of a single byte."""
    return [_tables()[place].tolist() for place in (0, 1, 2, 3, -1)]


def crc32c(data):
    """Return the CRC-32C of bytes, a whole number below 2³²."""
    first, second, third, fourth, single = _lists()
    checksum = ALL_ONES
    odd = len(data) % ROW
    for byte in data[:odd]:
        checksum = single[(checksum ^ byte) & 255] ^ (checksum >> 8)
    places = np.arange(ROW) * 256
    for start in range(odd, len(data), BLOCK):
        rows = np.frombuffer(data[start : start + BLOCK], np.uint8).reshape(-1, ROW)
        added = np.bitwise_xor.reduce(_tables().ravel().take(rows + places), axis=1)
        for row in added.tolist():
            checksum = (
                first[checksum & 255]
                ^ second[checksum >> 8 & 255]
                ^ third[checksum >> 16 & 255]
                ^ fourth[checksum >> 24]
                ^ row
            )
    return checksum ^ ALL_ONES
