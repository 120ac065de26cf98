"""The impact matrix in blocks of up to 65,536 vectors, in each of which the number of a row takes two bytes.

A block is made by itself, so making a matrix takes the memory of one block however many photos there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.types import TermVocabulary, VectorBatch

MOST_ROWS: Final = 1 << 16


class Cuttable(Protocol):
    """An array in memory, or one of a file, which is checked when it is read."""

    def cut(self, start: int, end: int) -> NDArray[Any]:
        """Return ``array[start:end]``."""

    def all(self) -> NDArray[Any]:
        """Return the whole array."""


class Held(NamedTuple):
    """An array in memory, as a :class:`Cuttable`."""

    array: NDArray[Any]

    def cut(self, start: int, end: int) -> NDArray[Any]:
        """Return ``array[start:end]``."""
        return self.array[start:end]

    def all(self) -> NDArray[Any]:
        """Return the whole array."""
        return self.array


class Block(NamedTuple):
    """Vectors of the model with the number ``model`` in the order of the scales. The entries of the term with the
    number t are those from ``pointers[t]`` to ``pointers[t + 1]``: of each its row in the block and its impact."""

    model: int
    photo_ids: NDArray[np.int64]
    norms: NDArray[np.float32]  # the length of each vector
    pointers: Cuttable  # uint32
    rows: Cuttable  # uint16
    impacts: Cuttable  # uint8

    def entries(self, term: int) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        """Return the rows, ascending, and the impacts of a term."""
        start, end = self.pointers.cut(term, term + 2).tolist()
        return self.rows.cut(start, end), self.impacts.cut(start, end)


def numbers_of_terms(vocabularies: Iterable[TermVocabulary]) -> dict[str, int]:
    """Return the number of every term of all vocabularies."""
    numbers: dict[str, int] = {}
    for vocabulary in vocabularies:
        for term in vocabulary.words:
            numbers.setdefault(term, len(numbers))
    return numbers


def blocks_of(
    vocabularies: Mapping[int, TermVocabulary],
    read: Callable[[int], Iterable[VectorBatch]],
    numbers: Mapping[str, int],
) -> Iterator[Block]:
    """Yield the blocks of all vectors; ``read`` yields those of a model, a key of ``vocabularies``."""
    for model, (key, vocabulary) in enumerate(vocabularies.items()):
        table = _columns_of_ids(vocabulary, numbers)
        for batches in _filled(read(key)):
            yield _block(model, batches, table, vocabulary.scale, len(numbers))


def _filled(batches: Iterable[VectorBatch]) -> Iterator[list[VectorBatch]]:
    """Yield the batches in groups that fill a block each."""
    group: list[VectorBatch] = []
    room = MOST_ROWS
    for batch in batches:
        rest = batch
        while len(rest.counts) > room:
            first, rest = _divided(rest, room)
            yield [*group, first]
            group, room = [], MOST_ROWS
        group.append(rest)
        room -= len(rest.counts)
    if any(len(batch.counts) for batch in group):
        yield group


def _divided(batch: VectorBatch, rows: int) -> tuple[VectorBatch, VectorBatch]:
    entries = int(batch.counts[:rows].sum())
    kind = type(batch)
    return (
        kind(batch.photo_ids[:rows], batch.counts[:rows], batch.ids[:entries], batch.impacts[:entries]),
        kind(batch.photo_ids[rows:], batch.counts[rows:], batch.ids[entries:], batch.impacts[entries:]),
    )


def _block(
    model: int, batches: Sequence[VectorBatch], table: NDArray[np.unsignedinteger], scale: float, terms: int
) -> Block:
    counts = np.concatenate([batch.counts for batch in batches])
    impacts = np.concatenate([batch.impacts for batch in batches])
    owners = np.repeat(np.arange(len(counts), dtype=np.uint16), counts)
    squares = np.bincount(owners, impacts.astype(np.float64) ** 2, len(counts))
    columns = np.concatenate([table[batch.ids] for batch in batches])
    order = np.argsort(columns, kind="stable")  # keeps the rows of a column ascending
    met = np.bincount(columns, minlength=terms + 1)
    pointers = np.zeros(terms + 1, np.uint32)
    np.cumsum(met[:terms], out=pointers[1:])
    order = order[: pointers[-1]]  # without those that the vocabulary does not have
    return Block(
        model,
        np.concatenate([batch.photo_ids for batch in batches]),
        (np.sqrt(squares) * scale).astype(np.float32),
        Held(pointers),
        Held(owners[order]),
        Held(impacts[order]),
    )


def _columns_of_ids(vocabulary: TermVocabulary, numbers: Mapping[str, int]) -> NDArray[np.unsignedinteger]:
    """Return the column of every id; one behind the last for ids that the vocabulary does not have. 16-bit columns,
    which are nearly always enough, are sorted faster."""
    small = len(numbers) < 1 << 16
    table: NDArray[np.unsignedinteger] = np.full(1 << 16, len(numbers), np.uint16 if small else np.uint32)
    known = [numbers[term] for term in vocabulary.words[: 1 << 16]]
    table[: len(known)] = known
    return table
