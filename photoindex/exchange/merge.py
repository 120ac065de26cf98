"""Merges the records of an export into a catalogue that may hold some of them, or others.

A record and a photo belong together when their content is equal, by SHA-256. A path never decides, unless the caller
asks for it: paths such as ``DCIM/100/IMG_0001.jpg`` occur in every library, and files of uncompressed formats have
equal sizes.

A record of unknown content becomes a photo that waits for its file. For known content, captions that the catalogue
lacks become history; a model's captions are used where no model has captioned the photo; and caption, tags and lock of
the user are each taken from the side that changed them last, so a removal counts too. A second import changes nothing.
"""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sqlalchemy import Connection, exists, insert, select, update

from photoindex.catalogue import corrections as store
from photoindex.catalogue import files, metadata, photos, term_vectors
from photoindex.catalogue.editor import new_edit
from photoindex.catalogue.fast_queries import vocabularies
from photoindex.catalogue.schema import caption, correction, file, model, photo, term
from photoindex.catalogue.term_encoding import ENTRY_BYTES, pack_words, unpack_vector
from photoindex.catalogue.user_metadata import TAG_SOURCE, UserMetadata, put_user_metadata, user_metadata_of
from photoindex.errors import ExchangeError
from photoindex.exchange.export import FACTS
from photoindex.exchange.precedence import DatedWords, newest, with_dates, words_of_record
from photoindex.exchange.record_fields import check_text, short
from photoindex.exchange.records import CaptionRecord, CorrectionRecord, ModelRecord, PhotoRecord
from photoindex.exchange.text_import import merge_text
from photoindex.media.metadata.reader_version import READER_VERSION
from photoindex.system.url_paths import path_text
from photoindex.types import TermVocabulary

Outcome = Literal["added", "changed", "unchanged"]
_LONGEST_FACT = 10_000  # characters
_SHORT_NAME = 64  # characters of a model's name and encoder
_RANGES: dict[str, tuple[float, float]] = {
    "width": (0, 2**31 - 1),
    "height": (0, 2**31 - 1),
    "orientation": (0, 2**16 - 1),
    "rating": (-1, 5),
    "taken_offset": (-24 * 60, 24 * 60),
    "latitude": (-90, 90),
    "longitude": (-180, 180),
    "metadata_reader": (0, 2**31 - 1),
}


class Merger:
    """Merges records into a catalogue.

    ``replace``: the user's words in the records count, even where the catalogue has newer ones. ``match_paths``: a
    record of unknown content belongs to the photo that is at the same absolute path now.
    """

    def __init__(self, now: datetime, *, replace: bool = False, match_paths: bool = False) -> None:
        self._now, self._replace, self._match_paths = now, replace, match_paths
        self._models: dict[str, tuple[int, TermVocabulary | None]] = {}
        self.matched: dict[str, int] = {}  # the photo that a path decided on, by the hash in the record
        self.changed_files = 0  # records of unknown content that had the path of a photo that is in the catalogue

    def forget_models(self) -> None:
        """Drop the ids of models. Call this after a rollback, which may have removed their rows."""
        self._models.clear()

    def merge_model(self, connection: Connection, record: ModelRecord) -> None:
        """Insert a model, or add the vocabulary of its vectors when the catalogue lacks it."""
        row = connection.execute(select(model.c.id, model.c.terms).where(model.c.identity == record.identity)).first()
        values: dict[str, Any] = {}
        if record.terms is not None and record.term_scale is not None:
            values = {"terms": pack_words(record.terms), "term_scale": record.term_scale}
        if row is None:
            connection.execute(
                insert(model).values(
                    identity=record.identity,
                    name=record.name[:_SHORT_NAME],
                    encoder=record.encoder[:_SHORT_NAME],
                    first_used_at=record.first_used_at,
                    **values,
                )
            )
        elif row.terms is None and values:
            connection.execute(update(model).where(model.c.id == row.id).values(**values))
        self._models.pop(record.identity, None)

    def merge_photo(self, connection: Connection, record: PhotoRecord) -> Outcome:
        """Merge one photo's record. Raises :class:`ExchangeError` for a fact that is not possible."""
        photo_id = connection.execute(select(photo.c.id).where(photo.c.content_hash == record.sha256)).scalar()
        if photo_id is not None and has_file(connection, photo_id):
            return self._merge(connection, photo_id, record, same_content=True)
        at_path = _photo_at_path(connection, record)
        if at_path is not None and self._match_paths:
            self.matched[record.sha256] = at_path
            return self._merge(connection, at_path, record, same_content=False)
        self.changed_files += at_path is not None
        if photo_id is not None:
            return self._merge(connection, photo_id, record, same_content=True)
        self._add(connection, record)
        return "added"

    # ---- unknown content ---------------------------------------------------------------------

    def _add(self, connection: Connection, record: PhotoRecord) -> None:
        facts = facts_of_record(record)
        # A reader that this program does not know keeps no later one from reading the photo again.
        facts["metadata_reader"] = min(facts.get("metadata_reader", 0), READER_VERSION)
        added = connection.execute(
            insert(photo).values(
                content_hash=record.sha256,
                size=record.bytes,
                added_at=record.added_at,
                text_stale=1,
                **facts,
            )
        )
        assert added.inserted_primary_key is not None
        photo_id = int(added.inserted_primary_key[0])
        self._insert_captions(connection, photo_id, record.captions)
        self._insert_terms(connection, photo_id, record, set())
        self._save_vector(connection, photo_id, record)
        merge_text(connection, photo_id, record)
        by_user = replace(words_of_record(record).words, caption=None, locked=None)  # those came with the captions
        put_user_metadata(connection, {photo_id: (UserMetadata(), by_user)}, self._now)
        _insert_corrections(connection, photo_id, record.corrections)
        photos.mark_text_stale(connection, [photo_id])

    def _insert_captions(self, connection: Connection, photo_id: int, rows: Iterable[CaptionRecord]) -> None:
        values = [
            {
                "photo_id": photo_id,
                "text": row.text,
                "source": row.source,
                "rank": row.rank,
                "current": row.current,
                "locked": row.locked,
                "model_id": None if row.model is None else self._model(connection, row.model)[0],
                "log_probability": row.log_probability,
                "settings": row.settings,
                "created_at": row.created_at,
                "confidence": row.confidence,
            }
            for row in rows
        ]
        if values:
            connection.execute(insert(caption), values)

    def _insert_terms(self, connection: Connection, photo_id: int, record: PhotoRecord, but: set[str]) -> None:
        rows = [
            {"photo_id": photo_id, "text": each.text, "weight": each.weight, "source": each.source}
            for each in record.terms
            if each.source not in but and each.source != TAG_SOURCE
        ]
        if rows:
            connection.execute(insert(term), rows)

    def _save_vector(self, connection: Connection, photo_id: int, record: PhotoRecord) -> None:
        """Store a record's term vector, unless the vocabulary of its model is unknown here: `reindex` makes another."""
        if record.vector is None:
            return
        model_id, vocabulary = self._model(connection, record.vector.model)
        if vocabulary is None:
            return
        vector = unpack_vector(record.vector.entries)
        ids = vector.ids.astype(np.int64)
        whole = len(record.vector.entries) == ENTRY_BYTES * len(ids)
        if not whole or (len(ids) and (ids[-1] >= len(vocabulary.words) or np.any(np.diff(ids) <= 0))):
            raise ExchangeError("vector.entries does not fit the vocabulary of its model")
        term_vectors.save_vectors(connection, {photo_id: vector}, model_id)

    def _model(self, connection: Connection, identity: str) -> tuple[int, TermVocabulary | None]:
        if identity not in self._models:
            name = identity.rpartition("-")[0] or identity
            model_id = photos.ensure_model(connection, identity, name[:_SHORT_NAME], "unknown")
            self._models[identity] = model_id, vocabularies(connection).get(model_id)
        return self._models[identity]

    # ---- known content -------------------------------------------------------------------

    def _merge(self, connection: Connection, photo_id: int, record: PhotoRecord, *, same_content: bool) -> Outcome:
        changed = False
        if same_content:
            changed = self._merge_model_captions(connection, photo_id, record)
            changed |= self._merge_sidecar_captions(connection, photo_id, record)
            changed |= merge_text(connection, photo_id, record)
        words = words_of_record(record)
        changed |= self.merge_words(connection, photo_id, words, record.corrections, record.captions)
        if changed:
            photos.mark_text_stale(connection, [photo_id])
        return "changed" if changed else "unchanged"

    def _merge_model_captions(self, connection: Connection, photo_id: int, record: PhotoRecord) -> bool:
        rows = connection.execute(
            select(caption.c.text, caption.c.current, model.c.identity)
            .join_from(caption, model, isouter=True)
            .where(caption.c.photo_id == photo_id, caption.c.source == "model", caption.c.rank == 0)
        ).all()
        theirs = [each for each in record.captions if each.source == "model"]
        if not theirs:
            return False
        known = {(row.text, row.identity) for row in rows}
        news = [each for each in theirs if each.rank == 0 and (each.text, each.model) not in known]
        if any(row.current for row in rows):
            self._insert_captions(connection, photo_id, map(_as_history, news))
            return bool(news)
        # No model of this library has captioned the photo: use the captions of the export.
        self._insert_captions(
            connection, photo_id, (_unlocked(each) for each in theirs if each.current or each in news)
        )
        self._insert_terms(connection, photo_id, record, _term_sources(connection, photo_id))
        self._save_vector(connection, photo_id, record)
        return True

    def _merge_sidecar_captions(self, connection: Connection, photo_id: int, record: PhotoRecord) -> bool:
        rows = connection.execute(
            select(caption.c.text, caption.c.current).where(
                caption.c.photo_id == photo_id, caption.c.source == "sidecar"
            )
        ).all()
        theirs = [each for each in record.captions if each.source == "sidecar"]
        known = {row.text for row in rows}
        news = [each for each in theirs if each.text not in known]
        if any(row.current for row in rows):
            news = [_as_history(each) for each in news]
        self._insert_captions(connection, photo_id, map(_unlocked, news))
        return bool(news)

    def merge_words(
        self,
        connection: Connection,
        photo_id: int,
        theirs: DatedWords,
        changes: Sequence[CorrectionRecord] = (),
        captions: Sequence[CaptionRecord] = (),
    ) -> bool:
        """Merge the user's words, their history (``changes``) and earlier ``captions``; return whether that changed
        anything. The caller marks the photo for the full-text index."""
        before = user_metadata_of(connection, [photo_id])[photo_id]
        mine = _dated(connection, photo_id, before)
        after = theirs.words if self._replace else newest(mine, theirs)
        known = set(
            connection.execute(
                select(caption.c.text).where(caption.c.photo_id == photo_id, caption.c.source == "user")
            ).scalars()
        )
        earlier = [each for each in captions if each.source == "user" and each.text not in known]
        self._insert_captions(connection, photo_id, map(_as_history, earlier))
        if after.locked != before.locked and not _exists(connection, photo_id, after):
            after = replace(after, locked=before.locked)
        known_changes = _corrections_of(connection, photo_id)
        added = [each for each in changes if (each.edit, each.kind) not in known_changes]
        _insert_corrections(connection, photo_id, added)
        undone = [
            each
            for each in changes
            if each.undone_at is not None and known_changes.get((each.edit, each.kind), each) is None
        ]
        for each in undone:
            connection.execute(
                update(correction)
                .where(
                    correction.c.photo_id == photo_id, correction.c.edit == each.edit, correction.c.kind == each.kind
                )
                .values(undone_at=each.undone_at)
            )
        if after != before:
            moment = max(theirs.times(), default=self._now)
            changed = {photo_id: (before, after)}
            put_user_metadata(connection, changed, theirs.captioned_at or moment)
            if before != UserMetadata() or not changes:
                # Words of this library were replaced, or the new ones have no history: record a change to undo.
                store.note(connection, changed, new_edit(), moment)
        if is_changed := after != before or bool(earlier or added or undone):
            metadata.mark_beside(connection, [photo_id])
        return is_changed


def _dated(connection: Connection, photo_id: int, words: UserMetadata) -> DatedWords:
    rows = connection.execute(
        select(correction).where(correction.c.photo_id == photo_id).order_by(correction.c.made_at, correction.c.id)
    ).all()
    captioned_at = connection.execute(
        select(caption.c.created_at).where(
            caption.c.photo_id == photo_id, caption.c.source == "user", caption.c.current
        )
    ).scalar()
    changes = [CorrectionRecord(row.edit, row.kind, row.old, row.new, row.made_at, row.undone_at) for row in rows]
    return with_dates(words, changes, captioned_at)


def _as_history(row: CaptionRecord) -> CaptionRecord:
    return _changed(row, current=False, locked=False)


def _unlocked(row: CaptionRecord) -> CaptionRecord:
    """Remove the lock: it belongs to the user's words, which are merged later."""
    return _changed(row, current=row.current, locked=False)


def _changed(row: CaptionRecord, *, current: bool, locked: bool) -> CaptionRecord:
    return dataclasses.replace(row, current=current, locked=locked)


def _exists(connection: Connection, photo_id: int, words: UserMetadata) -> bool:
    """Return whether the catalogue has, or will have, the caption to lock."""
    if words.locked is None or (words.locked.source == "user" and words.locked.text == words.caption):
        return True
    same = exists().where(
        caption.c.photo_id == photo_id,
        caption.c.source == words.locked.source,
        caption.c.text == words.locked.text,
    )
    return bool(connection.execute(select(same)).scalar())


def _term_sources(connection: Connection, photo_id: int) -> set[str]:
    return set(connection.execute(select(term.c.source).where(term.c.photo_id == photo_id).distinct()).scalars())


def _corrections_of(connection: Connection, photo_id: int) -> dict[tuple[str, str], datetime | None]:
    rows = connection.execute(
        select(correction.c.edit, correction.c.kind, correction.c.undone_at).where(correction.c.photo_id == photo_id)
    )
    return {(row.edit, row.kind): row.undone_at for row in rows}


def _insert_corrections(connection: Connection, photo_id: int, changes: Sequence[CorrectionRecord]) -> None:
    rows = [
        {
            "photo_id": photo_id,
            "edit": each.edit,
            "kind": each.kind,
            "old": each.old,
            "new": each.new,
            "made_at": each.made_at,
            "undone_at": each.undone_at,
        }
        for each in changes
    ]
    if rows:
        connection.execute(insert(correction), rows)


def has_file(connection: Connection, photo_id: int) -> bool:
    """Return whether a photo has a present file, according to the catalogue."""
    present = exists().where(file.c.photo_id == photo_id, file.c.missing_since.is_(None))
    return bool(connection.execute(select(present)).scalar())


def _photo_at_path(connection: Connection, record: PhotoRecord) -> int | None:
    """Return the photo that is now at an absolute path of the record, unless its paths hold several photos."""
    known = (
        files.photo_at(connection, Path(path_text(each.root), each.path))
        for each in record.files
        if each.missing_since is None
    )
    photo_ids = {row[1] for row in known if row is not None and row[1] is not None}
    return photo_ids.pop() if len(photo_ids) == 1 else None


def facts_of_record(record: PhotoRecord) -> dict[str, Any]:
    """Return the facts that this catalogue has columns for, as the columns' types.

    Raises :class:`ExchangeError` for a value of another type, or one that no photo has.
    """
    values: dict[str, Any] = {}
    for column in FACTS:
        value = record.facts.get(column.name)
        if value is None:
            continue
        try:
            converted = _converter(column.type.python_type)(value)
            low, high = _RANGES.get(column.name, (-math.inf, math.inf))
            if isinstance(converted, (int, float)) and not low <= converted <= high:
                raise ValueError
            values[column.name] = converted
        except (TypeError, ValueError, OverflowError, NotImplementedError, KeyError, ExchangeError) as error:
            raise ExchangeError(f"facts.{column.name} cannot be {short(value)}") from error
    return values


def _converter(kind: type) -> Callable[[Any], Any]:
    def number(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
            raise ValueError
        return value

    def real(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(float(value)):
            raise ValueError
        return float(value)

    def text(value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError
        check_text(value, "it", _LONGEST_FACT)
        return value

    def flag(value: Any) -> bool:
        if not isinstance(value, bool):
            raise TypeError
        return value

    def local_time(value: Any) -> datetime:
        return datetime.fromisoformat(value).replace(tzinfo=None)  # the camera's clock; its offset is another fact

    converters: dict[type, Callable[[Any], Any]] = {
        int: number, float: real, str: text, bool: flag, datetime: local_time, date: date.fromisoformat,
        bytes: partial(base64.b64decode, validate=True),
    }  # fmt: skip
    return converters[kind]
