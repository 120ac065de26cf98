"""Files behind URLs that one process lends to another, which opens nothing itself.

Who has the connection reads the bytes; the other, such as a decoding worker, gets them with its request and finds them
through the usual seam (:mod:`.storage`). So no credentials, no connection and none of the store's code are where photos
of strangers are decoded, and nothing lies on a disk.
"""

from __future__ import annotations

import errno
import io
import os
import stat as stat_bits
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from photoindex.system.regular_files import read_up_to
from photoindex.system.storage import Entry


class LentFile(NamedTuple):
    """A file's path, its state, and its bytes."""

    path: str
    status: os.stat_result
    content: bytes

    @property
    def header(self) -> list[Any]:
        """What :meth:`LentFiles.receive` needs to know besides the bytes, for JSON."""
        state = self.status
        return [self.path, len(self.content), state.st_mtime_ns, state.st_ino, state.st_ctime_ns]


class LentFiles:
    """A :class:`.storage.Storage` of files in memory."""

    def __init__(self, files: Iterable[LentFile] = ()) -> None:
        self._files = {file.path: file for file in files}

    @classmethod
    def receive(cls, headers: Sequence[Sequence[Any]], stream: BinaryIO) -> LentFiles:
        """Read files that were sent as the headers of :class:`LentFile` say. Raises EOFError."""
        files = []
        for path, length, mtime_ns, inode, ctime_ns in headers:
            content = read_up_to(stream, int(length))
            if len(content) < int(length):
                raise EOFError
            times = {"st_mtime_ns": int(mtime_ns), "st_ctime_ns": int(ctime_ns)}
            seconds = int(mtime_ns) // 1_000_000_000
            numbers = (stat_bits.S_IFREG | 0o444, int(inode), 0, 1, 0, 0, len(content), seconds, seconds, seconds)
            files.append(LentFile(str(path), os.stat_result(numbers, times), content))
        return cls(files)

    def stat(self, path: Path | str) -> os.stat_result:
        """Return the state of a file that was lent. Raises FileNotFoundError."""
        return self._file(path).status

    glance = stat

    def scan(self, folder: Path | str) -> AbstractContextManager[Iterator[Entry]]:
        """Return nothing: who was lent a photo walks no folders."""
        return nullcontext(iter(()))

    def names(self, folder: Path | str) -> dict[str, os.stat_result]:
        """Return the names and states of the files that were lent and lie directly in a folder."""
        start = os.path.join(folder, "")
        inside = ((path.removeprefix(start), file) for path, file in self._files.items() if path.startswith(start))
        return {name: file.status for name, file in inside if "/" not in name}

    def open(self, path: Path | str) -> BinaryIO:
        """Open a file that was lent. Raises FileNotFoundError."""
        return io.BytesIO(self._file(path).content)

    def exists(self, path: Path | str) -> bool:
        return os.fspath(path) in self._files

    def are_there(self, paths: Iterable[Path]) -> dict[Path, bool]:
        return {path: self.exists(path) for path in paths}

    def _file(self, path: Path | str) -> LentFile:
        try:
            return self._files[os.fspath(path)]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path)) from None
