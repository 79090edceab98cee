"""benchmark.py from the command line to its last line."""

import json

import pytest

import benchmark
from segmentation.cli import terminal


def stopped(arguments):
    with pytest.raises(SystemExit) as end:
        terminal.run(lambda: benchmark.main([str(argument) for argument in arguments]))
    return end.value.code


def test_two_files_are_measured_shown_and_written(foreign, own, tmp_path, capsys):
    out = tmp_path / "costs" / "costs.json"
    arguments = [str(own), str(foreign), "--rounds", "1", "--ops", "-o", str(out)]
    benchmark.main(arguments)
    captured = capsys.readouterr()
    result = json.loads(captured.out.splitlines()[-1])
    assert (result["threads"], result["rounds"]) == (1, 1) and result["device"]
    first, second = result["rows"]
    assert first["precision"] == "float32" and second["precision"] is None
    assert first["ops"][0]["share"] >= first["ops"][-1]["share"]
    assert "outside of it: REVERSE_SEQUENCE" in captured.out
    assert "GPU delegate: a kernel for every op (" in captured.out
    assert "GPU delegate: no kernel for REVERSE_SEQUENCE (" in captured.out
    command = " ".join(["python benchmark.py", *arguments])
    assert json.loads(out.read_text()) == {"command": command} | result
    benchmark.main(arguments)  # a file of its own is replaced


def test_on_a_phone(phone, tmp_path, capsys):
    phone()
    path = tmp_path / "a [old].tflite"
    path.write_bytes(b"")
    benchmark.main([str(path), "--adb", "--rounds", "1"])
    captured = capsys.readouterr()
    result = json.loads(captured.out.splitlines()[-1])
    assert result["device"].startswith("Phone 1, ")
    assert result["rows"][0]["milliseconds"]["median"] == 2
    assert captured.out.startswith("Phone 1, Android 15, arm64-v8a; LiteRT benchmark_model; ")


def test_a_model_card_is_not_overwritten(tmp_path, capsys):
    model, card = tmp_path / "hair.tflite", tmp_path / "hair.json"
    model.write_bytes(b"")
    card.write_text('{"network": "mobile_unet"}')
    assert stopped([model, "-o", card]) == 2
    assert "hair.json: exists and is not of benchmark.py" in capsys.readouterr().err
    assert card.read_text() == '{"network": "mobile_unet"}'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.tflite", "--ops", "--adb"], "--ops measures on this computer"),
        (["a.tflite", "--adb_benchmark", "tool"], "--adb_benchmark goes with --adb"),
        (["a.tflite", "b.keras", "--ops"], "are for .tflite files, and b.keras is none"),
        (["a.tflite", "-o", "costs.txt"], "name a file that ends in .json, not costs.txt"),
        (["a.tflite"], "error: a.tflite: no such file"),
        (["a.tflite", "--rounds", "0"], "'0': expected an integer ≥ 1"),
        ([], "the following arguments are required: models"),
    ],
)
def test_mistakes_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert stopped(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1 and not captured.out
