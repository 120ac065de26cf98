"""SQLite's errors in words: what failed, which file, and what to do about it.

An error is known by its result code (https://www.sqlite.org/rescode.html), never by a word in its message, which may
quote a name out of the statement.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from photoindex.errors import CatalogueDamaged, CatalogueError, CatalogueReplaced, CatalogueUnavailable
from photoindex.system.room import is_full

BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT = 5, 6, 7, 8, 9, 10, 11
FULL, CANTOPEN, PROTOCOL, TOOBIG, NOTADB = 13, 14, 15, 18, 26
READONLY_DBMOVED: Final = READONLY | 4 << 8
IOERR_NOMEM: Final = IOERR | 12 << 8
IOERR_CORRUPTFS: Final = IOERR | 33 << 8

# Python 3.10 does not hand on the code; without more to say SQLite's message is the code's own, word for word.
_MESSAGES: Final = {
    "database is locked": BUSY,
    "database table is locked": LOCKED,
    "out of memory": NOMEM,
    "attempt to write a readonly database": READONLY,
    "interrupted": INTERRUPT,
    "disk I/O error": IOERR,
    "database disk image is malformed": CORRUPT,
    "database or disk is full": FULL,
    "unable to open database file": CANTOPEN,
    "locking protocol": PROTOCOL,
    "string or blob too big": TOOBIG,
    "file is not a database": NOTADB,
}


class NotSqlite(sqlite3.OperationalError):
    """A folder, a pipe, a socket or a device in the place of the catalogue or of a file that SQLite keeps beside it."""

    sqlite_errorcode = CANTOPEN


def code_of(error: BaseException) -> int | None:
    """Return SQLite's extended result code of an error, SQLAlchemy's wrapping taken off; ``None`` when it has none."""
    original = getattr(error, "orig", None) or error
    code = getattr(original, "sqlite_errorcode", None)
    if code is None and isinstance(original, sqlite3.Error):
        return _MESSAGES.get(str(original))
    return code


def is_refused(path: Path, error: BaseException) -> bool:
    """Return whether the system did not let SQLite open or write a file of the catalogue ``path``, or had no room for
    it."""
    code = code_of(error)
    return code is not None and (code & 0xFF in (CANTOPEN, READONLY) or lacks_room(path, error))


def lacks_room(path: Path, error: BaseException) -> bool:
    """Return whether a database error means that the disk of the catalogue ``path`` is full.

    SQLite says "disk I/O error" when there is no room for the little file that its users share, and "unable to open"
    when the disk can hold no more files.
    """
    code = code_of(error)
    kind = None if code is None else code & 0xFF
    return kind == FULL or (kind in (IOERR, CANTOPEN) and is_full(path.parent))


def explained(path: Path, error: BaseException) -> CatalogueError:
    """Return a database error, or an OSError, as the :class:`CatalogueError` in one line that it is for ``path``.

    :class:`CatalogueUnavailable` is what may pass by itself. A statement that SQLite refuses is a fault of this
    program, which does not pass.
    """
    if isinstance(error, OSError):
        return CatalogueUnavailable(f"the catalogue {path} cannot be reached: {error.strerror or error}")
    original = getattr(error, "orig", None) or error
    if isinstance(original, NotSqlite):
        return CatalogueUnavailable(f"cannot use the catalogue {path}: {original}: move it away")
    reason = next(iter(str(original).splitlines()), "no reason given")
    code = code_of(error)
    if code == READONLY_DBMOVED:
        return CatalogueReplaced(f"the catalogue {path} was deleted or moved while it was in use: start again")
    if code == IOERR_NOMEM:
        code = NOMEM
    if code == IOERR_CORRUPTFS:
        code = CORRUPT
    kind = None if code is None else code & 0xFF
    if kind in (CORRUPT, NOTADB):
        return CatalogueDamaged(
            f"the catalogue {path} is damaged or is no catalogue ({reason}): photoindex doctor says what can be done"
        )
    if kind in (BUSY, LOCKED, PROTOCOL):
        return CatalogueUnavailable(f"the catalogue {path} was busy for too long: another program keeps it locked")
    if lacks_room(path, error):
        return CatalogueUnavailable(f"the disk that holds the catalogue {path} is full: make room there")
    if kind == IOERR:
        return CatalogueUnavailable(f"the catalogue {path} cannot be read or written ({reason}): check its disk")
    if kind in (READONLY, CANTOPEN):
        return CatalogueUnavailable(
            f"cannot write the catalogue {path} ({reason}): check its permissions, or name another --data-dir"
        )
    if kind in (NOMEM, INTERRUPT):
        return CatalogueUnavailable(f"the catalogue {path} could not be asked ({reason}): try again")
    return CatalogueError(f"photoindex asked the catalogue {path} wrongly ({reason}): please report this as a bug")
