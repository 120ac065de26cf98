"""Replacing a file in one step: a reader, or a machine that loses power, has the old bytes or the new ones.

The new bytes are written beside the old ones and brought to the disk before they are renamed over them, and the folder
after that, for a rename alone says nothing of when either is durable.

Files of the data folder are photoindex's *own*: only their owner may read them, and a pipe, a socket, a device or a
link to nowhere in the place of one is replaced: writing to it would wait for a reader, and nobody asked for that.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from photoindex.system.regular_files import NotRegularFile

_PRIVATE: Final = 0o600
_NAME_SHOWN: Final = 40  # characters of the file's own name in that of the new one: a whole one might grow too long


@contextmanager
def replacing(path: Path, *, own: bool = False) -> Iterator[BinaryIO]:
    """A file to write what ``path`` is to hold; it takes its place when the block ends, unless by an error.

    What is there keeps its owner and group, permissions, ACLs and other extended attributes, as far as the system lets
    this user set them; a new file gets what any new file gets. A link is followed, so that it goes on
    being one. What is no regular file, such as a device or a pipe, is not replaced but written to, unless it is in the
    place of a file of photoindex's ``own``. Raises :class:`OSError`, and then nothing is changed;
    :class:`.NotRegularFile` for a folder in the place of such a file.
    """
    status = _regular_status(path) if own else _status(path)
    if status is not None and not stat.S_ISREG(status.st_mode):
        with open(path, "wb") as file:
            yield file
        return
    target = path if own and status is None else Path(os.path.realpath(path))
    part = target.with_name(f".{target.name[:_NAME_SHOWN]}.{os.urandom(4).hex()}.new")
    # What the old file hides is hidden from the beginning. Of a new one the system takes what the umask forbids.
    mode = 0o666 if status is None and not own else _PRIVATE
    file = open(part, "xb", opener=lambda name, flags: os.open(name, flags, mode))  # noqa: SIM115 - closed below
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if status is not None:
            _keep_rights(part, target, status)
        os.replace(part, target)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    _sync_folder(target.parent)


def replace_file(path: Path, content: bytes | str, *, own: bool = False) -> None:
    """Let ``path`` hold ``content``, a text as UTF-8, in the way of :func:`replacing`."""
    with replacing(path, own=own) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


def new_file(path: Path) -> BinaryIO:
    """Open a new file of photoindex's own for writing; what is at ``path`` is removed first, not replaced in one step.

    Raises :class:`OSError`, :class:`.NotRegularFile` for a folder.
    """
    _regular_status(path)
    with suppress(FileNotFoundError):
        os.unlink(path)
    return open(path, "xb", opener=lambda name, flags: os.open(name, flags, _PRIVATE))


def _status(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _regular_status(path: Path) -> os.stat_result | None:
    """Return the status of a regular file; ``None`` when there is none. Raises :class:`NotRegularFile` for a folder."""
    try:
        status = _status(path)
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link that leads back to itself
            return None
        raise
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise NotRegularFile(errno.EISDIR, "it is a folder", str(path))
    return status if status is not None and stat.S_ISREG(status.st_mode) else None


def _keep_rights(part: Path, target: Path, status: os.stat_result) -> None:
    """Give the new file what the old one has besides its content. Raises :class:`OSError` when its mode cannot be set.

    The mode comes last: another owner takes away the bits that run a file as its owner, and an ACL changes the group's.
    """
    if hasattr(os, "chown"):
        # The administrator keeps both; others may at most give a file to another group of theirs.
        for owner, group in ((-1, status.st_gid), (status.st_uid, -1)):
            with suppress(OSError):
                os.chown(part, owner, group)
    if hasattr(os, "listxattr"):
        with suppress(OSError):  # a file system without them
            for name in os.listxattr(target):
                with suppress(OSError):  # some are the system's to set
                    os.setxattr(part, name, os.getxattr(target, name))
    os.chmod(part, stat.S_IMODE(status.st_mode))


def _sync_folder(folder: Path) -> None:
    # Windows opens no folders, and does not need it. Some network drives refuse; the file is whole all the same.
    with suppress(OSError, AttributeError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
