"""A photo's way: claim -> hash -> decode -> caption -> store -> index; and then the text in it.

Every hand-over is a committed transaction: a job is deleted in the same one that stores its caption and marks the photo
for the full-text index, and the mark is cleared only after the index has committed. Killed anywhere, the next run
continues from there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from photoindex.captioner import Captioner
from photoindex.captioner.registry import model_setting
from photoindex.catalogue import batches, jobs, photos
from photoindex.catalogue.database import Database
from photoindex.config import Settings
from photoindex.errors import CaptionerCrashed, CaptionerFailed, CaptionerHung, PhotoError, PhotoOutOfReach
from photoindex.indexing import save_results
from photoindex.indexing.claimed_jobs import ClaimedJobs
from photoindex.indexing.claiming import Claimer
from photoindex.indexing.hashing import read_stat
from photoindex.indexing.held_decoder import HeldDecoder
from photoindex.indexing.held_model import HeldModel, Suspects
from photoindex.indexing.index_sync import IndexSync
from photoindex.indexing.intake import Intake
from photoindex.indexing.metadata_refresh import MOST_PROBLEMS, Refresher
from photoindex.indexing.missing_photos import MissingPhotos
from photoindex.indexing.queue_progress import QueueProgress
from photoindex.indexing.raw_adoption import adopt
from photoindex.indexing.save_results import Result
from photoindex.indexing.text_reading import TextReading
from photoindex.indexing.throttle import Throttle
from photoindex.indexing.work_clock import WorkClock
from photoindex.media.decode import Decoder, Decoding
from photoindex.media.metadata.places import Gazetteer
from photoindex.media.thumbnail_files import ThumbnailFiles
from photoindex.search import FullText
from photoindex.system.paths import shown
from photoindex.system.units import counted
from photoindex.types import Prediction, Progress, Tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TURN_SECONDS: Final = 0.1  # between two looks of a thread that waits for its turn, whether it is to stop


@dataclass
class _Run:
    """The state of one run over the queue."""

    claimed: ClaimedJobs
    exits: ExitStack = field(default_factory=ExitStack)
    decoding: Decoding | None = None  # none before there is something to decode, which loads the model
    batch_size: int = 1  # photos that are captioned together
    batch: list[Result] = field(default_factory=list)  # decoded, to be captioned together
    keeper: Executor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="thumbnails"))
    kept: Future[None] | None = None  # the thumbnails of the last batch
    siblings: set[int] = field(default_factory=set)  # ids of files that may be of one shot with another
    nothing_due: bool = False  # when last asked, since the last batch
    waiting: int = 0  # jobs that nobody had claimed, when last counted

    @property
    def is_batch_full(self) -> bool:
        """Whether there is nothing to wait for before captioning."""
        return self.decoding is None or not self.decoding.left or len(self.batch) >= self.batch_size


class Pipeline:
    """Works off the queue. One per process; it owns the decoder's workers and the captioner, both made when needed.
    Threads that run it take turns.

    ``missing`` judges files that are gone; whoever else judges them in this process uses the same one. Without a
    ``full_text`` index none is kept. ``reachable`` returns the ids of the roots whose jobs it takes; ``None``: all.
    """

    def __init__(
        self,
        database: Database,
        full_text: FullText | None,
        settings: Settings,
        load: Callable[[Settings], Captioner],
        *,
        now: Callable[[], datetime] | None = None,
        throttle: Throttle | None = None,
        missing: MissingPhotos | None = None,
        reachable: Callable[[], set[int] | None] = lambda: None,
    ) -> None:
        self.missing = missing or MissingPhotos(database, settings)
        self.model_setting = model_setting(settings.model)
        self.notice: Callable[[str], None] = lambda _: None  # receives metadata that cannot be read, a line each
        self._database = database
        self._settings = settings
        self._now = now or database.now
        self._throttle = throttle or Throttle(settings.max_rate)
        self._claimer = Claimer(
            database, self.model_setting, self._throttle, lambda: self._now(),
            lease=timedelta(seconds=settings.lease_seconds), most=settings.claim or jobs.CLAIM, reachable=reachable,
        )  # fmt: skip
        self._clock = WorkClock()
        self._index = IndexSync(database, full_text, settings)
        self._model = HeldModel(load, settings, lambda line: self.notice(line))
        self._suspects = Suspects()
        self._decoder = HeldDecoder(settings, lambda line: self.notice(line))
        self._model_id: int | None = None
        self._gazetteer = Gazetteer()
        self._thumbnails = ThumbnailFiles(settings.thumbnails_path, settings.thumbnail_megabytes * 1_000_000)
        self._intake = Intake(database, lambda: self.captioner.info.identity)
        self._refresher = Refresher(database, settings, self._gazetteer, reachable)
        self._text = TextReading(
            database, settings, self._throttle, lambda: self._now(), lambda line: self.notice(line), reachable
        )
        self._turn = threading.RLock()
        self._problems = 0  # of metadata, in this run
        self._announced = False  # that metadata is read again

    @property
    def captioner(self) -> Captioner:
        """The model, loaded when first used: an idle watcher never pays for torch."""
        return self._model.get()

    @property
    def decoder(self) -> Decoder:
        """The decoding workers, for the model's input size."""
        return self._decoder.get(self.captioner.info)

    def caption(self, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Return what the model says of photos. Raises :class:`ModelError`, and :class:`CatalogueError` once the
        library is closed: the model would be loaded for it again."""
        self._database.check_open()
        return self._model.caption(photos)

    @contextmanager
    def turn(self, stop: threading.Event | None = None) -> Iterator[bool]:
        """Wait until no other thread uses the decoder, and have it alone for the block; False when ``stop`` was set
        before."""
        if stop is None:
            with self._turn:
                yield True
            return
        while not (has_turn := self._turn.acquire(timeout=TURN_SECONDS)) and not stop.is_set():
            pass
        try:
            yield has_turn
        finally:
            if has_turn:
                self._turn.release()

    @property
    def at_rest(self) -> bool:
        """Whether neither the model nor worker processes are held."""
        return not self._decoder.is_held and self._text.at_rest and not self._model.is_loaded

    def close(self) -> None:
        """Release the model and stop the decoding workers; both are made again when there is work."""
        self._gazetteer.close()
        self._text.close()
        self._decoder.close()
        self._release_model()

    def _release_model(self) -> None:
        self._model.close()
        self._model_id = None

    def run(
        self,
        *,
        stop: threading.Event | None = None,
        progress: Callable[[Progress], None] | None = None,
        between: Callable[[], None] | None = None,
        tally: Tally | None = None,
        caption: bool = True,
        refresh: bool = True,
    ) -> Tally:
        """Work off every job that is due, then bring the full-text index and the impact matrix up to date.

        ``stop`` ends the run after the photo in work; ``between`` is called before every batch of jobs is claimed.
        What was done is added to ``tally`` at once, so that it is known even when the run fails. Without ``caption``
        the queue is left to workers, and without ``refresh`` no metadata are read again.

        Raises :class:`CatalogueError`, :class:`FullTextError` or :class:`ModelError`; the next run continues
        where this one was. An index that cannot be written keeps no photo from being captioned: it raises at the end.
        """
        stop = stop or threading.Event()
        tally = Tally() if tally is None else tally
        with self.turn(stop) as has_turn:
            if has_turn:
                self._run(tally, stop, progress, between, caption, refresh)
        return tally

    def _run(
        self,
        tally: Tally,
        stop: threading.Event,
        progress: Callable[[Progress], None] | None,
        between: Callable[[], None] | None,
        caption: bool,
        refresh: bool,
    ) -> None:
        self._index.begin_run(stop.is_set)
        self._problems = 0
        self._claimer.take_back_dead()
        # First, as it is cheap: dates must not wait behind captions.
        if refresh:
            self._refresh(tally, stop, progress, between)
        while True:
            while caption and self._work(tally, stop, progress, between):
                pass
            if not refresh:
                break
            self._refresh(tally, stop, progress, between)  # copies that have sidecars of their own
            if self._read_older(tally, stop, progress, between):
                continue
            if not self._read_text(tally, stop, progress, between):
                break
        if self._problems > MOST_PROBLEMS:
            self.notice(f"{self._problems - MOST_PROBLEMS} more photos have metadata that cannot be read")
        self.note_words_left(tally)
        self._decoder.note_problem()
        self._index.finish_run()

    def note_words_left(self, tally: Tally) -> None:
        """Say of how many files people's words stayed with the picture that was there before."""
        if tally.words_left:
            count = counted(len(tally.words_left), "file holds", "files hold")
            self.notice(
                f"{count} another picture now, and people's words stayed with the old one: {shown(tally.words_left[0])}"
                f"{' and others' if len(tally.words_left) > 1 else ''}; put the old file back anywhere in the folder,"
                " or say them of the new one with `photoindex edit`"
            )
            tally.words_left.clear()

    def next_due(self) -> datetime | None:
        """Return when the next job that this pipeline may do can be claimed; ``None`` when there is none."""
        due = self._claimer.next_due(), self._text.next_due()
        return min((each for each in due if each is not None), default=None)

    def _work(
        self,
        tally: Tally,
        stop: threading.Event,
        progress: Callable[[Progress], None] | None,
        between: Callable[[], None] | None,
    ) -> bool:
        """Work off jobs until none is due. Return whether it ended earlier, to claim again without halted batches."""
        run = _Run(ClaimedJobs(self._database, self._settings, self.missing, tally, self._now))
        self._clock.restart()
        captioning = QueueProgress("captioning", progress)

        def report(path: Path | None = None) -> None:
            captioning.report(tally.done, len(run.claimed) + run.waiting, path)

        halted = False
        try:
            with run.exits:
                while not (stop.is_set() or halted):
                    while not run.nothing_due and self._claimer.has_room(run.claimed) and not stop.is_set():
                        if self._claim_more(run, stop, between) and captioning.is_wanted:
                            run.waiting = self._claimer.count_waiting()
                            report()  # what is known already is done by now, and not captioned below
                    if not run.claimed:
                        break
                    path = self._take_answer(run, stop)
                    if run.is_batch_full:
                        self._caption(run, stop)
                        halted = self._claimer.is_halted(run.claimed)
                    report(path)
                    self._claimer.renew_when_due(run.claimed.jobs)
            if run.batch:
                self._caption(run, stop)
            if not (stop.is_set() or halted):
                captioning.end(tally.done)
        finally:
            run.keeper.shutdown()
            self._claimer.give_back(run.claimed.jobs)
        with self._database.write() as connection:
            batches.close(connection)
        return halted

    def _claim_more(self, run: _Run, stop: threading.Event, between: Callable[[], None] | None) -> bool:
        """Claim and hash jobs and have their photos decoded. Return whether there were such jobs."""
        if between is not None:
            with self._clock.paused():
                between()
        before = len(run.claimed), run.claimed.tally.done
        new = self._claimer.claim(run.claimed)

        def working() -> None:
            self._claimer.renew_when_due(run.claimed.jobs)

        paths = self._intake.read(new, run.claimed, stop, working)
        # Jobs that were postponed because of those already claimed would be claimed and postponed without end.
        run.nothing_due = not new or (bool(run.claimed) and before == (len(run.claimed), run.claimed.tally.done))
        if not new:
            run.waiting = 0  # others may have claimed what was counted
        if not paths or stop.is_set():
            return bool(new)
        if run.decoding is None:
            with self._clock.paused():  # the model is loaded here
                decoder = self.decoder
            working()
            run.decoding = run.exits.enter_context(decoder.decoding())
            # No more than are claimed at once: the next ones are to be decoded meanwhile.
            most = min(self.captioner.info.batch_size, self._claimer.most)
            run.batch_size = self._throttle.batch_size(most, seconds=1.0)
        run.siblings |= self._claimer.begin([job for job in new if job in run.claimed.jobs])
        run.decoding.add(paths)
        return True

    def _take_answer(self, run: _Run, stop: threading.Event) -> Path | None:
        """Take the decoder's next answer: a photo to caption, or one that failed or changed. Return its path."""
        if run.decoding is None or not run.decoding.left:
            return None
        path, answer = run.decoding.next()
        stop.wait(self._throttle.reserve())
        claimed, group = run.claimed, run.claimed.take_decoded(path)
        if read_stat(path) != group[0].stat:  # it changed or went since it was hashed; the answer may be wrong
            claimed.postpone([hashed.job for hashed in group])
        elif isinstance(answer, PhotoOutOfReach):
            for hashed in group:
                claimed.put_off(hashed.job, answer.reason)
        elif isinstance(answer, PhotoError):
            for hashed in group:
                error = type(answer)(str(answer).replace(shown(path), shown(hashed.job.path)))
                claimed.fail(hashed.job, error, hashed.content_hash)
        else:
            result = Result(group, answer)
            adopted = None
            if group[0].job.file_id in run.siblings:
                adopted = adopt(self._database, self._gazetteer, result)
            if adopted is None:
                run.batch.append(result)
            else:
                claimed.remove([hashed.job for hashed in group])
                claimed.tally.recognised += adopted
        return path

    def _caption(self, run: _Run, stop: threading.Event) -> None:
        """Caption and store the photos that were decoded. Those with which the captioner ended are taken one by one."""
        batch, run.batch, run.nothing_due = run.batch, [], False
        if not batch:
            return
        # Photos are decoded side by side; in the order they were queued in they get the same numbers in each library.
        batch.sort(key=lambda result: min(hashed.job.id for hashed in result.group))
        parts = self._suspects.parts(batch)
        while parts:
            part = parts.pop(0)
            self._model.get()  # what goes wrong here is no photo's fault
            try:
                self._caption_part(run, part)
            except CaptionerCrashed as error:
                to_blame = self._suspects.is_to_blame(part, error)
                self._release_model()
                if to_blame and self._model.use_cpu(error):
                    self._suspects.begin_again(part)
                    parts.insert(0, part)
                elif to_blame:
                    self._fail_part(run, part, error)
                elif isinstance(error, CaptionerHung):
                    each = "what it had is captioned photo by photo" if len(part) > 1 else "the photo is tried again"
                    self.notice(f"{error}: the model is started again, {each}; nothing is lost")
                    parts = [*([result] for result in part), *parts]
                else:
                    raise
                if stop.is_set():  # what is left is given back to the queue
                    break
            self._claimer.renew_when_due(run.claimed.jobs)
        self._index.sync_when_due()

    def _fail_part(self, run: _Run, part: Sequence[Result], error: CaptionerCrashed) -> None:
        for hashed in [hashed for result in part for hashed in result.group]:
            failure = CaptionerFailed(f"{shown(hashed.job.path)}: {error}, with this photo alone")
            run.claimed.fail(hashed.job, failure, hashed.content_hash)
        self._suspects.clear(part)

    def _caption_part(self, run: _Run, batch: Sequence[Result]) -> None:
        captioned, others = self._caption_and_store(batch, run.claimed.tally.words_left)
        self._suspects.clear(batch)
        for result in batch:
            self._note_problems(result.decoded.problems)
        if run.kept is not None:
            run.kept.result()  # those of the batch before: no more than two batches' are held
        made = [(result.group[0].content_hash, result.decoded.thumbnails) for result in batch]
        run.kept = run.keeper.submit(self._keep_thumbnails, made)
        run.claimed.remove([hashed.job for result in batch for hashed in result.group])
        run.claimed.tally.captioned += captioned
        run.claimed.tally.recognised += others

    def _keep_thumbnails(self, made: Sequence[tuple[str, Mapping[int, bytes]]]) -> None:
        for content_hash, thumbnails in made:
            # What people look at stays; what nobody has asked for yet only fills what room there is.
            self._thumbnails.keep(content_hash, thumbnails, make_room=False)

    def _caption_and_store(self, batch: Sequence[Result], words_left: list[Path]) -> tuple[int, int]:
        """Caption photos and store them in one transaction; return how many, and how many more files hold them."""
        info = self.captioner.info
        predictions = self.caption([result.decoded.pixels for result in batch])
        if self._model_id is None:
            with self._database.write() as connection:
                self._model_id = photos.ensure_model(connection, info.identity, info.name, info.encoder, info.terms)
        with self._database.write(exclusive=False) as connection:
            own, gone = save_results.sort_out(connection, batch)
            kept = own | gone
            saved = save_results.save_contents(connection, list(kept.values()), self._gazetteer)
            ids = dict(zip(kept, saved, strict=True))
            by_id = {ids[place]: predictions[place] for place in kept}
            unlike = save_results.link(connection, {ids[place]: result for place, result in own.items()})
            photos.save_predictions(connection, by_id, self._model_id, info.settings)
            done = [hashed for result in own.values() for hashed in result.group]
            by_batch = save_results.count_by_batch(done)
            share = by_batch.total() / len(done) if done else 0.0
            batches.add_done(connection, by_batch, self._clock.lap() * share)
        words_left += unlike
        return len(own), len(done) - len(own)

    def _refresh(
        self,
        tally: Tally,
        stop: threading.Event,
        progress: Callable[[Progress], None] | None,
        between: Callable[[], None] | None,
    ) -> None:
        done = self._refresher.run(stop=stop, progress=progress, between=between, notice=self._note_problems)
        tally.refreshed += len(done)
        tally.refreshed_only += sum(photo_id not in tally.recognised_photos for photo_id in done)

    def _read_older(
        self,
        tally: Tally,
        stop: threading.Event,
        progress: Callable[[Progress], None] | None,
        between: Callable[[], None] | None,
    ) -> bool:
        """Read again what older versions read, until there is other work. Return whether there is."""

        def announce(count: int) -> None:
            if not self._announced:
                photos = counted(count, "photo is", "photos are")
                self.notice(f"{photos} read again, not captioned: this version knows more kinds of metadata")
            self._announced = True

        done = self._refresher.run_older(
            stop=stop, give_way=self._is_due, progress=progress, between=between, notice=self._note_problems,
            announce=announce,
        )  # fmt: skip
        tally.refreshed += len(done)
        return bool(done) and self._is_due() and not stop.is_set()

    def _read_text(
        self,
        tally: Tally,
        stop: threading.Event,
        progress: Callable[[Progress], None] | None,
        between: Callable[[], None] | None,
    ) -> bool:
        """Read the text in photos, until there is other work. Return whether there is."""
        due = False

        def give_way() -> bool:
            nonlocal due
            if between is not None:
                between()
            due = self._is_due()
            return due

        self._text.run(tally, stop, give_way, progress, self._index.sync_when_due)
        return due and not stop.is_set()

    def _is_due(self) -> bool:
        """Return whether there is something to caption."""
        due = self._claimer.next_due()
        return due is not None and due <= self._now()

    def _note_problems(self, problems: Sequence[str]) -> None:
        for line in problems:
            self._problems += 1
            if self._problems <= MOST_PROBLEMS:
                self.notice(line)
