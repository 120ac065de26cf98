"""What a search asks of a full-text index, however it is kept.

Documents are numbered from 0 to ``size``; deleted ones keep their numbers until the index is tidied, and are never part
of an answer. ``Word`` here is a term as it is indexed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from photoindex.search.fulltext.tallies import Codes, Tallies

    Ids = NDArray[np.intp]
    Frequencies = NDArray[np.float32]


class NoIndex(Exception):
    """The folder holds no index, or none any more."""


class ColumnPart(NamedTuple):
    """What one segment, of ``size`` documents from ``first`` on, holds of a stem: in which of its documents it stands
    (``rows``, ascending, from 0), and of each the code of how often in each text field, which ``tallies`` have."""

    first: int
    size: int
    rows: NDArray[np.uint16] | NDArray[np.intp]
    codes: Codes
    tallies: Tallies


Column = list[ColumnPart]
Asked = str | tuple[tuple[str, ...], ...]  # a word; or a run of places, with the words of which any one stands at each


class IndexReader(Protocol):
    """One commit of an index, opened for reading."""

    @property
    def size(self) -> int:
        """Places for documents, deleted ones included."""

    @property
    def alive(self) -> int:
        """Documents of the index that are not deleted."""

    def documents(self) -> Ids:
        """Return the numbers of the documents that are not deleted, ascending."""

    def living(self) -> NDArray[np.bool_] | None:
        """Return which documents are not deleted; ``None`` when all are there."""

    def photo_ids(self) -> NDArray[np.int64]:
        """Return the photo of each document; 0 for deleted ones."""

    def column(self, word: str) -> Column:
        """Return the documents that hold a stem in any text field, and how often in each; not deleted ones."""

    def stored_column(self, word: str) -> Column:
        """Return the documents that hold a stem in any text field, deleted ones included."""

    def narrowed(self, documents: Ids) -> IndexReader:
        """Return a reader of some documents alone, ascending and not deleted, which it numbers from 0 on."""

    def postings(self, field: str, word: str) -> tuple[Ids, Frequencies]:
        """Return the documents that hold a word in a field, ascending, and how often each does."""

    def adjacent(self, fields: Sequence[str], places: Sequence[Sequence[Asked]]) -> dict[str, Ids]:
        """Return for each field the documents, ascending, where words follow one another in it: at each place any one
        of those given, which may be a run of several places itself. The fields are text fields, or one other; those
        without such documents are left out."""

    def with_prefix(self, field: str, prefix: str) -> Iterator[str]:
        """Yield the words of a field that begin with ``prefix``; one of several segments may come several times."""

    def within(self, field: str, word: str, distance: int, *, prefix: int = 0) -> Iterator[str]:
        """Yield the words of a field at most ``distance`` insertions, deletions or substitutions from ``word``, none of
        them in its first ``prefix`` letters; one of several segments may come several times."""

    def form_count(self, form: str) -> int:
        """Return in how many documents an unstemmed word stands, deleted ones included."""

    def in_range(self, field: str, first: int, last: int) -> NDArray[np.bool_]:
        """Return which documents have a number in ``field`` from ``first`` to ``last``, both included."""

    def numbers(self, field: str, documents: Ids) -> NDArray[np.uint32]:
        """Return the numbers in ``field`` of documents that have one."""

    def close(self) -> None:
        """Close the files."""
