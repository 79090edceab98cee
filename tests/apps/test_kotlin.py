"""The Kotlin of the app and of the contracts: compiled, and what needs no phone is run.

The compiler is the one that the package kotlin-jupyter-kernel carries. Android, CameraX and LiteRT
are stubs here: that the app starts on a phone is not tested.
"""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from segmentation.data import image_io
from segmentation.data.classes import Classes
from segmentation.export import contract, parity
from segmentation.export.interface import Interface
from segmentation.inference import tflite
from segmentation.probabilities import to_mask

pytestmark = pytest.mark.long

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SOURCES = sorted((ROOT / "apps/android/app/src/main/kotlin").rglob("*.kt"))
SELF_TEST = ("Parity.kt", "SelfTest.kt")
PARTS = Classes(("background", "hair", "face"), ((0, 0, 0), (255, 0, 0), (0, 255, 0)))
HAIR = Classes(("hair",), ((255, 0, 0),))
CONTRACTS = [(HAIR, None), (HAIR, (1 / 256, 0)), (PARTS, None), (PARTS, (1 / 256, 0))]
# Frame height and width, bytes of padding, result height and width, rotation: down, up, one of
# each, neither, thirty times, and a height far more than a width, of which Pillow 13 resizes the
# rows first.
FRAMES = [
    *[(48, 64, 0, 32, 32, rotation) for rotation in (0, 90, 180, 270)],
    *[(37, 53, 12, 64, 32, rotation) for rotation in (0, 90, 180, 270)],
    (20, 30, 8, 64, 96, 270),
    (32, 64, 0, 32, 64, 0),
    (480, 640, 64, 16, 32, 90),
    *[(96, 72, 0, 32, 64, rotation) for rotation in (0, 180)],
    (72, 96, 0, 32, 64, 90),
]


@pytest.fixture(scope="module")
def kotlin():
    """The path of java and the folder with the compiler's jars."""
    package, java = importlib.util.find_spec("run_kotlin_kernel"), shutil.which("java")
    if package is None or java is None:
        pytest.skip("kotlin-jupyter-kernel or java is not installed: make test_all")
    (folder,) = package.submodule_search_locations
    return java, Path(folder) / "jars"


def contracts(folder):
    """Write the Kotlin of contracts, a package each, as all have a function of one name."""
    for number, (classes, steps) in enumerate(CONTRACTS):
        contract.write(folder / "a.tflite", Interface((32, 64), (8, 16), classes, steps=steps))
        text = (folder / "a.tflite.contract.md").read_text()
        for part, code in enumerate(re.findall(r"```kotlin\n(.*?)```", text, re.S)):
            path = folder / f"contract_{number}_{part}.kt"
            path.write_text(f"package contract_{number}_{part}\n\n{code}")
            yield path


@pytest.fixture(scope="module")
def compiled(kotlin, tmp_path_factory):
    """The folder of what the compiler made of everything."""
    java, jars = kotlin
    folder = tmp_path_factory.mktemp("kotlin")
    stubs = re.split(r"(?m)^(?=package )", (HERE / "android_stubs.kt").read_text())[1:]
    for number, stub in enumerate(stubs):
        (folder / f"stub_{number}.kt").write_text(stub)
    code = [*contracts(folder), *SOURCES, HERE / "Drive.kt"]
    (library,) = jars.glob("kotlin-stdlib-*.jar")
    done = subprocess.run(
        [java, "-cp", f"{jars}/*", "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib"]
        + ["-no-reflect", "-cp", library, "-d", folder / "classes"]
        + [*folder.glob("stub_*.kt"), *code],
        capture_output=True,
        text=True,
    )
    about = [line for line in done.stderr.splitlines() if re.search(r"\.kt:\d+:\d+: ", line)]
    assert not [line for line in about if "/stub_" not in line]  # neither errors nor warnings
    assert not done.returncode, done.stderr
    return folder / "classes"


@pytest.fixture(scope="module")
def drive(kotlin, compiled, tmp_path_factory):
    """What runs Drive.kt: a function of files by name and lines, to the results by name."""
    java, jars = kotlin
    (library,) = jars.glob("kotlin-stdlib-*.jar")

    def run(files, lines):
        folder = tmp_path_factory.mktemp("drive")
        for name, content in files.items():
            if isinstance(content, np.ndarray):
                np.save(folder / name, content)
            else:
                (folder / name).write_bytes(content)
        (folder / "script.txt").write_text("\n".join(lines))
        subprocess.run([java, "-cp", f"{compiled}:{library}", "DriveKt", folder], check=True)
        return {path.stem: path.read_bytes() for path in folder.glob("*.result")}

    return run


def test_the_app_and_the_contracts_compile(compiled):
    assert (compiled / "segmentation/app/MainActivity.class").is_file()
    assert (compiled / "contract_3_1").is_dir()


def test_frames_are_turned_and_shrunk_to_the_bit_as_training_images_are(drive):
    generator = np.random.default_rng(0)
    files, lines, expected = {}, [], {}
    for number, (high, wide, padding, height, width, rotation) in enumerate(FRAMES):
        stride = 4 * wide + padding
        frame = generator.integers(0, 256, (high, stride), dtype=np.uint8)
        files[f"f{number}"] = frame.tobytes()
        lines.append(f"shrink f{number} {width} {height} {wide} {high} {stride} {rotation}")
        rgb = frame[:, : 4 * wide].reshape(high, wide, 4)[..., :3]
        upright = np.ascontiguousarray(np.rot90(rgb, -rotation // 90))
        expected[f"f{number}"] = image_io.resize(upright, (height, width))
    found = drive(files, lines)
    assert found.keys() == expected.keys()
    for name, image in expected.items():
        assert found[name] == image.tobytes(), FRAMES[int(name[1:])]


def test_class_ids_are_those_of_the_toolkit(drive):
    generator = np.random.default_rng(1)
    files = {
        "one.npy": np.float32([[[0.5], [0.50001], [0.1], [0.9]]]),
        "ties.npy": np.float32([[[0.4, 0.4, 0.2], [0.2, 0.4, 0.4]]]),
        "many.npy": generator.random((5, 7, 200), dtype=np.float32),
    }
    found = drive(files, [f"ids {name}" for name in files])
    for name, scores in files.items():
        assert found[name] == to_mask(scores).tobytes()


@pytest.mark.parametrize("channels", [1, 3])
def test_the_self_test_measures_as_the_converter_does(drive, channels):
    generator = np.random.default_rng(2)
    files, pairs = {}, []
    for number in range(2):
        expected = generator.dirichlet(np.ones(max(channels, 2)), (9, 11)).astype(np.float32)
        expected = expected[..., :channels]
        found = np.clip(expected + generator.normal(0, 0.05, expected.shape), 0, 1)
        files |= {f"e{number}.npy": expected, f"f{number}.npy": found.astype(np.float32)}
        pairs.append((expected, found.astype(np.float32)))
    line = "compare all " + " ".join(files)
    difference, mask_iou, decided_iou = map(float, drive(files, [line])["all"].split())
    wanted = parity.compare(*zip(*pairs, strict=True))
    assert difference == pytest.approx(wanted["largest_difference"], rel=1e-6)
    assert mask_iou == pytest.approx(wanted["mask_iou"], rel=1e-12) and mask_iou < 1
    assert decided_iou == pytest.approx(wanted["decided_iou"], rel=1e-12) != mask_iou


def test_a_nan_on_the_phone_is_not_forgotten(drive):
    files = {name: np.full((1, 2, 1), value, np.float32) for name, value in [("a.npy", 0.5)]}
    files["b.npy"] = np.float32([[[np.nan], [0.5]]])
    found = drive(files, ["compare all a.npy b.npy a.npy a.npy"])
    assert found["all"].split()[0] == b"NaN"


@pytest.mark.parametrize(("scale", "zero_point"), [(1.0, 0), (1 / 256, 0), (0.9961, 3)])
def test_uint8_means_what_the_tensor_says(drive, scale, zero_point):
    values = drive({}, [f"quantised q {scale} {zero_point}"])["q"].split()
    details = {"dtype": np.uint8, "quantization": (np.float32(scale), zero_point)}
    levels = np.arange(256)
    stored = tflite._quantized(levels.astype(np.float32), details)
    assert np.array_equal(np.array(values[:256], float), stored)
    meant = tflite._dequantized(levels.astype(np.uint8), details)
    assert np.array_equal(np.array(values[256:], np.float32), meant)


def test_scores_that_are_no_float32_or_cut_off_are_refused_in_words(drive):
    scores = np.zeros((2, 2, 1), np.float32)
    files = {"double.npy": scores.astype(float), "turned.npy": np.asfortranarray(scores[..., 0])}
    found = drive(files, [f"refuse {name}" for name in files])
    assert set(found.values()) == {b"not float32 in C order"}
    found = drive({"none": b"P5 1 1 255 0"}, ["refuse none"])
    assert found == {"none": b"no .npy file"}


def test_the_app_has_under_300_lines_of_code():
    lines = [
        line.strip()
        for path in SOURCES
        if path.name not in SELF_TEST
        for line in path.read_text().splitlines()
    ]
    code = [line for line in lines if line and not re.match(r"//|/\*|\*", line)]
    assert 200 < len(code) < 300
