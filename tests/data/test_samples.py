"""Samples of a reader as a data set, and what `evaluate.py --data_dir` makes of each layout."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import evaluate
from folder_sets import folder_set
from scene_sets import NOISE, divided_set, run, scene_set, striped
from segmentation import model_card
from segmentation.data import image_io
from segmentation.data.dataset import Subset
from segmentation.data.readers import ade20k, cityscapes, folders, roboflow
from segmentation.data.samples import SourceFiles
from segmentation.errors import InputError

THIRDS = np.repeat(np.arange(40)[None] * 3 // 40, 40, axis=0)  # of `folder_set`


def test_folders_are_read_at_their_size(tmp_path):
    folder_set(tmp_path, ["b", "Ann_Lee_0001"])
    found = SourceFiles(folders.open_reader([tmp_path]))
    assert (len(found), found.stems) == (2, ["Ann_Lee_0001", "b"])
    assert found.groups == ["Ann_Lee", ""] and found.labels == ["background", "hair", "face"]
    image, mask = found.read(1)
    np.testing.assert_array_equal(image, image_io.read(tmp_path / "images/b.png"))
    np.testing.assert_array_equal(mask, THIRDS)
    np.testing.assert_array_equal(found.read_mask(1), THIRDS)
    np.testing.assert_array_equal(Subset(found, [1]).read(0)[0], image)


def test_ade20ks_layout_is_read_with_the_ids_of_its_classes(tmp_path):
    scene_set(tmp_path, {"a": [0, 1, 7, 255], "b": [5]})
    found = SourceFiles(ade20k.open_reader([tmp_path]))
    assert found.labels == ["none", "wall", "floor, flooring", "bed", "car", "truck"]
    np.testing.assert_array_equal(found.read(0)[1], striped([0, 1, 5, 255]))
    with pytest.raises(InputError, match="b.png: holds the ids 5, which the label file") as error:
        found.read(1)
    assert not isinstance(error.value, image_io.UnreadableError)


def paletted(path, ids, colors):
    """Write a palette image of stripes, whose indices are `ids`, with a grey or colour for each."""
    image = Image.fromarray(striped(ids)).convert("L")
    image.putpalette(np.uint8([np.broadcast_to(color, 3) for color in colors]).tobytes())
    image.save(path)


def of_ids(folder, layout):
    """Write a set of two in a layout, and return the folder of its masks and what opens it."""
    if layout == "ade20k":
        scene_set(folder, {"a": [1, 2], "b": [1, 2]})
        return folder / "annotations/{}.png", lambda: ade20k.open_reader([folder])
    if layout == "roboflow":
        for stem in "ab":
            Image.fromarray(NOISE).save(folder / f"{stem}.jpg")
            Image.fromarray(striped([1, 2])).save(folder / f"{stem}_mask.png")
        (folder / "_classes.csv").write_text("Pixel Value, Class\n0, none\n1, road\n2, car\n")
        return folder / "{}_mask.png", lambda: roboflow.open_reader([folder])
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    for stem in "ab":
        Image.fromarray(NOISE).save(folder / f"images/{stem}_0_0_leftImg8bit.png")
        Image.fromarray(striped([1, 2])).save(folder / f"masks/{stem}_0_0_gtFine_labelIds.png")
    return folder / "masks/{}_0_0_gtFine_labelIds.png", lambda: cityscapes.open_reader([folder])


@pytest.mark.parametrize("layout", ["ade20k", "roboflow", "cityscapes"])
def test_numbers_that_image_software_gave_to_colours_are_no_ids(tmp_path, layout):
    name, open_reader = of_ids(tmp_path, layout)
    first, second = (name.with_name(name.name.format(stem)) for stem in "ab")

    def refused(message):
        found = SourceFiles(open_reader())
        with pytest.raises(InputError, match=message):
            [found.read_mask(index) for index in range(2)]

    paletted(second, [0, 1, 2, 2], [2, 1, 0])  # as lossless optimizers store greys
    refused("b.*png: its palette shows 0, 1, 2 as the greys 0, 1, 2, and either may be the")
    paletted(first, [0, 1], [(0, 0, 0), (9, 9, 90)])
    paletted(second, [0, 1], [(9, 9, 90), (0, 0, 0)])
    refused(r"b.*png: its palette shows 0 as \(9, 9, 90\), that of .*a.*png as \(0, 0, 0\)")
    paletted(second, [0, 1, 2], [(0, 0, 0), (9, 9, 90), (90, 9, 9)])
    assert len(SourceFiles(open_reader())) == 2 and SourceFiles(open_reader()).read_mask(1).any()
    Image.fromarray(striped([0, 1, 2])).save(second, format="JPEG")
    refused("b.*png: the values .* fit no mask format that such files can hold")


@pytest.mark.parametrize("layout", [folders, ade20k])
def test_damage_differs_from_a_mistake(tmp_path, layout):
    names = ("masks", ".ppm") if layout is folders else ("annotations", ".png")
    masks = tmp_path / names[0]
    if layout is folders:
        folder_set(tmp_path, ["a", "b", "c"])
    else:
        scene_set(tmp_path, {"a": [1], "b": [1], "c": [1]})
    (masks / f"b{names[1]}").write_bytes(b"damaged")
    colors = Image.open(masks / f"c{names[1]}")
    colors.resize((8, 8), Image.Resampling.NEAREST).save(masks / f"c{names[1]}")
    found = SourceFiles(layout.open_reader([tmp_path]))
    found.read(0)
    with pytest.raises(image_io.UnreadableError, match=f"b{names[1]}: not an image"):
        found.read(1)
    with pytest.raises(image_io.UnreadableError, match=f"c{names[1]} is 8x8 pixels"):
        found.read(2)


def test_without_a_readable_mask_the_format_is_unknown(tmp_path):
    folder_set(tmp_path, ["a"])
    (tmp_path / "masks/a.ppm").write_bytes(b"damaged")
    with pytest.raises(InputError, match="none of the 1 masks can be read; the last: .*a.ppm"):
        SourceFiles(folders.open_reader([tmp_path]))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of three classes that looks at single pixels."""
    path = tmp_path_factory.mktemp("model") / "rooms.keras"
    keras.utils.set_random_seed(0)
    image = keras.Input((32, 64, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = keras.layers.Conv2D(3, 1, kernel_initializer="random_normal")(x)
    keras.Model(image, keras.layers.Softmax(name="mask")(x)).save(path)
    names = ["none", "bed", "wall"]
    colors = [[0, 0, 0], [9, 9, 9], [99, 99, 99]]
    model_card.write(path, {"img_size": [32, 64], "classes": names, "colors": colors})
    return path


def measured(capsys, model, *options):
    evaluate.main([str(model), *map(str, options)])
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_evaluate_reads_ade20ks_layout_as_it_reads_its_tfrecords(tmp_path, model, capsys):
    masks = {"a": [0, 1, 3], "b": [3, 7, 255], "c": [1]}
    divided_set(tmp_path / "set", {"x": [1]}, masks)
    validation = tmp_path / "set/images/validation"
    out = tmp_path / "out/rooms.tfrecord"
    run(capsys, "prepare", "-d", validation, "-o", out)
    direct = measured(capsys, model, "--data_dir", validation)
    assert direct == measured(capsys, model, "-d", out)
    assert direct["pictures"] == 3 and set(direct["iou"]) == {"none", "bed", "wall"}
    assert sum(map(sum, direct["confusion"])) == 24 * 40 * 3 - (striped([3, 7, 255]) == 255).sum()
    with pytest.raises(InputError, match="set holds 2 divisions"):
        measured(capsys, model, "--data_dir", tmp_path / "set")
    with pytest.raises(InputError, match="--mask_format does not go with the layout ade20k"):
        measured(capsys, model, "--data_dir", validation, "--mask_format", "index")


def test_evaluate_takes_labels_where_the_folder_holds_none(tmp_path, model, capsys):
    scene_set(tmp_path, {"a": [1, 3]})
    whole = measured(capsys, model, "--data_dir", tmp_path)
    (tmp_path / "objectInfo.txt").rename(tmp_path / "classes.txt")
    with pytest.raises(InputError, match="name the file of the classes with --labels"):
        measured(capsys, model, "--data_dir", tmp_path)
    labels = ("--labels", tmp_path / "classes.txt")
    assert measured(capsys, model, "--data_dir", tmp_path, *labels) == whole
