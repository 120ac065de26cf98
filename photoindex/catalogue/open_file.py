"""Noticing that the catalogue's file was deleted, moved or replaced while it is open.

The system goes on serving an open file that no name leads to any more: what is written to it then is lost when it is
closed. So the file that was opened is compared with the one at its path, at the start and the end of transactions.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from photoindex.errors import CatalogueReplaced, CatalogueUnavailable

LOG: Final = "-wal"  # SQLite's log; it stays for as long as somebody has the catalogue open

_Identity = tuple[int, int]


class OpenFile:
    """The catalogue at ``path`` as it is now, just opened. ``log``: its log is to stay as well. ``still``: nobody is to
    write to the file meanwhile, as it is read without what SQLite's users share."""

    def __init__(self, path: Path, *, log: bool, still: bool = False) -> None:
        self._path = path
        self._file = _identity(os.fspath(path))
        self._log = _identity(f"{path}{LOG}") if log else None
        self._state = _state(path) if still else None

    def check(self) -> None:
        """Raises :class:`CatalogueReplaced` when the file at the path is another, or none, by now."""
        self._check(os.fspath(self._path), self._file, "catalogue")
        if self._log is not None:
            self._check(f"{self._path}{LOG}", self._log, "catalogue's log")
        if self._state is not None and self._state != _state(self._path):
            raise CatalogueUnavailable(
                f"the catalogue {self._path}, whose disk was full, was changed since it was opened: start again"
            )

    def _check(self, place: str, expected: _Identity | None, what: str) -> None:
        present = _identity(place)
        if present == expected:
            return
        how = "deleted or moved" if present is None else "replaced by another file"
        raise CatalogueReplaced(
            f"the {what} {place} was {how} while photoindex used it, so nothing more is written: put it back, or leave "
            "it so, and start again"
        )


def holds_bytes(path: Path) -> bool:
    """Return whether there is anything in the catalogue's file or in its log, or something that is not known."""
    for place in (path, f"{path}{LOG}"):
        try:
            if os.stat(place).st_size:
                return True
        except FileNotFoundError:
            continue
        except OSError:
            return True
    return False


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _identity(place: str) -> _Identity | None:
    try:
        status = os.stat(place)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CatalogueUnavailable(f"the catalogue {place} cannot be reached: {error.strerror or error}") from error
    return status.st_dev, status.st_ino
