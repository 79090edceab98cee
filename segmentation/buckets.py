"""Buckets of Google Cloud Storage and S3: what lies in them, in one line what goes wrong there."""

import contextlib
import logging
import os
import uuid

from segmentation import files
from segmentation.errors import InputError, reason

REQUIREMENTS = "-r requirements-storage.txt"
PACKAGES = {"gs": "gcsfs", "s3": "s3fs"}
CREDENTIALS = {
    "gs": "run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS",
    "s3": "run aws configure, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
}
GOOGLE_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
ANSWER_WITHIN = 15  # seconds, of the first request: the libraries try for more than 30
# Seconds that a server may be silent later, before a library tries again: s3fs' own limit.
SILENCE = 15
WILDCARDS = "*?["
NO_CREDENTIALS = (
    *("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"),
    *("DefaultCredentialsError", "RefreshError"),
)
NO_ANSWER = ("Timeout", "Connection", "Transport", "ClientOSError", "ServerDisconnected")


class Buckets:
    """The buckets that somebody may use, by URLs: `s3://BUCKET/KEY`.

    Every method raises InputError, of one line, if a bucket is missing, refuses or does not answer.
    """

    def __init__(self):
        self._systems = {}

    def find(self, url):
        """Return what is known of the objects that a name, a folder or a pattern means, by URL.

        Each has a `size` in bytes and, as the provider calls it, an ETag or a generation.
        """
        system, path = self._of(url)
        with _errors(url):
            if is_pattern(path) and not system.exists(path):
                infos = system.glob(path, detail=True)
                for name in [n for n, info in infos.items() if info["type"] == "directory"]:
                    infos |= system.find(name, detail=True)
            else:
                infos = system.find(path, detail=True)
        return {
            _checked(_url(url, name)): info | {"size": int(info["size"])}
            for name, info in infos.items()
            # Nor what a console keeps of an empty folder, nor a probe of `require_writable`.
            if info["type"] != "directory" and not name.endswith(("/", files.UNFINISHED))
        }

    def expand(self, url):
        """Return what a pattern means, as a shell would: URLs, itself if nothing fits it."""
        if not is_pattern(url):
            return [url]
        system, path = self._of(url)
        with _errors(url):
            return [_url(url, name) for name in sorted(system.glob(path))] or [url]

    def entries(self, url):
        """Return the URLs of the `(folders, files)` directly in a folder; none if there is none."""
        system, path = self._of(url)
        with _errors(url), contextlib.suppress(FileNotFoundError):
            found = {_url(url, each["name"].rstrip("/")): each for each in system.ls(path, True)}
            found.pop(url, None)
            folders = {each for each, info in found.items() if info["type"] == "directory"}
            return sorted(map(_checked, folders)), sorted(map(_checked, found.keys() - folders))
        return [], []

    def get(self, urls, targets):
        """Copy objects of one bucket to files."""
        system, _ = self._of(urls[0])
        with _errors(urls[0], missing="was removed while it was fetched"):
            system.get([url.partition("://")[2] for url in urls], targets)

    def put(self, path, url):
        """Copy a file to an object, which is there whole or not at all."""
        system, target = self._of(url)
        with _errors(f"not sent: {url}"):
            system.put_file(str(path), target)

    def remove(self, urls):
        """Remove objects, as far as they are there."""
        for url in urls:
            system, path = self._of(url)
            with _errors(url), contextlib.suppress(FileNotFoundError):
                system.rm_file(path)

    def require_writable(self, url):
        """Raise InputError unless objects can be written and removed in the folder of a URL."""
        system, path = self._of(url)
        folder, _, name = path.rpartition("/")
        probe = f"{folder or path}/.{name}.{uuid.uuid4().hex}{files.UNFINISHED}"
        with _errors(url):
            system.pipe_file(probe, b"")
            system.rm_file(probe)

    def _of(self, url):
        """Return the file system of a URL, and the path in it."""
        scheme, _, path = url.partition("://")
        if not path.partition("/")[0]:
            raise InputError(f"{url}: names no bucket")
        _checked(url)
        if scheme not in self._systems:
            with _errors(url):
                self._systems[scheme] = _connected(scheme, path)
        return self._systems[scheme], path


def is_pattern(text):
    """Return whether a name has signs of a pattern."""
    return any(sign in text for sign in WILDCARDS)


def _connected(scheme, path):
    """Return a file system that has answered."""
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # asks with each request
    for name in ("gcsfs", "s3fs", "botocore", "aiobotocore", "google.auth"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # or they print tracebacks
    import fsspec.asyn

    options = _google_options() if scheme == "gs" else _s3_options()
    system = fsspec.filesystem(
        scheme, use_listings_cache=False, skip_instance_cache=True, **options
    )
    with contextlib.suppress(FileNotFoundError):  # an answer
        fsspec.asyn.sync(system.loop, system._info, path, timeout=ANSWER_WITHIN)
    return system


def _s3_options():
    """Return the options of s3fs."""
    import aiobotocore.session
    import botocore.handlers

    # With this header a request waits for a first answer before its body is sent: without a limit.
    session = aiobotocore.session.AioSession()
    session.unregister("before-call.s3", botocore.handlers.add_expect_header)
    return {"session": session, "config_kwargs": {"read_timeout": SILENCE}}


def _google_options():
    """Return the options of gcsfs."""
    import aiohttp

    # Of itself it would wait without a limit.
    limit = aiohttp.ClientTimeout(sock_connect=SILENCE, sock_read=SILENCE)
    return {"token": _google_credentials(), "requests_timeout": limit}


def _google_credentials():
    """Return what gcsfs takes as `token`.

    Left to itself, it searches for a quarter minute where there are none, and tries for half a
    minute with those that have expired.
    """
    import google.auth.exceptions
    import google.auth.transport.requests

    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return "anon"
    try:
        credentials, _ = google.auth.default(scopes=[GOOGLE_SCOPE])
    except google.auth.exceptions.DefaultCredentialsError:
        if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):  # names a file that is not right
            raise
        return "anon"  # enough for public buckets
    credentials.refresh(google.auth.transport.requests.Request())
    return credentials


@contextlib.contextmanager
def _errors(what, missing="no such bucket"):
    """Turn what goes wrong within the block into an InputError of one line.

    Args:
        what: a URL, perhaps after some words.
        missing: what to say if it is not there.
    """
    scheme = "gs" if "gs://" in what else "s3"
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{what}: {missing}") from None
    except ImportError:
        raise InputError(
            f"{what}: needs the package {PACKAGES[scheme]}; run pip install {REQUIREMENTS}"
        ) from None
    except Exception as error:  # of two libraries and those that they use
        names = [each.__name__ for each in type(error).__mro__]
        said = "no answer" if "FSTimeoutError" in names else reason(error)
        if any(name in NO_CREDENTIALS for name in names) or getattr(error, "code", None) == 401:
            problem = f"no credentials ({said}); {CREDENTIALS[scheme]}"
        elif isinstance(error, PermissionError) or said.startswith("Forbidden"):
            problem = f"no permission ({said})"
        elif any(part in name for name in names for part in NO_ANSWER):
            problem = f"no connection, or it broke ({said})"
        else:
            problem = said
        raise InputError(f"{what}: {problem}") from None


def _url(url, name):
    """Return the URL of the object of a name, in the scheme of another URL."""
    return f"{url.partition('://')[0]}://{name}"


def _checked(url):
    """Return a URL if a file here can have its name; raise InputError if not."""
    if {"", ".", ".."} & {*url.partition("://")[2].split("/")}:
        raise InputError(f"{url}: a name that no file here can have, with an empty part, . or ..")
    return url
