"""Files of named arrays that are mapped into memory, with a checksum of every 64 KiB.

    magic                8 bytes
    the arrays           each from a multiple of eight bytes on, little-endian
    CRC-32s              uint32, of every 64 KiB of each array, one array after another
    the directory        JSON: the caller's ``meta``, and of each array its name, type, place and length
    the end              place and length of the directory, and its CRC-32, which covers the CRC-32s as well

A file is never changed, so it can be read while others are written. The directory is checked when a file is opened, an
array's bytes when they are first asked for: so a query reads no other pages than its own. An array that is asked for as
a whole is checked as a whole.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import threading
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from weakref import WeakSet

import numpy as np

from photoindex.system.regular_files import NotRegularFile, open_regular

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAGIC: Final = b"PHOTOARR"
_END: Final = struct.Struct("<QQI")
_PAGE: Final = 1 << 16  # bytes a checksum stands for
_ALIGNED: Final = 8
_mapped: Final[WeakSet[mmap.mmap]] = WeakSet()  # of all files that are open
_lock: Final = threading.Lock()


class DamagedFile(Exception):
    """The bytes of a file are not those that were written. Handled where files are opened, by making them again."""


class CheckedArray:
    """An array of a file. What was not read before is compared with its checksums. Raises DamagedFile."""

    def __init__(self, path: Path, array: NDArray[Any], checks: NDArray[np.uint32]) -> None:
        self._path = path
        self._array = array
        self._checks = checks
        self._unchecked = bytearray(b"\1") * len(checks)

    def __len__(self) -> int:
        return len(self._array)

    def all(self) -> NDArray[Any]:
        """Return the whole array."""
        return self.cut(0, len(self._array))

    def cut(self, start: int, end: int) -> NDArray[Any]:
        """Return ``array[start:end]``."""
        if end > start:
            size = self._array.itemsize
            first, last = start * size // _PAGE, (end * size - 1) // _PAGE
            page = self._unchecked.find(1, first, last + 1)
            while page >= 0:
                self._check(page)
                page = self._unchecked.find(1, page + 1, last + 1)
        return self._array[start:end]

    def _check(self, page: int) -> None:
        content = self._array.view(np.uint8)[page * _PAGE : (page + 1) * _PAGE]
        if zlib.crc32(content.data) != self._checks[page]:
            raise DamagedFile(f"{self._path} is damaged")
        self._unchecked[page] = 0


class CheckedFile:
    """A file that was written by :class:`Writer`, opened for reading.

    Raises DamagedFile for a file that is none, and OSError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path) as file:
            size = _size(path, file)
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        with _lock:
            _mapped.add(mapped)
        directory = _directory(path, mapped, size)
        self.meta: dict[str, Any] = directory["meta"]
        self._arrays: dict[str, CheckedArray] = {}
        checks = np.frombuffer(mapped, "<u4", directory["pages"], directory["checks"])
        for name, dtype, start, count, pages in directory["arrays"]:
            array = np.frombuffer(mapped, dtype, count, start) if count else np.zeros(0, dtype)
            self._arrays[name] = CheckedArray(path, array, checks[:pages])
            checks = checks[pages:]

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def __getitem__(self, name: str) -> CheckedArray:
        """Return an array. Raises DamagedFile when there is none of this name."""
        if name not in self._arrays:
            raise DamagedFile(f"{self.path} has no {name}")
        return self._arrays[name]

    def check(self) -> None:
        """Compare every byte with its checksum. Raises DamagedFile."""
        for array in self._arrays.values():
            array.all()


def release_pages() -> None:
    """Give the memory of all open files' pages back to the system, which keeps them as long as it has room: whoever
    asks for one again gets it without the disk, some microseconds later. Does nothing where the system cannot do so."""
    advice = getattr(mmap, "MADV_DONTNEED", None)
    if advice is not None:
        with _lock:
            files = list(_mapped)
        for file in files:
            file.madvise(advice)


def read_meta(path: Path) -> dict[str, Any]:
    """Return what a file was written with besides its arrays, reading its end alone. Raises DamagedFile and OSError."""
    with _opened(path) as file:
        size = _size(path, file)
        file.seek(size - _END.size)
        start, length, check = _end(path, file.read(_END.size), size)
        file.seek(start)
        meta: dict[str, Any] = _parsed(path, file.read(length), check)["meta"]
        return meta


def _opened(path: Path) -> BinaryIO:
    """Open a file. Whatever else has its name is no whole file: a pipe would be waited for."""
    try:
        return open_regular(path)
    except NotRegularFile as error:
        raise DamagedFile(f"{path} is damaged: {error.strerror}") from error


def _size(path: Path, file: BinaryIO) -> int:
    """Return the size of a file that is long enough to be one."""
    size = os.fstat(file.fileno()).st_size
    if size < len(_MAGIC) + _END.size:
        raise DamagedFile(f"{path} is too short")
    return size


def _end(path: Path, content: bytes, size: int) -> tuple[int, int, int]:
    """Return what the end of a file of ``size`` bytes says of the directory: its place, its length and its CRC-32."""
    start, length, check = _END.unpack(content)
    if not len(_MAGIC) <= start <= start + length == size - _END.size:
        raise DamagedFile(f"{path} is damaged")
    return start, length, check


def _directory(path: Path, mapped: mmap.mmap, size: int) -> dict[str, Any]:
    if mapped[: len(_MAGIC)] != _MAGIC:
        raise DamagedFile(f"{path} is damaged")
    start, length, check = _end(path, mapped[size - _END.size :], size)
    directory = _parsed(path, mapped[start : start + length], check)
    checks = mapped[directory["checks"] : directory["checks"] + 4 * directory["pages"]]
    if zlib.crc32(checks) != directory["check"]:
        raise DamagedFile(f"{path} is damaged")
    return directory


def _parsed(path: Path, content: bytes, check: int) -> dict[str, Any]:
    if zlib.crc32(content) != check:
        raise DamagedFile(f"{path} is damaged")
    directory: dict[str, Any] = json.loads(content)
    return directory


class Writer:
    """Writes arrays to ``file``, one after another; :meth:`finish` makes it a whole file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = file.write(_MAGIC)
        self._arrays: list[tuple[str, str, int, int, int]] = []
        self._checks: list[int] = []

    def add(self, name: str, array: NDArray[Any]) -> None:
        """Append an array of one dimension."""
        content = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        data = content.view(np.uint8).data if content.size else memoryview(b"")
        checks = [zlib.crc32(data[start : start + _PAGE]) for start in range(0, len(data), _PAGE)]
        self._arrays.append((name, content.dtype.str, self._at, len(content), len(checks)))
        self._checks += checks
        self._write(data)

    def finish(self, meta: Mapping[str, Any]) -> None:
        """Write the checksums and the directory with ``meta``."""
        checks = np.array(self._checks, "<u4").tobytes()
        directory = {"meta": meta, "arrays": self._arrays, "checks": self._at, "pages": len(self._checks),
                     "check": zlib.crc32(checks)}  # fmt: skip
        self._write(memoryview(checks))
        content = json.dumps(directory).encode("utf-8")
        self._file.write(content)
        self._file.write(_END.pack(self._at, len(content), zlib.crc32(content)))

    def _write(self, data: memoryview) -> None:
        self._file.write(data)
        self._file.write(bytes(-len(data) % _ALIGNED))
        self._at += -(-len(data) // _ALIGNED) * _ALIGNED
