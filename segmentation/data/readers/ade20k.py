"""Pictures and index masks in ADE20K's layout, prepared as TFRecords of the classes one wants.

images/training/ADE_train_00000001.jpg     annotations/training/ADE_train_00000001.png
objectInfo150.txt                          the name of each id; 0 is what has none
"""

import logging
import math
import os
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image

from segmentation import files
from segmentation.data import image_io, labels, masks, pairing, tfrecords
from segmentation.errors import InputError
from segmentation.progress import track

logger = logging.getLogger(__name__)

MANY_CLASSES = 20  # from the older project's README: beyond, accuracy suffers
DEFAULT_THRESHOLD = 0.7  # the older project's
ROUNDING = 1e-9  # 0.7 * 10 is 7.000000000000001
TURNED = range(2, 9)  # EXIF orientations that are not upright
END_OF_JPEG = b"\xff\xd9"
FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1]  # level 1 is twice as fast as the default, and as small


class Prepared(NamedTuple):
    """What becomes of a pair; `record` is None for a picture that shows too few classes."""

    classes_shown: int
    record: bytes | None = None
    pixels: np.ndarray | None = None  # (256,) by class id
    copied: bool = False  # whether the picture's bytes are those of the file


def prepare(
    image_dir,
    annotation_dir,
    output,
    label_filename,
    whitelist=None,
    threshold=DEFAULT_THRESHOLD,
    num_shards=1,
    workers=1,
    skip_bad=False,
):
    """Write `room.tfrecord`, or its shards, and `labels.txt` beside it.

    Pictures go to the shards in turn, in the order of their stems: each shard is a sample of all,
    and the frames of a film are better divided by folders. The bytes are the same whatever
    `workers` is. All files appear together at the end; older ones of this output are removed,
    with any number of shards. Memory does not grow with the number of pictures.

    Args:
        image_dir: folder of pictures.
        annotation_dir: folder of masks of the same stems, which hold the ids of `label_filename`,
            0 or 255 (no class).
        output: a path that ends in `.tfrecord`; `tfrecords.shard_paths` names the shards.
        label_filename: as `labels.read_object_info` reads it.
        whitelist: as `labels.whitelist` reads it; None keeps every class and every picture.
        threshold: share, 0..1, of the whitelisted classes that a picture must show. A merged
            group is one class; class 0 counts nowhere.
        num_shards: how many files.
        workers: threads.
        skip_bad: leave damaged pairs, and those of different sizes, out.

    Returns:
        dictionary: the files, how many pictures were kept of how many, how many show how many of
        the classes, the share of pixels of each class, the number of pictures that show it, how
        many pictures were copied as they are, what was skipped, and pictures per second.

    Raises:
        InputError: for whatever is wrong with the folders, files, names or the disk, or if no
            picture is kept.
    """
    start = time.perf_counter()
    output = Path(output)
    label_path = output.parent / "labels.txt"
    if output.suffix != tfrecords.SUFFIX or output.is_dir():
        raise InputError(f"{output}: name a file that ends in {tfrecords.SUFFIX}")
    known, _ = labels.read_object_info(label_filename)
    names, table = labels.whitelist(known, whitelist)
    labels.check_free(label_path, names)
    if len(names) - 1 > MANY_CLASSES:
        logger.warning(
            "warning: %d classes; accuracy suffers beyond %d, choose with --whitelist",
            len(names) - 1,
            MANY_CLASSES,
        )
    needed = required(threshold, len(names) - 1) if whitelist else None
    images = pairing.by_stem(image_io.find_some(image_dir))
    annotations = pairing.by_stem(image_io.find_some(annotation_dir))
    stems, *lone = pairing.match(images, annotations, image_dir, annotation_dir)
    pairing.say_lone(*lone)
    known_ids = np.zeros(256, bool)
    known_ids[[0, labels.IGNORED, *known]] = True

    def work(stem):
        try:
            return _prepare(stem, images[stem], annotations[stem], table, known_ids, needed or 0)
        except image_io.UnreadableError as error:
            return error

    shown = np.zeros(len(names), int)  # pictures by the number of classes that they show
    pixels, class_pictures = np.zeros(256, int), np.zeros(256, int)
    kept, copied, skipped = 0, 0, []
    with files.workspace_beside(output) as workspace:
        written = tfrecords.shard_paths(workspace / output.name, num_shards)
        results = pairing.in_order(work, stems, workers)
        for result in track(results, len(stems), "pictures"):
            if isinstance(result, image_io.UnreadableError):
                if not skip_bad:
                    raise InputError(f"{result}; mend or remove it, or say --skip_bad")
                logger.warning("skipped: %s", result)
                skipped.append(str(result))
                continue
            shown[result.classes_shown] += 1
            if result.record is not None:
                with open(written[kept % num_shards], "ab") as shard:
                    shard.write(result.record)
                kept += 1
                pixels += result.pixels
                class_pictures += result.pixels > 0
                copied += result.copied
        if not kept:
            raise InputError(_nothing_kept(shown, needed, threshold, skipped))
        if not pixels[1 : len(names)].any():
            more = " of --whitelist" if whitelist else ""
            if pixels[labels.IGNORED] and not whitelist:
                more = "; objects of black and white masks must be 1: 255 is no class"
            raise InputError(f"{annotation_dir}: no mask shows a class{more}")
        if kept < num_shards:
            raise InputError(f"--num_shards {num_shards} for {kept} pictures: some would be empty")
        targets = tfrecords.shard_paths(output, num_shards)
        labels.write(label_path, names)
        # A kill in between must not leave old shards among new ones: an incomplete set is refused.
        for old in tfrecords.existing(output):
            old.unlink()
        for source, target in zip(written, targets, strict=True):
            os.replace(source, target)
    seconds = time.perf_counter() - start
    counted = pixels[: len(names)]
    return {
        "tfrecords": [str(target) for target in targets],
        "labels": str(label_path),
        "pictures": kept,
        "pictures_of": len(stems),
        "classes": names,
        "classes_needed": needed,
        "pictures_by_classes_shown": shown.tolist(),
        "class_shares": [round(float(count / max(counted.sum(), 1)), 6) for count in counted],
        "class_pictures": class_pictures[: len(names)].tolist(),
        "ignored_share": round(float(pixels[labels.IGNORED] / pixels.sum()), 6),
        "copied": copied,
        "skipped": skipped,
        "unpaired": {"pictures": len(lone[0]), "masks": len(lone[1])},
        "seconds": round(seconds, 2),
        "pictures_per_second": round(len(stems) / seconds, 1),
    }


def required(threshold, num_classes):
    """Return how many of the classes a share of them is: 0.6 of 10 is 6, 0.61 of 10 is 7."""
    return math.ceil(threshold * num_classes - ROUNDING)


def share_of(count, num_classes):
    """Return a threshold, to three digits, of which `required` makes `count`."""
    return math.floor(1000 * count / num_classes) / 1000


def _nothing_kept(shown, needed, threshold, skipped):
    if not shown.sum():
        return f"none of the {len(skipped)} pairs can be read; the first: {skipped[0]}"
    classes = len(shown) - 1
    would = [
        f"{share_of(count, classes):g} would keep {shown[count:].sum()}"
        for count in range(needed - 1, 0, -1)
        if shown[count]
    ]
    return (
        f"none of {shown.sum()} pictures shows {needed} of the {classes} classes, as "
        f"--whitelist_threshold {threshold:g} wants: " + (", ".join(would) or "none shows any")
    )


def _prepare(stem, image_path, mask_path, table, known_ids, needed):
    """Return what is `Prepared` of a pair. Raises UnreadableError, InputError."""
    size, decoded = _open(image_path)
    codes, legend, shown, mask_size = masks.read(mask_path, size)
    if mask_size != size:
        raise image_io.UnreadableError(
            pairing.different_sizes(mask_path, mask_size, image_path, size)
        )
    if not legend.indexed:
        raise InputError(f"{mask_path}: holds colours, not class ids; {masks.BLENDED}")
    unknown = [str(code) for code in shown if not known_ids[code]]
    if unknown:
        raise InputError(
            f"{mask_path}: holds the ids {', '.join(unknown)}, which the label file does not name"
        )
    classes = set(table[shown].tolist()) - {0, labels.IGNORED}
    if len(classes) < needed:
        return Prepared(len(classes))
    image, image_format = _encoded(image_path, decoded)
    counted = np.array(Image.fromarray(codes).histogram())
    pixels = np.zeros(256, int)
    np.add.at(pixels, table, counted)
    unchanged = (table[shown] == shown).all() and _is_grey_png(mask_path)
    mask = mask_path.read_bytes() if unchanged else _png(table[codes])
    record = tfrecords.record(stem, image, image_format, size, mask)
    return Prepared(len(classes), record, pixels, image_format == "jpeg")


def _open(path):
    """Return the upright `(height, width)` of a picture, and None if its bytes can be copied.

    They can if any decoder of JPEG makes upright RGB of them. If not, the pixels come in place of
    None: of other formats the header alone does not tell how the picture is turned.
    """
    try:
        with Image.open(path) as image:
            if (
                image.format == "JPEG"
                and image.mode in ("RGB", "L")
                and image.getexif().get(ExifTags.Base.Orientation) not in TURNED
            ):
                return (image.height, image.width), None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        pass  # what is wrong is said in a moment
    pixels = image_io.read(path)
    return pixels.shape[:2], pixels


def _encoded(path, decoded):
    """Return the bytes of a picture that is upright RGB or grey, and their format."""
    if decoded is None:
        data = path.read_bytes()
        if data.rstrip(b"\0").endswith(END_OF_JPEG):  # or it was cut short
            return data, "jpeg"
        decoded = image_io.read(path)
    return _png(decoded[..., ::-1]), "png"


def _is_grey_png(path):
    with Image.open(path) as image:
        # Not all readers turn a mask as EXIF says.
        return image.format == "PNG" and image.mode == "L" and "exif" not in image.info


def _png(pixels):
    return cv2.imencode(".png", pixels, FAST)[1].tobytes()
