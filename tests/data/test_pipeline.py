"""Batches: in what order rows come, that it repeats, and what is looked at before the first."""

import numpy as np
import pytest

from segmentation import probabilities
from segmentation.data import arrays, augmentation, pipeline, split, statistics
from segmentation.data.classes import Classes
from segmentation.data.dataset import Subset
from segmentation.data.share import Share
from segmentation.errors import InputError

TABLE = np.arange(256, dtype=np.uint8)
NAMES = ["background", "hair", "face"]


def small_arrays(count=10, size=32):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size, 3)).astype(np.uint8)
    images[:, 0, 0, 0] = np.arange(count)  # shows the row, as long as nothing is augmented
    return images, rng.integers(0, 3, (count, size, size)).astype(np.uint8)


def source(count=10, size=32):
    stems = [str(row) for row in range(count)]
    return arrays.Arrays(*small_arrays(count, size), stems, stems, NAMES)


def batches(data, seed=0, affine_ranges=augmentation.PORTRAITS, targets=((TABLE, 1),), **others):
    values = {"batch_size": 5, "img_size": (32, 32)} | others
    options = pipeline.BatchOptions(seed=seed, affine_ranges=affine_ranges, **values)
    return pipeline.TrainingBatches(Subset(data, range(len(data))), targets, options)


def rows_of(batches):
    return [int(row) for i in range(len(batches)) for row in batches[i][0][:, 0, 0, 0]]


def test_validation_batches_hold_every_row_once_in_order_mapped_by_the_table():
    data = source()
    table = TABLE.copy()
    table[2] = 255
    found = pipeline.Batches(Subset(data, [1, 3, 5, 7, 9]), [(table, 1)], 2, (32, 32))
    assert rows_of(found) == [1, 3, 5, 7, 9]
    np.testing.assert_array_equal(found[2][1][0], table[data.masks[9]])


def test_images_of_any_size_are_stretched_to_that_of_the_network():
    found = pipeline.Batches(Subset(source(), [1, 3]), [(TABLE, 1)], 2, (16, 64))
    images, ids = found[0]
    assert images.shape == (2, 16, 64, 3) and ids.shape == (2, 16, 64)
    assert set(np.unique(ids)) == {0, 1, 2}  # none between two
    assert batches(source(), img_size=(16, 64))[0][1].shape == (5, 16, 64)


def test_each_output_gets_ids_of_its_own_at_its_own_size_in_training_and_whole_in_validation():
    data, other = source(), TABLE[::-1]
    _, (mask, small) = batches(data, affine_ranges=None, targets=[(TABLE, 1), (other, 4)])[0]
    assert mask.shape == (5, 32, 32) and small.shape == (5, 8, 8)
    np.testing.assert_array_equal(small, other[mask[:, 2::4, 2::4]])
    whole = pipeline.Batches(Subset(data, [1, 3]), [(TABLE, 4), (other, 8)], 2, (32, 32))
    mask, small = whole[0][1]
    assert mask.shape == (2, 32, 32)
    np.testing.assert_array_equal(small, other[mask])


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_targets_of_a_smaller_output_lie_in_the_middle_of_their_pixels_from_batch_to_batch(stride):
    images, _ = small_arrays()
    columns = np.tile(np.arange(32, dtype=np.uint8), (10, 32, 1))  # each pixel's id is its column
    names = [str(column) for column in range(32)]
    middles = np.arange(32).reshape(-1, stride).mean(1)
    for masks, axis in ((columns, 1), (columns.swapaxes(1, 2), 0)):
        data = arrays.Arrays(images, masks, names[:10], names[:10], names)
        found = batches(data, affine_ranges=None, targets=[(TABLE, stride)])
        both = [found[number][1].mean((0, 2 - axis)) for number in range(2)]
        np.testing.assert_array_equal(np.mean(both, 0), middles)


def test_epochs_of_a_number_of_steps_go_through_the_same_order_as_whole_passes():
    whole, cut = (
        batches(source(), affine_ranges=None, steps_per_epoch=steps) for steps in (None, 3)
    )
    assert (len(whole), len(cut)) == (2, 3)
    in_passes, in_epochs = [], []
    for _ in range(3):
        in_passes += rows_of(whole)
        whole.on_epoch_end()
    for _ in range(2):
        in_epochs += rows_of(cut)
        cut.on_epoch_end()
    assert in_epochs == in_passes


def test_training_order_differs_by_epoch_and_repeats_by_seed():
    def epochs(seed, first):
        found = batches(source(), seed, None, batch_size=3)
        found.epoch = first
        order = []
        for _ in range(2):
            order.append(rows_of(found))
            found.on_epoch_end()
        return order

    first, second = epochs(seed=1, first=0)
    assert len(first) == len(set(first)) == 9  # the tenth row fills no batch
    assert first != second
    assert epochs(seed=1, first=0) == [first, second]
    assert epochs(seed=1, first=1)[0] == second  # a run that is resumed after the first epoch
    assert epochs(seed=2, first=0)[0] != first


def test_augmented_batches_repeat_and_change_with_the_epoch():
    one, two = batches(source(), 7), batches(source(), 7)
    np.testing.assert_array_equal(one[0][0], two[0][0])
    np.testing.assert_array_equal(one[0][1], two[0][1])
    two.on_epoch_end()
    assert not np.array_equal(one[0][0], two[0][0])


def test_fit_sees_each_epoch_in_its_own_order():
    import keras

    data, seen = source(), []

    class Recorded(pipeline.TrainingBatches):
        def __getitem__(self, batch):
            pair = super().__getitem__(batch)
            seen.append((self.epoch, batch))
            return pair

    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1)(inputs)[..., 0])
    model.compile(loss="mse")
    options = pipeline.BatchOptions((32, 32), batch_size=5)
    found = Recorded(Subset(data, range(10)), [(TABLE, 1)], options)
    found[0]
    seen.clear()
    model.fit(found, epochs=3, shuffle=False, verbose=0)
    # Keras may look at batches before the first epoch to learn their shapes, and begin one more.
    wanted = [(epoch, batch) for epoch in range(3) for batch in range(2)]
    assert [seen.count(pair) for pair in wanted[2:]] == [1] * 4
    assert set(wanted) <= set(seen)


def opened(parts, classes, options, aux_classes=None):
    counts = [
        statistics.count_ids(part, options.img_size) for part in (parts.training, parts.validation)
    ]
    return pipeline.open_training_data(parts, counts, classes, options, aux_classes)


def open_data(masks, chosen, ignore_class=None, validation_batch_size=2):
    images, _ = small_arrays(len(masks))
    stems = [str(row) for row in range(len(masks))]
    return opened(
        split.hold_out(arrays.Arrays(images, masks, stems, stems, NAMES), 0.5, seed=0),
        Classes.of_data(NAMES, chosen, ignore_class),
        pipeline.BatchOptions((32, 32), 2, validation_batch_size),
    )


def test_validation_holds_no_more_probabilities_than_fit(monkeypatch):
    monkeypatch.setattr(probabilities, "MAX_FLOATS", 32 * 32 * 2)
    at_once = probabilities.evaluation_batch_size(2, (32, 32), num_classes=2)
    data = open_data(np.ones((6, 32, 32), np.uint8), ["hair"], validation_batch_size=at_once)
    assert [len(data.train[0][0]), len(data.validation[0][0]), len(data.validation)] == [2, 1, 3]


def test_training_data_know_their_classes_their_colours_and_statistics():
    masks = np.zeros((4, 32, 32), np.uint8)
    masks[:, :8], masks[:, 8:24] = 1, 2
    data = open_data(masks, ["face"])
    assert (data.classes.names, data.classes.id_names) == (("face",), ("background", "face"))
    assert data.classes.colors == ((0, 255, 0),)
    np.testing.assert_allclose(data.statistics.fractions, [0.5, 0.5])
    np.testing.assert_array_equal(data.statistics.images, [2, 2])
    assert set(np.unique(data.train[0][1])) == {0, 1}
    np.testing.assert_array_equal(data.validation[0][1][0], masks[0] == 2)


def test_an_ignored_background_has_no_channel_and_its_pixels_count_nowhere():
    masks = np.zeros((4, 32, 32), np.uint8)
    masks[:, :8], masks[:, 8:24] = 1, 2
    data = open_data(masks, ["hair", "face"], ignore_class=0)
    assert data.classes.names == data.classes.id_names == ("hair", "face")
    np.testing.assert_allclose(data.statistics.fractions, [8 / 24, 16 / 24])
    assert set(np.unique(data.train[0][1])) == {0, 1, 255}
    assert data.classes.ignored == "background"


def test_data_that_show_none_of_the_classes_are_refused():
    with pytest.raises(InputError, match="no training image shows hair"):
        open_data(np.zeros((4, 32, 32), np.uint8), ["hair"])


def shares(workers, devices=None):
    return [Share(worker, workers, devices or workers) for worker in range(workers)]


def test_workers_make_the_batches_of_one_each_its_part():
    data = source(13)
    whole = batches(data, batch_size=6)
    parts = [batches(data, batch_size=6, share=share) for share in shares(3)]
    assert {len(part) for part in parts} == {len(whole)} == {2}
    for number in range(2):
        for one, several in zip(
            whole[number], zip(*(part[number] for part in parts), strict=True), strict=True
        ):
            np.testing.assert_array_equal(one, np.concatenate(several))


def test_workers_with_files_of_their_own_draw_from_these_as_many_for_each_batch():
    data = source(14)
    files = np.repeat([0, 1, 2], [2, 3, 9])
    parts = [
        batches(data, affine_ranges=None, batch_size=4, share=share, files=files)
        for share in shares(2)
    ]
    assert [len(part) for part in parts] == [3, 3]
    found = [rows_of(part) for part in parts]
    assert [len(rows) for rows in found] == [6, 6]
    assert set(files[found[0]]) <= {0, 2} and set(found[1]) <= {2, 3, 4}


def test_a_worker_whose_files_fill_no_part_of_a_batch_is_named():
    images, masks = small_arrays(12)
    stems = [str(row) for row in range(12)]
    options = pipeline.BatchOptions(
        (32, 32), 4, 2, share=Share(0, 2, 2), files=np.repeat([0, 1], [11, 1])
    )
    data = arrays.Arrays(images, masks, stems, stems, NAMES)
    with pytest.raises(InputError, match="worker 1 would train on [01] images.* its 2 of a batch"):
        opened(split.hold_out(data, 0.2, seed=0), Classes.of_data(NAMES, ["hair"]), options)


def test_the_last_batch_of_validation_is_filled_with_blanks_that_count_nowhere():
    data = source()
    parts = [
        pipeline.Batches(Subset(data, [1, 3, 5, 7, 9]), [(TABLE, 1)], 4, (32, 32), share)
        for share in shares(2, devices=4)
    ]
    assert [len(part) for part in parts] == [2, 2]
    assert [rows_of(part) for part in parts] == [[1, 3, 9, 0], [5, 7, 0, 0]]
    images, ids, weights = parts[0][1]
    assert weights.tolist() == [1, 0] and parts[1][1][2].tolist() == [0, 0]
    assert not images[1].any() and (ids[1] == 255).all()
    assert parts[0].mean_factor == 8 / 5
    even = pipeline.Batches(Subset(data, range(8)), [(TABLE, 1)], 4, (32, 32), Share(0, 2, 4))
    assert even.mean_factor == 1 and len(even[0]) == 2  # no weights
