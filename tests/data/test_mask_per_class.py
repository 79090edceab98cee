"""A mask for each class: overlaps, instances, names, and hidden files."""

import numpy as np

import layout_sets
from layout_sets import STEMS, image, masks_of, refused, save, truth
from segmentation.data import readers
from segmentation.data.readers import folders, mask_per_class
from segmentation.data.samples import SourceFiles


def test_masks_of_classes_may_overlap_where_their_order_is_known(tmp_path):
    for stem in STEMS[:2]:
        save(tmp_path / f"images/{stem}.jpg", image(stem))
        for name, area in (("cat", truth(stem) > 0), ("dog", truth(stem) == 2)):
            save(tmp_path / f"masks/{name}/{stem}.png", area.astype(np.uint8))
    assert readers.detect([tmp_path]) == "mask_per_class"
    refused(
        "dog/f0.png: overlaps cat in 240 pixels", masks_of, mask_per_class.open_reader([tmp_path])
    )
    names = tmp_path / "names.txt"
    names.write_text("idx\tlabel\n0\tnone\n1\tcat\n2\tdog\n")
    found = masks_of(mask_per_class.open_reader([tmp_path], names))
    np.testing.assert_array_equal(found, [truth(stem) for stem in STEMS[:2]])
    names.write_text("idx\tlabel\n0\tnone\n1\tdog\n2\tcat\n")
    found = masks_of(mask_per_class.open_reader([tmp_path], names))
    np.testing.assert_array_equal(found[0], np.uint8([0, 2, 2])[truth("f0")])


def test_blended_masks_of_classes_are_divided_and_told_once(tmp_path, capsys):
    save(tmp_path / "images/a.jpg", image("f0"))
    for name, index in (("cat", 1), ("dog", 2)):
        area = np.where(truth("f0") == index, 250, 3).astype(np.uint8)
        area[0, :5] = 100
        save(tmp_path / f"masks/a_{name}.png", area)
    assert readers.detect([tmp_path]) == "mask_per_class"
    np.testing.assert_array_equal(masks_of(mask_per_class.open_reader([tmp_path]))[0], truth("f0"))
    assert capsys.readouterr().err.count("masks have blended edges") == 1


def test_masks_of_classes_may_be_drawn_on_a_transparent_ground(tmp_path, capsys):
    save(tmp_path / "images/a.jpg", image("f0"))
    for name, index in (("cat", 1), ("dog", 2)):
        drawn = np.full((*truth("f0").shape, 4), 200, np.uint8)
        drawn[..., 3] = 255 * (truth("f0") == index)
        save(tmp_path / f"masks/a_{name}.png", drawn)
    assert readers.detect([tmp_path]) == "mask_per_class"
    np.testing.assert_array_equal(masks_of(mask_per_class.open_reader([tmp_path]))[0], truth("f0"))
    assert capsys.readouterr().err.count("masks have transparent pixels") == 1


def test_celebamask_hq_as_it_is_downloaded(tmp_path):
    for number, stem in enumerate(STEMS):
        large = image(stem).repeat(2, axis=0).repeat(2, axis=1)
        save(tmp_path / f"CelebA-HQ-img/{number}.jpg", large)
        for name, area in (("skin", truth(stem) > 0), ("hair", truth(stem) == 2)):
            path = tmp_path / f"CelebAMask-HQ-mask-anno/0/{number:05d}_{name}.png"
            save(path, np.repeat(area[..., None], 3, axis=2).astype(np.uint8) * 255)
    assert readers.detect([tmp_path]) == "mask_per_class"
    reader = mask_per_class.open_reader([tmp_path])
    assert reader.label_map.labels == ["background", "skin", "hair"]
    _, mask = SourceFiles(reader).read(1)
    np.testing.assert_array_equal(mask, truth("f1").repeat(2, axis=0).repeat(2, axis=1))


def test_instances_are_no_classes(tmp_path):
    layout_sets.write_images(tmp_path / "images")
    for name in ("mask", "mask_1"):
        layout_sets.write_masks(tmp_path / "masks", [0, 255, 0], f"{{}}_{name}.png")
    assert readers.detect([tmp_path]) == "folders"
    refused("with _mask, _mask_1: say which", folders.open_reader, [tmp_path])


def classes(folder, *names):
    """Write an image, and a mask for each class, which show columns one beside the other."""
    save(folder / "images/a.png", image("f0"))
    for number, name in enumerate(names):
        area = np.zeros(truth("f0").shape, np.uint8)
        area[:, 10 * number : 10 * number + 10] = 255
        save(folder / f"masks/a_{name}.png", area)


def test_hidden_folders_do_not_hide_the_layout(tmp_path):
    classes(tmp_path, "cat", "dog")
    save(tmp_path / "masks/.ipynb_checkpoints/a_cat-checkpoint.png", truth("f0"))
    assert readers.detect([tmp_path]) == "mask_per_class"
    assert len(mask_per_class.open_reader([tmp_path]).samples) == 1


def test_names_of_classes_have_blanks_and_hyphens(tmp_path):
    classes(tmp_path, "traffic light", "t-shirt")
    assert readers.detect([tmp_path]) == "mask_per_class"
    reader = mask_per_class.open_reader([tmp_path])
    assert reader.label_map.labels == ["background", "t-shirt", "traffic light"]
    assert masks_of(reader)[0][0, [0, 10, 20]].tolist() == [2, 1, 0]


def test_numbered_masks_are_instances_unless_labels_name_them(tmp_path):
    classes(tmp_path, "cat_1", "cat_2", "dog")
    refused(
        "a_cat_2.png: cat_1 and cat_2 may be instances of one class: join their masks, or name",
        mask_per_class.open_reader,
        [tmp_path],
    )
    (tmp_path / "labels.txt").write_text("idx\tlabel\n0\tnone\n1\tdog\n2\tcat_2\n3\tcat_1\n")
    (mask,) = masks_of(mask_per_class.open_reader([tmp_path]))  # the file that lies beside
    assert mask[0, [0, 10, 20]].tolist() == [3, 2, 1]
