"""The one door to Whoosh.

Whoosh 2.7.4 and whoosh3 share an import name and an index format, and differ in their annotations: everything is handed
on as ``Any`` so that type checking does not depend on which of the two is installed. Use only what both offer.
"""

from __future__ import annotations

import importlib
import warnings
import zlib
from collections.abc import Collection, Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _import_module(name: str) -> Any:
    # 2.7.4 has invalid escapes in its sources, and Python warns about each when it first compiles them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


analysis: Any = _import_module("whoosh.analysis")
columns: Any = _import_module("whoosh.columns")
fields: Any = _import_module("whoosh.fields")
index: Any = _import_module("whoosh.index")
filelock: Any = _import_module("whoosh.util.filelock")
# Otherwise imported in the middle of the first search, where nothing keeps the warnings back.
codec: Any = _import_module("whoosh.codec.whoosh3")
wrappers: Any = _import_module("whoosh.matching.wrappers")
_import_module("whoosh.automata.lev")

# Whoosh's queries, its searcher and its writer are imported when they are needed. A search for words reads the index by
# its reader alone: the searcher brings along two thirds as much again.

LockError: Any = index.LockError
EmptyIndexError: Any = index.EmptyIndexError


def writer(folder: str, memory: int, timeout: float) -> Any:
    """A writer of the index in ``folder``, which keeps so many MiB of postings in memory. Raises :data:`LockError`."""
    return _import_module("whoosh.writing").SegmentWriter(index.open_dir(folder), limitmb=memory, timeout=timeout)


def having_any(field: str, words: Iterable[str]) -> Any:
    """A query for the documents with any of these words in ``field``."""
    query = _import_module("whoosh.query")
    return query.Or([query.Term(field, word) for word in words])


def terms_in_range(reader: Any, field: str, first: int, last: int) -> Iterator[bytes]:
    """The terms of one segment under which the documents stand whose number in ``field`` is from ``first`` to ``last``,
    both included: of a wide range few, as numbers are indexed at several resolutions."""
    kind = reader.schema[field]
    ranges = _import_module("whoosh.util.numeric").tiered_ranges(
        kind.numtype, kind.bits, kind.signed, first, last, kind.shift_step, False, False
    )
    for start, end, shift in ranges:
        lowest, highest = kind.sortable_to_bytes(start, shift), kind.sortable_to_bytes(end, shift)
        for name, term in reader.terms_from(field, lowest):
            if name != field or term > highest:
                break
            yield term


def postings(reader: Any, field: str, term: str | bytes) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """The documents of one segment that hold a term, ascending, and how often each does.

    Whoosh hands out postings one by one, in Python, with where the term stands in each. They lie on disk in blocks of
    128, which are taken whole here, without the places: a third of the time.
    """
    matcher = reader.postings(field, term)
    deleted: Collection[int] = ()
    if isinstance(matcher, wrappers.FilterMatcher) and matcher._exclude:
        deleted, matcher = matcher._ids, matcher.child
        matcher.reset()
    ids: list[int] = []
    weights: list[float] = []
    if isinstance(matcher, codec.W3LeafMatcher):
        while matcher.is_active():
            data = matcher._postfile.get(matcher._dataoffset, matcher._nextoffset - matcher._dataoffset)
            if matcher._compression:
                data = zlib.decompress(data)
            steps, many = _without_places(bytes(data))
            ids.extend(accumulate(steps))
            # None stands for as many ones, a number for as many of it.
            weights.extend(many if isinstance(many, tuple) else [many or 1.0] * len(steps))
            matcher._next_block()
    else:  # a posting or two, kept with the term itself
        while matcher.is_active():
            ids.append(matcher.id())
            weights.append(matcher.weight())
            matcher.next()
    documents, frequencies = np.array(ids, np.intp), np.array(weights, np.float32)
    if deleted:
        there = ~np.isin(documents, np.fromiter(deleted, np.intp, len(deleted)))
        documents, frequencies = documents[there], frequencies[there]
    return documents, frequencies


def _without_places(block: bytes) -> tuple[tuple[int, ...], Any]:
    """Of a pickled block of postings the documents, each as the step from the one before, and the frequencies.

    The places come last, each as a call that makes bytes of text, which takes longer than all the rest. So the pickle
    is ended before the first of them.
    """
    end = block.find(b"(c_codecs\nencode\n")
    pair_and_stop = b"\x86."
    found: tuple[Any, ...] = codec.loads(block if end < 0 else block[:end] + pair_and_stop)
    return found[0], found[1]


def numbers(reader: Any, field: str) -> NDArray[np.int64]:
    """The column of whole numbers of one segment, by document; 0 where a document has none.

    Whoosh reads a column a document at a time. This takes its bytes as they are: a fixed length each, big-endian, in
    one piece.
    """
    column = reader.column_reader(field, translate=False)
    values = np.zeros(reader.doc_count_all(), np.int64)
    if isinstance(column, columns.NumericColumn.Reader):
        raw = column._dbfile.get(column._basepos, column._count * column._fixedlen)
        values[: column._count] = np.frombuffer(raw, f">u{column._fixedlen}")
    return values
