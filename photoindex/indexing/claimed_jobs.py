"""The jobs that a worker has claimed and not finished: what their files hold, and how they end without a caption."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from photoindex.catalogue import files, jobs, raw_pairs
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import Job
from photoindex.config import Settings
from photoindex.errors import PhotoError
from photoindex.indexing import failed_jobs
from photoindex.indexing.hashing import HashedJob
from photoindex.indexing.missing_photos import MissingPhotos
from photoindex.types import Tally

ROOT_AWAY = timedelta(minutes=10)  # until a file whose root is away is tried again


class ClaimedJobs:
    """Claimed jobs. Files that were hashed are grouped by content, which is captioned once."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        missing: MissingPhotos,
        tally: Tally,
        now: Callable[[], datetime],
    ) -> None:
        self.jobs: set[Job] = set()  # not by id, which another job may get: see catalogue/jobs.py
        self.tally = tally
        self._database = database
        self._settings = settings
        self._missing = missing
        self._now = now
        self._reasons: set[str] = set()  # why jobs were put off
        self._groups: dict[str, list[HashedJob]] = {}  # by content
        self._content: dict[Job, str] = {}  # of the jobs in a group
        self._decoding: dict[Path, list[HashedJob]] = {}  # by the path that is decoded for the whole group

    def __len__(self) -> int:
        return len(self.jobs)

    @property
    def has_suspects(self) -> bool:
        """Whether a worker died with one of these jobs. Suspects are worked on alone: see catalogue/jobs.py."""
        return any(job.attempts > 1 for job in self.jobs)

    @property
    def batch_ids(self) -> list[int]:
        """The ids of the batches that these jobs belong to, sorted."""
        return sorted({job.batch_id for job in self.jobs if job.batch_id is not None})

    def add(self, claimed: Iterable[Job]) -> None:
        """Add jobs that were claimed just now."""
        self.jobs.update(claimed)

    def group(self, hashed: HashedJob) -> Path | None:
        """Put a file into the group of its content. Return the path to decode if the group is new.

        A file that is claimed twice and has other bytes by now is postponed.
        """
        group = self._groups.get(hashed.content_hash)
        path: Path | None = None
        if group is not None:
            group.append(hashed)
        elif hashed.job.path in self._decoding or any(other.file_id == hashed.job.file_id for other in self._content):
            self.postpone([hashed.job])
            return None
        else:
            path = hashed.job.path
            self._groups[hashed.content_hash] = self._decoding[path] = [hashed]
        self._content[hashed.job] = hashed.content_hash
        return path

    def take_decoded(self, path: Path) -> list[HashedJob]:
        """Return the files whose content was decoded at ``path``. More may join them until they are removed."""
        return self._decoding.pop(path)

    def remove(self, finished: Sequence[Job]) -> None:
        """Remove jobs that are done."""
        for job in finished:
            self._remove(job)

    def give_up_absent(self, job: Job) -> None:
        """Mark the file of a job missing; if its whole root is away, only release the job until later. Another file of
        a known photo takes the job over."""
        with self._database.write() as connection:
            passed_on = self._pass_on(connection, job)
        away = self._missing.is_away(job.root) or self._missing.after_removals([job.path]) > 0
        with self._database.write() as connection:
            # A file that was renamed meanwhile still has its job, under the new name.
            if not passed_on:
                jobs.release(connection, [job], self._now() + ROOT_AWAY if away else self._now())
        self._remove(job)

    def put_off(self, job: Job, reason: str) -> None:
        """Release a job until later, as nobody can tell now what its file holds."""
        with self._database.write() as connection:
            if not self._pass_on(connection, job):
                jobs.release(connection, [job], self._now() + ROOT_AWAY)
        self._remove(job)
        if reason not in self._reasons:
            self._reasons.add(reason)
            self._missing.notice(f"{reason}; its photos wait")

    def postpone(self, postponed: Sequence[Job]) -> None:
        """Release jobs whose files change at present, to be read again when they may have settled."""
        with self._database.write() as connection:
            jobs.release(connection, postponed, self._now() + timedelta(seconds=self._settings.settle_seconds))
        for job in postponed:
            self._remove(job)

    def fail(self, job: Job, error: PhotoError, content_hash: str | None = None) -> None:
        """Store why a job failed. ``content_hash`` is that of the file's bytes, when they could be read."""
        with self._database.write() as connection:
            ending = failed_jobs.fail(self._database, connection, job, error, self._now())
            if ending == "failed":
                raw_pairs.release(connection, [job.file_id])
            if ending != "left" and content_hash is not None:
                files.unlink_photo(connection, job.file_id, content_hash)
        self._remove(job)
        if ending != "left":
            self.tally.failed += 1
            self.tally.errors.append((job.path, error))

    def _pass_on(self, connection: Connection, job: Job) -> bool:
        """Give the job of a photo that is known to another file that holds it; return whether there is one."""
        return job.again and bool(jobs.pass_on(connection, [job], self._now()))

    def _remove(self, job: Job) -> None:
        self.jobs.discard(job)
        content = self._content.pop(job, None)
        if content is not None:  # a group ends as a whole
            self._groups.pop(content, None)
