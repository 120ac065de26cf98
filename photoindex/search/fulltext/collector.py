"""Documents on their way into a segment: collected one by one, then brought into the order of their words."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from photoindex.search.fulltext.fields import BETWEEN, FORMS_FIELD, PHOTO_FIELD
from photoindex.search.fulltext.spaces import (
    KEYWORDS,
    NUMBERS,
    OWN_SLOT,
    SPACES,
    STEMS,
    TEXT_FIELDS,
    WRITTEN,
)
from photoindex.search.fulltext.tallies import most_in, packed, small
from photoindex.search.fulltext.vocabulary import encode, write_vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.checked_file import Writer
    from photoindex.search.fulltext.tallies import Codes

MOST_DOCUMENTS = 1 << 16  # of a segment: the number of one within it takes two bytes
LAST_PLACE = (1 << 16) - 1  # of a word in a document; what is behind it is in no phrase
NO_NUMBER = 0  # in a column of numbers, which so are one more than they are
FORMAT = 1
_AT_ONCE = 1 << 18  # values that are sorted at once


class Occurrences(NamedTuple):
    """Words where they stand, document by document and in each in the order of fields and places. ``words`` are
    numbers in a list of words, ``slots`` the fields (see spaces.py)."""

    words: NDArray[np.uint32]
    rows: NDArray[np.uint16]
    slots: NDArray[np.uint8]
    places: NDArray[np.uint16]


class SegmentContent(NamedTuple):
    """All of a segment, before it is brought into order. ``keywords`` have a word and a document each; ``forms`` says
    in how many documents each unstemmed word stands; ``numbers`` are one more than they are, 0 for none."""

    photo_ids: NDArray[np.int64]
    words: Sequence[bytes]
    occurrences: Occurrences
    keywords: tuple[NDArray[np.uint32], NDArray[np.uint16]]
    forms: Mapping[bytes, int]
    numbers: Mapping[str, NDArray[np.uint32]]


class _Numbered(dict[str, int]):
    """Numbers the words of a space in the order in which they are first asked for, as those of all spaces together;
    ``known`` gets them with their space."""

    def __init__(self, space: str, known: list[bytes]) -> None:
        super().__init__()
        self._space, self._known = space, known

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self._known)
        self._known.append(encode(self._space + word))
        return number


class Collector:
    """Collects documents, as :func:`.document.fields_of` makes them, up to :data:`MOST_DOCUMENTS`."""

    def __init__(self) -> None:
        self._photo_ids: dict[int, None] = {}
        self._numbers_of = {name: array("I") for name in NUMBERS}
        self._words: list[bytes] = []
        self._numbered = {space: _Numbered(space, self._words) for space in SPACES.values()}
        self._forms: dict[str, int] = {}
        self._word, self._place = array("I"), array("H")
        self._fields = array("I")  # (row, slot, how many occurrences), flattened
        self._keyword, self._keyword_row = array("I"), array("H")

    def __len__(self) -> int:
        return len(self._photo_ids)

    def add(self, fields: Mapping[str, Any]) -> None:
        """Add the document of a photo that is not yet here."""
        row = len(self._photo_ids)
        self._photo_ids[fields[PHOTO_FIELD]] = None
        base = 0
        for slot, name in enumerate(TEXT_FIELDS):
            if places := fields.get(name):
                base = self._add_places(row, slot, STEMS, places, base)
        for name in WRITTEN:
            if places := fields.get(name):
                base = self._add_places(row, OWN_SLOT, SPACES[name], places, base)
        for name in KEYWORDS:
            if text := fields.get(name):
                numbers = self._numbered[SPACES[name]]
                for word in set(text.split(" ")):
                    self._keyword.append(numbers[word])
                    self._keyword_row.append(row)
        forms = self._forms
        if text := fields.get(FORMS_FIELD):
            for form in text.split(" "):
                forms[form] = forms.get(form, 0) + 1
        for name in NUMBERS:
            value = fields.get(name)
            self._numbers_of[name].append(NO_NUMBER if value is None else stored_number(value))

    def _add_places(self, row: int, slot: int, space: str, places: Sequence[Sequence[str]], base: int) -> int:
        """Add a field; return the place behind it. Nothing is next to what is in another field."""
        numbers, before = self._numbered[space], len(self._word)
        add_word, add_place = self._word.append, self._place.append
        for place, words in enumerate(places, base):
            here = place if place < LAST_PLACE else LAST_PLACE
            for word in words:
                if word != BETWEEN or slot == OWN_SLOT:  # nobody can ask a text field for what is between
                    add_word(numbers[word])
                    add_place(here)
        self._fields.extend((row, slot, len(self._word) - before))
        return base + len(places) + 1

    def content(self) -> SegmentContent:
        """Return what was collected. Its arrays are this one's own: nothing may be added any more."""
        rows, slots, counts = _numbers(self._fields).reshape(-1, 3).T
        occurrences = Occurrences(
            _numbers(self._word),
            np.repeat(rows.astype(np.uint16), counts),
            np.repeat(slots.astype(np.uint8), counts),
            np.frombuffer(self._place, np.uint16),
        )
        return SegmentContent(
            np.fromiter(self._photo_ids, np.int64, len(self._photo_ids)),
            self._words,
            occurrences,
            (_numbers(self._keyword), np.frombuffer(self._keyword_row, np.uint16)),
            {encode(form): count for form, count in self._forms.items()},
            {name: _numbers(values) for name, values in self._numbers_of.items()},
        )


def _numbers(values: array[int]) -> NDArray[np.uint32]:
    return np.frombuffer(values, np.uint32)


def stored_number(value: int) -> int:
    """Return a number as a column holds it."""
    return min(value, LARGEST) + 1


LARGEST = (1 << 32) - 2


# ---- into the order of words ---------------------------------------------------------------------


def write_segment(writer: Writer, content: SegmentContent) -> None:
    """Write a segment."""
    order = sorted(range(len(content.words)), key=content.words.__getitem__)
    ranks = np.empty(len(order), np.uint32)
    ranks[order] = np.arange(len(order), dtype=np.uint32)
    write_vocabulary(writer, "words", [content.words[number] for number in order])
    forms = sorted(content.forms)
    write_vocabulary(writer, "forms", forms)
    writer.add("form counts", np.array([content.forms[form] for form in forms], np.uint32))
    writer.add("photos", content.photo_ids)
    for name, values in content.numbers.items():
        if values.any():
            writer.add(name, values)
    _write_entries(writer, len(order), _ranked(content.occurrences, ranks), content.keywords, ranks)
    writer.finish({"format": FORMAT, "documents": len(content.photo_ids)})


def _ranked(occurrences: Occurrences, ranks: NDArray[np.uint32]) -> Occurrences:
    """Return occurrences word by word, and those of a word in the order in which they were."""
    words = ranks[occurrences.words]
    order = _stable_order(words)
    return Occurrences(words[order], occurrences.rows[order], occurrences.slots[order], occurrences.places[order])


def _stable_order(words: NDArray[np.uint32]) -> NDArray[np.int64]:
    # Sorting whole numbers of 64 bits is several times as fast as a stable argsort.
    keys = (words.astype(np.uint64) << np.uint64(32)) | np.arange(len(words), dtype=np.uint64)
    keys.sort()
    order: NDArray[np.int64] = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return order


def _write_entries(
    writer: Writer,
    words: int,
    occurrences: Occurrences,
    keywords: tuple[NDArray[np.uint32], NDArray[np.uint16]],
    ranks: NDArray[np.uint32],
) -> None:
    occurrences, starts, counted = _counted(occurrences)
    entry_words = np.concatenate([occurrences.words[starts], ranks[keywords[0]]])
    entry_rows = np.concatenate([occurrences.rows[starts], keywords[1]])
    del starts
    kinds, codes = _told_apart(np.concatenate([counted, np.zeros(len(keywords[0]), np.uint64)]))
    del counted
    order = _stable_order(entry_words)
    writer.add("tallies", kinds)
    writer.add("pointers", _pointers(entry_words, words))
    writer.add("rows", entry_rows[order])
    writer.add("codes", codes[order])
    writer.add("place pointers", _pointers(occurrences.words, words))
    writer.add("places", occurrences.places)


def _told_apart(values: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], Codes]:
    """Return the different values in order, and which of them each is; a part at a time, as ``unique`` would take
    five times the memory of all."""
    parts = [values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE)]
    kinds = np.unique(np.concatenate([values[:0], *map(np.unique, parts)]))
    codes = [small(np.searchsorted(kinds, part), len(kinds)) for part in parts]
    return kinds, np.concatenate([small(np.zeros(0, np.intp), len(kinds)), *codes])


def _pointers(numbers: NDArray[np.uint32], count: int) -> NDArray[np.uint32]:
    """Return where each of ``count`` numbers begins in a sorted list of them, and where the last ends."""
    pointers = np.zeros(count + 1, np.uint32)
    np.cumsum(np.bincount(numbers, minlength=count), out=pointers[1:])
    return pointers


def _counted(occurrences: Occurrences) -> tuple[Occurrences, NDArray[np.intp], NDArray[np.uint64]]:
    """Return the occurrences that are counted, not those beyond the most that can be of a word in one field; where the
    entries begin, each of a word and a document; and the counts of each, packed."""
    in_field = _starts(occurrences.words, occurrences.rows, occurrences.slots)
    sizes = np.diff(in_field, append=len(occurrences.words))
    if (sizes > most_in(occurrences.slots[in_field])).any():
        most = most_in(occurrences.slots[in_field])
        kept = np.arange(len(occurrences.words)) - np.repeat(in_field, sizes) < np.repeat(most, sizes)
        words, rows, slots, places = occurrences
        occurrences = Occurrences(words[kept], rows[kept], slots[kept], places[kept])
        sizes = np.minimum(sizes, most)
        in_field = np.cumsum(sizes) - sizes
    counts = packed(occurrences.slots[in_field], sizes)
    del sizes
    first = _starts(occurrences.words[in_field], occurrences.rows[in_field])
    if not first.size:
        return occurrences, first, np.zeros(0, np.uint64)
    return occurrences, in_field[first], np.add.reduceat(counts, first)


def _starts(*parts: NDArray[Any]) -> NDArray[np.intp]:
    """Return where one of the parts differs from what is before it."""
    if not len(parts[0]):
        return np.zeros(0, np.intp)
    new = np.ones(len(parts[0]), np.bool_)
    new[1:] = False
    for part in parts:
        new[1:] |= part[1:] != part[:-1]
    return np.flatnonzero(new)
