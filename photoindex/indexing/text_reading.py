"""Read the text in photos, after their captions: those that nobody looked at, the newest first, and what was asked for.

A photo becomes a job as it is claimed (:mod:`photoindex.catalogue.text`), and what was read is stored with the end of
the job, a few photos in a transaction. So a process that is killed loses those at work at most, and reads no other
twice. Reading is done by one worker process, which may crash, hang or run out of memory without harm.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection, select

from photoindex.catalogue import batches, jobs, text
from photoindex.catalogue.database import Database
from photoindex.catalogue.facts import looks_from
from photoindex.catalogue.jobs import Job
from photoindex.catalogue.schema import photo
from photoindex.config import Settings
from photoindex.errors import PhotoError, TextReaderUnavailable
from photoindex.indexing.hashing import read_stat
from photoindex.indexing.throttle import Throttle
from photoindex.media.decode import Decoder
from photoindex.media.text.caption import caption_of
from photoindex.media.text.read import ROOM, read_text, read_text_closely
from photoindex.media.text.reader_version import INSTALL, TEXT_READER, is_installed
from photoindex.types import DecodedPhoto, PhotoText, Progress, Tally

BATCH = 16  # photos of one transaction
LOOKED_UP = 1000  # photos that are looked up at once
LATER = timedelta(minutes=1)  # until a photo whose file is away or changes is tried again


class TextReading:
    """Reads text for one process. ``notice`` receives why text cannot be read at all, once."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        throttle: Throttle,
        now: Callable[[], datetime],
        notice: Callable[[str], None],
    ) -> None:
        self._database = database
        self._settings = settings
        self._throttle = throttle
        self._now = now
        self._notice = notice
        self._owner = jobs.owner_name()
        self._closely = settings.read_text == "always"
        self._unusable = settings.read_text == "never"
        self._decoder: Decoder | None = None
        self._waiting: Iterator[int] = iter(())  # files of photos to be looked at
        self._renewed_at = time.monotonic()

    @property
    def at_rest(self) -> bool:
        """Whether no worker is held."""
        return self._decoder is None

    def close(self) -> None:
        """Stop the worker; it is started again when there is work."""
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None

    def run(
        self,
        tally: Tally,
        stop: threading.Event,
        give_way: Callable[[], bool],
        progress: Callable[[Progress], None] | None = None,
        stored: Callable[[], None] = lambda: None,
    ) -> None:
        """Read what is to be read, until it is done or ``give_way`` says that there is work that goes first.

        ``stored`` is called after each transaction. What was read is counted in ``tally``.
        """
        if not self._can_read():
            return
        self._waiting = iter(())
        done, total = tally.text_read + tally.text_failed, 0
        while not stop.is_set() and (claimed := self._claim()):
            if not total:
                total = done + len(claimed) + self._count_waiting()
            try:
                self._read(claimed, tally, stop)
            except TextReaderUnavailable as error:
                self._unusable = True
                self.close()
                self._notice(f"text in photos is not read: {error}")
                return
            stored()
            done = tally.text_read + tally.text_failed
            if progress is not None:
                progress(Progress("reading text", done, max(total, done)))
            if give_way():
                break

    def _can_read(self) -> bool:
        if not self._unusable and not is_installed():
            self._unusable = True
            if self._settings.read_text == "always":
                self._notice(f"text in photos is not read: what reads it is not installed; {INSTALL}")
        return not self._unusable

    def _count_waiting(self) -> int:
        with self._database.read() as connection:
            return text.counts(connection, TEXT_READER, closely=self._closely).waiting

    def _claim(self) -> list[Job]:
        """Claim what waits, or else the next photos that nobody looked at."""
        with self._database.write() as connection:
            batches.close(connection)
            claimed = jobs.claim(connection, self._owner, BATCH, self._now(), text=True)
            while not claimed:
                new = self._unread(connection)
                if not new:
                    break
                text.queue(connection, new, self._now())
                claimed = jobs.claim(connection, self._owner, BATCH, self._now(), text=True)
        return claimed

    def _unread(self, connection: Connection) -> list[int]:
        """Return files of the next photos that nobody looked at; of a list that was made for many of them at once."""
        some = list(islice(self._waiting, BATCH))
        if some:
            # Another process may have read some of them since.
            return text.unread_files(connection, TEXT_READER, None, closely=self._closely, among=some)
        files = text.unread_files(connection, TEXT_READER, LOOKED_UP, closely=self._closely)
        self._waiting = iter(files)
        return list(islice(self._waiting, BATCH))

    def _read(self, claimed: Sequence[Job], tally: Tally, stop: threading.Event) -> None:
        started, left = time.monotonic(), set(claimed)
        try:
            ready = self._ready(claimed, left)
            read: dict[Job, PhotoText] = {}
            for path, answer in self._reader().decode(list(ready)):
                job = ready[path]
                if self._has_changed(job):
                    continue
                if isinstance(answer, DecodedPhoto) and answer.text is not None:
                    read[job] = answer.text
                elif isinstance(answer, PhotoError):
                    self._fail(job, answer, tally)
                    left.discard(job)
                self._renew_when_due(left)
                if stop.wait(self._throttle.reserve()) or stop.is_set():
                    break
            self._store(read, time.monotonic() - started, tally)
            left -= read.keys()
        finally:
            self._release(left, LATER if not stop.is_set() else timedelta(0))

    def _ready(self, claimed: Sequence[Job], left: set[Job]) -> dict[Path, Job]:
        """Count a try of each job whose file is as it was when its content was read; return them by path. Those whose
        files hold no photo any more are done."""
        there = [job for job in claimed if not self._has_changed(job)]
        with self._database.write() as connection:
            known = text.photos_of_files(connection, [job.file_id for job in claimed])
            gone = [job for job in claimed if job.file_id not in known]
            jobs.finish(connection, gone)
            there = [job for job in there if job.file_id in known]
            jobs.begin(connection, there)
            batches.close(connection)
        left.difference_update(gone)
        return {job.path: job for job in there}

    def _has_changed(self, job: Job) -> bool:
        found = read_stat(job.path)
        return found is None or not job.stat.is_unchanged(found)

    def _reader(self) -> Decoder:
        if self._decoder is None:
            function = read_text_closely if self._closely else read_text
            settings = self._settings
            self._decoder = Decoder(1, 1, settings.decode_seconds, settings.max_pixels, function, room=ROOM)
        return self._decoder

    def _store(self, read: dict[Job, PhotoText], seconds: float, tally: Tally) -> None:
        if not read:
            return
        with self._database.write() as connection:
            own = jobs.sort_out(connection, read).own
            photo_of = text.photos_of_files(connection, [job.file_id for job in own])
            texts = {photo_of[job.file_id]: read[job] for job in own if job.file_id in photo_of}
            text.save(connection, texts, TEXT_READER)
            text.save_captions(connection, _captions(connection, texts))
            jobs.finish(connection, list(own))
            by_batch = Counter(job.batch_id for job in own if job.batch_id is not None)
            batches.add_done(connection, by_batch, seconds * by_batch.total() / len(read))
            batches.close(connection)
        tally.text_read += len(texts)
        tally.with_text += sum(bool(each.lines) for each in texts.values())

    def _fail(self, job: Job, error: PhotoError, tally: Tally) -> None:
        with self._database.write() as connection:
            if job not in jobs.sort_out(connection, [job]).own:
                return
            jobs.fail(connection, job, type(error)(f"its text cannot be read: {error}"), self._now())
        tally.text_failed += 1
        tally.errors.append((job.path, error))

    def _renew_when_due(self, left: set[Job]) -> None:
        if time.monotonic() - self._renewed_at > jobs.LEASE.total_seconds() / 10:
            self._renewed_at = time.monotonic()
            with self._database.write() as connection:
                jobs.renew(connection, left, self._now())

    def _release(self, left: set[Job], wait: timedelta) -> None:
        if left:
            with self._database.write() as connection:
                jobs.release(connection, list(left), self._now() + wait)
                batches.close(connection)


def _captions(connection: Connection, texts: dict[int, PhotoText]) -> dict[int, str | None]:
    """Return the captions that text makes of photos that it fills, by photo id."""
    rows = connection.execute(select(photo.c.id, photo.c.looks).where(photo.c.id.in_(list(texts))))
    return {row.id: caption_of(texts[row.id].lines, looks_from(row.looks)) for row in rows}
