"""How the catalogue keeps learned terms: a photo's vector and a model's vocabulary, each as bytes.

Both are read far more often as a whole than looked into. Bytes that make no sense are an empty vector or an empty
vocabulary: what a photo is found by besides words is not worth an error.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress

import numpy as np

from photoindex.types.terms import TermVector, VectorBatch

ENTRY_BYTES = 3


def pack_vector(vector: TermVector) -> bytes:
    """The ids as little-endian uint16, then the impacts as uint8: three bytes a term."""
    return vector.ids.astype("<u2").tobytes() + vector.impacts.astype(np.uint8).tobytes()


def unpack_vector(entries: bytes) -> TermVector:
    """What :func:`pack_vector` packed; an empty vector for bytes that it cannot have made."""
    count = len(entries) // ENTRY_BYTES if len(entries) % ENTRY_BYTES == 0 else 0
    ids = np.frombuffer(entries[: 2 * count], "<u2").astype(np.uint16)
    return TermVector(ids, np.frombuffer(entries[2 * count : 3 * count], np.uint8))


def vector_batch(packed: Iterable[tuple[int, bytes]]) -> VectorBatch:
    """(photo id, its packed vector) each, in the form in which many are worked on at once."""
    whole = [(photo_id, entries) for photo_id, entries in packed if len(entries) % ENTRY_BYTES == 0]
    counts = [len(entries) // ENTRY_BYTES for _, entries in whole]
    parts = [(entries, 2 * count) for (_, entries), count in zip(whole, counts, strict=True)]
    return VectorBatch(
        np.array([photo_id for photo_id, _ in whole], np.int64),
        np.array(counts, np.intp),
        np.frombuffer(b"".join(entries[:middle] for entries, middle in parts), "<u2").astype(np.uint16, copy=False),
        np.frombuffer(b"".join(entries[middle:] for entries, middle in parts), np.uint8),
    )


def pack_words(words: Sequence[str]) -> bytes:
    """A vocabulary as the catalogue keeps it."""
    return zlib.compress("\n".join(words).encode("utf-8"), 9)


def unpack_words(packed: bytes) -> tuple[str, ...]:
    """What :func:`pack_words` packed; nothing for bytes that it cannot have made."""
    with suppress(zlib.error, UnicodeDecodeError):
        return tuple(zlib.decompress(packed).decode("utf-8").split("\n"))
    return ()
