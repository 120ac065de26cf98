"""Merges the records of an export into a catalogue that may hold some of them, or others.

A record and a photo belong together when their content is equal, by SHA-256. A path never decides, unless the caller
asks for it: paths such as ``DCIM/100/IMG_0001.jpg`` occur in every library, and files of uncompressed formats have
equal sizes.

A record of unknown content becomes a photo that waits for its file. For known content, captions that the catalogue
lacks become history; a model's captions are used where no model has captioned the photo; and caption, tags and lock of
the user are each taken from the side that changed them last, so a removal counts too. A second import changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np
from sqlalchemy import Connection, bindparam, insert, select, update

from photoindex.catalogue import corrections as store
from photoindex.catalogue import files, metadata, photos, term_vectors
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.column_types import plain_text
from photoindex.catalogue.editor import new_edit
from photoindex.catalogue.fast_queries import vocabularies
from photoindex.catalogue.many_rows import SET, among, is_one_of
from photoindex.catalogue.schema import caption, correction, file, model, photo, term
from photoindex.catalogue.term_encoding import ENTRY_BYTES, pack_words, unpack_vector
from photoindex.catalogue.user_metadata import UserMetadata, put_user_metadata, user_metadata_of
from photoindex.errors import ExchangeError
from photoindex.exchange.export import FACTS
from photoindex.exchange.precedence import DatedWords, newest, with_dates, words_of_record
from photoindex.exchange.record_facts import facts_of_record
from photoindex.exchange.records import CaptionRecord, CorrectionRecord, ModelRecord, PhotoRecord
from photoindex.exchange.text_import import merge_text
from photoindex.media.metadata.reader_version import READER_VERSION
from photoindex.system.url_paths import path_text
from photoindex.types import TermVector, TermVocabulary
from photoindex.types.term_sources import TAG_SOURCE

Outcome = Literal["added", "changed", "unchanged"]
# What a record that lacks a fact says of it.
_UNKNOWN: Final[dict[str, Any]] = {
    **{column.name: None for column in FACTS if column.nullable}, "metadata_stale": 1, "metadata_reader": 0,
}  # fmt: skip
_SHORT_NAME = 64  # characters of a model's name and encoder


@dataclass(frozen=True, slots=True)
class Said:
    """What an import says of a photo: the user's words, the history of these, and captions of other times."""

    words: DatedWords
    changes: Sequence[CorrectionRecord] = ()
    captions: Sequence[CaptionRecord] = ()


class Merger:
    """Merges records into a catalogue. Those of many photos are merged by a few statements.

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

    def merge_photos(self, connection: Connection, records: Sequence[PhotoRecord]) -> list[Outcome]:
        """Merge the records of photos, each of a content of its own; return what became of each.

        Raises :class:`ExchangeError` for a fact that is not possible.
        """
        ids = photos.ids_by_hash(connection, [record.sha256 for record in records])
        held = among(connection, file.c.photo_id, ids.values(), file.c.missing_since.is_(None))
        at_paths = _photos_at_paths(connection, [each for each in records if ids.get(each.sha256) not in held])
        by_path = at_paths if self._match_paths else {}
        targets = ids | by_path
        if len(set(targets.values())) < len(targets):
            # Two records are about one photo now: the second is merged with what came of the first.
            return [self.merge_photos(connection, [record])[0] for record in records]
        added = [each for each in records if each.sha256 not in targets]
        self._add(connection, added)
        of_content = {ids[each.sha256]: each for each in records if each.sha256 in ids and each.sha256 not in by_path}
        of_path = {by_path[each.sha256]: each for each in records if each.sha256 in by_path}
        changed = self._merge(connection, of_content, of_path)
        self.matched.update(by_path)
        self.changed_files += len(at_paths) - len(by_path)
        return [
            "added" if (photo_id := targets.get(each.sha256)) is None
            else "changed" if photo_id in changed else "unchanged"
            for each in records
        ]  # fmt: skip

    # ---- unknown content ---------------------------------------------------------------------

    def _add(self, connection: Connection, records: Sequence[PhotoRecord]) -> None:
        if not records:
            return
        rows = [
            {
                "content_hash": record.sha256,
                "size": record.bytes,
                "added_at": record.added_at,
                "text_stale": 1,
                **_UNKNOWN,
                **facts_of_record(record),
            }
            for record in records
        ]
        for row in rows:
            # A reader that this program does not know keeps no later one from reading the photo again.
            row["metadata_reader"] = min(row["metadata_reader"], READER_VERSION)
        connection.execute(insert(photo), rows)
        ids = photos.ids_by_hash(connection, [record.sha256 for record in records])
        photo_records = {ids[record.sha256]: record for record in records}
        self._insert_captions(connection, {number: each.captions for number, each in photo_records.items()})
        _insert_terms(connection, photo_records, {})
        self._save_vectors(connection, photo_records)
        merge_text(connection, photo_records)
        # Without those that came with the captions.
        by_user = {
            number: replace(words_of_record(each).words, caption=None, locked=None)
            for number, each in photo_records.items()
        }
        put_user_metadata(connection, {number: (UserMetadata(), words) for number, words in by_user.items()}, self._now)
        _insert_corrections(connection, {number: each.corrections for number, each in photo_records.items()})
        photos.mark_text_stale(connection, list(photo_records))

    def _insert_captions(self, connection: Connection, captions: Mapping[int, Iterable[CaptionRecord]]) -> None:
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
            for photo_id, rows in captions.items()
            for row in rows
        ]
        if values:
            connection.execute(insert(caption), values)

    def _save_vectors(self, connection: Connection, records: Mapping[int, PhotoRecord]) -> None:
        """Store the term vectors of records, by photo id, but those of models whose vocabulary is unknown here:
        `reindex` makes others."""
        of_models: dict[int, dict[int, TermVector]] = {}
        for photo_id, record in records.items():
            if record.vector is None:
                continue
            model_id, vocabulary = self._model(connection, record.vector.model)
            if vocabulary is None:
                continue
            vector = unpack_vector(record.vector.entries)
            ids = vector.ids.astype(np.int64)
            whole = len(record.vector.entries) == ENTRY_BYTES * len(ids)
            if not whole or (len(ids) and (ids[-1] >= len(vocabulary.words) or np.any(np.diff(ids) <= 0))):
                raise ExchangeError("vector.entries does not fit the vocabulary of its model")
            of_models.setdefault(model_id, {})[photo_id] = vector
        for model_id, vectors in of_models.items():
            term_vectors.save_vectors(connection, vectors, model_id)

    def _model(self, connection: Connection, identity: str) -> tuple[int, TermVocabulary | None]:
        if identity not in self._models:
            name = identity.rpartition("-")[0] or identity
            model_id = photos.ensure_model(connection, identity, name[:_SHORT_NAME], "unknown")
            self._models[identity] = model_id, vocabularies(connection).get(model_id)
        return self._models[identity]

    # ---- known content -------------------------------------------------------------------

    def _merge(
        self, connection: Connection, of_content: Mapping[int, PhotoRecord], of_path: Mapping[int, PhotoRecord]
    ) -> set[int]:
        """Merge records into photos, by id, that have the same content, or only the same path; return which changed."""
        changed = self._merge_model_captions(connection, of_content)
        changed |= self._merge_sidecar_captions(connection, of_content)
        changed |= merge_text(connection, of_content)
        said = {
            number: Said(words_of_record(record), record.corrections, record.captions)
            for number, record in {**of_content, **of_path}.items()
        }
        changed |= self.merge_words(connection, said)
        photos.mark_text_stale(connection, sorted(changed))
        return changed

    def _merge_model_captions(self, connection: Connection, records: Mapping[int, PhotoRecord]) -> set[int]:
        theirs = {
            number: those
            for number, record in records.items()
            if (those := [each for each in record.captions if each.source == "model"])
        }
        known: dict[int, set[tuple[str, str | None]]] = {}
        captioned: set[int] = set()
        for chunk in chunks(theirs, SET):
            query = (
                select(caption.c.photo_id, caption.c.text, caption.c.current, model.c.identity)
                .join_from(caption, model, isouter=True)
                .where(is_one_of(caption.c.photo_id, chunk), caption.c.source == "model", caption.c.rank == 0)
            )
            for row in connection.execute(query):
                known.setdefault(row.photo_id, set()).add((row.text, row.identity))
                if row.current:
                    captioned.add(row.photo_id)
        # Where no model of this library has captioned the photo, the captions of the export are used.
        used = {number: record for number, record in records.items() if number in theirs and number not in captioned}
        added: dict[int, list[CaptionRecord]] = {}
        for number, those in theirs.items():
            news = [each for each in those if each.rank == 0 and (each.text, each.model) not in known.get(number, ())]
            if number in used:
                added[number] = [_unlocked(each) for each in those if each.current or each in news]
            elif news:
                added[number] = list(map(_as_history, news))
        self._insert_captions(connection, added)
        _insert_terms(connection, used, _term_sources(connection, used))
        self._save_vectors(connection, used)
        return set(added)

    def _merge_sidecar_captions(self, connection: Connection, records: Mapping[int, PhotoRecord]) -> set[int]:
        theirs = {
            number: those
            for number, record in records.items()
            if (those := [each for each in record.captions if each.source == "sidecar"])
        }
        known: dict[int, dict[str, bool]] = {}
        for chunk in chunks(theirs, SET):
            query = select(caption.c.photo_id, caption.c.text, caption.c.current)
            query = query.where(is_one_of(caption.c.photo_id, chunk), caption.c.source == "sidecar")
            for number, text, current in connection.execute(query):
                mine = known.setdefault(number, {})
                mine[text] = current or mine.get(text, False)
        added: dict[int, list[CaptionRecord]] = {}
        for number, those in theirs.items():
            mine = known.get(number, {})
            form = _as_history if any(mine.values()) else _unlocked
            if news := [form(each) for each in those if each.text not in mine]:
                added[number] = news
        self._insert_captions(connection, added)
        return set(added)

    def merge_words(self, connection: Connection, said: Mapping[int, Said]) -> set[int]:
        """Merge what is said of photos, by id; return the photos of which it changed anything. The caller marks them
        for the full-text index."""
        mine = user_metadata_of(connection, list(said))
        history = _history(connection, said)
        captions = _captions_of(connection, said)
        earlier = {
            number: [
                _as_history(each)
                for each in those.captions
                if each.source == "user" and ("user", each.text) not in captions[number].texts
            ]
            for number, those in said.items()
        }
        words: dict[int, tuple[UserMetadata, UserMetadata]] = {}
        times: dict[int, datetime] = {}
        for number, those in said.items():
            before = mine[number]
            dated = with_dates(before, history.get(number, ()), captions[number].by_user_at)
            after = those.words.words if self._replace else newest(dated, those.words)
            known = captions[number].texts | {("user", plain_text(each.text)) for each in earlier[number]}
            if after.locked != before.locked and not _exists(known, after):
                after = replace(after, locked=before.locked)
            if after != before:
                words[number] = before, after
                times[number] = max(those.words.times(), default=self._now)
        added, undone = _new_changes(said, history)
        self._insert_captions(connection, earlier)
        _insert_corrections(connection, added)
        _undo_corrections(connection, undone)
        put_user_metadata(
            connection, words, {number: said[number].words.captioned_at or time for number, time in times.items()}
        )
        # Words of this library were replaced, or the new ones have no history: a change to undo is recorded.
        unnoted = {
            number: store.Noted(*change, new_edit(), times[number])
            for number, change in words.items()
            if change[0] != UserMetadata() or not said[number].changes
        }
        store.note_each(connection, unnoted)
        changed = {number for number in said if number in words or earlier[number] or added[number] or undone[number]}
        metadata.mark_beside(connection, sorted(changed))
        return changed


@dataclass(frozen=True, slots=True)
class _Captions:
    """The captions of a photo, as (source, text), and since when the user's own one is shown."""

    texts: set[tuple[str, str]]
    by_user_at: datetime | None


def _captions_of(connection: Connection, photo_ids: Iterable[int]) -> dict[int, _Captions]:
    texts: dict[int, set[tuple[str, str]]] = {number: set() for number in photo_ids}
    by_user_at: dict[int, datetime] = {}
    columns = (caption.c.photo_id, caption.c.source, caption.c.text, caption.c.current, caption.c.created_at)
    for chunk in chunks(texts, SET):
        for row in connection.execute(select(*columns).where(is_one_of(caption.c.photo_id, chunk))):
            texts[row.photo_id].add((row.source, row.text))
            if row.source == "user" and row.current:
                by_user_at[row.photo_id] = row.created_at
    return {number: _Captions(known, by_user_at.get(number)) for number, known in texts.items()}


def _history(connection: Connection, photo_ids: Iterable[int]) -> dict[int, list[CorrectionRecord]]:
    """Return what was changed of each photo, oldest change first."""
    found: dict[int, list[CorrectionRecord]] = {}
    for chunk in chunks(photo_ids, SET):
        query = select(correction).where(is_one_of(correction.c.photo_id, chunk))
        for row in connection.execute(query.order_by(correction.c.made_at, correction.c.id)):
            change = CorrectionRecord(row.edit, row.kind, row.old, row.new, row.made_at, row.undone_at)
            found.setdefault(row.photo_id, []).append(change)
    return found


def _new_changes(
    said: Mapping[int, Said], history: Mapping[int, Sequence[CorrectionRecord]]
) -> tuple[dict[int, list[CorrectionRecord]], dict[int, list[CorrectionRecord]]]:
    """Return the changes that the catalogue lacks, and those that it has, but not that they were undone."""
    added: dict[int, list[CorrectionRecord]] = {}
    undone: dict[int, list[CorrectionRecord]] = {}
    for number, those in said.items():
        known = {(each.edit, each.kind): each.undone_at for each in history.get(number, ())}
        added[number] = [each for each in those.changes if (each.edit, each.kind) not in known]
        undone[number] = [
            each
            for each in those.changes
            if each.undone_at is not None and known.get((each.edit, each.kind), each) is None
        ]
    return added, undone


def _as_history(row: CaptionRecord) -> CaptionRecord:
    return _changed(row, current=False, locked=False)


def _unlocked(row: CaptionRecord) -> CaptionRecord:
    """Remove the lock: it belongs to the user's words, which are merged later."""
    return _changed(row, current=row.current, locked=False)


def _changed(row: CaptionRecord, *, current: bool, locked: bool) -> CaptionRecord:
    return replace(row, current=current, locked=locked)


def _exists(known: Collection[tuple[str, str]], words: UserMetadata) -> bool:
    """Return whether the catalogue, which has captions of these sources and texts, has or will have the one to lock."""
    if words.locked is None or (words.locked.source == "user" and words.locked.text == words.caption):
        return True
    return (words.locked.source, plain_text(words.locked.text)) in known


def _insert_terms(
    connection: Connection, records: Mapping[int, PhotoRecord], but: Mapping[int, Collection[str]]
) -> None:
    """Insert the terms of records, by photo id, but those of the sources that the photo has terms of already."""
    rows = [
        {"photo_id": photo_id, "text": each.text, "weight": each.weight, "source": each.source}
        for photo_id, record in records.items()
        for each in record.terms
        if each.source != TAG_SOURCE and each.source not in but.get(photo_id, ())
    ]
    if rows:
        connection.execute(insert(term), rows)


def _term_sources(connection: Connection, photo_ids: Iterable[int]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for chunk in chunks(photo_ids, SET):
        query = select(term.c.photo_id, term.c.source).where(is_one_of(term.c.photo_id, chunk)).distinct()
        for number, source in connection.execute(query):
            found.setdefault(number, set()).add(source)
    return found


def _insert_corrections(connection: Connection, changes: Mapping[int, Sequence[CorrectionRecord]]) -> None:
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
        for photo_id, those in changes.items()
        for each in those
    ]
    if rows:
        connection.execute(insert(correction), rows)


def _undo_corrections(connection: Connection, changes: Mapping[int, Sequence[CorrectionRecord]]) -> None:
    """Note that these changes, of photos by id, were undone, and when."""
    rows = [
        {"of_photo": photo_id, "of_edit": each.edit, "of_kind": each.kind, "time": each.undone_at}
        for photo_id, those in changes.items()
        for each in those
    ]
    if rows:
        one = (
            (correction.c.photo_id == bindparam("of_photo"))
            & (correction.c.edit == bindparam("of_edit"))
            & (correction.c.kind == bindparam("of_kind"))
        )
        connection.execute(update(correction).where(one).values(undone_at=bindparam("time")), rows)


def _photos_at_paths(connection: Connection, records: Sequence[PhotoRecord]) -> dict[str, int]:
    """Return the photo that is now at an absolute path of each record, by the record's hash; of those that are
    somewhere, and whose paths do not hold several photos."""
    paths = {
        record.sha256: [Path(path_text(each.root), each.path) for each in record.files if each.missing_since is None]
        for record in records
    }
    known = files.photos_at(connection, [path for those in paths.values() for path in those])
    found: dict[str, int] = {}
    for sha256, those in paths.items():
        at = {known[path][1] for path in those if path in known} - {None}
        if len(at) == 1:
            found[sha256] = cast(int, at.pop())
    return found
