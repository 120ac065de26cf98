"""Opening the file of a photo for reading, so that what is read is that photo: the state is checked on the open file,
not on its path."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from photoindex.catalogue.gallery_queries import HeldFile
from photoindex.errors import UnreadablePhoto

BLOCK: Final = 1 << 18


class Original:
    """An open file that is as it was when the photo was indexed. Close it, or use it as a context manager."""

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self.path = path
        self.size = size
        self._descriptor = descriptor

    def blocks(self, first: int, last: int) -> Iterator[bytes]:
        """Yield the bytes from ``first`` to ``last``, both included; fewer when the file shrinks meanwhile."""
        os.lseek(self._descriptor, first, os.SEEK_SET)
        left = last - first + 1
        while left > 0 and (block := os.read(self._descriptor, min(BLOCK, left))):
            left -= len(block)
            yield block

    def close(self) -> None:
        """Close the file. May be called again."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()  # an answer whose client went before its first byte

    def __enter__(self) -> Original:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_original(files: Iterable[HeldFile]) -> Original:
    """Open the first of these files that is as it was. Raises :class:`UnreadablePhoto` when none is."""
    for file in files:
        try:
            # Without waiting: a named pipe may have taken the place of the photo.
            flags = (
                os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
            )
            descriptor = os.open(file.path, flags)
        except OSError:
            continue
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and (status.st_size, status.st_mtime_ns) == (file.size, file.mtime_ns):
            return Original(file.path, descriptor, status.st_size)
        os.close(descriptor)
    raise UnreadablePhoto(
        "no file of this photo is as it was when it was indexed: run `photoindex index` on its folder"
    )
