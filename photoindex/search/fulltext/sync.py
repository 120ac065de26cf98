"""Words from the catalogue to the full-text index: those that changed, or all of them.

What changed is known by marks that the photos carry, and which photos were removed by the change feed, as long as one
machine has the catalogue. Where many share one, each has an index of its own and follows the change feed in all, from
the version that its index is at (:mod:`.cursor`).

A lock file lets one process at a time go from reading the words to clearing the catalogue's marks: a slower one could
otherwise write older words over newer ones.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from photoindex.catalogue import files, photos
from photoindex.catalogue.change_feed import changes_after, version
from photoindex.catalogue.database import Database
from photoindex.catalogue.roots import list_roots
from photoindex.config import Settings
from photoindex.errors import FullTextError
from photoindex.search import FullText
from photoindex.search.fulltext.cursor import read_cursor, unseen_removals, write_cursor
from photoindex.search.fulltext.document import Document, document_of
from photoindex.system import memory
from photoindex.system.locks import locked
from photoindex.types import Progress

BATCH = 256  # photos a commit of the index
ALL = 1 << 62  # changes, however many there are
REBUILD_CHUNK = 500  # photos read from the catalogue at once


def sync(
    database: Database,
    full_text: FullText,
    settings: Settings,
    is_wanted: Callable[[], bool] = lambda: True,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Write the words of every photo that changed into the index; return how many photos that were. Stops between two
    commits when it is not wanted any more, and leaves the rest to the next time. Who is ``stopped`` waits for no other
    process that writes to the index.

    An index that turns out to be damaged is rebuilt. Raises :class:`FullTextError` when it cannot be written.
    """
    if database.is_shared:
        return _follow(database, full_text, settings, is_wanted, stopped)
    written = 0
    with _lock(settings, stopped):
        _drop_removed(database, full_text, stopped)
        while True:
            with database.read() as connection:
                stale = photos.stale_photos(connection, BATCH)
                documents = load_documents(connection, [photo_id for photo_id, _ in stale])
            if not stale:
                break
            present = {document.photo_id for document in documents}
            try:
                full_text.update(documents, [photo_id for photo_id, _ in stale if photo_id not in present])
            except FullTextError:
                if not full_text.needs_rebuild:
                    raise
                return written + _rebuild(database, full_text, None, stopped)
            with database.write(exclusive=False) as connection:
                photos.clear_text_stale(connection, stale)
            written += len(stale)
            if not is_wanted():
                break
    if written:
        memory.give_back()
    return written


def _drop_removed(database: Database, full_text: FullText, stopped: Callable[[], bool]) -> None:
    """Delete the photos from the index that were removed from the catalogue. They carry no mark any more."""
    with database.ask() as asker:
        removals = unseen_removals(asker, full_text.folder)
    if removals is None:
        return
    try:
        full_text.update([], removals.photos)
    except FullTextError:
        if not full_text.needs_rebuild:
            raise
        _rebuild(database, full_text, None, stopped)  # of the photos that there are
    write_cursor(full_text.folder, removals.version)


def is_followed(database: Database, full_text: FullText) -> bool:
    """Return whether the index is at the version of a shared catalogue, as one look at both says."""
    with database.ask() as asker:
        return read_cursor(full_text.folder) == version(asker)


def _follow(
    database: Database,
    full_text: FullText,
    settings: Settings,
    is_wanted: Callable[[], bool],
    stopped: Callable[[], bool],
) -> int:
    """Write what changed in a shared catalogue since the version that the index is at."""
    if is_followed(database, full_text):
        return 0
    written = 0
    with _lock(settings, stopped):
        while True:
            known = read_cursor(full_text.folder)
            with database.read() as connection:
                changes = None if known is None else changes_after(connection, known, BATCH)
                documents = [] if changes is None else load_documents(connection, changes.photos)
            if changes is None:
                return written + _rebuild(database, full_text, None, stopped)
            present = {document.photo_id for document in documents}
            gone = [photo_id for photo_id in (*changes.photos, *changes.removed) if photo_id not in present]
            if documents or gone:
                try:
                    full_text.update(documents, gone)
                except FullTextError:
                    if not full_text.needs_rebuild:
                        raise
                    return written + _rebuild(database, full_text, None, stopped)
            if changes.version != known:
                write_cursor(full_text.folder, changes.version)
            written += len(changes.photos)
            if len(changes.photos) + len(changes.removed) < BATCH or not is_wanted():
                return written


def rebuild(
    database: Database,
    full_text: FullText,
    settings: Settings,
    progress: Callable[[Progress], None] | None = None,
) -> int:
    """Rebuild the index from the catalogue; the old one answers until then. Returns how many photos it holds."""
    with _lock(settings):
        return _rebuild(database, full_text, progress, lambda: False)


def rebuild_if_needed(
    database: Database,
    full_text: FullText,
    settings: Settings,
    progress: Callable[[Progress], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Rebuild the index unless another thread or process did so meanwhile. Returns how many photos were indexed.

    Raises :class:`FullTextError` when it cannot be written, and for who is ``stopped`` before it is whole."""
    with _lock(settings, stopped):
        return _rebuild(database, full_text, progress, stopped) if full_text.needs_rebuild else 0


def _rebuild(
    database: Database,
    full_text: FullText,
    progress: Callable[[Progress], None] | None,
    stopped: Callable[[], bool],
) -> int:
    with database.read() as connection:
        reached = version(connection)
        stale = photos.stale_photos(connection, None)
        ids = array("q", photos.all_photo_ids(connection))  # a fourth of the memory of a list

    def documents() -> Iterator[Document]:
        for start in range(0, len(ids), REBUILD_CHUNK):
            if stopped():
                raise FullTextError("stopped before the search index was rebuilt: the next command begins it again")
            with database.read() as connection:
                yield from load_documents(connection, ids[start : start + REBUILD_CHUNK].tolist())

    def report(done: int) -> None:
        if progress is not None:
            progress(Progress("indexing words", done, len(ids)))

    if ids:
        report(0)
    with memory.rare_collections():
        full_text.rebuild(documents(), report)
    memory.give_back()
    if database.is_shared:
        write_cursor(full_text.folder, reached)
    if stale:
        with database.write(exclusive=False) as connection:
            photos.clear_text_stale(connection, stale)
    return len(ids)


def load_documents(connection: Connection, photo_ids: Sequence[int]) -> list[Document]:
    """Return the searchable words of those of these photos that have a caption and a present file."""
    paths = files.paths_of(connection, photo_ids)
    roots = [root.path for root in list_roots(connection)]
    loaded = photos.load_photos(connection, photo_ids, paths)
    return [document_of(photo, roots) for photo in loaded if photo.caption is not None and photo.paths]


@dataclass(frozen=True, slots=True)
class IndexAgreement:
    """The index compared with the catalogue: photos in it, photos that it lacks, photos that it has without need; and
    photos whose words are yet to be written, which are not counted among them."""

    photos: int
    lacking: int
    extra: int
    waiting: int


def compare(database: Database, full_text: FullText) -> IndexAgreement:
    """Compare the photos of the index with those of the catalogue. Raises FullTextError when it cannot be read.

    Photos that change meanwhile are left out: the index is read between two looks at the catalogue.
    """

    def look() -> tuple[set[int], set[int]]:
        with database.read() as connection:
            return photos.searchable_ids(connection), _waiting(database, connection, full_text)

    (before, waiting), indexed, (after, still_waiting) = look(), full_text.photo_ids(), look()
    settled = indexed - waiting - still_waiting
    lacking = (before & after) - indexed - waiting - still_waiting
    return IndexAgreement(len(indexed), len(lacking), len(settled - before - after), len(still_waiting))


def _waiting(database: Database, connection: Connection, full_text: FullText) -> set[int]:
    """Return the photos whose latest words are yet to be written to the index."""
    if not database.is_shared:
        removals = unseen_removals(connection, full_text.folder)
        removed = [] if removals is None else removals.photos
        return {*removed, *(photo_id for photo_id, _ in photos.stale_photos(connection, None))}
    changes = changes_after(connection, read_cursor(full_text.folder), ALL)
    return set() if changes is None else {*changes.photos, *changes.removed}


@contextmanager
def _lock(settings: Settings, stopped: Callable[[], bool] = lambda: False) -> Iterator[None]:
    path = settings.data_dir / "fulltext.lock"
    holder = f"another photoindex is writing the search index in {settings.index_path}"
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path, holder, FullTextError, stopped=stopped))
        except OSError as error:
            raise FullTextError(f"cannot lock {path}: {error.strerror or error}; check its disk") from error
        yield
