"""How many photos the query for a value finds: what facets and statistics count, so that their links find just these.

A query for a folder finds what lies below it, one for a camera those whose names go on behind its own, one for a place
also the photos whose region or district has the name. So a value is chosen by how many photos have it, and has the
number of those that are found. What a text is compared by is worked out once for all texts of a column.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from photoindex.language.analysis import fold, value_tokens
from photoindex.language.place_names import BETWEEN_PARTS
from photoindex.library.gallery.snapshot import UNKNOWN, Codes, Marks, Snapshot, most_frequent
from photoindex.system.lazy_imports import lazily

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = lazily("numpy")  # it is imported behind the first answer

Counts = list[tuple[str, int]]


def place_parts(label: str) -> list[str]:
    """Return what a query for a place asks for: each part of its label."""
    return label.split(", ")


def places_found(snapshot: Snapshot, rows: NDArray[np.intp] | None, most: int) -> Counts:
    """Return the most frequent places, each with how many of these rows, or of all, a query for its parts finds."""
    found, texts = snapshot.wheres.totals(rows), _Texts.of(snapshot.wheres.names)
    labelled = np.zeros(len(snapshot.places.names), np.intp)
    label_of = snapshot.label_of_where
    known = label_of != UNKNOWN
    np.add.at(labelled, label_of[known], found[known])  # a column of names is soon added up, one of photos is not
    labels = [label for label, _ in most_frequent(snapshot.places.names, labelled, most)]
    return _sorted((label, int(found[texts.holding(*place_parts(label))].sum())) for label in labels)


def cameras_found(cameras: Codes, rows: NDArray[np.intp] | None, most: int) -> Counts:
    """Return the most frequent cameras, each with the photos of those whose names hold its own."""
    found, texts = cameras.totals(rows), _Texts.of(cameras.names)
    return _sorted(
        (name, int(found[texts.holding(name)].sum())) for name, _ in most_frequent(cameras.names, found, most)
    )


def labels_found(snapshot: Snapshot, most: int) -> Counts:
    """Return the most frequent labels, each with the photos of a label or a tag that holds it: a hot dog is a dog."""
    return _sorted((label, _labelled(snapshot, label)) for label, _ in snapshot.labels.counts(None, most))


def _labelled(snapshot: Snapshot, label: str) -> int:
    chosen = np.zeros(snapshot.count, np.bool_)
    for marks in (snapshot.labels, snapshot.tags):
        held = np.zeros(len(marks.names), np.bool_)
        held[_Texts.of(marks.names).holding(label)] = True
        chosen[marks.rows[held[marks.codes]]] = True
    return int(np.count_nonzero(chosen))


def folders_found(folders: Codes, rows: NDArray[np.intp] | None, most: int) -> Counts:
    """Return the folders that hold the most photos, each with those below it."""
    found, paths = folders.totals(rows), _Paths.of(folders.names)
    return _sorted((name, int(found[paths.below(name)].sum())) for name, _ in most_frequent(folders.names, found, most))


def marks_found(marks: Marks, chosen: NDArray[np.bool_] | None, most: int) -> Counts:
    """Return the most frequent texts; those that differ by capitals alone together, as the most frequent of them."""
    found, first = marks.totals(chosen), _first_spellings(marks.names)
    both = np.bincount(first, weights=found, minlength=len(marks.names)).astype(np.int64)
    order = np.argsort(-both, kind="stable")[:most]
    spellings = ((place, np.flatnonzero(first == place)) for place in order if both[place])
    return [(marks.names[alike[found[alike].argmax()]], int(both[place])) for place, alike in spellings]


def _sorted(counts: Iterable[tuple[str, int]]) -> Counts:
    return sorted(counts, key=lambda pair: -pair[1])


class _Texts:
    """Which texts hold a run of words."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._codes: dict[str, list[int]] = {}  # of each part of a text
        self._held: dict[tuple[str, ...], NDArray[np.intp]] = {}
        for code, name in enumerate(names):
            for part in name.split(BETWEEN_PARTS):
                self._codes.setdefault(part, []).append(code)
        self._letters = [(_letters(part), part) for part in self._codes]

    @staticmethod
    @lru_cache(maxsize=8)
    def of(names: tuple[str, ...]) -> _Texts:
        return _Texts(names)

    def holding(self, *wanted: str) -> NDArray[np.intp]:
        """Return the places of the texts that hold each of these, in one of their own parts."""
        if wanted not in self._held:
            held = [self._holding(part) for part in wanted]
            self._held[wanted] = np.array(sorted(set.intersection(*held)), np.intp)
        return self._held[wanted]

    def _holding(self, wanted: str) -> set[int]:
        words, letters = _words(wanted), _letters(wanted)
        # Words are told apart slowly, and few texts have these letters at all.
        alike = (part for found, part in self._letters if letters in found)
        return {code for part in alike if part == wanted or _holds(_words(part), words) for code in self._codes[part]}


@lru_cache(maxsize=1 << 12)
def _words(text: str) -> tuple[str, ...]:
    return tuple(token.word for token in value_tokens(text))


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, fold(text)))


def _holds(words: tuple[str, ...], run: tuple[str, ...]) -> bool:
    return any(words[start : start + len(run)] == run for start in range(len(words) - len(run) + 1))


class _Paths:
    """Which folders lie below one, by their order; capitals do not matter, nor the kind of slash."""

    def __init__(self, names: tuple[str, ...]) -> None:
        keys = [_path(name) for name in names]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        self._keys = [keys[code] for code in order]
        self._codes = np.array(order, np.intp)

    @staticmethod
    @lru_cache(maxsize=2)
    def of(names: tuple[str, ...]) -> _Paths:
        return _Paths(names)

    def below(self, name: str) -> NDArray[np.intp]:
        """Return the places of a folder and of those below it."""
        path = _path(name)
        return self._codes[bisect_left(self._keys, path) : bisect_left(self._keys, path[:-1] + chr(ord("/") + 1))]


def _path(name: str) -> str:
    return name.casefold().replace("\\", "/").rstrip("/") + "/"


@lru_cache(maxsize=4)
def _first_spellings(names: tuple[str, ...]) -> NDArray[np.intp]:
    first: dict[str, int] = {}
    return np.array([first.setdefault(name.casefold(), code) for code, name in enumerate(names)], np.intp)
