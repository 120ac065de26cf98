"""The XMP files beside a photo: ``a.jpg.xmp`` speaks of ``a.jpg`` alone, ``a.xmp`` of every photo called ``a``.

Both namings are in use (darktable and digiKam; Lightroom and Adobe's other programs), and ``a.xmp`` belongs to each
of ``a.jpg`` and ``a.cr2``. Letter case does not matter: the camera writes ``A.JPG``, the program ``a.xmp``.

The *state* of a photo's sidecars is one line of text: of each its name, size and modification time, the more specific
first; empty when there is none. A scan compares it with the state that was read last.
"""

from __future__ import annotations

import os
import stat as stat_bits
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote_to_bytes

SUFFIX: Final = ".xmp"
RESTED_NS: Final = 3_000_000_000  # FAT keeps times to two seconds


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A sidecar as it was when looked at."""

    path: Path
    size: int
    mtime_ns: int


def is_sidecar(path: Path) -> bool:
    """Whether the last part of ``path`` is the name of a sidecar, of whatever photo."""
    return _names_sidecar(path.name)


def _names_sidecar(name: str) -> bool:
    return name[-len(SUFFIX) :].lower() == SUFFIX and not name.startswith("._")


class Folder:
    """The sidecars of one folder, by the photos they may belong to. ``names`` are of everything that lies in it."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._folder = folder
        self._by_photo: dict[str, list[str]] = {}
        for name in sorted(name for name in names if _names_sidecar(name)):
            self._by_photo.setdefault(name[: -len(SUFFIX)].casefold(), []).append(name)

    def __bool__(self) -> bool:
        """Whether there are any: most folders have none."""
        return bool(self._by_photo)

    def beside(self, photo: Path) -> list[Sidecar]:
        """The sidecars of a photo in this folder, those that name all of it first."""
        keys = dict.fromkeys((photo.name.casefold(), photo.stem.casefold()))
        found = (_look(self._folder / name) for key in keys for name in self._by_photo.get(key, ()))
        return [sidecar for sidecar in found if sidecar is not None]


def beside(photo: Path) -> list[Sidecar]:
    """The sidecars of one photo. Reads its folder; a folder that cannot be read has none."""
    return _folder(photo.parent).beside(photo)


def state(sidecars: Iterable[Sidecar]) -> str:
    """What tells these sidecars from what they were or will be."""
    return " ".join(f"{quote(os.fsencode(each.path.name))}:{each.size}:{each.mtime_ns}" for each in sidecars)


def changed(before: str, after: str) -> dict[str, bool]:
    """The names of the sidecars that differ between two states, and whether each is there after."""
    old, new = _parts(before), _parts(after)
    return {name: name in new for name in {**old, **new} if old.get(name) != new.get(name)}


def _parts(state: str) -> dict[str, str]:
    parts = (part.partition(":") for part in state.split())
    return {os.fsdecode(unquote_to_bytes(name)): rest for name, _, rest in parts}


def photos_of(sidecar: Path, known: Iterable[Path]) -> Iterator[Path]:
    """Those of the ``known`` files of the sidecar's folder that it belongs to."""
    name = sidecar.name[: -len(SUFFIX)].casefold()
    for path in known:
        if path.parent == sidecar.parent and name in (path.name.casefold(), path.stem.casefold()):
            yield path


# The folder looked into last: photos come folder by folder, and listing one of 100,000 files takes as long as decoding.
_last: tuple[tuple[Path, int, int], Folder] | None = None


def _folder(path: Path) -> Folder:
    global _last
    try:
        found = os.stat(path)
        key = (path, found.st_ino, found.st_mtime_ns)
        if _last is not None and _last[0] == key:
            return _last[1]
        folder = Folder(path, os.listdir(path))
    except OSError:
        return Folder(path, ())
    # One that changed a moment ago may change again without its modification time telling.
    _last = (key, folder) if time.time_ns() - found.st_mtime_ns > RESTED_NS else None
    return folder


def _look(path: Path) -> Sidecar | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    if not stat_bits.S_ISREG(found.st_mode):  # opening a named pipe would wait for its writer
        return None
    return Sidecar(path, found.st_size, found.st_mtime_ns)
