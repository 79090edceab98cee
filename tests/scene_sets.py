"""Sets of images and masks in ADE20K's layout, and the command that turns them into records."""

import json

import numpy as np
from PIL import Image

import data
from segmentation.data import tfrecords

INFO = (
    "Idx\tRatio\tTrain\tVal\tName\n1\t0.5\t9\t1\twall\n2\t0.2\t9\t1\tfloor, flooring\n"
    "3\t0.1\t9\t1\tbed \n4\t0.1\t9\t1\tcar\n7\t0.1\t9\t1\ttruck\n"
)
SIZE = (24, 40)
NOISE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)


def striped(ids):
    """Return a mask (24, 40) of vertical stripes."""
    return np.uint8(ids)[np.arange(SIZE[1]) * len(ids) // SIZE[1]][None].repeat(SIZE[0], axis=0)


def scene_set(folder, masks):
    """Write images/STEM.jpg, annotations/STEM.png of {stem: ids} and objectInfo.txt."""
    for name in ("images", "annotations"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for stem, ids in masks.items():
        Image.fromarray(NOISE).save(folder / "images" / f"{stem}.jpg")
        Image.fromarray(striped(ids)).save(folder / "annotations" / f"{stem}.png")
    (folder / "objectInfo.txt").write_text(INFO)
    return folder


def divided_set(folder, training, validation):
    """Write two sets of `scene_set`, divided as ADE20K is."""
    for division, masks in (("training", training), ("validation", validation)):
        scene_set(folder / "parts", masks)
        for name in ("images", "annotations"):
            (folder / name).mkdir(exist_ok=True)
            (folder / "parts" / name).rename(folder / name / division)
    (folder / "parts/objectInfo.txt").rename(folder / "objectInfo.txt")
    (folder / "parts").rmdir()
    return folder


def argv(folder, out="out/room.tfrecord", *more):
    options = ("-i", "images", "-a", "annotations", "-l", "objectInfo.txt", "-o", out)
    options = [o if o.startswith("-") else str(folder / o) for o in options]
    return ["ade20k", *options, *map(str, more)]


def run(capsys, *arguments):
    """Run the command; return its JSON line, the rest of stdout, and stderr."""
    data.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    *report, last = out.strip().split("\n")
    return json.loads(last), "\n".join(report), err


def read(path):
    """Return {stem: (image, mask)} of a set, and check the sizes that it states."""
    import tensorflow as tf

    found = {}
    for shard in tfrecords.paths(path):
        for stem, fields in parsed(shard).items():
            encoded = fields["image/encoded"]
            image = tf.io.decode_image(encoded, channels=3).numpy()
            mask = tf.io.decode_png(fields["image/segmentation/class/encoded"]).numpy()
            size = (fields["image/height"], fields["image/width"], 1)
            assert mask.shape == size and image.shape == (*size[:2], 3)
            is_jpeg = encoded[:2] == b"\xff\xd8"
            assert fields["image/format"] == (b"jpeg" if is_jpeg else b"png")
            found[stem] = image, mask[..., 0]
    return found


def parsed(shard):
    """Return {stem: fields} of a file, by nothing but the names of DeepLab's builders."""
    import tensorflow as tf

    texts = ["encoded", "filename", "format"]
    texts += ["segmentation/class/encoded", "segmentation/class/format"]
    features = {f"image/{name}": tf.io.FixedLenFeature([], tf.string) for name in texts}
    for name in ("height", "width", "channels"):
        features[f"image/{name}"] = tf.io.FixedLenFeature([], tf.int64)
    found = {}
    for serialized in tf.data.TFRecordDataset(str(shard)):
        fields = tf.io.parse_single_example(serialized, features)
        fields = {name: value.numpy() for name, value in fields.items()}
        assert fields["image/channels"] == 3
        assert fields["image/segmentation/class/format"] == b"png"
        found[fields["image/filename"].decode()] = fields
    return found
