"""The numbers that tell one state of a file from another, and the digest of its bytes.

File systems keep times that no database column holds (the year 2300, or 1600), and some number their files with more
than 64 bits. Whatever is stored or compared goes through :func:`numbers_of`, so that such a file is a file like others.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from photoindex.system.lazy_imports import lazily
from photoindex.system.storage import open_file

if TYPE_CHECKING:
    import hashlib
else:
    hashlib = lazily("hashlib")  # it loads OpenSSL, which a search does not need

LARGEST: Final = 2**63 - 1  # of a signed 64-bit column
_READ_BYTES: Final = 1 << 20

# Size (bytes), modification time (ns), inode, time of the last change of the inode (ns; None: not known).
Numbers = tuple[int, int, int, "int | None"]


def numbers_of(status: os.stat_result) -> Numbers:
    """Return size, modification time, inode and change time as the catalogue can hold them.

    Times out of range become the first or the last that fits; of an inode the lowest 64 bits count.
    """
    return (
        clamped(status.st_size),
        clamped(status.st_mtime_ns),
        wrapped(status.st_ino),
        clamped(status.st_ctime_ns),
    )


def device_of(status: os.stat_result) -> int:
    """Return the number of the device that a file is on, as the catalogue can hold it."""
    return wrapped(status.st_dev)


def are_unchanged(before: Numbers, after: Numbers) -> bool:
    """Return whether two states of a file leave no reason to read its bytes again.

    Who writes can keep size and modification time (``cp -p``, ``exiftool -P``, ``touch -r``), but neither the change
    time nor the inode. A change time that is not known, as of files stored by an older version, says nothing. File
    systems without change times (FAT, many FUSE ones) report the modification time in their place and number files as
    they please, so that another inode says nothing there.
    """
    size, mtime, inode, ctime = after
    if before[0] != size or before[1] != mtime:
        return False
    if before[3] is None or ctime is None:
        return True
    return before[3] == ctime and (before[2] == inode or ctime == mtime or 0 in (before[2], inode))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as hexadecimal digits. Raises OSError."""
    digest = hashlib.sha256()
    with open_file(path) as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def clamped(number: int) -> int:
    """Return the number nearest to ``number`` that 64 bits with a sign hold: a file may be of the year 2300."""
    return min(max(number, -LARGEST - 1), LARGEST)


def signed(number: int) -> int:
    """Return the number with a sign that has the same 64 bits as ``number``, as SQL has no others."""
    return (number + LARGEST + 1) % (2 * (LARGEST + 1)) - LARGEST - 1


def wrapped(number: int) -> int:
    """Return the last 64 bits of a number that only tells files apart, such as an inode, which may have 128."""
    return number % (2 * (LARGEST + 1))
