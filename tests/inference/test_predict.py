"""Segmenting image files: the command, and what it writes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import predict
from segmentation.data import image_io
from segmentation.errors import InputError
from segmentation.inference import predictions, predictor, visualization
from segmentation.probabilities import to_mask_at
from tiny_models import quick_model, save

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save(quick_model(3), tmp_path_factory.mktemp("model") / "parts.keras")


def draw(path, size=(90, 70), seed=0):
    """Save an image of smooth colours; `size` is (width, height)."""
    path.parent.mkdir(exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3)).astype(np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)
    return path


def run(capsys, *arguments):
    predict.main([str(argument) for argument in arguments])
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_mask_and_overlay_have_the_size_of_the_image(model, tmp_path, capsys):
    path = draw(tmp_path / "a" / "face.png")
    result = run(capsys, model, path, "-o", tmp_path / "out")
    assert result["pictures"] == 1 and result["broken"] == 0
    assert result["classes"] == ["background", "hair", "face"]
    mask = Image.open(tmp_path / "out" / "face_mask.png")
    assert mask.size == (90, 70) and mask.mode == "L"
    assert Image.open(tmp_path / "out" / "face_overlay.jpg").size == (90, 70)
    loaded = predictor.load(model)
    small = image_io.resize(image_io.read(path), loaded.img_size)
    expected = to_mask_at(loaded(small[None])[0], (70, 90))
    np.testing.assert_array_equal(np.array(mask), expected)
    assert len(np.unique(expected)) > 1


def test_a_damaged_image_is_named_and_the_others_are_segmented(model, tmp_path, capsys):
    draw(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"no image")
    draw(tmp_path / "in" / "c.png")
    with pytest.raises(InputError, match="1 of 3 images could not be read"):
        predict.main([str(model), str(tmp_path / "in"), "-o", str(tmp_path / "out")])
    captured = capsys.readouterr()
    assert json.loads(captured.out)["pictures"] == 2
    assert f"{tmp_path / 'in' / 'b.png'}" in captured.err
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["a_mask.png", "a_overlay.jpg", "c_mask.png", "c_overlay.jpg"]


def test_heat_maps_are_written_only_on_demand(model, tmp_path, capsys):
    path = draw(tmp_path / "face.png")
    run(capsys, model, path, "-o", tmp_path / "out")
    assert not (tmp_path / "out" / "face_probabilities.png").exists()
    run(capsys, model, path, "-o", tmp_path / "out", "--probabilities")
    drawn = np.array(Image.open(tmp_path / "out" / "face_probabilities.png"))
    loaded = predictor.load(model)
    image = image_io.read(path)
    probabilities = loaded(image_io.resize(image, loaded.img_size)[None])[0]
    expected = visualization.heat_maps(image, probabilities, ["background", "hair", "face"])
    np.testing.assert_array_equal(drawn, expected)


def test_results_of_images_with_equal_names_do_not_overwrite_each_other(model, tmp_path, capsys):
    draw(tmp_path / "ann" / "1.png", (40, 40))
    draw(tmp_path / "bob" / "1.png", (50, 50))
    run(capsys, model, tmp_path / "ann", tmp_path / "bob", "-o", tmp_path / "out")
    sizes = {path.name: Image.open(path).size for path in (tmp_path / "out").glob("*.png")}
    assert sizes == {"1_mask.png": (40, 40), "bob_1_mask.png": (50, 50)}


def test_names_stay_distinct_where_only_case_or_suffix_differ():
    paths = [Path(name) for name in ("x/a.jpg", "x/a.png", "x/A.JPG", "y/x_a.png", "z/b.png")]
    names = predictions.unique_names(paths)
    assert list(names.values()) == ["a", "x_a", "x_A_2", "y_x_a", "b"]


def test_an_image_that_is_named_twice_is_found_once(tmp_path):
    path = draw(tmp_path / "in" / "a.png")
    assert predictions.find_images([path, tmp_path / "in", path]) == [path]


def test_files_of_a_folder_that_are_no_images_are_counted(tmp_path, capsys):
    for name in ("1.DNG", "2.dng", "a.mov", ".hidden.dng", "note"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match="no images in this folder"):
        predictions.find_images([tmp_path])
    assert "left out 2 .dng, 1 .mov, 1 without suffix; .jpg" in capsys.readouterr().err
    (tmp_path / "b.jpg").touch()
    assert predictions.find_images([tmp_path]) == [tmp_path / "b.jpg"]


def test_missing_inputs_are_named(tmp_path):
    with pytest.raises(InputError, match="nothing.png: no such file"):
        predictions.find_images([tmp_path / "nothing.png"])
    with pytest.raises(InputError, match="no images in this folder"):
        predictions.find_images([tmp_path])


def test_a_model_without_card_is_used_with_a_warning(model, tmp_path, capsys):
    (tmp_path / "found.keras").write_bytes(model.read_bytes())
    path = draw(tmp_path / "in" / "a.png")
    predict.main([str(tmp_path / "found.keras"), str(path), "-o", str(tmp_path / "out")])
    captured = capsys.readouterr()
    assert "no model card" in captured.err
    assert json.loads(captured.out)["classes"] == ["background", "class 1", "class 2"]


def test_an_image_is_never_replaced_by_a_result(model, tmp_path):
    draw(tmp_path / "a.png")
    path = draw(tmp_path / "a_mask.png")
    before = path.read_bytes()
    with pytest.raises(InputError, match="a_mask.png: a result would replace it"):
        predict.main([str(model), str(tmp_path), "-o", str(tmp_path)])
    assert path.read_bytes() == before


def test_an_image_may_have_the_name_of_a_result_that_is_not_written(model, tmp_path, capsys):
    draw(tmp_path / "a.png")
    path = draw(tmp_path / "a_probabilities.png")
    before = path.read_bytes()
    assert run(capsys, model, tmp_path, "-o", tmp_path)["pictures"] == 2
    with pytest.raises(InputError, match="a result would replace it"):
        run(capsys, model, tmp_path / "a.png", path, "-o", tmp_path, "--probabilities")
    assert path.read_bytes() == before


def test_an_output_folder_that_is_a_file_is_refused(model, tmp_path):
    path = draw(tmp_path / "a.png")
    with pytest.raises(InputError, match="cannot be written"):
        predict.main([str(model), str(path), "-o", str(path)])
