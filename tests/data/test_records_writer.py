"""The command ade20k, file by file: what is copied, how masks are read, what is refused."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from scene_sets import NOISE, SIZE, argv, parsed, read, run, scene_set, striped
from segmentation.data import image_io, tfrecords
from segmentation.errors import InputError


def saved(image, image_format, **options):
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


SMOOTH = cv2.resize(NOISE[:3, :4], SIZE[::-1], interpolation=cv2.INTER_CUBIC)
RGB = Image.fromarray(SMOOTH)
ODD_PICTURES = {
    "plain.jpg": (saved(RGB, "JPEG"), True),
    "progressive.jpg": (saved(RGB, "JPEG", progressive=True), True),
    "grey.jpg": (saved(RGB.convert("L"), "JPEG"), True),
    "upright.jpg": (saved(RGB, "JPEG", exif=exif(1)), True),
    "on_its_side.jpg": (saved(RGB.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif(6)), 0),
    "mirrored.jpg": (saved(RGB, "JPEG", exif=exif(2)), False),
    "cmyk.jpg": (saved(RGB.convert("CMYK"), "JPEG"), False),
    "called.jpeg": (saved(RGB, "PNG"), False),  # by another format
    "rgba.png": (saved(RGB.convert("RGBA"), "PNG"), False),
    "palette.png": (saved(RGB.convert("P"), "PNG"), False),
    "turned.tif": (saved(RGB.transpose(Image.Transpose.ROTATE_90), "TIFF", exif=exif(6)), False),
    "deep.png": (saved(Image.fromarray(SMOOTH[..., 0].astype("u2") * 257), "PNG"), False),
}


def test_plain_jpegs_are_copied_and_everything_else_is_upright_rgb(tmp_path, capsys):
    scene_set(tmp_path, {name.split(".")[0]: [1, 2] for name in ODD_PICTURES})
    for name, (content, _) in ODD_PICTURES.items():
        (tmp_path / "images" / f"{name.split('.')[0]}.jpg").unlink()
        (tmp_path / "images" / name).write_bytes(content)
    result, report, _ = run(capsys, *argv(tmp_path))
    assert result["copied"] == 4 and "8 images are not upright RGB or grey JPEG" in report
    found = read(tmp_path / "out/room.tfrecord")
    encoded = {
        stem: fields["image/encoded"] for stem, fields in parsed(result["tfrecords"][0]).items()
    }
    for name, (content, copied) in ODD_PICTURES.items():
        stem = name.split(".")[0]
        assert (encoded[stem] == content) == copied, name
        expected = image_io.read(tmp_path / "images" / name)
        # TensorFlow's JPEG decoder upsamples colours differently from Pillow's.
        difference = np.abs(found[stem][0].astype(int) - expected).mean()
        assert difference < 3 if copied else difference == 0, name


@pytest.mark.parametrize("kind", ["L", "P", "RGB"])
def test_masks_are_read_as_ids_however_they_are_stored(tmp_path, capsys, kind):
    scene_set(tmp_path, {"a": [0, 1, 7]})
    mask = Image.fromarray(striped([0, 1, 7]))
    if kind == "P":
        mask = Image.fromarray(striped([0, 1, 7]))
        mask.putpalette([255, 255, 255, 9, 8, 7] + [50] * 762)  # colours for the eye
    elif kind == "RGB":
        mask = mask.convert("RGB")
    mask.save(tmp_path / "annotations/a.png")
    run(capsys, *argv(tmp_path))
    found = read(tmp_path / "out/room.tfrecord")["a"][1]
    np.testing.assert_array_equal(found, striped([0, 1, 5]))


def test_masks_that_hold_the_ids_already_are_copied(tmp_path, capsys):
    scene_set(tmp_path, {"a": [0, 1, 2], "b": [0, 4, 7]})
    result, *_ = run(capsys, *argv(tmp_path))
    masks = {
        stem: fields["image/segmentation/class/encoded"]
        for stem, fields in parsed(result["tfrecords"][0]).items()
    }
    assert masks["a"] == (tmp_path / "annotations/a.png").read_bytes()
    assert masks["b"] != (tmp_path / "annotations/b.png").read_bytes()  # 7 is 5 now


def test_a_mask_is_not_left_for_others_to_turn(tmp_path, capsys):
    scene_set(tmp_path, {"a": [0, 1, 2]})
    Image.fromarray(striped([0, 1, 2])).save(tmp_path / "annotations/a.png", exif=exif(3))
    result, *_ = run(capsys, *argv(tmp_path))
    (fields,) = parsed(result["tfrecords"][0]).values()
    mask = Image.open(io.BytesIO(fields["image/segmentation/class/encoded"]))
    assert not mask.getexif()
    np.testing.assert_array_equal(mask, striped([0, 1, 2])[:, ::-1])


def test_the_transparent_grey_of_a_mask_is_background_in_its_record_too(tmp_path, capsys):
    scene_set(tmp_path, {"a": [1, 2]})
    (tmp_path / "annotations").rename(tmp_path / "masks")
    Image.fromarray(striped([1, 2, 3])).save(tmp_path / "masks/a.png", transparency=3)
    run(capsys, "prepare", "-d", tmp_path, "-o", tmp_path / "out/a.tfrecord")
    found = tfrecords.open_records(tmp_path / "out/a.tfrecord").read_mask(0)
    np.testing.assert_array_equal(found, striped([1, 2, 0]))


def cut(folder):
    path = folder / "images/b.jpg"
    path.write_bytes(path.read_bytes()[:-100])


def of_another_size(folder):
    Image.new("L", (40, 25), 1).save(folder / "annotations/b.png")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (of_another_size, "annotations/b.png is 40x25 pixels, and .*images/b.jpg 40x24"),
        (cut, "images/b.jpg: cannot be read"),
        (lambda f: (f / "images/b.jpg").write_bytes(b"no"), "images/b.jpg: not an image"),
        (lambda f: (f / "annotations/b.png").write_bytes(b"no"), "annotations/b.png: not an image"),
    ],
)
def test_a_bad_pair_is_an_error_or_a_counted_skip(tmp_path, capsys, spoil, message):
    scene_set(tmp_path, {"a": [1], "b": [1], "c": [1]})
    spoil(tmp_path)
    with pytest.raises(InputError, match=f"{message}.*--skip_bad") as error:
        run(capsys, *argv(tmp_path))
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()
    result, _, err = run(capsys, *argv(tmp_path, "out/room.tfrecord", "--skip_bad"))
    assert len(result["skipped"]) == 1 and err.count("skipped: ") == 1
    assert list(read(tmp_path / "out/room.tfrecord")) == ["a", "c"]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (Image.fromarray(striped([1, 5, 200])), "b.png: holds the ids 5, 200, which the label"),
        (Image.new("RGB", SIZE[::-1], (255, 0, 0)), "b.png: holds colours, not class ids"),
        (Image.new("RGB", SIZE[::-1], (9, 8, 7)), "b.png: holds colours, .* --layout folders"),
    ],
)
def test_a_mask_of_something_else_is_an_error_always(tmp_path, capsys, mask, message):
    scene_set(tmp_path, {"a": [1], "b": [1]})
    mask.save(tmp_path / "annotations/b.png")
    with pytest.raises(InputError, match=message):
        run(capsys, *argv(tmp_path, "out/room.tfrecord", "--skip_bad"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("ids", "more"), [([0], ""), ([0, 255], "; objects of black and white")])
def test_masks_without_any_class_are_an_error(tmp_path, capsys, ids, more):
    scene_set(tmp_path, {"a": ids, "b": ids})
    with pytest.raises(InputError, match=f"annotations: no mask shows a class{more}"):
        run(capsys, *argv(tmp_path))
    with pytest.raises(InputError, match="shows a class of --whitelist$"):
        run(capsys, *argv(tmp_path, "out/room.tfrecord", "-w", "bed", "-t", 0))
    assert not (tmp_path / "out").exists()


def test_a_mask_of_another_size_is_refused_though_it_shows_too_few_classes(tmp_path, capsys):
    scene_set(tmp_path, {"a": [1, 2], "b": [1, 2]})
    Image.fromarray(striped([1])[:5]).save(tmp_path / "annotations/b.png")
    more = ("-w", "wall|floor, flooring", "-t", 1)
    with pytest.raises(InputError, match="b.png is .* do not belong together"):
        run(capsys, *argv(tmp_path, "out/room.tfrecord", *more))
    result, _, err = run(capsys, *argv(tmp_path, "out/room.tfrecord", *more, "--skip_bad"))
    assert result["pictures"] == 1 and len(result["skipped"]) == 1 and "skipped: " in err


def test_a_mask_of_another_size_may_be_skipped_whatever_it_holds(tmp_path, capsys):
    scene_set(tmp_path, {"a": [1, 2], "b": [1, 2]})
    Image.fromarray(np.full_like(striped([1])[:5], 99)).save(tmp_path / "annotations/b.png")
    result, _, _ = run(capsys, *argv(tmp_path, "out/room.tfrecord", "--skip_bad"))
    assert result["pictures"] == 1 and "b.png is" in result["skipped"][0]
