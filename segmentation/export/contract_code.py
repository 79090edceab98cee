"""The code in a contract: a template filled in for one export.

The templates stand in `contracts`. What no template can hold, as it depends on the number of
classes or the output, is worked out here.
"""

import math
from pathlib import Path
from string import Template

from segmentation.export import interface as interfaces

TEMPLATES = Path(__file__).parent / "contracts"
SIGNED_FROM = 128  # class ids that a signed byte of Kotlin does not hold
KOTLIN_FLOATS = {
    "array": "FloatArray",
    "convert": "toFloat",
    "put": "writeFloat",
    "get": "readFloat",
}
KOTLIN_BYTES = {"array": "ByteArray", "convert": "toByte", "put": "writeInt8", "get": "readInt8"}

# Swift that opens the result of a request and leaves the function if there is none.
SWIFT_ARRAY = """\
    guard let result = request.results?.first as? VNCoreMLFeatureValueObservation,
          let mask = result.featureValue.multiArrayValue else {
        throw CocoaError(.coderInvalidValue)
    }
    let strides = mask.strides.map(\\.intValue)  // of $shape
    let values = mask.dataPointer.assumingMemoryBound(to: $kind.self)"""
SWIFT_IMAGE = """\
    guard let result = request.results?.first as? VNPixelBufferObservation else {
        throw CocoaError(.coderInvalidValue)
    }
    let buffer = result.pixelBuffer
    CVPixelBufferLockBaseAddress(buffer, .readOnly)
    defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
    let bytes = CVPixelBufferGetBaseAddress(buffer)!.assumingMemoryBound(to: UInt8.self)
    let rowBytes = CVPixelBufferGetBytesPerRow(buffer)"""
# Swift that sets the class id of a pixel, indented as it stands in two loops.
SWIFT_LABEL = "ids[y * $width + x] = UInt8(values[y * strides[0] + x * strides[1]])"
SWIFT_GRAY = "ids[y * $width + x] = bytes[y * rowBytes + x] > 127 ? 1 : 0"
SWIFT_GRAY_ID = "ids[y * $width + x] = bytes[y * rowBytes + x]"
SWIFT_THRESHOLD = """\
let start = y * strides[1] + x * strides[2]
ids[y * $width + x] = values[start] > 0.5 ? 1 : 0"""
SWIFT_ARGMAX = """\
let start = y * strides[1] + x * strides[2]
var best = 0
for channel in 1..<$channels
where values[start + channel * strides[3]] > values[start + best * strides[3]] {
    best = channel
}
ids[y * $width + x] = UInt8(best)"""


def code(path, template, interface):
    """Return the code, Markdown, for the export at `path`.

    Args:
        path: of the export.
        template: `Format.contract`: a file in `contracts`, or an absolute path.
        interface: `Interface` of the export.
    """
    (in_height, in_width), (height, width) = interface.img_size, interface.output_size
    known = {
        "file": path.name,
        "stem": path.stem,
        "meaning": f"the class id of each pixel ({interfaces.class_ids(interface.classes)})",
        "in_height": in_height,
        "in_width": in_width,
        "height": height,
        "width": width,
        "channels": len(interface.classes),
        "channel_names": ", ".join(interface.classes.names),
        "to_mask": "scores[..., 0] > 0.5" if interface.is_single else "scores.argmax(-1)",
    }
    for key in ("meaning", "channel_names"):  # which stand in comments
        known[key] = known[key].replace("*/", "* /")
    if template in FILLED:
        known |= FILLED[template](interface, known)
    return Template((TEMPLATES / template).read_text(encoding="utf-8")).substitute(known)


def _swift(interface, known):
    single, array = interface.is_single, {}
    if interface.output == "labels":
        opened, pixel = SWIFT_ARRAY, SWIFT_LABEL
        array = {"shape": "[height, width]", "kind": "Int32"}
    elif interface.output == "image":
        opened, pixel = SWIFT_IMAGE, SWIFT_GRAY if single else SWIFT_GRAY_ID
    else:
        opened, pixel = SWIFT_ARRAY, SWIFT_THRESHOLD if single else SWIFT_ARGMAX
        array = {"shape": "[1, height, width, channel]", "kind": "Float32"}
    lines = Template(pixel).substitute(known).splitlines()
    return {
        "open": Template(opened).substitute(array),
        "pixel": "\n".join(" " * 12 + line for line in lines),
    }


def _kotlin(interface, known):
    channels, steps = len(interface.classes), interface.steps
    unsigned = ".toUByte()" if steps else ""
    if interface.is_single:
        threshold = "0.5f"
        if steps:
            scale, zero_point = steps
            threshold = f"{math.floor(0.5 / scale + zero_point)}u"
        pixel = f"if (scores[i]{unsigned} > {threshold}) 1 else 0"
        warning = " // whose category mask of one channel is inverted"
    else:
        pixel = f"(0 until {channels}).maxBy {{ scores[i * {channels} + it]{unsigned} }}.toByte()"
        warning = ""
    words = (KOTLIN_BYTES if steps else KOTLIN_FLOATS) | {"pixel": pixel, "warning": warning}
    if channels > SIGNED_FROM:
        words["meaning"] = f"{known['meaning']}; read ids from 128 on with toUByte()"
    return words


FILLED = {"core_ml.md": _swift, "tflite.md": _kotlin}
