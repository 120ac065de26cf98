"""Imports the lines of an export one by one, so that a bad line costs itself alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from photoindex.catalogue.editor import LONGEST_CAPTION, LONGEST_TAG, clean_text
from photoindex.catalogue.user_metadata import merged_tags
from photoindex.errors import AlbumError, CorrectionError, ExchangeError
from photoindex.exchange.album_import import merge_album, merge_distinct
from photoindex.exchange.merge import Merger
from photoindex.exchange.records import AlbumRecord, DistinctRecord, LibraryRecord, ModelRecord, PhotoRecord, from_line
from photoindex.exchange.reports import ImportReport, Problem

LINES_AT_ONCE = 200  # lines that are one transaction
LONGEST_LINE = 16_000_000  # bytes; the lines of one transaction take at most twice as much memory
_SKIPPED_AT_ONCE = 1 << 20  # bytes

# What the database refuses of a line that looked good. A disk that is full is none of these.
_REFUSED = (IntegrityError, DataError, OverflowError, UnicodeEncodeError, RecursionError)


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file. Of a line that is too long, one byte more than allowed is kept in memory."""
    while line := file.readline(LONGEST_LINE + 1):
        yield line
        too_long = len(line) > LONGEST_LINE
        while too_long and line and not line.endswith(b"\n"):
            line = file.readline(_SKIPPED_AT_ONCE)


def batches(lines: Iterable[bytes]) -> Iterator[list[tuple[int, bytes]]]:
    """Yield numbered lines without blank ones, as many at once as a transaction and the memory take."""
    batch: list[tuple[int, bytes]] = []
    size = 0
    for number, line in enumerate(lines, 1):
        if not line or line.isspace():
            continue
        batch.append((number, line))
        size += len(line)
        if len(batch) >= LINES_AT_ONCE or size > LONGEST_LINE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def import_line(
    connection: Connection, merger: Merger, report: ImportReport, number: int, line: bytes, problem: Problem
) -> None:
    """Merge one line in a savepoint. A line that is bad, or that the database refuses, is reported and undone."""
    try:
        if len(line) > LONGEST_LINE:
            raise ExchangeError(f"longer than {LONGEST_LINE:,} bytes")
        record = from_line(line)
        with connection.begin_nested():
            if isinstance(record, LibraryRecord):
                report.roots += [each for each in record.roots if each not in report.roots]
                report.expected += record.photos
            elif isinstance(record, ModelRecord):
                merger.merge_model(connection, record)
            elif isinstance(record, AlbumRecord):
                report.albums += merge_album(connection, record, merger.matched)
            elif isinstance(record, DistinctRecord):
                merge_distinct(connection, record, merger.matched)
            else:
                outcome = merger.merge_photo(connection, _cleaned(record))
                report.read += 1
                setattr(report, outcome, getattr(report, outcome) + 1)
                report.waiting += outcome == "added"
    except (AlbumError, ExchangeError, CorrectionError, *_REFUSED) as error:
        merger.forget_models()
        report.bad += 1
        reason = next(iter(str(getattr(error, "orig", error)).splitlines()), type(error).__name__)
        problem(f"line {number}: {reason}")


def _cleaned(record: PhotoRecord) -> PhotoRecord:
    """Return a record with the user's words in the form that `edit` stores. Raises :class:`CorrectionError`."""
    return replace(
        record,
        tags=merged_tags((), (clean_text(tag, "tag", LONGEST_TAG) for tag in record.tags)),
        captions=tuple(
            replace(each, text=clean_text(each.text, "caption", LONGEST_CAPTION)) if each.source == "user" else each
            for each in record.captions
        ),
        corrections=tuple(
            replace(each, old=_cleaned_text(each.old), new=_cleaned_text(each.new)) if each.kind == "caption" else each
            for each in record.corrections
        ),
    )


def _cleaned_text(text: str | None) -> str | None:
    return None if text is None else clean_text(text, "caption", LONGEST_CAPTION)
