"""A photo's way: claim -> read -> decode -> caption -> store -> full text.

Every hand-over is a committed transaction: a job is deleted in the same one that stores its caption and marks the photo
for the full-text index, and the mark is cleared only after the index has committed. Killed anywhere, the next run goes
on from there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from sqlalchemy import Connection

from photoindex import batches, fulltext, jobqueue, results, termindex
from photoindex.captioner import Captioner
from photoindex.config import Settings
from photoindex.decode import Decoder
from photoindex.errors import EmptyPhoto, FullTextError, PhotoError, UnreadablePhoto
from photoindex.jobqueue import Job
from photoindex.metadata.places import Gazetteer
from photoindex.pace import Pace
from photoindex.paths import shown
from photoindex.photoformats import is_developed_name, is_raw_name
from photoindex.reading import Absent, Changing, Ready, read_file, read_stat
from photoindex.refresh import PROBLEMS_TOLD, Refresher
from photoindex.results import Result
from photoindex.search import FullText
from photoindex.store import files, pairs, photos
from photoindex.store.database import Database
from photoindex.suspension import Suspension
from photoindex.types import Progress, Tally

logger = logging.getLogger(__name__)

TEXT_SECONDS = 2.0  # the longest a stored caption waits for the index while others are being made
ROOT_AWAY = timedelta(minutes=10)


class Pipeline:
    """Works the queue off. One per process; it owns the decoder's workers and the captioner, both made when needed."""

    def __init__(
        self,
        database: Database,
        full_text: FullText,
        settings: Settings,
        load: Callable[[Settings], Captioner],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        pace: Pace | None = None,
    ) -> None:
        self._database = database
        self._full_text = full_text
        self._settings = settings
        self._load = load
        self._now = now
        self._pace = pace or Pace(settings.max_rate)
        self._owner = jobqueue.owner_name()
        self.model_setting = batches.model_setting(settings)
        self._counted_until = time.monotonic()  # the time up to here is counted to photos that were done
        self._captioner: Captioner | None = None
        self._decoder: Decoder | None = None
        self._model_id: int | None = None
        self._text_synced_at = time.monotonic()
        self._text_refused = False  # in this run: the index takes nothing for now
        self._suspension = Suspension(database, settings, logger.warning)
        self._owed: dict[int, Job] = {}  # to be given back to the queue, which could not take them
        self._gazetteer = Gazetteer()
        self._refresher = Refresher(database, settings, self._gazetteer)
        self._problems = 0  # of metadata, in this run
        self.notice: Callable[[str], None] = lambda _: None  # hears of metadata that cannot be read

    @property
    def captioner(self) -> Captioner:
        """The model, loaded when first asked for: an idle watcher never pays for torch."""
        if self._captioner is None:
            self._captioner = self._load(self._settings)
        return self._captioner

    @property
    def decoder(self) -> Decoder:
        """The decoding workers, for the model's size of picture."""
        if self._decoder is None:
            self._decoder = Decoder.by_settings(self._settings, self.captioner.input_size)
        return self._decoder

    @property
    def at_rest(self) -> bool:
        """Whether neither the model nor decoder workers are held."""
        return self._captioner is None and self._decoder is None

    def close(self) -> None:
        """Let go of the model and stop the decoder's workers; both come back when there is work."""
        self._gazetteer.close()
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None
        if self._captioner is not None:
            self._captioner.close()
            self._captioner = self._model_id = None

    def run(
        self,
        *,
        stop: threading.Event | None = None,
        progress: Callable[[Progress], None] | None = None,
        between: Callable[[], None] | None = None,
        tally: Tally | None = None,
    ) -> Tally:
        """Work off every job that is due, then bring the full-text index and the impact matrix up to date.

        ``stop`` ends the run after the photo at hand; ``between`` is called before every batch of jobs is claimed.
        What was done is added to ``tally`` at once, so that it is known also when the run fails.

        Raises :class:`CatalogueError`, :class:`FullTextError` or :class:`CaptionerCrashed`; run again, it goes on where
        it was. An index that refuses to be written keeps no photo from being captioned: it is told at the end.
        """
        stop = stop or threading.Event()
        tally = Tally() if tally is None else tally
        self._text_refused = False
        self._problems = 0
        self._give_back()
        with self._database.write() as connection:
            jobqueue.take_back_dead(connection, self._now())
            pairs.release_failed(connection)
        # Cheap, and what a caption waits for must not keep dates waiting.
        tally.refreshed += self._refresh(stop, progress, between)
        while not stop.is_set():
            if between is not None:
                between()
            with self._database.write() as connection:
                most = self._pace.at_once(jobqueue.CLAIM)
                claimed = jobqueue.claim(connection, self._owner, most, self._now(), self.model_setting)
            if not claimed:
                break
            self._work(claimed, tally, stop, progress)
            with self._database.write() as connection:
                batches.close(connection)
        tally.refreshed += self._refresh(stop, progress, between)  # copies that have sidecars of their own
        if self._problems > PROBLEMS_TOLD:
            self.notice(f"{self._problems - PROBLEMS_TOLD} more photos have metadata that cannot be read")
        self.sync_full_text()
        termindex.tidy(self._database, self._settings.terms_path)
        return tally

    def _work(
        self,
        claimed: Sequence[Job],
        tally: Tally,
        stop: threading.Event,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        unfinished = {job.id: job for job in claimed}
        self._counted_until = time.monotonic()
        try:
            ready = self._read(claimed, unfinished, tally, stop)
            self._decode_and_caption(ready, unfinished, tally, stop, progress)
        finally:
            self._owed.update(unfinished)
            self._give_back()

    def _give_back(self) -> None:
        """Release what is not done. When the catalogue refuses that as well, the next run begins with it."""
        if self._owed:
            with self._database.write() as connection:
                jobqueue.release(connection, list(self._owed.values()), self._now())
                batches.close(connection)  # those that were cancelled are not to be done after all
            self._owed.clear()

    def _refresh(
        self,
        stop: threading.Event,
        progress: Callable[[Progress], None] | None,
        between: Callable[[], None] | None,
    ) -> int:
        return self._refresher.run(stop=stop, progress=progress, between=between, notice=self._tell)

    def _tell(self, problems: Sequence[str]) -> None:
        for line in problems:
            self._problems += 1
            if self._problems <= PROBLEMS_TOLD:
                self.notice(line)

    # claim -> read

    def _read(
        self, claimed: Sequence[Job], unfinished: dict[int, Job], tally: Tally, stop: threading.Event
    ) -> dict[Path, list[Ready]]:
        """Hash each file. Content that has a caption is linked at once; the rest is returned, grouped by content. A job
        to caption anew asks for a caption that was made since it was queued.

        The group's key is the path to decode; the others in it hold the same bytes.
        """
        found: list[Ready] = []
        for job in claimed:
            if stop.is_set():
                break
            if self._is_companion(job):
                unfinished.pop(job.id)
                tally.recognised += 1
                continue
            try:
                ready = read_file(job)
            except Absent:
                self._absent(job, unfinished)
            except Changing:
                self._put_off(job, unfinished)
            except OSError as error:
                reason = f"{error.strerror or error}; check its permissions and its disk"
                self._fail(job, UnreadablePhoto(f"cannot read {shown(job.path)}: {reason}"), unfinished, tally)
            else:
                if ready.stat.size:
                    found.append(ready)
                else:
                    empty = EmptyPhoto(f"{shown(job.path)} is empty: it has no bytes; copy it again")
                    self._fail(job, empty, unfinished, tally, ready.content_hash)
        by_hash: dict[str, list[Ready]] = {}
        for ready in self._without_known(found, unfinished, tally):
            by_hash.setdefault(ready.content_hash, []).append(ready)
        return {group[0].job.path: group for group in by_hash.values()}

    def _is_companion(self, job: Job) -> bool:
        """Whether a raw file was found to lie beside its JPEG, which stands for it."""
        if not is_raw_name(job.path) or read_stat(job.path) is None:
            return False
        with self._database.write() as connection:
            joined = bool(pairs.settle(connection, [job.file_id]))
            if joined:
                jobqueue.finish(connection, [job.id])
        return joined

    def _absent(self, job: Job, unfinished: dict[int, Job]) -> None:
        """A file that is gone is marked missing; one whose whole root is away is only tried later."""
        away = self._suspension.is_away(job.root) or self._suspension.removed([job.path]) > 0
        with self._database.write() as connection:
            # One that was renamed meanwhile still has its job, under the new name.
            jobqueue.release(connection, [job], self._now() + ROOT_AWAY if away else self._now())
        unfinished.pop(job.id)

    def _put_off(self, job: Job, unfinished: dict[int, Job]) -> None:
        """The file changes while it is read: read it again when it may have come to rest."""
        with self._database.write() as connection:
            jobqueue.release(connection, [job], self._now() + timedelta(seconds=self._settings.settle_seconds))
        unfinished.pop(job.id)

    def _without_known(self, found: Sequence[Ready], unfinished: dict[int, Job], tally: Tally) -> list[Ready]:
        """Link the files whose content has its caption; returns the others."""
        with self._database.read() as connection:
            met = photos.find_by_hash(connection, {ready.content_hash for ready in found})
            known, others = [], []
            for ready in found:
                photo_id, has_caption = met.get(ready.content_hash, (0, False))
                if has_caption and (not ready.job.again or self._was_captioned(connection, photo_id, ready.job)):
                    known.append((ready, photo_id))
                else:
                    others.append(ready)
        if known:
            with self._database.write() as connection:
                results.recognise(connection, known)
        for ready, _ in known:
            unfinished.pop(ready.job.id)
        tally.recognised += len(known)
        return others

    def _was_captioned(self, connection: Connection, photo_id: int, job: Job) -> bool:
        return photos.was_captioned(connection, photo_id, self.captioner.identity, job.queued_at)

    # decode -> caption -> store

    def _decode_and_caption(
        self,
        groups: dict[Path, list[Ready]],
        unfinished: dict[int, Job],
        tally: Tally,
        stop: threading.Event,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        if not groups or stop.is_set():
            return
        loading = time.monotonic()
        captioner, decoder = self.captioner, self.decoder
        self._counted_until += time.monotonic() - loading
        # The model is loaded and the bytes are read: from here on a file may be what ends this process.
        jobs = [ready.job for group in groups.values() for ready in group]
        with self._database.write() as connection:
            jobqueue.begin(connection, jobs)
            in_company = pairs.in_company(connection, [job.file_id for job in jobs])
        batch: list[Result] = []
        renewed = time.monotonic()
        waiting = self._waiting() if progress is not None else 0
        batch_size = self._pace.at_once(captioner.batch_size, seconds=1.0)
        for path, answer in decoder.decode(list(groups)):
            stop.wait(self._pace.begin())
            group = groups[path]
            if read_stat(path) != group[0].stat:  # it changed or went since it was hashed; the answer may be wrong
                for ready in group:
                    self._put_off(ready.job, unfinished)
            elif isinstance(answer, PhotoError):
                for ready in group:
                    error = type(answer)(str(answer).replace(shown(path), shown(ready.job.path)))
                    self._fail(ready.job, error, unfinished, tally, ready.content_hash)
            elif group[0].job.file_id in in_company and self._adopt(Result(group, answer), unfinished, tally):
                pass
            else:
                batch.append(Result(group, answer))
            if len(batch) >= batch_size:
                self._caption_and_store(batch, unfinished, tally)
                batch = []
                if self._halted(unfinished):
                    break
            if progress is not None:
                progress(Progress("captioning", tally.done, tally.done + len(unfinished) + waiting, path))
            if time.monotonic() - renewed > jobqueue.LEASE.total_seconds() / 10:
                renewed = time.monotonic()
                with self._database.write() as connection:
                    jobqueue.renew(connection, self._owner, self._now())
            if stop.is_set():
                break
        if batch:
            self._caption_and_store(batch, unfinished, tally)
            if progress is not None:
                progress(Progress("captioning", tally.done, tally.done + len(unfinished) + waiting))

    def _caption_and_store(self, batch: Sequence[Result], unfinished: dict[int, Job], tally: Tally) -> None:
        captioner = self.captioner
        predictions = captioner.caption([result.decoded.pixels for result in batch])
        with self._database.write() as connection:
            if self._model_id is None:
                self._model_id = photos.ensure_model(
                    connection, captioner.identity, captioner.name, captioner.encoder, captioner.terms
                )
            ids = results.save_contents(connection, batch, self._gazetteer)
            said = dict(zip(ids, predictions, strict=True))
            photos.save_predictions(connection, said, self._model_id, captioner.settings)
            results.link(connection, dict(zip(ids, batch, strict=True)))
            done = [ready for result in batch for ready in result.group]
            now = time.monotonic()
            asked_for = results.by_batch(done)
            batches.add_done(connection, asked_for, (now - self._counted_until) * asked_for.total() / len(done))
            self._counted_until = now
        for result in batch:
            self._tell(result.decoded.problems)
        for ready in done:
            unfinished.pop(ready.job.id)
        tally.captioned += len(batch)
        tally.recognised += len(done) - len(batch)
        if time.monotonic() - self._text_synced_at > TEXT_SECONDS and not self._text_refused:
            try:
                self.sync_full_text()
            except FullTextError:  # tried again at the end of the run; until then the marks stay
                self._text_refused = True
            termindex.tidy(self._database, self._settings.terms_path, busy=True)

    def _adopt(self, result: Result, unfinished: dict[int, Job], tally: Tally) -> bool:
        """A JPEG whose raw file was captioned before it came needs no caption: the photo becomes the JPEG's."""
        first = result.group[0]
        if first.job.again or not is_developed_name(first.job.path):
            return False
        with self._database.read() as connection:
            if pairs.adoptable(connection, first.job.file_id) is None:
                return False
        with self._database.write() as connection:
            photo_id = pairs.adoptable(connection, first.job.file_id)
            if photo_id is None or photos.find_by_hash(connection, [first.content_hash]):
                return False
            photos.change_content(connection, photo_id, first.content_hash, first.stat.size)
            results.save_contents(connection, [result], self._gazetteer)
            results.link(connection, {photo_id: result})
        tally.recognised += len(result.group)
        for ready in result.group:
            unfinished.pop(ready.job.id)
        return True

    def _fail(
        self,
        job: Job,
        error: PhotoError,
        unfinished: dict[int, Job],
        tally: Tally,
        content_hash: str | None = None,
    ) -> None:
        """``content_hash``: what the file's bytes hash to, when they could be read."""
        with self._database.write() as connection:
            if not jobqueue.fail(connection, job, error, self._now()):
                pairs.release(connection, [job.file_id])
            if content_hash is not None:
                files.unlink_photo(connection, job.file_id, content_hash)
        unfinished.pop(job.id)
        tally.failed += 1
        tally.errors.append((job.path, error))

    def _halted(self, unfinished: dict[int, Job]) -> bool:
        """Whether a batch that has jobs at hand was paused or cancelled: then all at hand are given back, and claimed
        anew without them."""
        at_hand = {job.batch_id for job in unfinished.values() if job.batch_id is not None}
        if not at_hand:
            return False
        with self._database.read() as connection:
            return batches.any_halted(connection, sorted(at_hand))

    def _waiting(self) -> int:
        """How many jobs nobody has claimed; counting them takes milliseconds when there are many."""
        with self._database.read() as connection:
            return jobqueue.count_due(connection, self._now(), self.model_setting)

    def next_due(self) -> datetime | None:
        """When the next job that this pipeline may do can be claimed."""
        with self._database.read() as connection:
            return jobqueue.next_due(connection, self.model_setting)

    # store -> full text

    def sync_full_text(self) -> int:
        """Bring the full-text index up to date with the catalogue's marks; returns how many photos were written."""
        written = fulltext.sync(self._database, self._full_text, self._settings)
        self._text_synced_at = time.monotonic()
        return written
