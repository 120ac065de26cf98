"""Reading a part of a segment of the index where it lies mapped in memory.

Whoosh maps a segment and then copies each part of it into a ``BytesIO``: 25 MB at 10,000 photos, with each process that
searches. A :class:`BufferReader` reads the same bytes without a copy.
"""

from __future__ import annotations

import os
from typing import Any


class BufferReader:
    """A file for reading, over a buffer."""

    def __init__(self, buffer: memoryview) -> None:
        self._buffer = buffer
        self._place = 0

    def read(self, size: int | None = -1) -> bytes:
        """Return the next ``size`` bytes, or all that are left."""
        start, length = self._place, len(self._buffer)
        end = length if size is None or size < 0 else min(start + size, length)
        self._place = max(start, end)
        return bytes(self._buffer[start:end])

    def readline(self) -> bytes:
        """Return the bytes up to the next line feed, with it."""
        start, end = self._place, self._place
        while True:
            part = bytes(self._buffer[end : end + 256])
            place = part.find(b"\n")
            if place >= 0 or not part:
                end += place + 1 if place >= 0 else 0
                self._place = end
                return bytes(self._buffer[start:end])
            end += len(part)

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, which may lie behind the end."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: len(self._buffer)}[whence]
        if base + place < 0:
            raise ValueError(f"negative seek value {base + place}")
        self._place = base + place
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def close(self) -> None:
        """Let go of the buffer."""
        self._buffer = memoryview(b"")


def without_copies(buffer_file: Any) -> Any:
    """Return a subclass of Whoosh's ``BufferFile`` that reads by a :class:`BufferReader`."""

    class MappedFile(buffer_file):  # type: ignore[misc]
        def __init__(self, buf: Any, name: str | None = None, onclose: Any = None) -> None:
            super().__init__(b"", name, onclose)
            self._buf = buf
            self.file = BufferReader(memoryview(buf))

    return MappedFile
