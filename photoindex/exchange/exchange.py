"""Exports of a library and their import: the class :class:`Exchange`, which other packages use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from photoindex.catalogue import corrections as store
from photoindex.catalogue import files, photos
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.database import Database
from photoindex.catalogue.ever_said import ever_said
from photoindex.catalogue.indexed_files import indexed_files
from photoindex.catalogue.user_metadata import tag_key, user_metadata_of
from photoindex.errors import ExchangeError, FullTextError
from photoindex.exchange import export, sidecars
from photoindex.exchange.line_import import LINES_AT_ONCE, batches, import_lines, lines_of
from photoindex.exchange.merge import Merger
from photoindex.exchange.records import to_line
from photoindex.exchange.reports import ImportReport, Problem, Refusals, Report, SidecarReport
from photoindex.exchange.sidecar_import import import_sidecars
from photoindex.exchange.sidecars import SidecarChange, SidecarContent, SidecarFiles
from photoindex.exchange.xmp_document import CaptionAuthor, level
from photoindex.system.arguments import check_flags, one_of, photo_ids_of
from photoindex.system.clock import utc_now
from photoindex.system.paths import absolute, all_named, check_exists, is_in_any, shown
from photoindex.system.units import counted
from photoindex.system.url_paths import is_url
from photoindex.types import Caption, Photo, Progress, SidecarStyle
from photoindex.types.hit import MACHINES

__all__ = ["Exchange", "ImportReport", "SidecarReport", "lines_of"]


class _DryRun(Exception):
    """Rolls a transaction back."""


def _is_written(shown: Caption, machine: bool) -> bool:
    """Return whether a caption goes into sidecars: a user's, one that a user confirmed and, if asked for, those that a
    machine made."""
    return bool(level(shown.text)) and (
        shown.source == "user" or (shown.source in MACHINES and (machine or shown.locked))
    )


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
            for place in map(absolute, all_named(paths)):
                check_exists(place)
                photo_ids.update(dict.fromkeys(files.photos_below(connection, place)))
        return list(photo_ids)

    # ---- JSON lines ------------------------------------------------------------------------------

    def write_lines(
        self, out: BinaryIO, photo_ids: Sequence[int] | None = None, progress: Report = lambda _: None
    ) -> int:
        """Write the library as JSON lines, photos in the order of their hashes, then albums; return how many photos.

        Two exports of the same state give the same bytes.
        """
        now = self._now()
        with self._database.read() as connection:
            ids = export.ids_by_content(connection, None if photo_ids is None else photo_ids_of(photo_ids))
            out.write(to_line(export.library_record(connection, len(ids))))
            for model in export.model_records(connection):
                out.write(to_line(model))
            for done, record in enumerate(export.photo_records(connection, ids, now), 1):
                out.write(to_line(record))
                progress(Progress("exporting", done, len(ids)))
            for album in export.album_records(connection, ids):
                out.write(to_line(album))
            for pair in export.distinct_records(connection, ids):
                out.write(to_line(pair))
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
        check_flags(replace=replace, match_paths=match_paths, dry_run=dry_run)
        report, merger = ImportReport(), Merger(self._now(), replace=replace, match_paths=match_paths)
        for batch in batches(lines):
            try:
                with self._database.write() as connection:
                    import_lines(connection, merger, report, batch, problem)
                    if dry_run:
                        raise _DryRun
            except _DryRun:
                merger.forget_models()
            seen = report.read + report.bad
            progress(Progress("importing", seen, max(report.expected, seen)))
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

    # ---- sidecars --------------------------------------------------------------------------------

    def write_sidecars(
        self,
        photo_ids: Sequence[int],
        *,
        below: Sequence[Path | str] = (),
        style: SidecarStyle | None = None,
        machine: bool = False,
        dry_run: bool = False,
        on_change: Callable[[SidecarChange], None] = lambda _: None,
        problem: Problem = lambda _: None,
        progress: Report = lambda _: None,
    ) -> SidecarReport:
        """Write the user's captions, those that were locked, tags, stars and favourites into sidecars of these photos,
        with ``machine`` also captions by models and of text in the photos. Where ``below`` names folders or files,
        copies elsewhere get none.

        ``on_change`` is called for each sidecar that changes or, in a dry run, would change; ``problem`` for each that
        could not be written, but for all that a full disk or a folder refused once, and once with their number. A photo
        gets none where its path holds nothing now, or another content.
        """
        check_flags(machine=machine, dry_run=dry_run)
        if style is not None:
            one_of({each: each for each in sidecars.STYLES}, style, "style")
        report, now, behind_urls, photo_ids = SidecarReport(), self._now(), 0, photo_ids_of(photo_ids)
        places, refusals = set(map(absolute, all_named(below))), Refusals(problem, "written")
        with self._database.read() as connection:
            sidecar_files = SidecarFiles(files.present_paths(connection))
            indexed = indexed_files(connection, photo_ids)
        for done, (photo, content) in enumerate(self._contents(photo_ids, machine), 1):
            for path in photo.paths if not content.is_empty else ():
                if places and not is_in_any(path, places):
                    continue
                if is_url(path):
                    behind_urls += 1
                    continue
                try:
                    if path not in indexed or not export.is_there(path, indexed[path]):
                        report.missing += 1
                        continue
                    sidecar = sidecar_files.to_write(path, style)
                    change = sidecars.write_sidecar(sidecar, content, now, dry_run=dry_run)
                except ExchangeError as error:
                    report.failed += 1
                    refusals.note(path, error)
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
        refusals.close()
        if behind_urls:
            report.failed += behind_urls
            what = counted(behind_urls, "photo is", "photos are")
            problem(f"{what} behind URLs, where nothing is written: use export --jsonl for them")
        return report

    def _contents(self, photo_ids: Sequence[int], machine: bool) -> Iterator[tuple[Photo, SidecarContent]]:
        for ids in chunks(photo_ids):
            with self._database.read() as connection:
                loaded = photos.load_photos(connection, ids, files.paths_of(connection, ids))
                changes = store.corrections_of(connection, ids)
                of_user = user_metadata_of(connection, ids)
                rated = photos.read_with_stars(connection, ids)
                ever = ever_said(connection, ids)
            for photo in loaded:
                shown = photo.caption
                by_user = shown is not None and shown.source == "user"
                written = shown if shown is not None and _is_written(shown, machine) else None
                # A caption that is said again is the one of then; what it says, it says since the last change.
                times = [time for change in changes.get(photo.id, ()) if change.kind == "caption"
                         for time in (change.made_at, change.undone_at) if time is not None]  # fmt: skip
                known = ever[photo.id]
                yield (
                    photo,
                    SidecarContent(
                        None if written is None else written.text,
                        None if written is None else cast(CaptionAuthor, written.source),
                        None if written is None else written.model,
                        None if written is None else max([written.created_at, *(times if by_user else ())]),
                        photo.tags,
                        frozenset(map(level, known.captions)),
                        frozenset(map(tag_key, known.tags)),
                        of_user[photo.id].rating,
                        of_user[photo.id].favourite,
                        frozenset(known.ratings),
                        known.favourite,
                        photo.id in rated,
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
        check_flags(replace=replace, dry_run=dry_run)
        report, merger = ImportReport(), Merger(self._now(), replace=replace)
        places = list(map(absolute, all_named(paths)))
        for place in places:
            check_exists(place)
        with self._database.read() as connection:
            everywhere = files.present_paths(connection)
            chosen = sorted(path for path in everywhere if is_in_any(path, places))
            indexed = indexed_files(connection, sorted({everywhere[path] for path in chosen}))
        sidecar_files, refusals = SidecarFiles(everywhere), Refusals(problem, "read")
        for start in range(0, len(chosen), LINES_AT_ONCE):
            try:
                with self._database.write() as connection:
                    found = (
                        (path, indexed[path], existing)
                        for path in chosen[start : start + LINES_AT_ONCE]
                        if (existing := sidecar_files.of(path))
                    )
                    import_sidecars(connection, merger, report, found, refusals)
                    if dry_run:
                        raise _DryRun
            except _DryRun:
                pass
            progress(Progress("reading sidecars", min(start + LINES_AT_ONCE, len(chosen)), len(chosen)))
        refusals.close()
        for folder, error in sidecar_files.unreadable.items():
            report.bad += 1
            problem(f"cannot read the folder {shown(folder)}: {error.strerror or error}")
        if not dry_run:
            report.not_indexed = self._index_problem()
        return report
