"""Exports of a library, and the way back. The command line uses nothing else of this package."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection, exists, insert, select, update

from photoindex.catalogue import corrections as store
from photoindex.catalogue import files, photos
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.corrections import Said, tag_key
from photoindex.catalogue.database import Database
from photoindex.catalogue.editor import LONGEST_CAPTION, LONGEST_TAG, clean_text
from photoindex.catalogue.schema import caption, term
from photoindex.errors import CorrectionError, ExchangeError, FullTextError
from photoindex.exchange import export, sidecars
from photoindex.exchange.merge import Merger
from photoindex.exchange.precedence import Heard
from photoindex.exchange.records import LibraryRecord, ModelRecord, PhotoRecord, from_line, to_line
from photoindex.exchange.sidecars import Found, Wanted, Written
from photoindex.exchange.xmp_document import level
from photoindex.system.clock import utc_now
from photoindex.system.paths import absolute, check_exists, is_in_any
from photoindex.types import Photo, Progress, SidecarStyle

LINES_AT_ONCE = 200  # lines that are one transaction
LONGEST_LINE = 64_000_000  # bytes
KEYWORD_SOURCE = "keyword"  # of terms: what a sidecar says that nobody said here

Problem = Callable[[str], None]  # told of each thing that could not be done, in one line
Report = Callable[[Progress], None]


@dataclass(slots=True)
class ImportReport:
    """What an import did, or would do. ``waiting`` photos are known now, and no file of theirs is here yet."""

    read: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    bad: int = 0
    waiting: int = 0
    roots: list[str] = field(default_factory=list)  # the folders of the library that was exported
    expected: int = 0  # photos, by what the export says of itself
    not_indexed: str | None = None  # why searches know of it only after the next run

    def plus(self, other: ImportReport) -> ImportReport:
        """Both together."""
        names = ("read", "added", "changed", "unchanged", "bad", "waiting", "expected")
        counts = {name: getattr(self, name) + getattr(other, name) for name in names}
        roots = list(dict.fromkeys([*self.roots, *other.roots]))
        return ImportReport(**counts, roots=roots, not_indexed=self.not_indexed or other.not_indexed)


@dataclass(slots=True)
class SidecarReport:
    """What an export to sidecars did, or would do."""

    written: int = 0
    unchanged: int = 0
    kept: int = 0  # somebody else's description stays in the place of the person's
    failed: int = 0


class _RolledBack(Exception):
    """Ends a transaction that was only tried."""


class Exchange:
    """Writes and reads what is known of photos. ``sync`` brings the full-text index up to date afterwards."""

    def __init__(
        self,
        database: Database,
        sync: Callable[[], object] = lambda: None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database, self._sync, self._now = database, sync, now

    def photos_below(self, paths: Sequence[Path | str]) -> list[int]:
        """The photos with a file at or below these paths, present or not; all of them without a path.

        Raises :class:`photoindex.errors.FolderError` for a path that does not exist.
        """
        with self._database.read() as connection:
            if not paths:
                return export.ids_by_content(connection, None)
            found: dict[int, None] = {}
            for place in map(absolute, map(Path, paths)):
                check_exists(place)
                found.update(dict.fromkeys(files.photos_below(connection, place)))
        return list(found)

    # ---- JSON lines ------------------------------------------------------------------------------

    def write_lines(
        self, out: BinaryIO, photo_ids: Sequence[int] | None = None, progress: Report = lambda _: None
    ) -> int:
        """Write the library's records, a line each, those of the photos in the order of their hashes.

        Two exports of the same state are the same bytes. Returns how many photos were written.
        """
        with self._database.read() as connection:
            ids = export.ids_by_content(connection, photo_ids)
            out.write(to_line(export.library_record(connection, len(ids))))
            for model in export.model_records(connection):
                out.write(to_line(model))
            for done, record in enumerate(export.photo_records(connection, ids), 1):
                out.write(to_line(record))
                progress(Progress("exporting", done, len(ids)))
        return len(ids)

    def read_lines(
        self,
        lines: Iterable[bytes],
        *,
        replace: bool = False,
        dry_run: bool = False,
        problem: Problem = lambda _: None,
        progress: Report = lambda _: None,
    ) -> ImportReport:
        """Bring the records of an export into the library. A line that cannot be read is told to ``problem``, and the
        rest goes on; what was read before it is kept, also when this is stopped."""
        report, merger = ImportReport(), Merger(self._now(), replace=replace)
        numbered = enumerate(lines, 1)
        while chunk := list(islice(numbered, LINES_AT_ONCE)):
            try:
                with self._database.write() as connection:
                    for number, line in chunk:
                        if line.strip():
                            self._read_line(connection, merger, report, number, line, problem)
                    if dry_run:
                        raise _RolledBack
            except _RolledBack:
                merger.forget()
            progress(Progress("importing", report.read, max(report.expected, report.read)))
        if not dry_run:
            report.not_indexed = self._synced()
        return report

    def _synced(self) -> str | None:
        """Bring the full-text index up to date; why not, when it cannot be written now. The marks stay then."""
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
        except (ExchangeError, CorrectionError) as error:
            merger.forget()
            report.bad += 1
            problem(f"line {number}: {error}")

    # ---- sidecars --------------------------------------------------------------------------------

    def write_sidecars(
        self,
        photo_ids: Sequence[int],
        *,
        style: SidecarStyle | None = None,
        machine: bool = False,
        dry_run: bool = False,
        told: Callable[[Written], None] = lambda _: None,
        problem: Problem = lambda _: None,
        progress: Report = lambda _: None,
    ) -> SidecarReport:
        """Write what people say of these photos, with ``machine`` also what models say, into sidecars beside their
        files. ``told`` of each that changes, or would change; ``problem`` of each that could not be written."""
        report, now = SidecarReport(), self._now()
        with self._database.read() as connection:
            shared = sidecars.shared_stems(files.present_paths(connection))
        for done, (photo, wanted) in enumerate(self._wanted(photo_ids, machine), 1):
            for path in photo.paths if not wanted.says_nothing else ():
                try:
                    is_shared = path.with_suffix("") in shared
                    written = sidecars.write_sidecar(
                        sidecars.sidecar_of(path, style, is_shared), wanted, now, dry_run=dry_run
                    )
                except ExchangeError as error:
                    report.failed += 1
                    problem(str(error))
                    continue
                if written is None:
                    continue
                report.kept += written.kept is not None
                if written.changes:
                    report.written += 1
                else:
                    report.unchanged += 1
                if written.changes or written.kept is not None:
                    told(written)
            progress(Progress("writing sidecars", done, len(photo_ids)))
        return report

    def _wanted(self, photo_ids: Sequence[int], machine: bool) -> Iterator[tuple[Photo, Wanted]]:
        for ids in chunks(photo_ids):
            with self._database.read() as connection:
                loaded = photos.load_photos(connection, ids, files.paths_of(connection, ids))
                changes = store.corrections_of(connection, ids)
            for photo in loaded:
                shown = photo.caption
                by_person = shown is not None and shown.source == "user"
                vouched = shown is not None and shown.source == "model" and (machine or shown.locked)
                mine = shown if by_person or vouched else None
                tags = [
                    tag
                    for change in changes.get(photo.id, ())
                    if change.kind == "tags"
                    for value in (change.old, change.new)
                    for tag in value or ()
                ]
                texts = [each.text for each in (*photo.history, *photo.overruled) if each.source == "user"]
                texts += [photo.caption.text] if photo.caption is not None and by_person else []
                yield (
                    photo,
                    Wanted(
                        None if mine is None else mine.text,
                        None if mine is None else ("user" if by_person else "model"),
                        None if mine is None else mine.model,
                        None if mine is None else mine.created_at,
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
        """Bring the words of the sidecars beside the library's photos, at or below these paths, into the library."""
        report, merger = ImportReport(), Merger(self._now(), replace=replace)
        with self._database.read() as connection:
            everywhere = files.present_paths(connection)
        shared = sidecars.shared_stems(everywhere)
        places = [absolute(Path(path)) for path in paths]
        for place in places:
            check_exists(place)
        chosen = sorted(path for path in everywhere if is_in_any(path, places))
        for start in range(0, len(chosen), LINES_AT_ONCE):
            try:
                with self._database.write() as connection:
                    for path in chosen[start : start + LINES_AT_ONCE]:
                        is_shared = path.with_suffix("") in shared
                        self._read_sidecar(connection, merger, report, everywhere[path], path, is_shared, problem)
                    if dry_run:
                        raise _RolledBack
            except _RolledBack:
                pass
            progress(Progress("reading sidecars", min(start + LINES_AT_ONCE, len(chosen)), len(chosen)))
        if not dry_run:
            report.not_indexed = self._synced()
        return report

    def _read_sidecar(
        self,
        connection: Connection,
        merger: Merger,
        report: ImportReport,
        photo_id: int,
        path: Path,
        is_shared: bool,
        problem: Problem,
    ) -> None:
        there = sidecars.sidecars_at(path, is_shared)
        if not there:
            return
        try:
            modified = {each: datetime.fromtimestamp(each.stat().st_mtime, timezone.utc) for each in there}
            found = sidecars.found_in(there, modified)
            heard = _heard(found, store.said_of(connection, [photo_id])[photo_id])
        except (ExchangeError, CorrectionError, OSError) as error:
            report.bad += 1
            problem(f"{path}: {error}" if isinstance(error, CorrectionError) else str(error))
            return
        report.read += 1
        changed = _said_by_file(connection, photo_id, found)
        if found.ours or found.our_tags:
            changed |= merger.merge_said(connection, photo_id, heard)
        if changed:
            photos.mark_text_stale(connection, [photo_id])
        report.changed += changed
        report.unchanged += not changed


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is too long to be read, only so much that it is seen to be."""
    while line := file.readline(LONGEST_LINE + 1):
        yield line
        while len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE + 1)


def _cleaned(record: PhotoRecord) -> PhotoRecord:
    """Refuses what a person's words cannot be, before it is in the catalogue."""
    for tag in record.tags:
        clean_text(tag, "tag", LONGEST_TAG)
    for each in record.captions:
        if each.source == "user":
            clean_text(each.text, "caption", LONGEST_CAPTION)
    return record


def _heard(found: Found, mine: Said) -> Heard:
    """What the person says in a sidecar; the lock is no part of it."""
    text = clean_text(found.caption, "caption", LONGEST_CAPTION) if found.ours and found.caption else None
    tags = tuple(clean_text(tag, "tag", LONGEST_TAG) for tag in found.our_tags)
    return Heard(
        Said(text if text is not None else mine.caption, tags, mine.locked),
        found.captioned_at if text is not None else None,
        found.tagged_at,
    )


def _said_by_file(connection: Connection, photo_id: int, found: Found) -> bool:
    """Note what a file says of itself: a caption of the source "sidecar", and keywords."""
    changed = False
    if found.caption is not None and not found.ours:
        same = exists().where(
            caption.c.photo_id == photo_id, caption.c.source == "sidecar", caption.c.text == found.caption
        )
        if not connection.execute(select(same)).scalar():
            connection.execute(
                update(caption)
                .where(caption.c.photo_id == photo_id, caption.c.source == "sidecar")
                .values(current=False)
            )
            connection.execute(
                insert(caption).values(
                    photo_id=photo_id, text=found.caption, source="sidecar", rank=0, current=True, locked=False,
                    created_at=found.captioned_at,
                )
            )  # fmt: skip
            changed = True
    rows = connection.execute(select(term.c.text).where(term.c.photo_id == photo_id, term.c.source == KEYWORD_SOURCE))
    known = {tag_key(text) for text in rows.scalars()}
    news = [tag for tag in found.other_tags if tag_key(tag) not in known]
    if news:
        connection.execute(
            insert(term),
            [{"photo_id": photo_id, "text": tag, "weight": 1.0, "source": KEYWORD_SOURCE} for tag in news],
        )
    return changed or bool(news)
