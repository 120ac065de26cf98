"""The one door to Whoosh.

Whoosh 2.7.4 and whoosh3 share an import name and an index format, and differ in their annotations: everything is handed
on as ``Any`` so that type checking does not depend on which of the two is installed. Use only what both offer.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# 2.7.4 has invalid escapes in its sources, and Python warns about each when it first compiles them. The codec and the
# automata are otherwise imported in the middle of the first search, beyond this guard.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    analysis: Any = importlib.import_module("whoosh.analysis")
    columns: Any = importlib.import_module("whoosh.columns")
    fields: Any = importlib.import_module("whoosh.fields")
    index: Any = importlib.import_module("whoosh.index")
    query: Any = importlib.import_module("whoosh.query")
    english: Any = importlib.import_module("whoosh.lang.snowball.english")
    filelock: Any = importlib.import_module("whoosh.util.filelock")
    for _late in ("whoosh.codec.whoosh3", "whoosh.automata.lev", "whoosh.searching", "whoosh.writing"):
        importlib.import_module(_late)

LockError: Any = index.LockError
EmptyIndexError: Any = index.EmptyIndexError


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
