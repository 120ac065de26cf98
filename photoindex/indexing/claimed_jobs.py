"""The jobs that a worker has claimed and not finished: what their files hold, and how they leave without a caption."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from photoindex.catalogue import files, raw_pairs
from photoindex.catalogue import jobs as jobqueue
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import Job
from photoindex.config import Settings
from photoindex.errors import PhotoError
from photoindex.indexing.hashing import Ready
from photoindex.indexing.missing_photos import Suspension
from photoindex.types import Tally

ROOT_AWAY = timedelta(minutes=10)


class AtHand:
    """Claimed jobs. Files that were read are grouped by content, which is captioned once."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        suspension: Suspension,
        tally: Tally,
        now: Callable[[], datetime],
    ) -> None:
        self.jobs: set[Job] = set()  # not by number, which another job may get: see jobqueue
        self.tally = tally
        self._database = database
        self._settings = settings
        self._suspension = suspension
        self._now = now
        self._groups: dict[str, list[Ready]] = {}  # by content
        self._content: dict[Job, str] = {}  # of the jobs in a group
        self._decoding: dict[Path, list[Ready]] = {}  # by the path that is decoded for the whole group

    def __len__(self) -> int:
        return len(self.jobs)

    @property
    def has_suspects(self) -> bool:
        """Whether a worker died with one of these at hand. They stay among themselves: see :mod:`.jobqueue`."""
        return any(job.attempts > 1 for job in self.jobs)

    @property
    def batch_ids(self) -> list[int]:
        """The batches that jobs at hand were asked for in."""
        return sorted({job.batch_id for job in self.jobs if job.batch_id is not None})

    def take(self, claimed: Iterable[Job]) -> None:
        self.jobs.update(claimed)

    def group(self, ready: Ready) -> Path | None:
        """The path to decode, when a file's content is not at hand yet. A file that is with other bytes is put off."""
        group = self._groups.get(ready.content_hash)
        path: Path | None = None
        if group is not None:
            group.append(ready)
        elif ready.job.path in self._decoding or any(other.file_id == ready.job.file_id for other in self._content):
            self.put_off([ready.job])
            return None
        else:
            path = ready.job.path
            self._groups[ready.content_hash] = self._decoding[path] = [ready]
        self._content[ready.job] = ready.content_hash
        return path

    def decoded(self, path: Path) -> list[Ready]:
        """The files whose content was decoded at ``path``; more may join them until they leave."""
        return self._decoding.pop(path)

    def leave(self, finished: Sequence[Job]) -> None:
        """These jobs are done."""
        for job in finished:
            self._drop(job)

    def absent(self, job: Job) -> None:
        """A file that is gone is marked missing; one whose whole root is away is only tried later."""
        away = self._suspension.is_away(job.root) or self._suspension.removed([job.path]) > 0
        with self._database.write() as connection:
            # One that was renamed meanwhile still has its job, under the new name.
            jobqueue.release(connection, [job], self._now() + ROOT_AWAY if away else self._now())
        self._drop(job)

    def put_off(self, jobs: Sequence[Job]) -> None:
        """Files that changed since they were read, or change now: read again when they may have come to rest."""
        with self._database.write() as connection:
            jobqueue.release(connection, jobs, self._now() + timedelta(seconds=self._settings.settle_seconds))
        for job in jobs:
            self._drop(job)

    def fail(self, job: Job, error: PhotoError, content_hash: str | None = None) -> None:
        """``content_hash``: what the file's bytes hash to, when they could be read."""
        with self._database.write() as connection:
            if job not in jobqueue.sort_out(connection, [job]).own:
                self._drop(job)  # it is another worker's, or its file went
                return
            if not jobqueue.fail(connection, job, error, self._now()):
                raw_pairs.release(connection, [job.file_id])
            if content_hash is not None:
                files.unlink_photo(connection, job.file_id, content_hash)
        self._drop(job)
        self.tally.failed += 1
        self.tally.errors.append((job.path, error))

    def _drop(self, job: Job) -> None:
        self.jobs.discard(job)
        content = self._content.pop(job, None)
        if content is not None:  # a group leaves as a whole
            self._groups.pop(content, None)
