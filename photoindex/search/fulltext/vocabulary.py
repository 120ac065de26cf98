"""A sorted list of words in a mapped file: found by halving, walked by beginnings and by near spellings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.checked_file import CheckedFile, Writer

_HEAD: Final = 8  # bytes of a word that are compared as one number


def encode(word: str) -> bytes:
    """Return a word as a vocabulary holds it. A query may hold half of a surrogate pair, which no word does."""
    return word.encode("utf-8", "surrogatepass")


class SegmentVocabulary:
    """Words in ascending order of their UTF-8 bytes, which is that of their code points."""

    def __init__(self, file: CheckedFile, name: str) -> None:
        self._file = file
        self._name = name
        self._loaded = False

    def __len__(self) -> int:
        return len(self._file[f"{self._name} heads"])

    def __getitem__(self, place: int) -> bytes:
        self._load()
        return self._text[self._ends[place] : self._ends[place + 1]].tobytes()

    def place(self, word: bytes) -> int | None:
        """Return the place of a word; ``None`` when it is not there."""
        place = self.first(word)
        return place if place < len(self) and self[place] == word else None

    def first(self, word: bytes) -> int:
        """Return the place of the first word that is not before this one."""
        self._load()
        head = _head(word)
        low = int(self._heads.searchsorted(head))
        if low == len(self._heads) or self._heads[low] != head:
            return low
        high = int(self._heads.searchsorted(head, "right"))
        while low < high:
            middle = (low + high) // 2
            if self[middle] < word:
                low = middle + 1
            else:
                high = middle
        return low

    def starting(self, prefix: str) -> range:
        """Return the places of the words that begin with ``prefix``."""
        # No byte of UTF-8 is 0xff.
        return range(self.first(encode(prefix)), self.first(encode(prefix) + b"\xff"))

    def text(self, place: int) -> str:
        """Return a word."""
        return self[place].decode("utf-8", "surrogatepass")

    def within(self, space: str, word: str, distance: int, prefix: int) -> Iterator[str]:
        """Yield the words behind ``space`` at most ``distance`` insertions, deletions or substitutions from ``word``,
        none of them in its first ``prefix`` letters."""
        start = word[:prefix]
        row = list(range(len(word[prefix:]) + 1))
        yield from (found[len(space) :] for found in self._near(space + start, word[prefix:], distance, row))

    def _near(self, path: str, word: str, distance: int, row: Sequence[int]) -> Iterator[str]:
        """Walk the words that begin with ``path`` letter by letter; ``row`` has the distances from what follows
        ``path`` to each beginning of ``word``."""
        place, end = self.first(encode(path)), self.first(encode(path) + b"\xff")
        if place < end and row[-1] <= distance and self[place] == encode(path):
            yield path
        while place < end:
            found = self.text(place)
            if len(found) == len(path):
                place += 1
                continue
            letter = found[len(path)]
            further = _next_row(row, word, letter)
            if min(further) <= distance:
                yield from self._near(path + letter, word, distance, further)
            place = self.first(encode(path + letter) + b"\xff")

    def _load(self) -> None:
        if not self._loaded:
            self._heads: NDArray[np.uint64] = self._file[f"{self._name} heads"].all()
            self._ends: NDArray[np.uint32] = self._file[f"{self._name} ends"].all()
            self._text = self._file[f"{self._name} text"].all().data
            self._loaded = True


def _next_row(row: Sequence[int], word: str, letter: str) -> list[int]:
    """Return the next row of Levenshtein's table."""
    further = [row[0] + 1]
    for number, wanted in enumerate(word):
        further.append(min(row[number] + (wanted != letter), row[number + 1] + 1, further[number] + 1))
    return further


def _head(word: bytes) -> np.uint64:
    number: np.uint64 = np.uint64(int.from_bytes(word[:_HEAD].ljust(_HEAD, b"\0"), "big"))
    return number


def write_vocabulary(writer: Writer, name: str, words: Sequence[bytes]) -> None:
    """Write words, which ascend, for :class:`SegmentVocabulary`."""
    heads = b"".join(word[:_HEAD].ljust(_HEAD, b"\0") for word in words)
    writer.add(f"{name} heads", np.frombuffer(heads, ">u8").astype("<u8"))
    ends = np.zeros(len(words) + 1, np.uint32)
    np.cumsum(np.fromiter(map(len, words), np.uint32, len(words)), out=ends[1:])
    writer.add(f"{name} ends", ends)
    writer.add(f"{name} text", np.frombuffer(b"".join(words), np.uint8))
