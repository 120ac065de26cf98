"""Copy a catalogue from one database to another, of whichever kind each is, and compare two row by row."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from photoindex.catalogue import feed_triggers, migration
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.database import Database
from photoindex.catalogue.dialects import continue_numbers
from photoindex.catalogue.schema import catalogue, metadata
from photoindex.errors import CatalogueError
from photoindex.types import Progress

ROWS: Final = 1000  # read and written at once
DIFFERENCES_SHOWN: Final = 10


def copy_catalogue(
    source: Database, target: Database, progress: Callable[[Progress], None] | None = None
) -> dict[str, int]:
    """Copy every row, and compare; return the number of rows of each table.

    All is copied in one transaction, so that the target stays empty when it fails. Both must be of this version, and
    nobody may write to the source meanwhile. The target is a catalogue of its own from here on: who kept something of
    the source, or of an earlier copy, begins again with it.

    Raises :class:`CatalogueError` when the target holds something already or when a row is not the same after it.
    """
    check_current(source)
    check_current(target)
    with source.read() as reading, target.write() as writing:
        if not _is_empty(writing):
            raise CatalogueError(f"the catalogue {target.place} is not empty: name an empty one to copy to")
        total = sum(_count(reading, table) for table in metadata.sorted_tables)
        feed_triggers.drop(writing)  # the rows keep the revisions that they have
        writing.execute(delete(catalogue))
        counts, done = {}, 0
        for table in metadata.sorted_tables:
            counts[table.name] = 0
            for rows in chunks(_rows(reading, table), ROWS):
                writing.execute(insert(table), [dict(row._mapping) for row in rows])
                counts[table.name] += len(rows)
                done += len(rows)
                if progress is not None:
                    progress(Progress("copying", done, total))
            continue_numbers(writing, table)
        writing.execute(update(catalogue).values(identity=secrets.token_hex(16)))
        feed_triggers.install(writing)
    wrong = differences(source, target)
    if wrong:
        raise CatalogueError(
            f"the copy {target.place} differs from {source.place} ({wrong[0]}): empty it and try again"
        )
    return counts


def check_current(database: Database) -> None:
    """Raise :class:`CatalogueError` unless a catalogue is of this version."""
    revision = database.revision()
    if revision != migration.HEAD:
        state = "holds no catalogue" if revision is None else f"is of version {revision}, not {migration.HEAD}"
        raise CatalogueError(
            f"{database.place} {state}: name another, or run photoindex catalogue upgrade for it first"
        )


def is_empty(database: Database) -> bool:
    """Return whether a database holds nothing, or a catalogue of this version without a row."""
    revision = database.revision()
    if revision != migration.HEAD:
        return revision is None
    with database.read() as connection:
        return _is_empty(connection)


def _is_empty(connection: Connection) -> bool:
    return not any(_count(connection, table) for table in metadata.sorted_tables if table is not catalogue)


def differences(one: Database, other: Database) -> list[str]:
    """Return in which rows two catalogues differ, a line each, ten at most. Reads all of both."""
    found: list[str] = []
    with one.read() as first, other.read() as second:
        for table in metadata.sorted_tables:
            for mine, theirs in zip_longest(_rows(first, table), _rows(second, table)):
                if mine is None or theirs is None or _held(mine) != _held(theirs):
                    row = mine if mine is not None else theirs
                    found.append(f"{table.name} {', '.join(str(row._mapping[key]) for key in table.primary_key)}")
                if len(found) >= DIFFERENCES_SHOWN:
                    return found
    return found


def _held(row: Any) -> dict[str, Any]:
    """Return a row without what tells a catalogue from its copy."""
    return {name: value for name, value in row._mapping.items() if name != catalogue.c.identity.name}


def _rows(connection: Connection, table: Table) -> Iterator[Any]:
    """Yield the rows of a table by its key, without having all of them in memory."""
    query = select(table).order_by(*table.primary_key)
    return iter(connection.execution_options(yield_per=ROWS).execute(query))


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
