"""Claim jobs ahead: the next photos are read and decoded while those before them are captioned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from photoindex.catalogue import batches, jobs, raw_pairs
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import Job
from photoindex.indexing.claimed_jobs import ClaimedJobs
from photoindex.indexing.throttle import Throttle


class Claimer:
    """Takes jobs from the queue for one process and gives back those that are not done.

    With ``text`` they are those of reading text, which any model's process may do, else those of captions. ``refill``
    is called, in the transaction that claims, when nothing is due. It queues jobs that are due at the time it is given
    and returns how many; 0 asks to be called again, in a transaction of its own, and ``None`` says that there are none.
    ``most`` are claimed at once.
    """

    def __init__(
        self,
        database: Database,
        model_setting: str | None,
        throttle: Throttle,
        now: Callable[[], datetime],
        *,
        lease: timedelta = jobs.LEASE,
        most: int = jobs.CLAIM,
        reachable: Callable[[], set[int] | None] = lambda: None,
        text: bool = False,
        refill: Callable[[Connection, datetime], int | None] = lambda *_: None,
    ) -> None:
        self._database = database
        self._model_setting = model_setting
        self._throttle = throttle
        self._now = now
        self._lease = lease
        self.most = most
        self._reachable = reachable
        self._is_text = text
        self._refill = refill
        self._owner = jobs.owner_name()
        self._renewed_at = time.monotonic()
        self._owed: set[Job] = set()  # to be given back to the queue, which could not take them

    def has_room(self, claimed: ClaimedJobs) -> bool:
        """Return whether more jobs may be claimed beside these. Suspects stay alone, and a low rate claims little."""
        if not claimed:
            return True
        slowed = self._throttle.batch_size(self.most) < self.most
        return not (claimed.has_suspects or slowed) and len(claimed) <= self.most * 3 // 2

    def claim(self, claimed: ClaimedJobs) -> list[Job]:
        """Claim due jobs and add them; return them."""
        self.renew_when_due(claimed.jobs)  # else those that took long would be taken back here
        new = self.take(self.most // 2 if claimed else None, untried=len(claimed) > 0)
        claimed.add(new)
        return new

    def take(self, most: int | None = None, *, untried: bool = False) -> list[Job]:
        """Claim due jobs, at most as many as are claimed at once or ``most``; see :func:`.jobs.claim`."""
        most = self._throttle.batch_size(self.most) if most is None else most
        roots = self._reachable()
        while True:
            now = self._now()
            # Two processes must not queue the same photos at once.
            with self._database.write(exclusive=self._is_text) as connection:
                batches.close(connection)
                claim = partial(
                    jobs.claim, connection, self._owner, most, now, self._model_setting, untried=untried,
                    lease=self._lease, roots=roots, text=self._is_text,
                )  # fmt: skip
                if (new := claim()) or untried:
                    return new
                queued = self._refill(connection, now)
                if queued or queued is None:
                    return claim() if queued else []

    def begin(self, begun: Sequence[Job]) -> set[int]:
        """Count a try of these jobs; return the ids of files that may be of one shot with another file.

        To be called when the model is loaded and the bytes are read: what ends the process from here on may be the
        doing of one of these files.
        """
        with self._database.write(exclusive=False) as connection:
            jobs.begin(connection, begun)
            return raw_pairs.in_company(connection, [job.file_id for job in begun])

    def renew_when_due(self, claimed: Iterable[Job]) -> None:
        """Extend the leases of these jobs once in a while."""
        if time.monotonic() - self._renewed_at > self._lease.total_seconds() / 10:
            self._renewed_at = time.monotonic()
            now = self._now()
            with self._database.write(exclusive=False) as connection:
                jobs.renew(connection, claimed, now, self._lease)

    def take_back_dead(self) -> None:
        """Queue the jobs of dead processes and release the raw files whose JPEGs failed."""
        self.give_back(())
        with self._database.write() as connection:
            jobs.take_back_dead(connection, self._now())
            raw_pairs.release_failed(connection)

    def give_back(self, unfinished: Iterable[Job], wait: timedelta = timedelta(0)) -> None:
        """Release jobs that were not done, to be tried again after a while. When the catalogue refuses that as well,
        the next call begins with them."""
        self._owed.update(unfinished)
        if self._owed:
            with self._database.write() as connection:
                jobs.release(connection, list(self._owed), jobs.later(self._now(), wait))
                batches.close(connection)  # those of cancelled batches are not to be done after all
            self._owed.clear()

    def is_halted(self, claimed: ClaimedJobs) -> bool:
        """Return whether a batch with claimed jobs was paused or cancelled."""
        ids = claimed.batch_ids
        if not ids:
            return False
        with self._database.read() as connection:
            return batches.any_halted(connection, ids)

    def count_waiting(self) -> int:
        """Return how many due jobs nobody has claimed. Takes milliseconds when there are many."""
        roots = self._reachable()
        with self._database.read() as connection:
            return jobs.count_due(connection, self._now(), self._model_setting, roots)

    def next_due(self) -> datetime | None:
        """Return when the next job that this process may do can be claimed; ``None`` when there is none."""
        roots = self._reachable()
        with self._database.read() as connection:
            return jobs.next_due(connection, self._model_setting, text=self._is_text, roots=roots)
