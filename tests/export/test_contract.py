"""The contract beside an export: its numbers, and its code as far as this computer can run it."""

import keras
import numpy as np
import pytest
from PIL import Image

from segmentation.data import image_io
from segmentation.data.classes import Classes
from segmentation.export import contract, tensorflow
from segmentation.export.interface import Interface
from segmentation.probabilities import to_mask
from tiny_models import CLASSES, IMG_SIZE

ORIENTATION = 0x0112  # EXIF tag
WRITERS = {".pb": tensorflow.to_frozen_graph, ".saved_model": tensorflow.to_saved_model}
COLORS = {1: [[255, 0, 0]], 3: [[0, 0, 0], [255, 0, 0], [0, 255, 0]]}
PARTS = Classes(tuple(CLASSES[3]), tuple(map(tuple, COLORS[3])))


def written(folder, name, num_classes=1, scores_size=IMG_SIZE, facts=(), **options):
    names, colors = CLASSES[num_classes], COLORS[num_classes]
    classes = Classes(tuple(names), tuple(map(tuple, colors)))
    contract.write(folder / name, Interface(IMG_SIZE, scores_size, classes, **options), facts)
    (path,) = folder.glob("*.contract.md")
    assert path.name == f"{name}.contract.md"
    return path.read_text()


def code(text, language):
    return [part.split("```")[0] for part in text.split(f"```{language}\n")[1:]]


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A model of three classes in both formats whose contract has Python, with their contracts."""
    image = keras.Input((*IMG_SIZE, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    model = keras.Model(image, keras.layers.Conv2D(3, 1, activation="softmax")(x))
    folder = tmp_path_factory.mktemp("parts")
    for suffix, writer in WRITERS.items():
        writer(model, folder / f"parts{suffix}")
        contract.write(folder / f"parts{suffix}", Interface(IMG_SIZE, IMG_SIZE, PARTS))
    return folder, model


@pytest.mark.slow
@pytest.mark.parametrize("num_classes", [1, 3])
@pytest.mark.parametrize("suffix", WRITERS)
def test_the_python_function_gives_the_mask_of_the_model(
    converted, model, parts, tmp_path, monkeypatch, suffix, num_classes
):
    folder, model = parts if num_classes == 3 else (converted.folder, model)
    name = "parts" if num_classes == 3 else "hair"
    (source,) = code((folder / f"{name}{suffix}.contract.md").read_text(), "python")
    # Larger than the model's input, and lying on its side as a phone stores it.
    size = (3 * IMG_SIZE[1], 3 * IMG_SIZE[0], 3)
    noise = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(noise).save(tmp_path / "image.png", exif=exif)
    image = image_io.resize(image_io.read(tmp_path / "image.png"), IMG_SIZE)
    monkeypatch.chdir(folder)
    names = {}
    exec(source, names)
    found = names["segment"](tmp_path / "image.png")
    expected = to_mask(model.predict(image[None].astype("float32"), verbose=0))[0]
    assert found.dtype == np.uint8 and found.shape == IMG_SIZE and len(np.unique(found)) > 1
    assert (found == expected).mean() > 0.999


def test_input_output_and_classes_are_listed(tmp_path):
    facts = [("precision", "float16")]
    text = written(tmp_path, "room.tflite", 3, (8, 16), facts=facts)
    assert "| input | `image`, float32 [1, 32, 64, 3], RGB 0..255; stretched" in text
    meaning = "float32 [1, 8, 16, 3], probabilities of the classes, adding up to 1"
    assert f"| output | `output_0`, {meaning} |" in text
    assert (
        "| before taking class ids | the model was measured with probabilities upsampled "
        "bilinearly" in text
    )
    assert "before taking class ids" not in written(tmp_path, "room.tflite", 3)
    assert "| precision | float16 |" in text
    bytes_out = written(tmp_path, "room.tflite", 3, (8, 16), steps=(0.0035398, 2))
    assert "| input | `image`, uint8 [1, 32, 64, 3]" in bytes_out
    assert "adding up to 1: (value - 2) * 0.0035398 |" in bytes_out
    assert "| 2 | face | #00ff00 |" in text


@pytest.mark.parametrize(
    ("name", "num_classes", "options", "line"),
    [
        ("a.mlpackage", 1, {}, "ids[y * 64 + x] = values[start] > 0.5 ? 1 : 0"),
        ("a.mlmodel", 3, {}, "for channel in 1..<3"),
        ("a.mlpackage", 3, {"output": "labels"}, "UInt8(values[y * strides[0] + x * strides[1]])"),
        ("a.mlpackage", 1, {"output": "image"}, "bytes[y * rowBytes + x] > 127 ? 1 : 0"),
        ("a.mlpackage", 3, {"output": "image"}, "ids[y * 64 + x] = bytes[y * rowBytes + x]\n"),
        ("a.tflite", 1, {}, "if (scores[i] > 0.5f) 1 else 0"),
        ("a.tflite", 3, {}, "(0 until 3).maxBy { scores[i * 3 + it] }.toByte()"),
        ("a.tflite", 1, {"steps": (1 / 256, 0)}, "if (scores[i].toUByte() > 128u) 1 else 0"),
        ("a.tflite", 3, {"steps": (1 / 256, 0)}, "maxBy { scores[i * 3 + it].toUByte() }"),
    ],
)
def test_the_code_takes_class_ids_as_this_export_needs(tmp_path, name, num_classes, options, line):
    text = written(tmp_path, name, num_classes, **options)
    sources = code(text, "kotlin" if name == "a.tflite" else "swift")
    assert len(sources) == (2 if name == "a.tflite" else 1)
    assert line in sources[0]
    for source in sources:
        assert "$" not in source  # every placeholder is filled
        for pair in ("()", "[]", "{}"):
            assert source.count(pair[0]) == source.count(pair[1])


def test_kotlin_code_says_that_its_bytes_are_signed(tmp_path):
    for count, warns in ((128, False), (129, True)):
        classes = [f"class {number}" for number in range(count)]
        classes = Classes(tuple(classes), ((0, 0, 0),) * count)
        contract.write(tmp_path / "a.tflite", Interface(IMG_SIZE, IMG_SIZE, classes))
        text = (tmp_path / "a.tflite.contract.md").read_text()
        assert ("read ids from 128 on with toUByte(): 64 x 32 bytes" in text) == warns


def test_a_smaller_output_has_its_own_size_in_the_code(tmp_path):
    kotlin, _ = code(written(tmp_path, "a.tflite", 3, (8, 16)), "kotlin")
    assert "IntArray(64 * 32)" in kotlin  # what goes in
    assert "ByteArray(16 * 8)" in kotlin  # what comes out


@pytest.mark.parametrize("output", ["labels", "image"])
def test_ids_and_grayscale_images_have_the_size_of_the_input_whatever_the_size_of_the_scores(
    tmp_path, output
):
    text = written(tmp_path, "a.mlpackage", 3, (8, 16), output=output)
    assert ("int32 [32, 64]" if output == "labels" else "of 64 x 32 pixels, the class") in text
    assert "ids[y * 64 + x]" in text
