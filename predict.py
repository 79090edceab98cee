"""Segment pictures with any model that this project writes.

    python predict.py artifacts/hair.keras portrait.jpg -o predictions
    python predict.py artifacts/hair.tflite holiday/ -o predictions --probabilities

For each picture, at its own size: STEM_mask.png, one channel of class ids in the order of the
model card (a single class is 1, on a background of 0), and STEM_overlay.jpg, the class colours over
the picture. `--probabilities` adds STEM_probabilities.png, at most 2000 px wide and high: the
picture, and the probability of each class as a heat map. A damaged picture is named and left out,
and the exit status is then 2. Models: .keras .h5 .tflite .pb .mlpackage and SavedModel folders.
About 30 pictures of 250 px a second.
"""

from pathlib import Path

from segmentation.cli import model_options, options, terminal
from segmentation.errors import InputError

MASK_ENDING, OVERLAY_ENDING, HEAT_ENDING = "_mask.png", "_overlay.jpg", "_probabilities.png"
JPEG_QUALITY = 92


def parse_args(argv=None):
    """Parse the command line."""
    parser = options.Parser(__doc__)
    parser.add_argument("model", type=Path, help="what training or a converter wrote")
    parser.add_argument("inputs", type=Path, nargs="+", metavar="PICTURE|DIR")
    parser.add_argument("-o", "--output_dir", type=Path, required=True, help="made if missing")
    parser.add_argument("--probabilities", action="store_true", help="write heat maps as well")
    model_options.add(parser)
    return parser.parse_args(argv)


def main(argv=None):
    """Write masks and overlays, print what was done."""
    args = parse_args(argv)
    given = model_options.legacy_spec(args)
    from segmentation.data import image_io

    paths = find_pictures(args.inputs)
    names = output_names(paths)
    endings = [MASK_ENDING, OVERLAY_ENDING] + [HEAT_ENDING] * args.probabilities
    results = {
        (args.output_dir / f"{name}{ending}").resolve()
        for name in names.values()
        for ending in endings
    }
    for path in paths:
        if path.resolve() in results:
            raise InputError(f"{path}: a result would replace it; name another --output_dir")
    predict = model_options.load(args.model, given)
    if not predict.named:
        terminal.say(f"{args.model}: no model card beside it; the classes have no names")

    broken = 0
    for path in terminal.bar(paths, len(paths), "Predicting"):
        try:
            segment(predict, path, args.output_dir / names[path], args.probabilities)
        except image_io.UnreadableError as error:
            terminal.say(f"skipped: {error}")
            broken += 1
    terminal.print_result(
        {
            "model": str(args.model),
            "classes": predict.classes.names,
            "pictures": len(paths) - broken,
            "broken": broken,
            "output_dir": str(args.output_dir),
        }
    )
    if broken:
        raise InputError(f"{broken} of {len(paths)} pictures could not be read; see above")


def find_pictures(inputs):
    """Return the pictures that `inputs`, files and folders, name: each once, in order."""
    from segmentation.data import image_io

    paths = []
    for path in inputs:
        if path.is_dir():
            paths += image_io.find_some(path)
        elif path.is_file():
            paths.append(path)
        else:
            raise InputError(f"{path}: no such file or folder")
    return list(dict.fromkeys(paths))


def output_names(paths):
    """Return a name for the results of each path: its stem, or more where stems repeat."""
    names, taken = {}, set()
    for path in paths:
        name = path.stem
        if name.lower() in taken:  # some file systems take A and a for the same
            name = f"{path.resolve().parent.name}_{path.stem}"
        number, base = 1, name
        while name.lower() in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name.lower())
        names[path] = name
    return names


def segment(predict, path, target, with_heat_maps):
    """Write the results of the picture `path`, their names opening with `target`."""
    from PIL import Image

    from segmentation import files
    from segmentation.data import image_io
    from segmentation.evaluation import visualization
    from segmentation.inference import predictor

    image = image_io.read(path)
    probabilities = predict(image_io.resize(image, predict.img_size)[None])[0]
    mask = predictor.to_mask_at(probabilities, image.shape[:2])
    with files.written_whole(f"{target}{MASK_ENDING}") as temporary:
        Image.fromarray(mask).save(temporary)
    drawn = visualization.overlay(image, mask, predict.classes.id_colors)
    with files.written_whole(f"{target}{OVERLAY_ENDING}") as temporary:
        Image.fromarray(drawn).save(temporary, quality=JPEG_QUALITY)
    if with_heat_maps:
        drawn = visualization.heat_maps(image, probabilities, predict.classes.names)
        with files.written_whole(f"{target}{HEAT_ENDING}") as temporary:
            Image.fromarray(drawn).save(temporary)


if __name__ == "__main__":
    terminal.run(main)
