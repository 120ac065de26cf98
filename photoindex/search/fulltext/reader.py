"""What a search asks of a full-text index, whichever library keeps it.

Documents are numbered from 0 to ``size``; deleted ones keep their numbers until the index is tidied, and are never part
of an answer. ``Word`` here is a term as it is indexed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ids = NDArray[np.intp]
    Frequencies = NDArray[np.float32]

ID_FIELD: Final = "id"  # the photo's number as a word, to replace a photo by
PHOTO_FIELD: Final = "photo"  # the same as a column, to be read for all at once
FORMS_FIELD: Final = "forms"  # every word of a photo before stemming: what prefixes and fuzzy words are looked up in
HAS_FIELD: Final = "has"  # the facts a photo carries
PATHS_FIELD: Final = "paths"  # the keys of the paths that a photo lies at or below
FILES_FIELD: Final = "files"  # the keys of its files' names, with and without suffix
TAKEN_FIELD: Final = "taken"  # the day, as date.toordinal() counts
PERSON_FIELD: Final = "person"  # what people wrote about a photo
READ_FIELDS: Final = ("text", "unsure_text")  # what was read in a photo
# Fields whose values are compared as they were written: no stems, no synonyms, no stop words left out.
VALUE_FIELDS: Final[Mapping[str, str]] = {
    "tags": "tags_as_written",
    "people": "people_as_written",
    "place": "place_as_written",
    "title": "title_as_written",
}
# The same for fields that are compared as prose, of their values with common words in them, which prose leaves out.
COMMON_FIELDS: Final[Mapping[str, str]] = {
    "names": "names_as_written",
    "camera": "camera_as_written",
    "lens": "lens_as_written",
}
WRITTEN_FIELDS: Final[Mapping[str, str]] = {**VALUE_FIELDS, **COMMON_FIELDS}
BETWEEN: Final = "\x1f"  # the word before the first value of such a field, between two and after the last


class IndexLocked(Exception):
    """Another program is writing to the index."""


class NoIndex(Exception):
    """The folder holds no index, or none any more."""


class IndexReader(Protocol):
    """One commit of an index, opened for reading."""

    @property
    def size(self) -> int:
        """Places for documents, deleted ones included."""

    @property
    def alive(self) -> int:
        """Documents that are not deleted."""

    def documents(self) -> Ids:
        """Return the numbers of the documents that are not deleted, ascending."""

    def photo_ids(self) -> NDArray[np.int64]:
        """Return the photo of each document; 0 for deleted ones."""

    def postings(self, field: str, word: str) -> tuple[Ids, Frequencies]:
        """Return the documents that hold a word in a field, ascending, and how often each does."""

    def adjacent(self, field: str, places: Sequence[Sequence[str]]) -> Ids:
        """Return the documents, ascending, where words follow one another: at each place any one of those given."""

    def with_prefix(self, field: str, prefix: str) -> Iterator[str]:
        """Yield the words of a field that begin with ``prefix``; one of several segments may come several times."""

    def within(self, field: str, word: str, distance: int, *, prefix: int = 0) -> Iterator[str]:
        """Yield the words of a field at most ``distance`` insertions, deletions or substitutions from ``word``, none of
        them in its first ``prefix`` letters."""

    def frequency(self, field: str, word: str) -> int:
        """Return in how many documents a word stands, deleted ones included."""

    def in_range(self, field: str, first: int, last: int) -> Ids:
        """Return the documents whose number in ``field`` is from ``first`` to ``last``, both included."""

    def close(self) -> None:
        """Close the files."""


class IndexWriter(Protocol):
    """One commit in the making."""

    def delete(self, photo_ids: Sequence[int]) -> None:
        """Delete the documents of these photos."""

    def add(self, fields: Mapping[str, Any]) -> None:
        """Add a document: text fields as a list of places, each with its words; others as text or number."""

    def merge(self) -> None:
        """Merge all segments into one with this commit."""


class OpenIndex(Protocol):
    """An index in a folder."""

    def commit(self) -> int:
        """Return the number of the last commit."""

    def reader(self) -> IndexReader:
        """Return a reader of the last commit."""


class Engine(Protocol):
    """A library that keeps full-text indexes."""

    def create(self, folder: Path) -> None:
        """Create an empty index."""

    def open(self, folder: Path) -> OpenIndex:
        """Open an index. Raises NoIndex or FileNotFoundError, or anything for a damaged one."""

    def writer(self, folder: Path, memory: int, timeout: float) -> AbstractContextManager[IndexWriter]:
        """Return a writer that commits at the end of its block, or leaves the index as it was when the block raises.

        It keeps up to ``memory`` MiB of postings before they go to disk. Raises IndexLocked after ``timeout`` seconds.
        """
