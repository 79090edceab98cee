"""Which samples belong together, and stay on one side of a split: of one person, drive or film."""

import csv
import logging
import os
import re
from collections import Counter
from pathlib import Path

from segmentation.data.pairing import composed
from segmentation.errors import InputError

logger = logging.getLogger(__name__)

PERSON_COLUMNS = ("person_group", "person")
MAPPING_LEVELS = 3  # a folder itself and two above: data/raw/ in a project's folder
# Two names and a number: Abdullah_al-Attiyah_0002, and not a camera's IMG_0002.
LFW_NAME = re.compile(r"([A-Z][^_]*(?:_[A-Za-z][^_]*)+)_\d{4}")
ONE_NAME = re.compile(r"([A-Z][a-z][^_]*)_\d{4}")  # Madonna_0002, where most names are of LFW
CAMVID_NAME = re.compile(r"(0001TP|0006R0|0016E5|Seq05VD)_f?\d+")  # the drive, and the frame
COPY = ".rf."  # and a hash: images that Roboflow made of one image differ in it alone


def groups_of(keys):
    """Return the group of each key of `pairing.below`, empty if unknown.

    That is the first folder in which keys differ; else what their names say: the person in those of
    LFW, the drive in those of CamVid, the image of which Roboflow made several.
    """
    folders = {key: key.split("/")[:-1] for key in keys}
    shared = len(os.path.commonprefix([*folders.values()]))
    person_of, copied = _persons({Path(key).name for key in folders}), _copied(folders)
    found = {}
    for key, inside in folders.items():
        name = Path(key).name
        drive = CAMVID_NAME.fullmatch(name)
        group = inside[shared] if len(inside) > shared else person_of.get(name, "")
        found[key] = group or (drive[1] if drive else copied[key])
    return found


def _persons(names):
    """Return the person by name; nobody if that were one for all, a camera's Front_Camera_0001."""
    matches = {name: LFW_NAME.fullmatch(name) for name in names}
    if 2 * sum(map(bool, matches.values())) >= len(names):
        matches = {name: match or ONE_NAME.fullmatch(name) for name, match in matches.items()}
    persons = {name: match[1] for name, match in matches.items() if match}
    one_for_all = len(persons) == len(names) and len({*persons.values()}) == 1
    return {} if one_for_all else persons


def _copied(keys):
    """Return by key the image of which Roboflow made several, empty if it made one."""
    originals = {key: key.partition(COPY)[0] if COPY in key else "" for key in keys}
    counts = Counter(originals.values())
    return {key: name if counts[name] > 1 else "" for key, name in originals.items()}


def mapped(folder, names):
    """Return the groups that a mapping.csv gives to images, by name.

    Args:
        folder: of the images; the file lies there or up to two folders above, the nearest counts.
        names: set of the images' names, without suffix.

    Raises:
        InputError: for a file that cannot be read, lacks the columns id and person_group, or knows
            none of the images; if spreadsheet software took the zeros off the ids. Further up, a
            file may be about something else, and is passed over.
    """
    folder = Path(os.path.abspath(folder))
    for place in [folder, *folder.parents][:MAPPING_LEVELS]:
        path = place / "mapping.csv"
        if not path.is_file():
            continue
        groups = _read(path, must=place == folder)
        missing = sorted(names - groups.keys())
        for name in missing:
            if (short := name.lstrip("0") or "0") in groups:
                raise InputError(
                    f"{path}: calls {name} {short}, as spreadsheets do: save it anew, with its ids "
                    "as text"
                )
        if len(missing) < len(names):
            if missing:
                logger.warning(
                    "warning: %s names no group of %d images, such as %s",
                    *(path, len(missing), missing[0]),
                )
            return groups
        if groups and place == folder:
            raise InputError(
                f"{path} names none of the images in {folder}: its id must be the file name "
                f"without suffix, as {min(names, default='0001')}"
            )
        if groups:
            logger.warning("left out %s: it names none of the images in %s", path, folder)
    return {}


def _read(path, must):
    """Return the person by id, empty for a file about something else unless it `must` not be."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error}); fix or remove it") from None
    columns = rows[0].keys() if rows else ()
    column = next((name for name in PERSON_COLUMNS if name in columns), None)
    if "id" in columns and column:
        pairs = [(composed((row["id"] or "").strip()), row[column] or "") for row in rows]
        return {name: " ".join(person.split()) for name, person in pairs if name}
    if must:
        raise InputError(
            f"{path}: has the columns {', '.join(map(str, columns)) or '(none)'}, not id and "
            f"{PERSON_COLUMNS[0]}, comma-separated; fix or remove it"
        )
    return {}
