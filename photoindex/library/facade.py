"""The facade: one object for everything a program can do with a photo library."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from photoindex import captioner as captioning
from photoindex.catalogue.backup_files import is_backed_up
from photoindex.config import load_settings
from photoindex.errors import FolderError, FullTextError
from photoindex.library.located import located, located_photo
from photoindex.library.opened import OpenLibrary
from photoindex.system.arguments import LARGEST_ID, check_flags, photo_ids_of, within
from photoindex.system.lazy_imports import importing, lazily
from photoindex.system.paths import absolute, all_named, check_exists, named
from photoindex.system.storage import is_there

if TYPE_CHECKING:
    from photoindex.catalogue import details, jobs, photos, stats
    from photoindex.catalogue.albums import Albums
    from photoindex.catalogue.batches import Batches, BatchKind
    from photoindex.catalogue.editor import Editor
    from photoindex.catalogue.jobs import Priority
    from photoindex.catalogue.stats import Stats
    from photoindex.catalogue.status import Status
    from photoindex.errors import PhotoError
    from photoindex.exchange import Exchange
    from photoindex.indexing.recaption import Plan, Recaptioner
    from photoindex.indexing.relocation import Relocator
    from photoindex.search.ranking.weights import Ranking
    from photoindex.types import Duplicate, Failure, ForgetPlan, IndexReport, Photo, Prediction, Progress, Tally
    from photoindex.types.hit import Hit, Match, SortKey
else:
    # They need SQLAlchemy, whose import takes longer than a search: what a search asks is in catalogue/fast_queries.py.
    details, jobs = lazily("photoindex.catalogue.details"), lazily("photoindex.catalogue.jobs")
    stats, photos = lazily("photoindex.catalogue.stats"), lazily("photoindex.catalogue.photos")


class Library(OpenLibrary):
    """A photo library: the catalogue and the full-text index in one data folder.

    Open it with :func:`photoindex.open` and close it, or use it in a ``with`` block. Several processes may have the
    same library open.
    """

    # Bringing photos in

    def index(
        self,
        *paths: Path | str,
        progress: Callable[[Progress], None] | None = None,
        notice: Callable[[str], None] = lambda _: None,
        stop: threading.Event | None = None,
        accept_missing: bool = False,
        queue_only: bool = False,
    ) -> IndexReport:
        """Bring the library up to date with these folders or files, once.

        ``stop`` ends it early without losing work. ``accept_missing``: take what is gone as removed, however much it
        is; without it the photos of a folder that lost most of them at once are kept. ``queue_only``: leave new photos
        in the queue, for workers. Raises :class:`FolderError` for a path that does not exist, and
        :class:`photoindex.errors.ModelError` for a model that is none; a photo that cannot be captioned does not raise,
        it is in the report and in :meth:`failures`.
        """
        from photoindex.indexing.quick_check import QuickCheck

        check_flags(accept_missing=accept_missing, queue_only=queue_only)
        self._database.check_writable()
        if not queue_only:
            self._check_model()
        stop = stop or threading.Event()
        places = list(dict.fromkeys(map(absolute, all_named(paths))))
        check = QuickCheck(self._database, self.settings, notice)
        report = check.nothing_to_do(places, stop, progress)
        if report is None:
            from photoindex.indexing.indexer import Indexer

            pipeline = self._pipe(stop=stop)
            indexer = Indexer(self._database, pipeline, self.settings, report=progress, notice=notice, check=check)
            with self._database.sole_comparer(places):
                report = indexer.index(places, stop, accept_missing=accept_missing, caption=not queue_only)
        days, file = self.settings.backup_days, self._database.path
        if days and file is not None and not stop.is_set() and not is_backed_up(file, days):
            from photoindex.catalogue.backups import DailyBackup

            DailyBackup(self._database, days, notice).make_when_due()
        return report

    def watch(
        self,
        *paths: Path | str,
        stop: threading.Event,
        progress: Callable[[Progress], None] | None = None,
        notice: Callable[[str], None] = lambda _: None,
        ready: Callable[[IndexReport], None] = lambda _: None,
        worked: Callable[[Tally], None] = lambda _: None,
    ) -> None:
        """Index these folders and keep up with them until ``stop`` is set.

        ``ready`` is called once, when everything that was there is done; ``worked`` after each later piece of work.
        """
        from photoindex.indexing.watcher import Watcher

        self._database.check_writable()
        self._check_model()
        # A watcher runs for long: its model lives in a process of its own, which ends when there is nothing to do.
        try:
            pipeline = self._pipe(captioning.start_captioner, stop)
        except FullTextError:
            if stop.is_set():  # before there was anything to end
                return
            raise
        places = all_named(paths)
        watcher = Watcher(self._database, pipeline, self.settings, places, stop, report=progress, notice=notice)
        with self._database.sole_comparer(map(absolute, places)):
            watcher.run(ready, worked)

    def plan_forget(self, path: Path | str) -> ForgetPlan:
        """Return what :meth:`forget` would remove from the catalogue; nothing is changed.

        Raises :class:`FolderError` when the library has nothing at or below the path.
        """
        return self._relocator().plan_forget(named(path))

    def forget(self, path: Path | str) -> ForgetPlan:
        """Remove a folder or file, and all below it, from the catalogue and from the search; return what was removed.

        No file on the disk is touched, and photos that files elsewhere hold stay. Raises :class:`FolderError` when the
        library has nothing there; :class:`FullTextError` when only the search index is left for the next `index`.
        """
        self._database.check_writable()
        return self._relocator().forget(named(path))

    def move(self, old: Path | str, new: Path | str) -> int:
        """Let the photos of the folder ``old`` be those of ``new``, where their files lie now; return how many files.

        Nothing is read or captioned again. Raises :class:`FolderError` when ``new`` is not there or does not hold the
        files, or when ``old`` still does; :class:`FullTextError` as :meth:`forget`.
        """
        self._database.check_writable()
        return self._relocator().move(named(old), named(new))

    def caption(self, *paths: Path | str) -> Iterator[tuple[Path, Prediction | PhotoError]]:
        """Caption files without storing anything.

        Yields for each file, in the order given, its path with the model's answer, or with the :class:`PhotoError` that
        says why there is none. Raises :class:`FolderError` for a path that is no file; the answers end with
        :class:`photoindex.errors.CatalogueError` when the library is closed before the last.
        """
        from photoindex.library.captions import caption_with, checked_files

        places = checked_files(paths)
        pipeline = self._pipe()
        answers = caption_with(pipeline.caption, pipeline.captioner.info.input_size, self.settings, places)
        return self._while_open(answers)

    # Asking

    def prepare_search(self) -> None:
        """Import what a search needs, faster than in the middle of it. For programs that do nothing but search."""
        with importing():
            import_module("photoindex.search.searcher")

    def search(
        self, query: str, limit: int | None = 20, *, sort: SortKey = "score", reverse: bool = False
    ) -> list[Hit]:
        """Return the photos that fit a description, best first, or in the order of ``sort``.

        ``path`` of a hit is a file that is there now, if any is: see :class:`photoindex.types.Hit`.

        Raises :class:`photoindex.errors.QueryError` when the query holds nothing that can be searched.
        """
        check_flags(reverse=reverse)
        return located(self._finder.search(query, limit, sort, reverse))

    def like(self, path: Path | str, limit: int | None = 20, query: str = "") -> list[Hit]:
        """Return the photos most like the one at a path, by learned terms; with a ``query``, among those that match it.

        A hit's score is the cosine of the angle between the two vectors, 0 to 1. A photo of the library is not among
        those like itself; any other picture is captioned for this, and nothing of it is stored. Raises
        :class:`FolderError` when there is no such file or the model predicts no terms, :class:`PhotoError` for a file
        that is no picture, and :class:`photoindex.errors.QueryError`.
        """
        hits = self._like(named(path), limit, query)
        if hits is None:
            raise FolderError(
                f"nothing is known of {absolute(named(path))} to compare it by: run `photoindex index` or `photoindex "
                "reindex --stale` with a model that predicts terms"
            )
        return located(hits)

    def thumbnails(self, hits: Sequence[Hit]) -> Iterator[bytes | None]:
        """Yield a small upright JPEG for each hit, ``None`` for a photo that cannot be read now."""
        from photoindex.media.thumbnails import Thumbnails

        with self._database.read() as connection:
            contents = photos.content_hashes(connection, [hit.photo_id for hit in hits])
        limit = self.settings.thumbnail_megabytes * 1_000_000
        kept = Thumbnails(self.settings.thumbnails_path, limit, self.settings)
        return kept.of([(contents.get(hit.photo_id, ""), hit.path) for hit in hits])

    def match(
        self, query: str, limit: int | None = None, *, ranking: Ranking | None = None, exact: bool = False
    ) -> list[Match]:
        """Return the answer to a query by photo ids alone, best first.

        ``exact``: only photos in which every word of the query is written, in their captions, tags, names, places or
        labels, and none that are found by learned terms or by words of like meaning.

        Raises :class:`photoindex.errors.QueryError` when the query holds nothing that can be searched.
        """
        check_flags(exact=exact)
        return self._finder.match(query, limit, ranking, exact=exact)

    def corrections(self, query: str) -> dict[str, tuple[str, ...]]:
        """Return, for each plain word of a query that matches no photo, similar words that do, most likely first."""
        return self._finder.corrections(query)

    def suggest(self, query: str) -> list[str]:
        """Return respelt queries that find something, most likely first; only words that match no photo are changed.

        Operators, quotes and fields stay as they are. Empty when every word is known or no spelling helps.
        """
        return self._finder.suggest(query)

    def show(self, path: Path | str) -> Photo | None:
        """Return what is known about the photo at a path; ``None`` when its content has not been read yet.

        Raises :class:`FolderError` when the library never met that path.
        """
        with self._database.read() as connection:
            photo = details.photo_at(connection, named(path))
        return None if photo is None else located_photo(photo)

    def duplicates(
        self,
        *paths: Path | str,
        near: int | None = None,
        verify: bool = False,
        progress: Callable[[Progress], None] | None = None,
        notice: Callable[[str], None] = lambda _: None,
        stop: threading.Event | None = None,
        decided: bool = False,
    ) -> list[tuple[Duplicate, ...]]:
        """Return groups of files with the same bytes, or with ``near`` (0 to 15) that look alike; the best file first.

        Only files that are there now are listed; several paths of one file, such as links, are one entry. ``paths``
        choose the groups that have a file there. ``verify`` reads the files again and leaves out those whose bytes are
        no longer as they were; ask for it before anything is removed. Groups that a person said are no duplicates are
        left out; with ``decided`` they are the only ones.
        """
        from photoindex.library import duplicates
        from photoindex.library.hamming import MOST

        check_flags(verify=verify, decided=decided)
        places = list(map(absolute, all_named(paths)))
        for place in places:
            check_exists(place)
        if near is not None:
            near = within(near, "near", 0, MOST)
            duplicates.complete_fingerprints(self._database, self.settings, progress, stop)
        groups = duplicates.find_duplicates(self._database, near, places, notice, decided)
        return duplicates.verified(groups, progress, notice, stop) if verify else groups

    def album_hits(self, number: int) -> list[Hit]:
        """Return the picked photos of an album that have a caption and a file and are not hidden, first added first,
        with score 0."""
        return located(self._finder.hits_of(self.albums.photos(number, hidden=False)))

    def photos(self, photo_ids: Sequence[int]) -> list[Photo]:
        """Return the photos with these ids, in this order, without learned terms; unknown ids are left out."""
        with self._database.read() as connection:
            known = details.photos_by_id(connection, photo_ids_of(photo_ids))
        return [located_photo(photo) for photo in known]

    def failure_at(self, path: Path | str) -> Failure | None:
        """Return why the photo at a path has no caption; ``None`` when it did not fail."""
        place = absolute(named(path))
        return next((failure for failure in self.failures(include_ignored=True) if failure.path == place), None)

    def status(self) -> Status:
        """Return counts, folders and sizes."""
        from photoindex.catalogue.status import status_of

        return status_of(self._database, self.settings, searchable=self._text().count())

    # What people say

    def editor(self) -> Editor:
        """Return the editor of captions, tags and locks by people, with their history."""
        from photoindex.catalogue.editor import Editor

        return Editor(self._database, self._finder.sync)

    @property
    def albums(self) -> Albums:
        """The albums: to list, make, fill, rename and delete them, and to say what is no duplicate."""
        from photoindex.catalogue.albums import Albums

        return Albums(self._database, _check_query)

    def exchange(self) -> Exchange:
        """Return what exports the library to sidecars and JSON lines, and imports them."""
        from photoindex.exchange import Exchange

        return Exchange(self._database, self._finder.sync)

    def stats(self, most: int = 10) -> Stats:
        """Count what the library holds; at most ``most`` cameras, folders, words and labels."""
        with self._database.read() as connection:
            return stats.count(connection, within(most, "most", 0, LARGEST_ID))

    def captioned_by(self) -> dict[str, int]:
        """Return how many photos each model captioned, by the model's identity; the most frequent first."""
        with self._database.read() as connection:
            return photos.by_model(connection)

    # Failures and repair

    def failures(self, *, include_ignored: bool = False) -> list[Failure]:
        """Return the files that could not be captioned, and why."""
        check_flags(include_ignored=include_ignored)
        with self._database.read() as connection:
            return jobs.failures(connection, include_ignored=include_ignored)

    def retry_failures(self, *paths: Path | str) -> int:
        """Queue failed files again (all when none is named) for the next index or watch. Return how many."""
        now = self._database.now()
        with self._database.write() as connection:
            chosen = details.file_ids_at(connection, all_named(paths)) if paths else None
            return jobs.retry_failures(connection, chosen, now)

    def ignore_failures(self, *paths: Path | str) -> int:
        """Stop reporting these files until they change. Return how many had failed."""
        with self._database.write() as connection:
            return jobs.ignore_failures(connection, details.file_ids_at(connection, all_named(paths)))

    def rebuild_full_text(self, progress: Callable[[Progress], None] | None = None) -> int:
        """Rebuild the full-text index and the impact matrix from the catalogue; the old ones answer until then.

        Returns how many photos were indexed.
        """
        self._database.check_writable()
        return self._finder.rebuild(progress)

    def recaption(
        self,
        *,
        everything: bool = False,
        failed: bool = False,
        query: str | None = None,
        priority: Priority = "low",
        progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
        started: Callable[[int | None, int], None] = lambda _batch, _photos: None,
    ) -> Tally:
        """Caption photos again as one batch: those whose caption is by another model than the one in use,
        ``everything``, or all that ``failed``; with a ``query``, which does not go with ``failed``, those of them that
        match it.

        The old captions stay searchable until each is replaced. A run that is stopped goes on with the next one.
        ``started`` is called with the batch's id (``None``: nothing to do) and its number of photos.
        """
        kind = _batch_kind(everything, failed, query)
        self._check_model()
        return self._recaptioner(stop).run(kind, query, priority, progress, stop, started)

    def queue_recaption(
        self, *, everything: bool = False, failed: bool = False, query: str | None = None, priority: Priority = "low"
    ) -> tuple[int | None, int]:
        """Make a batch as :meth:`recaption` does, and leave it to workers; return its id and its number of photos."""
        return self._recaptioner().queue(_batch_kind(everything, failed, query), query, priority)

    def reread_text(
        self,
        *,
        query: str | None = None,
        priority: Priority = "low",
        progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
        started: Callable[[int | None, int], None] = lambda _batch, _photos: None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> Tally:
        """Read the text in photos again as one batch: in all, or in those that match a ``query``.

        What was read before stays until it is replaced. Raises :class:`TextReaderUnavailable` where nothing can read
        text. ``started`` is called as by :meth:`recaption`.
        """
        from photoindex.indexing import text_batches

        text_batches.check_can_read(self.settings)
        chosen = None if query is None else [match.photo_id for match in self.match(query)]
        started(*text_batches.create(self._database, chosen, priority, query))
        pipeline = self._pipe(stop=stop)
        pipeline.notice = notice
        return pipeline.run(stop=stop, progress=progress)

    def text_files(self, query: str | None = None) -> int:
        """Return in how many photos :meth:`reread_text` would read."""
        from photoindex.indexing import text_batches

        chosen = None if query is None else [match.photo_id for match in self.match(query)]
        return len(text_batches.choose(self._database, chosen))

    def plan_recaption(self, *, everything: bool = False, failed: bool = False, query: str | None = None) -> Plan:
        """Return what :meth:`recaption` would do, and how long it would take; nothing is changed."""
        kind = _batch_kind(everything, failed, query)
        self._check_model()
        return self._recaptioner().plan(kind, query)

    def outdated(self, *, everything: bool = False) -> list[int]:
        """Return the id of one file of each photo that :meth:`recaption` would caption."""
        return self._recaptioner().choose(_batch_kind(everything, False, None), None)

    @property
    def batches(self) -> Batches:
        """The batches of photos to be captioned again: to list, pause, resume and cancel them."""
        from photoindex.catalogue.batches import Batches

        return Batches(self._database)

    # Inside

    def _like(self, path: Path, limit: int | None, query: str) -> list[Hit] | None:
        try:
            photo = self.show(path)
        except FolderError:  # not of this library
            if not is_there(absolute(path)):
                raise
            photo = None
        known = None if photo is None else self._finder.like(photo, limit, query)
        if known is not None or not is_there(absolute(path)):
            return known
        [(_, answer)] = self.caption(path)
        if isinstance(answer, Exception):
            raise answer
        vocabulary = self._pipe().captioner.info.terms
        if vocabulary is None or answer.terms is None:
            return None
        pairs = zip(answer.terms.ids.tolist(), answer.terms.impacts.tolist(), strict=True)
        weights = {vocabulary.words[number]: impact * vocabulary.scale for number, impact in pairs}
        return self._finder.like_terms(weights, limit, query)

    def _relocator(self) -> Relocator:
        from photoindex.indexing.relocation import Relocator

        return Relocator(self._database, self.settings, self._finder.sync)

    def _recaptioner(self, stop: threading.Event | None = None) -> Recaptioner:
        from photoindex.indexing.recaption import Recaptioner

        pipeline = self._pipe(stop=stop)
        return Recaptioner(self._database, pipeline, lambda query: [match.photo_id for match in self.match(query)])


def _check_query(query: str) -> None:
    from photoindex.search import parse_query

    parse_query(query)


def _batch_kind(everything: bool, failed: bool, query: str | None) -> BatchKind:
    check_flags(everything=everything, failed=failed)
    if failed and (everything or query is not None):
        raise ValueError("failed is asked for alone: such photos have no captions to find them by")
    if failed:
        return "failed"
    if everything:
        return "all" if query is None else "where"
    return "stale"


def open(data_dir: Path | str | None = None, **settings: Any) -> Library:
    """Open the library in ``data_dir`` (default: as the command line), creating it when it is not there.

    ``settings`` are the fields of :class:`photoindex.config.Settings`. Raises :class:`photoindex.errors.CatalogueError`
    or :class:`photoindex.errors.ConfigError`.
    """
    return Library(load_settings(data_dir=data_dir, **settings))
