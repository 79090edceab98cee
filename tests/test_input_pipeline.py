"""Batches: who is held out, in what order rows come, and that it repeats."""

import numpy as np
import pytest

from segmentation import datasets, input_pipeline
from segmentation.errors import InputError

TABLE = np.arange(256, dtype=np.uint8)


def arrays(count=10, size=32):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size, 3)).astype(np.uint8)
    images[:, 0, 0, 0] = np.arange(count)  # tells the row, as long as nothing is augmented
    return images, rng.integers(0, 3, (count, size, size)).astype(np.uint8)


def rows_of(batches):
    return [int(row) for i in range(len(batches)) for row in batches[i][0][:, 0, 0, 0]]


def test_no_group_is_in_both_parts_and_the_share_is_reached():
    groups = [f"person {i % 37}" for i in range(200)]
    training, validation = input_pipeline.split(groups, 0.2, seed=1)
    assert sorted([*training, *validation]) == list(range(200))
    assert not {groups[i] for i in training} & {groups[i] for i in validation}
    assert 40 <= len(validation) < 46
    again = input_pipeline.split(groups, 0.2, seed=1)[1]
    np.testing.assert_array_equal(validation, again)
    assert not np.array_equal(validation, input_pipeline.split(groups, 0.2, seed=2)[1])


def test_rows_of_unknown_people_are_split_one_by_one():
    training, validation = input_pipeline.split([""] * 10, 0.3, seed=0)
    assert (len(training), len(validation)) == (7, 3)


@pytest.mark.parametrize("groups,fraction", [(["a"] * 5, 0.2), (["a", "b"], 0.0)])
def test_an_empty_part_is_an_error(groups, fraction):
    with pytest.raises(InputError, match="cannot be split"):
        input_pipeline.split(groups, fraction, seed=0)


def test_validation_batches_hold_every_row_once_in_order_mapped_by_the_table():
    images, masks = arrays()
    table = TABLE.copy()
    table[2] = 255
    batches = input_pipeline.ArrayBatches(images, masks, [1, 3, 5, 7, 9], table, 2)
    assert rows_of(batches) == [1, 3, 5, 7, 9]
    np.testing.assert_array_equal(batches[2][1][0], table[masks[9]])


def test_training_order_differs_by_epoch_and_repeats_by_seed():
    images, masks = arrays()

    def epochs(seed, first):
        batches = input_pipeline.TrainingBatches(
            images, masks, range(10), TABLE, 3, seed, epoch=first, augment=False
        )
        order = []
        for _ in range(2):
            order.append(rows_of(batches))
            batches.on_epoch_end()
        return order

    first, second = epochs(seed=1, first=0)
    assert len(first) == len(set(first)) == 9  # the tenth row fills no batch
    assert first != second
    assert epochs(seed=1, first=0) == [first, second]
    assert epochs(seed=1, first=1)[0] == second  # a run that is resumed after the first epoch
    assert epochs(seed=2, first=0)[0] != first


def test_augmented_batches_repeat_and_change_with_the_epoch():
    images, masks = arrays()
    one, two = (
        input_pipeline.TrainingBatches(images, masks, range(10), TABLE, 5, 7) for _ in range(2)
    )
    np.testing.assert_array_equal(one[0][0], two[0][0])
    np.testing.assert_array_equal(one[0][1], two[0][1])
    two.on_epoch_end()
    assert not np.array_equal(one[0][0], two[0][0])


def test_fit_sees_each_epoch_in_its_own_order():
    import keras

    images, masks = arrays()
    seen = []

    class Recorded(input_pipeline.TrainingBatches):
        def __getitem__(self, batch):
            pair = super().__getitem__(batch)
            seen.append((self.epoch, batch))
            return pair

    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1)(inputs)[..., 0])
    model.compile(loss="mse")
    batches = Recorded(images, masks, range(10), TABLE, 5, 0)
    batches[0]
    seen.clear()
    model.fit(batches, epochs=3, shuffle=False, verbose=0)
    # Keras may look at batches before the first epoch to learn their shapes, and begin one more.
    wanted = [(epoch, batch) for epoch in range(3) for batch in range(2)]
    assert [seen.count(pair) for pair in wanted[2:]] == [1] * 4
    assert set(wanted) <= set(seen)


def open_dataset(masks, chosen, ignore_class=None):
    names = ["background", "hair", "face"]
    images, _ = arrays(len(masks))
    stems = [str(row) for row in range(len(masks))]
    return input_pipeline.open_dataset(
        datasets.Arrays(images, masks, stems, stems, names),
        chosen,
        validation=None,
        validation_split=0.5,
        ignore_class=ignore_class,
        batch_size=2,
        seed=0,
        augment=False,
    )


def test_a_dataset_knows_its_classes_their_colours_and_counts():
    masks = np.zeros((4, 32, 32), np.uint8)
    masks[:, :8], masks[:, 8:24] = 1, 2
    data = open_dataset(masks, ["face"])
    assert (data.classes, data.class_names) == (["face"], ["background", "face"])
    assert data.colors == [[0, 255, 0]]
    np.testing.assert_array_equal(data.pixels, [2 * 16 * 32, 2 * 16 * 32])
    assert set(np.unique(data.train[0][1])) == {0, 1}
    np.testing.assert_array_equal(data.validation[0][1][0], masks[0] == 2)


def test_an_ignored_background_has_no_channel_and_its_pixels_count_nowhere():
    masks = np.zeros((4, 32, 32), np.uint8)
    masks[:, :8], masks[:, 8:24] = 1, 2
    data = open_dataset(masks, ["hair", "face"], ignore_class=0)
    assert data.classes == data.class_names == ["hair", "face"]
    np.testing.assert_array_equal(data.pixels, [2 * 8 * 32, 2 * 16 * 32])
    assert set(np.unique(data.train[0][1])) == {0, 1, 255}
    assert data.card["ignored_class"] == "background"


def test_data_that_show_none_of_the_classes_are_refused():
    with pytest.raises(InputError, match="no training picture shows hair"):
        open_dataset(np.zeros((4, 32, 32), np.uint8), ["hair"])


def test_class_counts_by_hand():
    masks = np.array([[[0, 1], [1, 255]], [[0, 0], [0, 0]]], np.uint8)
    pixels, pictures = input_pipeline.class_counts(masks, [0, 1], TABLE, 2)
    np.testing.assert_array_equal(pixels, [5, 2])
    np.testing.assert_array_equal(pictures, [2, 1])
