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
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from photoindex.captioner import Captioner
from photoindex.captioner.registry import model_setting
from photoindex.catalogue import batches, photos, raw_pairs
from photoindex.catalogue import jobs as jobqueue
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import Job
from photoindex.config import Settings
from photoindex.errors import FullTextError, PhotoError
from photoindex.indexing import save_results
from photoindex.indexing.claimed_jobs import AtHand
from photoindex.indexing.hashing import read_stat
from photoindex.indexing.intake import Intake
from photoindex.indexing.metadata_refresh import PROBLEMS_TOLD, Refresher
from photoindex.indexing.missing_photos import Suspension
from photoindex.indexing.save_results import Result
from photoindex.indexing.throttle import Pace
from photoindex.media.decode import Decoder, Decoding
from photoindex.media.formats import is_developed_name
from photoindex.media.metadata.places import Gazetteer
from photoindex.search import FullText
from photoindex.search.fulltext import sync
from photoindex.search.terms import index as term_index
from photoindex.system.clock import utc_now
from photoindex.system.paths import shown
from photoindex.types import Progress, Tally

logger = logging.getLogger(__name__)

TEXT_SECONDS = 2.0  # the longest a stored caption waits for the index while others are being made


@dataclass
class _Run:
    """What a run over the queue is at."""

    hand: AtHand
    exits: ExitStack = field(default_factory=ExitStack)
    decoding: Decoding | None = None  # none before there is something to decode, which loads the model
    at_once: int = 1  # photos that are captioned together
    batch: list[Result] = field(default_factory=list)  # decoded, to be captioned together
    company: set[int] = field(default_factory=set)  # files that may be of one shot with another
    nothing_due: bool = False  # when last asked, since the last batch
    waiting: int = 0  # jobs that nobody had claimed, when last counted
    renewed: float = field(default_factory=time.monotonic)

    @property
    def is_batch_whole(self) -> bool:
        """Whether there is nothing to wait for before captioning."""
        return self.decoding is None or not self.decoding.left or len(self.batch) >= self.at_once


class Pipeline:
    """Works the queue off. One per process; it owns the decoder's workers and the captioner, both made when needed."""

    def __init__(
        self,
        database: Database,
        full_text: FullText,
        settings: Settings,
        load: Callable[[Settings], Captioner],
        *,
        now: Callable[[], datetime] = utc_now,
        pace: Pace | None = None,
    ) -> None:
        self._database = database
        self._full_text = full_text
        self._settings = settings
        self._load = load
        self._now = now
        self._pace = pace or Pace(settings.max_rate)
        self._owner = jobqueue.owner_name()
        self.model_setting = model_setting(settings)
        self._counted_until = time.monotonic()  # the time up to here is counted to photos that were done
        self._captioner: Captioner | None = None
        self._decoder: Decoder | None = None
        self._model_id: int | None = None
        self._text_synced_at = time.monotonic()
        self._text_refused = False  # in this run: the index takes nothing for now
        self._suspension = Suspension(database, settings, logger.warning)
        self._owed: set[Job] = set()  # to be given back to the queue, which could not take them
        self._gazetteer = Gazetteer()
        self._intake = Intake(database, lambda: self.captioner.identity)
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
            raw_pairs.release_failed(connection)
        # Cheap, and what a caption waits for must not keep dates waiting.
        tally.refreshed += self._refresh(stop, progress, between)
        while self._work(tally, stop, progress, between):
            pass
        tally.refreshed += self._refresh(stop, progress, between)  # copies that have sidecars of their own
        if self._problems > PROBLEMS_TOLD:
            self.notice(f"{self._problems - PROBLEMS_TOLD} more photos have metadata that cannot be read")
        self.sync_full_text()
        term_index.tidy(self._database, self._settings.terms_path)
        return tally

    def _work(
        self,
        tally: Tally,
        stop: threading.Event,
        progress: Callable[[Progress], None] | None,
        between: Callable[[], None] | None,
    ) -> bool:
        """Work off jobs until none is due. Returns whether it ended before that, to claim those at hand anew.

        Jobs are claimed ahead: the next photos are read and decoded while those before them are captioned.
        """
        run = _Run(AtHand(self._database, self._settings, self._suspension, tally, self._now))
        self._counted_until = time.monotonic()

        def report(path: Path | None = None) -> None:
            if progress is not None:
                progress(Progress("captioning", tally.done, tally.done + len(run.hand) + run.waiting, path))

        halted = False
        try:
            with run.exits:
                while not (stop.is_set() or halted):
                    while self._has_room(run) and not stop.is_set():
                        if self._claim_more(run, stop, between) and progress is not None:
                            run.waiting = self._waiting()
                    if not run.hand:
                        break
                    path = self._take_answer(run, stop)
                    if run.is_batch_whole:
                        self._caption(run)
                        halted = self._is_halted(run.hand)
                    report(path)
                    self._renew(run)
            if run.batch:
                self._caption(run)
                report()
        finally:
            self._owed.update(run.hand.jobs)
            self._give_back()
        with self._database.write() as connection:
            batches.close(connection)
        return halted

    def _has_room(self, run: _Run) -> bool:
        """Whether more jobs may be claimed now. Suspects stay among themselves, and a slow pace claims little."""
        if run.nothing_due or not run.hand:
            return not run.nothing_due
        slowed = self._pace.at_once(jobqueue.CLAIM) < jobqueue.CLAIM
        return not (run.hand.has_suspects or slowed) and len(run.hand) <= jobqueue.CLAIM * 3 // 2

    def _claim_more(self, run: _Run, stop: threading.Event, between: Callable[[], None] | None) -> bool:
        """Claim and read jobs and have their photos decoded. Returns whether there are such photos."""
        before = len(run.hand), run.hand.tally.done
        claimed = self._claim(run.hand, between)
        paths = self._intake.read(claimed, run.hand, stop)
        # What was put off because of what is at hand would be claimed and put off without end.
        run.nothing_due = not claimed or (bool(run.hand) and before == (len(run.hand), run.hand.tally.done))
        if not paths or stop.is_set():
            return False
        if run.decoding is None:
            run.decoding = run.exits.enter_context(self._ready_decoder().decoding())
            run.at_once = self._pace.at_once(self.captioner.batch_size, seconds=1.0)
        run.company |= self._begin([job for job in claimed if job in run.hand.jobs])
        run.decoding.add(paths)
        return True

    def _claim(self, hand: AtHand, between: Callable[[], None] | None) -> list[Job]:
        if between is not None:
            waited = time.monotonic()
            between()
            self._counted_until += time.monotonic() - waited
        most = jobqueue.CLAIM // 2 if hand else self._pace.at_once(jobqueue.CLAIM)
        with self._database.write() as connection:
            batches.close(connection)
            claimed = jobqueue.claim(
                connection, self._owner, most, self._now(), self.model_setting, untried=len(hand) > 0
            )
        hand.take(claimed)
        return claimed

    def _ready_decoder(self) -> Decoder:
        """The decoder, with the model loaded, for which nobody's rate is to blame."""
        loading = time.monotonic()
        decoder = self.decoder
        self._counted_until += time.monotonic() - loading
        return decoder

    def _begin(self, jobs: Sequence[Job]) -> set[int]:
        """Returns the files that may be of one shot with another.

        The model is loaded and the bytes are read: from here on a file may be what ends this process.
        """
        with self._database.write() as connection:
            jobqueue.begin(connection, jobs)
            return raw_pairs.in_company(connection, [job.file_id for job in jobs])

    def _renew(self, run: _Run) -> None:
        """Push back the end of the leases, once in a while."""
        if time.monotonic() - run.renewed > jobqueue.LEASE.total_seconds() / 10:
            run.renewed = time.monotonic()
            with self._database.write() as connection:
                jobqueue.renew(connection, run.hand.jobs, self._now())

    def _give_back(self) -> None:
        """Release what is not done. When the catalogue refuses that as well, the next run begins with it."""
        if self._owed:
            with self._database.write() as connection:
                jobqueue.release(connection, list(self._owed), self._now())
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

    # decode -> caption -> store

    def _take_answer(self, run: _Run, stop: threading.Event) -> Path | None:
        """Sort what comes next of the decoder: to be captioned, or away with it. Returns its path."""
        if run.decoding is None or not run.decoding.left:
            return None
        path, answer = run.decoding.next()
        stop.wait(self._pace.begin())
        hand, group = run.hand, run.hand.decoded(path)
        if read_stat(path) != group[0].stat:  # it changed or went since it was hashed; the answer may be wrong
            hand.put_off([ready.job for ready in group])
        elif isinstance(answer, PhotoError):
            for ready in group:
                error = type(answer)(str(answer).replace(shown(path), shown(ready.job.path)))
                hand.fail(ready.job, error, ready.content_hash)
        elif group[0].job.file_id not in run.company or not self._adopt(hand, Result(group, answer)):
            run.batch.append(Result(group, answer))
        return path

    def _caption(self, run: _Run) -> None:
        """Caption and store the photos that were decoded."""
        batch, run.batch, run.nothing_due = run.batch, [], False
        if batch:
            self._caption_and_store(run.hand, batch)

    def _caption_and_store(self, hand: AtHand, batch: Sequence[Result]) -> None:
        captioner = self.captioner
        predictions = captioner.caption([result.decoded.pixels for result in batch])
        with self._database.write() as connection:
            if self._model_id is None:
                self._model_id = photos.ensure_model(
                    connection, captioner.identity, captioner.name, captioner.encoder, captioner.terms
                )
            own, gone = save_results.sort_out(connection, batch)
            kept = own | gone
            ids = dict(
                zip(kept, save_results.save_contents(connection, list(kept.values()), self._gazetteer), strict=True)
            )
            said = {ids[place]: predictions[place] for place in kept}
            photos.save_predictions(connection, said, self._model_id, captioner.settings)
            save_results.link(connection, {ids[place]: result for place, result in own.items()})
            done = [ready for result in own.values() for ready in result.group]
            now = time.monotonic()
            asked_for = save_results.by_batch(done)
            share = asked_for.total() / len(done) if done else 0.0
            batches.add_done(connection, asked_for, (now - self._counted_until) * share)
            self._counted_until = now
        for result in batch:
            self._tell(result.decoded.problems)
        hand.leave([ready.job for result in batch for ready in result.group])
        hand.tally.captioned += len(own)
        hand.tally.recognised += len(done) - len(own)
        if time.monotonic() - self._text_synced_at > TEXT_SECONDS and not self._text_refused:
            try:
                self.sync_full_text()
            except FullTextError:  # tried again at the end of the run; until then the marks stay
                self._text_refused = True
            term_index.tidy(self._database, self._settings.terms_path, busy=True)

    def _adopt(self, hand: AtHand, result: Result) -> bool:
        """A JPEG whose raw file was captioned before it came needs no caption: the photo becomes the JPEG's."""
        first = result.group[0]
        if first.job.again or not is_developed_name(first.job.path):
            return False
        with self._database.read() as connection:
            if raw_pairs.adoptable(connection, first.job.file_id) is None:
                return False
        with self._database.write() as connection:
            photo_id = raw_pairs.adoptable(connection, first.job.file_id)
            if photo_id is None or photos.find_by_hash(connection, [first.content_hash]):
                return False
            own, _ = save_results.sort_out(connection, [result])
            if own:
                photos.change_content(connection, photo_id, first.content_hash, first.stat.size)
                save_results.save_contents(connection, [own[0]], self._gazetteer)
                save_results.link(connection, {photo_id: own[0]})
        hand.leave([ready.job for ready in result.group])
        hand.tally.recognised += len(own[0].group) if own else 0
        return True

    def _is_halted(self, hand: AtHand) -> bool:
        """Whether a batch that has jobs at hand was paused or cancelled: then all at hand are given back, and claimed
        anew without them."""
        ids = hand.batch_ids
        if not ids:
            return False
        with self._database.read() as connection:
            return batches.any_halted(connection, ids)

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
        written = sync.sync(self._database, self._full_text, self._settings)
        self._text_synced_at = time.monotonic()
        return written
