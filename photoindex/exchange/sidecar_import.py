"""Imports the words in the sidecars of photos: the user's own, and those of other programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from sqlalchemy import Connection, Table, insert, select, update

from photoindex.catalogue import photos
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.column_types import plain_text
from photoindex.catalogue.editor import clean_text
from photoindex.catalogue.indexed_files import IndexedFile
from photoindex.catalogue.many_rows import SET, is_one_of
from photoindex.catalogue.schema import caption, term
from photoindex.catalogue.user_metadata import UserMetadata, tag_key, user_metadata_of
from photoindex.errors import CorrectionError, ExchangeError
from photoindex.exchange import export, sidecars
from photoindex.exchange.merge import Merger, Said
from photoindex.exchange.precedence import DatedWords
from photoindex.exchange.reports import ImportReport, Refusals
from photoindex.exchange.sidecars import SidecarWords
from photoindex.system.storage import stat
from photoindex.types.limits import LONGEST_CAPTION, LONGEST_TAG
from photoindex.types.term_sources import KEYWORD_SOURCE


def import_sidecars(
    connection: Connection,
    merger: Merger,
    report: ImportReport,
    found: Iterable[tuple[Path, IndexedFile, Sequence[Path]]],
    refusals: Refusals,
) -> None:
    """Merge the sidecars of photos: of each its path, what is indexed there, and its sidecars. One that cannot be read
    is reported, and changes nothing. What is said of many photos is merged by a few statements."""
    together: dict[int, tuple[Path, SidecarWords]] = {}  # by photo: a second copy's sidecars come after the first's
    for path, indexed, existing in found:
        words = None
        with _reported(report, path, refusals):
            if export.is_there(path, indexed):
                modified = {each: datetime.fromtimestamp(stat(each).st_mtime, timezone.utc) for each in existing}
                words = sidecars.read_words(existing, modified)
        if words is None:
            continue
        if indexed.photo_id in together:
            _merge(connection, merger, report, together, refusals)
            together = {}
        together[indexed.photo_id] = path, words
    _merge(connection, merger, report, together, refusals)


@contextmanager
def _reported(report: ImportReport, path: Path, refusals: Refusals) -> Iterator[None]:
    """Report what is wrong with the sidecars of a photo."""
    try:
        yield
    except (ExchangeError, CorrectionError, OSError, OverflowError, ValueError) as error:
        report.bad += 1
        refusals.note(path, error)


def _merge(
    connection: Connection,
    merger: Merger,
    report: ImportReport,
    found: Mapping[int, tuple[Path, SidecarWords]],
    refusals: Refusals,
) -> None:
    mine = user_metadata_of(connection, list(found))
    dated: dict[int, DatedWords] = {}
    for number, (path, words) in found.items():
        with _reported(report, path, refusals):
            dated[number] = _dated_words(words, mine[number])
    good = {number: found[number][1] for number in dated}
    changed = _save_sidecar_words(connection, good)
    changed |= merger.merge_words(connection, {number: Said(dated[number]) for number in good if good[number].are_ours})
    photos.mark_text_stale(connection, sorted(changed))
    report.read += len(good)
    report.changed += len(changed)
    report.unchanged += len(good) - len(changed)


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


def _save_sidecar_words(connection: Connection, words: Mapping[int, SidecarWords]) -> set[int]:
    """Store other programs' captions (source "sidecar") and keywords, by photo; return the photos that get any."""
    captions = {number: said.caption for number, said in words.items() if said.caption is not None and not said.ours}
    known = _texts(connection, caption, "sidecar", captions)
    new = {number: text for number, text in captions.items() if plain_text(text) not in known.get(number, ())}
    for chunk in chunks(new, SET):
        theirs = is_one_of(caption.c.photo_id, chunk) & (caption.c.source == "sidecar")
        connection.execute(update(caption).where(theirs).values(current=False))
    rows = [
        {"photo_id": number, "text": text, "source": "sidecar", "rank": 0, "current": True, "locked": False,
         "created_at": words[number].captioned_at}
        for number, text in new.items()
    ]  # fmt: skip
    if rows:
        connection.execute(insert(caption), rows)
    keywords = _texts(connection, term, KEYWORD_SOURCE, [number for number in words if words[number].other_tags])
    added = []
    for number, said in words.items():
        keys = {tag_key(text) for text in keywords.get(number, ())}
        added += [(number, tag) for tag in said.other_tags if tag_key(tag) not in keys]
    if added:
        terms = [{"photo_id": number, "text": tag, "weight": 1.0, "source": KEYWORD_SOURCE} for number, tag in added]
        connection.execute(insert(term), terms)
    return {*new, *(number for number, _ in added)}


def _texts(connection: Connection, table: Table, source: str, photo_ids: Iterable[int]) -> dict[int, set[str]]:
    """Return what the rows of a source in a table of texts say of these photos."""
    found: dict[int, set[str]] = {}
    for chunk in chunks(photo_ids, SET):
        query = select(table.c.photo_id, table.c.text)
        query = query.where(is_one_of(table.c.photo_id, chunk), table.c.source == source)
        for number, text in connection.execute(query):
            found.setdefault(number, set()).add(text)
    return found
