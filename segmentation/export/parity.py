"""The proof of an export: the same pictures through both models, and how far apart they may be."""

import contextlib
import functools

import cv2
import numpy as np

from segmentation import files
from segmentation.data import image_io
from segmentation.errors import ExportError, InputError, reason
from segmentation.evaluation import metrics
from segmentation.inference import predictor
from segmentation.probabilities import to_mask
from segmentation.synthetic.portraits import portrait

COUNT = 8  # pictures of a check: about a second of the slowest reader, the Core ML interpreter

# precision: (largest difference of a probability, lowest decided IoU). Measured on MobileUNet and
# ICNet: float32 stays under 9e-6, float16 of a trained network under 1.9e-2. int8 and palettes are
# weights of a Core ML package: of MobileUNets trained on LFW, on drawn pictures and on faces of
# another camera, the mask IoU was 0.995 to 0.998 for int8, 0.995 for palette8, 0.982 to 0.990 for
# palette6 and 0.937 to 0.958 for palette4. full_int8, a .tflite whose arithmetic is int8 as well,
# keeps 0.954 to 0.991 on photos (no 8 of them less than 0.941) and loses 0.001 to 0.008 of the IoU
# with the truth; on drawn pictures 0.76 to 0.98. Calibrated on noise or on black pictures it fell
# to 0.81 to 0.89. Around an object a probability may then differ by 0.9.
LIMITS = {
    "float32": (1e-5, 0.999),
    "float16": (2e-2, 0.999),
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
# A probability this near to where the mask changes tips over in half precision, here or there on
# the border of every object: of a trained network up to 8e-3. It says nothing about the export.
UNDECIDED = 1e-2


def check_pictures(img_size, folder=None, count=COUNT):
    """Return pictures for a check, the same ones at every call.

    Args:
        img_size: `(height, width)` in pixels.
        folder: where to take them from, evenly spread over its sorted pictures; None: drawn
            portraits, so that masks show something, and, in turns with them, smooth random colours
            with fine noise, which drive every channel from 0 to 255.
        count: how many at most.

    Returns:
        `(n, height, width, 3)` uint8 RGB, `1 <= n <= count`.

    Raises:
        InputError: if `folder` holds no picture or one cannot be read.
    """
    if folder is None:
        return np.stack([_drawn(img_size, index) for index in range(count)])
    return image_io.sample(folder, img_size, count)


def _drawn(img_size, index):
    if index % 2 == 0:
        return image_io.resize(portrait(0, index)[0], img_size)
    height, width = img_size
    generator = np.random.default_rng(index)
    coarse = generator.uniform(-64, 319, (6, 6, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = generator.normal(0, 8, (height, width, 3))
    return np.clip(smooth + noise, 0, 255).astype(np.uint8)


def expected(model, images):
    """Return what the `keras.Model` gives for the pictures of a check, one by one: memory."""
    return model.predict(images.astype(np.float32), batch_size=1, verbose=0)


def compare(reference, candidate, only_ids=False):
    """Compare probabilities of two models on the same pictures.

    Args:
        reference: for each picture the probabilities of the model, `(h, w, C)` float, 0..1; they
            are taken one by one, as 150 classes fill the memory.
        candidate: the same of the export.
        only_ids: whether the export gives class ids alone, as probabilities of 0 and 1.

    Returns:
        `largest_difference`, over all values, NaN if either holds a NaN, None of class ids;
        `mask_iou`, the mean over classes of the IoU of the two decided masks, all pixels of all
        pictures together; and `decided_iou`, the same without the pixels that the model leaves
        undecided. A class that neither shows does not count; if there is none, 1. With one channel
        the class is `p > 0.5`.

    Raises:
        ExportError: if the shapes differ.
    """
    difference, matrix, decided_matrix = 0.0, 0, 0
    for model_scores, scores in zip(reference, candidate, strict=True):
        if model_scores.shape != scores.shape:
            raise ExportError(f"the export gives {scores.shape}, the model {model_scores.shape}")
        num_channels = scores.shape[-1]
        count = functools.partial(metrics.confusion_matrix, num_classes=max(num_channels, 2))
        ours, theirs = to_mask(model_scores), to_mask(scores)
        decided = _margin(model_scores) >= UNDECIDED
        matrix += count(ours, theirs)
        decided_matrix += count(ours[decided], theirs[decided])
        if not only_ids:
            difference = np.maximum(difference, np.abs(model_scores - scores).max())  # keeps NaN
    return {
        "largest_difference": None if only_ids else float(difference),
        "mask_iou": _mean_iou(matrix, num_channels),
        "decided_iou": _mean_iou(decided_matrix, num_channels),
    }


def _margin(probabilities):
    """Return how far each pixel is from another class, 0..0.5."""
    if probabilities.shape[-1] == 1:
        return np.abs(probabilities[..., 0] - 0.5)
    ranked = np.partition(probabilities, -2, axis=-1)
    return (ranked[..., -1] - ranked[..., -2]) / 2


def _mean_iou(matrix, num_channels):
    ious = metrics.iou(metrics.pixel_counts(matrix))[
        -num_channels:
    ]  # of one: what is not it is no class
    return 1.0 if np.isnan(ious).all() else float(np.nanmean(ious))


def require_telling(expected, precision, path, only_ids=False):
    """Raise `ExportError` if an IoU has to decide, and the pictures are such that it cannot.

    Args:
        expected: `(N, h, w, C)` probabilities that the model gives for the pictures of the check.
        precision: a key of `LIMITS`.
        path: the export, named in the message.
        only_ids: as in `compare`.
    """
    if LIMITS[precision][0] < 1 and not only_ids:
        return
    seen = [to_mask(scores)[_margin(scores) >= UNDECIDED] for scores in expected]
    if len(np.unique(np.concatenate(seen))) < 2:
        raise ExportError(
            f"{path}: in the pictures of the check the model sees one class alone, so {precision} "
            "cannot be checked; give --check_images that show more; no file was written"
        )


def require(comparison, precision, path, step=0.0):
    """Raise `ExportError` unless `comparison` keeps the limits of `precision`.

    Args:
        comparison: what `compare` returned.
        precision: a key of `LIMITS`.
        path: the export, named in the message.
        step: difference that the output's own levels may make.
    """
    difference, iou = comparison["largest_difference"], comparison["decided_iou"]
    most, least = LIMITS[precision]
    most = max(most, step)
    found = []
    if difference is not None and not difference <= most:  # written so that a NaN fails
        found.append(f"largest difference {difference:.2g} (limit {most:g})")
    if not iou >= least:
        found.append(f"IoU of decided pixels {iou:.4f} (limit {least:g})")
    if found:
        advice = ADVICE.get(precision, "; --quantize float32 rounds nothing")
        raise ExportError(
            f"{path}: differs from the model more than {precision.removeprefix('full_')} may: "
            f"{', '.join(found)}; no file was written{advice}"
        )


def summary(comparison):
    """Return a comparison in words."""
    difference = comparison["largest_difference"]
    told = "" if difference is None else f"largest difference {difference:.1e}, "
    return f"{told}mask IoU {comparison['mask_iou']:.4f}"


@contextlib.contextmanager
def converting(path):
    """Turn what a converter raises about a model, of many types, into an ExportError.

    Args:
        path: the export, named in the message.
    """
    try:
        yield
    except (OSError, ImportError):  # the disk or the installation, not the network
        raise
    except Exception as error:
        raise ExportError(
            f"{path}: the network cannot be converted ({reason(error)}); no file was written"
        ) from error


def write_checked(write, path, images, expected, precision):
    """Write an export, run it, and give it its name if it segments as the model does.

    Args:
        write: function that writes the export to the path that it is given.
        path: where the export will stand.
        images: of `check_pictures`.
        expected: probabilities that the model gives for them.
        precision: a key of `LIMITS`.

    Returns:
        what `compare` returns.

    Raises:
        ExportError: if it cannot be made, cannot be run, or differs. What stood under `path` is
            untouched.
    """
    with files.written_whole(path) as temporary:
        with converting(path):
            write(temporary)
        try:
            comparison = compare(expected, predictor.load(temporary)(images))
        except InputError as error:
            raise ExportError(f"{path}: cannot be run ({error}); no file was written") from error
        require(comparison, precision, path)
    return comparison
