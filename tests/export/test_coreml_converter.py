"""The Core ML command: its arguments, and the line that each mistake gets."""

import pytest

import coreml_converter
from segmentation.errors import InputError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.keras"], "missing.keras: no such file"),
        (["text.keras"], "text.keras: not a readable model"),
        (["text.txt"], "only .keras and .h5"),
        (["text.keras", "a.mlpack"], "a.mlpack: .* NAME.mlpackage"),
        (["text.keras", "folder.mlpackage"], "folder.mlpackage: exists and is not an export"),
        (["text.keras", "-o", "file.mlpackage"], "file.mlpackage: exists and is not an export"),
    ],
)
def test_mistakes_get_a_line_each(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    for name in ("text.keras", "text.txt", "file.mlpackage"):
        (tmp_path / name).write_text("text")
    (tmp_path / "folder.mlpackage").mkdir()
    with pytest.raises(InputError, match=message) as failure:
        coreml_converter.main(arguments)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a.keras", "b.mlpackage", "-o", "c.mlpackage"],
        ["a.keras", "b.mlpackage", "-i", "c.h5"],
        ["a.keras", "--quantize", "palette6", "--target", "iOS15"],
        ["a.keras", "b.mlmodel", "--quantize", "float16"],
        ["a.keras", "b.mlmodel", "--output", "labels"],
        ["a.keras", "b.mlmodel", "--target", "iOS16"],
        ["a.keras", "--labels", "labels.txt"],
    ],
)
def test_what_contradicts_itself_or_is_missing_is_an_argument_error(arguments):
    with pytest.raises(SystemExit) as failure:
        coreml_converter.parse_args(arguments)
    assert failure.value.code == 2


def test_input_and_output_can_be_given_either_way():
    expected = ("a.h5", "b.mlpackage")
    for arguments in (
        ["a.h5", "b.mlpackage"],
        ["-i", "a.h5", "-o", "b.mlpackage"],
        ["-i", "a.h5", "b.mlpackage"],
        ["a.h5", "--output_model_path", "b.mlpackage"],
        ["--input-model-path=a.h5", "b.mlpackage"],
    ):
        args = coreml_converter.parse_args(arguments)
        assert (str(args.model), str(args.package)) == expected
    assert str(coreml_converter.parse_args(["runs/a.keras"]).package) == "runs/a.mlpackage"
