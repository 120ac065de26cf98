"""Queries about photos: captions with their history, weighted terms, and what the full-text index must learn."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, exists, func, insert, literal_column, select, text, update

from photoindex.catalogue import term_vectors
from photoindex.catalogue.captions import IS_CAPTIONED, MAY_SHOW, PRECEDENCE
from photoindex.catalogue.change_feed import version
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.dialects import insert_new
from photoindex.catalogue.facts import COLUMNS, facts_of, looks_from, looks_text, values_of
from photoindex.catalogue.many_rows import SET, among, is_one_of
from photoindex.catalogue.roots import reachable_file
from photoindex.catalogue.schema import caption, file, model, photo, root, term
from photoindex.catalogue.term_encoding import pack_words
from photoindex.catalogue.text_lines import text_lines
from photoindex.media.metadata.reader_version import READER_VERSION
from photoindex.system.clock import utc_now
from photoindex.types import Caption, Photo, PhotoFacts, Prediction, Term, TermVocabulary
from photoindex.types.term_sources import KIND_SOURCE, LABEL_SOURCE


@dataclass(frozen=True, slots=True)
class Content:
    """What is known of a content from its bytes, without the caption."""

    content_hash: str
    size: int
    facts: PhotoFacts
    fingerprint: bytes | None = None
    looks: frozenset[str] | None = None


def ids_by_hash(connection: Connection, hashes: Iterable[str]) -> dict[str, int]:
    """Return the photo of each of these contents that was met before, by its hash."""
    found: dict[str, int] = {}
    for chunk in chunks(hashes):
        rows = connection.execute(select(photo.c.content_hash, photo.c.id).where(photo.c.content_hash.in_(chunk)))
        found.update(map(tuple, rows))
    return found


def find_by_hash(connection: Connection, hashes: Iterable[str]) -> dict[str, tuple[int, bool]]:
    """(photo id, has been captioned) of those of these contents that were met before. A person's caption alone does
    not count: the model's labels and terms are still to come."""
    has_caption = exists().where(caption.c.photo_id == photo.c.id, caption.c.current, caption.c.source == "model")
    found = {}
    for chunk in chunks(hashes):
        query = select(photo.c.content_hash, photo.c.id, has_caption).where(photo.c.content_hash.in_(chunk))
        found.update({row[0]: (row[1], bool(row[2])) for row in connection.execute(query)})
    return found


def content_hashes(connection: Connection, photo_ids: Sequence[int]) -> dict[int, str]:
    """The SHA-256 of each photo's content, by id."""
    found = {}
    for chunk in chunks(photo_ids):
        for row in connection.execute(select(photo.c.id, photo.c.content_hash).where(photo.c.id.in_(chunk))):
            found[row.id] = row.content_hash
    return found


def known(connection: Connection, photo_ids: Sequence[int]) -> list[int]:
    """Return those of these photos that are in the catalogue, in the order given."""
    found = among(connection, photo.c.id, photo_ids)
    return [number for number in photo_ids if number in found]


def was_captioned(connection: Connection, photo_id: int, identity: str, since: int) -> bool:
    """Return whether the model ``identity`` made the photo's current model caption after the revision ``since`` of the
    catalogue. Revisions are compared rather than times, as a clock may have been ahead."""
    query = (
        select(caption.c.id)
        .join_from(caption, model)
        .where(caption.c.photo_id == photo_id, caption.c.source == "model", caption.c.current, caption.c.rank == 0)
        .where(model.c.identity == identity, caption.c.revision > since)
    )
    return connection.execute(query).first() is not None


def save_photos(connection: Connection, contents: Sequence[Content]) -> list[int]:
    """Insert or refresh the rows of contents, no two of the same hash; returns their ids, in their order."""
    ids = ids_by_hash(connection, _hashes(contents))
    new = [content for content in contents if content.content_hash not in ids]
    met = [content for content in contents if content.content_hash in ids]
    met.sort(key=lambda content: ids[content.content_hash])  # who locks rows in one order waits, and never in a circle
    if met:
        columns = [*COLUMNS, "fingerprint", "looks"]
        statement = update(photo).where(photo.c.id == bindparam("met_id"))
        noted = {"text_stale": new_token(), "metadata_reader": READER_VERSION}
        statement = statement.values({**noted, **{name: bindparam(name) for name in columns}})
        rows = [
            {
                "met_id": ids[one.content_hash],
                "fingerprint": one.fingerprint,
                "looks": looks_text(one.looks),
                **values_of(one.facts),
            }
            for one in met
        ]
        connection.execute(statement, rows)
    if new:
        given = {
            "added_at": utc_now(),
            "text_stale": new_token(),
            "metadata_stale": 0,
            "metadata_reader": READER_VERSION,
        }
        rows = [
            {"content_hash": one.content_hash, "size": one.size, "fingerprint": one.fingerprint,
             "looks": looks_text(one.looks), **given, **values_of(one.facts)}
            for one in new
        ]  # fmt: skip
        # In a shared catalogue another worker may have stored the same content since it was looked for.
        connection.execute(insert_new(connection, photo), sorted(rows, key=itemgetter("content_hash")))
        ids |= ids_by_hash(connection, _hashes(new))
    return [ids[one.content_hash] for one in contents]


def _hashes(contents: Sequence[Content]) -> list[str]:
    return [one.content_hash for one in contents]


def change_content(connection: Connection, photo_id: int, content_hash: str, size: int) -> None:
    """Say that a photo is another content than it was, of the same shot; what is known of it stays."""
    connection.execute(update(photo).where(photo.c.id == photo_id).values(content_hash=content_hash, size=size))


def save_predictions(
    connection: Connection, predictions: Mapping[int, Prediction], model_id: int, settings: str
) -> None:
    """Store what a model says of photos, by id: it becomes the current model caption, the one before becomes history.

    A caption by the user or a sidecar is not touched and goes on being shown, and so does a locked one.
    """
    for ids in chunks(predictions):
        theirs = and_(caption.c.photo_id.in_(ids), caption.c.source == "model")
        connection.execute(update(caption).where(theirs, caption.c.current).values(current=False))
        # Of earlier predictions only the best caption is history; their other candidates would only grow the catalogue.
        connection.execute(delete(caption).where(theirs, caption.c.rank > 0, ~caption.c.locked))
        connection.execute(delete(term).where(term.c.photo_id.in_(ids), term.c.source.in_((LABEL_SOURCE, KIND_SOURCE))))
        reviewed = and_(photo.c.id.in_(ids), photo.c.review.is_not(None))
        connection.execute(update(photo).where(reviewed).values(review=None))  # it was of another caption
    now, revision = utc_now(), version(connection).revision + 1
    captions = [
        {
            "photo_id": photo_id,
            "text": candidate.text,
            "source": "model",
            "rank": rank,
            "current": True,
            "model_id": model_id,
            "log_probability": candidate.log_probability,
            "confidence": candidate.confidence,
            "settings": settings,
            "created_at": now,
            "revision": revision,
        }
        for photo_id, prediction in predictions.items()
        for rank, candidate in enumerate(prediction.candidates)
    ]
    labels = [
        {"photo_id": photo_id, "text": label.name, "weight": label.probability, "source": source}
        for photo_id, prediction in predictions.items()
        for source, labels in ((LABEL_SOURCE, prediction.labels), (KIND_SOURCE, prediction.kinds))
        for label in labels
    ]
    if captions:
        connection.execute(insert(caption), captions)
    if labels:
        connection.execute(insert(term), labels)
    mark_text_stale(connection, sorted(predictions))
    # Last, as it takes the row that counts revisions: others who store wait from here on.
    term_vectors.save_vectors(connection, {number: said.terms for number, said in predictions.items()}, model_id)


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
    row = {"identity": identity, "name": name, "encoder": encoder, "first_used_at": utc_now(), **values}
    connection.execute(insert_new(connection, model), [row])
    return int(connection.execute(select(model.c.id).where(model.c.identity == identity)).scalar_one())


def mark_text_stale(connection: Connection, photo_ids: Sequence[int]) -> None:
    """Say, in the transaction that changes a photo's words, that the full-text index must learn of it."""
    for chunk in chunks(photo_ids, SET):
        connection.execute(update(photo).where(is_one_of(photo.c.id, chunk)).values(text_stale=new_token()))


def stale_photos(connection: Connection, limit: int | None) -> list[tuple[int, int]]:
    """(photo id, token) of photos whose latest words the full-text index lacks."""
    rows = connection.execute(select(photo.c.id, photo.c.text_stale).where(photo.c.text_stale != 0).limit(limit))
    return [(row.id, row.text_stale) for row in rows]


def clear_text_stale(connection: Connection, indexed: Sequence[tuple[int, int]]) -> None:
    """The full-text index has committed these; a photo changed since (another token) keeps its mark."""
    if indexed:
        seen = and_(photo.c.id == bindparam("indexed_id"), photo.c.text_stale == bindparam("seen_token"))
        rows = [{"indexed_id": photo_id, "seen_token": token} for photo_id, token in indexed]
        connection.execute(update(photo).where(seen).values(text_stale=0), rows)


def captioned_before(connection: Connection, identity: str | None, photo_ids: Sequence[int] | None = None) -> list[int]:
    """One present file, one that can be reached if there is any, of each photo whose current model caption is by
    another model than ``identity``; of each captioned photo when that is ``None``. Of these photos, in their order, if
    ``photo_ids`` are given."""
    query = (
        select(caption.c.photo_id, reachable_file(connection).label("file_id"))
        .join_from(caption, file, file.c.photo_id == caption.c.photo_id)
        .join(model, model.c.id == caption.c.model_id)
        .where(caption.c.source == "model", caption.c.rank == 0, caption.c.current, file.c.missing_since.is_(None))
        .group_by(caption.c.photo_id)
    )
    if identity is not None:
        query = query.where(model.c.identity != identity)
    found = {row.photo_id: row.file_id for row in connection.execute(query)}
    return [found[photo_id] for photo_id in (found if photo_ids is None else photo_ids) if photo_id in found]


def paths_of_files(connection: Connection, file_ids: Iterable[int]) -> list[Path]:
    """Return the paths of files, by their ids, in no order."""
    found: list[Path] = []
    for chunk in chunks(file_ids):
        query = select(root.c.path, file.c.relative_path).join_from(file, root).where(file.c.id.in_(chunk))
        found += [Path(*row) for row in connection.execute(query)]
    return found


def models_of_files(connection: Connection, file_ids: Iterable[int]) -> dict[str, int]:
    """Return how many of these files' photos have their caption from each model, the most frequent first."""
    counts: Counter[str] = Counter()
    current = (caption.c.source == "model", caption.c.rank == 0, caption.c.current)
    for chunk in chunks(file_ids):
        rows = connection.execute(
            select(model.c.identity, func.count().label("photos"))
            .join_from(caption, model)
            .join(file, file.c.photo_id == caption.c.photo_id)
            .where(file.c.id.in_(chunk), *current)
            .group_by(model.c.identity)
        )
        counts.update({row.identity: row.photos for row in rows})
    return dict(counts.most_common())


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
    query = select(photo.c.id).where(present, text(IS_CAPTIONED)).order_by(photo.c.id)
    return list(connection.execute(query).scalars())


def searchable_ids(connection: Connection) -> set[int]:
    """The photos that the full-text index is to hold: those with a caption and a present file."""
    return set(all_photo_ids(connection))


def read_with_stars(connection: Connection, photo_ids: Sequence[int]) -> set[int]:
    """Which of these photos have stars in their files or sidecars, whatever a person says of them."""
    query = select(photo.c.id).where(photo.c.rating.is_not(None))
    return {number for ids in chunks(photo_ids) for number in connection.scalars(query.where(photo.c.id.in_(ids)))}


def load_photos(
    connection: Connection, photo_ids: Sequence[int], paths: dict[int, tuple[list[Path], list[Path]]]
) -> list[Photo]:
    """The photos with these ids, in this order, with their captions and terms; unknown ids are left out.

    ``paths`` is what :func:`photoindex.catalogue.files.paths_of` says of them.
    """
    rows, captions, terms = {}, _captions(connection, photo_ids), _terms(connection, photo_ids)
    lines = text_lines(connection, photo_ids)
    for chunk in chunks(photo_ids):
        for row in connection.execute(select(photo).where(photo.c.id.in_(chunk))):
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
                favourite=bool(row.favourite),
                hidden=bool(row.hidden),
                review=row.review,
                looks=looks_from(row.looks),
                text=lines.get(photo_id, ()),
                text_read=None if not row.text_reader else "closely" if row.text_reader > 0 else "glanced",
            )
        )
    return photos


_Captions = tuple["Caption | None", "tuple[Caption, ...]", "tuple[Caption, ...]", "tuple[Caption, ...]"]


def _captions(connection: Connection, photo_ids: Sequence[int]) -> dict[int, _Captions]:
    """For each photo: the caption to show, its history (newest first), the model's other candidates, and the captions
    that the first one is shown instead of."""
    columns: tuple[Any, ...] = (
        caption.c.photo_id, caption.c.current, literal_column(MAY_SHOW).label("may_show"),
        literal_column(f"row_number() over (partition by caption.photo_id order by {PRECEDENCE})").label("place"),
        # As Caption has them:
        caption.c.text, caption.c.source, caption.c.created_at, model.c.identity, caption.c.log_probability,
        caption.c.settings, caption.c.locked, caption.c.confidence,
    )  # fmt: skip
    now: dict[int, list[tuple[int, Caption]]] = {}
    history: dict[int, list[Caption]] = {}
    others: dict[int, list[Caption]] = {}
    for chunk in chunks(photo_ids):
        query = (
            select(*columns)
            .join_from(caption, model, isouter=True)
            .where(caption.c.photo_id.in_(chunk))
            .order_by(caption.c.id)
        )
        for photo_id, is_current, may_show, place, *words in connection.execute(query):
            value = Caption(*words)
            if may_show:
                now.setdefault(photo_id, []).append((place, value))
            elif is_current:
                others.setdefault(photo_id, []).append(value)
            else:
                history.setdefault(photo_id, []).append(value)
    found: dict[int, _Captions] = {}
    for photo_id in now.keys() | history.keys():
        ranked = [value for _, value in sorted(now.get(photo_id, ()), key=itemgetter(0))]
        found[photo_id] = (
            ranked[0] if ranked else None,
            tuple(reversed(history.get(photo_id, []))),
            tuple(others.get(photo_id, [])),
            tuple(ranked[1:]),
        )
    return found


def _terms(connection: Connection, photo_ids: Sequence[int]) -> dict[int, tuple[Term, ...]]:
    found: dict[int, list[Term]] = {}
    for chunk in chunks(photo_ids):
        query = select(term.c.photo_id, term.c.text, term.c.weight, term.c.source).where(term.c.photo_id.in_(chunk))
        for photo_id, *words in connection.execute(query.order_by(term.c.weight.desc(), term.c.id)):
            found.setdefault(photo_id, []).append(Term(*words))
    return {photo_id: tuple(terms) for photo_id, terms in found.items()}


def count_photos(connection: Connection) -> dict[str, int]:
    """Photos known, photos with a caption, and photos the full-text index has yet to learn of."""
    captioned = text(IS_CAPTIONED)
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
