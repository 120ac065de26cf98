"""What nearly every test needs and few are about, made once: decoding processes, and the tables of a catalogue.

Starting two processes that decode takes half a second, which was most of what a test that indexes took. So one that is
closed whole waits for the next Decoder with the same task. They are real; tests of how they start and end ask for the
fixture ``cold``.

SQLAlchemy compiles the statements that make a catalogue's tables again for each catalogue. Those of the first one are
kept and run for the others.
"""

from __future__ import annotations

import json
from collections import defaultdict
from functools import partial

import pytest
from sqlalchemy import Connection, MetaData

from photoindex.catalogue.schema import metadata
from photoindex.media.decode import workers

KEPT = 4  # idle workers for each kind of task: as many as one Decoder has at most

_Worker = workers._Worker


class Pool:
    """Decoding workers that wait for the next Decoder that gives them the same task."""

    def __init__(self) -> None:
        self._idle: defaultdict[str, list[_Lent]] = defaultdict(list)

    def lend(self, task: dict[str, object]) -> _Worker:
        idle = self._idle[json.dumps(task)]
        while idle:
            worker = idle.pop()
            if worker.alive:
                return worker
            worker.end()
        return _Lent(task, self)

    def take_back(self, worker: _Lent) -> None:
        idle = self._idle[json.dumps(worker.task)]
        if worker.ready and worker.alive and len(idle) < KEPT:
            idle.append(worker)
        else:
            worker.end()

    def close(self) -> None:
        for idle in self._idle.values():
            while idle:
                idle.pop().end()


class _Lent(_Worker):
    """A worker whose owner closes it and who goes back to the pool, if it was not killed at its work."""

    def __init__(self, task: dict[str, object], pool: Pool) -> None:
        super().__init__(task)
        self.task = task
        self.ready = False
        self._pool = pool

    def start(self) -> str | None:
        complaint = None if self.ready else super().start()
        self.ready = complaint is None
        return complaint

    def close(self) -> None:
        self._pool.take_back(self)

    def end(self) -> None:
        super().close()


class Tables:
    """The statements that made the tables and indexes of the first catalogue in SQLite, for the next ones."""

    def __init__(self) -> None:
        self._statements: list[str] = []

    def create_all(self, connection: Connection) -> None:
        if connection.dialect.name != "sqlite":
            MetaData.create_all(metadata, connection)
        elif self._statements:
            for statement in self._statements:
                connection.exec_driver_sql(statement)
        else:
            MetaData.create_all(metadata, connection)
            made = "select sql from sqlite_master where sql is not null and name not like 'sqlite_%' order by rowid"
            self._statements = [sql for (sql,) in connection.exec_driver_sql(made)]


def warm_up(patch: pytest.MonkeyPatch, pool: Pool) -> None:
    """Have every Decoder's workers come from the pool, and make catalogues by kept statements."""
    patch.setattr(workers, "_Worker", pool.lend)
    patch.setattr(metadata, "create_all", Tables().create_all)


def cool_down(patch: pytest.MonkeyPatch) -> None:
    """Have each start workers of its own, and end them."""
    patch.setattr(workers, "_Worker", _Worker)
    patch.setattr(metadata, "create_all", partial(MetaData.create_all, metadata))
