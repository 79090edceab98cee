"""The contract beside an export: what an app hands to exactly this file, and what it gets back."""

import math
from pathlib import Path
from string import Template

from segmentation import files

VERSION = "1"  # of what an app relies on: names, layout and meaning of input and output
# The code of the contracts decides at the size of the output: enlarging takes a phone long.
ENLARGE = (
    "the model was measured with probabilities enlarged bilinearly to the size of the input; the "
    "code below that decides does so without, which is fast, and draws coarser borders; an export "
    "with --full_resolution gives them in that size"
)
TEMPLATES = Path(__file__).parent / "contracts"


def write(path, img_size, scores_size, classes, *, output="scores", steps=None, facts=()):
    """Write `FILE.contract.md` beside an export: input, output, classes, and code that uses it.

    Args:
        path: of the export; its suffix chooses the code: Swift with Vision for Core ML, Kotlin
            with LiteRT and with MediaPipe Tasks for .tflite, Python for the rest.
        img_size: `(height, width)` of the input in pixels.
        scores_size: the same of the probabilities; class ids and grey pictures have the input's.
        classes: `Classes`.
        output: what the export gives, as in `coreml.convert`.
        steps: `(scale, zero point)` of an output of uint8, whose input is uint8 too: probabilities
            are `(value - zero point) * scale`. None: both are float32.
        facts: pairs of words to list as well: precision, what the check found.
    """
    path = Path(path)
    output_size = scores_size if output == "scores" else img_size
    smaller = tuple(output_size) != tuple(img_size)
    (height, width), (out_height, out_width) = img_size, output_size
    single = len(classes) == 1
    known = {
        "file": path.name,
        "stem": path.stem,
        "meaning": f"the class of each pixel ({class_ids(classes)})",
        "in_height": height,
        "in_width": width,
        "height": out_height,
        "width": out_width,
        "channels": len(classes),
        "channel_names": ", ".join(classes.names),
    }
    if path.suffix in (".mlpackage", ".mlmodel"):
        title, code = "Swift, with Vision", _swift(known, single, output)
        given = f"`image`, an RGB picture of {width} x {height} pixels (width x height)"
        name = "mask"
    elif path.suffix == ".tflite":
        title, code = "Code for Android", _kotlin(known, single, steps)
        kind = "uint8" if steps else "float32"
        given, name = f"`image`, {kind} [1, {height}, {width}, 3], RGB 0..255", "output_0"
    else:
        title, code = "Python", _python(known, single, path.suffix == ".pb")
        given, name = f"`image`, float32 [1, {height}, {width}, 3], RGB 0..255", "output_0"
    rows = [
        ("input", f"{given}; stretched to this size, without borders; nothing is normalised"),
        ("output", f"`{name}`, {_output(output_size, len(classes), output, steps)}"),
        *[("before deciding", ENLARGE)] * smaller,
        *facts,
    ]
    numbered = list(enumerate(classes.id_names))
    text = "\n".join(
        [
            f"# {path.name}",
            "",
            "| | |",
            "|---|---|",
            *(f"| {key} | {value} |" for key, value in rows),
            "",
            "| class id | name | colour |",
            "|---|---|---|",
            *(
                f"| {number} | {label} | #{bytes(rgb).hex()} |"
                for (number, label), rgb in zip(numbered, classes.id_colors, strict=True)
            ),
            "",
            f"## {title}",
            "",
            code,
        ]
    )
    files.write_text(path.parent / f"{path.name}.contract.md", text)


def description(classes, img_size):
    """Return a sentence, without its full stop, for the person who opens an export."""
    height, width = img_size
    return f"Segments {', '.join(classes.names)} in an RGB picture of {width} x {height} pixels"


def class_ids(classes):
    """Return the names of the classes with their ids: `0 none, 1 hair`."""
    return ", ".join(f"{number} {name}" for number, name in enumerate(classes.id_names))


def _output(size, channels, output, steps):
    height, width = size
    if output == "labels":
        return f"int32 [{height}, {width}], the class id of each pixel"
    if output == "image" and channels == 1:
        return f"an 8-bit grey picture of {width} x {height} pixels, 255 times the probability"
    if output == "image":
        return f"an 8-bit grey picture of {width} x {height} pixels, the class id of each pixel"
    kind, meaning = "float32", ""
    if steps:
        kind, meaning = "uint8", f": (value - {steps[1]}) * {steps[0]:.8g}"
    of = "of the class" if channels == 1 else "of the classes, adding up to 1"
    return f"{kind} [1, {height}, {width}, {channels}], probabilities {of}{meaning}"


def _swift(known, single, output):
    def array(shape, kind):
        return (
            "    guard let result = request.results?.first as? VNCoreMLFeatureValueObservation,\n"
            "          let mask = result.featureValue.multiArrayValue else {\n"
            "        throw CocoaError(.coderInvalidValue)\n"
            "    }\n"
            f"    let strides = mask.strides.map(\\.intValue)  // of {shape}\n"
            f"    let values = mask.dataPointer.assumingMemoryBound(to: {kind}.self)"
        )

    place = f"ids[y * {known['width']} + x]"
    if output == "labels":
        opened = array("[height, width]", "Int32")
        decide = [f"{place} = UInt8(values[y * strides[0] + x * strides[1]])"]
    elif output == "image":
        opened = (
            "    guard let result = request.results?.first as? VNPixelBufferObservation else {\n"
            "        throw CocoaError(.coderInvalidValue)\n"
            "    }\n"
            "    let buffer = result.pixelBuffer\n"
            "    CVPixelBufferLockBaseAddress(buffer, .readOnly)\n"
            "    defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }\n"
            "    let bytes = CVPixelBufferGetBaseAddress(buffer)!"
            ".assumingMemoryBound(to: UInt8.self)\n"
            "    let rowBytes = CVPixelBufferGetBytesPerRow(buffer)"
        )
        grey = "bytes[y * rowBytes + x]"
        decide = [f"{place} = {grey} > 127 ? 1 : 0" if single else f"{place} = {grey}"]
    else:
        opened = array("[1, height, width, channel]", "Float32")
        decide = ["let start = y * strides[1] + x * strides[2]"]
        if single:
            decide += [f"{place} = values[start] > 0.5 ? 1 : 0"]
        else:
            decide += [
                "var best = 0",
                f"for channel in 1..<{known['channels']}",
                "where values[start + channel * strides[3]] > values[start + best * strides[3]] {",
                "    best = channel",
                "}",
                f"{place} = UInt8(best)",
            ]
    indented = "\n".join(" " * 12 + line for line in decide)
    return _filled("core_ml.md", known | {"open": opened, "decide": indented})


def _kotlin(known, single, steps):
    channels = known["channels"]
    if single:
        value = "scores[i] > 0.5f"
        if steps:
            scale, zero_point = steps
            value = f"scores[i].toUByte() > {math.floor(0.5 / scale + zero_point)}u"
        decide = f"if ({value}) 1 else 0"
    else:
        number = f"scores[i * {channels} + it]" + (".toUByte()" if steps else "")
        decide = f"(0 until {channels}).maxBy {{ {number} }}.toByte()"
    warning = " // whose category mask of one channel is the wrong way round" if single else ""
    words = ("ByteArray", "toByte", "writeInt8", "readInt8")
    if not steps:
        words = ("FloatArray", "toFloat", "writeFloat", "readFloat")
    named = dict(zip(("array", "convert", "put", "get"), words, strict=True))
    if channels > 128:  # Kotlin's bytes are signed
        named["meaning"] = f"{known['meaning']}; of ids from 128 on take toUByte()"
    return _filled("tflite.md", known | named | {"decide": decide, "warning": warning})


def _python(known, single, frozen):
    if frozen:
        load = (
            f'    graph = tf.compat.v1.GraphDef.FromString(open("{known["file"]}", "rb").read())\n'
            "    function = tf.compat.v1.wrap_function(\n"
            '        lambda: tf.import_graph_def(graph, name=""), []\n'
            '    ).prune("image:0", "output_0:0")'
        )
        call = "function(image)"
    else:
        load = (
            f'    model = tf.saved_model.load("{known["file"]}")\n'
            '    function = model.signatures["serving_default"]'
        )
        call = 'function(image=image)["output_0"]'
    decide = "(scores[..., 0] > 0.5)" if single else "scores.argmax(-1)"
    return _filled("tensorflow.md", known | {"load": load, "call": call, "decide": decide})


def _filled(name, known):
    return Template((TEMPLATES / name).read_text(encoding="utf-8")).substitute(known)
