"""Imports the words in the sidecars of one photo: the user's own, and those of other programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from sqlalchemy import Connection, exists, insert, select, update

from photoindex.catalogue import photos
from photoindex.catalogue.editor import LONGEST_CAPTION, LONGEST_TAG, clean_text
from photoindex.catalogue.indexed_files import IndexedFile
from photoindex.catalogue.metadata import KEYWORD_SOURCE
from photoindex.catalogue.schema import caption, term
from photoindex.catalogue.user_metadata import UserMetadata, tag_key, user_metadata_of
from photoindex.errors import CorrectionError, ExchangeError
from photoindex.exchange import export, sidecars
from photoindex.exchange.merge import Merger
from photoindex.exchange.precedence import DatedWords
from photoindex.exchange.reports import ImportReport, Problem
from photoindex.exchange.sidecars import SidecarWords
from photoindex.system.error_lines import reason_of
from photoindex.system.paths import shown
from photoindex.system.storage import stat


def import_sidecars(
    connection: Connection,
    merger: Merger,
    report: ImportReport,
    path: Path,
    indexed: IndexedFile,
    existing: Sequence[Path],
    problem: Problem,
) -> None:
    """Merge the sidecars of the photo at ``path``. One that cannot be read is reported, and changes nothing."""
    photo_id = indexed.photo_id
    try:
        if not export.is_there(path, indexed):
            return
        modified = {each: datetime.fromtimestamp(stat(each).st_mtime, timezone.utc) for each in existing}
        words = sidecars.read_words(existing, modified)
        dated = _dated_words(words, user_metadata_of(connection, [photo_id])[photo_id])
    except (ExchangeError, CorrectionError, OSError, OverflowError, ValueError) as error:
        report.bad += 1
        problem(str(error) if isinstance(error, ExchangeError) else f"{shown(path)}: {reason_of(error)}")
        return
    report.read += 1
    changed = _save_sidecar_words(connection, photo_id, words)
    if words.are_ours:
        changed |= merger.merge_words(connection, photo_id, dated)
    if changed:
        photos.mark_text_stale(connection, [photo_id])
    report.changed += changed
    report.unchanged += not changed


def _dated_words(words: SidecarWords, mine: UserMetadata) -> DatedWords:
    """Return the user's words in a sidecar. What it does not hold, such as a lock, stays as it is."""
    text = clean_text(words.caption, "caption", LONGEST_CAPTION) if words.ours and words.caption else None
    tags = tuple(clean_text(tag, "tag", LONGEST_TAG) for tag in words.our_tags)
    by_user = replace(
        mine, caption=text if text is not None else mine.caption, tags=tags,
        rating=mine.rating if words.rating is None else words.rating, favourite=mine.favourite or words.favourite,
    )  # fmt: skip
    marked = [name for name, there in (("rating", words.rating is not None), ("favourite", words.favourite)) if there]
    return DatedWords(
        by_user,
        words.captioned_at if text is not None else None,
        words.tagged_at,
        marked_at=dict.fromkeys(marked, words.marked_at) if words.marked_at else {},
    )


def _save_sidecar_words(connection: Connection, photo_id: int, words: SidecarWords) -> bool:
    """Store another program's caption (source "sidecar") and keywords; return whether any is new."""
    changed = False
    if words.caption is not None and not words.ours:
        same = exists().where(
            caption.c.photo_id == photo_id, caption.c.source == "sidecar", caption.c.text == words.caption
        )
        if not connection.execute(select(same)).scalar():
            connection.execute(
                update(caption)
                .where(caption.c.photo_id == photo_id, caption.c.source == "sidecar")
                .values(current=False)
            )
            connection.execute(
                insert(caption).values(
                    photo_id=photo_id, text=words.caption, source="sidecar", rank=0, current=True, locked=False,
                    created_at=words.captioned_at,
                )
            )  # fmt: skip
            changed = True
    rows = connection.execute(select(term.c.text).where(term.c.photo_id == photo_id, term.c.source == KEYWORD_SOURCE))
    known = {tag_key(text) for text in rows.scalars()}
    added = [tag for tag in words.other_tags if tag_key(tag) not in known]
    if added:
        connection.execute(
            insert(term),
            [{"photo_id": photo_id, "text": tag, "weight": 1.0, "source": KEYWORD_SOURCE} for tag in added],
        )
    return changed or bool(added)
