"""The class :class:`Exchange`: exports of a library and their import. Other packages use nothing else of this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection, exists, insert, select, update
from sqlalchemy.exc import DataError, IntegrityError

from photoindex.catalogue import corrections as store
from photoindex.catalogue import files, photos
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.corrections import Said, tag_key
from photoindex.catalogue.database import Database
from photoindex.catalogue.editor import LONGEST_CAPTION, LONGEST_TAG, clean_text, merged_tags
from photoindex.catalogue.metadata import KEYWORD_SOURCE
from photoindex.catalogue.schema import caption, term
from photoindex.errors import CorrectionError, ExchangeError, FullTextError
from photoindex.exchange import export, sidecars
from photoindex.exchange.merge import Merger
from photoindex.exchange.precedence import DatedWords
from photoindex.exchange.records import LibraryRecord, ModelRecord, PhotoRecord, from_line, to_line
from photoindex.exchange.sidecars import SidecarChange, SidecarContent, SidecarFiles, SidecarWords
from photoindex.exchange.xmp_document import level
from photoindex.system.clock import utc_now
from photoindex.system.paths import absolute, check_exists, is_in_any
from photoindex.types import Photo, Progress, SidecarStyle

LINES_AT_ONCE = 200  # lines that are one transaction
LONGEST_LINE = 16_000_000  # bytes; lines of one transaction take no more than two such lines of memory
_SKIPPED_AT_ONCE = 1 << 20  # bytes

Problem = Callable[[str], None]  # called with one line for each thing that could not be done
Report = Callable[[Progress], None]

# What one line can contain that the database refuses. A disk that is full is none of these.
_REFUSED = (IntegrityError, DataError, OverflowError, UnicodeEncodeError, RecursionError)


@dataclass(slots=True)
class ImportReport:
    """Counts of an import or, in a dry run, of what it would do.

    ``waiting``: photos that this import added, which have no file in this library yet. ``changed_files``: records of
    photos without a file here whose path holds other content.
    """

    read: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    bad: int = 0
    waiting: int = 0
    roots: list[str] = field(default_factory=list)  # the folders of the exported library
    expected: int = 0  # photos, according to the export's first line
    not_indexed: str | None = None  # why the full-text index was not updated
    changed_files: int = 0

    def plus(self, other: ImportReport) -> ImportReport:
        """Return the sum of two reports."""
        names = ("read", "added", "changed", "unchanged", "bad", "waiting", "expected", "changed_files")
        counts = {name: getattr(self, name) + getattr(other, name) for name in names}
        roots = list(dict.fromkeys([*self.roots, *other.roots]))
        return ImportReport(**counts, roots=roots, not_indexed=self.not_indexed or other.not_indexed)


@dataclass(slots=True)
class SidecarReport:
    """Counts of an export to sidecars or, in a dry run, of what it would do."""

    written: int = 0
    unchanged: int = 0
    kept: int = 0  # another author's description stays instead of the user's
    failed: int = 0
    missing: int = 0  # photos that are not at their paths now


class _DryRun(Exception):
    """Rolls a transaction back."""


class Exchange:
    """Exports and imports what a library knows about photos. ``sync`` updates the full-text index afterwards."""

    def __init__(
        self,
        database: Database,
        sync: Callable[[], object] = lambda: None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database, self._sync, self._now = database, sync, now

    def photos_below(self, paths: Sequence[Path | str]) -> list[int]:
        """Return the photos with a file at or below these paths, present or not; all photos if no path is given.

        Raises :class:`photoindex.errors.FolderError` for a path that does not exist.
        """
        with self._database.read() as connection:
            if not paths:
                return export.ids_by_content(connection, None)
            photo_ids: dict[int, None] = {}
            for place in map(absolute, map(Path, paths)):
                check_exists(place)
                photo_ids.update(dict.fromkeys(files.photos_below(connection, place)))
        return list(photo_ids)

    # ---- JSON lines ------------------------------------------------------------------------------

    def write_lines(
        self, out: BinaryIO, photo_ids: Sequence[int] | None = None, progress: Report = lambda _: None
    ) -> int:
        """Write the library as JSON lines, photos in the order of their hashes; return the number of photos.

        Two exports of the same state give the same bytes.
        """
        now = self._now()
        with self._database.read() as connection:
            ids = export.ids_by_content(connection, photo_ids)
            out.write(to_line(export.library_record(connection, len(ids))))
            for model in export.model_records(connection):
                out.write(to_line(model))
            for done, record in enumerate(export.photo_records(connection, ids, now), 1):
                out.write(to_line(record))
                progress(Progress("exporting", done, len(ids)))
        return len(ids)

    def read_lines(
        self,
        lines: Iterable[bytes],
        *,
        replace: bool = False,
        match_paths: bool = False,
        dry_run: bool = False,
        problem: Problem = lambda _: None,
        progress: Report = lambda _: None,
    ) -> ImportReport:
        """Import JSON lines. A bad line is reported to ``problem`` with its number, and the others are imported.

        Photos are recognised by content. With ``match_paths``, words about unknown content go to the photo at the same
        absolute path. Lines are committed 200 at a time, so an import that is stopped keeps what it has read.
        """
        report, merger = ImportReport(), Merger(self._now(), replace=replace, match_paths=match_paths)
        for batch in _batches(lines):
            try:
                with self._database.write() as connection:
                    for number, line in batch:
                        self._read_line(connection, merger, report, number, line, problem)
                    if dry_run:
                        raise _DryRun
            except _DryRun:
                merger.forget_models()
            progress(Progress("importing", report.read, max(report.expected, report.read)))
        report.changed_files = merger.changed_files
        if not dry_run:
            report.not_indexed = self._index_problem()
        return report

    def _index_problem(self) -> str | None:
        """Update the full-text index; return why it cannot be written now. The marked photos stay marked then."""
        try:
            self._sync()
        except FullTextError as error:
            return str(error)
        return None

    def _read_line(
        self, connection: Connection, merger: Merger, report: ImportReport, number: int, line: bytes, problem: Problem
    ) -> None:
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
                else:
                    outcome = merger.merge_photo(connection, _cleaned(record))
                    report.read += 1
                    setattr(report, outcome, getattr(report, outcome) + 1)
                    report.waiting += outcome == "added"
        except (ExchangeError, CorrectionError, *_REFUSED) as error:
            merger.forget_models()
            report.bad += 1
            reason = next(iter(str(getattr(error, "orig", error)).splitlines()), type(error).__name__)
            problem(f"line {number}: {reason}")

    # ---- sidecars --------------------------------------------------------------------------------

    def write_sidecars(
        self,
        photo_ids: Sequence[int],
        *,
        style: SidecarStyle | None = None,
        machine: bool = False,
        dry_run: bool = False,
        on_change: Callable[[SidecarChange], None] = lambda _: None,
        problem: Problem = lambda _: None,
        progress: Report = lambda _: None,
    ) -> SidecarReport:
        """Write the user's captions and tags, with ``machine`` also models' captions, into sidecars of these photos.

        ``on_change`` is called for each sidecar that changes or, in a dry run, would change; ``problem`` for each that
        could not be written. A photo gets none where its path holds nothing now, or another content.
        """
        report, now = SidecarReport(), self._now()
        with self._database.read() as connection:
            sidecar_files = SidecarFiles(files.present_paths(connection))
            indexed = export.indexed_files(connection, photo_ids)
        for done, (photo, content) in enumerate(self._contents(photo_ids, machine), 1):
            for path in photo.paths if not content.is_empty else ():
                try:
                    if path not in indexed or not _is_there(path, indexed[path]):
                        report.missing += 1
                        continue
                    sidecar = sidecar_files.to_write(path, style)
                    change = sidecars.write_sidecar(sidecar, content, now, dry_run=dry_run)
                except ExchangeError as error:
                    report.failed += 1
                    problem(str(error))
                    continue
                if change is None:
                    continue
                report.kept += change.kept is not None
                if change.changes:
                    report.written += 1
                else:
                    report.unchanged += 1
                if change.changes or change.kept is not None:
                    on_change(change)
            progress(Progress("writing sidecars", done, len(photo_ids)))
        return report

    def _contents(self, photo_ids: Sequence[int], machine: bool) -> Iterator[tuple[Photo, SidecarContent]]:
        for ids in chunks(photo_ids):
            with self._database.read() as connection:
                loaded = photos.load_photos(connection, ids, files.paths_of(connection, ids))
                changes = store.corrections_of(connection, ids)
            for photo in loaded:
                shown = photo.caption
                by_user = shown is not None and shown.source == "user"
                confirmed = shown is not None and shown.source == "model" and (machine or shown.locked)
                written = shown if (by_user or confirmed) and shown is not None and level(shown.text) else None
                tags = [
                    tag
                    for change in changes.get(photo.id, ())
                    if change.kind == "tags"
                    for value in (change.old, change.new)
                    for tag in value or ()
                ]
                texts = [each.text for each in (*photo.history, *photo.overruled) if each.source == "user"]
                texts += [shown.text] if shown is not None and by_user else []
                yield (
                    photo,
                    SidecarContent(
                        None if written is None else written.text,
                        None if written is None else ("user" if by_user else "model"),
                        None if written is None else written.model,
                        None if written is None else written.created_at,
                        photo.tags,
                        frozenset(level(text) for text in texts),
                        frozenset(tag_key(tag) for tag in (*tags, *photo.tags)),
                    ),
                )

    def read_sidecars(
        self,
        paths: Sequence[Path | str],
        *,
        replace: bool = False,
        dry_run: bool = False,
        problem: Problem = lambda _: None,
        progress: Report = lambda _: None,
    ) -> ImportReport:
        """Import the sidecars of the library's photos at or below these paths."""
        report, merger = ImportReport(), Merger(self._now(), replace=replace)
        places = [absolute(Path(path)) for path in paths]
        for place in places:
            check_exists(place)
        with self._database.read() as connection:
            everywhere = files.present_paths(connection)
            chosen = sorted(path for path in everywhere if is_in_any(path, places))
            indexed = export.indexed_files(connection, sorted({everywhere[path] for path in chosen}))
        sidecar_files = SidecarFiles(everywhere)
        for start in range(0, len(chosen), LINES_AT_ONCE):
            try:
                with self._database.write() as connection:
                    for path in chosen[start : start + LINES_AT_ONCE]:
                        if existing := sidecar_files.of(path):
                            self._read_sidecars(connection, merger, report, path, indexed[path], existing, problem)
                    if dry_run:
                        raise _DryRun
            except _DryRun:
                pass
            progress(Progress("reading sidecars", min(start + LINES_AT_ONCE, len(chosen)), len(chosen)))
        if not dry_run:
            report.not_indexed = self._index_problem()
        return report

    def _read_sidecars(
        self,
        connection: Connection,
        merger: Merger,
        report: ImportReport,
        path: Path,
        indexed: export.IndexedFile,
        existing: Sequence[Path],
        problem: Problem,
    ) -> None:
        photo_id = indexed.photo_id
        try:
            if not _is_there(path, indexed):
                return
            modified = {each: datetime.fromtimestamp(each.stat().st_mtime, timezone.utc) for each in existing}
            words = sidecars.read_words(existing, modified)
            dated = _dated_words(words, store.said_of(connection, [photo_id])[photo_id])
        except (ExchangeError, CorrectionError, OSError, OverflowError, ValueError) as error:
            report.bad += 1
            problem(str(error) if isinstance(error, ExchangeError) else f"{path}: {error}")
            return
        report.read += 1
        changed = _save_sidecar_words(connection, photo_id, words)
        if words.ours or words.our_tags:
            changed |= merger.merge_words(connection, photo_id, dated)
        if changed:
            photos.mark_text_stale(connection, [photo_id])
        report.changed += changed
        report.unchanged += not changed


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file. Of a line that is too long, one byte more than allowed is kept in memory."""
    while line := file.readline(LONGEST_LINE + 1):
        yield line
        too_long = len(line) > LONGEST_LINE
        while too_long and line and not line.endswith(b"\n"):
            line = file.readline(_SKIPPED_AT_ONCE)


def _batches(lines: Iterable[bytes]) -> Iterator[list[tuple[int, bytes]]]:
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


def _is_there(path: Path, indexed: export.IndexedFile) -> bool:
    """Return whether a photo is at its path. Raises :class:`ExchangeError` when the path holds other content now."""
    try:
        if export.holds(path, indexed):
            return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ExchangeError(f"cannot read {path}: {error.strerror or error}") from error
    raise ExchangeError(f"{path} has changed since it was indexed: run `photoindex index` first")


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


def _dated_words(words: SidecarWords, mine: Said) -> DatedWords:
    """Return the user's words in a sidecar. Sidecars hold no lock, so the lock stays as it is."""
    text = clean_text(words.caption, "caption", LONGEST_CAPTION) if words.ours and words.caption else None
    tags = tuple(clean_text(tag, "tag", LONGEST_TAG) for tag in words.our_tags)
    return DatedWords(
        Said(text if text is not None else mine.caption, tags, mine.locked),
        words.captioned_at if text is not None else None,
        words.tagged_at,
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
