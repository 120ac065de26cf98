"""What nearly every test needs and only some are about: an empty catalogue, and processes that decode photos.

Made anew each time, they are most of what a test takes: a quarter of a second for the migrations, half a second for two
workers. So the migrations are run once, and what they made is copied into each new catalogue; and a worker that is
closed whole is lent again. The catalogues and the workers are real. Tests that are about how they come to be, or how
they end, ask for the fixture ``cold``.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest

from photoindex.decode import workers
from photoindex.store.database import Database

KEPT = 4  # idle workers for each kind of task: as many as one Decoder has at most

_upgrade = Database._upgrade
_Worker = workers._Worker


class Template:
    """A catalogue as the migrations make it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        Database.open(path).close()

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Have new catalogues copied from it; those that hold something are upgraded as ever."""

        def upgrade(database: Database, found: str | None) -> None:
            if found is not None:
                _upgrade(database, found)
                return
            with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(database.path)) as target:
                source.backup(target)
                # Which no two catalogues share.
                target.execute("update catalogue set identity = lower(hex(randomblob(16)))")
                target.commit()

        patch.setattr(Database, "_upgrade", upgrade)


class Pool:
    """Decoding workers that wait for the next Decoder that gives them the same task."""

    def __init__(self) -> None:
        self._idle: defaultdict[str, list[_Lent]] = defaultdict(list)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(workers, "_Worker", self.lend)

    def lend(self, task: dict[str, object]) -> workers._Worker:
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
        self._pool = pool
        self.ready = False

    def start(self) -> str | None:
        complaint = None if self.ready else super().start()
        self.ready = complaint is None
        return complaint

    def close(self) -> None:
        self._pool.take_back(self)

    def end(self) -> None:
        super().close()


def cool_down(patch: pytest.MonkeyPatch) -> None:
    """Undo both, for one test."""
    patch.setattr(Database, "_upgrade", _upgrade)
    patch.setattr(workers, "_Worker", _Worker)
