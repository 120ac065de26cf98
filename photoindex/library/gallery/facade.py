"""The gallery of one library: everything that a page shows or changes. It imports no torch, and needs no model."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime, timezone
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Final, Literal, get_args

from photoindex.catalogue import change_feed, gallery_queries
from photoindex.catalogue.captions import shown_captions
from photoindex.catalogue.fast_queries import Found, find_photos
from photoindex.catalogue.gallery_queries import FailedFile
from photoindex.errors import CatalogueReadOnly, CorrectionError, FolderError, PhotoindexError
from photoindex.language.analysis import STOP_WORDS, words
from photoindex.library.facade import Library
from photoindex.library.gallery.background import BackgroundSync, Changes
from photoindex.library.gallery.library_counts import LibraryCounts, count_library
from photoindex.library.gallery.map import Clusters, clusters_within
from photoindex.library.gallery.originals import Original, open_original
from photoindex.library.gallery.readable import ReadableWords
from photoindex.library.gallery.result_sets import ResultSet, ResultSets, SetOrder
from photoindex.library.gallery.shown_photo import ShownPhoto, shown_photo
from photoindex.library.gallery.snapshot import Snapshot
from photoindex.library.gallery.snapshots import Snapshots
from photoindex.library.gallery.timeline import EVERY_PHOTO, Timeline, TimelineFilter, Timelines
from photoindex.library.gallery.unsure import Unsure
from photoindex.media.thumbnail_pool import FULL_SIZE, Source, ThumbnailPool
from photoindex.system import memory
from photoindex.system.lazy_imports import lazily
from photoindex.types import Correction, Duplicate, Photo
from photoindex.types.hit import Matched

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from photoindex.catalogue import corrections, details, editor, jobs, photos, term_vectors
    from photoindex.catalogue.albums import Album, Albums
    from photoindex.catalogue.batches import Batch
    from photoindex.catalogue.editor import Edit, Editor
    from photoindex.catalogue.status import Status
    from photoindex.library.gallery.batch_plans import BatchPlanner
    from photoindex.types import Hit

else:
    np = lazily("numpy")  # it is imported behind the first answer; so is SQLAlchemy, which the others need
    details, jobs = lazily("photoindex.catalogue.details"), lazily("photoindex.catalogue.jobs")
    editor, term_vectors = lazily("photoindex.catalogue.editor"), lazily("photoindex.catalogue.term_vectors")
    photos, corrections = lazily("photoindex.catalogue.photos"), lazily("photoindex.catalogue.corrections")

FIRST_PAGE: Final = 60  # photos whose reasons are worked out with the search itself
SIMILAR: Final = 60
COMPLETIONS: Final = 8
SYNC_SECONDS: Final = 2.0  # that a search waits for the edits before it
ReviewQueue = Literal["unsure", "newest", "later", "wrong", "search"]
QUEUES: Final[tuple[ReviewQueue, ...]] = get_args(ReviewQueue)
REVIEWED_OF_SEARCH: Final = 1_000  # best results of a search that are looked at for review
MOST_EDITED: Final = 100_000  # photos in one edit


class Gallery:
    """One library, to look at and to correct. Close it before the library. Safe to share between threads.

    Raises :class:`CatalogueUnavailable` when its disk is full: it would run on, without a change, when there is room.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self.settings = library.settings
        self._database = library.database
        with suppress(CatalogueReadOnly):  # it can be looked at
            self._database.check_writable()
        self._snapshots = Snapshots(self._database, self.settings.data_dir)
        self._sets = ResultSets()
        self._timelines = Timelines()
        self._counted: tuple[Snapshot, LibraryCounts] | None = None
        self._unsure = Unsure(self._database)
        self.readable = ReadableWords(self.settings)
        self._sync = BackgroundSync(lambda is_wanted: library.finder.sync(is_wanted))
        self.changes = Changes(self._snapshots)
        limit = self.settings.thumbnail_megabytes * 1_000_000
        self._thumbnails = ThumbnailPool(self.settings.thumbnails_path, limit, self.settings)
        # One at a time, by a process of its own: no list waits for it. None are kept: each is as large as a photo.
        self._full = ThumbnailPool(self.settings.thumbnails_path, 0, self.settings, workers=1)
        self._opening = threading.Lock()
        self._opened: threading.Thread | None = None

    def prepare(self, first: Callable[[], None] = lambda: None) -> threading.Thread:
        """Have a thread import and open what the first search and the first edit need, which takes some hundred
        milliseconds; return it. To be called when the server answers. ``first`` is called before all else."""
        with self._opening:
            if self._opened is None:
                self._opened = threading.Thread(target=self._open, args=(first,), name="open-index", daemon=True)
                self._opened.start()
            return self._opened

    def _open(self, first: Callable[[], None]) -> None:
        first()
        with suppress(PhotoindexError):  # told to whoever searches
            self.library.finder.full_text().completions("", 0)
        if not self.is_read_only:
            self._sync.request()  # edits of a server that was killed
        with suppress(PhotoindexError):
            self._snapshots.latest()
        with suppress(ImportError):
            import_module("photoindex.catalogue.editor")

    def stop_waiting(self) -> None:
        """Have no request wait for another process any more, as one that makes the search index."""
        self.library.finder.stop_waiting()

    def close(self) -> None:
        """Write what is still to be written, but wait for no other process, and end threads and decoding processes."""
        self.stop_waiting()
        if self._opened is not None:
            self._opened.join()
        self.changes.close()
        self._sync.close()
        self._snapshots.close()
        self._thumbnails.close()
        self._full.close()

    def hand_back(self) -> None:
        """Hand back to the system the memory that answers left behind, and that of the index's files."""
        from photoindex.search.checked_file import release_pages  # here, as it needs numpy

        release_pages()
        memory.give_back()

    @property
    def is_read_only(self) -> bool:
        """Whether the catalogue may not be written."""
        return self._database.read_only

    @property
    def common_words(self) -> frozenset[str]:
        """Words that no search looks for."""
        return STOP_WORDS

    def version(self) -> tuple[str, int, int]:
        """The state of the library: the catalogue's identity and revision, and that of the timeline, which follows it
        a moment later. What was read when these were the same is all that is in the catalogue now."""
        with self._database.ask() as asker:
            identity, revision = change_feed.version(asker)
        return identity, revision, self.snapshot().revision

    # ---- lists ---------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """All photos, hidden ones too, in the order of the timeline."""
        return self._snapshots.latest()

    def timeline(self) -> Snapshot:
        """All photos that are not hidden, in the order of the timeline."""
        return self._snapshots.visible()

    def narrowed(self, chosen: TimelineFilter) -> Timeline:
        """The timeline, of the photos that a filter wants alone."""
        return self._timelines.of(self.timeline(), chosen)

    def rows(self, timeline: Timeline, first: int, count: int) -> list[ShownPhoto]:
        """So many photos of a timeline from a place on."""
        snapshot, rows = timeline.snapshot, timeline.rows(first, count)
        with self._database.ask() as asker:
            captions = shown_captions(asker, snapshot.ids[rows].tolist())
        return [shown_photo(snapshot, row, captions) for row in rows]

    def find(self, query: str) -> ResultSet:
        """Search. Raises :class:`photoindex.errors.QueryError`."""
        self.prepare().join()
        if not self._sync.is_refused:
            self._sync.wait(SYNC_SECONDS)
        found = self.library.finder.rank(query, FIRST_PAGE)
        _, held = self.snapshot().locate(found.photo_ids)  # a file that went a moment ago is left out
        return self._sets.add(query, found.photo_ids[held], found.scores[held], found.said[held], found.matched)

    def find_similar(self, photo_id: int) -> ResultSet:
        """The photos most like one, by learned terms. Raises :class:`FolderError` when none are known of it."""
        hits = self._similar(self.photo(photo_id))
        matched = {hit.photo_id: hit.matched for hit in hits}
        ids = np.array([hit.photo_id for hit in hits], np.int64)
        scores = np.array([hit.score for hit in hits], np.float32)
        return self._sets.add("", ids, scores, np.zeros(ids.size, np.bool_), matched)

    def _similar(self, photo: Photo) -> list[Hit]:
        found = self.library.finder.like(photo, SIMILAR, "")
        if found is None:
            raise FolderError("nothing is known of this photo to compare it by: its model predicts no terms")
        return found

    def result_set(self, token: str) -> ResultSet:
        """A set that is still kept. Raises :class:`photoindex.errors.ResultSetGone`."""
        return self._sets.get(token)

    def page(self, found: ResultSet, order: SetOrder, first: int, count: int) -> list[ShownPhoto]:
        """Some photos of a set, with the reasons for each."""
        snapshot = self.snapshot()
        places = found.places(snapshot, order)[first : first + count]
        ids = found.ids[places].tolist()
        matched: dict[int, tuple[Matched, ...]] = {i: found.matched[i] for i in ids if i in found.matched}
        lacking = [photo_id for photo_id in ids if photo_id not in matched]
        if lacking and found.query:
            matched.update(self.library.finder.explain(found.query, lacking))
        with self._database.ask() as asker:
            captions = shown_captions(asker, ids)
        scores, said = found.scores[places].tolist(), found.said[places].tolist()
        sure = self.sureness(found.query, matched) if found.query else {}
        shown = []
        for photo_id, score, says in zip(ids, scores, said, strict=True):
            rows = snapshot.rows_of([photo_id])
            if rows.size:
                photo = shown_photo(snapshot, int(rows[0]), captions)
                shown.append(
                    dataclasses.replace(
                        photo,
                        score=score,
                        said=says,
                        matched=tuple(matched.get(photo_id, ())),
                        sureness=sure.get(photo_id),
                    )
                )
        return shown

    def facets(self, found: ResultSet) -> dict[str, list[tuple[str, int]]]:
        """Years, places, cameras, folders, tags and people of a set, each with its number of photos."""
        return found.facets(self.snapshot())

    def suggest(self, query: str) -> list[str]:
        """The query spelt otherwise, so that it finds something."""
        return self.library.suggest(query)

    def complete(self, text: str) -> list[str]:
        """What the last word of a query may be meant to become, most likely first."""
        before, space, last = text.rpartition(" ")
        folded = words(last)
        if len(folded) != 1 or len(folded[0]) < 2 or ":" in last or last.startswith(("-", '"')):
            return []
        self.prepare().join()
        return [
            f"{before}{space}{word}" for word in self.library.finder.full_text().completions(folded[0], COMPLETIONS)
        ]

    # ---- one photo -----------------------------------------------------------------------------------

    def photo(self, photo_id: int) -> Photo:
        """Everything known of a photo. Raises :class:`FolderError` when there is none with this id."""
        with self._database.read() as connection:
            return _photo(connection, photo_id)

    def photo_with_history(self, photo_id: int) -> tuple[Photo, tuple[Correction, ...]]:
        """Everything known of a photo, and what people changed of it until then, oldest first; see :meth:`photo`."""
        with self._database.read() as connection:
            return _photo(connection, photo_id), corrections.corrections_of(connection, [photo_id]).get(photo_id, ())

    def found(self, photo_ids: Sequence[int]) -> dict[int, Found]:
        """What a list shows of photos, by id, of those that have a caption and a present file."""
        with self._database.ask() as asker:
            return find_photos(asker, photo_ids)

    def why(self, photo_id: int, query: str) -> tuple[Matched, ...] | None:
        """Why a query finds a photo, which may be for no word of it; ``None`` when it does not. Raises
        :class:`photoindex.errors.QueryError`."""
        return self.library.finder.explain(query, [photo_id]).get(photo_id)

    def sureness(self, query: str, matched: Mapping[int, tuple[Matched, ...]]) -> dict[int, float]:
        """How likely photos show all that a query asks, 0 to 1, by the reasons for each; below :data:`NEAR` one only
        comes near. Without those of which nothing can be told. Raises :class:`photoindex.errors.QueryError`."""
        return self.library.finder.sureness(query, matched)

    def neighbours(
        self, photo_id: int, chosen: TimelineFilter = EVERY_PHOTO
    ) -> tuple[int | None, int | None]:  # fmt: skip
        """The photos before and after one in the timeline, of those that a filter wants; of one that it does not want,
        or that is hidden, around the place that it would have."""
        return self.narrowed(chosen).around(photo_id, self.snapshot())

    def row_of(self, photo_id: int) -> int | None:
        """The place of a photo in the timeline."""
        rows = self.timeline().rows_of([photo_id])
        return int(rows[0]) if rows.size else None

    def present(self, photo_ids: Sequence[int]) -> tuple[list[int], list[int]]:
        """Those of these photos that have a file, and those of them that are hidden."""
        snapshot = self.snapshot()
        rows = snapshot.rows_of(photo_ids)
        return snapshot.ids[rows].tolist(), snapshot.ids[rows[snapshot.hidden[rows]]].tolist()

    def history(self, photo_id: int) -> tuple[Correction, ...]:
        """All that people changed of a photo, oldest first. Raises :class:`FolderError` when there is none with this
        id."""
        with self._database.read() as connection:
            if not photos.known(connection, [photo_id]):
                raise FolderError(f"there is no photo {photo_id}")
        return self._editor.history([photo_id]).get(photo_id, ())

    def original(self, photo_id: int) -> Original:
        """The photo's file, open and checked. Raises :class:`photoindex.errors.UnreadablePhoto`."""
        with self._database.ask() as asker:
            files = gallery_queries.files_of(asker, photo_id)
        return open_original(files)

    def thumbnail(self, content: str, size: int) -> bytes | Future[bytes]:
        """A small JPEG of the photo with this SHA-256; see :class:`photoindex.media.thumbnail_pool.ThumbnailPool`. Of
        ``FULL_SIZE`` it has the photo's own pixels, if it is not larger."""
        if size == FULL_SIZE:
            return self._full.make(content, size, lambda: self._sources(content))
        return self._thumbnails.kept(content, size) or self._thumbnails.make(
            content, size, lambda: self._sources(content)
        )

    def _sources(self, content: str) -> list[Source]:
        with self._database.ask() as asker:
            photo_id = gallery_queries.photo_of_content(asker, content)
            files = gallery_queries.files_of(asker, photo_id) if photo_id is not None else []
        return [Source(*file) for file in files]

    # ---- albums and the map --------------------------------------------------------------------------

    @property
    def albums(self) -> Albums:
        """The albums of the library, and what is no duplicate."""
        return self.library.albums

    def album(self, number: int) -> tuple[Album, ResultSet]:
        """An album and its photos that have a file, last added first, or what its query finds.

        Raises :class:`photoindex.errors.AlbumError`, and :class:`photoindex.errors.QueryError` for a saved search.
        """
        found = self.albums.get(number)
        if found.query is not None:
            return found, self.find(found.query)
        ids = np.array(self.albums.photos(number)[::-1], np.int64)
        return found, self._set_of(ids[self.timeline().locate(ids)[1]])

    def _set_of(self, ids: NDArray[np.int64]) -> ResultSet:
        return self._sets.add("", ids, np.zeros(ids.size, np.float32), np.zeros(ids.size, np.bool_), {})

    def album_sheet(self, number: int) -> tuple[Album, Iterator[str]]:
        """An album, and the HTML of its contact sheet in pieces: its first photos, with their pictures. Raises as
        :meth:`album` does."""
        from photoindex.library.gallery.sheets import sheet_of

        album, found = self.album(number)
        return album, sheet_of(self.library, album, found, self.thumbnail)

    def places(self, west: float, south: float, east: float, north: float, across: int) -> Clusters:
        """The photos with a position within a box of degrees, clustered by a grid of ``across`` cells to its width."""
        return clusters_within(self.timeline(), (west, south, east, north), across)

    # ---- what people say -----------------------------------------------------------------------------

    @cached_property
    def _editor(self) -> Editor:
        return editor.Editor(self._database)  # the index follows behind

    def edit(self, photo_ids: Sequence[int], change: Edit) -> tuple[str, int]:
        """Change what is said of photos; returns the edit's name, for :meth:`undo`, and how many photos it changed.

        Raises :class:`CorrectionError`, and :class:`photoindex.errors.CatalogueError`.
        """
        if change.says_nothing:
            raise CorrectionError("nothing to change: give a caption, tags, or what to take away")
        if len(photo_ids) > MOST_EDITED:
            raise CorrectionError(f"{len(photo_ids):,} photos at once: at most {MOST_EDITED:,}")
        name = editor.new_edit()
        try:
            with self._sync.held():
                return name, self._editor.apply(list(dict.fromkeys(photo_ids)), change, name)
        finally:  # also when it failed half way
            self._sync.request()

    def undo(self, edit: str) -> list[int]:
        """Undo an edit; returns the photos that it was undone of. Those that were edited again since keep it."""
        try:
            with self._sync.held():
                return list(self._editor.undo_edit(edit))
        finally:
            self._sync.request()

    def review_queue(self, most: int, queue: ReviewQueue = "unsure", query: str = "") -> list[int]:
        """Photos to review: those of whose caption the model is least sure, the newest ones, those that were put off,
        those whose caption a person called wrong, or of what a query finds first those that nobody reviewed, the least
        sure first. Raises :class:`photoindex.errors.QueryError`."""
        if queue == "newest":
            snapshot = self.timeline()
            return [int(number) for number in snapshot.ids[snapshot.last_added[:most]]]
        if queue == "unsure":
            return self._unsure.first(most)
        among = self.find(query).ids[:REVIEWED_OF_SEARCH].tolist() if queue == "search" else []
        with self._database.ask() as asker:
            if queue == "search":
                return gallery_queries.least_sure(asker, most, among)
            return gallery_queries.in_review(asker, queue, most)

    def reviewed(self) -> tuple[int, int, int]:
        """How many captions of the model people kept, how many they replaced by their own, and how many they called
        wrong."""
        with self._database.ask() as asker:
            return gallery_queries.reviewed(asker)

    # ---- the state of things -------------------------------------------------------------------------

    def failures(self) -> list[FailedFile]:
        """Files that could not be captioned, and why, by path."""
        with self._database.ask() as asker:
            return gallery_queries.failed_files(asker)

    def retry_failures(self, file_ids: Sequence[int]) -> int:
        """Queue failed files again, for the next index or watch; returns how many."""
        with self._database.write() as connection:
            return jobs.retry_failures(connection, file_ids, datetime.now(timezone.utc))

    def ignore_failures(self, file_ids: Sequence[int]) -> int:
        """Stop reporting these files until they change; returns how many had failed."""
        with self._database.write() as connection:
            return jobs.ignore_failures(connection, file_ids)

    def status(self) -> Status:
        """Counts, folders, sizes, and who watches."""
        return self.library.status()

    def batches(self) -> list[Batch]:
        """The batches of photos that are captioned again, newest first."""
        return list(reversed(self.library.batches.find(ended=True)))

    @cached_property
    def batch_planner(self) -> BatchPlanner:
        """What plans and queues batches, without a model."""
        from photoindex.library.gallery.batch_plans import BatchPlanner

        return BatchPlanner(self._database, self.settings, lambda query: self.find(query).ids.tolist())

    def change_batch(self, number: int, action: str) -> None:
        """Pause, resume or cancel a batch. Raises :class:`photoindex.errors.BatchError`."""
        batches = self.library.batches
        {"pause": batches.pause, "resume": batches.resume, "cancel": batches.cancel}[action](number)

    def duplicates(self, near: int | None = None, *, decided: bool = False) -> list[tuple[Duplicate, ...]]:
        """Groups of files with the same bytes, or that look alike; only photos that have a fingerprint are compared.
        ``decided``: those that a person said are no duplicates, instead of the others."""
        from photoindex.library.duplicates import find_duplicates

        return find_duplicates(self._database, near, decided=decided)

    def counts(self) -> LibraryCounts:
        """What the library holds; counted again when the catalogue has changed."""
        snapshot, counted = self.snapshot(), self._counted
        if counted is None or counted[0] is not snapshot:
            self._counted = counted = snapshot, count_library(snapshot)
        return counted[1]

    def models(self) -> Mapping[str, int]:
        """How many photos each model captioned, by identity."""
        return self.library.captioned_by()


def _photo(connection: Connection, photo_id: int) -> Photo:
    found = details.photos_by_id(connection, [photo_id])
    if not found:
        raise FolderError(f"there is no photo {photo_id}")
    terms = found[0].terms + term_vectors.terms_of(connection, photo_id)
    return dataclasses.replace(found[0], terms=terms, companions=details.companions_of(connection, found[0]))
