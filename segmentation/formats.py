"""The formats of models: who reads and writes each, and in which precisions.

A new format is a row here, a reader in `segmentation.inference` and a writer in
`segmentation.export`. Both are named as `module:function` and imported when they are needed.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from segmentation import storage
from segmentation.errors import InputError


@dataclass(frozen=True)
class Format:
    """A format of models.

    Attributes:
        suffix: of its files or folders.
        reader: `module:function` of a path that returns an `inference.runner.Runner`; None: nothing
            here reads the format.
        writer: `module:function` of a model, a path, `Classes` and `export.options.Options` that
            writes an export there and returns None or `export.options.Written`. None: training
            writes the format.
        precisions: what `--quantize` may choose for it, each with the key of `export.parity.LIMITS`
            that says how far such an export may be from the model.
        contract: template of the code in the contract beside an export: a file in
            `segmentation/export/contracts`, or an absolute path; None: the contract has no code.
        marker: a file that every whole folder of this format holds; None: the format is a file.
        converter: the command that writes it.
        runtime: the module that runs it on this computer, whose version benchmark.py reports.
        packages: modules that writing it needs beyond `requirements.txt`.
        requirements: what `pip install` needs to be told to bring all that reads and writes it.
        legacy: whether other projects wrote this format as well; `reader` then takes a path and a
            `legacy.spec.LegacySpec`.
    """

    suffix: str
    reader: str | None
    writer: str | None = None
    precisions: Mapping[str, str] = field(default_factory=lambda: {"float32": "float32"})
    contract: str | None = None
    marker: str | None = None
    converter: str = "tf_converter.py"
    runtime: str = "numpy"
    packages: tuple[str, ...] = ()
    requirements: str = "-r requirements.txt"
    legacy: bool = False


PALETTES = {"palette8": 8, "palette6": 6, "palette4": 4}  # bits of a weight
TFLITE_PRECISIONS = {"float32": "float32", "float16": "float16", "int8": "full_int8"}
CORE_ML_PRECISIONS = {name: name for name in ("float32", "float16", "int8", *PALETTES)}
CORE_ML_OUTPUTS = ("scores", "labels", "image")
CORE_ML_TARGETS = ("iOS15", "iOS16", "iOS17", "iOS18")

# By the name that `--format` has for it.
FORMATS = {
    "keras": Format(
        ".keras", "segmentation.inference.keras_model:read", runtime="keras", legacy=True
    ),
    "h5": Format(".h5", "segmentation.inference.keras_model:read", runtime="keras", legacy=True),
    "pb": Format(
        ".pb",
        "segmentation.inference.tensorflow:read_frozen_graph",
        "segmentation.export.tensorflow:to_frozen_graph",
        contract="frozen_graph.md",
        runtime="tensorflow",
    ),
    "tflite": Format(
        ".tflite",
        "segmentation.inference.tflite:read",
        "segmentation.export.tensorflow:to_tflite",
        TFLITE_PRECISIONS,
        "tflite.md",
        runtime="ai_edge_litert.interpreter",
    ),
    "saved_model": Format(
        ".saved_model",
        "segmentation.inference.tensorflow:read_saved_model",
        "segmentation.export.tensorflow:to_saved_model",
        contract="saved_model.md",
        marker="saved_model.pb",
        runtime="tensorflow",
    ),
    "onnx": Format(
        ".onnx",
        "segmentation.inference.onnx:read",
        "segmentation.export.onnx:to_onnx",
        contract="onnx.md",
        runtime="onnxruntime",
        packages=("onnx", "tf2onnx", "onnxruntime"),
        requirements="-r requirements-onnx.txt",
    ),
    "mlpackage": Format(
        ".mlpackage",
        "segmentation.inference.core_ml:read",
        "segmentation.export.coreml:to_ml_program",
        CORE_ML_PRECISIONS,
        "core_ml.md",
        "Manifest.json",
        "coreml_converter.py",
    ),
    "mlmodel": Format(  # the older neural network format, for iOS 14
        ".mlmodel",
        None,
        "segmentation.export.coreml:to_neural_network",
        contract="core_ml.md",
        converter="coreml_converter.py",
    ),
}


def of_path(path):
    """Return the `Format` of the suffix of `path`, or None."""
    suffix = Path(path).suffix.lower()
    return next((each for each in FORMATS.values() if each.suffix == suffix), None)


def written_by(converter):
    """Return the names of the formats that a command writes, in their order."""
    return [name for name, each in FORMATS.items() if each.writer and each.converter == converter]


def require_packages(path):
    """Raise InputError unless all is installed that writing an export at `path` needs."""
    chosen = of_path(path)
    missing = [name for name in chosen.packages if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"{path}: writing it needs {', '.join(missing)}; run pip install {chosen.requirements}"
        )


def require_place(path):
    """Raise InputError unless `path` is free or holds an earlier export, which may be replaced."""
    path, marker = Path(path), of_path(path).marker
    storage.look(path, *(path.with_suffix(suffix) for suffix in (".json", ".keras", ".h5")))
    if path.exists() and not (path / marker if marker else path).is_file():
        raise InputError(f"{path}: exists and is not an export; move it or choose another name")
