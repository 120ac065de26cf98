"""Open files whose names others chose: only regular files are opened, and no more is read than asked for.

A named pipe blocks whoever opens it, a device may never end, and either can carry a photo's or a sidecar's name.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

_BLOCK: Final = 1 << 20

# Without O_NONBLOCK, opening a pipe waits for a writer. It means nothing to a regular file.
_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class NotRegularFile(OSError):
    """A folder, a pipe, a socket or a device; ``strerror`` says which in a few words."""


class FileTooLarge(OSError):
    """A file that has more bytes than its reader takes."""


def open_regular(path: Path | str) -> BinaryIO:
    """Open a regular file for reading; symbolic links are followed.

    Raises :class:`NotRegularFile` for everything else, without opening it, and OSError as ``open`` does.
    """
    check_regular(path)  # opening a device can already do something
    descriptor = os.open(path, _FLAGS)
    try:
        _check(os.fstat(descriptor), path)  # it may have been replaced since
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def is_there(path: Path) -> bool:
    """Return whether there is anything at a path, links followed.

    Raises OSError where nobody can tell, as in a folder that may not be entered: ``Path.exists`` says ``False`` of that
    from Python 3.14 on, and what is there would be taken for lost.
    """
    try:
        os.stat(path)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        return False
    return True


def check_regular(path: Path | str) -> None:
    """Raises :class:`NotRegularFile` for what is no regular file, and OSError as ``stat`` does."""
    _check(os.stat(path), path)


def read_regular(path: Path | str, most: int) -> bytes:
    """Return the content of a regular file of at most ``most`` bytes.

    Raises :class:`FileTooLarge`, :class:`NotRegularFile` and OSError.
    """
    with open_regular(path) as file:
        return read_whole(file, most, path)


def read_whole(file: BinaryIO, most: int, path: Path | str) -> bytes:
    """Return what an open file holds, at most ``most`` bytes. Raises :class:`FileTooLarge` and OSError."""
    data = read_up_to(file, most + 1)
    if len(data) > most:
        raise FileTooLarge(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    return data


def read_up_to(file: BinaryIO, most: int) -> bytes:
    """Return the next bytes of a file, at most ``most``, taking no more memory than there are bytes.

    ``read`` takes what it was asked for at once, and what asks here are often numbers in the file.
    """
    if most <= _BLOCK:
        return file.read(most)
    parts = []
    while most > 0 and (part := file.read(min(most, _BLOCK))):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def _check(status: os.stat_result, path: Path | str) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    kind = "it is a folder" if stat.S_ISDIR(status.st_mode) else "it is not a regular file"
    raise NotRegularFile(errno.EINVAL, kind, str(path))
