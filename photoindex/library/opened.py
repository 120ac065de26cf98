"""An open library: its catalogue, its search and the pipeline that captions, each made when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from photoindex import captioner as captioning
from photoindex.captioner import Captioner
from photoindex.catalogue.database import Database
from photoindex.catalogue.opening import open_catalogue
from photoindex.config import Settings
from photoindex.errors import FullTextError

if TYPE_CHECKING:
    from photoindex.indexing.pipeline import Pipeline
    from photoindex.indexing.worker import Worker
    from photoindex.search import FullText
    from photoindex.search.searcher import Finder
    from photoindex.types import Progress, Tally

Self = TypeVar("Self", bound="OpenLibrary")
_Answer = TypeVar("_Answer")


def _never() -> bool:
    return False


class OpenLibrary:
    """What :class:`.facade.Library` is built on."""

    # Called with the progress when a missing or damaged search index is rebuilt. Set it before the first search.
    rebuilding: Callable[[Progress], None] | None = None

    def __init__(self, settings: Settings, load_captioner: Callable[[Settings], Captioner] | None = None) -> None:
        self.settings = settings
        self._load_captioner = load_captioner
        self._database = open_catalogue(settings)
        self._pipeline: Pipeline | None = None
        self._making = threading.Lock()  # the pipeline, which threads share
        self._worker: Worker | None = None

    def close(self) -> None:
        """Stop helper processes and close the files. May be called again; all else raises CatalogueError from then
        on. In a process that was forked from the library's own it does nothing, and all else raises CatalogueError."""
        if self._database.is_forked:
            return
        if self._pipeline is not None:
            self._pipeline.close()
        if "_finder" in vars(self):
            self._finder.close()
        self._database.close()

    def __enter__(self: Self) -> Self:
        self._database.check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def work_off(
        self, *, progress: Callable[[Progress], None] | None = None, stop: threading.Event | None = None
    ) -> Tally:
        """Caption what is queued and due, without looking at the folders. Raises :class:`ModelError` also when nothing
        is."""
        self._check_model()
        return self._pipe(stop=stop).run(stop=stop, progress=progress)

    def work_until(
        self,
        stop: threading.Event,
        *,
        progress: Callable[[Progress], None] | None = None,
        notice: Callable[[str], None] = lambda _: None,
        worked: Callable[[Tally], None] = lambda _: None,
        metrics: tuple[str, int] | None = None,
    ) -> Tally:
        """Caption what is queued, by whichever process, until ``stop`` is set; return what was done.

        No folder is compared and no index is kept. ``worked`` is called after each piece of work. ``metrics``: an
        address and a port where Prometheus finds figures meanwhile (:mod:`.metrics`). Raises :class:`CatalogueError`
        for what does not pass, such as an upgrade of the catalogue, and :class:`ServiceError` when that port cannot be
        had. Raises :class:`ModelError` at once when the model of the settings is not there.
        """
        from photoindex.indexing.reachable_roots import ReachableRoots
        from photoindex.indexing.worker import Worker

        self._database.check_writable()
        self._check_model()
        try:
            index = None if self._database.is_shared else self._text(stop)
        except FullTextError:
            if not stop.is_set():
                raise
            from photoindex.types import Tally

            return Tally()
        reachable = ReachableRoots(self._database, notice=self._say)
        pipeline = self._new_pipeline(index, captioning.start_captioner, reachable)
        with self._making:
            before, self._pipeline = self._pipeline, pipeline
        if before is not None:  # made to index or to caption, which may keep an index and go by other folders
            with before.turn():
                before.close()
        self._worker = worker = Worker(
            self._database, pipeline, self.settings.unload_seconds, stop, report=progress, notice=notice
        )
        try:
            if metrics is None:
                return worker.run(worked)
            from photoindex.library.metrics import Metrics

            with Metrics(self._database, worker.totals).served(*metrics):
                return worker.run(worked)
        finally:
            with self._making:
                self._pipeline = None
            pipeline.close()

    @property
    def worked(self) -> Tally | None:
        """What :meth:`work_until` did so far; ``None`` before it began. May be asked from any thread."""
        return None if self._worker is None else self._worker.totals()

    @property
    def database(self) -> Database:
        """The catalogue, for the gallery."""
        return self._database

    @property
    def finder(self) -> Finder:
        """What searches, for the gallery, which wants arrays of photos rather than lists of hits."""
        return self._finder

    @cached_property
    def _finder(self) -> Finder:
        # Imported here: it brings NumPy along, which an index that finds nothing to do goes without.
        from photoindex.search.searcher import Finder

        return Finder(self._database, self.settings, self.rebuilding)

    def _text(self, stop: threading.Event | None = None) -> FullText:
        """Return the search index. Raises FullTextError when ``stop`` is set while it is made or waited for."""
        return self._finder.full_text(_never if stop is None else stop.is_set)

    # Imported where they are used: a search needs neither watching nor decoding.

    def _pipe(
        self, load: Callable[[Settings], Captioner] | None = None, stop: threading.Event | None = None
    ) -> Pipeline:
        """Return the pipeline; it is made with the search index: see :meth:`_text`."""
        self._database.check_open()
        with self._making:
            if self._pipeline is None:
                from photoindex.indexing.reachable_roots import ReachableRoots, all_roots

                # A catalogue of one machine has no folders of others: what is away here is judged here.
                reachable: Callable[[], set[int] | None] = all_roots
                if self._database.is_shared:
                    reachable = ReachableRoots(self._database, notice=self._say)
                self._pipeline = self._new_pipeline(self._text(stop), load, reachable)
            return self._pipeline

    def _check_model(self) -> None:
        """Raise :class:`ModelError` when the model of the settings is not there: it would come to light with the next
        new photo, in a watch days later. A captioner of the program's own needs none."""
        if self._load_captioner is None:
            captioning.check_is_model(self.settings.model)

    def _while_open(self, answers: Iterator[_Answer]) -> Iterator[_Answer]:
        """Yield answers, also those found before they are asked for, only as long as the library is open."""
        for answer in answers:
            self._database.check_open()
            yield answer

    def _say(self, line: str) -> None:
        """Pass a line on to the notices of the pipeline."""
        if self._pipeline is not None:
            self._pipeline.notice(line)

    def _new_pipeline(
        self,
        index: FullText | None,
        load: Callable[[Settings], Captioner] | None,
        reachable: Callable[[], set[int] | None],
    ) -> Pipeline:
        """Return a pipeline that writes to an index, if to any, and does what lies below ``reachable`` roots."""
        from photoindex.indexing.pipeline import Pipeline

        loader = self._load_captioner or load or captioning.load_captioner
        return Pipeline(self._database, index, self.settings, loader, reachable=reachable)
