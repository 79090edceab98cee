"""What shows only in all images of a set: EXIF orientations, and the range of 16-bit files."""

import numpy as np
import pytest
from PIL import Image

import layout_sets
from layout_sets import STEMS, image, truth
from scene_sets import run
from segmentation.data import image_io, tfrecords
from segmentation.errors import InputError


def exif_set(folder, orientation):
    layout_sets.write_masks(folder / "masks", [0, 1, 2])
    (folder / "images").mkdir()
    exif = Image.Exif()
    exif[0x0112] = orientation
    for stem in STEMS:
        Image.fromarray(image(stem)).save(folder / f"images/{stem}.png", exif=exif)


@pytest.mark.parametrize("out", ["out", "out.tfrecord"])
def test_exif_is_told_and_may_be_ignored(tmp_path, capsys, out):
    exif_set(tmp_path / "set", 3)
    options = ("prepare", "-d", tmp_path / "set", "-o", tmp_path / out)
    *_, err = run(capsys, *options)
    assert "3 of 3 images have an EXIF orientation (3) and are turned upright: masks must" in err
    *_, err = run(capsys, *options, "--exif", "ignore")
    assert "is ignored: images and masks are taken as stored" in err
    if out == "out.tfrecord":
        stored, mask = tfrecords.open_records(tmp_path / out).read(0)
        np.testing.assert_array_equal(stored, image("f0"))
        np.testing.assert_array_equal(mask, truth("f0"))


def test_masks_across_their_images_are_explained_by_exif(tmp_path, capsys):
    exif_set(tmp_path, 6)
    options = ("prepare", "-d", tmp_path, "-o", tmp_path / "out", "-s", "32x64")
    with pytest.raises(
        InputError, match="f0.png, whose EXIF orientation turns it: .*--exif ignore"
    ):
        run(capsys, *options)
    run(capsys, *options, "--exif", "ignore")
    np.testing.assert_array_equal(np.load(tmp_path / "out/masks-32x64.npy")[0], truth("f0"))


def test_images_of_16_bits_are_scaled_by_the_range_of_their_set(tmp_path, capsys):
    import cv2

    layout_sets.write_masks(tmp_path / "masks", [0, 1, 2])
    (tmp_path / "images").mkdir()
    for stem in STEMS:
        deep = image(stem)[..., ::-1].astype(np.uint16) * 16
        cv2.imwrite(str(tmp_path / f"images/{stem}.png"), deep)
    assert image_io.read(tmp_path / "images/f0.png").max() < 16
    *_, err = run(capsys, "prepare", "-d", tmp_path, "-o", tmp_path / "out", "-s", "32x64")
    assert "3 images of 16 bits hold values up to " in err and "12 bits, white is 4095" in err
    found = np.load(tmp_path / "out/images-32x64.npy").astype(int)
    assert np.abs(found[0] - image("f0")).max() <= 1
    reading, _ = image_io.survey([tmp_path / "images/f0.png"])
    assert reading.white == 4095
