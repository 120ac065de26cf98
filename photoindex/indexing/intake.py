"""Find out what the files of claimed jobs hold: known content is linked to its photo, the rest is to be decoded."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import Connection

from photoindex.catalogue import jobs, photos, raw_pairs
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import Job
from photoindex.errors import EmptyPhoto, UnreadablePhoto
from photoindex.indexing import save_results
from photoindex.indexing.claimed_jobs import ClaimedJobs
from photoindex.indexing.hashing import FileAbsent, FileChanging, HashedJob, hash_job, read_stat
from photoindex.media.formats import is_raw_name
from photoindex.system import url_contents
from photoindex.system.paths import shown
from photoindex.system.storage_errors import StoreUnavailable
from photoindex.system.url_paths import is_url

OBJECTS_AT_ONCE = 8  # of a store, which answers each after a while and all of them side by side
FILES_AT_ONCE = 4  # but no more than there are cores; hashing leaves Python's lock alone


class Intake:
    """Hashes the files of claimed jobs. ``model_identity`` names the model that captions; asking may load it."""

    def __init__(self, database: Database, model_identity: Callable[[], str]) -> None:
        self._database = database
        self._model_identity = model_identity

    def read(
        self,
        new: Sequence[Job],
        claimed: ClaimedJobs,
        stop: threading.Event,
        working: Callable[[], None] = lambda: None,
    ) -> list[Path]:
        """Hash the files of new jobs, which may take long: ``working`` is called after each file. Content that has a
        caption is linked at once; the rest is grouped by content, and the paths to decode are returned.

        A job of a batch needs no work when a caption was made since it was queued.
        """
        hashed: list[HashedJob] = []
        companions = self._join_companions(new)
        claimed.remove(companions)
        claimed.tally.recognised += len(companions)
        for job, ready in _hashed([job for job in new if job not in companions], stop):
            working()
            try:
                if isinstance(ready, Exception):
                    raise ready
            except FileAbsent:
                claimed.give_up_absent(job)
            except FileChanging:
                claimed.postpone([job])
            except StoreUnavailable as error:
                claimed.put_off(job, str(error.strerror))
            except OSError as error:
                reason = f"{error.strerror or error}; check its permissions and its disk"
                claimed.fail(job, UnreadablePhoto(f"cannot read {shown(job.path)}: {reason}"))
            else:
                if ready.stat.size:
                    hashed.append(ready)
                else:
                    empty = EmptyPhoto(f"{shown(job.path)} is empty: it has no bytes; copy it again")
                    claimed.fail(job, empty, ready.content_hash)
        paths = []
        for ready in self._without_known(hashed, claimed):
            path = claimed.group(ready)
            if path is not None:
                paths.append(path)
            else:  # decoded at another path, or later
                url_contents.forget(ready.job.path)
        return paths

    def _join_companions(self, new: Sequence[Job]) -> list[Job]:
        """Finish the jobs of raw files beside their JPEGs, which stand for both; return them."""
        raws = [job for job in new if is_raw_name(job.path) and read_stat(job.path) is not None]
        if not raws:
            return []
        with self._database.write() as connection:
            joined = raw_pairs.settle(connection, [job.file_id for job in raws])
            companions = [job for job in raws if job.file_id in joined]
            jobs.finish(connection, companions)
        return companions

    def _without_known(self, hashed: Sequence[HashedJob], claimed: ClaimedJobs) -> list[HashedJob]:
        """Link the files whose content has its caption; return the others."""
        with self._database.read() as connection:
            by_hash = photos.find_by_hash(connection, {ready.content_hash for ready in hashed})
            known, others = [], []
            for ready in hashed:
                photo_id, has_caption = by_hash.get(ready.content_hash, (0, False))
                if has_caption and (not ready.job.again or self._was_captioned(connection, photo_id, ready.job)):
                    known.append((ready, photo_id))
                else:
                    others.append(ready)
        if known:
            with self._database.write() as connection:
                recognised, verified, words_left = save_results.recognise(connection, known)
            claimed.tally.recognised += len(recognised)
            claimed.tally.verified += verified
            claimed.tally.recognised_photos += recognised
            claimed.tally.words_left += words_left
            for ready, _ in known:
                url_contents.forget(ready.job.path)
        claimed.remove([ready.job for ready, _ in known])
        return others

    def _was_captioned(self, connection: Connection, photo_id: int, job: Job) -> bool:
        return photos.was_captioned(connection, photo_id, self._model_identity(), job.since)


def _hashed(new: Sequence[Job], stop: threading.Event) -> Iterator[tuple[Job, HashedJob | Exception]]:
    """Hash the files of jobs until stopped, in their order; yield for each what was found, or why it cannot be read."""
    at_once = OBJECTS_AT_ONCE if any(is_url(job.path) for job in new) else min(FILES_AT_ONCE, os.cpu_count() or 1)
    with ThreadPoolExecutor(at_once, thread_name_prefix="reading") as readers:
        for job, ready in zip(new, readers.map(lambda job: None if stop.is_set() else _hash(job), new), strict=True):
            if ready is None:
                return
            yield job, ready


def _hash(job: Job) -> HashedJob | Exception:
    try:
        return hash_job(job)
    except (FileAbsent, FileChanging, OSError) as error:
        return error
