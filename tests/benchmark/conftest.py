"""Two `.tflite` files of unlike origin, and what stands in for a phone."""

import os
import stat

import pytest


@pytest.fixture(scope="session")
def foreign(tmp_path_factory):
    """A `.tflite` of others, without metadata: float images of 32x64 px and a scale, two outputs.

    Its ops are CONV_2D, RELU6 (fused into it) and MUL, which XNNPACK runs, REVERSE_SEQUENCE between
    them, which neither XNNPACK nor the GPU delegate has, and LOGISTIC.
    """
    import tensorflow as tf

    kernel = tf.constant([[[[0.5] * 8] * 3]])

    @tf.function(input_signature=[tf.TensorSpec((1, 32, 64, 3)), tf.TensorSpec((1,))])
    def graph(image, scale):
        features = tf.nn.relu6(tf.nn.conv2d(image, kernel, 1, "SAME"))
        mirrored = tf.reverse_sequence(features, [7], seq_axis=2, batch_axis=0)
        return tf.sigmoid(mirrored * scale), scale + 1

    path = tmp_path_factory.mktemp("foreign") / "foreign.tflite"
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph.get_concrete_function()])
    path.write_bytes(converter.convert())
    return path


@pytest.fixture(scope="session")
def own(tmp_path_factory):
    """A `.tflite` as our converter writes it, all of which XNNPACK runs."""
    import keras

    from segmentation.export.tensorflow import to_tflite
    from tiny_models import HAIR, small_net

    if keras.backend.backend() != "tensorflow":
        pytest.skip("the exports are traced by TensorFlow")
    path = tmp_path_factory.mktemp("own") / "own.tflite"
    to_tflite(small_net(), path, HAIR)
    return path


ADB = """#!/bin/sh
echo "$@" >> "{log}"
case "$*" in
get-state) {state} ;;
"shell getprop ro.product.model") echo "Phone 1" ;;
"shell getprop ro.build.version.release") echo 15 ;;
"shell getprop ro.product.cpu.abi") echo arm64-v8a ;;
"shell test "*) exit {installed} ;;
*--report_peak_memory_footprint=true*)
    echo "Overall peak memory footprint (MB) via periodic monitoring: 12.345" ;;
*--graph=*/0.tflite*) {first} ;;
*--graph=*/1.tflite*)
    echo "INFO: count=3 first=9000 curr=9000 min=9000 max=9100 avg=9050 std=1" >&2
    echo "INFO: count=5 first=3000 curr=3200 min=2900 max=3300 avg=3100 std=1" >&2 ;;
esac
"""
FIRST = (
    'echo "count=3 first=9000 curr=9000 min=8000 max=9100 avg=9050 std=1 p5=1 median=9 p95=9"; '
    'echo "count=5 first=1 curr=1 min=1500 max=3000 avg=2100 std=1 p5=1500 median=2000 p95=3000"'
)


@pytest.fixture
def phone(tmp_path, monkeypatch):
    """A function that puts an `adb` on PATH that answers as told, and returns its log."""

    def connect(state="echo device", installed=0, first=FIRST):
        folder = tmp_path / "platform-tools"
        folder.mkdir()
        log = tmp_path / "adb.log"
        script = folder / "adb"
        script.write_text(ADB.format(log=log, state=state, installed=installed, first=first))
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return log

    return connect
