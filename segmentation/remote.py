"""Names of files in a bucket, gs://BUCKET/KEY and s3://BUCKET/KEY, and of the copies of them here.

Commands work on copies, in a folder of their own: `storage` fetches what they read and sends what
they write. Whatever a command says of a copy, it says of the file in the bucket.
"""

import json
import re
from pathlib import Path

CACHE = "MOBILE_SEGMENTATION_CACHE"  # environment variable: a folder, in which copies are kept
SCHEMES = ("gs", "s3")
OF_BUCKET = re.compile(rf"({'|'.join(SCHEMES)}):/+(.*)", re.S)  # `Path` makes one slash of two

_copies = None


def keep_copies_in(folder):
    """Set the folder of the copies of this command, an absolute path without links, or None."""
    global _copies
    _copies = folder


def parse(value):
    """Return `s3://BUCKET/KEY` for a path or text that names a file in a bucket, else None."""
    match = OF_BUCKET.fullmatch(str(value))
    return match and f"{match[1]}://{re.sub('/+', '/', match[2]).rstrip('/')}"


def local(url):
    """Return where the copy of a file is, or would be."""
    scheme, _, path = url.partition("://")
    return _copies / scheme / path


def url_of(path):
    """Return what a path is the copy of, or None."""
    path = Path(path)
    if _copies is None or _copies not in path.parents or path.parent == _copies:
        return None
    scheme, *parts = path.relative_to(_copies).parts
    return f"{scheme}://{'/'.join(parts)}"


def other_place(path):
    """Return how to make room for a file or folder, which may be a copy."""
    if not url_of(path):
        return "choose another folder"
    cache = _copies.parent.parent  # as `storage` has it
    return f"name a folder on another disk in {CACHE}, as files are made in {cache} first"


def shown(text):
    """Return a text, of JSON too, with the paths of copies written as what they are copies of."""
    if _copies is None:
        return text
    for prefix in dict.fromkeys((str(_copies), json.dumps(str(_copies))[1:-1])):
        for scheme in SCHEMES:
            text = text.replace(f"{prefix}/{scheme}/", f"{scheme}://")
    return text
