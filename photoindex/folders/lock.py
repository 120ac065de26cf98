"""Allow one watcher for each folder, by a lock that names the process that holds it.

watchers/
  <digest of the folder's path>.lock   held as long as the watcher lives; the system frees it when it dies
  <digest of the folder's path>.json   who holds it
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from photoindex.errors import FolderError
from photoindex.system.atomic import new_file
from photoindex.system.json_files import read_json
from photoindex.system.paths import shown


@contextmanager
def held(folder: Path, where: Path) -> Iterator[None]:
    """Hold the lock of ``folder`` for the block; the locks are kept in the folder ``where``.

    Raises :class:`FolderError`, with the process and its host, when another holds it.
    """
    # Imported here: it loads asyncio, which those who only scan do not need.
    from filelock import FileLock, Timeout

    name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:16]
    lock, owner = FileLock(where / f"{name}.lock"), where / f"{name}.json"
    try:
        where.mkdir(exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise FolderError(
            f"{shown(folder)} is watched already, by {_who(owner)}: stop that one, or watch another"
        ) from None
    except OSError as error:
        raise FolderError(
            f"cannot lock {shown(folder)} in {where}: {error.strerror or error}; check its disk"
        ) from error
    try:
        with suppress(OSError), new_file(owner) as file:  # a full disk costs the name, not the watch
            file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        yield
    finally:
        with suppress(OSError):
            owner.unlink()
        lock.release()


def _who(owner: Path) -> str:
    try:
        holder = read_json(owner)
        return f"process {int(holder['pid'])} on {ascii(holder['host'])[1:-1]}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
