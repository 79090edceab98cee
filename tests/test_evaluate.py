"""Measuring: figures worked out by hand, and the command on prepared arrays and on folders."""

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import evaluate
from segmentation import datasets, evaluation, labels, model_card, predictor
from segmentation.errors import InputError
from tiny_models import IMG_SIZE, save, tiny_model

NAMES = ["background", "hair", "face"]


def silent(items, total, description):
    return items


def fake_predictor(tmp_path, probabilities, classes):
    """Return a predictor that gives `probabilities`, whatever it sees."""
    path = tmp_path / "fake.keras"
    h, w = probabilities.shape[1:3]
    card = {"img_size": [h, w], "classes": classes, "colors": labels.colors(classes)}
    model_card.write(path, card)
    remaining = list(probabilities)
    return predictor.Predictor(
        path, lambda images: np.stack([remaining.pop(0) for _ in images]), (h, w), len(classes)
    )


def pairs_of(ids):
    arrays = datasets.Arrays(
        images=np.zeros((*ids.shape, 3), np.uint8),
        masks=ids,
        stems=[f"p{index}" for index in range(len(ids))],
        groups=[""] * len(ids),
        labels=NAMES,
    )
    return evaluation.from_arrays(arrays)


def test_one_class_counts_the_background_and_leaves_out_what_is_no_class(tmp_path):
    ids = np.array([[[1, 1, 0, 2]], [[0, 0, 0, 255]]], np.uint8)
    p = np.array([[[0.9, 0.4, 0.8, 0.1]], [[0.2, 0.3, 0.4, 0.9]]], np.float32)[..., None]
    predict, pairs = fake_predictor(tmp_path, p, ["hair"]), pairs_of(ids)
    names, table = evaluation.target_of(predict, pairs)
    matrices, crossentropy, _ = evaluation.measure(predict, pairs, table, silent)
    assert names == ["background", "hair"]
    assert matrices.tolist() == [[[1, 1], [1, 1]], [[3, 0], [0, 0]]]
    of_truth = [0.9, 0.4, 0.2, 0.9, 0.8, 0.7, 0.6]
    assert crossentropy == pytest.approx(-sum(map(math.log, of_truth)) / 7, rel=1e-5)
    found = evaluation.summarize(matrices, names)
    assert found["iou"] == pytest.approx({"background": 4 / 6, "hair": 1 / 3}, abs=1e-5)
    assert found["mean_iou"] == pytest.approx((4 / 6 + 1 / 3) / 2, abs=1e-5)
    assert found["dice"]["hair"] == found["precision"]["hair"] == found["recall"]["hair"] == 0.5
    assert found["pixel_accuracy"] == pytest.approx(5 / 7, abs=1e-5)
    # The second picture shows no hair: it counts for the background alone.
    per_picture = {"background": (1 / 3 + 1) / 2, "hair": 1 / 3}
    assert found["picture_iou"] == pytest.approx(per_picture, abs=1e-5)


def test_several_classes_are_matched_by_name_and_one_that_nobody_shows_is_none(tmp_path):
    ids = np.array([[[2, 2, 0, 1]]], np.uint8)  # 1 is hair, which this model does not know
    classes = ["background", "face", "hat"]
    p = np.eye(3, dtype=np.float32)[[[[1, 0, 0, 0]]]] * 0.8 + 0.1
    predict = fake_predictor(tmp_path, p, classes)
    pairs = pairs_of(ids)
    pairs = evaluation.Pairs(pairs.titles, [*NAMES, "hat"], pairs.read)
    names, table = evaluation.target_of(predict, pairs)
    assert names == classes and table[[0, 1, 2, 3, 255]].tolist() == [0, 0, 1, 2, 255]
    matrices, crossentropy, _ = evaluation.measure(predict, pairs, table, silent)
    assert matrices[0].tolist() == [[2, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert crossentropy == pytest.approx(-(3 * math.log(0.9) + math.log(0.1)) / 4, rel=1e-5)
    found = evaluation.summarize(matrices, names)
    assert found["iou"]["hat"] is None and found["picture_iou"]["hat"] is None
    assert found["mean_iou"] == pytest.approx((2 / 3 + 1 / 2) / 2, abs=1e-5)


def test_a_class_that_the_data_lacks_is_named(tmp_path):
    predict = fake_predictor(tmp_path, np.zeros((1, 1, 4, 1), np.float32), ["hare"])
    with pytest.raises(InputError, match="fake.keras does not fit.*hare.*did you mean 'hair'"):
        evaluation.target_of(predict, pairs_of(np.zeros((1, 1, 4), np.uint8)))


def test_the_ignored_class_of_the_training_counts_nowhere(tmp_path):
    predict = fake_predictor(tmp_path, np.zeros((1, 1, 4, 1), np.float32), ["hair"])
    predict.card["ignored_class"] = "face"
    _, table = evaluation.target_of(predict, pairs_of(np.zeros((1, 1, 4), np.uint8)))
    assert table[[0, 1, 2]].tolist() == [0, 1, 255]


def test_a_model_that_ignores_the_background_has_no_channel_for_it(tmp_path):
    ids = np.array([[[1, 2, 1, 0]]], np.uint8)
    p = np.array([[[[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.5, 0.5]]]], np.float32)
    predict, pairs = fake_predictor(tmp_path, p, ["face", "hair"]), pairs_of(ids)
    predict.card["ignored_class"] = "none"  # as other data may call it
    names, table = evaluation.target_of(predict, pairs)
    assert names == ["face", "hair"]
    matrices, crossentropy, _ = evaluation.measure(predict, pairs, table, silent)
    assert matrices.tolist() == [[[1, 0], [1, 1]]]  # hair taken for face, face found, hair found
    assert crossentropy == pytest.approx(-sum(map(math.log, [0.1, 0.8, 0.7])) / 3, rel=1e-5)
    assert evaluation.extremes(matrices, names) == [("best", 0, 0.5)]


def test_probabilities_are_enlarged_to_the_mask_before_they_are_decided(tmp_path):
    # Enlarged twice, 0.1 and 0.7 become 0.1, 0.25, 0.55, 0.7: the decided mask begins at the third.
    p = np.array([[[0.1, 0.7]]], np.float32)[..., None]
    pairs = pairs_of(np.array([[[0, 0, 1, 1], [0, 0, 1, 1]]], np.uint8))
    predict = fake_predictor(tmp_path, p, ["hair"])
    matrices, _, _ = evaluation.measure(
        predict, pairs, evaluation.target_of(predict, pairs)[1], silent
    )
    assert matrices[0].tolist() == [[4, 0], [0, 4]]


def test_extremes_are_those_whose_mask_shows_a_class():
    ious = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    matrices = [[[0, 10 - round(10 * iou)], [0, round(10 * iou)]] for iou in ious]
    matrices = np.array([*matrices, [[10, 0], [0, 0]]])  # the last shows nothing
    found = evaluation.extremes(matrices, NAMES[:2])
    assert [kind for kind, _, _ in found] == ["best"] * 3 + ["middle"] * 3 + ["worst"] * 3
    assert [index for _, index, _ in found] == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert found[0][2] == pytest.approx(0.9)


def test_of_few_pictures_none_is_shown_twice():
    matrices = np.array([[[0, 1], [0, 3]], [[0, 2], [0, 2]]])
    assert [index for _, index, _ in evaluation.extremes(matrices, NAMES[:2])] == [0, 1]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Write six pictures as arrays and as a folder, and a model that held out two of them."""
    folder = tmp_path_factory.mktemp("prepared")
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (6, *IMG_SIZE, 3)).astype(np.uint8)
    ids = generator.integers(0, 3, (6, *IMG_SIZE)).astype(np.uint8)
    np.save(folder / "images-32x64.npy", images)
    np.save(folder / "masks-32x64.npy", ids)
    labels.write(folder / "labels.txt", NAMES)
    colors = np.array([[0, 0, 255], [255, 0, 0], [0, 255, 0]], np.uint8)
    for name in ("images", "masks"):
        (folder / "raw" / name).mkdir(parents=True)
    for index, (image, mask) in enumerate(zip(images, ids, strict=True)):
        Image.fromarray(image).save(folder / "raw" / "images" / f"{index}.png")
        Image.fromarray(colors[mask]).save(folder / "raw" / "masks" / f"{index}.ppm")
    path = save(tiny_model(1), folder / "hair.keras")
    arrays = datasets.open_arrays(folder / "images-32x64.npy")
    data = {"fingerprint": datasets.fingerprint(arrays)}
    model_card.write(path, model_card.read(path) | {"data": data, "validation_rows": [1, 4]})
    return folder


def result_of(capsys, *arguments):
    evaluate.main([str(argument) for argument in arguments])
    lines = capsys.readouterr().out.splitlines()
    return json.loads(lines[-1]), lines[:-1]


def test_arrays_and_the_folder_they_came_from_give_the_same(prepared, capsys):
    arrays, table = result_of(
        capsys, prepared / "hair.keras", "--img_file", prepared / "images-32x64.npy"
    )
    folder, _ = result_of(capsys, prepared / "hair.keras", "--data_dir", prepared / "raw")
    assert arrays == folder
    assert arrays["pictures"] == 6 and arrays["split"] == "all"
    assert set(arrays["iou"]) == {"background", "hair"}
    assert 0 < arrays["mean_iou"] < 1 and arrays["binary_crossentropy"] > 0
    assert any("hair" in line and f"{arrays['iou']['hair']:.4f}" in line for line in table)


def test_the_held_out_rows_of_the_card_are_those_measured(prepared, tmp_path, capsys):
    held_out, _ = result_of(
        capsys, prepared / "hair.keras", "--img_file", prepared / "images-32x64.npy",
        "--split", "validation",
    )  # fmt: skip
    for name in ("images", "masks"):
        rows = np.load(prepared / f"{name}-32x64.npy")[[1, 4]]
        np.save(tmp_path / f"{name}-32x64.npy", rows)
    labels.write(tmp_path / "labels.txt", NAMES)
    alone, _ = result_of(
        capsys, prepared / "hair.keras", "--img_file", tmp_path / "images-32x64.npy"
    )
    assert held_out["pictures"] == 2
    assert held_out | {"split": "all"} == alone
    with pytest.raises(InputError, match="not the data"):
        evaluate.main(
            [str(prepared / "hair.keras"), "--img_file", str(tmp_path / "images-32x64.npy"),
             "--split", "validation"]
        )  # fmt: skip


@pytest.fixture
def folder(prepared, tmp_path):
    """Return a copy of the folder of pictures and masks."""
    return Path(shutil.copytree(prepared / "raw", tmp_path / "raw"))


def test_damaged_pairs_are_named_and_the_others_measured(prepared, folder, capsys):
    model = str(prepared / "hair.keras")
    for name in ("images/0.png", "masks/1.ppm"):
        (folder / name).write_bytes(b"damaged")
    Image.new("RGB", (8, 8), (255, 0, 0)).save(folder / "masks/2.ppm")  # of another size
    (folder / "masks/3.ppm").unlink()
    with pytest.raises(InputError, match="3 of 5 pairs could not be read"):
        evaluate.main([model, "--data_dir", str(folder)])
    out, err = capsys.readouterr()
    for line in ("0.png: no picture", "1.ppm: no picture", "2.ppm is 8x8", "no partner.*: 3.png"):
        assert re.search(line, err)
    result = json.loads(out.splitlines()[-1])
    assert result["pictures"] == 2 and result["broken"] == 3
    for name in ("0", "1", "2"):
        (folder / f"images/{name}.png").unlink()
    whole, _ = result_of(capsys, model, "--data_dir", folder)
    assert whole | {"broken": 3} == result


@pytest.mark.parametrize("name", ["images/{}.png", "masks/{}.ppm"])
def test_when_all_are_damaged_nothing_is_measured(prepared, folder, name):
    for index in range(6):
        (folder / name.format(index)).write_bytes(b"damaged")
    with pytest.raises(InputError, match="none of the 6"):
        evaluate.main([str(prepared / "hair.keras"), "--data_dir", str(folder)])


def test_a_contact_sheet_is_drawn(prepared, tmp_path, capsys):
    result_of(
        capsys, prepared / "hair.keras", "--img_file", prepared / "images-32x64.npy",
        "--contact_sheet", tmp_path / "sheet.png",
    )  # fmt: skip
    width, height = Image.open(tmp_path / "sheet.png").size
    assert width > 6 * 320 and height > 3 * 160  # a column for each of the six pictures


def test_without_a_card_nothing_can_be_matched(prepared, tmp_path):
    (tmp_path / "hair.keras").write_bytes((prepared / "hair.keras").read_bytes())
    with pytest.raises(InputError, match="no model card hair.json"):
        evaluate.main([str(tmp_path / "hair.keras"), "--data_dir", str(prepared / "raw")])


def test_a_model_that_held_nothing_out_has_no_validation_split(prepared, tmp_path):
    path = tmp_path / "hair.keras"
    path.write_bytes((prepared / "hair.keras").read_bytes())
    card = model_card.read(prepared / "hair.keras")
    del card["validation_rows"]
    model_card.write(path, card)
    arrays = ["--img_file", str(prepared / "images-32x64.npy")]
    with pytest.raises(InputError, match="no held-out pictures"):
        evaluate.main([str(path), *arrays, "--split", "validation"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.keras"],
        ["a.keras", "--img_file", "a.npy", "--data_dir", "raw"],
        ["a.keras", "--data_dir", "raw", "--split", "validation"],
        ["a.keras", "--img_file", "a.npy", "--mask_format", "rgb"],
        ["a.keras", "--img_file", "a.npy", "--contact_sheet", "sheet"],
    ],
)
def test_arguments_that_make_no_sense_exit_with_2(arguments):
    with pytest.raises(SystemExit) as stopped:
        evaluate.main(arguments)
    assert stopped.value.code == 2
