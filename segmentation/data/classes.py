"""The classes that a model predicts, and how a mask of class ids becomes its target."""

import dataclasses
import difflib
import re
from dataclasses import dataclass, field

import numpy as np

from segmentation.data import labels, palette
from segmentation.data.labels import IGNORED
from segmentation.errors import InputError

SIDES = {"left": "right", "l": "r"}  # words of names that a mirror exchanges
# Between the words of a name: `left_eye`, and where capitals begin them, `leftEye` and `LEye`.
WORD_ENDS = re.compile(r"([\W_]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]))")


@dataclass(frozen=True)
class Classes:
    """What always travels together about the classes of a model.

    Attributes:
        names: of the channels, in their order: one, or several with the background first, unless
            training ignored it.
        colors: an `(r, g, b)` 0..255 for each.
        ignored: name of the class that training left out, or None.
        background: what the background of a single class is called.
        table: `(256,)` uint8, for `table[mask]`: the channel id of each class id of the data, 255
            where it counts nowhere. A single class has the id 1, its background 0. None where no
            data have been matched.
    """

    names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    ignored: str | None = None
    background: str = "none"
    table: np.ndarray | None = field(default=None, compare=False, repr=False)

    def __len__(self):
        """Return the number of channels."""
        return len(self.names)

    @property
    def id_names(self):
        """The names of the ids of a predicted mask; a single class has the background before it."""
        return (self.background, *self.names) if len(self) == 1 else self.names

    @property
    def id_colors(self):
        """The colours of the ids of a predicted mask; the background of a single class is black."""
        return ((0, 0, 0), *self.colors) if len(self) == 1 else self.colors

    def with_background(self):
        """Return a single class with a channel for the background before its own."""
        background = labels.BACKGROUND_NAMES[0]
        return dataclasses.replace(
            self, names=(background, *self.names), colors=self.id_colors, background=background
        )

    @classmethod
    def of_names(cls, names):
        """Return the classes of these names, in their usual colours."""
        shown = [labels.BACKGROUND_NAMES[0], *names] if len(names) == 1 else names
        return cls(tuple(names), _tuples(palette.colors(shown)[-len(names) :]))

    @classmethod
    def of_card(cls, card):
        """Return the classes that a model card, a dictionary, names."""
        colors = _tuples(card["colors"])
        return cls(tuple(card["classes"]), colors, card.get("ignored_class") or None)

    @classmethod
    def of_data(cls, names, chosen, ignore_class=None, others_ignored=None):
        """Return what a model learns of data.

        Args:
            names: all class names of the data, index = class id, the background first, if any.
            chosen: names of the classes to predict, in channel order; surrounding blanks are
                stripped.
            ignore_class: the id of a class whose pixels count nowhere, or None.
            others_ignored: whether several chosen classes are all that counts, without a channel
                for what is left over. None: they are if class 0 is ignored, or if they are all
                that data without a background have.

        Returns:
            `Classes` with a `table`. One chosen class: that alone, its id maps to 1 and all others
            to 0. Several: the background (`none` if the data have none) and those, whose ids map
            to 1, 2 …, all others to 0. Several without a channel for what is left over: the chosen
            ones alone, whose ids map to 0, 1 …, all others to 255. `ignore_class` and 255 always
            map to 255.

        Raises:
            InputError: for an unknown class, the background, a repeat, or an ignored class that is
                chosen or leaves no other class.
        """
        names = [name.strip() for name in names]
        chosen = [name.strip() for name in chosen]
        _check_chosen(names, chosen)
        ignored = None
        if ignore_class is not None:
            _check_ignored(ignore_class, names, chosen)
            ignored = names[ignore_class]
        background = names[0] if labels.is_background(names[0]) else cls.background
        if others_ignored is None:
            others_ignored = ignore_class == 0 or not {*names} - {*chosen, ignored}
        if len(chosen) == 1:
            channels, first, rest = chosen, 1, 0
        elif others_ignored:
            channels, first, rest = chosen, 0, IGNORED
        else:
            channels, first, rest = [background, *chosen], 1, 0
        table = np.full(256, rest, np.uint8)
        for channel, name in enumerate(chosen, start=first):
            table[names.index(name)] = channel
        table[IGNORED] = IGNORED
        if ignore_class is not None:
            table[ignore_class] = IGNORED
        by_name = dict(zip(names, _tuples(palette.colors(names)), strict=True))
        colors = tuple(by_name.get(name, (0, 0, 0)) for name in channels)
        return cls(tuple(channels), colors, ignored, background, table)

    def to_card(self):
        """Return the entries of a model card, for JSON."""
        colors = [list(color) for color in self.colors]
        return {"classes": list(self.names), "colors": colors, "ignored_class": self.ignored}


def _tuples(colors):
    return tuple(tuple(color) for color in colors)


def _check_chosen(names, chosen):
    known = names[labels.first_object(names) :]
    if not chosen:
        raise InputError(f"no class is chosen; the data has {labels.listed(known)}")
    for name in chosen:
        if name not in names:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise InputError(f"no class is called '{name}': there are {labels.listed(known)}{hint}")
        if name == names[0] and labels.is_background(name):
            raise InputError(f"'{name}' is class 0, what is left over: choose the other classes")
        if chosen.count(name) > 1:
            raise InputError(f"the class '{name}' is chosen twice")


def _check_ignored(ignore_class, names, chosen):
    if not 0 <= ignore_class < len(names):
        raise InputError(
            f"the ignored class {ignore_class} is not one of the ids 0 to {len(names) - 1}"
        )
    if names[ignore_class] in chosen:
        raise InputError(
            f"the class '{names[ignore_class]}' is both chosen and ignored: drop one of the two"
        )
    if len(chosen) == 1 and len(names) == 2:
        raise InputError(f"without class {ignore_class} there is nothing but '{chosen[0]}'")


def choose(names, text=None, ignore_class=None):
    """Return the classes that an option names: `hair,face`, or `a|b` where names hold commas.

    Args:
        names: all class names of the data, the background first, if any.
        text: of the option, or None: all but the background and the ignored class; of hair and
            face hair alone.
        ignore_class: a class id, or None.
    """
    if text is None:
        first = labels.first_object(names)
        others = [name for index, name in enumerate(names) if first <= index != ignore_class]
        return ["hair"] if set(others) == {"hair", "face"} else others
    if text.strip() in names:
        return [text.strip()]
    return [name.strip() for name in text.split("|" if "|" in text else ",")]


def of_channels(text, num_channels):
    """Return the names that an option gives to the channels of a model.

    Args:
        text: `hair,face`, or `a|b` where names hold commas.
        num_channels: of the model. With several, and one name too few, a background is added.

    Raises:
        InputError: if the number differs, or a name is empty, repeated or in the wrong place.
    """
    names = choose([], text)
    if len(names) == num_channels - 1 and not labels.is_background(names[0]):
        names = ["background", *names]
    background_is_named = num_channels > 1 and labels.is_background(names[0])
    labels.check(names if background_is_named else ["background", *names])
    if len(names) != num_channels:
        raise InputError(
            f"--classes names {labels.listed(names)}, the model has {num_channels} "
            f"channel{'s' if num_channels > 1 else ''}: name the class of each, in their order"
        )
    return names


def mirrored(names):
    """Return the id that each class has in a mirror image, and the pairs of classes that differ.

    A mirrored left eye is a right eye. Sides are words of a name: `left_eye`, `l_eye`, `Eye Left`,
    `leftEye`.

    Args:
        names: by id.

    Returns:
        `(table, pairs, unpaired)`: `(256,)` uint8, tuples of two names, and the names that say left
        or right and are in no pair.
    """
    ids = {name.lower(): index for index, name in enumerate(names)}
    table, pairs, sided = np.arange(256, dtype=np.uint8), [], []
    for index, name in enumerate(names):
        words = [word.lower() for word in WORD_ENDS.split(name)]
        other = ids.get("".join(SIDES.get(word, word) for word in words), index)
        if other != index:
            table[[index, other]] = other, index
            pairs.append((names[index], names[other]))
        if ("left" in words) != ("right" in words):
            sided.append(name)
    return table, pairs, [name for name in sided if not any(name in pair for pair in pairs)]
