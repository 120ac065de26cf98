"""Photos behind URLs as paths, and paths as URLs.

Inside photoindex a photo at ``s3://bucket/2024/a.jpg`` has the path ``/s3:/bucket/2024/a.jpg``, and so it stands in the
catalogue. It is absolute, has a name and parents, sorts and lies below other paths as every path does, so what handles
paths needs to know nothing of URLs; no file system has such a path, so what opens it past :mod:`.storage` finds
nothing. A URL is turned into such a path where it is typed (:func:`path_of`, by :func:`.paths.absolute`), and back
where it is shown (:func:`url_text`, :func:`with_urls`). Python's own paths make one slash of two, so ``s3:/bucket`` is
taken for what was typed too.

The part of a key behind the bucket is taken as it is, as the tools of the stores take it: ``%20`` is three characters.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final, NamedTuple

from photoindex.errors import FolderError

# The protocols that are opened, each with the package that fsspec needs for it. Others, such as file, memory or http,
# would lead around the folders that the user named, or cannot be listed.
PACKAGES: Final = {"s3": "s3fs", "gs": "gcsfs", "abfs": "adlfs"}

_NAMES: Final = "|".join(PACKAGES)
_PATH: Final = re.compile(rf"/({_NAMES}):/([A-Za-z0-9][^/]*)(?:/(.*))?", re.DOTALL)
_BEGINS: Final = re.compile(rf"/?({_NAMES}):/+(?=[A-Za-z0-9])")
_IN_TEXT: Final = re.compile(rf"(?<![\w.~/-])/({_NAMES}):/(?=[A-Za-z0-9])")
_TYPED: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/+)(.*)", re.DOTALL)
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# What people may try, and would otherwise be told that there is no such file.
_OTHERS: Final = frozenset(
    "file local memory http https ftp sftp ssh s3a s3n gcs az hdfs webhdfs smb nfs dav davs zip tar data github".split()
)


class Location(NamedTuple):
    """Where something lies: ``protocol``, the bucket or container, and the key within it (empty: all of it)."""

    protocol: str
    bucket: str
    key: str

    @property
    def name(self) -> str:
        """The bucket and the key, as fsspec names them."""
        return f"{self.bucket}/{self.key}" if self.key else self.bucket

    @property
    def url(self) -> str:
        return f"{self.protocol}://{self.name}"


def is_url(path: Path | str) -> bool:
    """Return whether a path of photoindex stands for something behind a URL."""
    text = os.fspath(path)
    return ":/" in text and _PATH.match(text) is not None


def location_of(path: Path | str) -> Location:
    """Return what a path stands for, of which :func:`is_url` says that it is behind a URL."""
    parts = _PATH.fullmatch(os.fspath(path))
    assert parts is not None, f"{path} stands for no URL"
    return Location(parts[1], parts[2], parts[3] or "")


def url_text(path: Path | str) -> str:
    """Return a path as people write it, also one that was typed: a URL where it is one, else as it is."""
    text = os.fspath(path)
    return _BEGINS.sub(r"\1://", text, count=1) if ":/" in text and _BEGINS.match(text) else text


def with_urls(text: str) -> str:
    """Return a line for people with the URLs that its paths stand for."""
    return _IN_TEXT.sub(r"\1://", text) if ":/" in text else text


def path_text(text: str) -> str:
    """Return the path that stands for a URL, or for what a URL begins with, as text; other text as it is."""
    return _BEGINS.sub(r"/\1:/", text, count=1) if ":/" in text and _BEGINS.match(text) else text


def path_of(typed: Path | str) -> Path | None:
    """Return the path that stands for a URL as it was typed; ``None`` for what is no URL.

    Raises :class:`FolderError` for a URL that is not opened here. Nothing of the URL is repeated when it may hold a
    password.
    """
    text = os.fspath(typed)
    if is_url(text):
        return Path(os.path.normpath(text))
    typed_url = _TYPED.fullmatch(text)
    if typed_url is None or typed_url[1].lower() not in _OTHERS | PACKAGES.keys():
        return None
    protocol, rest = typed_url[1].lower(), typed_url[3]
    if protocol not in PACKAGES:
        if os.path.lexists(text):  # a folder of that name
            return None
        known = ", ".join(f"{name}://" for name in PACKAGES)
        raise FolderError(f"{protocol}:// URLs are not opened; name a folder, or a URL that begins with {known}")
    bucket, _, key = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        if "@" in bucket or ":" in bucket:
            raise FolderError(
                f"write no user or password into a URL: name it as {protocol}://bucket/prefix; credentials are taken "
                "from the environment and the files that the store's own tools use"
            )
        raise FolderError(f"{protocol}://{bucket} names no bucket: write {protocol}://bucket/prefix")
    parts = [part for part in key.split("/") if part]
    if any(part in (".", "..") for part in parts) or "\0" in key:
        raise FolderError(f"{protocol}://{bucket} is followed by . or .., which keys cannot be named by here")
    return Path(f"/{protocol}:/" + "/".join([bucket, *parts]))
