"""The command that measures, on prepared arrays and on folders."""

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import evaluate
from segmentation import model_card
from segmentation.data import arrays, labels
from segmentation.errors import InputError
from segmentation.evaluation import measure, summary
from segmentation.evaluation.metrics import PixelCounts
from tiny_models import IMG_SIZE, fake_predictor, quick_model, save

NAMES = ["background", "hair", "face"]


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
