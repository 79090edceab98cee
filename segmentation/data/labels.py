"""Class names and the files that hold them: labels.txt, and objectInfo150.txt or alike."""

import re
from pathlib import Path

from segmentation import files
from segmentation.errors import InputError

FILE_NAME = "labels.txt"
HEADER = "idx\tlabel"
COLOR_COLUMNS = ("color", "colour")
IGNORED = 255  # in a mask: no class, left out of losses and metrics (PASCAL VOC's convention)
BACKGROUND_NAMES = ("background", "none")


def read(path):
    """Read the class names of a `labels.txt`: tab-separated, header `idx<tab>label`.

    A third column, `color`, is for colour masks: `read_colors` reads it.

    Returns:
        list of names without surrounding blanks; the index is the class id. 0 is the background
        (`background` or `none`), or a class like others: then every pixel belongs to a class.

    Raises:
        InputError: if the file is missing or malformed: another header, ids that are not
            0, 1, 2 …, an empty or repeated name, a background that is not 0, over 255 names.
    """
    names = [name for _, name, _ in _rows(path)]
    try:
        check(names)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return names


def read_with_background(path):
    """Read the class names of a `labels.txt`, of which the first must be the background.

    Raises:
        InputError: as `read`, or if it is a class.
    """
    names = read(path)
    if not is_background(names[0]):
        raise InputError(
            f"{path}: class 0 must be called 'background' or 'none', what no outline or mask covers"
        )
    return names


def has_header(path):
    """Return whether a file is a labels.txt of this form: labelme has another of that name."""
    try:
        return _header(lines(path))[:2] == HEADER.split("\t")
    except InputError:
        return False


def has_colors(path):
    """Return whether a file is a labels.txt with a column of colours."""
    return has_header(path) and _header(lines(path))[2:] in ([name] for name in COLOR_COLUMNS)


def read_colors(path):
    """Return the `(r, g, b)` of each class of a labels.txt that `has_colors`.

    Raises:
        InputError: as `read`, or if a class has no colour: `48,112,32` or `#307020`.
    """
    colors = []
    for number, name, text in _rows(path):
        match = re.fullmatch(r"#([0-9a-fA-F]{6})", text)
        numbers = [part.strip() for part in text.split(",")]
        if match:
            colors.append(tuple(bytes.fromhex(match[1])))
        elif len(numbers) == 3 and all(n.isdecimal() and int(n) < 256 for n in numbers):
            colors.append(tuple(map(int, numbers)))
        else:
            raise InputError(
                f"{path}, line {number}: '{name}' needs a colour, 48,112,32 or #307020, not "
                f"{text!r}"
            )
    return colors


def _header(found):
    return [part.strip().lower() for part in found[0].split("\t")] if found else []


def _rows(path):
    """Return the number of the line, the name, and the text of the colour of each class."""
    found = lines(path)
    header = _header(found)
    if header[:2] != ["idx", "label"] or header[2:] not in ([], *([c] for c in COLOR_COLUMNS)):
        raise InputError(
            f"{path}: the first line must be 'idx', a tab and 'label', as in the labels.txt that "
            "data.py writes beside the data"
        )
    rows = []
    for number, line in enumerate(found[1:], start=2):
        if not line.strip():
            continue
        index, _, name = line.partition("\t")
        color = ""
        if header[2:]:
            name, _, color = name.partition("\t")
        if index.strip() != str(len(rows)) or not name.strip():
            raise InputError(
                f"{path}, line {number}: expected '{len(rows)}', a tab and a class name, "
                f"not {line!r}"
            )
        rows.append((number, name.strip(), color.strip()))
    return rows


def lines(path):
    """Return the lines of a text file; InputError if it cannot be read as UTF-8."""
    try:
        return Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8 text"
        raise InputError(f"{path}: cannot read the class names ({reason})") from None


def is_background(name):
    """Return whether a class name stands for what belongs to no other class."""
    return name.strip().lower() in BACKGROUND_NAMES


def key(name):
    """Return by what a class is matched: its name, and one name for whatever is background."""
    return BACKGROUND_NAMES[0] if is_background(name) else name.strip()


def same(names, others):
    """Return whether two lists name the same classes: a background may be called none."""
    return [key(name) for name in names] == [key(name) for name in others]


def first_object(names):
    """Return the lowest class id that is not the background: 1, or 0 where there is none."""
    return int(is_background(names[0]))


def misplaced(names, parts):
    """Return the first of `names` that is called as another of `parts` than that of its id.

    Args:
        names: by id.
        parts: the names of classes whose ids have a meaning of their own, by id.

    Returns:
        `(id, name)`, or None.
    """
    ids = {part: index for index, part in enumerate(parts)}
    wrong = (each for each in enumerate(names) if ids.get(each[1].lower(), each[0]) != each[0])
    return next(wrong, None)


def check(names):
    """Raise InputError unless `names` can be the classes of masks, by id.

    A background, if there is one, is class 0; no name is empty or occurs twice.
    """
    if not names or len(names) == 1 and not is_background(names[0]):
        raise InputError("class 0 is missing or alone: name the background and a class, or more")
    if len(names) > IGNORED:
        raise InputError(f"{len(names)} class names; a mask holds {IGNORED} at most")
    for index, name in enumerate(names):
        if index and is_background(name):
            raise InputError(
                f"class {index} cannot be called '{name}', which is what belongs to no class: "
                "rename it"
            )
        if not name or name != name.strip() or re.search(r"[\t\r\n]", name):
            raise InputError(
                f"{name!r} is not a class name: it is empty, or has tabs or surrounding blanks"
            )
        if names.count(name) > 1:
            raise InputError(f"the class name '{name}' is given twice")


def write(path, names):
    """Write the class names, index = class id, unless a labels.txt of the same names is there.

    Raises:
        InputError: if `path` holds other names or is not a labels file, or `names` cannot be those
            of classes.
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


def read_object_info(path, num_ids=IGNORED):
    """Read the classes of an `objectInfo150.txt`, or of any table in that form.

    The columns are tab-separated; the header names `Idx` and `Name` (a labels.txt has `idx` and
    `label`), and `Ratio`, if it is known. Id 0 stands for what belongs to no class, unless the
    file gives it a name other than background or none.

    Args:
        path: of the file.
        num_ids: ids are below it.

    Returns:
        `(names, fractions)`: `{id: name}` (0 if it is a class), names without
        surrounding blanks, and `{id: fraction}` of all pixels, 0..1, empty if the file does not
        say.

    Raises:
        InputError: if the file is missing or malformed, or an id or a name occurs twice.
    """
    found = lines(path)
    header = _header(found)
    key = "name" if "name" in header else "label"
    if "idx" not in header or key not in header:
        raise InputError(
            f"{path}: the first line must name the columns Idx and Name, tab-separated, as in "
            "objectInfo150.txt"
        )
    names, fractions = {}, {}
    for number, line in enumerate(found[1:], start=2):
        if not line.strip():
            continue
        row = dict(zip(header, (part.strip() for part in line.split("\t")), strict=False))
        where = f"{path}, line {number}"
        if not row.get("idx", "").isdecimal() or int(row["idx"]) >= num_ids or not row.get(key):
            raise InputError(f"{where}: expected an id below {num_ids} and a name, not {line!r}")
        index, name = int(row["idx"]), row[key]
        if index in names or name in names.values():
            raise InputError(f"{where}: the class {index} '{name}' is already named above")
        names[index] = name
        if "ratio" in header:
            try:
                fractions[index] = float(row.get("ratio", ""))
            except ValueError:
                raise InputError(f"{where}: its ratio is not a number") from None
    if 0 in names and is_background(names[0]):
        names.pop(0)
    if not names:
        raise InputError(f"{path}: names no classes")
    return names, fractions


def listed(names, limit=20):
    """Join names for a message; of many, the first ones and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    shown = names[:limit]  # names with commas are separated as options separate them
    return ("|" if any("," in name for name in shown) else ", ").join(shown) + more
