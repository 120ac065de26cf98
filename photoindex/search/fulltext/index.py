"""The full-text index: photos go in as ``Document`` and are found again by words.

It is a cache of the catalogue: a change of the catalogue marks the photo, then ``update`` is called, and the mark is
cleared when that returns. One process writes at a time; readers need no permission and see each commit with their next
search.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from photoindex.errors import FullTextError, InvalidSearch, PhotoindexError
from photoindex.language.analysis import fingerprint
from photoindex.search.checked_file import DamagedFile
from photoindex.search.fulltext import store
from photoindex.search.fulltext.generations import REMEDY, Current, Generations, discard
from photoindex.search.fulltext.photo_ids import Documents
from photoindex.search.fulltext.reader import IndexReader, NoIndex
from photoindex.search.fulltext.store import SegmentIndex
from photoindex.search.query.parser import parse_query
from photoindex.search.query.syntax import ParsedQuery, require_all
from photoindex.search.ranking.explain import reasons
from photoindex.search.ranking.first_hits import first_hits
from photoindex.search.ranking.matcher import Matcher
from photoindex.search.ranking.spelling import corrections
from photoindex.search.ranking.visible import find_visible
from photoindex.search.ranking.weights import DEFAULT_RANKING, FIELD_WEIGHTS, Ranking
from photoindex.search.ranking.whole_index import WholeIndex
from photoindex.search.terms.matrix import TermSource, stand_ins_of, terms_of
from photoindex.system.regular_files import NotRegularFile
from photoindex.types.hit import Match

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.fulltext.document import Document
    from photoindex.search.ranking.matcher import Answer

SCHEMA_VERSION: Final = 8  # raise it when the fields change: every index is then rebuilt

_PROGRESS_EVERY: Final = 500  # documents
_OPEN_ATTEMPTS: Final = 20
_OPEN_PAUSE: Final = 0.01  # seconds
_BLOCK: Final = 256  # documents
_MOST_COMPLETIONS: Final = 2000  # words that are weighed for a completion

_Answer = TypeVar("_Answer")


def _expected_stamp() -> dict[str, Any]:
    return {"schema": SCHEMA_VERSION, "analyser": fingerprint(), "fields": list(FIELD_WEIGHTS)}


class FullText:
    """The full-text index in ``folder``. Make it with ``FullText.open``; close it, or use it as a context manager.

    Safe to share between threads. ``timeout`` is how many seconds a write waits for another writer.
    """

    def __init__(self, folder: Path, *, timeout: float = 10.0) -> None:
        self.folder = Path(folder)
        self.timeout = timeout
        self._generations = Generations(self.folder, _expected_stamp())
        self._lock = threading.RLock()
        self._index: SegmentIndex | None = None
        self._reader: IndexReader | None = None
        self._documents: Documents | None = None  # of the reader
        self._reading: tuple[Path, int] | None = None  # the generation and the commit that the reader stands for
        self._fault: tuple[Path, str] | None = None  # a generation that turned out to be damaged, and the message

    @classmethod
    def open(cls, folder: Path, *, timeout: float = 10.0) -> FullText:
        """Open the index in ``folder``, creating an empty one where there is nothing yet.

        An index that cannot be used is no error here: see ``needs_rebuild``. Raises FullTextError when the folder
        cannot be written, or when another process is creating it for longer than ``timeout`` seconds.
        """
        fulltext = cls(folder, timeout=timeout)
        if fulltext._generations.is_new():
            with fulltext._writing("creating"):
                if fulltext._generations.is_new():
                    path = fulltext._generations.start()
                    store.create(path)
                    fulltext._generations.publish(path, complete=False)
        return fulltext

    @property
    def needs_rebuild(self) -> bool:
        """Whether photos of the catalogue may be missing from the index: call ``rebuild`` with all of them.

        True for an index that was just created (which can be searched and updated all the same), for one written by
        another version, and for a damaged one (both of which refuse to be searched or updated).
        """
        with self._lock:
            try:
                self._current_reader()
                return not self._generations.current().complete
            except FullTextError:
                return True

    # ---- searching -------------------------------------------------------------------------------

    def search(
        self,
        query: str,
        limit: int | None = 20,
        ranking: Ranking | None = None,
        terms: TermSource | None = None,
        *,
        today: date | None = None,
        exact: bool = False,
    ) -> list[Match]:
        """Return photos that answer ``query`` (the language is in query/parser.py), best first.

        At most ``limit`` of them (None: all). Photos of the same score come in the order in which they were indexed. A
        query without words to rank by (only dates or exclusions) scores all photos 0. ``terms`` are learned ones to
        search by as well; ``today`` is what "last week" counts from (default: this day). ``exact``: only photos whose
        own words are those of the query, all of them; neither learned terms nor words of like meaning count.

        Raises QueryError for a query that asks for nothing and for a negative limit, FullTextError when the index needs
        to be rebuilt.
        """
        check_limit(limit)
        return self.answer(query, partial(_answer, limit=limit), ranking, terms, today=today, exact=exact)

    def answer(
        self,
        query: str,
        how: Callable[[Matcher, Documents, ParsedQuery], _Answer],
        ranking: Ranking | None = None,
        terms: TermSource | None = None,
        *,
        today: date | None = None,
        exact: bool = False,
    ) -> _Answer:
        """Return what ``how`` makes of a query and of the index as it is now. Raises as ``search`` does."""
        parsed = parse_query(query, today)
        ranking = ranking or DEFAULT_RANKING
        if exact:
            parsed = parsed._replace(root=require_all(parsed.root))
            ranking = replace(ranking, terms=0.0, synonyms=0.0)
        asked = terms_of(parsed.root) if terms is not None and ranking.terms > 0 else []
        if asked and ranking.synonyms > 0:
            asked = list(dict.fromkeys(asked + stand_ins_of(parsed.root)))
        columns = terms.columns(asked) if terms is not None and asked else None
        with self._lock:
            reader = self._current_reader()
            with self._noticing_damage(self._path_of_reader()):
                documents = self._documents = self._documents or Documents(reader)
                learned = None if columns is None else documents.terms(columns)
                matcher = Matcher(reader, ranking, learned, WholeIndex(documents.holders))
                return how(matcher, documents, parsed)

    def completions(self, prefix: str, limit: int) -> list[str]:
        """Return the words of the index that begin with ``prefix`` (folded), the most frequent first."""
        with self._lock:
            reader = self._current_reader()
            with self._noticing_damage(self._path_of_reader()):
                matcher = Matcher(reader)
                some = {form for form in islice(matcher.forms_starting(prefix), _MOST_COMPLETIONS) if form.isalpha()}
                counted = {form: matcher.form_count(form) for form in some}
        return sorted(counted, key=lambda form: (-counted[form], form))[:limit]

    def corrections(self, query: str) -> dict[str, tuple[str, ...]]:
        """Return, for each plain word of ``query`` that no photo has, near spellings that photos have, likeliest first.

        Empty for words that are known, or near to nothing. Raises as ``search`` does.
        """
        parsed = parse_query(query)
        with self._lock:
            reader = self._current_reader()
            with self._noticing_damage(self._path_of_reader()):
                return corrections(Matcher(reader), parsed)

    def count(self) -> int:
        """Return how many photos are in the index. Raises FullTextError when it needs to be rebuilt."""
        with self._lock:
            return self._current_reader().alive

    def photo_ids(self) -> set[int]:
        """Return the photos in the index. Raises FullTextError when it needs to be rebuilt."""
        with self._lock:
            reader = self._current_reader()
            with self._noticing_damage(self._path_of_reader()):
                return set(reader.photo_ids().tolist()) - {0}

    @property
    def is_absent(self) -> bool:
        """Whether nothing was ever indexed in this folder, or all of it was taken away."""
        return self._generations.is_new()

    # ---- writing ---------------------------------------------------------------------------------

    def update(self, documents: Sequence[Document], removed: Sequence[int] = ()) -> None:
        """Add or replace ``documents`` and drop the photo ids ``removed``, in one commit.

        Doing it again changes nothing. An id in both is added; of two documents of one photo the later counts. When it
        returns, every later search sees it; when it raises FullTextError (another writer, a full disk, an index that
        needs to be rebuilt), none of it happened.
        """
        from photoindex.search.fulltext.document import fields_of

        latest = {document.photo_id: fields_of(document) for document in documents}
        replaced = sorted({*latest, *removed})
        if not replaced:
            return
        with self._writing("updating"):
            path = self._usable().path
            with self._noticing_damage(path), store.writer(path) as writer:
                writer.delete(replaced)
                for fields in latest.values():
                    writer.add(fields)

    def rebuild(self, documents: Iterable[Document], progress: Callable[[int], None] | None = None) -> None:
        """Write a new index from ``documents``, each photo once, and put it in the place of the old one in one step.

        Until then the old one stays in use, and it stays if this fails or dies. No other write can happen meanwhile.
        ``progress`` gets how many documents are in, every 500 and at the end. Raises FullTextError when another
        process is writing or the disk refuses; what iterating over ``documents`` raises goes through.
        """
        from photoindex.search.fulltext.document import fields_of

        with self._writing("rebuilding"):
            path = self._generations.start()
            try:
                store.create(path)
                done = 0
                with store.writer(path) as writer:
                    for done, document in enumerate(documents, 1):
                        writer.add(fields_of(document))
                        if progress and done % _PROGRESS_EVERY == 0:
                            progress(done)
                self._generations.publish(path, complete=True)
            except BaseException:
                discard(path)
                raise
        if progress:
            progress(done)

    def damaged_files(self) -> list[Path]:
        """Return the files of the index that are not as they were written. Reads all of them. Raises FullTextError."""
        path = self._usable().path
        with self._noticing_damage(path):
            return store.damaged(path)

    def optimize(self) -> None:
        """Merge segments that are not full as far as they fit together, for faster searches."""
        with self._writing("optimising"):
            path = self._usable().path
            with self._noticing_damage(path), store.writer(path) as writer:
                writer.merge()

    # ---- closing ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the files. A later search opens them again."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
            self._index = self._reader = self._reading = self._documents = None

    def __enter__(self) -> FullText:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- inside ----------------------------------------------------------------------------------

    def _usable(self) -> Current:
        current = self._generations.current()
        if self._fault and self._fault[0] == current.path:
            raise FullTextError(self._fault[1])
        return current

    def _path_of_reader(self) -> Path:
        assert self._reading is not None  # to be called behind _current_reader, with the lock
        return self._reading[0]

    def _current_reader(self) -> IndexReader:
        """Return a reader that sees the last commit."""
        for _ in range(_OPEN_ATTEMPTS):
            path = self._usable().path
            index, commit = self._index if self._reading and self._reading[0] == path else None, -1
            with self._noticing_damage(path):
                try:
                    index = index or SegmentIndex(path)
                    commit = index.commit()
                    if self._reader is None or self._reading != (path, commit):
                        reader = index.reader()
                        _keep_freed_memory(reader.size)
                        self.close()
                        self._index, self._reader, self._reading = index, reader, (path, commit)
                    return self._reader
                except (FileNotFoundError, NoIndex):
                    # Beside a busy writer a file may go between being listed and being opened: there is a newer commit.
                    if index and commit >= 0 and index.commit() == commit and self._usable().path == path:
                        raise
            time.sleep(_OPEN_PAUSE)
        raise self._damaged(path, "it has no commit")

    @contextmanager
    def _writing(self, doing: str) -> Iterator[None]:
        try:
            with self._generations.writing(doing, self.timeout):
                yield
        except OSError as error:
            raise FullTextError(_cannot("write to", self.folder, error)) from error

    @contextmanager
    def _noticing_damage(self, path: Path) -> Iterator[None]:
        """Raise FullTextError for what damaged bytes cause, which may be errors of every kind."""
        try:
            yield
        except (PhotoindexError, MemoryError):
            raise
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise self._damaged(path, f"{Path(str(error.filename)).name} is missing") from error
            raise FullTextError(_cannot("use", self.folder, error)) from error
        except DamagedFile as error:
            raise self._damaged(path, str(error)) from error
        except Exception as error:
            raise self._damaged(path, type(error).__name__) from error

    def _damaged(self, path: Path, reason: str) -> FullTextError:
        message = f"the full-text index in {self.folder} is damaged ({reason}): {REMEDY}"
        self._fault = path, message
        return FullTextError(message)


def _keep_freed_memory(documents: int) -> None:
    """Have the C library keep what the arrays of a query took for the next one.

    A query makes and drops some dozens of arrays with a place per document. glibc gives each back to the system, and
    asks for it again, as long as it is larger than all that was freed before, and whatever lies unused beyond twice
    that (mallopt(3), M_MMAP_THRESHOLD): a tenth of a query's time. So something larger is freed once; it is never
    touched, and takes no memory.
    """
    np.empty(8 * documents, np.float32)


def _cannot(do: str, folder: Path, error: OSError) -> str:
    if isinstance(error, NotRegularFile | IsADirectoryError):
        return f"cannot {do} the full-text index in {folder}: move {error.filename} away, which should be a file"
    if isinstance(error, FileExistsError):
        return f"cannot {do} the full-text index in {folder}: move {error.filename} away, which should be a folder"
    return f"cannot {do} the full-text index in {folder}: {error.strerror or error}"


def check_limit(limit: int | None) -> None:
    """Raise InvalidSearch for a negative number of hits, or one that is no whole number."""
    if limit is not None and not isinstance(limit, int):
        raise InvalidSearch(f"limit must be a whole number, or None for all hits, not {limit!r}")
    if limit is not None and limit < 0:
        raise InvalidSearch(f"limit must not be negative, but is {limit}")


def _answer(matcher: Matcher, documents: Documents, parsed: ParsedQuery, limit: int | None) -> list[Match]:
    first = first_hits(matcher, parsed.root, limit) if limit is not None else None
    if first is not None:
        answer, matcher = first.answer, first.matcher
    else:
        answer = find_visible(matcher, parsed.root)
    ids = _candidates(answer, limit)
    worth = answer.scores[ids]
    if limit is not None and 0 < limit < ids.size:  # sorting all would take longer than the rest of the search
        worthy = worth >= np.partition(worth, ids.size - limit)[ids.size - limit]
        ids, worth = ids[worthy], worth[worthy]
    best = ids[np.argsort(-worth, kind="stable")[:limit]]
    found = best if first is None else first.documents[best]
    photos, scores = documents.photo_ids[found].tolist(), answer.scores[best].tolist()
    return [Match(*each) for each in zip(photos, scores, reasons(matcher.grounds, best, matcher.word_of), strict=True)]


def _candidates(answer: Answer, limit: int | None) -> NDArray[np.intp]:
    """Return the documents that are found, ascending; where it is quick to tell, those alone that may be among the
    first ``limit``: the best of every block of documents are as many hits, so none below the worst of those is."""
    blocks = len(answer.scores) // _BLOCK
    if limit is not None and 0 < limit <= blocks:
        best = answer.scores[: blocks * _BLOCK].reshape(blocks, _BLOCK).max(axis=1)
        least = np.partition(best, blocks - limit)[blocks - limit]
        if least > 0:  # what is not found has the score 0
            return np.flatnonzero(answer.scores >= least)
    return np.flatnonzero(answer.mask)
