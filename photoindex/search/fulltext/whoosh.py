"""The full-text index as Whoosh keeps it: all of its interface that photoindex uses is in this file.

Whoosh's table of contents, term infos, postings and columns are pickles. They are read by an unpickler that knows plain
values and the two classes of the table of contents (restricted_pickle.py), which takes the place of ``pickle`` in every
module of Whoosh that reads one: :data:`_UNPICKLERS`. Those places are no public interface, so the versions of whoosh3
are pinned in setup.cfg, and the places are looked for at start: an index is not read when one of them has moved.
"""

from __future__ import annotations

import importlib
import pickle
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from photoindex.errors import UnknownIndexVersion
from photoindex.search.fulltext import restricted_pickle, whoosh_blocks
from photoindex.search.fulltext.mapped_file import without_copies
from photoindex.search.fulltext.reader import (
    FILES_FIELD,
    FORMS_FIELD,
    HAS_FIELD,
    ID_FIELD,
    PATHS_FIELD,
    PHOTO_FIELD,
    TAKEN_FIELD,
    WRITTEN_FIELDS,
    IndexLocked,
    NoIndex,
)
from photoindex.search.query import numbers
from photoindex.search.ranking.weights import FIELD_WEIGHTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.fulltext.reader import Frequencies, Ids

OLDEST: Final = (3, 50)  # versions of whoosh3 whose places of pickles are those below; setup.cfg has the same
NEWEST: Final = (3, 54)

_SEGMENT_NAME: Final = re.compile(r"[0-9a-z]{1,64}")


def _import_module(name: str) -> Any:
    # Whoosh has invalid escapes in its sources, and Python warns about each when it first compiles them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


# What a search uses of Whoosh, so that it is not imported in the middle of the first one. Whoosh's queries, its
# searcher and its writer are two thirds as much again, and are imported when they are needed.
for _name in ("index", "reading", "codec.whoosh3", "automata.lev", "matching.wrappers"):
    _import_module(f"whoosh.{_name}")


# ---- no pickle runs code -------------------------------------------------------------------------


def _counts(*arguments: Any) -> dict[Any, Any]:
    """Return what a ``defaultdict(int)`` is read as."""
    return {}


_NAMES: Final[restricted_pickle.Names] = {
    **restricted_pickle.BYTES,
    ("collections", "defaultdict"): _counts,
    ("builtins", "int"): None,
    ("builtins", "set"): set,  # protocol 2 writes a set as a call of it
    ("__builtin__", "set"): set,
}


def _toc_names() -> restricted_pickle.Names:
    codec = _import_module("whoosh.codec.whoosh3")
    home = "whoosh.codec.whoosh3"
    return {**_NAMES, (home, "W3Segment"): codec.W3Segment, (home, "W3Codec"): codec.W3Codec}


def _load(file: Any) -> Any:
    """Read a pickle of Whoosh's; a list of segments is put together again from its plain values."""
    try:
        value = restricted_pickle.load(file, _toc_names())
        return [_segment(one) for one in value] if isinstance(value, list) else value
    except Exception:
        file.close()  # Whoosh leaves it open
        raise


def _segment(read: Any) -> Any:
    """Return a segment with the plain values of one that was read, and nothing else of it."""
    codec = _import_module("whoosh.codec.whoosh3")
    values = vars(read) if type(read) is codec.W3Segment else {}
    name, number = values.get("segid"), values.get("_doccount")
    deleted, lengths = values.get("_deleted"), values.get("_fieldlengths") or {}
    if not (
        isinstance(name, str)
        and _SEGMENT_NAME.fullmatch(name)
        and values.get("indexname") == "MAIN"
        and type(number) is int
        and number >= 0
        and (deleted is None or (isinstance(deleted, set) and all(type(one) is int for one in deleted)))
        and isinstance(lengths, dict)
    ):
        raise restricted_pickle.RefusedPickle("a table of contents with a segment that is none")
    segment = codec.W3Segment(codec.W3Codec(), "MAIN", number, name, deleted)
    segment._fieldlengths = lengths
    segment.compound = values.get("compound") is True
    return segment


def _refuse(*_arguments: Any, **_options: Any) -> Any:
    raise restricted_pickle.RefusedPickle("an index of an old format")


_loads: Final = partial(restricted_pickle.loads, names=_NAMES)
# Every name by which a module of Whoosh that photoindex uses reads a pickle: what it is, and what takes its place.
_UNPICKLERS: Final[Mapping[tuple[str, str], tuple[Any, Any]]] = {
    ("whoosh.index", "pickle"): (pickle, restricted_pickle),  # the schema
    ("whoosh.filedb.structfile", "load"): (pickle.load, _load),  # segments, heads of blocks, extras of tables
    ("whoosh.codec.whoosh3", "loads"): (pickle.loads, _loads),  # blocks of postings, postings within a term's info
    ("whoosh.formats", "loads"): (pickle.loads, _loads),  # places of a word
    ("whoosh.columns", "loads"): (pickle.loads, _loads),  # stored fields
    ("whoosh.externalsort", "load"): (pickle.load, partial(restricted_pickle.load, names=_NAMES)),  # a writer's own
    ("whoosh.legacy", "RenamingUnpickler"): (None, _refuse),  # the schema of an index of ten years ago
}


@cache
def _restricted(name: str) -> Any:
    """Import a module of Whoosh, with restricted unpicklers in it. Raises UnknownIndexVersion when some are missing."""
    module = _import_module(name)
    for (home, attribute), (expected, instead) in _UNPICKLERS.items():
        if home == name:
            present = getattr(module, attribute, None)
            if present is None or (expected is not None and present is not expected and present is not instead):
                raise _unknown_version()
            setattr(module, attribute, instead)
    return module


def _unknown_version() -> UnknownIndexVersion:
    version = ".".join(map(str, _import_module("whoosh").__version__))
    oldest, newest = (".".join(map(str, each)) for each in (OLDEST, NEWEST))
    return UnknownIndexVersion(
        f"whoosh3 {version} is not known to be safe to read an index with: install one from {oldest} to {newest}, "
        f"with pip install 'whoosh3>={oldest},<{NEWEST[0]}.{NEWEST[1] + 1}'"
    )


def _checked() -> ModuleType:
    """Import what reads an index and return ``whoosh.index``. Raises UnknownIndexVersion."""
    for home, _ in _UNPICKLERS:
        if home not in ("whoosh.externalsort", "whoosh.index"):  # the first only writes
            _restricted(home)
    whoosh_index: ModuleType = _restricted("whoosh.index")
    if not OLDEST <= _import_module("whoosh").__version__[:2] <= NEWEST:
        raise _unknown_version()
    _read_in_place()
    return whoosh_index


@cache
def _read_in_place() -> None:
    """Have parts of segments read where they are mapped. A version that opens them in another way copies them."""
    compound, files = _import_module("whoosh.filedb.compound"), _import_module("whoosh.filedb.structfile")
    if getattr(compound, "BufferFile", None) is files.BufferFile:
        compound.BufferFile = without_copies(files.BufferFile)


# ---- the schema ----------------------------------------------------------------------------------


_SPELLINGS: Final = "\x1e"  # between the words at one place, where Whoosh gets a text with spaces between the places


class Places:
    """The analyser of texts that are taken apart already, see :func:`_as_text`."""

    def __call__(
        self, value: Any, positions: bool = False, chars: bool = False, start_pos: int = 0, mode: str = "", **_: Any
    ) -> Iterator[Any]:
        token = _import_module("whoosh.analysis").Token(positions, chars, mode=mode)
        token.boost, token.stopped = 1.0, False
        for place, words in enumerate(value.split(" "), start_pos):
            token.pos = place
            for word in words.split(_SPELLINGS):
                token.text = word
                yield token

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Places)

    __hash__ = None  # type: ignore[assignment]

    def has_morph(self) -> bool:
        return False

    def clean(self) -> None:
        pass


def _as_text(places: Sequence[Sequence[str]]) -> str:
    """Return the words at each place as one text: a sequence Whoosh would take for plain words."""
    return " ".join(map(_SPELLINGS.join, places))


@cache
def _schema() -> Any:
    fields, columns = _import_module("whoosh.fields"), _restricted("whoosh.columns")
    texts = [*FIELD_WEIGHTS, *WRITTEN_FIELDS.values()]

    def number() -> Any:  # four words a number, instead of the eight of steps of 4 bits
        return fields.NUMERIC(int, 32, signed=False, shift_step=8)

    return fields.Schema(
        **{ID_FIELD: fields.ID(unique=True), PHOTO_FIELD: fields.COLUMN(columns.NumericColumn("Q"))},
        **{name: number() for name in (TAKEN_FIELD, *numbers.FIELDS)},
        **{name: fields.KEYWORD() for name in (FORMS_FIELD, HAS_FIELD, PATHS_FIELD, FILES_FIELD)},
        **{name: fields.TEXT(analyzer=Places(), phrase=True) for name in texts},
    )


# ---- writing -------------------------------------------------------------------------------------


def create(folder: Path) -> None:
    """Create an empty index in a folder."""
    _checked().create_in(str(folder), _schema())


class Writer:
    """One commit in the making: an :class:`.reader.IndexWriter`."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def delete(self, photo_ids: Sequence[int]) -> None:
        query = _import_module("whoosh.query")
        self._writer.delete_by_query(query.Or([query.Term(ID_FIELD, str(number)) for number in photo_ids]))

    def add(self, fields: Mapping[str, Any]) -> None:
        texts = {name: _as_text(value) for name, value in fields.items() if isinstance(value, list)}
        self._writer.add_document(**{**fields, **texts})

    def merge(self) -> None:
        self._writer.optimize = True


@contextmanager
def writer(folder: Path, memory: int, timeout: float) -> Iterator[Writer]:
    """See :meth:`.reader.Engine.writer`."""
    whoosh_index = _checked()
    _restricted("whoosh.externalsort")
    opened = whoosh_index.open_dir(str(folder), schema=_schema())
    try:
        segment_writer = _import_module("whoosh.writing").SegmentWriter(opened, limitmb=memory, timeout=timeout)
    except whoosh_index.LockError:
        raise IndexLocked from None
    try:
        yield Writer(segment_writer)
        segment_writer.commit()
    except BaseException:
        if not segment_writer.is_closed:
            segment_writer.cancel()
        raise


# ---- reading -------------------------------------------------------------------------------------


class WhooshIndex:
    """An index in a folder: an :class:`.reader.OpenIndex`."""

    def __init__(self, folder: Path) -> None:
        whoosh_index = _checked()
        try:
            # With the schema given, the one that is pickled in the table of contents is skipped.
            self._index: Any = whoosh_index.open_dir(str(folder), schema=_schema())
        except whoosh_index.EmptyIndexError:
            raise NoIndex from None
        self._no_index: Any = whoosh_index.EmptyIndexError

    def commit(self) -> int:
        return int(self._index.latest_generation())

    def reader(self) -> WhooshReader:
        """Return a reader of the last commit.

        Whoosh's own ``refresh`` is not used: in whoosh3 3.54 it keeps the segments that a commit has replaced, and so
        goes on finding deleted photos and finds updated ones twice.
        """
        try:
            return WhooshReader(self._index.reader())
        except self._no_index:
            raise NoIndex from None


def open_index(folder: Path) -> WhooshIndex:
    """See :meth:`.reader.Engine.open`."""
    return WhooshIndex(folder)


class WhooshReader:
    """One commit of an index: an :class:`.reader.IndexReader`."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self._leaves: list[tuple[Any, int]] = list(reader.leaf_readers())
        self.size = int(reader.doc_count_all())
        self.alive = int(reader.doc_count())
        self._documents: Ids | None = None
        self._photo_ids: NDArray[np.int64] | None = None

    def close(self) -> None:
        self._reader.close()

    def documents(self) -> Ids:
        # Whoosh asks of each document whether it was deleted: 0.2 s a search at 100,000 photos.
        if self._documents is None:
            alive = np.ones(self.size, np.bool_)
            for leaf, offset in self._leaves if self.size else ():
                alive[offset + np.fromiter(leaf.segment().deleted_docs(), np.intp)] = False
            self._documents = np.flatnonzero(alive)
        return self._documents

    def photo_ids(self) -> NDArray[np.int64]:
        if self._photo_ids is None:
            ids = np.zeros(self.size, np.int64)
            for leaf, offset in self._leaves if self.size else ():  # an empty index has a reader without columns
                values = whoosh_blocks.column(leaf, PHOTO_FIELD)
                ids[offset : offset + len(values)] = values
                ids[offset + np.fromiter(leaf.segment().deleted_docs(), np.intp)] = 0
            self._photo_ids = ids
        return self._photo_ids

    def postings(self, field: str, word: str) -> tuple[Ids, Frequencies]:
        held = [
            (ids + offset, frequencies)
            for leaf, offset in self._leaves
            if (field, word) in leaf
            for ids, frequencies in [whoosh_blocks.postings(leaf, field, word, _loads)]
        ]
        return (
            np.concatenate([ids for ids, _ in held] or [np.empty(0, np.intp)]),
            np.concatenate([frequencies for _, frequencies in held] or [np.empty(0, np.float32)]),
        )

    def adjacent(self, field: str, places: Sequence[Sequence[str]]) -> Ids:
        ids = [
            document + offset
            for leaf, offset in self._leaves
            for wanted in [[[word for word in words if (field, word) in leaf] for words in places]]
            if all(wanted)
            for document in _adjacent([[leaf.postings(field, word) for word in words] for words in wanted])
        ]
        return np.array(ids, np.intp)

    def with_prefix(self, field: str, prefix: str) -> Iterator[str]:
        for leaf, _ in self._leaves:
            yield from map(_text, leaf.expand_prefix(field, prefix))

    def within(self, field: str, word: str, distance: int, *, prefix: int = 0) -> Iterator[str]:
        for leaf, _ in self._leaves:
            yield from map(_text, leaf.terms_within(field, word, distance, prefix=prefix))

    def frequency(self, field: str, word: str) -> int:
        return sum(int(leaf.doc_frequency(field, word)) for leaf, _ in self._leaves)

    def in_range(self, field: str, first: int, last: int) -> Ids:
        ids = [
            whoosh_blocks.postings(leaf, field, term, _loads)[0] + offset
            for leaf, offset in self._leaves
            for term in _terms_in_range(leaf, field, first, last)
        ]
        return np.concatenate(ids or [np.empty(0, np.intp)])


def _text(term: str | bytes) -> str:
    return term.decode("utf-8") if isinstance(term, bytes) else term


def _terms_in_range(leaf: Any, field: str, first: int, last: int) -> Iterator[bytes]:
    """Yield the terms under which the documents stand whose number in ``field`` is from ``first`` to ``last``: few even
    for a wide range, as numbers are indexed at several resolutions."""
    kind = leaf.schema[field]
    ranges = _import_module("whoosh.util.numeric").tiered_ranges(
        kind.numtype, kind.bits, kind.signed, first, last, kind.shift_step, False, False
    )
    for start, end, shift in ranges:
        lowest, highest = kind.sortable_to_bytes(start, shift), kind.sortable_to_bytes(end, shift)
        for name, term in leaf.terms_from(field, lowest):
            if name != field or term > highest:
                break
            yield term


def _adjacent(places: list[list[Any]]) -> Iterator[int]:
    """Yield the documents in which the matchers of each place, of one word or another, follow one another."""
    if all(len(matchers) == 1 for matchers in places):
        yield from _adjacent_words([matcher for [matcher] in places])
        return
    starts: dict[int, set[int]] = {}
    for distance, matchers in enumerate(places):
        here: dict[int, set[int]] = {}
        for matcher in matchers:
            while matcher.is_active():
                if not distance or matcher.id() in starts:
                    begins = {position - distance for position in matcher.value_as("positions")}
                    here.setdefault(matcher.id(), set()).update(begins)
                matcher.next()
        starts = here if not distance else {number: here[number] & starts[number] for number in here}
    yield from sorted(number for number, left in starts.items() if left)


def _adjacent_words(matchers: list[Any]) -> Iterator[int]:
    """The same for one word at each place: what lies between two documents with all of them is skipped."""
    while all(matcher.is_active() for matcher in matchers):
        furthest = max(matcher.id() for matcher in matchers)
        behind = [matcher for matcher in matchers if matcher.id() < furthest]
        for matcher in behind:
            matcher.skip_to(furthest)
        if behind:
            continue
        starts = set(matchers[0].value_as("positions"))
        for place, matcher in enumerate(matchers[1:], 1):
            starts &= {position - place for position in matcher.value_as("positions")}
        if starts:
            yield furthest
        matchers[0].next()
