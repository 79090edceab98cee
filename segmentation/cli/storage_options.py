"""Options that name files in buckets: which are read, with what beside them, and which written."""

import re
from pathlib import Path, PurePosixPath

from segmentation import remote, storage
from segmentation.errors import InputError

ABOVE = 3  # folders above one of images that may hold its labels.txt, mapping.csv and the like
PREPARED = (".npy", ".tfrecord")
PARTNERS = {  # folders of masks by that of images, in layouts that are named by a part of them
    "images": ("masks", "annotations"),
    "leftImg8bit": ("gtFine", "gtCoarse"),
}
# The other ways to name a place elsewhere, which no command reads or writes.
OTHER_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+[^/]")


def stage(args):
    """Put copies in the place of files in buckets, those to be read fetched.

    Args:
        args: parsed options; changed in place.

    Raises:
        InputError: if a bucket is missing, or cannot be read or written, or a name is of neither
            gs:// nor s3://.
    """
    for names in (WRITTEN, READ):  # missing write access is reported before any download
        for name in vars(args).keys() & names:
            setattr(args, name, _staged(name, getattr(args, name)))


def _staged(name, value):
    if not isinstance(value, list):
        return _copies(name, value, lambda url: [url])[0]
    # The shell expands a pattern of files here; one of files in a bucket comes as it is.
    return [
        copy
        for each in value
        for copy in _copies(name, each, lambda url: storage.opened().buckets.expand(url))
    ]


def _copies(name, value, expand):
    """Return the values to put in the place of one that may name files in a bucket."""
    url = remote.parse(value) if isinstance(value, str | Path) else None
    if not url:
        _refuse_other_scheme(value)
        return [value]
    opened = storage.opened()
    if name in WRITTEN:
        if url.endswith(".h5"):
            raise InputError(
                f"{url}: a bucket takes models as .keras alone; "
                f"name {url.rpartition('/')[2].removesuffix('.h5')}.keras"
            )
        opened.buckets.require_writable(url)
        return [type(value)(remote.local(url))]
    named = expand(url)
    opened.fetch([url, *(other for each in named for other in READ[name](each))])
    for each in named:
        if READ[name] is _around and not each.endswith(PREPARED):
            opened.fetch_around(each, ABOVE)
    return [type(value)(remote.local(each)) for each in named]


def _refuse_other_scheme(value):
    text = str(value)
    if OTHER_SCHEME.match(text) and not Path(text).exists():
        schemes = " and ".join(f"{scheme}://" for scheme in remote.SCHEMES)
        raise InputError(f"{text}: files are read and written here and in buckets, {schemes}")


def _alone(url):
    return []


def _with_card(url):
    """Return what is read beside a model: its card, and the check images of its run."""
    stem = url.removesuffix(PurePosixPath(url).suffix).removesuffix(".weights")
    return [f"{stem}.json", f"{stem}.check"]


def _with_masks(url):
    """Return what is read beside prepared images: masks, names, classes and the data card."""
    folder, _, name = url.rpartition("/")
    path = PurePosixPath(name)
    names, shards = [], []
    if path.suffix == ".npy" and path.stem.startswith("images"):
        size = path.stem.removeprefix("images")
        names = [f"masks{size}.npy", f"names{size}.txt", f"{path.stem}.dataset.json"]
    elif path.suffix == ".tfrecord":
        stem = storage.SHARD.sub("", path.stem)
        names = [f"{stem}.tfrecord", f"{stem}.dataset.json"]
        shards = [storage.shards_of(folder, stem)]
    return [*(f"{folder}/{name}" for name in (*names, "labels.txt")), *shards]


def _around(url):
    """Return what is read beside a folder, or a file, in a source layout."""
    if url.endswith(PREPARED):
        return _with_masks(url)
    scheme, _, path = url.partition("://")
    path = PurePosixPath(path)
    if path.suffix == ".json":  # of COCO: its images are near
        of_layout = path.parent.name == "annotations" and len(path.parts) > 2
        root = path.parent.parent if of_layout else path.parent
        return [f"{scheme}://{root}"]
    return [
        f"{scheme}://{parent.with_name(partner) / path.relative_to(parent)}"
        for parent in path.parents[:-2]  # those in the bucket, which may have such a name itself
        for partner in PARTNERS.get(parent.name, ())
    ]


# By the destination of an option: function of the URL that was given, which returns what else is
# read. Options that also take words, as --weights imagenet, are among them.
READ = {
    **dict.fromkeys(
        ("img_file", "val_img_file", "tfrecord_data", "val_tfrecord_data"), _with_masks
    ),
    **dict.fromkeys(("data", "validation", "data_dir", "image_dir", "annotation_dir"), _around),
    **dict.fromkeys(("model", "models", "input_model_path", "teacher"), _with_card),
    **dict.fromkeys(("weights", "fine_tune_checkpoint"), _with_card),
    **dict.fromkeys(("mask_file", "val_mask_file", "labels", "label_filename", "colors"), _alone),
    **dict.fromkeys(("class_weights", "inputs", "unlabelled", "check_images"), _alone),
    **dict.fromkeys(("calibration_images", "samples", "parity_kit"), _alone),
}
WRITTEN = {
    *("output", "out_dir", "output_dir", "package", "output_model_path", "report"),
    *("ladder", "app", "build", "job_dir", "model_dir", "checkpoint_dir", "log_dir"),
}
