"""ONNX, for ONNX Runtime: on Windows, Linux, Android and iOS, and in browsers.

tf2onnx converts the serving function that TensorFlow's formats are written from. Keras' own
`model.export(format="onnx")` calls tf2onnx too and gives the same nodes, but calls the output
`Identity:0`.
"""

import json

from segmentation.export import interface
from segmentation.export.tensorflow import input_signature, serving_function
from segmentation.quiet import silenced

# ONNX 1.10, IR version 8: every ONNX Runtime since 1.10 (December 2021) reads it, on phones too.
OPSET = 15


def to_onnx(model, path, classes, options=None):
    """Write `model` to `path` as an ONNX file of float32, with metadata.

    The input `image` is `(1, height, width, 3)` float32 RGB 0..255, as in TensorFlow's formats, and
    the output `output_0` holds probabilities. `metadata_props` holds strings: `classes`, `colors`
    and `img_size`, as JSON, `ignored_class` and `precision`.

    Args:
        model: `keras.Model` for inference.
        path: of the file.
        classes: `Classes`, for the metadata.
        options: `Options`; a model here is always float32.
    """
    with silenced():  # from the import on: they report what they convert
        import onnx
        import tf2onnx

        exported, _ = tf2onnx.convert.from_function(
            serving_function(model), input_signature=input_signature(model), opset=OPSET
        )
    img_size = model.input_shape[1:3]
    exported.graph.name = model.name
    exported.doc_string = interface.description(classes, img_size) + ", stretched to this size."
    exported.model_version = int(interface.VERSION)
    (image,), (output,) = exported.graph.input, exported.graph.output
    image.doc_string = "The image, RGB 0..255. Normalisation is inside the model."
    output.doc_string = f"The probability at each pixel of {', '.join(classes.names)}."
    facts = {
        "classes": json.dumps(classes.names),
        "colors": json.dumps(classes.colors),
        "img_size": json.dumps(img_size),
        "ignored_class": classes.ignored or "",
        "precision": "float32",
    }
    onnx.helper.set_model_props(exported, facts)
    onnx.checker.check_model(exported, full_check=True)
    onnx.save(exported, str(path))
