"""Queries about photos: captions with their history, weighted terms, and what the full-text index must learn."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from sqlalchemy import Connection, delete, exists, func, insert, select, update

from photoindex.store import vectors
from photoindex.store.facts import facts_of, values_of
from photoindex.store.lookup import precedence_of
from photoindex.store.packing import pack_words
from photoindex.store.tables import caption, file, model, photo, term
from photoindex.types import Caption, Photo, PhotoFacts, Prediction, Term, TermVocabulary

CHUNK = 500
LABEL_SOURCE = "label"
KIND_SOURCE = "kind"


def find_by_hash(connection: Connection, content_hash: str) -> tuple[int, bool] | None:
    """(photo id, has been captioned) of a content that was met before. A person's caption alone does not count: the
    model's labels and terms are still to come."""
    has_caption = exists().where(caption.c.photo_id == photo.c.id, caption.c.current, caption.c.source == "model")
    row = connection.execute(select(photo.c.id, has_caption).where(photo.c.content_hash == content_hash)).first()
    return None if row is None else (row[0], bool(row[1]))


def content_hashes(connection: Connection, photo_ids: Sequence[int]) -> dict[int, str]:
    """The SHA-256 of each photo's content, by id."""
    found = {}
    for start in range(0, len(photo_ids), CHUNK):
        chosen = photo.c.id.in_(photo_ids[start : start + CHUNK])
        for row in connection.execute(select(photo.c.id, photo.c.content_hash).where(chosen)):
            found[row.id] = row.content_hash
    return found


def was_captioned(connection: Connection, photo_id: int, identity: str, since: datetime) -> bool:
    """Whether the model ``identity`` made the photo's current model caption, and at ``since`` or later."""
    query = (
        select(caption.c.id)
        .join_from(caption, model)
        .where(caption.c.photo_id == photo_id, caption.c.source == "model", caption.c.current, caption.c.rank == 0)
        .where(model.c.identity == identity, caption.c.created_at >= since)
    )
    return connection.execute(query).first() is not None


def save_photo(
    connection: Connection, content_hash: str, size: int, facts: PhotoFacts, fingerprint: bytes | None = None
) -> int:
    """Insert or refresh a content's row; returns its id."""
    values = {**values_of(facts), "fingerprint": fingerprint}
    known = connection.execute(select(photo.c.id).where(photo.c.content_hash == content_hash)).scalar()
    if known is not None:
        connection.execute(update(photo).where(photo.c.id == known).values(**values, text_stale=new_token()))
        return int(known)
    added = connection.execute(
        insert(photo).values(
            content_hash=content_hash, size=size, added_at=_now(), text_stale=new_token(), metadata_stale=0, **values
        )
    )
    assert added.inserted_primary_key is not None
    return int(added.inserted_primary_key[0])


def change_content(connection: Connection, photo_id: int, content_hash: str, size: int) -> None:
    """Say that a photo is another content than it was, of the same shot; what is known of it stays."""
    connection.execute(update(photo).where(photo.c.id == photo_id).values(content_hash=content_hash, size=size))


def save_prediction(
    connection: Connection, photo_id: int, prediction: Prediction, model_id: int, settings: str
) -> None:
    """Store what a model says: it becomes the current model caption, the one before becomes history.

    A caption by the user or a sidecar is not touched and goes on being shown, and so does a locked one.
    """
    connection.execute(
        update(caption)
        .where(caption.c.photo_id == photo_id, caption.c.source == "model", caption.c.current)
        .values(current=False)
    )
    # Of earlier predictions only the best caption is history; their other candidates would only grow the catalogue.
    connection.execute(
        delete(caption).where(
            caption.c.photo_id == photo_id, caption.c.source == "model", caption.c.rank > 0, ~caption.c.locked
        )
    )
    connection.execute(
        insert(caption),
        [
            {
                "photo_id": photo_id,
                "text": candidate.text,
                "source": "model",
                "rank": rank,
                "current": True,
                "model_id": model_id,
                "log_probability": candidate.log_probability,
                "settings": settings,
                "created_at": _now(),
            }
            for rank, candidate in enumerate(prediction.candidates)
        ],
    )
    _save_labels(connection, photo_id, prediction)
    vectors.save_vector(connection, photo_id, prediction.terms, model_id)
    mark_text_stale(connection, [photo_id])


def _save_labels(connection: Connection, photo_id: int, prediction: Prediction) -> None:
    sources = {LABEL_SOURCE: prediction.labels, KIND_SOURCE: prediction.kinds}
    connection.execute(delete(term).where(term.c.photo_id == photo_id, term.c.source.in_(sources)))
    rows = [
        {"photo_id": photo_id, "text": label.name, "weight": label.probability, "source": source}
        for source, labels in sources.items()
        for label in labels
    ]
    if rows:
        connection.execute(insert(term), rows)


def ensure_model(
    connection: Connection, identity: str, name: str, encoder: str, terms: TermVocabulary | None = None
) -> int:
    """The row of a model, made when it is first used. ``terms`` is the vocabulary its vectors are read through."""
    known = connection.execute(select(model.c.id).where(model.c.identity == identity)).scalar()
    if known is not None:
        return int(known)
    values: dict[str, object] = {}
    if terms is not None:
        values = {"terms": pack_words(terms.words), "term_scale": terms.scale}
    added = connection.execute(
        insert(model).values(identity=identity, name=name, encoder=encoder, first_used_at=_now(), **values)
    )
    assert added.inserted_primary_key is not None
    return int(added.inserted_primary_key[0])


def mark_text_stale(connection: Connection, photo_ids: Sequence[int]) -> None:
    """Say, in the transaction that changes a photo's words, that the full-text index must learn of it."""
    for start in range(0, len(photo_ids), CHUNK):
        chunk = photo_ids[start : start + CHUNK]
        connection.execute(update(photo).where(photo.c.id.in_(chunk)).values(text_stale=new_token()))


def stale_photos(connection: Connection, limit: int | None) -> list[tuple[int, int]]:
    """(photo id, token) of photos whose latest words the full-text index lacks."""
    rows = connection.execute(select(photo.c.id, photo.c.text_stale).where(photo.c.text_stale != 0).limit(limit))
    return [(row.id, row.text_stale) for row in rows]


def clear_text_stale(connection: Connection, indexed: Sequence[tuple[int, int]]) -> None:
    """The full-text index has committed these; a photo changed since (another token) keeps its mark."""
    for photo_id, token in indexed:
        connection.execute(
            update(photo).where(photo.c.id == photo_id, photo.c.text_stale == token).values(text_stale=0)
        )


def captioned_before(connection: Connection, identity: str | None, photo_ids: Sequence[int] | None = None) -> list[int]:
    """One present file of each photo whose current model caption is by another model than ``identity``; of each
    captioned photo when that is ``None``. Of these photos, in their order, when ``photo_ids`` are given."""
    query = (
        select(caption.c.photo_id, func.min(file.c.id).label("file_id"))
        .join_from(caption, file, file.c.photo_id == caption.c.photo_id)
        .join(model, model.c.id == caption.c.model_id)
        .where(caption.c.source == "model", caption.c.rank == 0, caption.c.current, file.c.missing_since.is_(None))
        .group_by(caption.c.photo_id)
    )
    if identity is not None:
        query = query.where(model.c.identity != identity)
    found = {row.photo_id: row.file_id for row in connection.execute(query)}
    return [found[photo_id] for photo_id in (found if photo_ids is None else photo_ids) if photo_id in found]


def by_model(connection: Connection) -> dict[str, int]:
    """How many photos that have a file have their current model caption from each model, the most frequent first."""
    present = exists().where(file.c.photo_id == caption.c.photo_id, file.c.missing_since.is_(None))
    query = (
        select(model.c.identity, func.count().label("photos"))
        .join_from(caption, model)
        .where(caption.c.source == "model", caption.c.rank == 0, caption.c.current, present)
        .group_by(model.c.identity)
        .order_by(func.count().desc(), model.c.identity)
    )
    return {row.identity: row.photos for row in connection.execute(query)}


def all_photo_ids(connection: Connection) -> list[int]:
    """Every photo that has a present file and a caption: what the full-text index must hold."""
    present = exists().where(file.c.photo_id == photo.c.id, file.c.missing_since.is_(None))
    captioned = exists().where(caption.c.photo_id == photo.c.id, caption.c.current)
    return list(connection.execute(select(photo.c.id).where(present, captioned).order_by(photo.c.id)).scalars())


def searchable_ids(connection: Connection) -> set[int]:
    """The photos that the full-text index is to hold: those with a caption and a present file."""
    captioned = exists().where(caption.c.photo_id == photo.c.id, caption.c.current, caption.c.rank == 0)
    present = exists().where(file.c.photo_id == photo.c.id, file.c.missing_since.is_(None))
    return set(connection.execute(select(photo.c.id).where(captioned, present)).scalars())


def load_photos(
    connection: Connection, photo_ids: Sequence[int], paths: dict[int, tuple[list[Path], list[Path]]]
) -> list[Photo]:
    """The photos with these ids, in this order, with their captions and terms; unknown ids are left out.

    ``paths`` is what :func:`photoindex.store.files.paths_of` says of them.
    """
    rows, captions, terms = {}, _captions(connection, photo_ids), _terms(connection, photo_ids)
    for start in range(0, len(photo_ids), CHUNK):
        for row in connection.execute(select(photo).where(photo.c.id.in_(photo_ids[start : start + CHUNK]))):
            rows[row.id] = row
    photos = []
    for photo_id in photo_ids:
        if photo_id not in rows:
            continue
        row = rows[photo_id]
        current, history, others, overruled = captions.get(photo_id, (None, (), (), ()))
        present, missing = paths.get(photo_id, ([], []))
        photos.append(
            Photo(
                id=photo_id,
                content_hash=row.content_hash,
                size=row.size,
                facts=facts_of(row),
                paths=tuple(present),
                missing_paths=tuple(missing),
                caption=current,
                history=history,
                candidates=others,
                terms=terms.get(photo_id, ()),
                overruled=overruled,
            )
        )
    return photos


_Captions = tuple["Caption | None", "tuple[Caption, ...]", "tuple[Caption, ...]", "tuple[Caption, ...]"]


def _captions(connection: Connection, photo_ids: Sequence[int]) -> dict[int, _Captions]:
    """For each photo: the caption to show, its history (newest first), the model's other candidates, and the captions
    that the first one is shown instead of."""
    columns = (
        caption.c.photo_id, caption.c.text, caption.c.source, caption.c.rank, caption.c.current,
        caption.c.log_probability, caption.c.settings, caption.c.created_at, caption.c.locked, model.c.identity,
    )  # fmt: skip
    now: dict[int, list[Caption]] = {}
    history: dict[int, list[Caption]] = {}
    others: dict[int, list[Caption]] = {}
    for start in range(0, len(photo_ids), CHUNK):
        query = (
            select(*columns)
            .join_from(caption, model, isouter=True)
            .where(caption.c.photo_id.in_(photo_ids[start : start + CHUNK]))
            .order_by(caption.c.id)
        )
        for row in connection.execute(query):
            value = Caption(
                row.text, row.source, row.created_at, row.identity, row.log_probability, row.settings, row.locked
            )
            if not (row.current or row.locked):
                history.setdefault(row.photo_id, []).append(value)
            elif row.rank > 0:
                others.setdefault(row.photo_id, []).append(value)
            else:
                now.setdefault(row.photo_id, []).append(value)
    found: dict[int, _Captions] = {}
    for photo_id in now.keys() | history.keys():
        ranked = sorted(now.get(photo_id, ()), key=precedence)
        found[photo_id] = (
            ranked[0] if ranked else None,
            tuple(reversed(history.get(photo_id, []))),
            tuple(others.get(photo_id, [])),
            tuple(ranked[1:]),
        )
    return found


def precedence(value: Caption) -> tuple[bool, int]:
    """Sorts the caption to show before those that it is shown instead of."""
    return precedence_of(value.source, locked=value.locked)


def _terms(connection: Connection, photo_ids: Sequence[int]) -> dict[int, tuple[Term, ...]]:
    found: dict[int, list[Term]] = {}
    for start in range(0, len(photo_ids), CHUNK):
        query = select(term).where(term.c.photo_id.in_(photo_ids[start : start + CHUNK]))
        query = query.order_by(term.c.weight.desc(), term.c.id)
        for row in connection.execute(query):
            found.setdefault(row.photo_id, []).append(Term(row.text, row.weight, row.source))
    return {photo_id: tuple(terms) for photo_id, terms in found.items()}


def count_photos(connection: Connection) -> dict[str, int]:
    """Photos known, photos with a caption, and photos the full-text index has yet to learn of."""
    captioned = exists().where(caption.c.photo_id == photo.c.id, caption.c.current)
    return {
        "photos": connection.execute(select(func.count()).select_from(photo)).scalar_one(),
        "captioned": connection.execute(select(func.count()).select_from(photo).where(captioned)).scalar_one(),
        "text_stale": connection.execute(
            select(func.count()).select_from(photo).where(photo.c.text_stale != 0)
        ).scalar_one(),
    }


def new_token() -> int:
    """A value that no mark had before."""
    return secrets.randbits(62) | 1


def _now() -> datetime:
    return datetime.now(timezone.utc)
