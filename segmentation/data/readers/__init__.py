"""One module for each source layout: where its samples are and what their masks mean.

A module has a `DESCRIPTION` for messages, `fits(folder)`, which says whether a folder has the
layout, and `open_reader(data_dirs, label_file=None, …)`, which returns a `samples.Reader`. Its
further arguments are the options of `data.py prepare` that the layout takes. A module whose folders
are also those of a more general layout names that as `NARROWER_THAN`.
"""

from pathlib import Path

from segmentation.data import image_io, pairing
from segmentation.data.readers import (
    ade20k,
    ade20k_full,
    cityscapes,
    coco,
    folders,
    labelme,
    mask_per_class,
    roboflow,
    voc,
)
from segmentation.errors import InputError

OTHER_FOLDERS = (
    "; of images and masks in other folders, say --layout folders --image_dir … --annotation_dir …"
)
LAYOUTS = {
    "folders": folders,
    "ade20k": ade20k,
    "ade20k_full": ade20k_full,
    "cityscapes": cityscapes,
    "coco": coco,
    "labelme": labelme,
    "mask_per_class": mask_per_class,
    "roboflow": roboflow,
    "voc": voc,
}


def detect(data_dirs):
    """Return the one layout, a key of `LAYOUTS`, that all of some folders have.

    Raises:
        InputError: if a folder is missing or has no known layout or several, or they differ.
    """
    found = {data_dir: _detect(Path(data_dir)) for data_dir in data_dirs}
    if len({*found.values()}) > 1:
        layouts = ", ".join(f"{data_dir} ({layout})" for data_dir, layout in found.items())
        raise InputError(f"these folders have different layouts: {layouts}; give one kind")
    return next(iter(found.values()))


def find_images(folder):
    """Return the images of a folder, and not its masks, as paths.

    In one of the layouts they are its images, with masks or without; in any other folder those
    directly in it.

    Raises:
        InputError: if there is no such folder, or no image in it.
    """
    folder = Path(folder)
    of_layout = _images_of_layout(folder) if folder.is_dir() else []
    holds_them = any(path.parent == folder for path in of_layout)
    if of_layout and (holds_them or not image_io.holds_images(folder)):
        return of_layout
    return image_io.find_some(folder)


def _images_of_layout(folder):
    """Return no paths if the folder has no layout that is known, or its files do not fit it."""
    fitting = _fitting(folder)
    if len(fitting) != 1:
        return []
    try:
        reader = LAYOUTS[fitting[0]].open_reader([folder])
    except InputError:
        return []
    return sorted([*(sample.image for sample in reader.samples), *reader.unmasked])


def _fitting(folder):
    fitting = [name for name, module in LAYOUTS.items() if module.fits(folder)]
    general = {name for each in fitting for name in getattr(LAYOUTS[each], "NARROWER_THAN", ())}
    return [name for name in fitting if name not in general]


def _detect(folder):
    if not folder.exists():
        raise InputError(f"{folder}: no such folder; give one that holds {_described(LAYOUTS)}")
    fitting = _fitting(folder)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InputError(f"{folder} holds {_described(fitting)}: say which with --layout")
    hint = pairing.did_you_mean(
        folder, lambda near: any(module.fits(near) for module in LAYOUTS.values())
    )
    half = " (images/ is there, its masks are not)" if (folder / "images").is_dir() else ""
    raise InputError(
        f"{folder} has no layout that is known: {_described(LAYOUTS)}{half}{hint or OTHER_FOLDERS}"
    )


def _described(names):
    return "; ".join(f"{LAYOUTS[name].DESCRIPTION} ({name})" for name in names)
