"""What is known about the classes of a model: from its card, from its file, or from a person."""

import json

from segmentation import model_card
from segmentation.data import labels
from segmentation.data.classes import Classes, of_channels
from segmentation.errors import InputError


def card_of(path, runner, class_names=None):
    """Return the model card of an artefact, or None.

    Args:
        path: of the artefact, beside which the card is looked for.
        runner: `Runner` of the artefact.
        class_names: text in which a person names the channels, for `classes.of_channels`, or None.

    Returns:
        dictionary: the card beside the artefact or, without one, a card made from `class_names`.

    Raises:
        InputError: if the card, the file and the person contradict each other.
    """
    named = of_channels(class_names, runner.num_channels) if class_names else None
    inside = of_metadata(runner)
    if not model_card.path_beside(path).exists():
        return _card_of_names(path, runner, named, inside)
    card = model_card.read(path)
    if inside and inside["classes"] == [labels.BACKGROUND_NAMES[0], *card["classes"]]:
        card |= inside  # tf_converter.py --two_channels gave the model's one class a background
    _check_card(path, card, runner, inside)
    if named not in (None, card["classes"]):
        raise InputError(
            f"{path}: its card names {', '.join(card['classes'])}; omit --classes, "
            f"or delete {model_card.path_beside(path)} if that is wrong"
        )
    return card


def _card_of_names(path, runner, named, inside):
    if named is None:
        return None
    if inside and inside["classes"] != named:
        raise InputError(
            f"{path}: the file names its classes {', '.join(inside['classes'])}; omit --classes"
        )
    card = Classes.of_names(named).to_card()
    card = {"img_size": list(runner.img_size), "classes": named, "colors": card["colors"]}
    return card | (inside or {})


def _check_card(path, card, runner, inside):
    beside = model_card.path_beside(path)
    img_size, num_channels = tuple(card["img_size"]), len(card["classes"])
    if (img_size, num_channels) != (runner.img_size, runner.num_channels):
        raise InputError(
            f"{beside}: this card is of another model: it says {img_size} px and {num_channels} "
            f"channels, {path.name} has {runner.img_size} and {runner.num_channels}"
        )
    if inside and inside["classes"] != card["classes"]:
        raise InputError(
            f"{beside}: this card is of another model: it names {', '.join(card['classes'])}, "
            f"{path.name} itself {', '.join(inside['classes'])}; convert again"
        )


def of_metadata(runner):
    """Return the entries of a model card that our converters wrote into a file, or None."""
    try:
        found = {key: runner.metadata[key] for key in ("classes", "colors")}
        for key, value in found.items():
            if isinstance(value, str):  # the metadata of an ML program are strings
                found[key] = json.loads(value)
    except (KeyError, TypeError, ValueError):  # a file of another origin
        return None
    lists = found.values()
    if not all(isinstance(each, list) and len(each) == runner.num_channels for each in lists):
        return None
    if runner.metadata.get("ignored_class"):
        found["ignored_class"] = runner.metadata["ignored_class"]
    return found


def numbered_classes(num_channels):
    """Return placeholder `Classes` for a model that nothing names: `class 1` and so on."""
    numbers = range(1, max(num_channels, 2))
    names = ["background", *(f"class {number}" for number in numbers)]
    return Classes.of_names(names[-num_channels:])
