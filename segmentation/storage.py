"""What a command reads and writes in buckets, gs:// and s3://: copies here, in a folder of its own.

Before a command reads, objects are fetched into a cache, and from there, by hard links, come into
the folder of copies that this command works in (`remote`). What it has written there is sent when
an epoch ends and when it ends. An object is sent whole or not at all, and those that only make
sense together in an order that leaves nothing mixed behind when the sending is cut off.
"""

import errno
import fnmatch
import glob
import hashlib
import logging
import os
import re
import shutil
import signal
import tempfile
import threading
from pathlib import Path

from segmentation import files, progress, remote
from segmentation.buckets import Buckets
from segmentation.errors import InputError

logger = logging.getLogger(__name__)

# Folders in the cache. RUNS has a folder of copies for each command, UNSENT what is left of some.
OBJECTS, RUNS, UNSENT = "objects", "runs", "unsent"
BATCH = 64  # objects fetched before what there is of them is kept
# Files that are sent after those that they are about, and in this order.
LAST = ("*.json", "images*.npy", "state.npz")
SHARD = re.compile(r"-\d{5}-of-\d{5}\Z")  # of TFRecords, as `data.tfrecords` names them
# Folders whose files are one thing, by their suffix, and a file that each has: an export, its
# parity kit, the check images of a run. Other people's folders may have such a name, too.
ONE_THING = {
    ".mlpackage": "Manifest.json",
    ".saved_model": "saved_model.pb",
    ".kit": "manifest.json",
    ".check": "check_00.jpg",
}
UNFINISHED = (files.UNFINISHED, ".part")  # ends of hidden files and folders that are still written

_storage = None  # of this command, if it names a file in a bucket


def opened():
    """Return the `Storage` of this command, opened when it is first asked for."""
    global _storage
    _storage = _storage or Storage()
    return _storage


def look(*paths):
    """Fetch what a bucket holds at paths that are to be written, to be judged like files here."""
    urls = [url for url in map(remote.url_of, paths) if url]
    if urls:
        opened().fetch(urls, to_replace=True)


def remove(path):
    """Remove a file, and if it is a copy, what it is the copy of."""
    Path(path).unlink()
    if url := remote.url_of(path):
        opened().buckets.remove([url])


def remove_before(path, outdated):
    """Remove what files are the copies of, as soon as a file that they don't go with is sent.

    Args:
        path: of that file.
        outdated: paths.
    """
    if _storage:
        _storage.outdated[path] = outdated


def send(duplicates):
    """Send what a run has written until now; say what could not be sent, and will be later.

    Args:
        duplicates: URLs of files and folders that are no copies and are sent, too, by path.
    """
    try:
        if _storage:
            _storage.duplicates = duplicates
            _storage.send()
    except InputError as error:
        logger.warning("warning: %s; tried again when the next epoch or the run ends", error)


def finish():
    """Send what the command has written, and remove its folder of copies.

    Raises:
        InputError: if something cannot be sent. It is kept, and the message says where.
    """
    global _storage
    storage, _storage = _storage, None
    if storage:
        storage.finish()


class Storage:
    """The files in buckets that one command reads and writes.

    Attributes:
        buckets: `Buckets`.
        cache: the folder of the cache.
        duplicates: as for `send`.
        outdated: as for `remove_before`, by `path`.

    Raises:
        InputError: if no folder can be made in the cache.
    """

    def __init__(self):
        self.buckets, self.duplicates, self.outdated = Buckets(), {}, {}
        self.cache = Path(os.environ.get(remote.CACHE) or files.user_cache()).resolve()
        try:
            for folder in (OBJECTS, RUNS, UNSENT):
                (self.cache / folder).mkdir(parents=True, exist_ok=True)
            self._copies = Path(tempfile.mkdtemp(dir=self.cache / RUNS))
        except OSError as error:
            raise InputError(
                f"{self.cache}: no place for copies ({error.strerror}); name a folder in "
                f"{remote.CACHE}"
            ) from None
        remote.keep_copies_in(self._copies)
        self._known = {}  # what each file was like when it was fetched or sent, by path
        self._handles_signals = threading.current_thread() is threading.main_thread()
        if self._handles_signals:
            # A machine that is taken away says so by SIGTERM: what there is, is still sent.
            self._handler = signal.signal(signal.SIGTERM, signal.default_int_handler)

    def fetch(self, urls, to_replace=False):
        """Bring copies of objects, of all in folders, and of what fits patterns.

        What is not there brings nothing: whoever reads the copy says so.

        Args:
            urls: what belongs together, the first the one that was named.
            to_replace: whether the copies are of results, which are not worth a place in the cache.

        Raises:
            InputError: if the bucket is missing or cannot be read, or the disk has no room.
        """
        found = {}
        for url in urls:
            found |= self.buckets.find(url)
        found = {url: info for url, info in found.items() if remote.local(url) not in self._known}
        places = {url: self._place(url, info, to_replace) for url, info in found.items()}
        absent = [url for url, place in places.items() if not place.exists()]
        size = sum(found[url]["size"] for url in absent)
        if size > (free := shutil.disk_usage(self.cache).free):
            raise InputError(
                f"{urls[0]}: {size / 1e9:,.1f} GB to fetch, and {free / 1e9:,.1f} GB are free in "
                f"{self.cache}; make room there, or name a folder on another disk in {remote.CACHE}"
            )
        if found and not to_replace:
            noun = "file" if len(found) == 1 else "files"
            held = f"{len(absent):,} to fetch, {size / 1e6:,.1f} MB, into" if absent else "all in"
            logger.info(f"{urls[0]}: {len(found):,} {noun}, {held} {self.cache}")
        batches = [absent[start : start + BATCH] for start in range(0, len(absent), BATCH)]
        try:
            for batch in progress.track(batches, len(batches), "Fetching"):
                self._fetch_batch(batch, found, places)
            for url, place in places.items():
                copy = remote.local(url)
                copy.parent.mkdir(parents=True, exist_ok=True)
                if copy != place:
                    os.link(place, copy)
                self._known[copy] = _stamp(copy)
        except OSError as error:
            copy = remote.url_of(error.filename2 or error.filename or "")
            if copy and error.errno in (errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG):
                raise InputError(
                    f"{copy}: no file here can have that name, beside the other objects "
                    f"({error.strerror}); rename it"
                ) from None
            raise InputError(  # a full disk, a disk without links
                f"{urls[0]}: no copy in {self.cache} ({error.strerror}); "
                f"name another folder in {remote.CACHE}"
            ) from None

    def _place(self, url, info, to_replace):
        """Return where an object is fetched to: a name that no other version of it has."""
        version = info.get("ETag") or info.get("etag") or info.get("generation")
        if to_replace or not version:
            return remote.local(url)
        of_version = hashlib.sha256(f"{version} {info['size']}".encode()).hexdigest()
        return self.cache / OBJECTS / hashlib.sha256(url.encode()).hexdigest() / of_version

    def _fetch_batch(self, urls, found, places):
        with tempfile.TemporaryDirectory(dir=self.cache / RUNS) as folder:
            targets = [f"{folder}/{number}" for number in range(len(urls))]
            self.buckets.get(urls, targets)
            for url, target in zip(urls, targets, strict=True):
                if os.stat(target).st_size != found[url]["size"]:
                    raise InputError(f"{url}: has changed while it was fetched; run again")
                place = places[url]
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(target, place)
                if self.cache / OBJECTS in place.parents:
                    for earlier_version in set(place.parent.iterdir()) - {place}:
                        earlier_version.unlink(missing_ok=True)

    def fetch_around(self, url, levels):
        """Bring what says something about the files of a folder, from folders above it.

        Of so many folders above it, tables (.txt and .csv) are fetched, and subfolders are made.
        """
        for _ in range(levels):
            url = url.rpartition("/")[0]
            if url.endswith("/"):  # above the bucket
                return
            try:
                folders, inside = self.buckets.entries(url)
                self.fetch([each for each in inside if each.endswith((".txt", ".csv"))])
            except InputError as error:
                logger.warning("warning: not looked at: %s", error)
                return
            for each in folders:
                remote.local(each).mkdir(parents=True, exist_ok=True)

    def send(self):
        """Send what has changed since it was fetched or sent.

        Raises:
            InputError: if something cannot be sent; nothing after it is.
        """
        changed = self._make_way(self._changed())
        for path in sorted(changed, key=_rank):
            stamp = _stamp(path)
            self.buckets.remove(map(self._url, self.outdated.pop(path, ())))
            self.buckets.put(path, changed[path])
            self._known[path] = stamp

    def finish(self):
        """Send what has changed, and remove the copies; as `finish` of this module."""
        if self._handles_signals:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what it asks for is being done
        try:
            self.send()
        except InputError as error:
            raise InputError(self._kept(str(error))) from None
        except KeyboardInterrupt:
            raise InputError(self._kept("interrupted while results were sent")) from None
        else:
            shutil.rmtree(self._copies, ignore_errors=True)
        finally:
            if self._handles_signals:
                signal.signal(signal.SIGTERM, self._handler)

    def _kept(self, problem):
        """Remove what need not be sent, and return what to say of the rest, if there is any."""
        unsent = self._changed()
        for path in self._known.keys() - unsent.keys():
            if self._copies in path.parents:
                path.unlink(missing_ok=True)
        if not unsent:
            return problem
        where = next(iter(unsent)).parent
        if any(self._copies in path.parents for path in unsent):
            # Elsewhere, because what lies in the folder of copies is called what it is a copy of.
            where = self._copies.rename(self.cache / UNSENT / self._copies.name)
        noun = "file" if len(unsent) == 1 else "files"
        return (
            f"{problem}; {len(unsent)} {noun} not sent: kept in {where}; copy them to the bucket, "
            "or run again"
        )

    def _changed(self):
        """Return the URLs of what is to be sent, by path."""
        found = {}
        for place in (self._copies, *self.duplicates):
            for path in [place] if place.is_file() else _files_in(place):
                if self._known.get(path) != _stamp(path):
                    found[path] = self._url(path)
        return found

    def _url(self, path):
        """Return where a file is to be sent."""
        if url := remote.url_of(path):
            return url
        for place in (path, *path.parents):
            if place in self.duplicates:
                break
        below = path.relative_to(place).as_posix()
        return self.duplicates[place] + ("" if path == place else f"/{below}")

    def _make_way(self, changed):
        """Remove objects that must not be seen beside those that are sent now.

        Old images beside new masks, a shard of another set among new ones and half a model package
        would be read without a complaint.

        Args:
            changed: of `_changed`.

        Returns:
            `changed`, and what of the same sets has been sent before.
        """
        old = set()  # patterns
        for path, url in changed.items():
            folder, _, name = url.rpartition("/")
            if fnmatch.fnmatch(name, "images*.npy"):
                old.add(glob.escape(url))
            elif name.endswith(".tfrecord"):
                stem = SHARD.sub("", name.removesuffix(".tfrecord"))
                old |= {glob.escape(f"{folder}/{stem}.tfrecord"), shards_of(folder, stem)}
            for parent in path.parents:
                marker = ONE_THING.get(parent.suffix)
                if marker and (parent / marker).is_file():
                    below = path.relative_to(parent).as_posix()
                    old.add(glob.escape(url.removesuffix(f"/{below}")))
        gone = {each for name in old for each in self.buckets.find(name)}
        self.buckets.remove(gone)
        if not gone:
            return changed
        for path in [path for path in self._known if self._url(path) in gone]:
            del self._known[path]
        return self._changed()


def shards_of(folder, stem):
    """Return the pattern of the shards of a set of TFRecords, and of no other's."""
    digits = "[0-9]" * 5
    return f"{glob.escape(f'{folder}/{stem}')}-{digits}-of-{digits}.tfrecord"


def _files_in(folder):
    """Yield the files in a folder and below it but those that are not finished."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _is_unfinished(name)]
        yield from (Path(place, name) for name in names if not _is_unfinished(name))


def _is_unfinished(name):
    return name.startswith(".") and name.endswith(UNFINISHED)


def _stamp(path):
    state = path.stat()
    return state.st_mtime_ns, state.st_size, state.st_ino


def _rank(path):
    """Return the place of a file in the order of sending."""
    fits = [fnmatch.fnmatch(path.name, pattern) for pattern in LAST]
    kept = path.name.startswith("earlier.")  # of a run that is replaced: before it is
    return 0 if kept else 1 + (1 + fits.index(True) if any(fits) else 0), str(path)
