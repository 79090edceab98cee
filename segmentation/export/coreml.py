"""Core ML: an ML program (.mlpackage) for iOS 15 and later, or a neural network (.mlmodel), iOS 14.

Both are written from a model for inference on the TensorFlow backend of Keras. Their input `image`
is an RGB image, their output `mask` is what `Options.output` asks for.
"""

import json
import sys

import numpy as np

from segmentation.export import interface
from segmentation.export.options import Written
from segmentation.export.sharing import once
from segmentation.formats import PALETTES
from segmentation.inference import core_ml, mil_interpreter
from segmentation.quiet import silenced

COLOR_LAYOUT = "RGB"
OUTPUT = "mask"
OLDEST, OLDEST_COMPRESSED = "iOS15", "iOS16"  # that run ML programs, and compressed weights
NEURAL_NETWORK_TARGET = "iOS14"
INTERPRETER = "the NumPy interpreter"
PREVIEW_TYPE = "com.apple.coreml.model.preview.type"
# coremltools' guide "Xcode Model Preview Types" says `parameters` in its text and `params` in its
# example, as Apple's own DeepLabV3 does: both are written.
PREVIEW_PARAMETERS = (
    "com.apple.coreml.model.preview.params",
    "com.apple.coreml.model.preview.parameters",
)


def to_ml_program(model, path, classes, options):
    """Write `model` to `path`, a name ending in `.mlpackage`, as an ML program.

    Args:
        model: `keras.Model` for inference, from RGB 0..255 of a fixed size to probabilities.
        path: of the package.
        classes: `Classes`.
        options: `Options`. `float32` and `float16` are of weights and arithmetic; the arithmetic of
            the other precisions is float16, their weights are 8-bit integers (`int8`) or a table
            of 256, 64 or 16 weights per layer (`palette8`, `palette6`, `palette4`).

    Returns:
        `Written` with runners.

    Raises:
        UnsupportedOp: if the package holds an op that cannot be run here, so cannot be checked.
    """
    precision = options.precision
    whole = precision in ("float32", "float16")
    target = options.target or (OLDEST if whole else OLDEST_COMPRESSED)
    with silenced():  # from the import on: it reports what it cannot load
        import coremltools as ct

        converted = _converted(model, options.output, target, precision != "float32")
        converted = _compressed(converted, precision)
        package = ct.models.MLModel(
            _named(converted.get_spec()), weights_dir=converted.weights_dir, skip_model_load=True
        )
        _save(package, path, model, classes, options)
    program = mil_interpreter.load(path)
    return Written(_runners({INTERPRETER: program}, path, options.output, len(classes)))


def to_neural_network(model, path, classes, options):
    """Write `model` to `path`, a name ending in `.mlmodel`, in the older format.

    It gives scores in float32 alone. Nothing here can run the format: the check runs the program
    from which coremltools makes it.

    Args: those of `to_ml_program`.

    Returns:
        `Written` with runners.
    """
    with silenced():  # from the import on: it reports what it cannot load
        import coremltools as ct

        target = ct.target[NEURAL_NETWORK_TARGET]
        program = ct.convert(
            [_traced(model, options.output)],
            source="tensorflow",
            convert_to="milinternal",
            inputs=[_image(model)],
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
        _save(ct.models.MLModel(spec, skip_model_load=True), path, model, classes, options)
    programs = {f"{INTERPRETER} before the last step of the conversion": runnable}
    return Written(_runners(programs, path, options.output, len(classes)))


@once
def _converted(model, output, target, half):
    """Return `model` as an ML program whose weights are whole, in half precision or in single."""
    import coremltools as ct

    # Declared, or float16 comes out from iOS 16 on. A name here would fail.
    declared = {
        "scores": lambda: ct.TensorType(dtype=np.float32),
        "labels": lambda: ct.TensorType(dtype=np.int32),
        "image": lambda: ct.ImageType(color_layout=ct.colorlayout.GRAYSCALE),
    }
    return ct.convert(
        [_traced(model, output)],
        source="tensorflow",
        convert_to="mlprogram",
        inputs=[_image(model)],
        outputs=[declared[output]()],
        minimum_deployment_target=ct.target[target],
        compute_precision=ct.precision("float16" if half else "float32"),
    )


def _traced(model, output):
    """Return `model` as a TensorFlow function of one image, BatchNorm as in inference."""
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
        return tf.transpose(grey, (0, 3, 1, 2))  # Core ML makes images of (1, 1, H, W) alone

    return predict.get_concrete_function()


def _image(model):
    import coremltools as ct

    return ct.ImageType(
        name="image", shape=(1, *model.input_shape[1:3], 3), color_layout=COLOR_LAYOUT
    )


def _named(spec):
    """Call the output `mask`: convert() takes no name for that of a TensorFlow function."""
    import coremltools as ct

    ct.utils.rename_feature(spec, spec.description.output[0].name, OUTPUT)
    return spec


def _compressed(package, precision):
    """Return a copy of `package` with the weights of its large layers in fewer bits, or itself."""
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


def _save(package, path, model, classes, options):
    """Describe `package`, for the person who opens it and for `predictor.load`, and save it."""
    package.short_description = interface.description(classes, model.input_shape[1:3]) + "."
    package.author, package.license = options.author, options.licence
    package.version = interface.VERSION
    package.input_description["image"] = (
        "The image, stretched to this size (scaleFill). Normalisation is inside."
    )
    package.output_description[OUTPUT] = _meaning(classes, options.output)
    names, colors = classes.names, classes.colors
    if options.output == "labels":
        names, colors = classes.id_names, classes.id_colors
    preview = {"labels": names, "colors": ["#{:02X}{:02X}{:02X}".format(*rgb) for rgb in colors]}
    package.user_defined_metadata.update(
        {
            "classes": json.dumps(classes.names),
            "colors": json.dumps(classes.colors),
            "output": options.output,
            "ignored_class": classes.ignored or "",
            PREVIEW_TYPE: "imageSegmenter",
            **{key: json.dumps(preview) for key in PREVIEW_PARAMETERS},
        }
    )
    package.save(str(path))


def _meaning(classes, output):
    """Return what the output holds, in a sentence."""
    single = len(classes) == 1
    if output == "scores":
        meaning = "of the class" if single else "of each class, adding up to 1"
        return (
            f"The probability {meaning} at each pixel: [1, height, width, channel], "
            f"channels {', '.join(classes.names)}."
        )
    ids = interface.class_ids(classes)
    if output == "labels":
        return f"The class id of each pixel: [height, width], {ids}."
    if single:
        return f"255 times the probability of {classes.names[0]} at each pixel."
    return f"The class id of each pixel as a grey level: {ids}."


def _runners(programs, path, output, num_channels):
    """Return what can run the package here, by name: functions from images to probabilities.

    Args:
        programs: by name, `mil_interpreter.Program`.
        path: of the package, for Core ML itself.
        output: its profile.
        num_channels: number of the model's channels.
    """
    if sys.platform == "darwin":
        programs = programs | {"Core ML": _core_ml(path)}

    def runner(program):
        return lambda images: core_ml.as_probabilities(program(images), output, num_channels)

    return {name: runner(program) for name, program in programs.items()}


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

    def run(images):
        return np.concatenate([run_one(image) for image in images])

    return run
