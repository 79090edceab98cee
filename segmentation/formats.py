"""The formats of models: who reads and writes each, and in which precisions.

A new format is a row here, a reader in `segmentation.inference` and a writer in
`segmentation.export`. Both are named as `module:function` and imported when they are needed.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """A format of models.

    Attributes:
        suffix: of its files or folders.
        reader: `module:function` of a path that returns a runner of `segmentation.inference`.
        writer: `module:function` that writes an export, or None: training writes it.
        precisions: what `--quantize` may choose for it.
        contract: template of the code in the contract beside an export, or None.
        marker: a file that every whole folder of this format holds; None: the format is a file.
        legacy: whether other projects wrote this format as well; `reader` then takes a path and a
            `legacy.spec.LegacySpec`.
    """

    suffix: str
    reader: str
    writer: str | None = None
    precisions: tuple[str, ...] = ("float32",)
    contract: str | None = None
    marker: str | None = None
    legacy: bool = False


PALETTES = {"palette8": 8, "palette6": 6, "palette4": 4}  # bits of a weight
CORE_ML_PRECISIONS = ("float32", "float16", "int8", *PALETTES)

# By the name that `--format` has for it.
FORMATS = {
    "keras": Format(".keras", "segmentation.inference.keras_model:read", legacy=True),
    "h5": Format(".h5", "segmentation.inference.keras_model:read", legacy=True),
    "tflite": Format(
        ".tflite",
        "segmentation.inference.tflite:read",
        "segmentation.export.tensorflow:to_tflite",
        ("float32", "float16", "int8"),
        "tflite.md",
    ),
    "pb": Format(
        ".pb",
        "segmentation.inference.tensorflow:read_frozen_graph",
        "segmentation.export.tensorflow:to_frozen_graph",
        contract="tensorflow.md",
    ),
    "saved_model": Format(
        ".saved_model",
        "segmentation.inference.tensorflow:read_saved_model",
        "segmentation.export.tensorflow:to_saved_model",
        contract="tensorflow.md",
        marker="saved_model.pb",
    ),
    "mlpackage": Format(
        ".mlpackage",
        "segmentation.inference.core_ml:read",
        "segmentation.export.coreml:convert",
        CORE_ML_PRECISIONS,
        "core_ml.md",
        "Manifest.json",
    ),
}
