"""Class names: their files, a colour for each, and whitelists of them."""

import difflib
import functools
import re
from pathlib import Path

import numpy as np

from segmentation import files
from segmentation.errors import InputError

HEADER = "idx\tlabel"
IGNORED = 255  # in a mask: no class, left out of losses and metrics (PASCAL VOC's convention)
BACKGROUND_NAMES = ("background", "none")
# The colours of LFW's part labels; their blue background is black here, to let a picture through.
KNOWN_COLORS = {"hair": [255, 0, 0], "face": [0, 255, 0]}
# The 150 classes of ADE20K's challenge in the order of its objectInfo150.txt, with the colours of
# color150.mat of https://github.com/CSAILVision/semantic-segmentation-pytorch
ADE20K_FILE = Path(__file__).with_name("ade20k_classes.tsv")
COLOR_DISTANCE = 24  # of 255, in one channel: VOC's colours are 32 apart, and 31 from pure red
VOC_COLORS = 512  # all that there are


def read(path):
    """Read the class names of a `labels.txt`: tab-separated, header `idx<tab>label`.

    Returns:
        list of names without surrounding blanks; the index is the class id, 0 the background.

    Raises:
        InputError: if the file is missing or malformed: another header, ids that are not
            0, 1, 2 …, an empty or repeated name, no `background` or `none` at 0, over 255 names.
    """
    lines = _lines(path)
    if not lines or [part.strip().lower() for part in lines[0].split("\t")] != ["idx", "label"]:
        raise InputError(
            f"{path}: the first line must be 'idx', a tab and 'label', as in the labels.txt that "
            "data.py writes beside the data"
        )
    names = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        index, _, name = line.partition("\t")
        if index.strip() != str(len(names)) or not name.strip():
            raise InputError(
                f"{path}, line {number}: expected '{len(names)}', a tab and a class name, "
                f"not {line!r}"
            )
        names.append(name.strip())
    try:
        check(names)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return names


def _lines(path):
    try:
        return Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8 text"
        raise InputError(f"{path}: cannot read the class names ({reason})") from None


def is_background(name):
    """Return whether a class name stands for what belongs to no other class."""
    return name.strip().lower() in BACKGROUND_NAMES


def same(names, others):
    """Return whether two lists name the same classes: 0 may be called background or none."""
    return list(names[1:]) == list(others[1:])


def check(names):
    """Raise InputError unless `names` can be the classes of masks: one background, no repeats."""
    if not names or not is_background(names[0]):
        found = repr(names[0]) if names else "nothing"
        raise InputError(f"class 0 must be called 'background' or 'none', not {found}")
    if len(names) > IGNORED:
        raise InputError(f"{len(names)} class names; a mask holds {IGNORED} at most")
    for index, name in enumerate(names):
        if index and is_background(name):
            raise InputError(
                f"class {index} cannot be called '{name}', which is what belongs to no class: "
                "rename it"
            )
        if not name or name != name.strip() or re.search(r"[\t\r\n]", name):
            raise InputError(f"{name!r} is no class name: empty, or blanks around or tabs in it")
        if names.count(name) > 1:
            raise InputError(f"the class name '{name}' is given twice")


def write(path, names):
    """Write the class names, index = class id, unless a labels.txt of the same names is there.

    Raises:
        InputError: if `path` holds other names or is no labels file, or `names` cannot be classes.
    """
    check_free(path, names)
    if not Path(path).exists():
        lines = [HEADER, *(f"{index}\t{name}" for index, name in enumerate(names))]
        files.write_text(path, "\n".join(lines) + "\n")


def check_free(path, names):
    """Raise InputError unless `write` can write `names` to `path`, or need not."""
    check(names)
    path = Path(path)
    existing = read(path) if path.exists() else list(names)
    if not same(existing, names):
        raise InputError(
            f"{path} already names other classes ({listed(existing)}) than this data "
            f"({listed(names)}); choose another folder, or move that file away"
        )


def read_object_info(path):
    """Read the classes of an `objectInfo150.txt`, or of any table in that form.

    The columns are tab-separated; the header names `Idx` and `Name` (a labels.txt has `idx` and
    `label`), and `Ratio`, if it is known. A class of id 0 is what belongs to none.

    Returns:
        `(names, shares)`: `{id: name}`, ids 1..254, names without surrounding blanks, and
        `{id: share}` of all pixels, 0..1, empty if the file does not say.

    Raises:
        InputError: if the file is missing or malformed, or an id or a name occurs twice.
    """
    lines = _lines(path)
    header = [part.strip().lower() for part in lines[0].split("\t")] if lines else []
    key = "name" if "name" in header else "label"
    if "idx" not in header or key not in header:
        raise InputError(
            f"{path}: the first line must name the columns Idx and Name, tab-separated, as in "
            "objectInfo150.txt"
        )
    names, shares = {}, {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        row = dict(zip(header, (part.strip() for part in line.split("\t")), strict=False))
        where = f"{path}, line {number}"
        if not row.get("idx", "").isdecimal() or int(row["idx"]) >= IGNORED or not row.get(key):
            raise InputError(f"{where}: expected an id below {IGNORED} and a name, not {line!r}")
        index, name = int(row["idx"]), row[key]
        if index in names or name in names.values():
            raise InputError(f"{where}: the class {index} '{name}' is named before")
        names[index] = name
        if "ratio" in header:
            try:
                shares[index] = float(row.get("ratio", ""))
            except ValueError:
                raise InputError(f"{where}: its ratio is no number") from None
    names.pop(0, None)
    if not names:
        raise InputError(f"{path}: names no class")
    return names, shares


def whitelist(names, text=None):
    """Return the classes of prepared masks, and how the ids of annotations become theirs.

    Args:
        names: `{id: name}`, as of `read_object_info`.
        text: `chair|wall|car:truck:van`: names separated by `|`, those that become one class by
            `:`; None keeps each class.

    Returns:
        `(class_names, table)`: `none` and the classes in the order given, a merged one called by
        its first member; `(256,)` uint8 for `table[mask]`, in which what is not named maps to 0
        and 255 to 255.

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
    if any(is_background(name) and name not in ids for name in given):
        raise InputError("the whitelist names 'none', which is what is left over: leave it out")
    unknown = [name for name in dict.fromkeys(given) if name not in ids]
    if unknown:
        hints = ", ".join(f"'{name}'{_nearest(name, ids)}" for name in unknown)
        raise InputError(f"no class is called {hints}; --list_labels shows them all")
    for name in given:
        if given.count(name) > 1:
            raise InputError(f"the whitelist names '{name}' twice")
    table = np.zeros(256, np.uint8)
    table[IGNORED] = IGNORED
    for index, group in enumerate(groups, start=1):
        table[[ids[name] for name in group]] = index
    class_names = ["none", *(group[0] for group in groups)]
    check(class_names)
    return class_names, table


def _nearest(name, known):
    """Return a hint at the names that a wrong one may mean, by the synonyms that they list."""
    meant = {other.lower(): other for other in known}
    for other in reversed(known):
        meant |= dict.fromkeys(other.lower().split(", "), other)
    close = difflib.get_close_matches(name.lower(), meant, n=2)
    close = dict.fromkeys(repr(meant[synonym]) for synonym in close)
    return f" (did you mean {' or '.join(close)}?)" if close else ""


@functools.cache
def ade20k():
    """Return `{name: (r, g, b)}` of ADE20K's 150 classes, in the order of their ids from 1 on."""
    rows = [line.split("\t") for line in ADE20K_FILE.read_text(encoding="utf-8").splitlines()[1:]]
    return {name: tuple(bytes.fromhex(color)) for _, color, name in rows}


def colors(names):
    """Return an `[r, g, b]`, 0..255, for each name: distinct, and the same for the same list.

    Background is black, hair red, face green, and ADE20K's classes have the colours of its
    palette. Any other class has PASCAL VOC's colour of its index (`VOClabelcolormap` of its
    development kit), which never uses the value 255, or another of VOC's where a class of a
    palette has nearly the same. ADE20K has one colour twice, for road and skyscraper: where both
    are named, the second is taken for any other class.
    """
    found = {}
    for index, name in enumerate(names):
        color = _palette_color(name)
        if color and color not in found.values():
            found[index] = color
    elsewhere = [index for index in range(len(names)) if index not in found]
    for index in list(elsewhere):
        if _is_apart(_voc_color(index), found.values()):
            found[index] = _voc_color(index)
            elsewhere.remove(index)
    for index in elsewhere:
        candidates = map(_voc_color, range(1, VOC_COLORS))
        found[index] = next(color for color in candidates if _is_apart(color, found.values()))
    return [list(found[index]) for index in range(len(names))]


def _palette_color(name):
    if is_background(name):
        return (0, 0, 0)
    if name.strip().lower() in KNOWN_COLORS:
        return tuple(KNOWN_COLORS[name.strip().lower()])
    return ade20k().get(name.strip())


def _voc_color(index):
    # VOC spreads the bits of the index over the three channels, the lowest bits brightest.
    return tuple(
        sum(((index >> (3 * bit + channel)) & 1) << (7 - bit) for bit in range(3))
        for channel in range(3)
    )


def _is_apart(color, others):
    return all(
        max(abs(a - b) for a, b in zip(color, other, strict=True)) >= COLOR_DISTANCE
        for other in others
    )


def listed(names, limit=20):
    """Join names for a message; of many, the first ones and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    shown = names[:limit]  # names with commas are separated as options separate them
    return ("|" if any("," in name for name in shown) else ", ").join(shown) + more
