"""What data.py prints about the data that it prepared, and about label files."""

from segmentation.cli import terminal
from segmentation.data import labels, preparation


def print_prepared(result):
    """Print what `preparation.prepare` returned."""
    if "mask_format" in result:
        persons = f" of {result['persons']} persons" if result["persons"] else ", persons unknown"
        print(f"{result['pictures']} images{persons}; {result['mask_format']} masks")
    elif result.get("persons"):
        print(f"{result['pictures']} images of {result['persons']} groups")
    if result.get("classes_needed") is not None:
        _print_thresholds(result)
    _print_classes(result)
    if result["ignored_share"]:
        print(f"no class (255), left out of training: {result['ignored_share']:.2%} of all pixels")
    speed = f"{result['pictures_per_second']:.0f} images/s"
    if "tfrecords" not in result:
        kept = ""
        if "pictures_of" in result:
            kept = f"kept {result['pictures']} of {result['pictures_of']} images; "
        terminal.show(f"{kept}{speed}; wrote {result['images']} and others")
        return
    recoded = result["pictures"] - result["copied"]
    if recoded:
        print(f"{recoded} images are not upright RGB or grey JPEGs: re-encoded as PNG")
    first, *more = result["tfrecords"]
    total = result.get("pictures_of", result["pictures"] + len(result["skipped"]))
    terminal.show(
        f"kept {result['pictures']} of {total} images; {speed}; wrote {first}"
        + (f" and {len(more)} more" if more else "")
    )


def _print_classes(result):
    rows = zip(result["classes"], result["class_shares"], result["class_pictures"], strict=True)
    if "mask_format" in result:
        width = max(len(name) for name in result["classes"])
        print(f"{'class':<{width}}  fraction of pixels  in images")
        for name, fraction, shown in rows:
            print(f"{name:<{width}}  {fraction:18.2%}  {shown:9d}")
    else:  # names as long as ADE20K's go last
        print(f"{'fraction of pixels':>18}  {'in images':>9}  class")
        for name, fraction, shown in rows:
            print(f"{fraction:18.2%}  {shown:9d}  {name}")


def _print_thresholds(result):
    """Print how many images each threshold would keep."""
    shown = result["pictures_by_classes_shown"]
    print("classes shown    images  kept by -t")
    for count in range(len(shown)):
        threshold = preparation.threshold_of(count, len(shown) - 1)
        mark = "  <- this run" if count == result["classes_needed"] else ""
        bar = "#" * round(30 * shown[count] / max(shown))
        kept = f"{sum(shown[count:])} by {threshold:g}"
        print(f"{count:13d}  {shown[count]:8d}  {kept:<14}  {bar}{mark}".rstrip())


def list_labels(path):
    """Print the classes of a label file, and return them as a result."""
    names, fractions = labels.read_object_info(path)
    for index, name in names.items():
        fraction = f"{fractions[index]:7.2%}  " if fractions else ""
        print(f"{index:3d}  {fraction}{name}")
    return {"classes": {name: fractions.get(index) for index, name in names.items()}}
