"""Which class a colour of colour masks stands for: tables that annotation tools write.

labelmap.txt        CVAT: label:color_rgb:parts:actions
class_dict.csv      CamVid and others: name,r,g,b
label_colors.txt    CamVid's own: r g b, and the name
labels.txt          idx, label and a column color, 48,112,32 or #307020, tab-separated
"""

import csv
import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

from segmentation.data import labels, palette
from segmentation.data.labels import IGNORED
from segmentation.data.masks import BLACK
from segmentation.errors import InputError

NAMES = ("labelmap.txt", "class_dict.csv", "label_colors.txt", "labels.txt")
VOC = "voc"  # in place of a file
FORMS = "name:r,g,b (CVAT), name,r,g,b under that header, r g b name, or labels.txt with a colour"
# Names of what belongs to no class and counts nowhere, in CamVid, Cityscapes, PASCAL VOC and CVAT.
IGNORED_NAMES = ("void", "ignore", "ignored", "unlabeled", "unlabelled")
VOC_CLASSES = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse "
    "motorbike person pottedplant sheep sofa train tvmonitor"
).split()
VOC_BORDER = (224, 224, 192)  # between an object and the background: index 255


@dataclass(frozen=True)
class ColorTable:
    """What colours stand for.

    Attributes:
        source: the file, or the palette, for messages.
        names: class names by id: the background, if there is one, and the others in their order.
        ids: the class id of each `(red, green, blue)`, 255 for none.
        by_place: whether the place of a colour is its class, whatever that is called: others use
            the palette of PASCAL VOC for classes of their own.
    """

    source: str
    names: tuple[str, ...]
    ids: dict[tuple[int, int, int], int]
    by_place: bool = False

    def with_ground(self):
        """Return the table with black for the background, if it has one, where it lacks black."""
        if BLACK in self.ids or not labels.is_background(self.names[0]):
            return self
        return dataclasses.replace(self, ids=self.ids | {BLACK: 0})

    def renumbered(self, names):
        """Return the table with the ids of `names`, class names by id.

        Raises:
            InputError: if a class of the table is not among them.
        """
        if self.by_place:
            return dataclasses.replace(self, names=tuple(names))
        place = {labels.key(name): index for index, name in enumerate(names)}
        missing = [name for name in self.names if labels.key(name) not in place]
        if missing:
            raise InputError(
                f"{self.source} gives colours to {labels.listed(missing)}, which the labels file "
                "does not name"
            )
        ids = {
            color: index if index == IGNORED else place[labels.key(self.names[index])]
            for color, index in self.ids.items()
        }
        return dataclasses.replace(self, names=tuple(names), ids=ids)


def find(folder):
    """Return the one table of colours in a folder, or None.

    Raises:
        InputError: if there are several.
    """
    found = [path for path in (Path(folder) / name for name in NAMES) if _is_table(path)]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise InputError(f"{folder} holds {names}: say which gives the colours with --colors")
    return found[0] if found else None


def _is_table(path):
    if path.name != labels.FILE_NAME:
        return path.is_file()
    return path.is_file() and labels.has_colors(path)


def open_table(path):
    """Read a table of colours, in any of the forms above; `voc` is PASCAL VOC's.

    Returns:
        `ColorTable`. A class that is called as one of `IGNORED_NAMES` counts nowhere.

    Raises:
        InputError: if the file is missing or malformed, gives one colour to two classes, or names
            no class.
    """
    if str(path) == VOC:
        return voc()
    rows = list(_rows(path, labels.lines(path)))
    names = list(dict.fromkeys(name for name, _ in rows if name.lower() not in IGNORED_NAMES))
    names.sort(key=lambda name: not labels.is_background(name))  # stable: the background first
    if not names:
        raise InputError(f"{path}: gives no class a colour; known are {FORMS}")
    ids = {}
    for name, color in rows:
        index = names.index(name) if name in names else IGNORED
        if ids.setdefault(color, index) != index:
            raise InputError(f"{path}: gives the colour {color} to two classes, '{name}' is one")
    try:
        labels.check(names)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return ColorTable(str(path), tuple(names), ids)


def voc():
    """Return the table of PASCAL VOC's 20 classes; the border of objects counts nowhere."""
    ids = {palette.voc_color(index): index for index in range(len(VOC_CLASSES))}
    ids |= {VOC_BORDER: IGNORED}
    return ColorTable("PASCAL VOC's palette", tuple(VOC_CLASSES), ids, by_place=True)


def _rows(path, lines):
    """Yield `(name, color)` of each line of a table."""
    header = lines[0].strip().lower() if lines else ""
    columns = [part.strip() for part in re.split(r"[,\t]", header)]
    is_csv = {"name", "r", "g", "b"} <= {*columns} and "," in header
    if columns[:2] == ["idx", "label"]:
        for name, color in zip(labels.read(path), labels.read_colors(path), strict=True):
            yield name, color
        return
    if is_csv:
        for number, row in enumerate(csv.DictReader(lines[1:], columns), start=2):
            values = [(row[channel] or "").strip() for channel in "rgb"]
            yield _checked(path, number, (row["name"] or "").strip(), values)
        return
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r"\s*([^:]+):\s*(\d+),\s*(\d+),\s*(\d+)\s*(:.*)?", line)
        if match:
            name, *values, _ = match.groups()
        else:
            match = re.fullmatch(r"\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S.*)", line)
            if not match:
                raise InputError(f"{path}, line {number}: no colour of a class; known are {FORMS}")
            *values, name = match.groups()
        yield _checked(path, number, name.strip(), values)


def _checked(path, number, name, values):
    if not name or not all(value.isdecimal() and int(value) <= 255 for value in values):
        raise InputError(
            f"{path}, line {number}: expected a name and red, green and blue from 0 to 255"
        )
    return name, tuple(map(int, values))
