"""`--app`: a project to open, with the model, its classes and colours inside."""

import hashlib
import json
import shutil

import keras
import pytest

import coreml_converter
import tf_converter
from segmentation.data.classes import Classes
from segmentation.errors import InputError
from segmentation.export import apps
from segmentation.inference import predictor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="the exports are traced by TensorFlow"
    ),
]


def assets(app):
    return app / "app/src/main/assets"


def names(folder):
    """What a folder holds, as it is found after a command that may not leave half of it."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def kit(tmp_path):
    (tmp_path / "parity").mkdir()
    (tmp_path / "parity/manifest.json").write_text("{}")
    return tmp_path / "parity"


def test_an_android_app_holds_the_file_that_was_checked(trained, tmp_path, capsys):
    app, out = tmp_path / "app", tmp_path / "out"
    command = [trained / "hair.keras", "--format", "tflite", "--app", app, "-o", out]
    command += ["--parity_kit"]
    assert tf_converter.main(list(map(str, command))) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"{app}: an app that runs hair.tflite, float16" in lines
    result = json.loads(lines[-1])
    assert result["app"] == str(app) and result["files"][0]["precision"] == "float16"
    assert names(tmp_path) == ["app", "out"] and names(assets(app)) == [
        "kit",
        "model.json",
        "model.tflite",
    ]
    manifest = (assets(app) / "kit/manifest.json").read_bytes()
    assert manifest == (out / "hair.tflite.kit/manifest.json").read_bytes()
    content = (assets(app) / "model.tflite").read_bytes()
    assert content == (out / "hair.tflite").read_bytes()
    assert json.loads((assets(app) / "model.json").read_text()) == {
        "name": "hair.tflite",
        "precision": "float16",
        "sha256": hashlib.sha256(content).hexdigest(),
        "input": {"height": 32, "width": 64, "channels": 3, "dtype": "float32"},
        "output": {"height": 32, "width": 64, "channels": 1, "dtype": "float32"},
        "classes": [
            {"name": "none", "color": "#00000000"},
            {"name": "hair", "color": "#80ff0000"},
        ],
    }
    for file in ("settings.gradle.kts", "app/build.gradle.kts", "app/src/main/AndroidManifest.xml"):
        assert (app / file).read_bytes() == (apps.TEMPLATES / "android" / file).read_bytes()


def test_uint8_tensors_come_with_their_steps_and_the_kit_with_the_model(swept, tmp_path, kit):
    export = tmp_path / "hair.tflite"
    shutil.copy(swept.folder / "hair_int8.tflite", export)
    apps.write(tmp_path / "app", "android", export, "int8", kit)
    card = json.loads((assets(tmp_path / "app") / "model.json").read_text())
    assert card["input"]["dtype"] == card["output"]["dtype"] == "uint8"
    assert (card["input"]["scale"], card["input"]["zero_point"]) == (1.0, 0)
    assert 0 < card["output"]["scale"] < 1 / 200
    assert names(assets(tmp_path / "app") / "kit") == ["manifest.json"]


@pytest.mark.parametrize(("first", "alpha"), [("background", 0), ("None ", 0), ("road", 0x80)])
def test_only_a_background_is_transparent(first, alpha):
    classes = Classes((first, "hair"), ((1, 2, 3), (255, 0, 0)))
    colors = [each["color"] for each in apps.coloured(classes)]
    assert colors == ["#80010203" if alpha else "#00000000", "#80ff0000"]


def test_an_ios_app_holds_the_package(package, tmp_path, kit, capsys):
    app = tmp_path / "app"
    command = [package.folder / "hair.keras", tmp_path / "out/hair.mlpackage", "--app", app]
    coreml_converter.main(list(map(str, command)))
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["app"] == str(app)
    copy = app / "Segmentation" / "Model.mlpackage"
    assert predictor.load(copy).classes.names == ("hair",)
    card = json.loads((app / "Segmentation" / "model.json").read_text())
    assert card == {
        "name": "hair.mlpackage",
        "precision": "float16",
        "classes": [
            {"name": "none", "color": "#00000000"},
            {"name": "hair", "color": "#80ff0000"},
        ],
    }
    assert (app / "Segmentation.xcodeproj/project.pbxproj").is_file()
    apps.write(tmp_path / "second", "ios", tmp_path / "out/hair.mlpackage", "float16", kit)
    assert names(tmp_path / "second/kit") == ["README.txt", "manifest.json"]


@pytest.mark.parametrize(
    "command", [tf_converter, coreml_converter], ids=lambda each: each.__name__
)
def test_a_folder_that_is_in_the_way_is_refused_before_anything_is_written(
    trained, tmp_path, command
):
    shutil.copytree(trained, tmp_path / "model")
    before = names(tmp_path / "model")
    with pytest.raises(InputError, match="in the way of the app"):
        command.main([str(tmp_path / "model/hair.keras"), "--app", str(tmp_path / "model")])
    assert names(tmp_path / "model") == before


def test_the_app_and_the_exports_have_folders_of_their_own(trained, tmp_path):
    app = str(tmp_path / "app")
    with pytest.raises(InputError, match="folder of its own"):
        tf_converter.main([str(trained / "hair.keras"), "--app", app, "-o", app])
    assert not names(tmp_path)


def test_no_app_is_made_of_an_export_that_fails_its_check(trained, tmp_path, monkeypatch, capsys):
    from segmentation.export import parity

    monkeypatch.setitem(parity.LIMITS, "float16", (0.0, 1.0))
    command = [trained / "hair.keras", "--format", "tflite", "--app", tmp_path / "app"]
    assert tf_converter.main([*map(str, command), "-o", str(tmp_path / "out")]) == 1
    assert "app" not in json.loads(capsys.readouterr().out.splitlines()[-1])
    assert not (tmp_path / "app").exists()


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        (tf_converter, ["--format", "pb"], "--app runs the .tflite"),
        (tf_converter, ["--ladder", "l"], "--ladder writes every precision: omit --app"),
        (coreml_converter, ["--output", "labels"], "--app takes the scores"),
        (coreml_converter, ["hair.mlmodel"], "--app takes a .mlpackage"),
    ],
)
def test_options_that_an_app_cannot_have_are_refused(command, options, message, capsys):
    with pytest.raises(SystemExit):
        command.parse_args(["hair.keras", *options, "--app", "x"])
    assert message in capsys.readouterr().err
