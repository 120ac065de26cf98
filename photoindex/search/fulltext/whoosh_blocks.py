"""Many postings of Whoosh's at once, and columns as they lie on disk: what its public interface gives one by one.

These are private parts of whoosh3, whose versions are pinned (see whoosh.py). Where a version keeps them elsewhere, the
public interface is used.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.fulltext.reader import Frequencies, Ids

_BLOCK: Final = ("_postfile", "_dataoffset", "_nextoffset", "_compression", "_next_block")  # of Whoosh's leaf matcher
_COLUMN: Final = ("_dbfile", "_basepos", "_count", "_fixedlen")  # of its reader of a column of numbers


def postings(leaf: Any, field: str, term: str | bytes, loads: Callable[[bytes], Any]) -> tuple[Ids, Frequencies]:
    """Return the documents of one segment that hold a term, ascending, and how often each does.

    Whoosh hands out postings one by one, in Python, with where the term stands in each. They lie on disk in blocks of
    128, which are taken whole here, without the places: a third of the time. Where a version of Whoosh keeps its blocks
    elsewhere, they are taken one by one. ``loads`` reads a pickle of plain values.
    """
    matcher = leaf.postings(field, term)
    deleted: Collection[int] = ()
    if type(matcher).__name__ == "FilterMatcher" and getattr(matcher, "_exclude", False):
        deleted, matcher = matcher._ids, matcher.child
        matcher.reset()
    ids: list[int] = []
    weights: list[float] = []
    if all(hasattr(matcher, name) for name in _BLOCK):
        while matcher.is_active():
            steps, many = _block(matcher, loads)
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
        kept = ~np.isin(documents, np.fromiter(deleted, np.intp, len(deleted)))
        documents, frequencies = documents[kept], frequencies[kept]
    return documents, frequencies


def _block(matcher: Any, loads: Callable[[bytes], Any]) -> tuple[tuple[int, ...], Any]:
    """Return the documents of a block of postings, each as the step from the one before, and the frequencies.

    The places come last in its pickle, each as a call that makes bytes of text, which takes longer than all the rest.
    So the pickle is ended before the first of them.
    """
    block = matcher._postfile.get(matcher._dataoffset, matcher._nextoffset - matcher._dataoffset)
    block = bytes(zlib.decompress(block) if matcher._compression else block)
    end = block.find(b"(c_codecs\nencode\n")
    pair_and_stop = b"\x86."
    values: tuple[Any, ...] = loads(block if end < 0 else block[:end] + pair_and_stop)
    return values[0], values[1]


def column(leaf: Any, field: str) -> NDArray[np.int64]:
    """Return the column of whole numbers of one segment, by document; 0 where a document has none.

    Whoosh reads a column a document at a time. This takes its bytes as they are: a fixed length each, big-endian, in
    one piece.
    """
    reader = leaf.column_reader(field, translate=False)
    count = int(leaf.doc_count_all())
    if not all(hasattr(reader, name) for name in _COLUMN):
        return np.fromiter((int(reader[number]) for number in range(count)), np.int64, count)
    values = np.zeros(count, np.int64)
    raw = reader._dbfile.get(reader._basepos, reader._count * reader._fixedlen)
    values[: reader._count] = np.frombuffer(raw, f">u{reader._fixedlen}")
    return values
