"""Masks, overlays and heat maps of image files, written into a folder."""

from pathlib import Path

from PIL import Image

from segmentation import files
from segmentation.data import image_io, readers
from segmentation.errors import InputError
from segmentation.inference import visualization
from segmentation.probabilities import to_mask_at

MASK_ENDING, OVERLAY_ENDING, HEAT_ENDING = "_mask.png", "_overlay.jpg", "_probabilities.png"
JPEG_QUALITY = 92


def find_images(inputs):
    """Return the image files that `inputs` name.

    Args:
        inputs: paths of files and folders. Of a folder in a layout of `data.readers` its images are
            meant, and not its masks; of any other the images directly in it.

    Returns:
        list of paths in the order of `inputs`, each once.

    Raises:
        InputError: if there is no such file or folder, or no image in a folder.
    """
    paths = []
    for path in inputs:
        if path.is_dir():
            paths += readers.find_images(path)
        elif path.is_file():
            paths.append(path)
        else:
            raise InputError(f"{path}: no such file or folder")
    return list(dict.fromkeys(paths))


def stems(paths, folder, with_heat_maps):
    """Choose the paths of the results of images, without their endings, in `folder`.

    Args:
        paths: list of image files.
        folder: where the results will stand.
        with_heat_maps: whether heat maps will be written.

    Returns:
        dictionary from the path of an image to that of its results without an ending.

    Raises:
        InputError: if a result would replace one of the images.
    """
    chosen = {path: Path(folder) / name for path, name in unique_names(paths).items()}
    endings = [MASK_ENDING, OVERLAY_ENDING] + [HEAT_ENDING] * with_heat_maps
    results = {Path(f"{stem}{ending}").resolve() for stem in chosen.values() for ending in endings}
    for path in paths:
        if path.resolve() in results:
            raise InputError(f"{path}: a result would replace it; name another --output_dir")
    return chosen


def unique_names(paths):
    """Return a name for the results of each path: its stem, or more where stems repeat."""
    names, taken = {}, set()
    for path in paths:
        name = path.stem
        if name.lower() in taken:  # some file systems do not distinguish A from a
            name = f"{path.resolve().parent.name}_{path.stem}"
        number, base = 1, name
        while name.lower() in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name.lower())
        names[path] = name
    return names


def write(predict, path, stem, with_heat_maps, white):
    """Segment an image and write its mask, its overlay and, if wanted, its heat maps.

    Args:
        predict: `Predictor`.
        path: of the image.
        stem: path of the results without their endings.
        with_heat_maps: whether to write heat maps.
        white: of images of 16 bits, as `image_io.survey` finds it.

    Raises:
        image_io.UnreadableError: if the image is damaged.
        InputError: if a file cannot be written.
    """
    image = image_io.read(path, white=white)
    probabilities = predict(image_io.resize(image, predict.img_size)[None])[0]
    mask = to_mask_at(probabilities, image.shape[:2])
    _save(f"{stem}{MASK_ENDING}", mask)
    overlay = visualization.overlay(image, mask, predict.classes.id_colors)
    _save(f"{stem}{OVERLAY_ENDING}", overlay, quality=JPEG_QUALITY)
    if with_heat_maps:
        heat_maps = visualization.heat_maps(image, probabilities, predict.classes.names)
        _save(f"{stem}{HEAT_ENDING}", heat_maps)


def _save(path, pixels, **options):
    with files.written_whole(path) as temporary:
        Image.fromarray(pixels).save(temporary, **options)
