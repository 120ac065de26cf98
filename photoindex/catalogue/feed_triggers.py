"""The triggers that raise revisions for the change feed (:mod:`.change_feed`), in either database.

They are no part of a migration. They are dropped before one and made again after it, as SQLite loses the triggers of a
table that Alembic rebuilds.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from photoindex.catalogue import dialects, postgres_feed, sqlite_feed

if TYPE_CHECKING:
    from sqlalchemy import Connection


def install(connection: Connection) -> None:
    """Make the triggers, in a catalogue that has the columns for them."""
    _of_dialect(connection).install(connection)


def drop(connection: Connection) -> None:
    """Remove the triggers."""
    _of_dialect(connection).drop(connection)


def _of_dialect(connection: Connection) -> ModuleType:
    """Return the module that writes triggers for the database that holds the catalogue."""
    return postgres_feed if dialects.is_shared(connection) else sqlite_feed
