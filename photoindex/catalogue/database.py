"""The catalogue as one object, and its transactions: the interface of both databases that may hold it.

:mod:`.opening` opens it. A catalogue at a path is SQLite's (:mod:`.sqlite_database`), one at a URL is PostgreSQL's
(:mod:`.postgres_database`).
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from photoindex.catalogue.raw_sql import Asker
from photoindex.errors import CatalogueError
from photoindex.system.mount_names import NO_MOUNTS, Mounts

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

CLOSED: Final = "this library is closed: open it again"
FORKED: Final = "this library was opened by another process, from which this one was forked: open it again in this one"


class Database(ABC):
    """The catalogue. Use :meth:`read` and :meth:`write` for transactions, and :meth:`ask` for the few questions of a
    search. May be shared between threads.

    ``path`` is the catalogue's file; ``None`` where a server keeps it. ``place`` names it in messages.
    """

    path: Path | None
    place: str
    read_only: bool
    mounts: Mounts = NO_MOUNTS  # as of the setting; without them roots are as the catalogue has them
    _is_closed = False
    _process: int  # that opened it: neither SQLite nor a server's connection may be used by a fork of it

    def __init__(self) -> None:
        self._process = os.getpid()

    @property
    @abstractmethod
    def engine(self) -> Engine:
        """SQLAlchemy's, made when first needed."""

    @property
    @abstractmethod
    def is_shared(self) -> bool:
        """Whether processes of other machines may use it."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections. Each later transaction raises :class:`CatalogueError`."""

    @property
    def is_forked(self) -> bool:
        """Whether this process was forked from the one that opened it."""
        return self._process != os.getpid()

    def check_open(self) -> None:
        """Raises :class:`CatalogueError` once this is closed, and in processes that were forked from its own."""
        if self.is_forked:
            raise CatalogueError(FORKED)
        if self._is_closed:
            raise CatalogueError(CLOSED)

    @abstractmethod
    def check_writable(self) -> None:
        """Raises :class:`CatalogueReadOnly` when the catalogue was opened for reading alone."""

    @abstractmethod
    def ask(self) -> AbstractContextManager[Asker]:
        """A read transaction without SQLAlchemy, for :mod:`.fast_queries`. One thread at a time has it."""

    @abstractmethod
    def change(self, how: Callable[..., None], *arguments: object) -> None:
        """Do one of the small changes in :mod:`.fast_queries`, without SQLAlchemy, in a write transaction of its
        own."""

    @abstractmethod
    def read(self) -> AbstractContextManager[Connection]:
        """A read transaction: one consistent state, however long it takes."""

    @abstractmethod
    def write(self, *, exclusive: bool = True) -> AbstractContextManager[Connection]:
        """A write transaction, committed at the end or rolled back on any error. Waits for other writers.

        What looks first and then writes what it found to be missing relies on being the only writer. A transaction
        that is right beside others, by row locks and upserts, may ask for ``exclusive=False``; then it waits for
        exclusive ones alone, where the database can do that.
        """

    @abstractmethod
    def faults(self) -> list[str]:
        """Return what the database's own examination finds wrong, a line each; empty for a whole catalogue."""

    @abstractmethod
    def revision(self) -> str | None:
        """Return the catalogue's migration; ``None`` for an empty one. Raises :class:`CatalogueError` for another
        program's database."""

    @abstractmethod
    def size(self) -> int:
        """Return how many bytes the catalogue takes on disk."""

    @abstractmethod
    def now(self) -> datetime:
        """Return the time by which leases are judged: the database's, where several machines share one."""

    @abstractmethod
    def commits(self) -> object:
        """Return what differs after every change that another connection commits."""

    @contextmanager
    def sole_comparer(self, folders: Iterable[Path]) -> Iterator[None]:
        """Hold the right to compare folders, against processes of other machines, for the block.

        Raises :class:`FolderError` when another process has one of them. A catalogue of one machine grants it always:
        watches of one machine keep files for that.
        """
        yield

    def judges(self, root: Path) -> bool:
        """Return whether this process may say that a file below a root is gone.

        In a catalogue of one machine every process may. Else only one that compares the folder may, within
        :meth:`sole_comparer`: on other machines a file may be there that this one does not see.
        """
        return True

    @abstractmethod
    def backup(self, destination: Path) -> None:
        """Copy the catalogue as of now to a file. Raises :class:`CatalogueError` where its server has better ways."""
