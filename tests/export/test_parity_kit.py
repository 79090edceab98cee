"""The parity kit: what is in it, what is refused, and that another model is found out."""

import io
import json
import shutil
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image

import evaluate
import tf_converter
from segmentation import files, formats, model_card
from segmentation.cli import exports, terminal
from segmentation.errors import InputError
from segmentation.export import parity, parity_kit
from segmentation.export.options import Options
from segmentation.inference.runner import Runner
from segmentation.probabilities import to_mask
from tiny_models import HAIR

SIZE = (8, 16)
traced = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the exports are traced by TensorFlow"
)


def brightness(path):
    """Return the `Runner` of a file that holds a number: the scores are red / 255 plus that."""
    offset = float(path.read_text())

    def run(images):
        return (images[..., :1] / 255 + offset).astype(np.float32)

    return Runner(run, SIZE, 1)


@pytest.fixture(autouse=True)
def own_format(monkeypatch):
    monkeypatch.setitem(sys.modules, "parity_kit_format", sys.modules[__name__])
    row = formats.Format(".level", "parity_kit_format:brightness")
    monkeypatch.setitem(formats.FORMATS, "level", row)


@pytest.fixture
def reference():
    images = np.random.default_rng(0).integers(0, 256, (8, *SIZE, 3), dtype=np.uint8)
    scores = (images[..., :1] / 255).astype(np.float32)
    return parity.Reference(images, scores, "noise (8)")


@pytest.fixture
def export(tmp_path):
    path = tmp_path / "a.level"
    path.write_text("0")
    return path


@pytest.fixture
def kit(export, reference):
    return parity_kit.write(export, reference, HAIR, Options(), "float32")


def run(*arguments):
    """Run evaluate.py; return its exit status."""
    with pytest.raises(SystemExit) as end:
        terminal.run(lambda: evaluate.main([str(each) for each in arguments]))
    return end.value.code


def result(capsys):
    captured = capsys.readouterr()
    return json.loads(captured.out.splitlines()[-1], parse_constant=pytest.fail), captured


def test_it_holds_images_scores_masks_and_a_manifest(kit, export, reference):
    assert kit.name == "a.level.kit" and len(list(kit.iterdir())) == 8 * 3 + 1
    manifest = json.loads((kit / "manifest.json").read_text())
    samples = manifest.pop("samples")
    assert manifest == {
        "version": 1,
        "model": {"file": "a.level", "sha256": files.sha256(export)},
        "precision": "float32",
        "input": {"height": 8, "width": 16},
        "classes": ["hair"],
        "limits": {"max_difference": 1e-4, "mask_iou": 0.999},
    }
    for index, sample in enumerate(samples):
        names = [f"{index}.png", f"{index}.npy", f"{index}_mask.png"]
        assert [sample[key] for key in ("image", "scores", "mask")] == names
        assert sample["sha256"] == {name: files.sha256(kit / name) for name in names}
        np.testing.assert_array_equal(Image.open(kit / names[0]), reference.images[index])
        content = (kit / names[1]).read_bytes()
        assert content[:8] == b"\x93NUMPY\x01\x00" and b"'descr': '<f4'" in content[:128]
        np.testing.assert_array_equal(np.load(io.BytesIO(content)), reference.expected[index])
        mask = Image.open(kit / names[2])
        assert mask.mode == "L"
        np.testing.assert_array_equal(mask, to_mask(reference.expected[index]))


@pytest.mark.parametrize(
    ("limits", "output", "most", "least"),
    [
        ("float16", "scores", 0.05, 0.999),
        ("full_int8", "scores", None, 0.9),
        ("palette6", "scores", None, 0.98),
        ("float32", "labels", None, 0.999),
        ("float32", "image", 1 / 255, 0.999),
        ("float16", "image", 0.05, 0.999),
    ],
)
def test_its_limits_and_scores_are_those_of_the_check(
    export, reference, limits, output, most, least
):
    small = parity.Reference(reference.images, reference.expected[:, ::4, ::4], "noise (8)")
    folder = parity_kit.write(export, small, HAIR, Options(output=output), limits)
    kit = parity_kit.read(folder)
    assert kit.limits == (most, least)
    # Class ids and grayscale images have the size of the input.
    size = (2, 4) if output == "scores" else SIZE
    assert kit.read(kit.samples[0])[1].shape == (*size, 1)


def test_the_model_passes_and_a_model_of_other_weights_is_found_out(kit, export, capsys):
    assert run(export, "--parity_kit", kit) == 0
    found, captured = result(capsys)
    assert not captured.err and "limits of float32: largest difference 0.0001" in captured.out
    assert found["within_limits"] and found["is_kit_model"] and found["pictures"] == 8
    assert found["largest_difference"] == 0 and found["mask_iou"] == found["decided_iou"] == 1
    assert len(found["per_picture"]) == 8 and found["milliseconds"] > 0
    export.write_text("2e-4")
    assert run(export, "--parity_kit", kit) == 3
    found, captured = result(capsys)
    assert not found["within_limits"] and not found["is_kit_model"]
    assert found["largest_difference"] == pytest.approx(2e-4, rel=0.01)
    notice, error = captured.err.splitlines()
    assert f"is not the a.level that {kit} was made from" in notice
    assert error == (
        f"error: {export}: outside the limits of the kit: largest difference 0.0002 (limit 0.0001)"
    )


def test_without_a_limit_of_probabilities_masks_decide_and_a_nan_fails(export, reference, capsys):
    kit = parity_kit.write(export, reference, HAIR, Options("int8"), "full_int8")
    for offset, status in (("-0.01", 0), ("0.3", 3), ("nan", 3)):
        export.write_text(offset)
        assert run(export, "--parity_kit", kit) == status
        found, _ = result(capsys)
        assert found["within_limits"] == (status == 0)
        assert found["limits"] == {"max_difference": None, "mask_iou": 0.9}


@pytest.mark.parametrize("name", ["3.png", "3.npy", "3_mask.png"])
def test_a_file_that_changed_or_is_missing_is_named(kit, export, name, capsys):
    content = bytearray((kit / name).read_bytes())
    content[-1] ^= 1
    (kit / name).write_bytes(content)
    assert run(export, "--parity_kit", kit) == 2
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.startswith(f"error: {kit / name}: not the file that the kit was written")
    (kit / name).unlink()
    with pytest.raises(InputError, match=f"{name}: missing"):
        parity_kit.read(kit)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "manifest.json: a kit of version 2; version 1 can be run here"),
        ({"samples": []}, "manifest.json: not as the converters write it"),
        ({"limits": {}}, "not as the converters write it"),
        ({"limits": {"max_difference": "1", "mask_iou": 1}}, "not as the converters write it"),
        ({"model": {"sha256": "0"}}, "not as the converters write it"),
        ({"classes": []}, "not as the converters write it"),
        ({"input": {"height": 32, "width": 32}}, "0.png: another size than its manifest says"),
        ({"classes": ["background", "hair"]}, "0.npy: not float32 .h, w, 2."),
    ],
)
def test_a_manifest_that_is_no_manifest_or_does_not_fit_its_files(kit, change, message):
    path = kit / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=message):
        read = parity_kit.read(kit)
        read.read(read.samples[0])


def test_no_file_outside_of_the_folder_is_read(kit):
    path = kit / "manifest.json"
    path.write_text(path.read_text().replace('"0.png"', '"../0.png"'))
    with pytest.raises(InputError, match="not as the converters write it"):
        parity_kit.read(kit)
    with pytest.raises(InputError, match="no manifest.json in it; name a folder"):
        parity_kit.read(kit.parent)
    path.write_text("{")
    with pytest.raises(InputError, match="manifest.json: not readable"):
        parity_kit.read(kit)


def of_another(reference, images=SIZE, scores=(*SIZE, 1)):
    """Return a reference of other sizes."""
    count = len(reference.images)
    zeros = np.zeros((count, *images, 3), np.uint8), np.zeros((count, *scores), np.float32)
    return parity.Reference(*zeros, "nothing")


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"images": (16, 16)}, "a kit of a model of 16x16 px .height x width., and .* takes 8x16"),
        ({"scores": (*SIZE, 2)}, "a kit of a model of background, hair, and .* has class 1"),
        ({"scores": (2, 4, 1)}, r"gives scores \(8, 16, 1\), .* holds scores \(2, 4, 1\)"),
    ],
)
def test_the_kit_of_another_model_is_a_line(export, reference, sizes, message):
    other = of_another(reference, **sizes)
    classes = HAIR.with_background() if other.expected.shape[-1] == 2 else HAIR
    kit = parity_kit.write(export, other, classes, Options(), "float32")
    with pytest.raises(InputError, match=message):
        evaluate.main([str(export), "--parity_kit", str(kit)])


def test_the_kit_of_other_classes_is_a_line(kit, export):
    card = {"img_size": list(SIZE), "classes": ["dog"], "colors": [[1, 2, 3]]}
    model_card.write(export, card)
    with pytest.raises(InputError, match="a kit of a model of hair, and .*a.level has dog"):
        evaluate.main([str(export), "--parity_kit", str(kit)])


def test_a_kit_takes_no_data(kit, export, capsys):
    assert run(export, "--parity_kit", kit, "--img_file", "images-32.npy") == 2
    assert "--parity_kit brings images and scores: omit --img_file" in capsys.readouterr().err


def test_an_earlier_kit_is_replaced_and_a_folder_with_more_is_left_alone(
    trained, kit, export, reference, tmp_path
):
    (kit / "8.png").touch()  # of a kit of more images
    parity_kit.require_place(export)
    parity_kit.write(export, reference, HAIR, Options(), "float32")
    assert not (kit / "8.png").exists()
    folder = tmp_path / "hair.pb.kit"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    arguments = [str(trained / "hair.keras"), "--format", "pb", "--parity_kit", "-o", str(tmp_path)]
    with pytest.raises(InputError, match="hair.pb.kit: holds more than a parity kit"):
        tf_converter.main(arguments)
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]
    assert not (tmp_path / "hair.pb").exists()


@pytest.mark.slow
@traced
def test_kits_of_the_converters_run_on_their_exports_and_on_the_model(
    swept, trained, package, capsys
):
    for precision, limits in (("float32", "float32"), ("int8", "full_int8")):
        path = swept.folder / f"hair_{precision}.tflite"
        assert evaluate.main([str(path), "--parity_kit", f"{path}.kit"]) == 0
        found, captured = result(capsys)
        assert found["is_kit_model"] and found["precision"] == precision and not captured.err
        most, least = parity.limits_of(limits)
        assert found["limits"] == {"max_difference": most, "mask_iou": least}
    path = swept.folder / "hair_float32.tflite.kit"
    assert evaluate.main([str(trained / "hair.keras"), "--parity_kit", str(path)]) == 0
    # An int8 file is too far from the model for float32.
    int8 = swept.folder / "hair_int8.tflite"
    assert evaluate.main([str(int8), "--parity_kit", str(path)]) == 3
    capsys.readouterr()
    path = package.folder / "hair.mlpackage"
    assert evaluate.main([str(path), "--parity_kit", f"{path}.kit"]) == 0
    found, captured = result(capsys)
    assert found["is_kit_model"] and found["precision"] == "float16"
    assert "runs in NumPy here" in captured.err
    assert package.result["parity_kit"] == f"{path}.kit"


@pytest.mark.slow
@traced
def test_weights_that_changed_after_the_export_are_found_out(package, tmp_path, capsys):
    shutil.copytree(package.folder / "hair.mlpackage", tmp_path / "hair.mlpackage")
    (weights,) = (tmp_path / "hair.mlpackage").rglob("weight.bin")
    content = bytearray(weights.read_bytes())
    content[-100:] = bytes(100)  # of the last weights: scales and biases
    weights.write_bytes(content)
    kit = package.folder / "hair.mlpackage.kit"
    assert evaluate.main([str(tmp_path / "hair.mlpackage"), "--parity_kit", str(kit)]) == 3
    found, _ = result(capsys)
    assert not found["is_kit_model"] and not found["within_limits"]


def test_a_kit_of_an_earlier_export_is_called_out(export, kit, capsys):
    terminal.connect()
    compared = {"largest_difference": 0.0, "mask_iou": 1.0, "checked_on": "noise (8)"}
    exporter = SimpleNamespace(write=lambda path, options: compared | {"parity_kit": str(kit)})
    exports.write(exporter, {export: Options()})
    assert f"{kit}: is of an earlier export" in capsys.readouterr().err
    exports.write(exporter, {export: Options(kit=True)})
    assert "earlier export" not in capsys.readouterr().err
