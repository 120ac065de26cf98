"""The folder of thumbnails: JPEGs by content and size, a cache of limited size.

A thumbnail that is asked for is marked as used; when the folder outgrows its limit, those that were not used for
longest go. It never fails a caller: what cannot be kept is made again the next time. On a disk that is nearly full
nothing is kept: the room that is left is for what cannot be made again.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from photoindex.system.regular_files import open_regular

LIST_SIDES: Final = (480, 240)  # pixels, of the longer sides of the thumbnails that lists show: made together
LEAST_FREE: Final = 1_000_000_000  # bytes of the disk that are not ours to fill
ROOM_LEFT: Final = 0.9  # of the limit, after making room: not one file at a time


class ThumbnailFiles:
    """The thumbnails in ``folder``, at most ``limit`` bytes of them (0: none are kept). Safe between threads."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._lock = threading.Lock()
        self._bytes: int | None = None  # in the folder; None until it was counted

    def get(self, content: str, side: int) -> bytes | None:
        """Return the thumbnail of the photo with this SHA-256, ``side`` pixels on its longer side, if it is kept."""
        place = self._place(content, side)
        try:
            with open_regular(place) as file:
                picture = file.read()
        except OSError:
            return None
        if not (picture.startswith(b"\xff\xd8") and picture.endswith(b"\xff\xd9")):
            return None
        with suppress(OSError):
            os.utime(place)
        return picture

    def keep(self, content: str, pictures: Mapping[int, bytes], *, make_room: bool = True) -> None:
        """Keep thumbnails of a photo by their sides. Without ``make_room`` only while nothing has to go for them."""
        if not self._limit or not pictures or not self._has_room_on_disk():
            return
        size = sum(map(len, pictures.values()))
        with self._lock:
            if self._bytes is None:
                self._bytes = sum(length for _, length, _ in self._listed())
            if not make_room and self._bytes + size > self._limit * ROOM_LEFT:
                return
            self._bytes += size
            full = self._bytes > self._limit
        for side, picture in pictures.items():
            self._write(self._place(content, side), picture)
        if full:
            with self._lock:
                self._make_room()

    def _has_room_on_disk(self) -> bool:
        try:
            return shutil.disk_usage(self._folder.parent).free >= LEAST_FREE
        except OSError:
            return False

    def _place(self, content: str, side: int) -> Path:
        return self._folder / content[:2] / f"{content}-{side}.jpg"

    def _write(self, place: Path, picture: bytes) -> None:
        target = os.fspath(place)
        part = f"{target}.{os.getpid()}-{threading.get_ident()}.part"
        try:
            try:
                written = _write_new(part, picture)
            except FileNotFoundError:  # the first one of its folder: asking each time takes a fifth of the time
                place.parent.mkdir(parents=True, exist_ok=True)
                written = _write_new(part, picture)
            if written == len(picture):
                os.replace(part, target)
            else:
                os.unlink(part)
        except OSError:
            with suppress(OSError):
                os.unlink(part)

    def _listed(self) -> list[tuple[int, int, Path]]:
        """Return (time of last use, bytes, path) of all that is kept."""
        found = []
        for path in self._folder.glob("*/*"):
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        return found

    def _make_room(self) -> None:
        kept = sorted(self._listed())
        size = sum(length for _, length, _ in kept)
        for _, length, path in kept:
            if size <= self._limit * ROOM_LEFT:
                break
            with suppress(OSError):
                path.unlink()
                size -= length
        self._bytes = size


def _write_new(path: str, content: bytes) -> int:
    """Write a file; return how many bytes the disk took."""
    with open(path, "wb", buffering=0) as file:
        return file.write(content)
