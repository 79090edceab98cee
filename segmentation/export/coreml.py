"""Core ML: an ML program (.mlpackage) for iOS 15 and later, and the proof that it segments.

A name that ends in .mlmodel gives the older neural network format, for iOS 14.
"""

import json
import sys
from pathlib import Path

import numpy as np

import nets
from segmentation import files
from segmentation.choices import PALETTES
from segmentation.export import contract, parity
from segmentation.inference import core_ml, mil_interpreter
from segmentation.probabilities import upsample
from segmentation.quiet import silenced

COLOR_LAYOUT = "RGB"
OUTPUT = "mask"
OLDEST, OLDEST_COMPRESSED = "iOS15", "iOS16"  # that run ML programs, and compressed weights
NEURAL_NETWORK, NEURAL_NETWORK_TARGET = ".mlmodel", "iOS14"
PREVIEW_TYPE = "com.apple.coreml.model.preview.type"
# coremltools' guide "Xcode Model Preview Types" says `parameters` in its text and `params` in its
# example, as Apple's own DeepLabV3 does: both are written.
PREVIEW_PARAMETERS = (
    "com.apple.coreml.model.preview.params",
    "com.apple.coreml.model.preview.parameters",
)


def convert(
    model,
    path,
    classes,
    *,
    output="scores",
    precision="float16",
    target=None,
    author="",
    licence="",
    pictures=None,
):
    """Write `model` as an `.mlpackage`, run it beside the model, and let it stand if it agrees.

    Args:
        model: `keras.Model` from RGB 0..255 of a fixed size to probabilities, on TensorFlow.
        path: where the package will stand; replaced if it exists.
        classes: `Classes`.
        output: `scores`, probabilities `(1, h, w, C)`; `labels`, int32 `(H, W)` channel ids, of a
            single class 0 and 1; or `image`, an 8-bit grey picture of the input's size: 255 times
            the probability of a single class, else channel ids.
        precision: one of `choices.CORE_ML_PRECISIONS`: `float32` or `float16` weights and
            arithmetic; or float16 arithmetic with 8-bit integer weights (`int8`) or a table of
            256, 64 or 16 weights per layer (`palette8`, `palette6`, `palette4`).
        target: one of `choices.CORE_ML_TARGETS`, the oldest system to run on; None: the oldest
            that can.
        author: for the person who opens the package.
        licence: the same.
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
    if pictures is None:
        pictures = parity.check_pictures((height, width))
    expected = parity.expected(model, pictures)
    target = target or (OLDEST if precision in ("float32", "float16") else OLDEST_COMPRESSED)
    with silenced(), parity.converting(path):
        function, program = _traced(model, output), None
        if Path(path).suffix == NEURAL_NETWORK:
            package, program = _neural_network(function, (height, width))
        else:
            package = _ml_program(function, (height, width), output, precision, target)
        package.short_description = contract.description(classes, (height, width)) + "."
        package.author, package.license = author, licence
        _describe(package, classes, output)
    with files.written_whole(path) as temporary:
        with silenced():
            package.save(str(temporary))
        runners = _runners(temporary, program)
        comparison = _check(runners, path, pictures, expected, output, precision)
    return comparison | {"checked_by": " and ".join(runners)}


def _traced(model, output):
    """Return `model` as a TensorFlow function of one picture, BatchNorm as in inference."""
    import tensorflow as tf

    size, num_channels = model.input_shape[1:3], model.output_shape[-1]

    def ids(scores):
        if num_channels == 1:
            return tf.cast(scores > 0.5, tf.int32)
        return tf.argmax(scores, -1, output_type=tf.int32)[..., None]

    @tf.function(input_signature=[tf.TensorSpec((1, *model.input_shape[1:]), name="image")])
    def predict(image):
        scores = model(image, training=False)
        if output == "scores":
            return scores
        if scores.shape[1:3] != size:
            scores = tf.image.resize(scores, size)
        if output == "labels":
            return tf.squeeze(ids(scores), (0, 3))  # (H, W), as apps built on Vision expect them
        grey = scores * 255 if num_channels == 1 else tf.cast(ids(scores), tf.float32)
        return tf.transpose(grey, (0, 3, 1, 2))  # Core ML makes pictures of (1, 1, H, W) alone

    return predict.get_concrete_function()


def _ml_program(function, img_size, output, precision, target):
    """Return the ML program of `function` as an `MLModel`, its output called `mask`."""
    import coremltools as ct

    # Said, or float16 comes out from iOS 16 on. A name here would fail.
    declared = {
        "scores": lambda: ct.TensorType(dtype=np.float32),
        "labels": lambda: ct.TensorType(dtype=np.int32),
        "image": lambda: ct.ImageType(color_layout=ct.colorlayout.GRAYSCALE),
    }
    converted = ct.convert(
        [function],
        source="tensorflow",
        convert_to="mlprogram",
        inputs=[_picture(img_size)],
        outputs=[declared[output]()],
        minimum_deployment_target=ct.target[target],
        compute_precision=ct.precision("float32" if precision == "float32" else "float16"),
    )
    converted = _compressed(converted, precision)
    return ct.models.MLModel(
        _named(converted.get_spec()), weights_dir=converted.weights_dir, skip_model_load=True
    )


def _neural_network(function, img_size):
    """Return `function` in the older format as an `MLModel`, and the program it was made from."""
    import coremltools as ct

    target = ct.target[NEURAL_NETWORK_TARGET]
    program = ct.convert(
        [function],
        source="tensorflow",
        convert_to="milinternal",
        inputs=[_picture(img_size)],
        minimum_deployment_target=target,
        compute_precision=ct.precision.FLOAT32,  # the older format knows no other
    )
    converted = ct.convert(
        program,
        source="milinternal",
        convert_to="neuralnetwork",
        minimum_deployment_target=target,
    )
    spec = _named(converted.get_spec())
    runnable = mil_interpreter.Program(spec, program.functions["main"])
    return ct.models.MLModel(spec, skip_model_load=True), runnable


def _picture(img_size):
    import coremltools as ct

    return ct.ImageType(name="image", shape=(1, *img_size, 3), color_layout=COLOR_LAYOUT)


def _named(spec):
    """Call the output `mask`: convert() takes no name for that of a TensorFlow function."""
    import coremltools as ct

    ct.utils.rename_feature(spec, spec.description.output[0].name, OUTPUT)
    return spec


def _compressed(package, precision):
    """Return `package` with the weights of its large layers in fewer bits."""
    from coremltools.optimize import coreml as compression

    if precision == "int8":
        how = compression.OpLinearQuantizerConfig(mode="linear_symmetric")
        config = compression.OptimizationConfig(global_config=how)
        return compression.linear_quantize_weights(package, config)
    if precision in PALETTES:
        how = compression.OpPalettizerConfig(mode="kmeans", nbits=PALETTES[precision])
        # Depthwise kernels stay: a channel's 9 weights have a scale of their own, which one table
        # for all of them loses, and they are a hundredth of the file.
        depthwise = {
            name: None
            for name, weight in compression.get_weights_metadata(package).items()
            if weight.val.shape[1:2] == (1,)
        }
        config = compression.OptimizationConfig(global_config=how, op_name_configs=depthwise)
        return compression.palettize_weights(package, config)
    return package


def _describe(package, classes, output):
    package.version = contract.VERSION
    package.input_description["image"] = (
        "The picture, stretched to this size (scaleFill). Normalisation is inside."
    )
    package.output_description[OUTPUT] = _meaning(classes, output)
    names, colors = classes.names, classes.colors
    if output == "labels":
        names, colors = classes.id_names, classes.id_colors
    preview = {"labels": names, "colors": ["#{:02X}{:02X}{:02X}".format(*rgb) for rgb in colors]}
    package.user_defined_metadata.update(
        {
            "classes": json.dumps(classes.names),
            "colors": json.dumps(classes.colors),
            "output": output,
            "ignored_class": classes.ignored or "",
            PREVIEW_TYPE: "imageSegmenter",
            **{key: json.dumps(preview) for key in PREVIEW_PARAMETERS},
        }
    )


def _meaning(classes, output):
    """Return what the output holds, in a sentence."""
    single = len(classes) == 1
    if output == "scores":
        meaning = "of the class" if single else "of each class, adding up to 1"
        return (
            f"Per pixel the probability {meaning}: [1, height, width, channel], "
            f"channels {', '.join(classes.names)}."
        )
    ids = contract.class_ids(classes)
    if output == "labels":
        return f"Per pixel the class: [height, width], {ids}."
    return (
        f"Per pixel 255 times the probability of {classes.names[0]}." if single else f"Grey: {ids}."
    )


def _runners(package_path, program):
    """Return what can run the package here, by name: functions of pictures.

    Args:
        package_path: of the package.
        program: `mil_interpreter.Program` that it was made from, if nothing here reads its format.
    """
    if program:
        runners = {"the NumPy interpreter before its last step, to the older format": program}
    else:
        runners = {"the NumPy interpreter": mil_interpreter.load(package_path)}
    if sys.platform == "darwin":
        runners["Core ML"] = _core_ml(package_path)
    return runners


def _check(runners, path, pictures, expected, output, precision):
    """Run the package in every way that this computer has, and return the worst comparison."""
    num_channels = expected.shape[-1]
    only_ids = core_ml.gives_ids_only(output, num_channels)
    comparisons = []
    for run in runners.values():
        references, results = expected, (run(picture[None]) for picture in pictures)
        if output != "scores":
            references = (upsample(each, pictures.shape[1:3]) for each in expected)
        found = (core_ml.as_probabilities(result, output, num_channels)[0] for result in results)
        comparison = parity.compare(references, found, only_ids)
        # Grey levels are whole: half of one is lost, or a whole one if a phone cuts them off.
        step = 1 / 255 if output == "image" else 0
        parity.require(comparison, precision, path, step)
        comparisons.append(comparison)
    differences = [found["largest_difference"] for found in comparisons]
    return {
        "largest_difference": None if only_ids else max(differences),
        "mask_iou": min(found["mask_iou"] for found in comparisons),
        "decided_iou": min(found["decided_iou"] for found in comparisons),
    }


def _core_ml(package_path):
    """Return Core ML itself as a function like `mil_interpreter.Program`. Only macOS has it."""
    import coremltools as ct
    from PIL import Image

    package = ct.models.MLModel(str(package_path))

    def run_one(image):
        result = package.predict({"image": Image.fromarray(image)})[OUTPUT]
        if isinstance(result, Image.Image):
            return np.asarray(result)[None, None]
        return result if result.ndim == 4 else result[None]  # class ids have no batch axis

    def run(pictures):
        return np.concatenate([run_one(image) for image in pictures])

    return run
