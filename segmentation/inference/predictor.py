"""Any artefact of the project as one callable: RGB pictures in, probabilities out."""

import contextlib
import functools
import json
import math
import zipfile
from pathlib import Path

import numpy as np

from segmentation import model_card
from segmentation.data import labels
from segmentation.data.classes import Classes, of_channels
from segmentation.errors import InputError, reason
from segmentation.legacy import keras2
from segmentation.quiet import silenced

BATCH_SIZE = 16  # pictures that a Keras model sees at once
SCORED_FLOATS = 2**26  # that the probabilities of a batch take at most, if more than one picture's


class Predictor:
    """A model that was loaded, whatever its format.

    Attributes:
        path: of the artefact.
        img_size: `(height, width)` of its input in pixels.
        classes: `Classes` of its channels.
        card: the model card beside the artefact, or what was given in its place, or None.
        named: whether names and colours are those of the training, from the card or from inside
            the artefact; else they are made up.
        only_ids: whether it gives class ids alone, as probabilities of 0 and 1.
        model: `keras.Model` for inference behind a `.keras` or `.h5` file, else None.
    """

    def __init__(self, path, run, img_size, num_channels, metadata=None, classes=None):
        self.path, self.img_size, self._run = Path(path), img_size, run
        inside = _described_inside(metadata or {}, num_channels)
        self.card = _card(self.path, img_size, num_channels, inside, classes)
        known = self.card or inside
        self.named = known is not None
        known = known or _made_up(num_channels)
        self.only_ids = getattr(run, "only_ids", False)
        self.model = getattr(run, "model", None)
        self.classes = Classes.of_card(known)

    def __call__(self, images):
        """Return probabilities.

        Args:
            images: `(N, height, width, 3)` uint8 RGB, of `img_size`.

        Returns:
            `(N, h, w, C)` float32, 0..1. h, w are those of the network's output, which may be
            smaller than its input: `upsample` before deciding.

        Raises:
            ValueError: if `images` has another type or size.
        """
        if images.dtype != np.uint8 or images.shape[1:] != (*self.img_size, 3):
            raise ValueError(
                f"expected (N, {self.img_size[0]}, {self.img_size[1]}, 3) uint8, "
                f"got {images.shape} {images.dtype}"
            )
        return self._run(images)


def load(path, given=keras2.NOTHING):
    """Load a model.

    Args:
        path: `.keras`, `.h5`, `.tflite`, frozen `.pb`, `.mlpackage`, or the folder of a SavedModel.
            The model card is looked for beside it, under the same stem.
        given: `keras2.LegacySpec`: what a model of another project does not say itself.

    Returns:
        `Predictor`.

    Raises:
        InputError: if there is no such file, it is no such model, its card is of another model, or
            what is given does not fit it.
    """
    path = Path(path)
    if (path / "saved_model.pb").is_file():
        reader = _saved_model
    elif path.suffix.lower() in READERS:
        reader = READERS[path.suffix.lower()]
    else:
        raise InputError(f"{path}: no model; known are {', '.join(READERS)}, SavedModel folders")
    if reader is _keras:
        reader = functools.partial(_keras, given=given)
    elif given.normalization or given.network:
        raise InputError(f"{path}: an export; --from, --input_mean and --model are for .h5, .keras")
    with reading(path):
        run, img_size, num_channels = reader(path)
    metadata = getattr(run, "metadata", None)  # only ML programs and .tflite have some
    return Predictor(path, run, img_size, num_channels, metadata, given.classes)


@contextlib.contextmanager
def reading(path):
    """Turn what goes wrong while reading the model `path` into an InputError."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.suffix.lower() == ".keras" and not zipfile.is_zipfile(path):  # Keras: not found
        raise InputError(f"{path}: not a readable model (damaged or cut short); copy it again")
    try:
        with silenced():  # TensorFlow announces itself, LiteRT its delegate
            yield
    except InputError:
        raise
    except ImportError as error:
        raise InputError(
            f"{path}: reading it needs {error.name}; run pip install -r requirements.txt"
        ) from error
    except Exception as error:  # six libraries, each with its own errors for a damaged file
        raise InputError(f"{path}: not a readable model ({reason(error)})") from error


def to_mask(probabilities):
    """Turn probabilities `(…, h, w, C)` into channel ids `(…, h, w)`, uint8.

    One channel: 1 where p > 0.5, else 0. Several: the most probable, the first of equals.
    """
    if probabilities.shape[-1] == 1:
        return (probabilities[..., 0] > 0.5).astype(np.uint8)
    return probabilities.argmax(-1).astype(np.uint8)


def upsample(probabilities, size):
    """Resize the probabilities `(h, w, C)` of a picture bilinearly to `size`, (height, width)."""
    import cv2

    height, width = size
    channels = np.moveaxis(probabilities, -1, 0)  # one by one: OpenCV 5 takes 128 at most
    resized = [cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in channels]
    return np.stack(resized, axis=-1)


def evaluation_batch_size(batch_size, img_size, num_classes):
    """Return how many pictures' probabilities to hold at their full size, `batch_size` at most."""
    return int(np.clip(SCORED_FLOATS // (math.prod(img_size) * num_classes), 1, batch_size))


def to_mask_at(probabilities, size):
    """Return `to_mask(upsample(probabilities, size))` with the memory of one channel.

    150 classes at the size of a photograph would take gigabytes.
    """
    if probabilities.shape[-1] == 1:
        return to_mask(upsample(probabilities, size))
    best = upsample(probabilities[..., :1], size)[..., 0]
    mask = np.zeros(size, np.uint8)
    for channel in range(1, probabilities.shape[-1]):
        score = upsample(probabilities[..., channel : channel + 1], size)[..., 0]
        better = score > best
        mask[better] = channel
        best[better] = score[better]
    return mask


def _card(path, img_size, num_channels, inside, text):
    given = of_channels(text, num_channels) if text else None
    beside = model_card.path_beside(path)
    if not beside.exists():
        if given is None:
            return None
        if inside and inside["classes"] != given:
            raise InputError(
                f"{path}: it says itself that it finds {', '.join(inside['classes'])}; "
                "omit --classes"
            )
        card = {"img_size": list(img_size)} | Classes.of_names(given).to_card()
        return card | (inside or {})
    card = model_card.read(path)
    if inside and inside["classes"] == [labels.BACKGROUND_NAMES[0], *card["classes"]]:
        card |= inside  # tf_converter.py --two_channels gave the model's one class a background
    found = (tuple(card["img_size"]), len(card["classes"]))
    if found != (img_size, num_channels):
        raise InputError(
            f"{beside}: this card is of another model: it has "
            f"{found[0]} px and {found[1]} channels, {path.name} has {img_size} and {num_channels}"
        )
    if inside and inside["classes"] != card["classes"]:
        raise InputError(
            f"{beside}: this card is of another model: it names {', '.join(card['classes'])}, "
            f"{path.name} says itself {', '.join(inside['classes'])}; convert again"
        )
    if given not in (None, card["classes"]):
        raise InputError(
            f"{path}: its card names {', '.join(card['classes'])}; omit --classes, "
            f"or delete {beside} if that is wrong"
        )
    return card


def _described_inside(metadata, num_channels):
    """Return what our converters wrote into a file, of a card's entries, or None."""
    try:
        found = {key: metadata[key] for key in ("classes", "colors")}
        for key, value in found.items():
            if isinstance(value, str):  # an ML program's metadata are texts
                found[key] = json.loads(value)
    except (KeyError, TypeError, ValueError):  # a file of another origin
        return None
    if not all(isinstance(each, list) and len(each) == num_channels for each in found.values()):
        return None
    if metadata.get("ignored_class"):
        found["ignored_class"] = metadata["ignored_class"]
    return found


def _made_up(num_channels):
    numbers = range(1, max(num_channels, 2))
    names = ["background", *(f"class {number}" for number in numbers)][-num_channels:]
    return Classes.of_names(names).to_card()


# Each reader returns (run, img_size, num_channels); run takes (N, H, W, 3) uint8 of that size.


def _keras(path, given):
    import nets

    model = nets.inference_model(keras2.load(path, given))
    img_size, num_channels = _sizes(model.input_shape, model.output_shape)

    def run(images):
        batches = range(0, len(images), BATCH_SIZE)
        return np.concatenate(
            [
                model.predict_on_batch(images[start : start + BATCH_SIZE].astype(np.float32))
                for start in batches
            ]
        )

    run.model = model
    return run, img_size, num_channels


def _tflite(path):
    from ai_edge_litert.interpreter import Interpreter

    from segmentation.inference import tflite

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    for details in (source, target):
        if details["dtype"] not in (np.float32, np.uint8):
            raise ValueError(f"it works on {details['dtype'].__name__}, not on float32 or uint8")

    def run_one(image):
        interpreter.set_tensor(source["index"], _quantized(image, source))
        interpreter.invoke()
        return _dequantized(interpreter.get_tensor(target["index"]), target)

    run, *sizes = _one_by_one(run_one, source["shape"], target["shape"])
    run.metadata = tflite.read_metadata(path)
    return run, *sizes


def _quantized(values, details):
    """Return the bytes by which a tensor of uint8 stands for float32 values."""
    if details["dtype"] == np.float32:
        return values
    scale, zero_point = details["quantization"]
    return np.clip(np.rint(values / scale) + zero_point, 0, 255).astype(np.uint8)


def _dequantized(values, details):
    """Return the float32 values for which the bytes of a tensor stand."""
    if details["dtype"] == np.float32:
        return values
    scale, zero_point = details["quantization"]
    return (values.astype(np.float32) - zero_point) * np.float32(scale)


def _frozen_graph(path):
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    (image,) = [node.name for node in graph.node if node.op == "Placeholder"]
    function = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    function = function.prune(f"{image}:0", "output_0:0")
    return _one_by_one(
        lambda image: function(tf.constant(image)).numpy(),
        function.inputs[0].shape,
        function.outputs[0].shape,
    )


def _saved_model(path):
    import tensorflow as tf

    model = tf.saved_model.load(str(path))
    function = model.signatures["serving_default"]
    ((source, spec),) = function.structured_input_signature[1].items()
    ((target, output),) = function.structured_outputs.items()

    def run_one(image):
        return function(**{source: tf.constant(image)})[target].numpy()

    run_one.model = model  # the variables live as long as the model does
    return _one_by_one(run_one, spec.shape, output.shape)


def _core_ml(path):
    from segmentation.inference import core_ml, mil_interpreter

    program = mil_interpreter.load(path)
    output = program.metadata.get("output", "scores")
    if output == "scores":
        num_channels = program(np.zeros((1, *program.img_size, 3), np.uint8)).shape[-1]
    else:
        num_channels = len(json.loads(program.metadata["classes"]))

    def run(images):
        return core_ml.as_probabilities(program(images), output, num_channels)

    run.metadata = program.metadata
    run.only_ids = core_ml.gives_ids_only(output, num_channels)
    return run, tuple(program.img_size), num_channels


def _one_by_one(run_one, input_shape, output_shape):
    """Wrap a float32 function of batch size 1, the one that phones use."""
    img_size, num_channels = _sizes(input_shape, output_shape)

    def run(images):
        return np.concatenate([run_one(image[None].astype(np.float32)) for image in images])

    return run, img_size, num_channels


def _sizes(input_shape, output_shape):
    """Return `(height, width)` of the input and the channels of the output."""
    source, target = tuple(input_shape), tuple(output_shape)
    if len(source) != 4 or len(target) != 4 or None in source[1:] or source[3] != 3:
        raise ValueError(f"it maps {source} to {target}, not an RGB picture of one size to a mask")
    return (int(source[1]), int(source[2])), int(target[3])


READERS = {
    ".keras": _keras,
    ".h5": _keras,
    ".tflite": _tflite,
    ".pb": _frozen_graph,
    ".mlpackage": _core_ml,
}
