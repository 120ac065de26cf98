"""Whole contents of files behind URLs, which are read to be hashed and a moment later to be decoded.

What was hashed stays in memory for a while, so that it need not be fetched twice; it is handed out once, and only if
the store says that the object is still the same.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Final

from photoindex.system.regular_files import FileTooLarge
from photoindex.system.storage import open_file, stat, status_of
from photoindex.system.storage_errors import FileReplaced

MOST_BYTES: Final = 1 << 30  # of one file: it is held in memory, here and where it is decoded
_KEPT_BYTES: Final = 256 << 20
_LARGEST_KEPT: Final = 64 << 20
_KEPT_SECONDS: Final = 300.0
_BLOCK: Final = 8 << 20

_kept: OrderedDict[str, tuple[float, os.stat_result, bytes]] = OrderedDict()  # the oldest first
_lock: Final = threading.Lock()


def digest(path: Path) -> tuple[os.stat_result, str]:
    """Return the state of a file and the SHA-256 of its bytes, as hexadecimal digits.

    Raises OSError, and :class:`.storage_errors.FileReplaced` when it changes meanwhile.
    """
    with open_file(path) as file:
        status = status_of(file)
        if status.st_size > _LARGEST_KEPT:
            hashed, read = hashlib.sha256(), 0
            while block := file.read(_BLOCK):
                hashed.update(block)
                read += len(block)
            _check_length(path, status, read)
            return status, hashed.hexdigest()
        content = file.read()
    _check_length(path, status, len(content))
    _keep(os.fspath(path), status, content)
    return status, hashlib.sha256(content).hexdigest()


def read(path: Path) -> tuple[os.stat_result, bytes]:
    """Return the state of a file and its bytes. Raises OSError, and FileTooLarge for more than 1 GiB."""
    kept = _take(path)
    if kept is not None and _tell_apart(kept[0]) == _tell_apart(stat(path)):
        return kept
    with open_file(path) as file:
        status = status_of(file)
        if status.st_size > MOST_BYTES:
            raise FileTooLarge(errno.EFBIG, f"it has more than {MOST_BYTES:,} bytes", os.fspath(path))
        content = file.read()
    _check_length(path, status, len(content))
    return status, content


def forget(path: Path) -> None:
    """Forget the bytes of a file that was hashed and need not be decoded."""
    _take(path)


def _take(path: Path) -> tuple[os.stat_result, bytes] | None:
    with _lock:
        kept = _kept.pop(os.fspath(path), None)
        _drop(_KEPT_BYTES)
    return None if kept is None else kept[1:]


def _drop(most: int) -> None:
    """Drop what is old, and the oldest of more than ``most`` bytes."""
    held = sum(len(content) for *_, content in _kept.values())
    long_ago = time.monotonic() - _KEPT_SECONDS
    while _kept and (held > most or next(iter(_kept.values()))[0] < long_ago):
        _, (*_, oldest) = _kept.popitem(last=False)
        held -= len(oldest)


def _tell_apart(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _check_length(path: Path, status: os.stat_result, length: int) -> None:
    if length != status.st_size:
        raise FileReplaced(errno.EBUSY, "it has another length than the store says", os.fspath(path))


def _keep(path: str, status: os.stat_result, content: bytes) -> None:
    with _lock:
        _kept[path] = time.monotonic(), status, content
        _kept.move_to_end(path)
        _drop(_KEPT_BYTES)
