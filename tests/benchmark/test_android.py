"""Measuring on a phone, of which a script in place of adb plays the part."""

import pytest

from segmentation.benchmark import android
from segmentation.errors import InputError


@pytest.fixture
def models(tmp_path):
    paths = [tmp_path / "a.tflite", tmp_path / "b.tflite"]
    for path in paths:
        path.write_bytes(bytes(2_000_000))
    return paths


def test_files_are_pushed_run_in_turn_read_and_removed(phone, models, tmp_path):
    log = phone()
    tool = tmp_path / "android_aarch64_benchmark_model"
    tool.write_bytes(b"")
    device, (first, second) = android.measure(models, threads=2, rounds=2, tool=tool)
    assert device == "Phone 1, Android 15, arm64-v8a"
    # Microseconds of the second line of counts: that of the runs that count.
    assert first["milliseconds"] == {"median": 2.0, "min": 1.5, "p90": 2.0}
    assert second["milliseconds"] == {"median": 3.1, "min": 2.9, "p90": 3.1}  # an average
    assert (first["ratio"], second["ratio"], second["megabytes"]) == (1.0, 1.55, 2.0)
    assert first["peak_memory_mb"] == 12.3
    lines = log.read_text().splitlines()
    assert f"push {tool} {android.FOLDER}/benchmark_model" in lines
    assert f"push {models[1]} {android.FOLDER}/1.tflite" in lines
    timed = [line for line in lines if "--num_runs" in line]
    assert [line.partition("/0.tflite")[1] != "" for line in timed] == [True, False, True, False]
    assert timed[0] == (
        f"shell {android.FOLDER}/benchmark_model --graph={android.FOLDER}/0.tflite --num_threads=2 "
        "--warmup_runs=3 --num_runs=5 --warmup_min_secs=0 --min_secs=0"
    )
    assert lines[-1] == f"shell rm -rf {android.FOLDER}"


def test_a_tool_on_the_device_is_used(phone, models):
    log = phone()
    android.measure(models, threads=1, rounds=1)
    lines = log.read_text().splitlines()
    assert not [line for line in lines if line.endswith("/benchmark_model") and "push" in line]
    assert f"shell {android.INSTALLED} --graph={android.FOLDER}/0.tflite" in "\n".join(lines)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (
            {"state": "echo 'error: no devices/emulators found' >&2; exit 1"},
            r"^--adb: no device to measure on \(no devices/emulators found\); .*USB debugging",
        ),
        ({"state": "echo unauthorized"}, r"no device to measure on \(unauthorized\)"),
        ({"installed": 1}, "has no /data/local/tmp/benchmark_model; download https://.*adb_benchm"),
        (
            {"first": "echo 'ERROR: Benchmarking failed.'; exit 1"},
            r"a.tflite: does not run on the device \(benchmark_model: ERROR: Bench.* failed.\)",
        ),
    ],
)
def test_what_is_missing_is_one_line(phone, models, answers, message):
    phone(**answers)
    with pytest.raises(InputError, match=message) as error:
        android.measure(models, threads=1, rounds=1)
    assert "\n" not in str(error.value)


def test_without_adb_the_line_says_what_to_install(models, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="^--adb: there is no adb; install .*platform-tools"):
        android.measure(models, threads=1, rounds=1)
