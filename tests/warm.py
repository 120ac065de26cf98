"""Processes that decode photos, lent from test to test.

Nearly every test that indexes needs some and few are about them, and starting two takes half a second: most of what
such a test took. So a worker that is closed whole waits for the next Decoder with the same task. The workers are real;
tests of how they start and end ask for the fixture ``cold``.
"""

from __future__ import annotations

import json
from collections import defaultdict

import pytest

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


def warm_up(patch: pytest.MonkeyPatch, pool: Pool) -> None:
    """Have every Decoder's workers come from the pool."""
    patch.setattr(workers, "_Worker", pool.lend)


def cool_down(patch: pytest.MonkeyPatch) -> None:
    """Have each start workers of its own, and end them."""
    patch.setattr(workers, "_Worker", _Worker)
