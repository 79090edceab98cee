"""What a `.tflite` says about itself: TFLite Metadata, which MediaPipe's ImageSegmenter asks for.

The tables and their slots are those of `metadata_schema.fbs` 1.5.0 and
`image_segmenter_metadata_schema.fbs` 1.0.0, in https://github.com/google-ai-edge/mediapipe under
mediapipe/tasks/metadata. No package that is kept up writes them: tflite-support ended, and of
mediapipe's own writers 1.2 ships only parts. Files that the metadata names follow the model as a
zip archive.
"""

import json
import zipfile
from pathlib import Path

import flatbuffers
import numpy as np

from segmentation.export import interface
from segmentation.inference.tflite import OWN_FILE

LABELS_FILE = "labels.txt"  # a name per channel, in lines
AUTHOR = "mobile-semantic-segmentation"
METADATA = "TFLITE_METADATA"  # the name under which a model holds it
SEGMENTER_METADATA = "SEGMENTER_METADATA"  # the name of what only an ImageSegmenter reads
PARSER_VERSION, SEGMENTER_PARSER_VERSION = "1.5.0", "1.0.0"  # of the two schemas
# Values of the schemas' enumerations and unions.
TENSOR_AXIS_LABELS, DESCRIPTIONS = 2, 1  # AssociatedFileType
IMAGE_PROPERTIES, FEATURE_PROPERTIES = 2, 1  # ContentProperties
RGB = 1  # ColorSpaceType
NORMALIZATION_OPTIONS = 1  # ProcessUnitOptions
ALIGNMENT = 16  # bytes, of tensor data: force_align in LiteRT's schema.fbs


def attach(path, classes, precision, calibration_images=0):
    """Write metadata into a `.tflite` with one input and one output.

    Normalisation is mean 0 and standard deviation 1, the activation NONE: the graph does both.

    Args:
        path: of the file, which is rewritten.
        classes: `Classes`.
        precision: of weights and arithmetic, for the description.
        calibration_images: how many images an int8 file was calibrated on.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model(str(path))
    (graph,) = model.subgraphs
    _, height, width, _ = graph.tensors[graph.inputs[0]].shape
    sentence = interface.description(classes, (height, width))
    description = f"{sentence}, stretched to this size. {precision}"
    if calibration_images:
        description += f", calibrated on {calibration_images} images"
    entry, buffer = schema.MetadataT(), schema.BufferT()
    buffer.data = np.frombuffer(_model_metadata(description + ".", classes), np.uint8)
    entry.name, entry.buffer = METADATA, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]

    builder = _Builder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    own = classes.to_card()
    ignored_class = own.pop("ignored_class")
    own |= {"precision": precision, "calibration_pictures": calibration_images}
    own |= {"ignored_class": ignored_class}
    Path(path).write_bytes(builder.Output())
    with zipfile.ZipFile(path, "a") as archive:  # not compressed: MediaPipe reads no other
        for name, text in ((LABELS_FILE, "\n".join(classes.names)), (OWN_FILE, json.dumps(own))):
            archive.writestr(zipfile.ZipInfo(name), text)  # undated: equal models, equal files


def _model_metadata(description, classes):
    """Return a ModelMetadata as bytes."""
    b = _Builder()
    label_file = _file(b, LABELS_FILE, "The class of each channel.", TENSOR_AXIS_LABELS)
    own_file = _file(b, OWN_FILE, "Classes, their colours, how the file was made.", DESCRIPTIONS)
    normalization = _table(b, {0: _floats(b, [0.0]), 1: _floats(b, [1.0])})  # mean, std
    source = _tensor(
        b,
        "image",
        "The image, raw 0..255. Normalisation is inside the model.",
        _table(b, {1: _table(b, {}, {0: RGB})}, {0: IMAGE_PROPERTIES}),
        {4: _vector(b, [_table(b, {1: normalization}, {0: NORMALIZATION_OPTIONS})])},
    )
    target = _tensor(
        b,
        "output_0",
        f"The probability at each pixel of {', '.join(classes.names)}.",
        _table(b, {1: _table(b, {})}, {0: FEATURE_PROPERTIES}),
        {6: _vector(b, [label_file])},
    )
    data = b.CreateNumpyVector(np.frombuffer(_segmenter_options(), np.uint8))
    segmenter = _table(b, {0: b.CreateString(SEGMENTER_METADATA), 1: data})
    graph = {2: _vector(b, [source]), 3: _vector(b, [target]), 9: _vector(b, [segmenter])}
    graph = _table(b, graph)
    model = {
        0: b.CreateString("ImageSegmenter"),
        1: b.CreateString(description),
        2: b.CreateString(interface.VERSION),
        3: _vector(b, [graph]),
        4: b.CreateString(AUTHOR),
        6: _vector(b, [own_file]),
        7: b.CreateString(PARSER_VERSION),
    }
    b.Finish(_table(b, model), file_identifier=b"M001")
    return bytes(b.Output())


def _segmenter_options():
    """Return ImageSegmenterOptions as bytes. Its activation, 0, is NONE by default."""
    b = _Builder()
    version = b.CreateString(SEGMENTER_PARSER_VERSION)
    b.Finish(_table(b, {1: version}), file_identifier=b"V001")
    return bytes(b.Output())


class _Builder(flatbuffers.Builder):
    """Aligns bytes as the schemas' `force_align` says, which the generated Python code forgets."""

    def CreateNumpyVector(self, x):
        if x.dtype == np.uint8:
            self.Prep(ALIGNMENT, x.size)
        return super().CreateNumpyVector(x)


def _tensor(b, name, description, content, more):
    texts = {0: b.CreateString(name), 1: b.CreateString(description)}
    return _table(b, texts | {3: content} | more)


def _file(b, name, description, kind):
    texts = {0: b.CreateString(name), 1: b.CreateString(description)}
    return _table(b, texts, {2: kind})


def _table(b, offsets, codes=None):
    """Write a table: by slot, offsets of what was written before, and values of enumerations."""
    codes = codes or {}
    b.StartObject(max([*offsets, *codes], default=-1) + 1)
    for slot, offset in offsets.items():
        b.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, code in codes.items():
        b.PrependUint8Slot(slot, code, 0)
    return b.EndObject()


def _vector(b, offsets):
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return b.EndVector()


def _floats(b, values):
    return b.CreateNumpyVector(np.array(values, np.float32))
