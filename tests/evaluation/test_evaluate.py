"""Measuring: scores worked out by hand, and the command on prepared arrays and on folders."""

import dataclasses
import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import evaluate
from segmentation import model_card, probabilities
from segmentation.data import arrays, labels, palette
from segmentation.errors import InputError
from segmentation.evaluation import measure, summary
from segmentation.evaluation.metrics import PixelCounts
from segmentation.inference.predictor import Predictor
from segmentation.inference.runner import Runner
from tiny_models import IMG_SIZE, quick_model, save

NAMES = ["background", "hair", "face"]


def fake_predictor(tmp_path, probabilities, classes):
    """Return a predictor that gives `probabilities`, whatever it sees."""
    path = tmp_path / "fake.keras"
    h, w = probabilities.shape[1:3]
    card = {"img_size": [h, w], "classes": classes, "colors": palette.colors(classes)}
    model_card.write(path, card)
    remaining = list(probabilities)
    runner = Runner(
        lambda images: np.stack([remaining.pop(0) for _ in images]), (h, w), len(classes)
    )
    return Predictor(path, runner)


def samples_of(ids):
    return arrays.Arrays(
        images=np.zeros((*ids.shape, 3), np.uint8),
        masks=ids,
        stems=[f"p{index}" for index in range(len(ids))],
        groups=[""] * len(ids),
        labels=list(NAMES),
    )


def counts_of(predict, data):
    return measure.measure(predict, data, measure.match_classes(predict, data)).counts


def test_one_class_counts_the_background_and_leaves_out_what_is_no_class(tmp_path):
    ids = np.array([[[1, 1, 0, 2]], [[0, 0, 0, 255]]], np.uint8)
    p = np.array([[[0.9, 0.4, 0.8, 0.1]], [[0.2, 0.3, 0.4, 0.9]]], np.float32)[..., None]
    counts = counts_of(fake_predictor(tmp_path, p, ["hair"]), samples_of(ids))
    names = ["background", "hair"]
    assert list(counts.names) == names
    assert counts.confusion.tolist() == [[4, 1], [1, 1]]
    assert counts.per_image.tp.tolist() == [[1, 1], [3, 0]]
    assert counts.per_image.support.tolist() == [[2, 2], [3, 0]]
    assert counts.per_image.predicted.tolist() == [[2, 2], [3, 0]]
    of_truth = [0.9, 0.4, 0.2, 0.9, 0.8, 0.7, 0.6]
    assert counts.crossentropy == pytest.approx(-sum(map(math.log, of_truth)) / 7, rel=1e-5)
    found = summary.summarize(counts)
    assert found["confusion"] == [[4, 1], [1, 1]] and found["classes"] == names
    assert found["boundary_iou"] == found["iou"]  # one line of pixels is all outline
    assert found["mean_boundary_iou"] == found["mean_iou"]
    assert found["iou"] == pytest.approx({"background": 4 / 6, "hair": 1 / 3}, abs=1e-5)
    assert found["mean_iou"] == pytest.approx((4 / 6 + 1 / 3) / 2, abs=1e-5)
    assert found["dice"]["hair"] == found["precision"]["hair"] == found["recall"]["hair"] == 0.5
    assert found["pixel_accuracy"] == pytest.approx(5 / 7, abs=1e-5)
    # The second image shows no hair: it counts only for the background.
    per_image = {"background": (1 / 3 + 1) / 2, "hair": 1 / 3}
    assert found["picture_iou"] == pytest.approx(per_image, abs=1e-5)


def test_several_classes_are_matched_by_name_and_one_that_nobody_shows_is_none(tmp_path):
    ids = np.array([[[2, 2, 0, 1]]], np.uint8)  # 1 is hair, which this model does not know
    classes = ["background", "face", "hat"]
    p = np.eye(3, dtype=np.float32)[[[[1, 0, 0, 0]]]] * 0.8 + 0.1
    predict = fake_predictor(tmp_path, p, classes)
    data = samples_of(ids)
    data.labels.append("hat")
    matched = measure.match_classes(predict, data)
    assert list(matched.id_names) == classes
    assert matched.table[[0, 1, 2, 3, 255]].tolist() == [0, 0, 1, 2, 255]
    counts = measure.measure(predict, data, matched).counts
    assert counts.confusion.tolist() == [[2, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert counts.crossentropy == pytest.approx(-(3 * math.log(0.9) + math.log(0.1)) / 4, rel=1e-5)
    found = summary.summarize(counts)
    for key in ("iou", "boundary_iou", "picture_iou", "dice", "precision", "recall"):
        assert found[key]["hat"] is None
    assert found["mean_iou"] == pytest.approx((2 / 3 + 1 / 2) / 2, abs=1e-5)


def test_a_class_that_the_data_lacks_is_named(tmp_path):
    predict = fake_predictor(tmp_path, np.zeros((1, 1, 4, 1), np.float32), ["hare"])
    with pytest.raises(InputError, match="fake.keras does not fit.*hare.*did you mean 'hair'"):
        measure.match_classes(predict, samples_of(np.zeros((1, 1, 4), np.uint8)))


def test_the_ignored_class_of_the_training_counts_nowhere(tmp_path):
    predict = fake_predictor(tmp_path, np.zeros((1, 1, 4, 1), np.float32), ["hair"])
    predict.classes = dataclasses.replace(predict.classes, ignored="face")
    table = measure.match_classes(predict, samples_of(np.zeros((1, 1, 4), np.uint8))).table
    assert table[[0, 1, 2]].tolist() == [0, 1, 255]


def test_a_model_that_ignores_the_background_has_no_channel_for_it(tmp_path):
    ids = np.array([[[1, 2, 1, 0]]], np.uint8)
    p = np.array([[[[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.5, 0.5]]]], np.float32)
    predict, data = fake_predictor(tmp_path, p, ["face", "hair"]), samples_of(ids)
    for ignored in ("none", None):  # as other data may call it, or nobody may say
        predict.classes = dataclasses.replace(predict.classes, ignored=ignored)
        matched = measure.match_classes(predict, data)
        assert list(matched.id_names) == ["face", "hair"]
        assert matched.table[:3].tolist() == [255, 1, 0]
    counts = measure.measure(predict, data, matched).counts
    assert counts.confusion.tolist() == [[1, 0], [1, 1]]  # hair taken for face, face and hair found
    assert counts.crossentropy == pytest.approx(-sum(map(math.log, [0.1, 0.8, 0.7])) / 3, rel=1e-5)
    assert summary.rank(counts) == [(0, 0.5)]


@pytest.mark.parametrize(("first", "true"), [("hair", [1, 0]), ("void", [2, 1])])
def test_a_model_keeps_its_background_on_data_that_have_none(tmp_path, first, true):
    p = np.eye(3, dtype=np.float32)[[[[2, 1]]]]
    predict = fake_predictor(tmp_path, p, ["background", "hair", "face"])
    predict.classes = dataclasses.replace(predict.classes, ignored="void")
    data = samples_of(np.array([[true]], np.uint8))
    data.labels[:] = [first, *(name for name in ("hair", "face") if name != first)]
    counts = counts_of(predict, data)
    assert len(counts.names) == 3
    assert counts.confusion.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_probabilities_are_upsampled_to_the_mask_before_the_threshold(tmp_path):
    # Upsampled by 2, 0.1 and 0.7 become 0.1, 0.25, 0.55, 0.7: the third is the first above 0.5.
    p = np.array([[[0.1, 0.7]]], np.float32)[..., None]
    data = samples_of(np.array([[[0, 0, 1, 1], [0, 0, 1, 1]]], np.uint8))
    counts = counts_of(fake_predictor(tmp_path, p, ["hair"]), data)
    assert counts.confusion.tolist() == [[4, 0], [0, 4]]


def test_boundary_iou_is_over_all_pixels_of_the_set_and_not_a_mean_over_images(tmp_path):
    ids = np.zeros((2, 10, 10), np.uint8)
    ids[0, 3:7, 3:7] = ids[1, :, :3] = 1
    guess = ids.copy()
    guess[0] = np.roll(ids[0], 1, axis=1)  # a pixel to the right; the other image is perfect
    predict = fake_predictor(tmp_path, guess[..., None].astype(np.float32), ["hair"])
    found = summary.summarize(counts_of(predict, samples_of(ids)))
    # By hand, as in test_metrics.py: 6 of 18 pixels agree in the first band, all 22 in the second.
    assert found["boundary_iou"]["hair"] == pytest.approx(28 / 40, abs=1e-6)
    assert found["iou"]["hair"] == pytest.approx((12 + 30) / (20 + 30), abs=1e-6)
    assert found["picture_iou"]["hair"] == pytest.approx((12 / 20 + 1) / 2, abs=1e-6)


@pytest.mark.parametrize("floats, batches", [(16, [2, 2, 1]), (1, [1] * 5), (10**6, [5])])
def test_large_probabilities_come_in_small_batches(tmp_path, monkeypatch, floats, batches):
    monkeypatch.setattr(probabilities, "MAX_FLOATS", floats)  # an image has 4 pixels of 2 classes
    ids = (np.arange(20).reshape(5, 1, 4) % 3 == 0).astype(np.uint8)
    predict = fake_predictor(tmp_path, ids[..., None].astype(np.float32), ["hair"])
    answer, sizes = predict.runner.run, []
    predict.runner = dataclasses.replace(
        predict.runner, run=lambda images: sizes.append(len(images)) or answer(images)
    )
    counts = counts_of(predict, samples_of(ids))
    assert sizes == batches and counts.confusion.tolist() == [[13, 0], [0, 7]]


def test_images_are_ranked_by_their_iou_without_background_if_their_mask_shows_more():
    images = [  # tp, support and predicted by class
        [[9, 1, 2], [9, 4, 2], [9, 1, 2]],  # 1/4 and 1
        [[0, 9, 0], [0, 9, 0], [0, 9, 0]],  # 1, and a class that neither shows
        [[9, 0, 0], [9, 0, 0], [9, 1, 0]],  # no class in the mask, but in the prediction
        [[0, 1, 0], [0, 2, 0], [0, 1, 3]],  # 1/2, and 0 for one that only the prediction shows
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],  # damaged
    ]
    per_image = PixelCounts(*np.moveaxis(images, 1, 0))
    ranked = summary.rank(measure.Counts(NAMES, None, per_image, None, 0.0, []))
    assert ranked == [(1, 1.0), (0, 0.625), (3, 0.25)]


def test_extremes_are_three_of_each_kind():
    found = summary.extremes([(index, 1 - index / 10) for index in range(10)])
    assert [kind for kind, _, _ in found] == ["best"] * 3 + ["middle"] * 3 + ["worst"] * 3
    assert [index for _, index, _ in found] == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    assert found[0] == ("best", 0, 1.0)


def test_of_few_images_none_is_shown_twice():
    assert summary.extremes([(0, 0.7), (1, 0.5)]) == [("best", 0, 0.7), ("best", 1, 0.5)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Write six samples as arrays and as a folder, and a model that held out two of them."""
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
    path = save(quick_model(1), folder / "hair.keras")
    of_arrays = arrays.open_arrays(folder / "images-32x64.npy")
    data = {"fingerprint": of_arrays.fingerprint()}
    model_card.write(path, model_card.read(path) | {"data": data, "validation_rows": [1, 4]})
    return folder


def result_of(capsys, *arguments):
    evaluate.main([str(argument) for argument in arguments])
    lines = capsys.readouterr().out.splitlines()
    return json.loads(lines[-1]), lines[:-1]


@pytest.mark.slow
def test_arrays_and_the_folder_they_came_from_give_equal_scores(prepared, capsys):
    of_arrays, table = result_of(
        capsys, prepared / "hair.keras", "--img_file", prepared / "images-32x64.npy"
    )
    folder, _ = result_of(capsys, prepared / "hair.keras", "--data_dir", prepared / "raw")
    assert of_arrays == folder
    assert of_arrays["pictures"] == 6 and of_arrays["split"] == "all"
    assert set(of_arrays["iou"]) == {"background", "hair"}
    assert 0 < of_arrays["mean_iou"] < 1 and of_arrays["binary_crossentropy"] > 0
    assert any("hair" in line and f"{of_arrays['iou']['hair']:.4f}" in line for line in table)


@pytest.mark.slow
def test_validation_measures_the_held_out_rows_of_the_card(prepared, tmp_path, capsys):
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
    """Return a copy of the folder of images and masks."""
    return Path(shutil.copytree(prepared / "raw", tmp_path / "raw"))


@pytest.mark.slow
def test_damaged_samples_are_named_and_the_others_measured(prepared, folder, capsys):
    model = str(prepared / "hair.keras")
    for name in ("images/0.png", "masks/1.ppm"):
        (folder / name).write_bytes(b"damaged")
    Image.new("RGB", (8, 8), (255, 0, 0)).save(folder / "masks/2.ppm")  # of another size
    (folder / "masks/3.ppm").unlink()
    with pytest.raises(InputError, match="3 of 5 samples could not be read"):
        evaluate.main([model, "--data_dir", str(folder)])
    out, err = capsys.readouterr()
    for line in (
        "0.png: not an image",
        "1.ppm: not an image",
        "2.ppm is 8x8",
        "left out 1 image without a mask: 3.png",
    ):
        assert re.search(line, err)
    result = json.loads(out.splitlines()[-1])
    assert result["pictures"] == 2 and result["broken"] == 3
    for name in ("0", "1", "2"):
        (folder / f"images/{name}.png").unlink()
    whole, _ = result_of(capsys, model, "--data_dir", folder)
    assert whole | {"broken": 3} == result


@pytest.mark.slow
@pytest.mark.parametrize("name", ["images/{}.png", "masks/{}.ppm"])
def test_when_all_are_damaged_nothing_is_measured(prepared, folder, name):
    for index in range(6):
        (folder / name.format(index)).write_bytes(b"damaged")
    with pytest.raises(InputError, match="none of the 6"):
        evaluate.main([str(prepared / "hair.keras"), "--data_dir", str(folder)])


@pytest.mark.slow
def test_a_report_has_all_scores_and_leaves_other_files_alone(prepared, tmp_path, capsys):
    folder = tmp_path / "reports" / "hair"
    arguments = [prepared / "hair.keras", "--img_file", prepared / "images-32x64.npy"]
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    (folder / "report.json").write_text("of an earlier model")
    result, _ = result_of(capsys, *arguments, "--report", folder)
    drawn = {"confusion.png", "classes.png", "pictures.png", "contact_sheet.png", "worst.png"}
    assert {path.name for path in folder.iterdir()} == drawn | {"notes.txt", "report.json"}
    assert (folder / "notes.txt").read_text() == "mine"
    report = json.loads((folder / "report.json").read_text())
    assert {key: report[key] for key in result} == result
    assert report["data"] == [str(arguments[-1])] and report["damaged"] == []
    assert [each["title"] for each in report["per_picture"]] == list("012345")
    # Each image shows hair, so the mean over the images is the mean of these.
    ious = [each["class_iou"]["hair"] for each in report["per_picture"]]
    assert ious == [each["iou"] for each in report["per_picture"]]
    assert np.mean(ious) == pytest.approx(result["picture_iou"]["hair"], abs=1e-5)
    sizes = {name: Image.open(folder / name).size for name in drawn}
    # Six columns of 320 pixels: three in each of two bands.
    assert 3 * 320 < sizes["worst.png"][0] < 4 * 320 and sizes["worst.png"][1] > 8 * 160
    assert sizes["contact_sheet.png"] == sizes["worst.png"]


@pytest.mark.slow
def test_a_report_names_damaged_samples_and_leaves_them_out(prepared, folder, tmp_path):
    (folder / "images/3.png").write_bytes(b"damaged")
    model, report = str(prepared / "hair.keras"), tmp_path / "report"
    with pytest.raises(InputError, match="1 of 6 samples"):
        evaluate.main([model, "--data_dir", str(folder), "--report", str(report)])
    found = json.loads((report / "report.json").read_text())
    assert found["damaged"] == ["3"] and found["data"] == [str(folder)]
    assert [each["title"] for each in found["per_picture"]] == list("01245")


@pytest.mark.slow
def test_where_no_mask_shows_a_class_scores_are_printed_and_no_report_is_begun(
    prepared, tmp_path, capsys
):
    np.save(tmp_path / "images-32x64.npy", np.load(prepared / "images-32x64.npy"))
    np.save(tmp_path / "masks-32x64.npy", np.zeros((6, *IMG_SIZE), np.uint8))
    labels.write(tmp_path / "labels.txt", NAMES)
    with pytest.raises(InputError, match="no mask shows a class of the model"):
        result_of(
            capsys, prepared / "hair.keras", "--img_file", tmp_path / "images-32x64.npy",
            "--report", tmp_path / "report",
        )  # fmt: skip
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["pictures"] == 6 and result["recall"]["hair"] is None
    assert not (tmp_path / "report").exists()


def test_a_report_over_a_file_is_refused_before_anything_is_read(tmp_path, capsys):
    (tmp_path / "report").write_text("mine")
    with pytest.raises(SystemExit) as stopped:
        evaluate.main(["a.keras", "--img_file", "a.npy", "--report", str(tmp_path / "report")])
    assert stopped.value.code == 2 and "report is a file" in capsys.readouterr().err


def counts_of_one_image(names, confusion, pixels):
    """Return counts of one image, with `pixels` of each class, all right."""
    per_image = PixelCounts(*[pixels[None]] * 3)
    return measure.Counts(names, confusion, per_image, PixelCounts(*[pixels] * 3), 0.0, [])


@pytest.mark.parametrize("count", [3, 60])
def test_the_confusion_matrix_is_printed_where_it_fits(count, capsys):
    names = ["background", *(f"class {index}" for index in range(1, count))]
    confusion = np.eye(count, dtype=int)
    confusion[1, :2] = [3, 1]
    confusion[2, 2] = 0
    counts = counts_of_one_image(names, confusion, np.zeros(count, int))
    evaluate.print_tables(summary.summarize(counts))
    out = capsys.readouterr().out
    rows = [
        re.findall(r"[\w. —]*[\w.—]", line) for line in out.split("pixel accuracy")[1].splitlines()
    ]
    rows = [[cell.strip() for cell in row] for row in rows[1:]]
    if count == 3:
        assert ["class 1", "75.00", "25.00", "0.00", "4"] in rows
        assert ["class 2", "—", "—", "—", "0"] in rows
    else:
        assert not any(rows[1:]) and "too wide" in out


def test_names_in_brackets_are_printed_as_they_are(capsys):
    names = ["none", "wall [old]", "[/b]"]
    counts = counts_of_one_image(names, np.eye(3, dtype=int), np.ones(3, int))
    evaluate.print_tables(summary.summarize(counts))
    out = capsys.readouterr().out
    assert out.count("wall [old]") == 3 and out.count("[/b]") == 3  # two tables, one with columns


@pytest.mark.slow
def test_without_a_card_nothing_can_be_matched(prepared, tmp_path):
    (tmp_path / "hair.keras").write_bytes((prepared / "hair.keras").read_bytes())
    with pytest.raises(InputError, match="no model card hair.json"):
        evaluate.main([str(tmp_path / "hair.keras"), "--data_dir", str(prepared / "raw")])


@pytest.mark.slow
def test_a_model_that_held_no_samples_out_has_no_validation_split(prepared, tmp_path):
    path = tmp_path / "hair.keras"
    path.write_bytes((prepared / "hair.keras").read_bytes())
    card = model_card.read(prepared / "hair.keras")
    del card["validation_rows"]
    model_card.write(path, card)
    of_arrays = ["--img_file", str(prepared / "images-32x64.npy")]
    with pytest.raises(InputError, match="no held-out samples"):
        evaluate.main([str(path), *of_arrays, "--split", "validation"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.keras"],
        ["a.keras", "--img_file", "a.npy", "--data_dir", "raw"],
        ["a.keras", "--data_dir", "raw", "--split", "validation"],
        ["a.keras", "--img_file", "a.npy", "--mask_format", "rgb"],
        ["a.keras", "--img_file", "a.npy", "--layout", "folders"],
    ],
)
def test_contradictory_arguments_exit_with_2(arguments):
    with pytest.raises(SystemExit) as stopped:
        evaluate.main(arguments)
    assert stopped.value.code == 2


@pytest.mark.slow
def test_a_model_with_a_channel_for_the_background_has_a_crossentropy_of_several(
    prepared, tmp_path, capsys, monkeypatch
):
    p = np.full((6, *IMG_SIZE, 2), 0.5, np.float32)
    predict = fake_predictor(tmp_path, p, ["background", "hair"])
    monkeypatch.setattr(evaluate.model_options, "load", lambda *_: predict)
    evaluate.main(["fake.keras", "--img_file", str(prepared / "images-32x64.npy")])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["crossentropy"] == pytest.approx(math.log(2), rel=1e-5)
    assert "binary_crossentropy" not in result and result["classes"] == ["background", "hair"]


@pytest.mark.slow
def test_a_folder_in_two_layouts_is_measured_in_the_one_that_is_named(prepared, tmp_path, capsys):
    both = shutil.copytree(prepared / "raw", tmp_path / "raw")
    (both / "annotations").mkdir()
    Image.new("L", (8, 8)).save(both / "annotations/0.png")
    model = str(prepared / "hair.keras")
    with pytest.raises(InputError, match="say which with --layout"):
        evaluate.main([model, "--data_dir", str(both)])
    evaluate.main([model, "--data_dir", str(both), "--layout", "folders"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["pictures"] == 6
