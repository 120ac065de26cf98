"""The files beside a photo that speak of it: XMP, and the JSON of Google Takeout (takeoutnames.py tells whose).

Of XMP both namings are in use (darktable and digiKam; Lightroom and Adobe's other programs): ``a.jpg.xmp`` speaks of
``a.jpg`` alone, ``a.xmp`` belongs to each of ``a.jpg`` and ``a.cr2``. Letter case does not matter: the camera writes
``A.JPG``, the program ``a.xmp``. Nor does the way in which Unicode writes an accented letter, which macOS changes. All
that reads or writes sidecars asks :class:`Folder` which are a photo's.

The *state* of a photo's sidecars is one line of text: of each its name, size and modification time, the more specific
first; empty when there is none. A scan compares it with the state that was read last.
"""

from __future__ import annotations

import os
import re
import stat as stat_bits
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from photoindex.media.formats import is_raw_name
from photoindex.media.metadata.takeoutnames import SUFFIX as JSON_SUFFIX
from photoindex.media.metadata.takeoutnames import TakeoutNames, names_json
from photoindex.system import storage
from photoindex.system.url_paths import is_url

SUFFIX: Final = ".xmp"
_ENDINGS: Final = {suffix[-len(SUFFIX) :] for suffix in (SUFFIX, JSON_SUFFIX)}
RESTED_NS: Final = 3_000_000_000  # FAT keeps times to two seconds

_PLAIN: Final = re.compile(r"[\w.~-]+", re.ASCII)  # what quote() leaves as it is


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A sidecar as it was when looked at."""

    path: Path
    size: int
    mtime_ns: int
    ctime_ns: int

    @property
    def is_xmp(self) -> bool:
        return _names_xmp(self.path.name)


def is_sidecar(path: Path) -> bool:
    """Whether the last part of ``path`` is the name of a sidecar, of whatever photo."""
    return _names_xmp(path.name) or names_json(path.name)


def _names_xmp(name: str) -> bool:
    return name[-len(SUFFIX) :].lower() == SUFFIX and not name.startswith("._")


class Folder:
    """The sidecars of one folder, by the photos they may belong to.

    ``names`` are of everything that lies in it. Where they come with states, those of its files, no file is looked at.
    """

    def __init__(self, folder: Path, names: Iterable[str] | Mapping[str, os.stat_result]) -> None:
        self._folder = folder
        self._states = names if isinstance(names, Mapping) else None
        self._prefix = os.path.join(folder, "")
        self._by_photo: dict[str, list[str]] = {}
        jsons = []
        names = list(names)
        # Most folders have none, and every scan asks that of each.
        if _ENDINGS.isdisjoint(ending.lower() for ending in {name[-len(SUFFIX) :] for name in names}):
            names = []
        for name in names:
            if _names_xmp(name):
                self._by_photo.setdefault(folded(name[: -len(SUFFIX)]), []).append(name)
            elif name[-len(JSON_SUFFIX) :].lower() == JSON_SUFFIX:
                jsons.append(name)
        for several in self._by_photo.values():
            several.sort()
        self._takeout = TakeoutNames(sorted(jsons))

    def __bool__(self) -> bool:
        """Whether there are any: most folders have none."""
        return bool(self._by_photo or self._takeout)

    def names(self, photo: str) -> list[str]:
        """The names of the sidecars of the photo of this name: XMP first, those that name all of it before others."""
        result: list[str] = []
        if self._by_photo:
            stem = os.path.splitext(photo)[0]
            for key in dict.fromkeys((folded(photo), folded(stem))):
                result += self._by_photo.get(key, ())
        return result + self._takeout.of(photo)

    def state(self, photo: str) -> str:
        """The state of the sidecars of the photo of this name. Every scan asks that of every photo."""
        names = self.names(photo)
        return " ".join(filter(None, map(self._state, names))) if names else ""

    def beside(self, photo: Path) -> list[Sidecar]:
        """The sidecars of a photo in this folder, in that order."""
        found = ((name, self._status(name)) for name in self.names(photo.name))
        return [
            Sidecar(self._folder / name, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            for name, status in found
            if status is not None
        ]

    def _state(self, name: str) -> str:
        status = self._status(name)
        return _part(name, status.st_size, status.st_mtime_ns, status.st_ctime_ns) if status is not None else ""

    def _status(self, name: str) -> os.stat_result | None:
        return _stat(self._prefix + name) if self._states is None else self._states.get(name)


def folded(name: str) -> str:
    """A name as it is compared with others."""
    return name.casefold() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


def is_for(photo: Path, sidecar: Path, suffix: str | None) -> bool:
    """Whether one of the sidecars of a photo speaks of it: some ``a.xmp`` say that they are for ``a.mov``.

    ``suffix`` is what the sidecar names (photoshop:SidecarForExtension), with or without a dot; ``None``: nothing. What
    is for a raw file is for its JPEG as well.
    """
    if suffix is None or names_all_of(sidecar, photo):
        return True
    suffix = f".{suffix.removeprefix('.')}"
    return folded(suffix) == folded(photo.suffix) or is_raw_name(PurePath(f"a{suffix}"))


def names_all_of(sidecar: Path, photo: Path) -> bool:
    """Whether a sidecar is named ``a.jpg.xmp``, by all of a photo's name, and so speaks of that file alone."""
    return folded(sidecar.stem) == folded(photo.name)


def beside(photo: Path) -> list[Sidecar]:
    """The sidecars of one photo. Reads its folder; a folder that cannot be read has none."""
    return _folder(photo.parent).beside(photo)


def state(sidecars: Iterable[Sidecar]) -> str:
    """What tells these sidecars from what they were or will be."""
    return " ".join(_part(each.path.name, each.size, each.mtime_ns, each.ctime_ns) for each in sidecars)


def _part(name: str, size: int, mtime_ns: int, ctime_ns: int) -> str:
    # quote() takes longer than all else here, and most names are plain.
    return f"{name if _PLAIN.fullmatch(name) else quote(os.fsencode(name))}:{size}:{mtime_ns}:{ctime_ns}"


def changed(before: str, after: str) -> dict[str, bool]:
    """The names of the sidecars that differ between two states, and whether each is there after."""
    old, new = _parts(before), _parts(after)
    return {name: name in new for name in {**old, **new} if old.get(name) != new.get(name)}


def _parts(state: str) -> dict[str, str]:
    parts = (part.partition(":") for part in state.split())
    return {os.fsdecode(unquote_to_bytes(name)): rest for name, _, rest in parts}


def photos_of(folder: Path, sidecars: Iterable[str], known: Iterable[Path]) -> Iterator[Path]:
    """Those of the ``known`` files in ``folder`` that some of its ``sidecars``, given by their names, may belong to."""
    index = Folder(folder, sidecars)
    for path in known:
        if path.parent == folder and index.names(path.name):
            yield path


# The folder looked into last: photos come folder by folder, and listing one of 100,000 files takes as long as decoding.
_last: tuple[tuple[Path, int, int], Folder] | None = None
_last_of_store: tuple[Path, Mapping[str, os.stat_result] | list[str], Folder] | None = None


def _folder(path: Path) -> Folder:
    global _last, _last_of_store
    try:
        if is_url(path):  # the store remembers its listings for a while itself
            names, last = storage.storage_of(path).names(path), _last_of_store
            if last is None or last[0] != path or last[1] is not names:
                _last_of_store = last = (path, names, Folder(path, names))
            return last[2]
        status = os.stat(path)
        key = (path, status.st_ino, status.st_mtime_ns)
        if _last is not None and _last[0] == key:
            return _last[1]
        folder = Folder(path, os.listdir(path))
    except OSError:
        return Folder(path, ())
    # One that changed a moment ago may change again without its modification time telling.
    _last = (key, folder) if time.time_ns() - status.st_mtime_ns > RESTED_NS else None
    return folder


def _stat(path: Path | str) -> os.stat_result | None:
    """The state of a regular file: opening a named pipe would wait for its writer."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status if stat_bits.S_ISREG(status.st_mode) else None
