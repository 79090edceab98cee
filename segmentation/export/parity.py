"""The proof of an export: the same images through both models, and how far apart they may be."""

import contextlib
import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segmentation.data import check_images as kept_images
from segmentation.data import image_io, readers
from segmentation.errors import ExportError, reason
from segmentation.evaluation import metrics
from segmentation.inference import core_ml
from segmentation.probabilities import to_mask, upsample

COUNT = kept_images.CHECKED  # images of a check
# Synthetic portraits, so that masks show something, and, in turns with them, smooth random colours
# with fine noise, which drive every channel from 0 to 255. Made once, by synthetic.check_images.
CHECK_IMAGES = Path(__file__).parent / "check_images"

# precision: (largest difference of a probability, lowest IoU over confident pixels). Measured on
# trained networks, 16 photos each: float32 stays under 9e-6 for MobileUNet and ICNet, under 1.3e-5
# for UNet on EfficientNet-Lite0 (at 256 px), and its float16 under 2.1e-2. The slightest faults
# that were tried, an epsilon of BatchNorm off by 1e-5 and an input scaled by 255/256, change a
# probability by 8e-3 to 5e-2, and half precision by 6e-3: the limit of float32 tells them all from
# rounding, that of float16 cannot. int8 and palettes are weights of a Core ML package: of
# MobileUNets trained on LFW, on synthetic images and on faces of another camera, the mask IoU was
# 0.995 to 0.998 for int8, 0.995 for palette8, 0.982 to 0.990 for palette6 and 0.937 to 0.958 for
# palette4. full_int8, a .tflite whose arithmetic is int8 as well, keeps 0.954 to 0.991 on photos
# (no 8 of them less than 0.941) and loses 0.001 to 0.008 of the IoU with the ground truth; on
# synthetic images 0.76 to 0.98. Calibrated on noise or on black images it fell to 0.81 to 0.89.
# Around an object a probability may then differ by 0.9.
LIMITS = {
    "float32": (1e-4, 0.999),
    "float16": (5e-2, 0.999),
    "int8": (1.0, 0.99),
    "palette8": (1.0, 0.99),
    "palette6": (1.0, 0.98),
    "palette4": (1.0, 0.9),
    "full_int8": (1.0, 0.9),
}
ADVICE = {
    "float32": "",
    "full_int8": "; calibrate on more photos of what the app will see, or --quantize float16",
}
# A pixel within 0.01 of the decision threshold may change class in half precision, here or there on
# the border of every object: probabilities of a trained network differ by up to 8e-3. Such pixels
# say nothing about the export.
CONFIDENT_MARGIN = 1e-2
GRAY_STEP = 1 / 255  # levels are integers: half of one is lost, or a whole one if a phone truncates


@dataclass(frozen=True)
class Reference:
    """What an export is checked against.

    Attributes:
        images: `(N, height, width, 3)` uint8 RGB, at the size of the model's input.
        expected: `(N, h, w, C)` float32 probabilities that the model gives for them.
        origin: what the images are and how many, in words: `synthetic images (8)`.
    """

    images: np.ndarray
    expected: np.ndarray
    origin: str

    @classmethod
    def of_model(cls, model, images, origin):
        """Return the reference of a `keras.Model`, which sees the images one by one: memory."""
        expected = model.predict(images.astype(np.float32), batch_size=1, verbose=0)
        return cls(images, expected, f"{origin} ({len(images)})")

    def at_output(self, output):
        """Yield for each image what an export of the profile `output` is compared with."""
        for scores in self.expected:
            yield scores if output == "scores" else upsample(scores, self.images.shape[1:3])

    def with_background(self):
        """Return the reference of a single class with a channel for the background before it."""
        both = np.concatenate([1 - self.expected, self.expected], axis=-1)
        return dataclasses.replace(self, expected=both)


def check_images(img_size, folder=None, count=COUNT):
    """Return images for a check, the same at every call.

    Args:
        img_size: `(height, width)` in pixels.
        folder: where to take them from, evenly spread over what `readers.find_images` finds; None:
            the first of `CHECK_IMAGES`.
        count: how many at most.

    Returns:
        `(n, height, width, 3)` uint8 RGB, `1 <= n <= count`.

    Raises:
        InputError: if `folder` holds no image or one cannot be read.
    """
    found = image_io.find(CHECK_IMAGES)[:count] if folder is None else readers.find_images(folder)
    return np.stack([image_io.resize(image, img_size) for image in image_io.sample(found, count)])


def compare(reference, candidate, ids_only=False):
    """Compare the probabilities of two models on the same images.

    Args:
        reference: for each image the probabilities of the model, `(h, w, C)` float, 0..1; they are
            taken one by one, as 150 classes fill the memory.
        candidate: for each image the probabilities of the export.
        ids_only: whether the export gives class ids alone, as probabilities of 0 and 1.

    Returns:
        dictionary: `largest_difference`, over all values, NaN if either holds a NaN, None for class
        ids; `mask_iou`, the mean over classes of the IoU of the two masks, all pixels of all images
        together; and `decided_iou`, the IoU over confident pixels alone, those where the model is
        at least `CONFIDENT_MARGIN` from the decision threshold. A class that neither mask shows
        does not count; if there is none, the IoU is 1. With one channel the class is `p > 0.5`.

    Raises:
        ExportError: if the shapes differ.
    """
    return compare_pairs(zip(reference, candidate, strict=True), ids_only)


def compare_pairs(pairs, ids_only=False):
    """Compare as `compare` does, given pairs of the two probabilities of each image."""
    difference, matrix, confident_matrix = 0.0, 0, 0
    for model_scores, scores in pairs:
        if model_scores.shape != scores.shape:
            raise ExportError(f"the export gives {scores.shape}, the model {model_scores.shape}")
        num_channels = scores.shape[-1]
        count = functools.partial(metrics.confusion_matrix, num_classes=max(num_channels, 2))
        ours, theirs = to_mask(model_scores), to_mask(scores)
        confident = _margin(model_scores) >= CONFIDENT_MARGIN
        matrix += count(ours, theirs)
        confident_matrix += count(ours[confident], theirs[confident])
        if not ids_only:
            difference = np.maximum(difference, np.abs(model_scores - scores).max())  # keeps NaN
    return {
        "largest_difference": None if ids_only else float(difference),
        "mask_iou": _mean_iou(matrix, num_channels),
        "decided_iou": _mean_iou(confident_matrix, num_channels),
    }


def _margin(probabilities):
    """Return how far each pixel is from another class, 0..0.5."""
    if probabilities.shape[-1] == 1:
        return np.abs(probabilities[..., 0] - 0.5)
    ranked = np.partition(probabilities, -2, axis=-1)
    return (ranked[..., -1] - ranked[..., -2]) / 2


def _mean_iou(matrix, num_channels):
    ious = metrics.iou(metrics.pixel_counts(matrix))
    ious = ious[-num_channels:]  # the background of a single class is no class
    return 1.0 if np.isnan(ious).all() else float(np.nanmean(ious))


def require_two_classes(expected, limits, path, ids_only=False):
    """Raise `ExportError` if the IoU of masks is all the proof, and masks show one class alone.

    Args:
        expected: `(N, h, w, C)` probabilities that the model gives for the check images.
        limits: a key of `LIMITS`.
        path: the export, named in the message.
        ids_only: as in `compare`.
    """
    if LIMITS[limits][0] < 1 and not ids_only:
        return
    seen = [to_mask(scores)[_margin(scores) >= CONFIDENT_MARGIN] for scores in expected]
    if len(np.unique(np.concatenate(seen))) < 2:
        raise ExportError(
            f"{path}: the model sees one class alone in the check images, so {_precision(limits)} "
            "cannot be checked; give --check_images that show more; no file was written"
        )


def limits_of(limits, output="scores", num_channels=1):
    """Return how far an export may be from its model.

    Args:
        limits: a key of `LIMITS`.
        output: profile of the export, as in `options.Options`.
        num_channels: of the model.

    Returns:
        `(largest difference of a probability, lowest IoU over confident pixels)`; None for the
        first if any difference is allowed.
    """
    most, least = LIMITS[limits]
    if most >= 1 or core_ml.gives_ids_only(output, num_channels):
        return None, least
    return max(most, GRAY_STEP if output == "image" else 0), least


def excess(comparison, most, least):
    """Return in words by what a comparison exceeds limits; an empty list if it keeps them.

    Args:
        comparison: what `compare` returned.
        most: largest difference, or None.
        least: lowest IoU over confident pixels.
    """
    difference, iou = comparison["largest_difference"], comparison["decided_iou"]
    most, found = 1 if most is None else most, []
    if difference is not None and not difference <= most:  # written so that a NaN fails
        found.append(f"largest difference {difference:.2g} (limit {most:g})")
    if not iou >= least:
        found.append(f"IoU over confident pixels {iou:.4f} (limit {least:g})")
    return found


def require(comparison, limits, path, output="scores", num_channels=1):
    """Raise `ExportError` unless a comparison keeps the limits of a precision.

    Args:
        comparison: what `compare` returned.
        limits: a key of `LIMITS`.
        path: the export, named in the message.
        output: as for `limits_of`.
        num_channels: as for `limits_of`.
    """
    found = excess(comparison, *limits_of(limits, output, num_channels))
    if found:
        advice = ADVICE.get(limits, "; --quantize float32 rounds nothing")
        raise ExportError(
            f"{path}: differs from the model more than {_precision(limits)} may: "
            f"{', '.join(found)}; no file was written{advice}"
        )


def _precision(limits):
    return limits.removeprefix("full_")


def check(path, runners, reference, limits, output="scores"):
    """Run an export in every way that this computer has.

    Args:
        path: the export, named in messages.
        runners: by name, functions from images to probabilities, as in `options.Written`.
        reference: `Reference` of the model.
        limits: a key of `LIMITS`.
        output: profile of the export, as in `options.Options`.

    Returns:
        what `compare` returns, the worst of all runners, and `checked_on`, the origin of the
        images.

    Raises:
        ExportError: if it gives another shape than the model, or differs more than it may.
    """
    num_channels = reference.expected.shape[-1]
    ids_only = core_ml.gives_ids_only(output, num_channels)
    comparisons = []
    for run in runners.values():
        found = (run(image[None])[0] for image in reference.images)
        comparison = compare(reference.at_output(output), found, ids_only)
        require(comparison, limits, path, output, num_channels)
        comparisons.append(comparison)
    differences = [comparison["largest_difference"] for comparison in comparisons]
    return {
        "largest_difference": None if ids_only else max(differences),
        "mask_iou": min(comparison["mask_iou"] for comparison in comparisons),
        "decided_iou": min(comparison["decided_iou"] for comparison in comparisons),
        "checked_on": reference.origin,
    }


def summary(comparison):
    """Return in words what `check` returned."""
    difference = comparison["largest_difference"]
    first = "" if difference is None else f"largest difference {difference:.1e}, "
    return f"{first}mask IoU {comparison['mask_iou']:.4f} on {comparison['checked_on']}"


@contextlib.contextmanager
def converting(path):
    """Turn what a converter raises about a model, of many types, into an ExportError.

    Args:
        path: the export, named in the message.
    """
    try:
        yield
    except (OSError, ImportError, ExportError):  # the disk, the installation, or said already
        raise
    except Exception as error:
        raise ExportError(
            f"{path}: the network cannot be converted ({reason(error)}); no file was written"
        ) from error
