"""Questions to the catalogue in plain SQL, which work with SQLAlchemy and without it.

SQLAlchemy takes longer to import than a search takes. So what every search asks (:mod:`.fast_queries`) is written as
SQL that any database understands, with parameters called ``:name``, and goes straight to the driver.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from photoindex.system.mount_names import NO_MOUNTS, Mounts

if TYPE_CHECKING:
    from sqlalchemy import Connection

Rows = list[tuple[Any, ...]]


class Asker(ABC):
    """A transaction of a driver, without SQLAlchemy. ``mounts``: where the catalogue's folders lie on this machine."""

    mounts: Mounts = NO_MOUNTS

    @abstractmethod
    def ask(self, sql: str, **values: object) -> Rows:
        """All rows that answer ``sql``, its parameters filled with ``values``."""

    @abstractmethod
    def each(self, sql: str, **values: object) -> Iterator[tuple[Any, ...]]:
        """The same rows one by one, without holding them all."""

    @abstractmethod
    def run(self, sql: str, **values: object) -> None:
        """Do what ``sql``, which gives no rows, says."""

    @abstractmethod
    def tables(self) -> list[str]:
        """The names of the database's tables."""


def ask(transaction: Asker | Connection, sql: str, **values: object) -> Rows:
    """All rows that answer ``sql``, its parameters filled with ``values``.

    Values come as the driver has them: of SQLite times are text and truths are numbers, of PostgreSQL neither.
    """
    if isinstance(transaction, Asker):
        return transaction.ask(sql, **values)
    from sqlalchemy import text

    return [tuple(row) for row in transaction.execute(text(sql), values)]


def each(transaction: Asker | Connection, sql: str, **values: object) -> Iterator[tuple[Any, ...]]:
    """The same rows one by one, without holding them all, as where something is made of each of a million.
    Nothing may be written before the last one was read."""
    if isinstance(transaction, Asker):
        return transaction.each(sql, **values)
    from sqlalchemy import text

    return map(tuple, transaction.execute(text(sql), values))


def run(transaction: Asker | Connection, sql: str, **values: object) -> None:
    """Do what ``sql``, which gives no rows, says."""
    if isinstance(transaction, Asker):
        transaction.run(sql, **values)
        return
    from sqlalchemy import text

    transaction.execute(text(sql), values)


def listed(numbers: Iterable[int]) -> str:
    """Ids as the inside of ``in (…)``, which takes no single parameter."""
    return ", ".join(str(int(number)) for number in numbers)
