"""A segment of the index: up to 65,536 documents in a mapped file that is never changed.

words        a vocabulary (vocabulary.py), a letter before each word says where it is searched (spaces.py)
pointers     of each word, where its entries begin
rows         uint16, of each entry its document
codes        of each entry, how often the word stands in each field: a number in tallies
tallies      uint64, the different counts (tallies.py)
places       uint16, of each occurrence its place in the document
forms        a vocabulary of unstemmed words, with the number of documents of each
photos       int64, of each document its photo
taken, …     uint32, of each document a number, plus one; 0 for none
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from photoindex.search.checked_file import CheckedFile, DamagedFile
from photoindex.search.distinct import distinct
from photoindex.search.fulltext.collector import FORMAT, LARGEST, LAST_PLACE, MOST_DOCUMENTS
from photoindex.search.fulltext.fields import FORMS_FIELD
from photoindex.search.fulltext.spaces import SLOT_OF, SPACES
from photoindex.search.fulltext.tallies import Tallies
from photoindex.search.fulltext.vocabulary import SegmentVocabulary, encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.fulltext.reader import Asked
    from photoindex.search.fulltext.tallies import Codes

    Rows = NDArray[np.uint16]


class Entries(NamedTuple):
    """The documents of one word in a segment, ascending, and of each the code of its counts."""

    rows: Rows
    codes: Codes


class Segment:
    """A segment, opened for reading. Raises DamagedFile, when it is opened or when what is damaged is first read."""

    def __init__(self, path: Path) -> None:
        self._file = CheckedFile(path)
        meta = self._file.meta
        if meta.get("format") != FORMAT or not 0 <= int(meta.get("documents", -1)) <= MOST_DOCUMENTS:
            raise DamagedFile(f"{path} is no segment of this format")
        self.path = path
        self.size = int(meta["documents"])
        self._words = SegmentVocabulary(self._file, "words")
        self._forms = SegmentVocabulary(self._file, "forms")
        self._tallies: Tallies | None = None

    @property
    def tallies(self) -> Tallies:
        """The counts that codes stand for."""
        if self._tallies is None:
            self._tallies = Tallies(self._file["tallies"].all())
        return self._tallies

    def check(self) -> None:
        """Read everything. Raises DamagedFile."""
        self._file.check()

    def photo_ids(self) -> NDArray[np.int64]:
        """Return the photo of each document."""
        return self._file["photos"].all()

    def entries(self, field: str, word: str) -> Entries | None:
        """Return the entries of a word in the space of ``field``; ``None`` when there are none."""
        found = self._placed_entries(field, word)
        return None if found is None else found[0]

    def _entries(self, place: int) -> Entries:
        start, end = (int(each) for each in self._file["pointers"].cut(place, place + 2))
        return Entries(self._file["rows"].cut(start, end), self._file["codes"].cut(start, end))

    def numbers(self, field: str) -> NDArray[np.uint32] | None:
        """Return a column of numbers, each one more than it is and 0 for none; ``None`` where no document has one."""
        return self._file[field].all() if field in self._file else None

    # ---- words one after another -----------------------------------------------------------------

    def adjacent(self, fields: Sequence[str], places: Sequence[Sequence[Asked]]) -> dict[str, NDArray[np.intp]]:
        """Return for each of these fields, which share a space, the rows where words follow one another in it: at each
        place any one of those given, which may take several places itself. Fields without any are left out."""
        entries: dict[int, Entries] = {}
        wanted = []
        for asked in places:
            wanted.append([way for each in _ways(asked) if (way := self._known_way(fields[0], each, entries))])
            if not wanted[-1]:
                return {}
        if not wanted:
            return {}
        starts = [{word for way in ways for word in way[0]} for ways in wanted]
        rows = _common_rows([np.concatenate([entries[word].rows for word in words]) for words in starts])
        if not rows.size:
            return {}
        narrowed = {word: self._narrowed(each, word, rows) for word, each in entries.items()}
        there = [name for name in fields if self.tallies.has(SLOT_OF[name])]
        met = {name: self._adjacent_in(SLOT_OF[name], wanted, narrowed) for name in there}
        return {name: found for name, found in met.items() if found.size}

    def _known_way(self, field: str, way: Sequence[Sequence[str]], entries: dict[int, Entries]) -> list[list[int]]:
        """Return the places in the vocabulary of the words at each place of a way, and note their entries; nothing
        where none of the words at one place is in the vocabulary."""
        places: list[list[int]] = []
        for words in way:
            found = [each for word in words if (each := self._placed_entries(field, word))]
            if not found:
                return []
            places.append([place for _, place in found])
            entries.update({place: each for each, place in found})
        return places

    def _placed_entries(self, field: str, word: str) -> tuple[Entries, int] | None:
        """Return the entries of a word, and its place in the vocabulary."""
        place = self._words.place(encode(SPACES[field] + word))
        return None if place is None else (self._entries(place), place)

    def _narrowed(self, entries: Entries, place: int, rows: NDArray[np.intp]) -> _Placed:
        """Return those entries that are of these rows, which ascend, with their occurrences."""
        wanted = np.zeros(self.size, np.bool_)
        wanted[rows] = True
        kept = np.flatnonzero(wanted[entries.rows])
        start, end = (int(each) for each in self._file["place pointers"].cut(place, place + 2))
        totals = self.tallies.totals[entries.codes]
        begins = (np.cumsum(totals) - totals)[kept]
        return _Placed(
            entries.rows[kept].astype(np.intp), entries.codes[kept], begins, self._file["places"].cut(start, end)
        )

    def _adjacent_in(
        self, slot: int, wanted: Sequence[Sequence[Sequence[Sequence[int]]]], placed: Mapping[int, _Placed]
    ) -> NDArray[np.intp]:
        occurrences = cache(lambda word: self._occurrences(placed[word], slot))
        behind: NDArray[np.int64] | None = None  # the places behind what was met so far
        for ways in wanted:
            ends = []
            for way in ways:
                met = behind
                for words in way:
                    keys = _any_of([occurrences(word) for word in words])
                    met = (keys if met is None else _in_both(met, keys)) + 1
                assert met is not None
                ends.append(met)
            behind = _any_of(ends)
            if not behind.size:
                break
        assert behind is not None
        rows: NDArray[np.intp] = distinct((behind - 1) // (LAST_PLACE + 1)).astype(np.intp)
        return rows

    def _occurrences(self, placed: _Placed, slot: int) -> NDArray[np.int64]:
        """Return where words stand in one field, ascending: the row and the place as one number."""
        counts = self.tallies.counts[placed.codes, slot]
        begins = placed.begins + self.tallies.before(slot)[placed.codes]
        spread = np.arange(int(counts.sum())) + np.repeat(begins - (np.cumsum(counts) - counts), counts)
        places = placed.places[spread].astype(np.int64)
        keys: NDArray[np.int64] = np.repeat(placed.rows, counts) * (LAST_PLACE + 1) + places
        told_apart: NDArray[np.int64] = keys[places < LAST_PLACE]  # behind it places are one
        return told_apart

    # ---- lists of words --------------------------------------------------------------------------

    def with_prefix(self, field: str, prefix: str) -> Iterator[str]:
        """Yield the words of a field that begin with ``prefix``."""
        vocabulary, space = self._vocabulary(field)
        for place in vocabulary.starting(space + prefix):
            yield vocabulary.text(place)[len(space) :]

    def within(self, field: str, word: str, distance: int, prefix: int) -> Iterator[str]:
        """Yield the words of a field at most ``distance`` edits from ``word``, none in its first ``prefix`` letters."""
        vocabulary, space = self._vocabulary(field)
        yield from vocabulary.within(space, word, distance, prefix)

    def form_count(self, form: str) -> int:
        """Return in how many documents an unstemmed word stands."""
        place = self._forms.place(encode(form))
        return 0 if place is None else int(self._file["form counts"].cut(place, place + 1)[0])

    def _vocabulary(self, field: str) -> tuple[SegmentVocabulary, str]:
        return (self._forms, "") if field == FORMS_FIELD else (self._words, SPACES[field])

    # ---- all of it, for a merge ------------------------------------------------------------------

    def words(self) -> list[bytes]:
        """Return all words, each behind the letter of its space."""
        return [self._words[place] for place in range(len(self._words))]

    def form_counts(self) -> Mapping[bytes, int]:
        """Return all unstemmed words, with the number of documents of each."""
        counts = self._file["form counts"].all().tolist()
        return {self._forms[place]: count for place, count in enumerate(counts)}

    def array(self, name: str) -> NDArray[Any]:
        """Return a whole array."""
        return self._file[name].all()


class _Placed(NamedTuple):
    """Entries of a word, with where the occurrences of each begin in ``places``."""

    rows: NDArray[np.intp]
    codes: Codes
    begins: NDArray[np.int64]
    places: NDArray[np.uint16]


def _ways(asked: Sequence[Asked]) -> list[Sequence[Sequence[str]]]:
    """Return what is asked for at one place as ways, each of which has some words at each of its places."""
    words = [each for each in asked if isinstance(each, str)]
    return [[words], *(each for each in asked if not isinstance(each, str))]


def _any_of(lists: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the numbers that are in any of the lists, each of which ascends."""
    return distinct(np.concatenate(lists)) if len(lists) > 1 else lists[0]


def _common_rows(lists: Sequence[Rows]) -> NDArray[np.intp]:
    """Return the rows, ascending, that are in all of the lists."""
    met = np.zeros(MOST_DOCUMENTS, np.uint16)
    for number, rows in enumerate(lists):
        met[rows[met[rows] == number]] = number + 1
    return np.flatnonzero(met == len(lists))


def _in_both(some: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return those of ``some`` that are in ``others``; both ascend."""
    if not others.size:
        return others
    places = np.minimum(others.searchsorted(some), len(others) - 1)
    kept: NDArray[np.int64] = some[others[places] == some]
    return kept


def in_range(numbers: NDArray[np.uint32], first: int, last: int) -> NDArray[np.bool_]:
    """Return which numbers of a column are from ``first`` to ``last``, both included."""
    low, high = min(max(first, 0), LARGEST) + 1, min(max(last, -1), LARGEST) + 1
    if (low, high) == (1, LARGEST + 1):
        return numbers > 0
    within: NDArray[np.bool_] = (numbers >= np.uint32(low)) & (numbers <= np.uint32(high))
    return within
