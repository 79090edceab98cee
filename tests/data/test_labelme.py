"""labelme: shapes, names, sizes, and which image a file belongs to."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from layout_sets import image, masks_of, refused, save, truth
from segmentation.cli import data_options
from segmentation.data import readers
from segmentation.data.readers import labelme
from segmentation.data.samples import SourceFiles


def labelme_set(folder, shapes, **more):
    save(folder / "a.png", image("f0"))
    found = {"shapes": shapes, "imagePath": "a.png", "imageHeight": 32, "imageWidth": 64} | more
    (folder / "a.json").write_text(json.dumps(found))
    return folder


def shape(label, points, kind="polygon", **more):
    return {"label": label, "points": points, "shape_type": kind} | more


def test_labelme_draws_later_shapes_over_earlier_ones(tmp_path):
    stored = io.BytesIO()
    Image.fromarray(np.uint8([[0, 255], [255, 255]])).save(stored, "PNG")
    png = base64.b64encode(stored.getvalue()).decode()
    shapes = [
        shape("b", [[0, 0], [9, 0], [9, 9], [0, 9]]),
        shape("a", [[7, 7], [2, 2]], "rectangle"),
        shape("__ignore__", [[20, 10], [20, 13]], "circle"),
        shape("_background_", [[0, 0], [1, 1]], "rectangle"),
        shape("a", [[40, 5], [41, 6]], "mask", mask=png),
    ]
    reader = labelme.open_reader([labelme_set(tmp_path, shapes)])
    (mask,) = masks_of(reader)
    assert reader.label_map.labels == ["background", "a", "b"]
    assert mask[5, [0, 2, 7, 8, 9]].tolist() == [2, 1, 1, 2, 2] and mask[0, 0] == mask[30, 60] == 0
    assert mask[10, 20] == mask[13, 20] == 255 and mask[14, 20] == 0
    assert mask[5:7, 40:42].tolist() == [[0, 1], [1, 1]]


def test_labelmes_shapes_without_area_names_and_sizes_are_checked(tmp_path):
    line = [shape("a", [[0, 0], [9, 9]], "line")]
    refused(
        "'line' of 2 points covers no area",
        masks_of,
        labelme.open_reader([labelme_set(tmp_path, line)]),
    )
    square = [shape("a", [[0, 0], [9, 0], [9, 9]])]
    other = labelme.open_reader([labelme_set(tmp_path, square, imageHeight=64)])
    refused("was drawn on 64x64 pixels, and .*a.png has 64x32", masks_of, other)
    names = tmp_path / "names.txt"
    names.write_text("idx\tlabel\n0\tnone\n1\tb\n2\ta\n")
    labelme_set(tmp_path, square)
    assert masks_of(labelme.open_reader([tmp_path], names))[0][1, 5] == 2
    names.write_text("idx\tlabel\n0\ta\n1\tb\n")
    refused("class 0 must be called 'background'", labelme.open_reader, [tmp_path], names)
    names.write_text("idx\tlabel\n0\tnone\n1\tb\n")
    refused(
        "has a shape 'a', which .*names.txt does not name", labelme.open_reader, [tmp_path], names
    )


SQUARE = [[0, 0], [9, 0], [9, 9], [0, 9]]


def written(path, label="cat", named="a.png", size=(32, 64)):
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {"shapes": [shape(label, SQUARE)], "imagePath": named}
    path.write_text(json.dumps(found | {"imageHeight": size[0], "imageWidth": size[1]}))


@pytest.mark.parametrize("place", ["images", "json"])
def test_masks_beside_outlines_are_asked_about(tmp_path, place):
    save(tmp_path / "images/a.png", image("f0"))
    written(tmp_path / place / "a.json")
    assert readers.detect([tmp_path]) == "labelme"
    save(tmp_path / "masks/a.png", truth("f0"))
    refused(r"\(folders\); .*\(labelme\): say which with --layout", readers.detect, [tmp_path])


def test_an_image_that_was_given_another_number_is_asked_about(tmp_path):
    for stem in "ab":
        save(tmp_path / f"{stem}.png", image("f0"))
    written(tmp_path / "a.json", named="b.png")
    refused("a.json: its imagePath is b.png, and a.png is", labelme.open_reader, [tmp_path])
    (tmp_path / "a.png").rename(tmp_path / "c.png")
    assert labelme.open_reader([tmp_path]).samples[0].image.name == "b.png"


def test_the_labels_beside_the_files_name_the_classes(tmp_path):
    for stem, label in (("a", "zebra"), ("b", "ape")):
        save(tmp_path / f"images/{stem}.png", image("f0"))
        written(tmp_path / f"json/{stem}.json", label, f"{stem}.png")
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\nzebra\nape\n")  # labelme's own
    assert labelme.open_reader([tmp_path]).label_map.labels == ["background", "ape", "zebra"]
    (tmp_path / "labels.txt").write_text("idx\tlabel\n0\tnone\n1\tzebra\n2\tape\n")
    reader = labelme.open_reader([tmp_path])
    assert reader.label_map.labels == ["none", "zebra", "ape"]
    assert [mask[5, 5] for mask in masks_of(reader)] == [1, 2]


def test_outlines_on_stored_pixels_ask_for_an_option_and_get_it(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    Image.fromarray(image("f0")).save(tmp_path / "a.jpg", exif=exif)
    written(tmp_path / "a.json", named="a.jpg")
    found = SourceFiles(data_options.open_reader("auto", [tmp_path]))
    refused("a.jpg, whose EXIF .* turns it: .* say --exif ignore", found.read, 0)
    picture, mask = SourceFiles(data_options.open_reader("auto", [tmp_path], "ignore")).read(0)
    assert picture.shape[:2] == mask.shape == (32, 64) and (mask > 0).sum() == 100
    written(tmp_path / "a.json", named="a.jpg", size=(64, 32))
    assert SourceFiles(data_options.open_reader("auto", [tmp_path])).read(0)[1].shape == (64, 32)
    found = SourceFiles(data_options.open_reader("auto", [tmp_path], "ignore"))
    refused("is ignored: leave out --exif ignore", found.read, 0)


def test_hidden_files_of_macos_do_not_hide_the_layout(tmp_path):
    save(tmp_path / "a.png", image("f0"))
    written(tmp_path / "a.json")
    (tmp_path / "._a.json").write_bytes(b"\0\5\26\7")
    assert readers.detect([tmp_path]) == "labelme"
    assert len(labelme.open_reader([tmp_path]).samples) == 1
