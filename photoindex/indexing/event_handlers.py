"""What each kind of file event means for the catalogue: a table of subjects and kinds, and a handler for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from os.path import samestat
from pathlib import Path
from typing import Final, Literal

from photoindex.catalogue import files, metadata
from photoindex.catalogue.database import Database
from photoindex.catalogue.roots import Root, list_roots
from photoindex.folders import IGNORE_FILE
from photoindex.indexing.indexer import Indexer
from photoindex.indexing.metadata_refresh import mark_photos_of
from photoindex.indexing.root_disks import is_in_place
from photoindex.media.metadata.sidecars import is_sidecar
from photoindex.system.paths import root_of
from photoindex.system.storage import are_there, is_folder, is_gone
from photoindex.system.url_paths import is_url
from photoindex.types import FileEvent, Tally

Subject = Literal["folder", "rules", "sidecar", "photo"]
Handler = Callable[[FileEvent], None]
TOGETHER: Final = 1.0  # seconds; removals whose events arrived within them are judged together


def subject_of(event: FileEvent) -> Subject:
    """Return what an event is about. A move is about the more special of its two names."""
    if event.is_directory:
        return "folder"
    paths = [path for path in (event.path, event.destination) if path is not None]
    if any(path.name == IGNORE_FILE for path in paths):
        return "rules"
    return "sidecar" if any(is_sidecar(path) for path in paths) else "photo"


class EventHandlers:
    """Handles the events of one watch. ``compare_again`` compares a folder with the catalogue.

    Removals are collected until :meth:`take_removals`, as many at once are judged otherwise than one.
    """

    def __init__(self, database: Database, indexer: Indexer, compare_again: Callable[[Path], None]) -> None:
        self._database = database
        self._settler = indexer.settler
        self._filter = indexer.filter
        self._missing = indexer.missing
        self._compare_again = compare_again
        self._removals: list[FileEvent] = []
        self._replaced: list[Path] = []  # folders to be compared, where what was removed has another kind now
        self._unanswered: list[FileEvent] = []  # removals for which a store gave no answer
        self._moves = 0  # files that were followed to other places, since they were counted last
        self._words_left: list[Path] = []  # files where another picture took the place of one of words, since then
        self._table: dict[tuple[Subject, str], Handler] = {
            ("folder", "written"): self._compare,
            ("folder", "overflow"): self._compare,
            ("folder", "moved"): self._folder_moved,
            ("folder", "removed"): self._folder_removed,
            ("rules", "written"): self._rules_changed,
            ("rules", "moved"): self._rules_changed,
            ("rules", "removed"): self._rules_changed,
            ("sidecar", "written"): self._written,
            ("sidecar", "moved"): self._sidecar_gone,
            ("sidecar", "removed"): self._sidecar_gone,
            ("photo", "written"): self._photo_written,
            ("photo", "moved"): self._photo_moved,
            ("photo", "removed"): self._photo_removed,
        }

    def handle(self, event: FileEvent) -> None:
        """Do what an event asks for. It may be repeated if it fails."""
        if event.kind != "removed":
            self.take_removals()  # in their order
        self._missing.handled_until = event.arrived
        subject: Subject = "folder" if event.kind == "overflow" else subject_of(event)
        self._table[subject, event.kind](event)

    def take_removals(self) -> None:
        """Mark as missing what events said was removed, at once what arrived at once."""
        if self._removals:
            self._take_removals()
        while self._replaced:
            folder = self._replaced[-1]
            self._compare_again(folder)
            self._replaced = [other for other in self._replaced if other != folder]

    def _take_removals(self) -> None:
        with self._database.read() as connection:
            roots = list_roots(connection)
        while self._removals:
            first = self._removals[0].arrived
            later = (place for place, event in enumerate(self._removals) if event.arrived - first >= TOGETHER)
            events = self._removals[: next(later, None)]
            gone, unanswered = self._gone(events, roots)
            if gone:
                folders = [event.path for event in gone if event.is_directory]
                self._missing.after_removals([event.path for event in gone], first, folders=folders)
            del self._removals[: len(events)]
            self._unanswered += unanswered

    def caught_up(self) -> None:
        """Mark as missing what was removed: all events that have arrived were handled.

        Removals that a store gave no answer for are looked at again.
        """
        self._removals[:0], self._unanswered = self._unanswered, []
        self.take_removals()
        self._missing.handled_until = None

    def count_moves(self, tally: Tally) -> None:
        """Add the files that were followed to other places to a tally, once."""
        tally.moved += self._moves
        tally.words_left += self._words_left
        self._words_left.clear()
        self._moves = 0

    def _compare(self, event: FileEvent) -> None:
        self._compare_again(event.path)

    def _folder_moved(self, event: FileEvent) -> None:
        assert event.destination is not None
        if _is_there_again(event):
            self._compare_again(event.path)
            self._compare_again(event.destination)
            return
        self._settler.move_below(event.path, event.destination)
        self._missing.unrecorded.note_moved_below(event.path, event.destination)
        with self._database.write() as connection:
            self._moves += files.move(connection, event.path, event.destination, self._words_left)
        # What was in the folder and not known yet came along.
        self._compare_again(event.destination)

    def _folder_removed(self, event: FileEvent) -> None:
        self._settler.forget_below(event.path)
        self._removals.append(event)

    def _rules_changed(self, event: FileEvent) -> None:
        """Compare the folder of an ignore file by its new rules, once the file is whole."""
        for path in (event.path, event.destination):
            if path is None:
                continue
            if not is_gone(path):
                self._settler.touch(path)
                continue
            self._settler.forget(path)
            if path.name == IGNORE_FILE:
                self._compare_again(path.parent)
            else:
                self._removals.append(replace(event, kind="removed", path=path))

    def _photo_written(self, event: FileEvent) -> None:
        self._missing.unrecorded.note_written(event.path)
        self._written(event)

    def _written(self, event: FileEvent) -> None:
        """Wait until the file is whole."""
        self._settler.touch(event.path)

    def _sidecar_gone(self, event: FileEvent) -> None:
        """Have the photos of a sidecar that went, or was renamed, read again."""
        self._settler.forget(event.path)
        if is_sidecar(event.path):
            mark_photos_of(self._database, [event.path])
        else:
            self._removals.append(event)
        if event.destination is not None:
            self._settler.touch(event.destination)  # a program may have written it under another name first

    def _photo_moved(self, event: FileEvent) -> None:
        assert event.destination is not None
        if _is_there_again(event):
            self._photo_written(replace(event, path=event.destination))
            self._photo_written(event)
            return
        self._settler.move(event.path, event.destination)
        self._missing.unrecorded.note_moved(event.path, event.destination)
        with self._database.write() as connection:
            moved = files.move(connection, event.path, event.destination, self._words_left)
            if moved:  # its name may be its date, and other sidecars may be beside it now
                metadata.mark_paths(connection, [event.destination])
        self._moves += moved
        if not moved:
            self._missing.unrecorded.note_written(event.destination)
            self._settler.touch(event.destination)

    def _photo_removed(self, event: FileEvent) -> None:
        self._settler.forget(event.path)
        self._removals.append(event)

    def _gone(self, events: Sequence[FileEvent], roots: Sequence[Root]) -> tuple[list[FileEvent], list[FileEvent]]:
        """Return those of the removals whose files are gone, and those for which a store gave no answer."""
        owners = {event.path: root_of(roots, event.path) for event in events}
        # A disk that went away takes no photo with it. A store says so of each path itself.
        known = {root.path: root for root in owners.values() if root is not None}
        reachable = {path for path, root in known.items() if is_url(path) or is_in_place(root)}
        here = {path: root.path for path, root in owners.items() if root is not None and root.path in reachable}
        there = are_there(here)
        gone, unanswered = [], []
        for event in events:
            if event.path not in here:
                continue
            if event.path not in there:
                unanswered.append(event)
            # One that is there already again has an event that says so.
            elif not there[event.path] or self._filter.ignores_below(here[event.path], event.path):
                gone.append(event)
            # Where a folder took the place of a photo, or the other way round, what lies there now stays.
            elif is_folder(event.path) != event.is_directory and event.path != here[event.path]:
                self._replaced.append(event.path.parent)
        return gone, unanswered


def _is_there_again(moved: FileEvent) -> bool:
    """Return whether something is at the place that a move left: what it was exchanged with (``mv --exchange``), of
    which a second event tells, or something newer. Rows that followed such events would take the place of one another,
    so what is at both places is compared instead. One file by two names, as where only letter case differs, is none."""
    try:
        return not samestat(os.lstat(moved.path), os.lstat(moved.destination or moved.path))
    except OSError:
        return os.path.lexists(moved.path)
