"""Claim jobs ahead: the next photos are read and decoded while those before them are captioned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from photoindex.catalogue import batches, jobs, raw_pairs
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import Job
from photoindex.indexing.claimed_jobs import ClaimedJobs
from photoindex.indexing.throttle import Throttle


class Claimer:
    """Takes jobs from the queue for one process and gives back those that are not done."""

    def __init__(
        self,
        database: Database,
        model_setting: str,
        throttle: Throttle,
        now: Callable[[], datetime],
        *,
        lease: timedelta = jobs.LEASE,
        most: int = jobs.CLAIM,
        reachable: Callable[[], set[int] | None] = lambda: None,
    ) -> None:
        self._database = database
        self._model_setting = model_setting
        self._throttle = throttle
        self._now = now
        self._lease = lease
        self._most = most
        self._reachable = reachable
        self._owner = jobs.owner_name()
        self._renewed_at = time.monotonic()
        self._owed: set[Job] = set()  # to be given back to the queue, which could not take them

    def has_room(self, claimed: ClaimedJobs) -> bool:
        """Return whether more jobs may be claimed beside these. Suspects stay alone, and a low rate claims little."""
        if not claimed:
            return True
        slowed = self._throttle.batch_size(self._most) < self._most
        return not (claimed.has_suspects or slowed) and len(claimed) <= self._most * 3 // 2

    def claim(self, claimed: ClaimedJobs) -> list[Job]:
        """Claim due jobs and add them; return them."""
        most = self._most // 2 if claimed else self._throttle.batch_size(self._most)
        now, roots = self._now(), self._reachable()
        with self._database.write(exclusive=False) as connection:
            batches.close(connection)
            new = jobs.claim(
                connection, self._owner, most, now, self._model_setting, untried=len(claimed) > 0, lease=self._lease,
                roots=roots,
            )  # fmt: skip
        claimed.add(new)
        return new

    def begin(self, begun: Sequence[Job]) -> set[int]:
        """Count a try of these jobs; return the ids of files that may be of one shot with another file.

        To be called when the model is loaded and the bytes are read: what ends the process from here on may be the
        doing of one of these files.
        """
        with self._database.write(exclusive=False) as connection:
            jobs.begin(connection, begun)
            return raw_pairs.in_company(connection, [job.file_id for job in begun])

    def renew_when_due(self, claimed: ClaimedJobs) -> None:
        """Extend the leases once in a while."""
        if time.monotonic() - self._renewed_at > self._lease.total_seconds() / 10:
            self._renewed_at = time.monotonic()
            now = self._now()
            with self._database.write(exclusive=False) as connection:
                jobs.renew(connection, claimed.jobs, now, self._lease)

    def take_back_dead(self) -> None:
        """Queue the jobs of dead processes and release the raw files whose JPEGs failed."""
        self.give_back(())
        with self._database.write() as connection:
            jobs.take_back_dead(connection, self._now())
            raw_pairs.release_failed(connection)

    def give_back(self, unfinished: Iterable[Job]) -> None:
        """Release jobs that were not done. When the catalogue refuses that as well, the next call begins with them."""
        self._owed.update(unfinished)
        if self._owed:
            with self._database.write() as connection:
                jobs.release(connection, list(self._owed), self._now())
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
        with self._database.read() as connection:
            return jobs.count_due(connection, self._now(), self._model_setting)

    def next_due(self) -> datetime | None:
        """Return when the next job that this process may do can be claimed; ``None`` when there is none."""
        with self._database.read() as connection:
            return jobs.next_due(connection, self._model_setting)
