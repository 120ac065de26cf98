"""Opening the file of a photo for reading, so that what is read is that photo: the state is checked on the open file,
not on its path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from photoindex.catalogue.gallery_queries import HeldFile
from photoindex.errors import UnreadablePhoto
from photoindex.system.storage import open_file, status_of

BLOCK: Final = 1 << 18


class Original:
    """An open file that is as it was when the photo was indexed. Close it, or use it as a context manager."""

    def __init__(self, path: Path, file: BinaryIO, size: int, mtime_ns: int) -> None:
        self.path = path
        self.size = size
        self.mtime_ns = mtime_ns
        self._file = file

    def blocks(self, first: int, last: int) -> Iterator[bytes]:
        """Yield the bytes from ``first`` to ``last``, both included; fewer when the file shrinks meanwhile."""
        self._file.seek(first)
        left = last - first + 1
        while left > 0 and (block := self._file.read(min(BLOCK, left))):
            left -= len(block)
            yield block

    def close(self) -> None:
        """Close the file. May be called again."""
        with suppress(OSError):
            self._file.close()

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
            opened = open_file(file.path)
        except OSError:
            continue
        status = status_of(opened)
        if (status.st_size, status.st_mtime_ns) == (file.size, file.mtime_ns):
            return Original(file.path, opened, status.st_size, status.st_mtime_ns)
        opened.close()
    raise UnreadablePhoto(
        "no file of this photo is as it was when it was indexed: run `photoindex index` on its folder"
    )
