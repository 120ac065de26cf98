"""Files that a command writes where the user says: nothing is replaced but what the same command wrote before.

A path that was mistyped, completed by the shell or taken from a list may be that of a photo or of the catalogue itself.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from photoindex.errors import FolderError
from photoindex.system.paths import printable


def check_replaceable(path: Path, beginning: bytes, what: str) -> None:
    """Raise :class:`FolderError` when ``path`` is a file with any content but ``what`` begins with.

    What is no regular file, such as a pipe or a terminal, is written to and not replaced; what cannot be looked at is
    left to the writing.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return
        with open(path, "rb") as file:
            found = file.read(len(beginning))
    except FileNotFoundError:
        return
    except OSError as error:
        raise FolderError(f"cannot write {printable(path)}: {error.strerror or error}") from error
    if found and found != beginning:
        raise FolderError(f"{printable(path)} is there and is not {what}: name another file, or remove it first")
