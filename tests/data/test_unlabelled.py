"""Images without masks: which batch has which of them, and that they are read once."""

import numpy as np
import pytest
from PIL import Image
from test_pipeline import TABLE, source

from segmentation.data import augmentation, image_io, pipeline, unlabelled
from segmentation.data.dataset import Subset
from segmentation.errors import InputError


def numbered(count, per_batch, size=32):
    images = np.ones((count, size, size, 3), np.uint8) * np.arange(100, 100 + count)[
        :, None, None, None
    ].astype(np.uint8)
    return unlabelled.Unlabelled(images, per_batch, "print")


def mixed(others, batch_size=5, **options):
    options = pipeline.BatchOptions((32, 32), batch_size, unlabelled=others, **options)
    return pipeline.TrainingBatches(Subset(source(), range(10)), [(TABLE, 1), (TABLE, 4)], options)


def numbers(batches, count):
    """The first pixels of the images of some batches, a list for each."""
    return [batches[i][0][:, 0, 0, 0].tolist() for i in range(count)]


def test_each_batch_has_some_last_and_their_masks_are_ignored_for_every_output():
    batches = mixed(numbered(7, 2))
    assert len(batches) == 3  # a pass over 10 images with masks, in threes
    for found, (_, targets) in zip(
        numbers(batches, 3), map(batches.__getitem__, range(3)), strict=True
    ):
        assert [first >= 100 for first in found] == [False] * 3 + [True] * 2
        for ids in targets:
            assert (ids[3:] == 255).all() and (ids[:3] != 255).all()


def test_every_image_comes_once_in_a_pass_and_passes_differ_whatever_the_epochs():
    batches = mixed(numbered(7, 2), steps_per_epoch=70)
    found = [number for batch in numbers(batches, 70) for number in batch[3:]]
    passes = np.array(found).reshape(20, 7)
    assert (np.sort(passes) == np.arange(100, 107)).all()
    assert len({tuple(each) for each in passes}) > 10
    again = mixed(numbered(7, 2), steps_per_epoch=10)
    again.epoch = 3
    assert numbers(again, 10) == numbers(batches, 40)[30:]
    assert numbers(mixed(numbered(7, 2), seed=1), 3) != numbers(batches, 3)
    few = [number for batch in numbers(mixed(numbered(1, 3)), 3) for number in batch[2:]]
    assert few == [100] * 9  # a batch may hold an image more than once


def test_the_images_with_masks_are_those_of_batches_without_the_others():
    alone = pipeline.TrainingBatches(
        Subset(source(), range(10)), [(TABLE, 1)], pipeline.BatchOptions((32, 32), batch_size=3)
    )
    assert [batch[:3] for batch in numbers(mixed(numbered(7, 2)), 3)] == numbers(alone, 3)


def test_they_are_augmented_like_the_others_but_not_in_step_with_them():
    others = numbered(4, 2)
    others.images[:] = source().images[:4]
    batches = mixed(others, affine_ranges=augmentation.PORTRAITS)
    images, (ids, _) = batches[0]
    (sample, key), _ = others.of_batch(0, seed=0)
    assert key[:2] == (0, 0) and (sample[1] == 255).all()
    np.testing.assert_array_equal(images[3], augmentation.augment(*sample, key)[0])
    assert not np.array_equal(images[3], augmentation.augment(*sample, key[:3])[0])
    assert (ids[3:] == 255).all()


@pytest.mark.parametrize(
    "share,batch_size,number",
    [(0.5, 16, 8), (0.5, 5, 2), (0.9, 4, None), (0.1, 4, None), (1, 9, None)],
)
def test_a_share_of_a_batch_is_some_of_it_and_not_all(share, batch_size, number):
    if number:
        assert unlabelled.number_per_batch(share, batch_size) == number
    else:
        with pytest.raises(InputError, match="choose another share or --batch_size"):
            unlabelled.number_per_batch(share, batch_size)


def test_files_are_stretched_and_what_cannot_be_read_is_named_and_counted(tmp_path, capsys):
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 256, (50 + i, 40, 3), np.uint8) for i in range(3)]
    for i, photo in enumerate(photos):
        Image.fromarray(photo).save(tmp_path / f"{i}.png")
    found = unlabelled.read(image_io.find_some(tmp_path), (32, 64), 2)
    expected = [image_io.resize(photo, (32, 64)) for photo in photos]
    np.testing.assert_array_equal(found.images, expected)
    assert (found.unreadable, found.per_batch) == (0, 2)

    (tmp_path / "00.jpg").write_bytes(b"no image")
    again = unlabelled.read(image_io.find_some(tmp_path), (32, 64), 2)
    said = capsys.readouterr().err
    assert "00.jpg: not an image" in said
    assert "1 of 4 unlabelled images cannot be read and are left out" in said
    assert again.unreadable == 1 and again.fingerprint == found.fingerprint
    (tmp_path / "1.png").rename(tmp_path / "9.png")  # they come in another order
    assert (
        unlabelled.read(image_io.find_some(tmp_path), (32, 64), 2).fingerprint != again.fingerprint
    )
    with pytest.raises(InputError, match="none of the 1 unlabelled images can be read"):
        unlabelled.read([tmp_path / "00.jpg"], (32, 64), 2)
