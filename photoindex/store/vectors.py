"""Queries about learned terms: each photo's vector, the vocabularies they are over, and which vectors changed.

A vector is kept as bytes (:func:`pack_vector`), a vocabulary as compressed lines of text: both are read far more often
as a whole than looked into. Bytes that make no sense are an empty vector or an empty vocabulary: what a photo is found
by besides words is not worth an error.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, func, insert, select, update

from photoindex.store.tables import catalogue, model, term_vector
from photoindex.types import Term, TermVector, TermVocabulary, VectorBatch

ENTRY_BYTES = 3
STATE = select(catalogue.c.identity, catalogue.c.vector_revision)  # asked with every search: made once
BATCH = 5000  # vectors read at once when all are: a megabyte
LEARNED_SOURCE = "model"


@dataclass(frozen=True, slots=True)
class VectorState:
    """What the vectors of a catalogue are known by. ``revision`` 0: there never was one."""

    identity: str
    revision: int


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A photo's vector as it is kept: ``entries`` as :func:`pack_vector` makes them."""

    photo_id: int
    model_id: int
    entries: bytes


def save_vector(connection: Connection, photo_id: int, vector: TermVector | None, model_id: int) -> None:
    """Replace what is known of a photo's terms. ``None``, from a model without any, leaves it without."""
    known = connection.execute(select(term_vector.c.photo_id).where(term_vector.c.photo_id == photo_id)).scalar()
    if known is None and vector is None:
        return
    # The row of the counter stays locked until this transaction ends, so that revisions are committed in their order
    # and nobody who has seen one can miss a lower one later.
    connection.execute(update(catalogue).values(vector_revision=catalogue.c.vector_revision + 1))
    values = {
        "model_id": model_id,
        # Not deleted when there is none: an empty vector with a new revision tells others that the old one went.
        "entries": b"" if vector is None else pack_vector(vector),
        "revision": connection.execute(select(catalogue.c.vector_revision)).scalar_one(),
    }
    if known is None:
        connection.execute(insert(term_vector).values(photo_id=photo_id, **values))
    else:
        connection.execute(update(term_vector).where(term_vector.c.photo_id == photo_id).values(**values))


def vector_state(connection: Connection) -> VectorState:
    """The catalogue's identity, and the revision of the latest vector that was written."""
    row = connection.execute(STATE).one()
    return VectorState(row.identity, row.vector_revision)


def vocabularies(connection: Connection) -> dict[int, TermVocabulary]:
    """By model id, for the models that predict terms."""
    rows = connection.execute(select(model.c.id, model.c.terms, model.c.term_scale).where(model.c.terms.is_not(None)))
    return {row.id: TermVocabulary(unpack_words(row.terms), float(row.term_scale or 0.0)) for row in rows}


def count_vectors(connection: Connection, *, after: int = 0) -> int:
    """Vectors with a higher revision than ``after``."""
    query = select(func.count()).select_from(term_vector).where(term_vector.c.revision > after)
    return connection.execute(query).scalar_one()


def photos_with_terms(connection: Connection) -> set[int]:
    """The photos that a model says any terms of."""
    query = select(term_vector.c.photo_id).where(func.length(term_vector.c.entries) > 0)
    return set(connection.execute(query).scalars())


def vectors_after(connection: Connection, revision: int) -> list[StoredVector]:
    """Vectors with a higher revision, lowest first."""
    query = select(term_vector).where(term_vector.c.revision > revision).order_by(term_vector.c.revision)
    return [StoredVector(row.photo_id, row.model_id, row.entries) for row in connection.execute(query)]


def vectors_of_model(connection: Connection, model_id: int) -> Iterator[VectorBatch]:
    """All vectors a model made, by photo id, a few thousand at a time; empty ones are left out."""
    query = (
        select(term_vector.c.photo_id, term_vector.c.entries)
        .where(term_vector.c.model_id == model_id, func.length(term_vector.c.entries) > 0)
        .order_by(term_vector.c.photo_id)
    )
    for rows in connection.execute(query).partitions(BATCH):
        yield vector_batch(rows)


def terms_of(connection: Connection, photo_id: int) -> tuple[Term, ...]:
    """The learned terms of a photo with their weights, heaviest first."""
    query = (
        select(term_vector.c.entries, model.c.terms, model.c.term_scale)
        .join(model, model.c.id == term_vector.c.model_id)
        .where(term_vector.c.photo_id == photo_id, model.c.terms.is_not(None))
    )
    row = connection.execute(query).first()
    if row is None:
        return ()
    words, vector = unpack_words(row.terms), unpack_vector(row.entries)
    pairs = zip(vector.ids.tolist(), vector.impacts.tolist(), strict=True)
    known = ((words[number], impact) for number, impact in pairs if number < len(words))
    found = [Term(word, impact * row.term_scale, LEARNED_SOURCE) for word, impact in known]
    return tuple(sorted(found, key=lambda term: -term.weight))


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
