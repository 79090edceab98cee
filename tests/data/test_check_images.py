"""The check images of a run: which they are, their files, and whose they are."""

import numpy as np
import pytest

from segmentation.data import arrays, check_images, statistics
from segmentation.data.classes import Classes
from segmentation.data.dataset import Subset
from segmentation.errors import InputError

NAMES = ["background", "hair", "face"]
HAIR = Classes.of_data(NAMES, ["hair"])
PARTS = Classes.of_data(NAMES, ["hair", "face"])
SIZE = (32, 64)


def samples(count, shown=()):
    """Return samples whose level is their row; `shown` has `(row, class id, pixels)`."""
    rows = np.arange(count, dtype=np.uint8)[:, None, None, None]
    masks = np.zeros((count, *SIZE), np.uint8)
    for row, class_id, pixels in shown:
        masks[row].ravel()[:pixels] = class_id
    stems = [str(row) for row in range(count)]
    return arrays.Arrays(np.tile(rows, (1, *SIZE, 3)), masks, stems, stems, NAMES)


def choose(data, classes=HAIR):
    return check_images.choose(data, statistics.count_ids(data, SIZE), classes)


def test_both_parts_show_what_few_samples_show():
    data = samples(200, [(3, 1, 9), (50, 1, 99), (61, 2, 5), (62, 2, 7)])
    chosen = choose(data, PARTS)
    check, calibration = chosen.check, chosen.calibration
    assert (len(check), len(calibration)) == (8, 24)
    assert not set(check.rows) & set(calibration.rows)
    assert {50, 62} <= set(check.rows) and {3, 61} <= set(calibration.rows)  # the larger first
    assert list(check.rows) == sorted(check.rows)
    # The rest is spread over all.
    assert max(np.diff(calibration.rows)) < 20 and max(calibration.rows) > 190


def test_many_classes_leave_half_of_the_images_to_chance():
    names = ["background", *(f"class {number}" for number in range(1, 21))]
    classes = Classes.of_data(names, names[1:])
    data = samples(100, [(row, row, 10) for row in range(1, 21)])
    check = choose(data, classes).check
    assert len(check) == 8 and sum(row > 20 for row in check.rows) == 3


@pytest.mark.parametrize(("count", "sizes"), [(1, (1, 1)), (2, (1, 1)), (5, (3, 2)), (16, (8, 8))])
def test_few_samples_are_shared_out(count, sizes):
    chosen = choose(samples(count, [(0, 1, 9)]))
    assert (len(chosen.check), len(chosen.calibration)) == sizes
    assert len({*chosen.check.rows, *chosen.calibration.rows}) == min(count, sum(sizes))
    assert 0 in chosen.check.rows and 0 in chosen.shown.rows
    assert set(chosen.shown.rows) <= set(chosen.check.rows)
    assert len(chosen.shown) == min(5, len(chosen.check))


def keep(path, check=(0, 1), calibration=(2, 3, 4), img_size=SIZE, count=5):
    parts = (Subset(samples(count), rows) for rows in (check, calibration, check))
    return check_images.write(path, check_images.Chosen(*parts), img_size)


def test_they_come_back_in_order_at_the_size_that_is_asked_for(tmp_path):
    path = tmp_path / "hair.keras"
    card = {"check_images": keep(path)}
    assert {file.name for file in (tmp_path / "hair.check").iterdir()} == {
        *("check_00.jpg", "check_01.jpg"),
        *("calibration_00.jpg", "calibration_01.jpg", "calibration_02.jpg"),
    }
    check, calibration = check_images.read(path, card, (64, 32))
    assert check.shape == (2, 64, 32, 3) and check.dtype == np.uint8
    assert check[:, 5, 5, 0].tolist() == [0, 1] and calibration[:, 9, 9, 2].tolist() == [2, 3, 4]


def test_large_images_are_kept_smaller(tmp_path):
    path = tmp_path / "hair.keras"
    card = {"check_images": keep(path, img_size=(384, 768))}
    assert check_images.image_io.read(tmp_path / "hair.check/check_00.jpg").shape == (128, 256, 3)
    assert check_images.read(path, card, (384, 768))[0].shape == (2, 384, 768, 3)


def test_the_same_images_have_the_same_fingerprint_and_others_another(tmp_path):
    path = tmp_path / "hair.keras"
    first = keep(path)
    assert keep(path) == first and keep(path, check=(0, 2)) != first
    assert not (tmp_path / "hair.check/check_02.jpg").exists()


def damage(folder):
    (folder / "check_00.jpg").write_bytes(b"")


def remove_one(folder):
    (folder / "calibration_01.jpg").unlink()


def replace_by_those_of_another_run(folder):
    keep(folder.with_suffix(".keras"), check=(3, 4), calibration=(0,))


@pytest.mark.parametrize("change", [damage, remove_one, replace_by_those_of_another_run])
def test_images_that_are_not_those_of_the_card_are_left_out_with_a_line(tmp_path, change, capsys):
    path = tmp_path / "hair.keras"
    card = {"check_images": keep(path)}
    change(tmp_path / "hair.check")
    assert check_images.read(path, card, SIZE) is None
    line = f"{tmp_path}/hair.check: left out: not the images of the run that the model card is of\n"
    assert capsys.readouterr().err == line


def test_a_model_without_them_or_without_a_card_has_none(tmp_path, capsys):
    assert check_images.read(tmp_path / "hair.keras", {"check_images": "1"}, SIZE) is None
    assert not capsys.readouterr().err  # they may have stayed where the model was trained
    keep(tmp_path / "hair.keras")
    for card in (None, {}):
        assert check_images.read(tmp_path / "hair.keras", card, SIZE) is None


def test_files_of_others_are_not_replaced(tmp_path):
    path = tmp_path / "hair.keras"
    keep(path)
    (tmp_path / "hair.check/.DS_Store").touch()
    check_images.require_overwritable(path)
    (tmp_path / "hair.check/mine.jpg").touch()
    with pytest.raises(InputError, match="hair.check: holds more than the check images of a run"):
        check_images.require_overwritable(path)
    (tmp_path / "other.check").touch()
    with pytest.raises(InputError, match="other.check: holds more"):
        check_images.require_overwritable(tmp_path / "other.keras")
