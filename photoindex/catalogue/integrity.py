"""Whether a catalogue's file is whole, as SQLite's own examination has it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from photoindex.catalogue.sqlite import connect_untouched

QUICK_CHECK_BYTES: Final = 1_000_000_000  # of a larger one the indexes are not compared: that reads it many times
FAULTS_SHOWN: Final = 10


def faults(connection: sqlite3.Connection, size: int) -> list[str]:
    """Return what is wrong with a catalogue of ``size`` bytes, a line each, at most ten; empty for a whole one.

    Reads all of it.
    """
    check = "integrity_check" if size <= QUICK_CHECK_BYTES else "quick_check"
    try:
        rows = connection.execute(f"pragma {check}({FAULTS_SHOWN})").fetchall()
        lines = [line for (text,) in rows for line in str(text).splitlines() if line != "ok"]
        for row in connection.execute("pragma foreign_key_check"):
            lines.append(f"a row of {row[0]} belongs to a row of {row[2]} that is gone")
    except sqlite3.DatabaseError as error:  # so damaged that it cannot be examined
        return [str(error)]
    return lines[:FAULTS_SHOWN]


def faults_of_copy(path: Path) -> list[str]:
    """Return the faults of a catalogue that nobody has open, such as a backup. Raises :class:`OSError`."""
    size = path.stat().st_size
    try:
        with closing(connect_untouched(path)) as connection:
            if not connection.execute("select 1 from sqlite_master where name = 'photo'").fetchone():
                return ["it holds no catalogue"]
            return faults(connection, size)
    except sqlite3.DatabaseError as error:
        return [str(error)]
