"""The contract beside an export: what an app passes to exactly this file, and what it gets back."""

import html
from pathlib import Path

from segmentation import files, formats
from segmentation.export import contract_code

CORE_ML = "core_ml.md"  # template of the formats whose input and output Core ML declares
# The code of a contract takes class ids at the size of the output: upsampling takes a phone long.
UPSAMPLING = (
    "the model was measured with probabilities upsampled bilinearly to the size of the input; the "
    "code below takes class ids without upsampling, which is fast and gives coarser borders; an "
    "export with --full_resolution gives probabilities at the size of the input"
)


def write(path, interface, facts=()):
    """Write `FILE.contract.md` beside an export: input, output, classes, and code that uses it.

    Args:
        path: of the export; its format chooses the code: Swift with Vision for Core ML, Kotlin with
            LiteRT and with MediaPipe Tasks for .tflite, Python for TensorFlow's other formats.
        interface: `Interface` of the export.
        facts: pairs of words to list as well: the precision, what the check found.
    """
    path, template = Path(path), formats.of_path(path).contract
    parts = [
        f"# {path.name}",
        "",
        *_table(("", ""), [*_rows(interface, template == CORE_ML), *facts]),
        "",
        *_table(("class id", "name", "colour"), _class_rows(interface.classes)),
    ]
    if template:
        parts += ["", contract_code.code(path, template, interface)]
    files.write_text(path.parent / f"{path.name}.contract.md", "\n".join(parts))


def _rows(interface, is_core_ml):
    height, width = interface.img_size
    if is_core_ml:
        given, name = f"an RGB image of {width} x {height} pixels (width x height)", "mask"
    else:
        kind = "uint8" if interface.steps else "float32"
        given, name = f"{kind} [1, {height}, {width}, 3], RGB 0..255", "output_0"
    yield "input", f"`image`, {given}; stretched to this size, without borders; do not normalise it"
    yield "output", f"`{name}`, {_output(interface)}"
    if interface.output_size != tuple(interface.img_size):
        yield "before taking class ids", UPSAMPLING


def _output(interface):
    (height, width), channels = interface.output_size, len(interface.classes)
    if interface.output == "labels":
        return f"int32 [{height}, {width}], the class id of each pixel"
    if interface.output == "image":
        value = "255 times the probability" if interface.is_single else "the class id of each pixel"
        return f"an 8-bit grayscale image of {width} x {height} pixels, {value}"
    kind, meaning = "float32", ""
    if interface.steps:
        scale, zero_point = interface.steps
        kind, meaning = "uint8", f": (value - {zero_point}) * {scale:.8g}"
    of = "of the class" if interface.is_single else "of the classes, adding up to 1"
    return f"{kind} [1, {height}, {width}, {channels}], probabilities {of}{meaning}"


def _class_rows(classes):
    for number, (name, rgb) in enumerate(zip(classes.id_names, classes.id_colors, strict=True)):
        yield number, html.escape(name, quote=False).replace("|", "\\|"), f"#{bytes(rgb).hex()}"


def _table(header, rows):
    """Return the lines of a Markdown table."""
    first, *others = ("| " + " | ".join(map(str, row)) + " |" for row in (header, *rows))
    return [first, "|---" * len(header) + "|", *others]
