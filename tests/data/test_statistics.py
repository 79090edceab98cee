"""Class statistics against values worked out by hand."""

import numpy as np

from segmentation.data import statistics
from segmentation.data.classes import Classes

HAIR = Classes.of_data(["background", "hair"], ["hair"])


def of(masks, size):
    return statistics.of_classes(statistics.count_ids(Masks(masks), size), HAIR)


class Masks:
    """A data set of masks alone."""

    def __init__(self, masks):
        self.masks = masks

    def __len__(self):
        return len(self.masks)

    def read_mask(self, index):
        return self.masks[index]


def test_statistics_by_hand():
    masks = np.array([[[0, 1], [1, 255]], [[0, 0], [0, 0]]], np.uint8)
    found = of(masks, (2, 2))
    np.testing.assert_allclose(found.fractions, [(1 / 3 + 1) / 2, (2 / 3 + 0) / 2])
    np.testing.assert_array_equal(found.images, [2, 1])
    assert found.num_images == 2


def test_every_class_id_is_counted():
    masks = np.array([[[0, 1], [1, 255]], [[7, 0], [0, 0]]], np.uint8)
    counts = statistics.count_ids(Masks(masks), (2, 2))
    assert counts.shape == (2, 256)
    assert {(i, j): counts[i, j] for i, j in np.argwhere(counts).tolist()} == {
        **{(0, 0): 1, (0, 1): 2, (0, 255): 1},
        **{(1, 0): 3, (1, 7): 1},
    }


def test_what_is_lost_at_the_size_of_the_network_does_not_count():
    masks = np.zeros((1, 64, 64), np.uint8)
    masks[:, 0, 0] = 1
    for size, images in ((64, [1, 1]), (32, [1, 0])):
        np.testing.assert_array_equal(of(masks, (size, size)).images, images)
