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
from functools import partial
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection, select

from photoindex.catalogue import batches, jobs, text
from photoindex.catalogue.database import Database
from photoindex.catalogue.facts import looks_from
from photoindex.catalogue.jobs import Job
from photoindex.catalogue.schema import photo
from photoindex.config import Settings
from photoindex.errors import PhotoError, PhotoOutOfReach, TextReaderUnavailable
from photoindex.indexing import failed_jobs
from photoindex.indexing.claiming import Claimer
from photoindex.indexing.hashing import read_stat
from photoindex.indexing.queue_progress import QueueProgress
from photoindex.indexing.text_gate import TextSieve
from photoindex.indexing.throttle import Throttle
from photoindex.media.decode import Decoder
from photoindex.media.text.caption import caption_of
from photoindex.media.text.read import ROOM, read_text, read_text_closely
from photoindex.media.text.reader_version import INSTALL, TEXT_READER, is_installed
from photoindex.system.file_state import sha256_of
from photoindex.types import DecodedPhoto, FileStat, PhotoText, Progress, Tally

BATCH = 16  # photos of one transaction
LOOKED_UP = 1000  # photos that are looked up at once
# Until a photo whose file is away or changes is tried again; sooner where the catalogue learns that it was moved.
LATER = timedelta(minutes=1)


class TextReading:
    """Reads text for one process. ``notice`` receives why text cannot be read at all, once."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        throttle: Throttle,
        now: Callable[[], datetime],
        notice: Callable[[str], None],
        reachable: Callable[[], set[int] | None] = lambda: None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._throttle = throttle
        self._now = now
        self._notice = notice
        self._reachable = reachable
        self._claimer = Claimer(
            database, None, throttle, now, lease=timedelta(seconds=settings.lease_seconds), most=BATCH,
            reachable=reachable, text=True, refill=self._queue_more,
        )  # fmt: skip
        self._closely = settings.read_text == "always"
        self._unusable = settings.read_text == "never"
        self._decoder: Decoder | None = None
        self._sieve = TextSieve(settings, notice)
        self._waiting: Iterator[int] = iter(())  # files of photos to be looked at
        self._stop = threading.Event()  # of the run
        self._sifted = 0  # photos that needed no look, and are not counted in a tally yet

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
        self._stop, self._waiting = stop, iter(())
        self._claimer.give_back(())  # what it could not give back the last time
        total, reading = 0, QueueProgress("reading text", progress)
        while not stop.is_set() and (claimed := self._claimer.take()):
            self._count_sifted(tally)
            if not total:
                done = tally.text_read + tally.text_failed
                total = done + max(len(claimed), self._count_waiting())  # what was read before waits no more
            try:
                self._read(claimed, tally, stop)
            except TextReaderUnavailable as error:
                self._unusable = True
                self.close()
                self._notice(f"text in photos is not read: {error}")
                return
            stored()
            done = tally.text_read + tally.text_failed
            reading.report(done, max(0, total - done))
            if give_way():
                break
        else:
            self._count_sifted(tally)
            if not stop.is_set():
                reading.end(tally.text_read + tally.text_failed)
        self._count_sifted(tally)

    def _count_sifted(self, tally: Tally) -> None:
        tally.text_read, self._sifted = tally.text_read + self._sifted, 0

    def _can_read(self) -> bool:
        if not self._unusable and not is_installed():
            self._unusable = True
            if self._settings.read_text == "always":
                self._notice(f"text in photos is not read: what reads it is not installed; {INSTALL}")
        return not self._unusable

    def _count_waiting(self) -> int:
        with self._database.read() as connection:
            return text.counts(connection, TEXT_READER, closely=self._closely).waiting

    def next_due(self) -> datetime | None:
        """Return when the next job that waits can be claimed; ``None`` when there is none, or nothing is read."""
        return None if self._unusable or not is_installed() else self._claimer.next_due()

    def _queue_more(self, connection: Connection, now: datetime) -> int | None:
        """Queue the next photos that are to be looked at, a batch of a list that is made for many of them at once;
        return how many. 0: the list was made, and those of it that need no look are done. ``None``: there are none, or
        the run is to stop."""
        if self._stop.is_set():
            return None
        unread = partial(text.unread_files, connection, TEXT_READER, closely=self._closely, roots=self._reachable())
        while some := list(islice(self._waiting, BATCH)):
            if left := unread(None, among=some):  # another process may have read some of them since
                text.queue(connection, left, now)
                return len(left)
        if not (files := unread(LOOKED_UP)):
            return None
        without = {} if self._closely else self._sieve.without_text(connection, files)
        self._store_without_text(connection, list(without.values()))
        self._waiting = iter([number for number in files if number not in without])
        return 0

    def _store_without_text(self, connection: Connection, photo_ids: Sequence[int]) -> None:
        text.save(connection, dict.fromkeys(photo_ids, PhotoText(closely=False)), TEXT_READER)
        text.save_captions(connection, dict.fromkeys(photo_ids))
        self._sifted += len(photo_ids)

    def _read(self, claimed: Sequence[Job], tally: Tally, stop: threading.Event) -> None:
        started, left, wait = time.monotonic(), set(claimed), LATER
        try:
            ready = self._ready(claimed, left)
            read: dict[Job, PhotoText] = {}
            for path, answer in self._reader().decode(list(ready)):
                job, stat = ready[path]
                if read_stat(path) != stat:  # it changed or went meanwhile; the answer may be wrong
                    continue
                if isinstance(answer, DecodedPhoto) and answer.text is not None:
                    read[job] = answer.text
                elif isinstance(answer, PhotoError) and not isinstance(answer, PhotoOutOfReach):
                    self._fail(job, answer, tally)
                    left.discard(job)
                self._claimer.renew_when_due(left)
                if stop.wait(self._throttle.reserve()) or stop.is_set():
                    break
            self._store(read, time.monotonic() - started, tally)
            left -= read.keys()
        except TextReaderUnavailable:
            wait = timedelta(0)  # the files are all right: another machine may read them now
            raise
        finally:
            if left:
                self._claimer.give_back(left, timedelta(0) if stop.is_set() else wait)

    def _ready(self, claimed: Sequence[Job], left: set[Job]) -> dict[Path, tuple[Job, FileStat]]:
        """Count a try of each job whose file holds the content that it held; return them by path, with the state of the
        file. Those whose files hold no photo any more are done."""
        with self._database.read() as connection:
            contents = text.contents_of_files(connection, [job.file_id for job in claimed])
        stats = {job: _state(job, contents[job.file_id]) for job in claimed if job.file_id in contents}
        there = {job.path: (job, stat) for job, stat in stats.items() if stat is not None}
        gone = [job for job in claimed if job not in stats]
        with self._database.write() as connection:
            left -= jobs.pass_on(connection, [job for job, stat in stats.items() if stat is None], self._now())
            jobs.finish(connection, gone)
            jobs.begin(connection, [job for job, _ in there.values()])
            batches.close(connection)
        left.difference_update(gone)
        return there

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
        failure = type(error)(f"its text cannot be read: {error}")
        with self._database.write() as connection:
            ending = failed_jobs.fail(self._database, connection, job, failure, self._now())
        if ending != "left":
            tally.text_failed += 1
            tally.errors.append((job.path, error))


def _state(job: Job, content_hash: str) -> FileStat | None:
    """Return the state of a job's file; ``None`` when it is gone or holds another content. Where only its size is what
    it was, as after a rename, or on a machine whose file system numbers files otherwise, it is read to see."""
    found = read_stat(job.path)
    if found is None or job.stat.is_unchanged(found):
        return found
    if found.size != job.stat.size:
        return None
    try:
        return found if sha256_of(job.path) == content_hash else None
    except OSError:
        return None


def _captions(connection: Connection, texts: dict[int, PhotoText]) -> dict[int, str | None]:
    """Return the captions that text makes of photos that it fills, by photo id."""
    rows = connection.execute(select(photo.c.id, photo.c.looks).where(photo.c.id.in_(list(texts))))
    return {row.id: caption_of(texts[row.id].lines, looks_from(row.looks)) for row in rows}
