"""A colour for each class: known ones, PASCAL VOC's for the others, all different."""

from class_names import NAMES
from segmentation.data import palette


def test_colors_of_the_known_classes():
    assert palette.colors(NAMES)[:3] == [[0, 0, 0], [255, 0, 0], [0, 255, 0]]
    # PASCAL VOC: 3 is (128, 128, 0); 20, tv monitor, is (0, 64, 128)
    assert palette.colors(NAMES)[3] == [128, 128, 0]
    assert palette.colors(["none", *"abcdefghijklmnopqrst"])[20] == [0, 64, 128]


def test_black_is_for_the_background_alone():
    assert palette.colors(["road", "sidewalk"]) == [[0, 128, 0], [128, 0, 0]]


def test_all_colors_differ():
    names = ["background", "hair", "face", *(f"class_{index}" for index in range(3, 255))]
    assert len({tuple(color) for color in palette.colors(names)}) == 255


def test_ade20ks_classes_have_the_colors_of_its_palette():
    assert len(palette.ade20k()) == 150
    names = ["none", "pillow", "my own", "wall", "floor, flooring ", "sky", "hair", "flag"]
    assert palette.colors(names) == [
        *([0, 0, 0], [0, 235, 255], [0, 128, 0], [120, 120, 120], [80, 50, 50], [6, 230, 230]),
        *([255, 0, 0], [92, 0, 255]),
    ]
    # The published palette gives one colour twice.
    road, skyscraper = palette.colors(["none", "road, route", "skyscraper"])[1:]
    assert road == [140, 140, 140] != skyscraper


def test_a_color_near_one_of_the_palette_is_replaced():
    # The seventh of VOC is (128, 128, 128), and a wall (120, 120, 120).
    names = ["none", "wall", *"abcdefg"]
    wall, *others = palette.colors(names)[1:]
    assert others[4] == [0, 128, 128]  # the sixth of VOC, as ever
    assert others[5] == [128, 0, 0]  # the first, which no other class has
    assert len({tuple(color) for color in palette.colors(names)}) == len(names)


def test_all_colors_of_a_full_list_with_ade20k_differ():
    names = ["none", *palette.ade20k(), *map(str, range(104))]
    assert len({tuple(color) for color in palette.colors(names)}) == 255
