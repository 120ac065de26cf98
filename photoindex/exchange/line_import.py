"""Imports the lines of an export, so that a bad line costs itself alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from reprlib import repr as short
from typing import BinaryIO

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from photoindex.catalogue.editor import clean_text
from photoindex.catalogue.user_metadata import merged_tags
from photoindex.errors import AlbumError, CorrectionError, ExchangeError
from photoindex.exchange.album_import import merge_album, merge_distinct
from photoindex.exchange.merge import Merger
from photoindex.exchange.records import (
    AlbumRecord,
    DistinctRecord,
    LibraryRecord,
    ModelRecord,
    PhotoRecord,
    Record,
    from_line,
)
from photoindex.exchange.reports import ImportReport, Problem
from photoindex.types.limits import LONGEST_CAPTION, LONGEST_TAG

LINES_AT_ONCE = 200  # lines that are one transaction
LONGEST_LINE = 16_000_000  # bytes; the lines of one transaction take at most twice as much memory
_LARGEST_SET = 4_000_000  # bytes of lines whose photos are merged together
_SKIPPED_AT_ONCE = 1 << 20  # bytes

# What the database refuses of a line that looked good. A disk that is full is none of these.
_REFUSED = (IntegrityError, DataError, OverflowError, UnicodeEncodeError, RecursionError)
_BAD = (AlbumError, ExchangeError, CorrectionError, *_REFUSED)


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file. Of a line that is too long, one byte more than allowed is kept in memory."""
    while line := file.readline(LONGEST_LINE + 1):
        yield line
        too_long = len(line) > LONGEST_LINE
        while too_long and line and not line.endswith(b"\n"):
            line = file.readline(_SKIPPED_AT_ONCE)


def batches(lines: Iterable[bytes]) -> Iterator[list[tuple[int, bytes]]]:
    """Yield numbered lines without blank ones, as many at once as a transaction and the memory take. Raises TypeError
    for one alone, which would be read byte by byte."""
    given: object = lines
    if isinstance(given, bytes | bytearray | str):
        raise TypeError(f"lines come from a list or a file that is open for reading bytes, not {short(given)}")
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


def import_lines(
    connection: Connection, merger: Merger, report: ImportReport, lines: Iterable[tuple[int, bytes]], problem: Problem
) -> None:
    """Merge numbered lines. A line that is bad, or that the database refuses, is reported and undone.

    Photos that follow each other are merged together, in a savepoint. When one of them turns out to be bad, each is
    merged again by itself.
    """
    together: dict[str, tuple[int, PhotoRecord]] = {}  # by content: a second record of one is merged after the first
    size = 0
    for number, line in lines:
        record, fault = _read(line)
        size += len(line)
        if isinstance(record, PhotoRecord) and record.sha256 not in together and size <= _LARGEST_SET:
            together[record.sha256] = number, record
            continue
        _import_photos(connection, merger, report, list(together.values()), problem)
        together, size = {}, len(line)
        if isinstance(record, PhotoRecord):
            together[record.sha256] = number, record
        elif record is None:
            _report(report, number, fault, problem)
        else:
            _import_other(connection, merger, report, number, record, problem)
    _import_photos(connection, merger, report, list(together.values()), problem)


def _read(line: bytes) -> tuple[Record | None, str]:
    """Return the record of a line, or what is wrong with it. Not the error, which would keep the line in memory."""
    try:
        if len(line) > LONGEST_LINE:
            raise ExchangeError(f"longer than {LONGEST_LINE:,} bytes")
        record = from_line(line)
        return (_cleaned(record) if isinstance(record, PhotoRecord) else record), ""
    except _BAD as error:
        return None, _reason(error)


def _import_photos(
    connection: Connection, merger: Merger, report: ImportReport, records: Sequence[tuple[int, PhotoRecord]],
    problem: Problem,
) -> None:  # fmt: skip
    if not records:
        return
    try:
        with connection.begin_nested():
            outcomes = merger.merge_photos(connection, [record for _, record in records])
    except _BAD as error:
        merger.forget_models()
        if len(records) == 1:
            _report(report, records[0][0], _reason(error), problem)
            return
        for each in records:
            _import_photos(connection, merger, report, [each], problem)
        return
    report.read += len(outcomes)
    report.added += outcomes.count("added")
    report.changed += outcomes.count("changed")
    report.unchanged += outcomes.count("unchanged")
    report.waiting += outcomes.count("added")


def _import_other(
    connection: Connection, merger: Merger, report: ImportReport, number: int, record: Record, problem: Problem
) -> None:
    try:
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
    except _BAD as error:
        merger.forget_models()
        _report(report, number, _reason(error), problem)


def _reason(error: BaseException) -> str:
    return next(iter(str(getattr(error, "orig", error)).splitlines()), type(error).__name__)


def _report(report: ImportReport, number: int, reason: str, problem: Problem) -> None:
    report.bad += 1
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
