"""Small mask files of four quarters, for the tests of masks and of their formats."""

import numpy as np
from PIL import Image

from segmentation.data import masks

SIZE = (4, 4)
BLUE, RED, GREEN = masks.PART_COLORS


VOC = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0] + [64] * 753 + [224, 224, 192]  # 255: its border


def quarters(*values):
    """Return a 4 x 4 array whose quarters hold four values (colours or numbers)."""
    array = np.array(values, np.uint8)
    array = array.reshape(2, 2, *array.shape[1:])
    return array.repeat(2, axis=0).repeat(2, axis=1)


def save_palette(path, palette, *indices):
    image = Image.fromarray(quarters(*indices)).convert("L")
    paletted = Image.new("P", image.size)
    paletted.putdata(list(image.get_flattened_data()))
    paletted.putpalette(palette)
    paletted.save(path)


def save(path, *values):
    Image.fromarray(quarters(*values)).save(path)
