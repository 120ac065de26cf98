"""Stores behind URLs, through fsspec (https://filesystem-spec.readthedocs.io): S3, what speaks like it, and others.

Nothing is written, and nothing is copied to this machine's disks. fsspec's own cache of listings is not used: it would
hide what changed. Credentials are found by the store's own package, in the places that its tools use.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import stat as stat_bits
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import datetime, timezone
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar
from urllib.parse import quote

from photoindex.system.storage_errors import FileReplaced, StoreUnavailable
from photoindex.system.url_paths import PACKAGES, Location, location_of
from photoindex.system.urls import without_password

# Of a store that keeps one address waiting: fsspec's packages try again five times, and ever later, where a request
# was too many, timed out or failed on the way.
_OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "s3": {"config_kwargs": {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 2}}},
}
_CACHES_NOTHING: Final[Mapping[str, Any]] = {"use_listings_cache": False, "skip_instance_cache": True}
# Where another store answers under the same name of a bucket, its photos are others.
_ENDPOINTS: Final = {"s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")}
_ETAGS: Final = ("ETag", "etag", "md5Hash", "crc32c", "generation", "version_id")
_TIMES: Final = ("LastModified", "last_modified", "updated", "mtime", "modified", "created")
# One of these is in each answer to a request.
_IN_ANSWERS: Final = {
    "ListObjectsV2": ("Name", "KeyCount", "MaxKeys", "IsTruncated"),
    "ListObjects": ("Name", "MaxKeys", "IsTruncated"),
    "HeadObject": ("ETag", "LastModified"),
    "GetObject": ("ETag", "LastModified"),
}
_GLANCE_SECONDS: Final = 10.0
_LISTING_TIMES: Final = 3  # a listing is kept for so many times as long as it took
_LISTING_LOCKS: Final = 64
_LISTED_AT_ONCE: Final = 8  # paths of one folder that are asked for one by one; of more, the folder is listed
_BLOCK: Final = 8 << 20  # bytes asked for at once
_SECOND: Final = 1_000_000_000
_OF_ALL: Final = re.compile("Throttl|SlowDown|LimitExceeded|Timeout|TimeTooSkewed|Expired|Token|AccessKey|Signature")
_LONGEST_REASON: Final = 200  # characters


@cache
def _store(protocol: str, process: int) -> UrlStorage:
    package = PACKAGES[protocol]
    try:
        fsspec = import_module("fsspec")
        import_module(package)
    except ImportError:
        extra = "pip install 'photoindex[s3]'" if protocol == "s3" else f"pip install {package}"
        raise StoreUnavailable(errno.ENOSYS, f"{protocol}:// needs the package {package}: {extra}") from None
    try:
        return UrlStorage(fsspec.filesystem(protocol, **_CACHES_NOTHING, **_options(protocol)))
    except Exception as error:
        raise StoreUnavailable(errno.EIO, f"{protocol}:// cannot be opened: {_line(error)}") from error


def _options(protocol: str) -> dict[str, Any]:
    options: dict[str, Any] = dict(_OPTIONS.get(protocol, {}))
    if protocol == "s3":
        options["session"] = session = import_module("aiobotocore.session").get_session()
        session.register("after-call.s3", _check_speaks_s3)
    return options


class _NoStore(Exception):
    """What answered is no store: see :func:`_check_speaks_s3`."""


def _check_speaks_s3(http_response: Any, parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
    """Raise :class:`_NoStore` for an answer that lacks what each of S3 has. A proxy, or the page on which a network is
    signed in to, gives the same to every request: an object of any name, and of any listing that it is empty."""
    wanted = _IN_ANSWERS.get(model.name)
    if wanted and http_response.status_code < 300 and not any(name in parsed for name in wanted):
        raise _NoStore


def store_of(path: Path | str) -> UrlStorage:
    """Return the store behind a path. Raises :class:`.storage_errors.StoreUnavailable` where its package is missing."""
    return _store(location_of(path).protocol, os.getpid())


Value = TypeVar("Value")


class UrlEntry:
    """An object, or what several keys begin with, in a listing."""

    def __init__(self, path: str, status: os.stat_result, problem: OSError | None = None) -> None:
        self.path = path
        self.name = os.path.basename(path)
        self._status = status
        self._problem = problem

    @property
    def is_object(self) -> bool:
        return self._problem is None and stat_bits.S_ISREG(self._status.st_mode)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Return whether it is an object. Raises OSError for one whose key is no path."""
        if self._problem is not None:
            raise self._problem
        return stat_bits.S_ISREG(self._status.st_mode)

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return not self.is_file()

    def is_symlink(self) -> bool:
        return False

    def stat(self) -> os.stat_result:
        return self._status


class UrlStorage:
    """One kind of store, by a file system of fsspec. Safe between threads."""

    def __init__(self, file_system: Any) -> None:
        self._fs = file_system
        self._listed: dict[str, tuple[float, dict[str, os.stat_result]]] = {}  # by folder: until when, and what
        self._glanced: dict[str, tuple[float, os.stat_result | OSError]] = {}
        self._prefixes: dict[str, tuple[float, bool]] = {}  # by name: what a listing showed to be no object
        self._lock = threading.Lock()
        self._listing = tuple(threading.Lock() for _ in range(_LISTING_LOCKS))  # by folder

    def stat(self, path: Path | str) -> os.stat_result:
        """Return the state of an object, or that of a folder for what is none. Raises :class:`StoreUnavailable`."""
        place = location_of(path)
        info = self._info(place)
        return _status(place, {"type": "directory"} if info is None else info)

    def glance(self, path: Path | str) -> os.stat_result:
        """Return the state of an object as it was some seconds ago. Raises FileNotFoundError where none was."""
        text = os.fspath(path)
        folder, name = os.path.split(text)
        listed = self._fresh(self._listed, folder)
        if listed is not None:
            if name in listed:
                return listed[name]
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), text)
        state = self._fresh(self._glanced, text)
        if state is None:
            state = self._look(text)
            self._keep(self._glanced, text, state, _GLANCE_SECONDS)
        if isinstance(state, OSError):
            raise state
        return state

    def scan(self, folder: Path | str) -> AbstractContextManager[Iterator[UrlEntry]]:
        """Return what lies directly in a folder, all of it or none. Raises OSError."""
        return nullcontext(iter(self._list(folder)))

    def names(self, folder: Path | str) -> dict[str, os.stat_result]:
        """Return the names of the objects in a folder as it was some seconds ago, with their states."""
        text = os.fspath(folder)
        known = self._fresh(self._listed, text)
        if known is None:
            with self._listing[hash(text) % len(self._listing)]:  # others that ask for it wait for one listing
                known = self._fresh(self._listed, text)
                if known is None:
                    entries = self._list(folder)
                    known = self._fresh(self._listed, text) or _objects(entries)
        return known

    def open(self, path: Path | str) -> BinaryIO:
        """Open an object. Reading fails when it is replaced meanwhile, where the store can tell."""
        place = location_of(path)
        with self.asking(place):
            try:
                file = self._fs.open(place.name, "rb", block_size=_BLOCK)
                info = getattr(file, "details", None) or self._fs.info(place.name)
            except (FileNotFoundError, IsADirectoryError) as error:
                self._check_bucket(place, error)
                info = {"type": "directory"}
        if info.get("type") == "directory":
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
        return io.BufferedReader(UrlFile(file, _status(place, info), self, place))

    def exists(self, path: Path | str) -> bool:
        """Return whether there is an object, or anything below. Raises :class:`StoreUnavailable`."""
        return self._info(location_of(path), folders=True) is not None

    def are_there(self, paths: Iterable[Path]) -> dict[Path, bool]:
        """Return for each of the paths whether anything is there, without those for which the store gave no answer."""
        by_folder: dict[Path, list[Path]] = {}
        for path in paths:
            by_folder.setdefault(path.parent, []).append(path)
        answers: dict[Path, bool] = {}
        for folder, inside in by_folder.items():
            try:
                if len(inside) <= _LISTED_AT_ONCE:
                    for path in inside:
                        answers[path] = self.exists(path)
                else:
                    names = {entry.name for entry in self._list(folder)}
                    answers.update((path, path.name in names) for path in inside)
            except OSError:
                continue
        return answers

    def _look(self, path: str) -> os.stat_result | OSError:
        place = location_of(path)
        try:
            info = self._info(place)
        except OSError as error:
            return error
        return FileNotFoundError(errno.ENOENT, path) if info is None else _status(place, info)

    def _info(self, place: Location, *, folders: bool = False) -> dict[str, Any] | None:
        """Return what the store says of an object, ``None`` when there is none; with ``folders`` also of what keys
        begin with. A bucket always is something."""
        with self.asking(place):
            try:
                info = self._seen(place)
            except FileNotFoundError as error:
                self._check_bucket(place, error)
                return None
        if info.get("type") == "directory" and place.key and not folders:
            return None
        return info

    def _seen(self, place: Location) -> dict[str, Any]:
        """Return what fsspec says of a name. Who may see what a prefix begins may not ask for the prefix itself."""
        try:
            info: dict[str, Any] = self._fs.info(place.name)
            return info
        except PermissionError:
            if not place.key:
                raise
            if self._fresh(self._prefixes, place.name):
                return {"type": "directory"}
            inside: list[dict[str, Any]] = self._fs.ls(place.name, detail=True)
            itself = [each for each in inside if each["name"] == place.name and each.get("type") != "directory"]
            return itself[0] if itself else {"type": "directory"}

    def _check_bucket(self, place: Location, error: OSError) -> None:
        """Return when an error says of a key that it is not there, and not of its bucket. Raises OSError.

        s3fs raises the first without a cause, after a listing that the store answered, so the bucket need not be asked
        for, which who may see a prefix alone cannot. Elsewhere it is.
        """
        if not place.key:
            raise error
        if place.protocol != "s3" or error.__cause__ is not None:
            self._fs.info(place.bucket)

    def _list(self, folder: Path | str) -> list[UrlEntry]:
        place = location_of(folder)
        began = time.monotonic()
        with self.asking(place):
            try:
                infos: list[dict[str, Any]] = self._fs.ls(place.name, detail=True)
            except FileNotFoundError as error:
                self._check_bucket(place, error)
                infos = []
        entries = [entry for entry in (_entry(os.fspath(folder), place, info) for info in infos) if entry is not None]
        # What took long is kept for longer, or who asks for it again and again would do nothing else.
        seconds = max(_GLANCE_SECONDS, _LISTING_TIMES * (time.monotonic() - began))
        self._keep(self._listed, os.fspath(folder), _objects(entries), seconds)
        if infos and not any(info["name"] == place.name and info.get("type") != "directory" for info in infos):
            self._keep(self._prefixes, place.name, True, seconds)
        return entries

    @contextmanager
    def asking(self, place: Location) -> Iterator[None]:
        """Turn what goes wrong into OSErrors of one line. What was not answered is :class:`StoreUnavailable`."""
        try:
            yield
        except StoreUnavailable:
            raise
        except FileNotFoundError as error:  # the bucket: keys are looked after where they are asked for
            raise StoreUnavailable(
                errno.EIO, f"there is no bucket {place.protocol}://{place.bucket} there, or no right to see it"
            ) from error
        except PermissionError as error:
            raise self._denied(place, error) from error
        except Exception as error:
            if _may_be_its_own(error) and self._is_above_seen(place):
                raise OSError(errno.EIO, f"the store refuses it ({_line(error)})") from error
            raise StoreUnavailable(errno.EIO, _trouble(place, error)) from error

    def _denied(self, place: Location, error: Exception) -> OSError:
        """Return what a refusal means: that of one object or folder is its own when what is above it may be seen."""
        if self._is_above_seen(place):
            return PermissionError(errno.EACCES, f"the store refuses it ({_line(error)})")
        return StoreUnavailable(
            errno.EACCES, f"{place.protocol}://{place.bucket} refuses these credentials ({_line(error)}): check them"
        )

    def _is_above_seen(self, place: Location) -> bool:
        """Return whether the store answers for what is above a key, so that an error is that of the key alone."""
        if place.key:
            with suppress(Exception):
                self._fs.info(place.name.rpartition("/")[0])
                return True
        return False

    @staticmethod
    def _fresh(kept: dict[str, tuple[float, Value]], key: str) -> Value | None:
        entry = kept.get(key)
        return None if entry is None or time.monotonic() >= entry[0] else entry[1]

    def _keep(self, kept: dict[str, tuple[float, Value]], key: str, value: Value, seconds: float) -> None:
        now = time.monotonic()
        with self._lock:
            for old in [old for old, (until, _) in list(kept.items()) if now >= until]:
                kept.pop(old, None)
            kept[key] = now + seconds, value


class UrlFile(io.RawIOBase):
    """An open object. ``status`` is its state when it was opened: no other is read."""

    def __init__(self, file: Any, status: os.stat_result, store: UrlStorage, place: Location) -> None:
        super().__init__()
        self.status = status
        self._file = file
        self._store = store
        self._place = place

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any, /) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self._read(-1)

    def close(self) -> None:
        if not self.closed:
            with suppress(Exception):
                self._file.close()
        super().close()

    def _read(self, length: int) -> bytes:
        try:
            with self._store.asking(self._place):
                data: bytes = self._read_unchanged(length)
                return data
        except _Replaced:
            raise FileReplaced(errno.EBUSY, "it was replaced or removed while it was read") from None

    def _read_unchanged(self, length: int) -> bytes:
        try:
            data: bytes = self._file.read(length)
        except (FileNotFoundError, OSError) as error:
            if isinstance(error, FileNotFoundError) or type(error).__name__ == "FileExpired":
                raise _Replaced from error
            raise
        return data


class _Replaced(StoreUnavailable):
    """Passes :meth:`UrlStorage.asking` as it is."""


def _objects(entries: Iterable[UrlEntry]) -> dict[str, os.stat_result]:
    return {entry.name: entry.stat() for entry in entries if entry.is_object}


def _entry(folder: str, place: Location, info: Mapping[str, Any]) -> UrlEntry | None:
    """Return an entry of the listing of ``folder``; ``None`` for the empty object that stands for the folder itself.

    One of that key with contents has a problem, as it has no name. So has one whose next part is empty, ``.`` or
    ``..``, which would be another path, and one that fsspec takes to name a version.
    """
    name = str(info["name"])
    is_folder = info.get("type") == "directory"
    rest = name.removeprefix(place.name).removeprefix("/")
    part = rest.rstrip("/") if is_folder else rest
    if not rest and not is_folder and not info.get("size"):
        return None
    if part in ("", ".", "..") or "/" in part or "\0" in part or "?versionId=" in part:
        problem = OSError(errno.EINVAL, f"its key {name!r} is no path: give it another, or leave it out")
        return UrlEntry(
            f"{folder}/{quote(rest or '/', safe='').replace('.', '%2E')}",
            _status(place, {"type": "directory"}),
            problem,
        )
    inside = Location(place.protocol, place.bucket, f"{place.key}/{part}" if place.key else part)
    return UrlEntry(f"{folder}/{part}", _status(inside, info))


def _status(place: Location, info: Mapping[str, Any]) -> os.stat_result:
    """Return what a store says of an object as a state of a file.

    The etag stands in place of the change time, as a number, and the URL in place of the inode.
    """
    is_folder = info.get("type") == "directory"
    modified = 0 if is_folder else _nanoseconds(info)
    tag = next((str(info[name]).strip('"') for name in _ETAGS if info.get(name)), "")
    changed = 0 if is_folder else _number("etag", tag or str(modified))
    endpoint = _endpoint(place)
    size = 0 if is_folder else int(info.get("size") or 0)
    mode = stat_bits.S_IFDIR | 0o555 if is_folder else stat_bits.S_IFREG | 0o444
    device = _number("bucket", place.protocol, place.bucket, endpoint.rstrip("/"))
    seconds = modified // _SECOND
    return os.stat_result(
        (mode, _number("url", place.url), device, 1, 0, 0, size, seconds, seconds, seconds),
        {"st_atime_ns": modified, "st_mtime_ns": modified, "st_ctime_ns": changed, "st_mtime": float(seconds)},
    )


def _number(*parts: str) -> int:
    """Return 62 bits that tell one text from others; never 0, which means "not known" to those who compare files."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") >> 2 | 1


def _nanoseconds(info: Mapping[str, Any]) -> int:
    """Return when an object was written, in whole seconds: listings and single answers of a store differ in more."""
    value = next((info[name] for name in _TIMES if info.get(name)), 0)
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        if isinstance(value, datetime):
            value = (value if value.tzinfo else value.replace(tzinfo=timezone.utc)).timestamp()
        return int(value) * _SECOND
    except (ValueError, TypeError, OverflowError):
        return 0


def _may_be_its_own(error: BaseException | None) -> bool:
    """Return whether a store gave an error that one object may have: its request was wrong, as for an object whose key
    of encryption is not at hand. One of too many requests, of the server or of the credentials is none."""
    while error is not None:
        answer = getattr(error, "response", None)
        if isinstance(answer, dict):
            status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            code = str(answer.get("Error", {}).get("Code", ""))
            return 400 <= status < 500 and status not in (401, 404, 408, 429) and not _OF_ALL.search(code)
        error = error.__cause__ or error.__context__
    return False


def _trouble(place: Location, error: Exception) -> str:
    if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
        return (
            f"there are no credentials for {place.protocol}://{place.bucket}: set AWS_PROFILE, or AWS_ACCESS_KEY_ID "
            "and AWS_SECRET_ACCESS_KEY"
        )
    if isinstance(error, _NoStore) or type(error).__name__ == "ResponseParserError":  # XML that is none
        return _no_store(place)
    return f"{place.protocol}://{place.bucket} cannot be reached: {_line(error)}"


def _no_store(place: Location) -> str:
    at = without_password(_endpoint(place)) or f"the address of {place.protocol.upper()}"
    return (
        f"what answers at {at} for {place.protocol}://{place.bucket} does not speak as such a store does: a proxy, or "
        "a page to sign in to the network, may stand in its place"
    )


def _endpoint(place: Location) -> str:
    """Return the address that was named for a kind of store, if any."""
    return next(filter(None, map(os.environ.get, _ENDPOINTS.get(place.protocol, ()))), "")


def _line(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return without_password(" ".join(str(text).split()))[:_LONGEST_REASON]
