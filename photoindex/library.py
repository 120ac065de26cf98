"""The facade: one object for everything a program can do with a photo library. The command line uses nothing else."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from photoindex import captioner as captioning
from photoindex.captioner import Captioner
from photoindex.config import Settings, load_settings
from photoindex.errors import FolderError, PhotoError, QueryError
from photoindex.found import Hit, Match, Matched, SortKey
from photoindex.lazy import lazily
from photoindex.paths import absolute, check_exists
from photoindex.store.database import Database, is_backed_up
from photoindex.store.lookup import LEARNED_SOURCE, find_photos

if TYPE_CHECKING:
    from photoindex import fulltext, jobqueue, search, stats, termindex
    from photoindex.batches import Batches, BatchKind, Priority
    from photoindex.corrections import Editor
    from photoindex.exchange import Exchange
    from photoindex.pipeline import Pipeline
    from photoindex.recaption import Plan, Recaptioner
    from photoindex.search import FullText
    from photoindex.search.ranking import Ranking
    from photoindex.stats import Stats
    from photoindex.status import Status
    from photoindex.store import files, order, photos, vectors
    from photoindex.termindex import TermIndex
    from photoindex.types import Duplicate, Failure, IndexReport, Photo, Prediction, Progress, Tally
else:
    # They need SQLAlchemy, whose import takes longer than a search: what a search asks is in store/lookup.py.
    fulltext, jobqueue = lazily("photoindex.fulltext"), lazily("photoindex.jobqueue")
    files, photos = lazily("photoindex.store.files"), lazily("photoindex.store.photos")
    order, vectors = lazily("photoindex.store.order"), lazily("photoindex.store.vectors")
    stats = lazily("photoindex.stats")
    # NumPy and Whoosh, which an index that finds nothing to do goes without.
    search, termindex = lazily("photoindex.search"), lazily("photoindex.termindex")

# More matches than asked for are fetched: a photo whose file went a moment ago is left out of the answer.
SPARE_MATCHES = 20
SIMILAR_AT_ONCE = 100


class Library:
    """A photo library: the catalogue and the full-text index in one data folder.

    Open it with :func:`photoindex.open` and close it, or use it in a ``with`` block. Several processes may have the
    same library open.
    """

    def __init__(self, settings: Settings, load_captioner: Callable[[Settings], Captioner] | None = None) -> None:
        self.settings = settings
        self._load_captioner = load_captioner
        self._database = Database.open(settings.catalogue_path)
        self._full_text: FullText | None = None
        self._term_index: TermIndex | None = None
        self._pipeline: Pipeline | None = None

    def close(self) -> None:
        """Stop helper processes and close the files."""
        if self._pipeline is not None:
            self._pipeline.close()
        if self._full_text is not None:
            self._full_text.close()
        if self._term_index is not None:
            self._term_index.close()
        self._database.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Bringing photos in

    def index(
        self,
        *paths: Path | str,
        progress: Callable[[Progress], None] | None = None,
        notice: Callable[[str], None] = lambda _: None,
        stop: threading.Event | None = None,
        accept_missing: bool = False,
    ) -> IndexReport:
        """Bring the library up to date with these folders or files, once.

        ``stop`` ends it early without losing work. ``accept_missing``: take what is gone for removed, however much it
        is, where otherwise the photos of a folder that lost most of them at once are kept. Raises :class:`FolderError`
        for a path that does not exist; a photo that cannot be captioned does not raise, it is in the report and in
        :meth:`failures`.
        """
        from photoindex.unchanged import nothing_to_do

        self._database.check_writable()
        stop = stop or threading.Event()
        places = [Path(path) for path in paths]
        report = nothing_to_do(self._database, self.settings, places, stop, progress)
        if report is None:
            from photoindex.indexer import Indexer

            indexer = Indexer(self._database, self._pipe(), self.settings, report=progress, notice=notice)
            report = indexer.index(places, stop, accept_missing=accept_missing)
        days = self.settings.backup_days
        if days and not stop.is_set() and not is_backed_up(self._database.path, days):
            from photoindex.store.backups import DailyBackup

            DailyBackup(self._database, self.settings.backup_days, notice).make_when_due()
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

        ``ready`` is called once, when all that was there is done; ``worked`` after each later piece of work.
        """
        from photoindex.watcher import Watcher

        self._database.check_writable()
        # A watcher runs for long: its model lives in a process of its own, which ends when there is nothing to do.
        pipeline = self._pipe(captioning.start_captioner)
        places = [Path(path) for path in paths]
        Watcher(self._database, pipeline, self.settings, places, stop, report=progress, notice=notice).run(
            ready, worked
        )

    def caption(self, *paths: Path | str) -> Iterator[tuple[Path, Prediction | PhotoError]]:
        """Caption files without storing anything; yields each path with what the model says, or why it cannot."""
        places = [absolute(Path(path)) for path in paths]
        for place in places:
            check_exists(place)
            if place.is_dir():
                raise FolderError(f"{place} is a folder: name photos, or use `photoindex index`")
        from photoindex.decode import Decoder

        captioner = self._pipe().captioner
        with Decoder(
            captioner.input_size,
            workers=self.settings.decoders,
            seconds=self.settings.decode_seconds,
            max_pixels=self.settings.max_pixels,
        ) as decoder:
            for path, answer in decoder.decode(places):
                yield path, answer if isinstance(answer, PhotoError) else captioner.caption([answer.pixels])[0]

    # Asking

    def search(
        self, query: str, limit: int | None = 20, *, sort: SortKey = "score", reverse: bool = False
    ) -> list[Hit]:
        """The photos that fit a description, best first, or in the order :func:`photoindex.store.order.in_order` has.

        Raises :class:`photoindex.errors.QueryError` when the query holds nothing that can be searched.
        """
        if sort != "score" or reverse:
            return self._sorted(self.match(query), limit, sort, reverse)
        wanted = None if limit is None else limit + SPARE_MATCHES
        return self._hits(self.match(query, wanted))[:limit]

    def like(self, path: Path | str, limit: int | None = 20, query: str = "") -> list[Hit]:
        """The photos most like the one at a path, by their learned terms; of those that answer ``query``, if given.

        A hit's score is the cosine of the angle between the two vectors, 0 to 1. The photo itself is not among them.
        Raises :class:`FolderError` when the library has no photo at that path, or no terms of it, and
        :class:`photoindex.errors.QueryError`.
        """
        photo = self.show(path)
        terms = () if photo is None else photo.terms
        weights = {term.text: term.weight for term in terms if term.source == LEARNED_SOURCE}
        found = self._terms.similar(weights) if weights else None
        if photo is None or found is None:
            raise FolderError(
                f"nothing is known of {absolute(Path(path))} to compare it by: run `photoindex index` or `photoindex "
                "reindex --stale` with a model that predicts terms"
            )
        allowed = {match.photo_id for match in self.match(query)} if query else None
        pairs = zip(found.photo_ids.tolist(), found.cosines.tolist(), strict=True)
        matches = (Match(*pair) for pair in pairs if pair[0] != photo.id and (allowed is None or pair[0] in allowed))
        hits: list[Hit] = []
        while (limit is None or len(hits) < limit) and (some := list(islice(matches, SIMILAR_AT_ONCE))):
            hits += self._hits(some)
        hits = hits[:limit]
        shared = self._terms.shared(weights, [hit.photo_id for hit in hits])
        return [dataclasses.replace(hit, matched=_shared(shared.get(hit.photo_id, {}))) for hit in hits]

    def thumbnails(self, hits: Sequence[Hit]) -> Iterator[bytes | None]:
        """For each hit a small JPEG, upright; ``None`` for a photo that cannot be read now."""
        from photoindex.thumbnails import Thumbnails

        with self._database.read() as connection:
            contents = photos.content_hashes(connection, [hit.photo_id for hit in hits])
        limit = self.settings.thumbnail_megabytes * 1_000_000
        kept = Thumbnails(self.settings.data_dir / "thumbnails", limit, self.settings)
        return kept.of([(contents.get(hit.photo_id, ""), hit.path) for hit in hits])

    def match(self, query: str, limit: int | None = None, *, ranking: Ranking | None = None) -> list[Match]:
        """The answer to a query by photo ids alone, best first, without what the catalogue knows of the photos.

        Raises :class:`photoindex.errors.QueryError` when the query holds nothing that can be searched.
        """
        return self._text().search(query, limit, ranking, self._terms)

    def corrections(self, query: str) -> dict[str, tuple[str, ...]]:
        """For each plain word of a query that no photo has: near spellings that photos have, most likely first."""
        return self._text().corrections(query)

    def suggest(self, query: str) -> list[str]:
        """The query with words that no photo has spelt otherwise, so that it finds something; most likely first.

        Operators, quotes and fields stay as they are. Empty when every word is known or no spelling helps.
        """
        from photoindex.search.query import respell

        corrections = self.corrections(query)
        choices = max(map(len, corrections.values()), default=0)
        respelt = (
            respell(query, {word: near[min(choice, len(near) - 1)] for word, near in corrections.items()})
            for choice in range(choices)
        )
        return [text for text in dict.fromkeys(respelt) if self._finds(text)]

    def show(self, path: Path | str) -> Photo | None:
        """What is known of the photo at a path; ``None`` when its content has not been read yet.

        Raises :class:`FolderError` when the library never met that path.
        """
        from photoindex.companions import companions_of

        place = absolute(Path(path))
        with self._database.read() as connection:
            found = files.photo_at(connection, place)
            if found is None:
                raise FolderError(f"{place} is not in the library: add it with `photoindex index {place.parent}`")
            if found[1] is None:
                return None
            photo = photos.load_photos(connection, [found[1]], files.paths_of(connection, [found[1]]))[0]
            terms = photo.terms + vectors.terms_of(connection, photo.id)
            return dataclasses.replace(photo, terms=terms, companions=companions_of(connection, photo))

    def duplicates(
        self,
        *paths: Path | str,
        near: int | None = None,
        progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
    ) -> list[tuple[Duplicate, ...]]:
        """Groups of files with the same bytes, or, with ``near`` (0 to 15), that look alike; the best file first.

        ``paths`` choose the groups that have a file there. See :func:`photoindex.duplicates.find_duplicates`.
        """
        from photoindex import duplicates

        places = [absolute(Path(path)) for path in paths]
        for place in places:
            check_exists(place)
        if near is not None:
            duplicates.complete_fingerprints(self._database, self.settings, progress, stop)
        return duplicates.find_duplicates(self._database, near, places)

    def photos(self, photo_ids: Sequence[int]) -> list[Photo]:
        """What is known of the photos with these ids, in this order, but for learned terms; no unknown ones."""
        found = self._load(photo_ids)
        return [found[photo_id] for photo_id in photo_ids if photo_id in found]

    def failure_at(self, path: Path | str) -> Failure | None:
        """Why the photo at a path has no caption, if it failed."""
        place = absolute(Path(path))
        return next((failure for failure in self.failures(include_ignored=True) if failure.path == place), None)

    def status(self) -> Status:
        """Counts, folders and sizes."""
        from photoindex.status import Status, root_status
        from photoindex.watch.inotify import InotifyLimits

        with self._database.read() as connection:
            counts = photos.count_photos(connection)
            by_root = files.count_files(connection)
            jobs = jobqueue.counts(connection)
            notes, jobs_by_root = files.watch_notes(connection), jobqueue.counts_by_root(connection)
            roots = tuple(
                root_status(root, by_root.get(root.id, (0, 0)), notes[root.id], jobs_by_root.get(root.id, {}))
                for root in files.list_roots(connection)
            )
        path = self.settings.catalogue_path
        catalogue = sum(p.stat().st_size for p in path.parent.glob(path.name + "*"))
        folders = (self.settings.index_path, self.settings.terms_path)
        index = sum(p.stat().st_size for folder in folders for p in folder.rglob("*") if p.is_file())
        return Status(
            data_dir=self.settings.data_dir,
            photos=counts["photos"],
            captioned=counts["captioned"],
            searchable=self._text().count(),
            waiting_for_index=counts["text_stale"],
            jobs=jobs,
            roots=roots,
            catalogue_bytes=catalogue,
            index_bytes=index,
            watches_allowed=InotifyLimits().allowed(),
        )

    # What people say

    def editor(self) -> Editor:
        """Captions, tags and locks by people, with their history."""
        from photoindex.corrections import Editor

        return Editor(self._database, self._sync_text)

    def exchange(self) -> Exchange:
        """Exports of what is known of photos, and the way back."""
        from photoindex.exchange import Exchange

        return Exchange(self._database, self._sync_text)

    def stats(self, most: int = 10) -> Stats:
        """What the library holds, counted; at most ``most`` cameras, folders, words and labels."""
        with self._database.read() as connection:
            return stats.count(connection, most)

    # Failures and repair

    def failures(self, *, include_ignored: bool = False) -> list[Failure]:
        """The files that could not be captioned, and why."""
        with self._database.read() as connection:
            return jobqueue.failures(connection, include_ignored=include_ignored)

    def retry_failures(self, *paths: Path | str) -> int:
        """Queue failed files again (all when none is named); the next index or watch takes them. Returns how many."""
        with self._database.write() as connection:
            chosen = self._file_ids(connection, paths) if paths else None
            return jobqueue.retry_failures(connection, chosen, datetime.now(timezone.utc))

    def ignore_failures(self, *paths: Path | str) -> int:
        """Stop reporting these files until they change. Returns how many had failed."""
        with self._database.write() as connection:
            return jobqueue.ignore_failures(connection, self._file_ids(connection, paths))

    def rebuild_full_text(self, progress: Callable[[Progress], None] | None = None) -> int:
        """Make the full-text index and the impact matrix anew from the catalogue; the old ones answer until then.

        Returns how many photos were indexed.
        """
        self._database.check_writable()
        termindex.rebuild(self._database, self.settings.terms_path)
        if self._full_text is None:
            self._full_text = search.FullText.open(self.settings.index_path)
        return fulltext.rebuild(self._database, self._full_text, self.settings, progress)

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
        """Caption photos anew as one batch: those whose caption is by another model than the one in use, ``everything``
        or all that ``failed``; of those that answer a ``query`` when there is one.

        The old captions stay searchable until each is replaced. A run that is stopped goes on with the next one.
        ``started`` is told the batch's id (``None``: there is nothing to do) and how many photos it has.
        """
        kind = _batch_kind(everything, failed, query)
        return self._recaptioner().run(kind, query, priority, progress, stop, started)

    def plan_recaption(self, *, everything: bool = False, failed: bool = False, query: str | None = None) -> Plan:
        """What :meth:`recaption` would do, and how long it would take; nothing is changed."""
        return self._recaptioner().plan(_batch_kind(everything, failed, query), query)

    def outdated(self, *, everything: bool = False) -> list[int]:
        """Ids of one file of each photo that :meth:`recaption` would caption."""
        return self._recaptioner().files(_batch_kind(everything, False, None), None)

    @property
    def batches(self) -> Batches:
        """The batches of photos to be captioned anew: to list, pause, resume and cancel them."""
        from photoindex.batches import Batches

        return Batches(self._database)

    def work_off(
        self, *, progress: Callable[[Progress], None] | None = None, stop: threading.Event | None = None
    ) -> Tally:
        """Do what is queued and due, without looking at the folders."""
        return self._pipe().run(stop=stop, progress=progress)

    # Inside

    def _finds(self, query: str) -> bool:
        try:
            return bool(self.match(query, 1))
        except QueryError:  # the new spelling is longer than a query may be
            return False

    def _text(self) -> FullText:
        """The full-text index, rebuilt from the catalogue when it is damaged or of another version."""
        if self._full_text is None:
            self._full_text = search.FullText.open(self.settings.index_path)
            if self._full_text.needs_rebuild:
                fulltext.rebuild(self._database, self._full_text, self.settings)
        return self._full_text

    @property
    def _terms(self) -> TermIndex:
        """The catalogue's learned terms, as a search asks for them."""
        if self._term_index is None:
            self._term_index = termindex.TermIndex(self._database, self.settings.terms_path)
        return self._term_index

    def _sync_text(self) -> None:
        fulltext.sync(self._database, self._text(), self.settings)

    # Imported where they are used: a search needs neither watching nor decoding.

    def _pipe(self, load: Callable[[Settings], Captioner] = captioning.load_captioner) -> Pipeline:
        from photoindex.pipeline import Pipeline

        if self._pipeline is None:
            self._pipeline = Pipeline(self._database, self._text(), self.settings, self._load_captioner or load)
        return self._pipeline

    def _recaptioner(self) -> Recaptioner:
        from photoindex.recaption import Recaptioner

        return Recaptioner(self._database, self._pipe(), lambda query: [match.photo_id for match in self.match(query)])

    def _hits(self, matches: Sequence[Match]) -> list[Hit]:
        """The matches that have a caption and a present file, in their order."""
        with self._database.ask() as asker:
            found = find_photos(asker, [match.photo_id for match in matches])
        hits = []
        for match in matches:
            photo = found.get(match.photo_id)
            if photo is None:
                continue
            facts = photo.facts
            hits.append(
                Hit(
                    path=photo.paths[0],
                    score=match.score,
                    caption=photo.caption,
                    caption_source=photo.source,
                    matched=match.matched,
                    terms=tuple(photo.terms),
                    taken_at=facts.taken_at if facts else None,
                    camera=facts.camera if facts else None,
                    width=facts.width if facts else None,
                    height=facts.height if facts else None,
                    photo_id=match.photo_id,
                    other_paths=tuple(photo.paths[1:]),
                    facts=facts,
                )
            )
        return hits

    def _sorted(self, matches: Sequence[Match], limit: int | None, sort: SortKey, reverse: bool) -> list[Hit]:
        by_id = {match.photo_id: match for match in matches}
        with self._database.read() as connection:
            ids = order.in_order(connection, list(by_id), sort, reverse=reverse)
        hits: list[Hit] = []
        ordered = (by_id[photo_id] for photo_id in ids)
        while (limit is None or len(hits) < limit) and (some := list(islice(ordered, SIMILAR_AT_ONCE))):
            hits += self._hits(some)
        return hits[:limit]

    def _load(self, photo_ids: Sequence[int]) -> dict[int, Photo]:
        with self._database.read() as connection:
            loaded = photos.load_photos(connection, photo_ids, files.paths_of(connection, photo_ids))
        return {photo.id: photo for photo in loaded}

    def _file_ids(self, connection: Any, paths: Sequence[Path | str]) -> list[int]:
        ids = []
        for path in paths:
            found = files.photo_at(connection, absolute(Path(path)))
            if found is None:
                raise FolderError(f"{absolute(Path(path))} is not in the library")
            ids.append(found[0])
        return ids


def _batch_kind(everything: bool, failed: bool, query: str | None) -> BatchKind:
    if failed:
        return "failed"
    if everything:
        return "all" if query is None else "where"
    return "stale"


def _shared(weights: Mapping[str, float]) -> tuple[Matched, ...]:
    from photoindex.search.terms import TERMS_LAYER

    reasons = (Matched(TERMS_LAYER, term, weight) for term, weight in weights.items())
    return tuple(sorted(reasons, key=lambda reason: -reason.weight))


def open(data_dir: Path | str | None = None, **settings: Any) -> Library:
    """Open the library in ``data_dir`` (default: as the command line), creating it when it is not there.

    ``settings`` are the fields of :class:`photoindex.config.Settings`. Raises :class:`photoindex.errors.CatalogueError`
    or :class:`photoindex.errors.ConfigError`.
    """
    return Library(load_settings(data_dir=data_dir, **settings))
