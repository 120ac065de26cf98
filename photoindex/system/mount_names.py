"""Where folders that are known by one name on all machines lie on this one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from photoindex.errors import FolderError
from photoindex.system.url_paths import path_of

_EMPTY: Final[Mapping[str, str]] = MappingProxyType({})
_IS_PLACE: Final = re.compile(r"/|[A-Za-z]:[\\/]|[A-Za-z][A-Za-z0-9+.-]+://")  # an absolute path, or a URL


class Mounts(Mapping[str, str]):
    """Names of folders, each with the absolute path at which the folder lies on this machine.

    A name stands for a path: ``archive`` for ``/archive``, and an absolute path for itself. Paths are the bytes that
    the catalogue keeps, with ``/`` between their parts. The methods change the name for the folder and back, in what
    lies at or below it, and leave other paths as they are; where names lie within each other, the longest counts.
    """

    __slots__ = ("_by_folder", "_by_name", "_named")

    def __init__(self, named: Mapping[str, str] = _EMPTY) -> None:
        """Raises :class:`ValueError` with one line for a name or folder that cannot be one."""
        self._named = {name: _checked(name, folder) for name, folder in named.items()}
        pairs = [(_bytes(place_of(name)), _bytes(folder)) for name, folder in self._named.items()]
        for side in zip(*pairs, strict=True):
            if len(set(side)) < len(side):
                raise ValueError("two names stand for the same folder")
        self._by_name = sorted(pairs, key=lambda pair: -len(pair[0]))
        self._by_folder = sorted(((folder, name) for name, folder in pairs), key=lambda pair: -len(pair[0]))

    def __getitem__(self, name: str) -> str:
        return self._named[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)

    def __hash__(self) -> int:
        return hash(frozenset(self._named.items()))

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name} = {folder!r}" for name, folder in self._named.items()) + "}"

    def __str__(self) -> str:
        """Return the names as :func:`mounts_in` reads them."""
        return ";".join(f"{name}={folder}" for name, folder in self._named.items())

    def here(self, stored: bytes) -> bytes:
        """Return the path on this machine of what all machines know as ``stored``."""
        return _changed(stored, self._by_name)

    def everywhere(self, path: bytes) -> bytes:
        """Return by what all machines know a path of this one."""
        return _changed(path, self._by_folder)

    def within(self, stored: bytes) -> str | None:
        """Return the name of a folder that lies below ``stored``, if there is one: such a name has no effect there."""
        return next((os.fsdecode(name) for name, _ in self._by_name if name.startswith(stored + b"/")), None)


NO_MOUNTS: Final = Mounts()


def place_of(name: str) -> str:
    """Return the path that a name stands for."""
    url = path_of(name) if "://" in name else None
    if url is not None:
        return os.fspath(url)
    return name if _IS_PLACE.match(name) else f"/{name}"


def mounts_in(text: str) -> Mounts:
    """Return what ``NAME=PATH;NAME=PATH`` says, as an environment variable has it. Raises :class:`ValueError`."""
    named: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, equals, folder = part.partition("=")
        if not equals:
            raise ValueError(f"{part!r} has no =")
        if named.setdefault(name.strip(), folder.strip()) != folder.strip():
            raise ValueError(f"{name.strip()!r} is said to lie in two folders")
    return Mounts(named)


def _checked(name: str, folder: str) -> str:
    place = Path(os.path.expanduser(folder))
    if not name.strip("/") or "\0" in name or ".." in name.split("/"):
        raise ValueError(f"{name!r} is no name of a folder")
    try:
        behind_url = path_of(folder)
        path_of(name)
    except FolderError as error:
        raise ValueError(str(error)) from None
    if behind_url is not None:
        return os.fspath(behind_url)
    if not place.is_absolute() or "\0" in folder:
        raise ValueError(f"{folder!r} is no absolute path for the name {name!r}")
    return os.path.normpath(place)


def _bytes(path: str) -> bytes:
    return os.fsencode(path if os.sep == "/" else path.replace(os.sep, "/")).rstrip(b"/")


def _changed(path: bytes, pairs: list[tuple[bytes, bytes]]) -> bytes:
    for before, after in pairs:
        if path == before or path.startswith(before + b"/"):
            return (after + path[len(before) :]).rstrip(b"/") or b"/"
    return path
