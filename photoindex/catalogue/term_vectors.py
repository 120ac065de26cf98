"""Queries about learned terms: each photo's vector, written and read. Those of a search are in fast_queries.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, bindparam, func, insert, select, update

from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.schema import catalogue, model, term_vector
from photoindex.catalogue.term_encoding import pack_vector, unpack_vector, unpack_words, vector_batch
from photoindex.types import Term, TermVector, VectorBatch
from photoindex.types.term_sources import LEARNED_SOURCE

BATCH = 5000  # vectors read at once when all are: a megabyte


def save_vectors(connection: Connection, vectors: Mapping[int, TermVector | None], model_id: int) -> None:
    """Replace the vectors of photos, by id; ``None``, from a model without terms, deletes a photo's."""
    known: set[int] = set()
    for ids in chunks(vectors):
        query = select(term_vector.c.photo_id).where(term_vector.c.photo_id.in_(ids))
        known |= set(connection.execute(query).scalars())
    changed = [photo_id for photo_id in vectors if photo_id in known or vectors[photo_id] is not None]
    if not changed:
        return
    # The row of the counter stays locked until this transaction ends, so that revisions are committed in their order
    # and nobody who has seen one can miss a lower one later.
    connection.execute(update(catalogue).values(vector_revision=catalogue.c.vector_revision + len(changed)))
    last = connection.execute(select(catalogue.c.vector_revision)).scalar_one()
    new: list[tuple[int, bytes, int]] = []
    old: list[tuple[int, bytes, int]] = []
    for revision, photo_id in enumerate(changed, last - len(changed) + 1):
        vector = vectors[photo_id]
        # Not deleted when there is none: an empty vector with a new revision tells others that the old one went.
        entries = b"" if vector is None else pack_vector(vector)
        (old if photo_id in known else new).append((photo_id, entries, revision))
    if new:
        rows = [{"photo_id": a, "entries": b, "revision": c, "model_id": model_id} for a, b, c in new]
        connection.execute(insert(term_vector), rows)
    if old:
        statement = (
            update(term_vector)
            .where(term_vector.c.photo_id == bindparam("old_id"))
            .values(entries=bindparam("entries"), revision=bindparam("revision"), model_id=model_id)
        )
        connection.execute(statement, [{"old_id": a, "entries": b, "revision": c} for a, b, c in old])


def photos_with_terms(connection: Connection) -> set[int]:
    """Return the photos that have learned terms."""
    query = select(term_vector.c.photo_id).where(func.length(term_vector.c.entries) > 0)
    return set(connection.execute(query).scalars())


def vectors_of_model(connection: Connection, model_id: int) -> Iterator[VectorBatch]:
    """Yield all vectors of a model, by photo id, a few thousand at a time, without empty ones."""
    query = (
        select(term_vector.c.photo_id, term_vector.c.entries)
        .where(term_vector.c.model_id == model_id, func.length(term_vector.c.entries) > 0)
        .order_by(term_vector.c.photo_id)
    )
    for rows in connection.execute(query).partitions(BATCH):
        yield vector_batch(rows)


def terms_of(connection: Connection, photo_id: int) -> tuple[Term, ...]:
    """Return the learned terms of a photo with their weights, heaviest first."""
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
    terms = [Term(word, impact * row.term_scale, LEARNED_SOURCE) for word, impact in known]
    return tuple(sorted(terms, key=lambda term: -term.weight))
