"""Core ML: an ML program (.mlpackage) for iOS 15 and later, and the proof that it segments."""

import json
import sys

import numpy as np

import nets
from segmentation import files
from segmentation.chatter import silenced
from segmentation.export import mil_interpreter, parity

COLOR_LAYOUT = "RGB"
OUTPUT = "mask"
VERSION = "1"  # of what an app relies on: names, layout and meaning of input and output
PREVIEW_TYPE = "com.apple.coreml.model.preview.type"
# coremltools' guide "Xcode Model Preview Types" says `parameters` in its text and `params` in its
# example, as Apple's own DeepLabV3 does: both are written.
PREVIEW_PARAMETERS = (
    "com.apple.coreml.model.preview.params",
    "com.apple.coreml.model.preview.parameters",
)


def convert(model, path, classes, colors, description=None, precision="float16", pictures=None):
    """Write `model` as an `.mlpackage`, run it beside the model, and let it stand if it agrees.

    Args:
        model: `keras.Model` from RGB 0..255 of a fixed size to probabilities, on TensorFlow.
        path: where the package will stand; replaced if it exists.
        classes: names in channel order.
        colors: an `[r, g, b]` 0..255 per class.
        description: one line for the person who opens the package; None: classes and size.
        precision: `float16` or `float32`, of weights and arithmetic.
        pictures: `(N, height, width, 3)` uint8 RGB of the check; None: drawn ones.

    Returns:
        dictionary: `largest_difference`, `mask_iou` and `decided_iou`, the worst of the checks,
        as `parity.compare` defines them, and `checked_by`: what ran the package.

    Raises:
        ExportError: if the network cannot be converted, the package holds an op that cannot be
            run here, so cannot be checked, or it differs from the model by more than the limit
            of `precision`. `path` is then as it was before.
    """
    model = nets.inference_model(model)
    height, width = model.input_shape[1:3]
    if description is None:
        description = (
            f"Segments {', '.join(classes)} in an RGB picture of {width} x {height} pixels."
        )
    if pictures is None:
        pictures = parity.check_pictures((height, width))
    expected = model.predict(pictures.astype("float32"), batch_size=1, verbose=0)
    with silenced(), parity.converting(path):
        package = _packaged(_traced(model), (height, width), precision)
        _describe(package, classes, colors, description)
    with files.written_whole(path) as temporary:
        with silenced():
            package.save(str(temporary))
        return _check(temporary, path, pictures, expected, precision)


def _traced(model):
    """Return `model` as a TensorFlow function of one picture, BatchNorm as in inference."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, *model.input_shape[1:]), name="image")])
    def predict(image):
        return model(image, training=False)

    return predict.get_concrete_function()


def _packaged(function, img_size, precision):
    """Return the ML program of `function` as an `MLModel`, its output called `mask`."""
    import coremltools as ct

    converted = ct.convert(
        [function],
        source="tensorflow",
        convert_to="mlprogram",
        inputs=[ct.ImageType(name="image", shape=(1, *img_size, 3), color_layout=COLOR_LAYOUT)],
        minimum_deployment_target=ct.target.iOS15,
        compute_precision=ct.precision(precision),
    )
    # convert() takes no name for the output of a TensorFlow function; it calls it Identity.
    spec = converted.get_spec()
    ct.utils.rename_feature(spec, spec.description.output[0].name, OUTPUT)
    return ct.models.MLModel(spec, weights_dir=converted.weights_dir, skip_model_load=True)


def _describe(package, classes, colors, description):
    package.short_description = description
    package.version = VERSION
    package.input_description["image"] = (
        "The picture, stretched to this size (scaleFill). Normalisation is inside."
    )
    meaning = "of each class, adding up to 1" if len(classes) > 1 else "of the class"
    package.output_description[OUTPUT] = (
        f"Per pixel the probability {meaning}: [1, height, width, channel], "
        f"channels {', '.join(classes)}."
    )
    preview = {"labels": classes, "colors": ["#{:02X}{:02X}{:02X}".format(*rgb) for rgb in colors]}
    package.user_defined_metadata.update(
        {
            "classes": json.dumps(classes),
            "colors": json.dumps(colors),
            PREVIEW_TYPE: "imageSegmenter",
            **{key: json.dumps(preview) for key in PREVIEW_PARAMETERS},
        }
    )


def _check(package_path, final_path, pictures, expected, precision):
    """Run the package in every way that this computer has, and return the worst comparison."""
    runners = {"the NumPy interpreter": mil_interpreter.Program(package_path)}
    if sys.platform == "darwin":
        runners["Core ML"] = _core_ml(package_path)
    comparisons = [parity.compare(expected, run(pictures)) for run in runners.values()]
    for comparison in comparisons:
        parity.require(comparison, precision, final_path)
    return {
        "largest_difference": max(found["largest_difference"] for found in comparisons),
        "mask_iou": min(found["mask_iou"] for found in comparisons),
        "decided_iou": min(found["decided_iou"] for found in comparisons),
        "checked_by": " and ".join(runners),
    }


def _core_ml(package_path):
    """Return Core ML itself as a function like `mil_interpreter.Program`. Only macOS has it."""
    import coremltools as ct
    from PIL import Image

    package = ct.models.MLModel(str(package_path))

    def run(pictures):
        return np.concatenate(
            [package.predict({"image": Image.fromarray(image)})[OUTPUT] for image in pictures]
        )

    return run
