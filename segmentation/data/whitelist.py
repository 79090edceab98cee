"""Choosing and merging the classes of a label file by name."""

import difflib

import numpy as np

from segmentation.data import labels
from segmentation.errors import InputError


def apply_whitelist(names, text=None, num_ids=256):
    """Return the classes of prepared masks, and how the ids of annotations map to them.

    Args:
        names: `{id: name}`, as of `labels.read_object_info`; 0 among them is a class like others.
        text: `chair|wall|car:truck:van`: names separated by `|`, those that become one class by
            `:`; None keeps each class.
        num_ids: ids below it may be in the annotations.

    Returns:
        `(class_names, table)`: `none` and the classes in the order given, a merged one called by
        its first member; `(num_ids,)` uint8 for `table[mask]`, in which what is not named maps to 0
        and 255 to 255. Without `none` if every class is kept and 0 is one.

    Raises:
        InputError: for unknown names (all of them, with the nearest ones), an empty one, or one
            that is given twice.
    """
    if text is None:
        groups = [[names[index]] for index in sorted(names)]
    else:
        groups = [[name.strip() for name in part.split(":")] for part in text.split("|")]
    ids = {name: index for index, name in names.items()}
    given = [name for group in groups for name in group]
    if "" in given:
        raise InputError(f"a name in the whitelist {text!r} is empty: one | or : too many")
    if any(labels.is_background(name) and name not in ids for name in given):
        raise InputError("the whitelist names 'none', which is what is left over: leave it out")
    unknown = [name for name in dict.fromkeys(given) if name not in ids]
    if unknown:
        hints = ", ".join(f"'{name}'{_nearest(name, ids)}" for name in unknown)
        raise InputError(f"no class is called {hints}; there are {labels.listed([*ids])}")
    for name in given:
        if given.count(name) > 1:
            raise InputError(f"the whitelist names '{name}' twice")
    table = np.zeros(num_ids, np.uint8)
    table[labels.IGNORED] = labels.IGNORED
    first = int(text is not None or 0 not in names)
    for index, group in enumerate(groups, start=first):
        table[[ids[name] for name in group]] = index
    class_names = ["none"] * first + [group[0] for group in groups]
    labels.check(class_names)
    return class_names, table


def _nearest(name, known):
    """Return a hint at the names that a wrong one may mean, by the synonyms that they list."""
    meant = {other.lower(): other for other in known}
    for other in reversed(known):
        meant |= dict.fromkeys(other.lower().split(", "), other)
    close = difflib.get_close_matches(name.lower(), meant, n=2)
    close = dict.fromkeys(repr(meant[synonym]) for synonym in close)
    return f" (did you mean {' or '.join(close)}?)" if close else ""
