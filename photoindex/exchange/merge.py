"""From the records of an export into a catalogue, which may know some of it, or other things.

A photo that the catalogue has not met is taken over as it is, and waits for its file. Of one that it knows, the
captions that it lacks become history; what a model says is taken where no model has said anything yet; and of what
people said the newer counts, caption, tags and lock each by itself, so that a removal counts as well. Doing it twice
changes nothing the second time.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, Literal

import numpy as np
from sqlalchemy import Connection, exists, insert, select, update

from photoindex.catalogue import corrections as store
from photoindex.catalogue import photos, term_vectors
from photoindex.catalogue.corrections import Said
from photoindex.catalogue.editor import new_edit
from photoindex.catalogue.fast_queries import vocabularies
from photoindex.catalogue.schema import caption, correction, file, model, photo, root, term
from photoindex.catalogue.term_encoding import ENTRY_BYTES, pack_words, unpack_vector
from photoindex.errors import ExchangeError
from photoindex.exchange.export import FACTS
from photoindex.exchange.precedence import Heard, heard_of, newer, with_times
from photoindex.exchange.records import CaptionRecord, CorrectionRecord, ModelRecord, PhotoRecord
from photoindex.types import TermVocabulary

Outcome = Literal["added", "changed", "unchanged"]


class Merger:
    """Brings records into a catalogue. ``replace``: what people say in them counts, whatever is newer."""

    def __init__(self, now: datetime, *, replace: bool = False) -> None:
        self._now, self._replace = now, replace
        self._models: dict[str, tuple[int, TermVocabulary | None]] = {}

    def forget(self) -> None:
        """The transaction was rolled back: what it had made is not there."""
        self._models.clear()

    def merge_model(self, connection: Connection, record: ModelRecord) -> None:
        """Make a model known, with the words of its vectors."""
        row = connection.execute(select(model.c.id, model.c.terms).where(model.c.identity == record.identity)).first()
        values: dict[str, Any] = {}
        if record.terms is not None and record.term_scale is not None:
            values = {"terms": pack_words(record.terms), "term_scale": record.term_scale}
        if row is None:
            connection.execute(
                insert(model).values(
                    identity=record.identity[:128],
                    name=record.name[:64],
                    encoder=record.encoder[:64],
                    first_used_at=record.first_used_at,
                    **values,
                )
            )
        elif row.terms is None and values:
            connection.execute(update(model).where(model.c.id == row.id).values(**values))
        self._models.pop(record.identity, None)

    def merge_photo(self, connection: Connection, record: PhotoRecord) -> Outcome:
        """Bring in what a record says of a photo. Raises :class:`ExchangeError` for a fact that cannot be one."""
        photo_id = connection.execute(select(photo.c.id).where(photo.c.content_hash == record.sha256)).scalar()
        if photo_id is not None:
            return self._merge(connection, photo_id, record, same_content=True)
        photo_id = _by_path(connection, record)
        if photo_id is not None:
            return self._merge(connection, photo_id, record, same_content=False)
        self._add(connection, record)
        return "added"

    # ---- a photo that is new ---------------------------------------------------------------------

    def _add(self, connection: Connection, record: PhotoRecord) -> None:
        added = connection.execute(
            insert(photo).values(
                content_hash=record.sha256,
                size=record.bytes,
                added_at=record.added_at,
                text_stale=1,
                **facts_of_record(record),
            )
        )
        assert added.inserted_primary_key is not None
        photo_id = int(added.inserted_primary_key[0])
        self._insert_captions(connection, photo_id, record.captions)
        self._insert_terms(connection, photo_id, record, set())
        self._save_vector(connection, photo_id, record)
        store.put_tags(connection, photo_id, record.tags)
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
            }
            for row in rows
        ]
        if values:
            connection.execute(insert(caption), values)

    def _insert_terms(self, connection: Connection, photo_id: int, record: PhotoRecord, but: set[str]) -> None:
        rows = [
            {"photo_id": photo_id, "text": each.text, "weight": each.weight, "source": each.source[:16]}
            for each in record.terms
            if each.source not in but and each.source != store.TAG_SOURCE
        ]
        if rows:
            connection.execute(insert(term), rows)

    def _save_vector(self, connection: Connection, photo_id: int, record: PhotoRecord) -> None:
        """A vector over words that are not known here says nothing, and is left for `reindex`."""
        if record.vector is None:
            return
        model_id, vocabulary = self._model(connection, record.vector.model)
        if vocabulary is None:
            return
        vector = unpack_vector(record.vector.entries)
        ids = vector.ids.astype(np.int64)
        whole = len(record.vector.entries) == ENTRY_BYTES * len(ids)
        if not whole or (len(ids) and (ids[-1] >= len(vocabulary.words) or np.any(np.diff(ids) <= 0))):
            raise ExchangeError("vector.entries is none over the words of its model")
        term_vectors.save_vectors(connection, {photo_id: vector}, model_id)

    def _model(self, connection: Connection, identity: str) -> tuple[int, TermVocabulary | None]:
        if identity not in self._models:
            name = identity.rpartition("-")[0] or identity
            model_id = photos.ensure_model(connection, identity[:128], name[:64], "unknown")
            self._models[identity] = model_id, vocabularies(connection).get(model_id)
        return self._models[identity]

    # ---- a photo that is known -------------------------------------------------------------------

    def _merge(self, connection: Connection, photo_id: int, record: PhotoRecord, *, same_content: bool) -> Outcome:
        changed = False
        if same_content:
            changed = self._merge_model_words(connection, photo_id, record)
            changed |= self._merge_sidecar_words(connection, photo_id, record)
        heard = heard_of(record)
        changed |= self.merge_said(connection, photo_id, heard, record.corrections, record.captions)
        if changed:
            photos.mark_text_stale(connection, [photo_id])
        return "changed" if changed else "unchanged"

    def _merge_model_words(self, connection: Connection, photo_id: int, record: PhotoRecord) -> bool:
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
        # No model of this library has said anything: the export's has.
        self._insert_captions(
            connection, photo_id, (_unlocked(each) for each in theirs if each.current or each in news)
        )
        self._insert_terms(connection, photo_id, record, _term_sources(connection, photo_id))
        self._save_vector(connection, photo_id, record)
        return True

    def _merge_sidecar_words(self, connection: Connection, photo_id: int, record: PhotoRecord) -> bool:
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

    def merge_said(
        self,
        connection: Connection,
        photo_id: int,
        heard: Heard,
        changes: Sequence[CorrectionRecord] = (),
        captions: Sequence[CaptionRecord] = (),
    ) -> bool:
        """Bring in what people say, its history (``changes``) and their earlier ``captions``; says whether that
        changed anything. The photo is to be marked by who calls."""
        before = store.said_of(connection, [photo_id])[photo_id]
        mine = _mine(connection, photo_id, before)
        after = heard.said if self._replace else newer(mine, heard)
        known = set(
            connection.execute(
                select(caption.c.text).where(caption.c.photo_id == photo_id, caption.c.source == "user")
            ).scalars()
        )
        earlier = [each for each in captions if each.source == "user" and each.text not in known]
        self._insert_captions(connection, photo_id, map(_as_history, earlier))
        if after.locked != before.locked and not _exists(connection, photo_id, after):
            after = Said(after.caption, after.tags, before.locked)
        had = _corrections_of(connection, photo_id)
        noted = [each for each in changes if (each.edit, each.kind) not in had]
        _insert_corrections(connection, photo_id, noted)
        undone = [
            each for each in changes if each.undone_at is not None and had.get((each.edit, each.kind), each) is None
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
            times = (heard.captioned_at, heard.tagged_at, heard.locked_at)
            moment = max((time for time in times if time is not None), default=self._now)
            if after.caption != before.caption:
                store.put_caption(connection, photo_id, after.caption, heard.captioned_at or moment)
            if after.tags != before.tags:
                store.put_tags(connection, photo_id, after.tags)
            if after.locked != before.locked:
                store.put_lock(connection, photo_id, after.locked)
            if before != Said() or not changes:
                # Something of this library's own was replaced, or came without a history: that can be undone.
                store.note(connection, photo_id, new_edit(), before, after, moment)
        return after != before or bool(earlier or noted or undone)


def _mine(connection: Connection, photo_id: int, said: Said) -> Heard:
    rows = connection.execute(
        select(correction).where(correction.c.photo_id == photo_id).order_by(correction.c.made_at, correction.c.id)
    ).all()
    spoken = connection.execute(
        select(caption.c.created_at).where(
            caption.c.photo_id == photo_id, caption.c.source == "user", caption.c.current
        )
    ).scalar()
    changes = [CorrectionRecord(row.edit, row.kind, row.old, row.new, row.made_at, row.undone_at) for row in rows]
    return with_times(said, changes, spoken)


def _as_history(row: CaptionRecord) -> CaptionRecord:
    return _changed(row, current=False, locked=False)


def _unlocked(row: CaptionRecord) -> CaptionRecord:
    """The lock is the person's, and set when it is known whether it counts."""
    return _changed(row, current=row.current, locked=False)


def _changed(row: CaptionRecord, *, current: bool, locked: bool) -> CaptionRecord:
    return CaptionRecord(
        row.text, row.source, row.rank, current, locked, row.model, row.log_probability, row.settings, row.created_at
    )


def _exists(connection: Connection, photo_id: int, said: Said) -> bool:
    """Whether there is, or will be, the caption that is to be locked: one of other bytes stays with them."""
    if said.locked is None or (said.locked.source == "user" and said.locked.text == said.caption):
        return True
    found = exists().where(
        caption.c.photo_id == photo_id,
        caption.c.source == said.locked.source,
        caption.c.text == said.locked.text,
    )
    return bool(connection.execute(select(found)).scalar())


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


def _by_path(connection: Connection, record: PhotoRecord) -> int | None:
    """The photo of the one file that has the name and the size that the record's had: its bytes have changed since.

    The same folder, or else the same path below another root.
    """
    for same_root in (True, False):
        found: set[int] = set()
        for each in record.files:
            query = select(file.c.photo_id).join_from(file, root)
            query = query.where(
                file.c.relative_path == each.path,
                file.c.size == each.bytes,
                file.c.missing_since.is_(None),
                file.c.photo_id.is_not(None),
            )
            if same_root:
                query = query.where(root.c.path == each.root)
            found.update(connection.execute(query).scalars())
        if len(found) == 1:
            return found.pop()
    return None


def facts_of_record(record: PhotoRecord) -> dict[str, Any]:
    """The facts of a record that this catalogue has columns for, as the columns' types."""
    values: dict[str, Any] = {}
    for column in FACTS:
        value = record.facts.get(column.name)
        if value is None:
            continue
        try:
            values[column.name] = _converter(column.type.python_type)(value)
        except (TypeError, ValueError, OverflowError, NotImplementedError, KeyError) as error:
            raise ExchangeError(f"facts.{column.name} cannot be {str(value)[:40]!r}") from error
    return values


def _converter(kind: type) -> Callable[[Any], Any]:
    def number(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
            raise ValueError
        return value

    def real(value: Any) -> float:
        if isinstance(value, bool) or not math.isfinite(value):
            raise ValueError
        return float(value)

    def text(value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError
        value.encode("utf-8")
        return value

    def flag(value: Any) -> bool:
        if not isinstance(value, bool):
            raise TypeError
        return value

    converters: dict[type, Callable[[Any], Any]] = {
        int: number, float: real, str: text, bool: flag, datetime: datetime.fromisoformat, date: date.fromisoformat,
        bytes: partial(base64.b64decode, validate=True),
    }  # fmt: skip
    return converters[kind]
