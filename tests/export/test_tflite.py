"""A `.tflite` by its options: half and quarter size, a background, and what it says of itself."""

import dataclasses
import json
import shutil

import flatbuffers
import keras
import numpy as np
import pytest
from PIL import Image

import evaluate
import tf_converter
from segmentation import files, model_card
from segmentation.data import arrays, labels
from segmentation.data.classes import Classes
from segmentation.errors import ExportError, InputError
from segmentation.evaluation import measure
from segmentation.export import parity, tensorflow
from segmentation.export.job import Exporter
from segmentation.export.options import Options
from segmentation.inference import predictor, tflite
from segmentation.probabilities import to_mask, upsample
from tiny_models import HAIR, IMG_SIZE, blank_model, save

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="the exports are traced by TensorFlow"
    ),
]
NAMES = ("float16", "int8", "two")


@pytest.fixture(scope="module")
def folder(trained, swept, tmp_path_factory):
    """The folder of `float16.tflite`, `int8.tflite` and, with a background, `two.tflite`."""
    folder = tmp_path_factory.mktemp("tflite")
    for name in ("float16", "int8"):
        shutil.copy(swept.folder / f"hair_{name}.tflite", folder / f"{name}.tflite")
        shutil.copy(swept.folder / f"hair_{name}.json", folder / f"{name}.json")
    options = ["--format", "tflite", "--two_channels", "--output_fn", "two", "-o", str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("KERAS_BACKEND", "CUDA_VISIBLE_DEVICES"):  # which the command sets
            patch.setenv(name, "")
        assert tf_converter.main([str(trained / "hair.keras"), *options]) == 0
    return folder


def test_a_file_alone_can_be_measured(folder, tmp_path, images, expected, capsys):
    shutil.copy(folder / "float16.tflite", tmp_path / "alone.tflite")
    np.save(tmp_path / "images-32x64.npy", images)
    np.save(tmp_path / "masks-32x64.npy", to_mask(expected))
    labels.write(tmp_path / "labels.txt", ["background", "hair"])
    evaluate.main(
        [str(tmp_path / "alone.tflite"), "--img_file", str(tmp_path / "images-32x64.npy")]
    )
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["classes"] == ["background", "hair"] and 0.98 < found["iou"]["hair"] <= 1


def test_a_mask_that_shows_nothing_proves_nothing_of_int8(tmp_path, images, capsys):
    path = save(blank_model(), tmp_path / "hair.keras")
    np.save(tmp_path / "photos.npy", images)
    options = ["--quantize", "int8", "--calibration_images", str(tmp_path / "photos.npy")]
    assert tf_converter.main([str(path), "--format", "tflite", *options]) == 1
    said = capsys.readouterr().err
    assert "give --check_images that show more" in said and "earlier" not in said
    assert not (tmp_path / "hair.tflite").exists()


def test_an_earlier_export_beside_one_that_failed_is_named(small, tmp_path, monkeypatch):
    monkeypatch.setattr(tensorflow, "to_tflite", failing)
    (tmp_path / "a.tflite").write_bytes(b"earlier")
    with pytest.raises(ExportError, match="differs; the a.tflite .* of an earlier run: remove"):
        Exporter(small, HAIR).write(tmp_path / "a.tflite", Options())
    assert (tmp_path / "a.tflite").read_bytes() == b"earlier"


def failing(*_):
    raise ExportError("differs")


def details(path):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    return interpreter.get_input_details()[0], interpreter.get_output_details()[0]


def test_float16_halves_the_file_and_keeps_its_limits(folder, model, images, expected):
    found = predictor.load(folder / "float16.tflite")(images)
    assert 1e-5 < np.abs(found - expected).max() <= 2e-2
    parity.require(parity.compare(expected, found), "float16", "float16.tflite")
    assert details(folder / "float16.tflite")[0]["dtype"] == np.float32
    parameters = model.count_params()
    assert 2 * parameters < files.size(folder / "float16.tflite") < 2.3 * parameters


def test_int8_takes_the_bytes_of_an_image_and_gives_bytes(folder, images, expected):
    source, target = details(folder / "int8.tflite")
    assert source["dtype"] == target["dtype"] == np.uint8
    assert source["quantization"] == (pytest.approx(1), 0)  # or an app would have to convert
    assert target["quantization"] == (pytest.approx(1 / 256), 0)
    found = predictor.load(folder / "int8.tflite")(images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found * 256, np.rint(found * 256), atol=1e-3)
    assert 0.2 < np.mean(expected > 0.5) < 0.8
    assert 0.9 < parity.compare(expected, found)["decided_iou"]
    assert np.abs(found - expected).mean() < 0.05


def test_dark_images_leave_the_input_of_int8_at_0_to_255(tmp_path):
    image = keras.Input((*IMG_SIZE, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    model = keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid")(x))
    dark = np.full((3, *IMG_SIZE, 3), 40, np.uint8)
    tensorflow.to_tflite(model, tmp_path / "a.tflite", HAIR, Options("int8", calibration=dark))
    assert details(tmp_path / "a.tflite")[0]["quantization"] == (pytest.approx(1), 0)
    assert (dark == 40).all()  # the caller's images stay as they are


def test_a_background_comes_before_the_class_and_its_probability_is_the_rest(
    folder, images, expected
):
    found = predictor.load(folder / "two.tflite")(images)
    np.testing.assert_allclose(found, np.concatenate([1 - expected, expected], -1), atol=1e-5)


def test_a_background_shares_the_card_of_the_model_and_is_measured_by_it(folder):
    predict, names = predictor.load(folder / "two.tflite"), ["background", "hair"]
    assert model_card.read(folder / "two.tflite")["classes"] == ["hair"]
    assert list(predict.classes.names) == predict.card["classes"] == names
    assert predict.classes.colors == ((0, 0, 0), (255, 0, 0))
    # Evaluation matches its class by name, also where training ignored the background's pixels.
    data = arrays.Arrays(None, None, [], [], ["background", "face", "hair"])
    for ignored, table in ((None, [0, 0, 1]), ("background", [labels.IGNORED, 0, 1])):
        predict.classes = dataclasses.replace(predict.classes, ignored=ignored)
        found = measure.match_classes(predict, data)
        assert list(found.id_names) == names and found.table[:3].tolist() == table


def test_a_model_of_several_classes_has_a_background_already(tmp_path):
    image = keras.Input((*IMG_SIZE, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    model = keras.Model(image, keras.layers.Conv2D(3, 1, activation="softmax")(x))
    path = save(model, tmp_path / "parts.keras")
    with pytest.raises(InputError, match="predicts background, hair, face; --two_channels is"):
        tf_converter.main([str(path), "--format", "tflite", "--two_channels"])
    assert not (tmp_path / "parts.tflite").exists()


def test_a_file_without_a_card_says_itself_what_its_classes_are(folder, tmp_path):
    for name, classes in (("int8", ["hair"]), ("two", ["background", "hair"])):
        shutil.copy(folder / f"{name}.tflite", tmp_path)
        predict = predictor.load(tmp_path / f"{name}.tflite")
        assert predict.named and predict.card is None
        assert predict.classes == Classes.of_names(classes)


def test_a_card_of_another_class_does_not_fit_a_file_with_a_background(folder, tmp_path):
    shutil.copy(folder / "two.tflite", tmp_path)
    card = {"img_size": IMG_SIZE, "classes": ["face"], "colors": [[0, 255, 0]]}
    model_card.write(tmp_path / "two.tflite", card)
    with pytest.raises(InputError, match="two.json: this card is of another model"):
        predictor.load(tmp_path / "two.tflite")


@pytest.mark.parametrize("content", [b"no archive", b"PK\x05\x06" + bytes(18)])
def test_files_of_another_origin_say_nothing(tmp_path, content):
    (tmp_path / "a.tflite").write_bytes(content)
    assert tflite.read_metadata(tmp_path / "a.tflite") == {}


def test_what_the_file_says_about_its_making(folder):
    found = {name: tflite.read_metadata(folder / f"{name}.tflite") for name in NAMES}
    assert {name: each["precision"] for name, each in found.items()} == {
        "float16": "float16",
        "int8": "int8",
        "two": "float32",
    }
    assert [each["calibration_pictures"] for each in found.values()] == [0, 12, 0]


class Table:
    """A table of any flatbuffer, read by slot, as the schema counts its fields."""

    def __init__(self, data, position):
        self.table = flatbuffers.table.Table(data, position)

    @classmethod
    def root(cls, data, identifier):
        assert data[4:8] == identifier
        return cls(data, int.from_bytes(data[:4], "little"))

    def _at(self, slot):
        offset = self.table.Offset(4 + 2 * slot)
        assert offset, f"slot {slot} is empty"
        return offset + self.table.Pos

    def text(self, slot):
        return self.table.String(self._at(slot)).decode()

    def code(self, slot):
        return self.table.Get(flatbuffers.number_types.Uint8Flags, self._at(slot))

    def child(self, slot):
        return Table(self.table.Bytes, self.table.Indirect(self._at(slot)))

    def numbers(self, slot, dtype):
        return np.frombuffer(
            self.table.Bytes,
            dtype,
            self.table.VectorLen(self._at(slot) - self.table.Pos),
            self.table.Vector(self._at(slot) - self.table.Pos),
        )

    def only(self, slot):
        """The one table in a vector of tables."""
        assert self.table.VectorLen(self._at(slot) - self.table.Pos) == 1
        start = self.table.Vector(self._at(slot) - self.table.Pos)
        return Table(self.table.Bytes, self.table.Indirect(start))


def test_the_metadata_follow_the_schema_that_mediapipe_reads(folder):
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(folder / "int8.tflite"))
    (entry,) = [each for each in model.metadata if each.name == b"TFLITE_METADATA"]
    metadata = Table.root(bytes(model.buffers[entry.buffer].data), b"M001")
    assert metadata.text(1) == (
        "Segments hair in an RGB image of 64 x 32 pixels, stretched to this size. "
        "int8, calibrated on 12 images."
    )
    assert metadata.text(2) == "1" and metadata.text(4) == "mobile-semantic-segmentation"
    assert metadata.text(7) == "1.5.0"  # the first version with custom metadata
    assert metadata.only(6).text(0) == "segmentation.json"
    graph = metadata.only(3)
    source, target, custom = graph.only(2), graph.only(3), graph.only(9)
    assert (source.text(0), target.text(0)) == ("image", "output_0")
    assert source.child(3).code(0) == 2 and source.child(3).child(1).code(0) == 1  # an image, RGB
    process = source.only(4)
    assert process.code(0) == 1  # normalisation
    assert process.child(1).numbers(0, np.float32).tolist() == [0]
    assert process.child(1).numbers(1, np.float32).tolist() == [1]
    assert (target.only(6).text(0), target.only(6).code(2)) == ("labels.txt", 2)  # of the channels
    assert custom.text(0) == "SEGMENTER_METADATA"
    options = Table.root(bytes(custom.numbers(1, np.uint8)), b"V001")
    assert options.table.Offset(4) == 0  # the activation is the default, NONE
    assert options.text(1) == "1.0.0"


def test_the_names_stand_in_an_archive_that_is_not_compressed(folder):
    import zipfile

    with zipfile.ZipFile(folder / "two.tflite") as archive:
        assert archive.read("labels.txt").decode().splitlines() == ["background", "hair"]
        assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize("name", NAMES)
def test_tensors_stay_aligned_and_the_signature_stays(folder, name):
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter

    path = folder / f"{name}.tflite"
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    for index in range(model.BuffersLength()):
        table = model.Buffers(index)._tab
        if table.Offset(4):
            assert table.Vector(table.Offset(4)) % 16 == 0
    (signature,) = Interpreter(str(path)).get_signature_list().values()
    assert signature == {"inputs": ["image"], "outputs": ["output_0"]}


def test_calibration_takes_images_spread_over_all(tmp_path):
    rows = np.arange(201, dtype=np.uint8)[:, None, None, None]
    np.save(tmp_path / "images-8.npy", np.broadcast_to(rows, (201, 8, 8, 3)))
    found = tensorflow.calibration_images(tmp_path / "images-8.npy", (32, 64), count=5)
    assert found.shape == (5, 32, 64, 3) and found[:, 0, 0, 0].tolist() == [0, 50, 100, 150, 200]
    assert len(tensorflow.calibration_images(tmp_path / "images-8.npy", (8, 8))) == 100
    for level in range(3):
        Image.new("RGB", (10, 20), (level * 50,) * 3).save(tmp_path / f"{level}.png")
    found = tensorflow.calibration_images(tmp_path, (32, 64))
    assert found.shape == (3, 32, 64, 3) and found[:, 9, 9, 2].tolist() == [0, 50, 100]


def test_images_that_cannot_calibrate_are_a_mistake_of_the_user(tmp_path):
    np.save(tmp_path / "masks-8.npy", np.zeros((4, 8, 8), np.uint8))
    np.save(tmp_path / "images-8.npy", np.zeros((4, 8, 8, 3), np.float32))
    for name, message in (
        ("masks-8.npy", "has shape"),
        ("images-8.npy", "float32, not uint8"),
        ("none.npy", "no such file"),
        ("none", "not a readable folder"),
        ("", "no images in this folder"),
    ):
        with pytest.raises(InputError, match=message):
            tensorflow.calibration_images(tmp_path / name, (32, 64))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--calibration_images", "photos"], "--calibration_images goes with --quantize int8"),
        (["--quantize", "int8", "--calibration_images", "a", "--format", "pb"], "add tflite to"),
        (["--quantize", "float16", "--format", "pb", "saved_model"], "add tflite to --format"),
        (["--two_channels", "--format", "saved_model"], "add tflite to --format"),
        (["--quantize", "int4"], "invalid choice: 'int4'"),
    ],
)
def test_options_that_make_no_sense_exit_with_2(options, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        tf_converter.main(["hair.keras", *options])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_the_command_names_precision_and_calibration_and_leaves_other_formats_float32(
    trained, tmp_path, monkeypatch, capsys
):
    def write(model, temporary, classes, options):
        temporary.write_bytes(b"")

    monkeypatch.setattr(tensorflow, "to_tflite", write)
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (9, 9)).save(photos / "a.png")
    options = [
        "--quantize",
        "int8",
        "--calibration_images",
        str(photos),
        "--format",
        "pb",
        "tflite",
    ]
    out = tmp_path / "out"
    status = tf_converter.main([str(trained / "hair.keras"), *options, "--output_dir", str(out)])
    assert status == 1  # of the empty .tflite
    captured = capsys.readouterr()
    assert captured.err.splitlines()[0] == f"calibrating on 1 image of {photos}"
    result = json.loads(captured.out.splitlines()[-1])
    assert result["failed"] == [str(out / "hair.tflite")]
    assert [file["precision"] for file in result["files"]] == ["float32"]
    assert not (out / "hair.tflite").exists() and (out / "hair.pb").exists()


def test_int8_that_segments_otherwise_does_not_get_its_name():
    reference = np.zeros((1, 10, 20, 1), np.float32)
    reference[:, :5] = 0.9  # 100 pixels
    export = reference.copy()
    export[0, 0, :10] = 0.4
    parity.require(parity.compare(reference, export), "full_int8", "a.tflite")  # 0.9
    export[0, 0, 10] = 0.4
    with pytest.raises(ExportError, match="IoU over confident pixels 0.8900 .limit 0.9."):
        parity.require(parity.compare(reference, export), "full_int8", "a.tflite")


def segment(path, image):
    """Run MediaPipe's ImageSegmenter; return its labels, confidences (h, w, C) and categories."""
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageSegmenterOptions(
        base_options=BaseOptions(model_asset_path=str(path)),
        output_category_mask=True,
        output_confidence_masks=True,
    )
    with vision.ImageSegmenter.create_from_options(options) as segmenter:
        names = list(segmenter.labels)
        data = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
        found = segmenter.segment(data)
        # Copies: the views end with the result.
        confidences = [
            mask.numpy_view().reshape(image.shape[:2]) for mask in found.confidence_masks
        ]
        categories = found.category_mask.numpy_view().reshape(image.shape[:2]).copy()
        return names, np.stack(confidences, axis=-1), categories


@pytest.mark.parametrize("name", NAMES)
def test_mediapipe_gives_what_we_give(folder, images, name):
    pytest.importorskip("mediapipe", reason="mediapipe is not installed: make test_all")
    predict = predictor.load(folder / f"{name}.tflite")
    for image, ours in zip(images, predict(images), strict=True):
        names, confidences, categories = segment(folder / f"{name}.tflite", image)
        assert (
            names
            == list(predict.classes.names)
            == (["background", "hair"] if name == "two" else ["hair"])
        )
        np.testing.assert_allclose(confidences, ours, atol=1e-6)
        mask = to_mask(ours)
        if name == "two":
            np.testing.assert_array_equal(categories, mask)
        else:  # MediaPipe marks what a single class leaves over
            np.testing.assert_array_equal(categories, np.where(mask, 0, 255))


def test_mediapipe_downsamples_without_antialiasing(folder, images):
    pytest.importorskip("mediapipe", reason="mediapipe is not installed: make test_all")
    # Of each 4 x 4 pixels three in four rows and columns are noise that it does not look at.
    large = np.random.default_rng(0).integers(0, 256, (128, 256, 3), dtype=np.uint8)
    large[::4, ::4] = images[0]
    _, confidences, _ = segment(folder / "float16.tflite", large)
    ours = predictor.load(folder / "float16.tflite")(images[:1])[0]
    np.testing.assert_allclose(confidences, upsample(ours, (128, 256)), atol=1e-5)
