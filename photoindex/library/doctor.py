"""Checks of an installation and a library, with advice for whatever is wrong.

Each check is a small function that returns a :class:`Finding` or several. A check that fails is a finding itself, so
that the rest is examined whatever is broken. Nothing is changed, made or upgraded, and torch is not imported unless a
``deep`` examination is asked for.
"""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Final

from photoindex import captioner as captioning
from photoindex.captioner import Captioner
from photoindex.catalogue import files
from photoindex.catalogue import jobs as jobqueue
from photoindex.catalogue.backup_files import backups, newest_whole
from photoindex.catalogue.backups import Restored, restore_backup
from photoindex.catalogue.data_folder import check_owner, check_reachable
from photoindex.catalogue.database import Database
from photoindex.catalogue.integrity import faults_of_copy
from photoindex.catalogue.migration import HEAD, knows
from photoindex.catalogue.opening import open_database_as_is
from photoindex.catalogue.roots import Root, WatchNote, list_roots, watch_notes
from photoindex.config import Settings
from photoindex.errors import CatalogueDamaged, CatalogueError, FolderError, FullTextError, PhotoindexError
from photoindex.folders import PhotoFilter, mounts
from photoindex.folders.walk import survey
from photoindex.indexing.missing_photos import remedy
from photoindex.library import Library, catalogues
from photoindex.library.installation import (
    check_captioning,
    check_device,
    check_formats,
    check_libraries,
    check_model,
    check_python,
    check_text,
)
from photoindex.search import FullText
from photoindex.search.fulltext import sync
from photoindex.search.fulltext.generations import REMEDY
from photoindex.search.terms import index as term_index
from photoindex.search.terms import matrix_file
from photoindex.system.clock import utc_now
from photoindex.system.error_lines import in_one_line, reason_of
from photoindex.system.file_state import device_of
from photoindex.system.inotify_limits import InotifyLimits
from photoindex.system.paths import shown
from photoindex.system.regular_files import is_there
from photoindex.system.storage import storage_of
from photoindex.system.storage_errors import StoreUnavailable
from photoindex.system.units import human_seconds, human_size
from photoindex.system.url_paths import is_url
from photoindex.system.urls import without_password
from photoindex.types import Finding

ROOM: Final = "make room on that disk"
FULL_BYTES: Final = 50_000_000  # with less the catalogue's log, or the next rebuild of the index, may find no room
SCARCE_BYTES: Final = 500_000_000
REASONS_SHOWN: Final = 3
FEW_WATCHES: Final = 524_288  # what current distributions allow
SERVER_BACKUPS: Final = "its server's tools: pg_dump and pg_restore, or pgBackRest"
REINDEX: Final = "photoindex reindex --fulltext makes it again from the catalogue"


@dataclass(frozen=True, slots=True)
class Machine:
    """Questions to the system; tests give other answers."""

    limits: InotifyLimits
    file_system: Callable[[Path], str | None] = mounts.file_system
    now: Callable[[], datetime] = utc_now


def examine(
    settings: Settings,
    *,
    deep: bool = False,
    machine: Machine | None = None,
    load_captioner: Callable[[Settings], Captioner] = captioning.load_captioner,
) -> Iterator[Finding]:
    """Check everything; yield each finding as soon as it is known. Raises nothing.

    ``deep`` also runs what reads text, loads the model onto its device and captions a photo made for it, which takes
    seconds and imports torch.
    """
    machine = machine or Machine(InotifyLimits())
    yield from _guarded("python", check_python)
    yield from _guarded("libraries", check_libraries)
    yield from _guarded("data folder", partial(check_data_folder, settings.data_dir, machine))
    if settings.catalogue:
        yield from _guarded("catalogue", partial(check_shared_catalogue, settings))
    else:
        yield from _guarded("catalogue", partial(check_catalogue, settings.catalogue_path, machine))
    database = _readable_catalogue(settings)
    if database is not None:
        with closing(database):
            yield from _guarded("full text", partial(check_full_text, settings.index_path, database))
            yield from _guarded("terms", partial(check_terms, settings.terms_path, database))
            yield from _guarded("queue", partial(check_queue, database, machine))
            yield from _guarded("folders", partial(check_roots, database, settings, machine))
    yield from _guarded("model", partial(check_model, settings.model))
    yield from _guarded("formats", check_formats)
    yield from _guarded("text", partial(check_text, settings, deep))
    if deep:
        yield from _guarded("device", partial(check_device, settings))
        yield from _guarded("captioning", partial(check_captioning, settings, load_captioner))


def restore(settings: Settings) -> Restored:
    """Replace a damaged catalogue by its newest whole backup, and rebuild the index from it.

    The damaged file is kept under another name. Raises :class:`CatalogueError` when the catalogue is whole, when there
    is no whole backup, or when another process has the catalogue open.
    """
    if settings.catalogue:
        raise CatalogueError(f"{without_password(settings.catalogue)} is restored by {SERVER_BACKUPS}")
    path = settings.catalogue_path
    others = mounts.holders(path)
    if others:
        raise CatalogueError(f"the catalogue {path} is open in process {others[0]}: stop it, then restore the backup")
    restored = restore_backup(path)
    with Library(settings) as library:
        library.rebuild_full_text()
    return restored


# ---- the library


def check_data_folder(folder: Path, machine: Machine) -> Finding:
    """Check that the folder can be written, has room, and lies on a file system that SQLite's log can trust."""
    kind = machine.file_system(folder)
    message = str(folder) + (f" on {kind}" if kind else "")
    try:
        missing = not is_there(folder)
    except OSError as error:
        advice = "give yourself the right to enter it, or name another --data-dir"
        return Finding("data folder", "problem", f"cannot look into {message}: {error.strerror or error}", advice)
    if missing:
        try:
            check_reachable(folder)
        except CatalogueError as error:
            return Finding("data folder", "problem", str(error))
        parent = next(parent for parent in folder.parents if parent.exists())
        if not os.access(parent, os.W_OK | os.X_OK):
            advice = "name another --data-dir, or give yourself the right to write there"
            return Finding("data folder", "problem", f"{folder} is not there and cannot be made in {parent}", advice)
        return Finding("data folder", "ok", f"{folder} is not there yet; the first command makes it")
    try:
        check_owner(folder)
    except CatalogueError as error:
        return Finding("data folder", "problem", str(error), "make it yours alone, or name another --data-dir")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        advice = "give yourself the right to write there, or name another --data-dir"
        if error.errno == errno.ENOSPC:  # also where there is room, but for no other file
            advice = ROOM
        return Finding("data folder", "problem", f"{message} cannot be written: {error.strerror or error}", advice)
    free = shutil.disk_usage(folder).free
    message += f", {human_size(free)} free"
    if free < FULL_BYTES:
        return Finding("data folder", "problem", message, ROOM)
    if mounts.is_network(kind):
        advice = "keep it on a disk of this machine (--data-dir): SQLite's log is not safe on a network file system"
        return Finding("data folder", "warning", message, advice)
    if free < SCARCE_BYTES:
        return Finding("data folder", "warning", message, ROOM)
    return Finding("data folder", "ok", message)


def check_catalogue(path: Path, machine: Machine) -> Finding:
    """Check that the catalogue opens, is of this version and without faults. Reads all of it."""
    kept = backups(path)
    if not is_there(path):
        if kept:
            return Finding("catalogue", "problem", f"{path} is gone", _remedy(path))
        return Finding("catalogue", "ok", "none yet; photoindex index PATH makes it")
    try:
        with closing(open_database_as_is(path)) as database:
            revision, faults = database.revision(), database.faults()
    except CatalogueDamaged as error:
        return Finding("catalogue", "problem", str(error).partition(": photoindex doctor")[0], _remedy(path))
    except CatalogueError as error:
        return Finding("catalogue", "problem", str(error))
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        return Finding("catalogue", "problem", f"{path} is damaged: {faults[0]}{more}", _remedy(path))
    backup = "no backup yet (index and watch make one a day)"
    if kept:
        age = max(0.0, (machine.now() - _made_at(kept[0])).total_seconds())
        backup = f"the newest backup is {human_seconds(age)} old"
    message = f"{human_size(path.stat().st_size)}, no faults; {backup}"
    if revision is None and kept:
        return Finding("catalogue", "problem", f"{path} is empty", _remedy(path))
    if revision is None:
        return Finding("catalogue", "ok", "empty; the next command makes its tables")
    if revision == HEAD:
        if kept and faults_of_copy(kept[0]):
            advice = f"remove {shlex.quote(str(kept[0]))}, and check the disk: the next photoindex index makes another"
            return Finding("catalogue", "warning", f"version {HEAD}, {message}, and is damaged", advice)
        return Finding("catalogue", "ok", f"version {HEAD}, {message}")
    if not knows(revision):
        advice = "upgrade photoindex, or name another --data-dir"
        return Finding("catalogue", "problem", f"{path} was written by a newer photoindex ({revision})", advice)
    message = f"version {revision}, which the next command brings to {HEAD}, {message}"
    return Finding("catalogue", "warning", message, "photoindex status upgrades it, and makes a backup first")


def check_shared_catalogue(settings: Settings) -> Finding:
    """Check that a catalogue on a server is reached, of this version and whole, as far as a client can tell."""
    try:
        found = catalogues.check_catalogue(settings)
    except CatalogueError as error:
        return Finding("catalogue", "problem", str(error), "start the server, or correct the setting catalogue")
    message = f"{found.place}, {human_size(found.bytes)}; backups are made by {SERVER_BACKUPS}"
    if found.version is None:
        return Finding("catalogue", "problem", f"empty: {message}", "photoindex catalogue upgrade makes its tables")
    if found.version != found.needed:
        older = f"version {found.version}, and this photoindex needs {found.needed}: {message}"
        advice = "photoindex catalogue upgrade" if knows(found.version) else "upgrade photoindex"
        return Finding("catalogue", "problem", older, advice)
    if found.faults:
        more = f" (and {len(found.faults) - 1} more)" if len(found.faults) > 1 else ""
        advice = "restore it from a backup, or copy it to an empty database: photoindex catalogue copy FROM TO"
        return Finding("catalogue", "problem", f"{found.faults[0]}{more}: {message}", advice)
    return Finding("catalogue", "ok", f"version {found.version}, no faults, {message}")


def _remedy(path: Path) -> str:
    """What to do about a catalogue that is damaged or gone: only a backup that is whole is named."""
    backup = newest_whole(path)
    if backup is None:
        there = " (no backup of it is whole)" if backups(path) else ""
        return f"move {path} away and run photoindex index on your folders, which captions them again{there}"
    return f"photoindex doctor --restore-backup puts back the backup of {_made_at(backup):%Y-%m-%d %H:%M} UTC"


def _made_at(backup: Path) -> datetime:
    return datetime.fromtimestamp(backup.stat().st_mtime, timezone.utc)


def check_full_text(folder: Path, database: Database) -> Finding:
    """Check that the index can be read and has the photos that the catalogue says it should."""
    with closing(FullText(folder)) as full_text:
        try:
            if full_text.is_absent:
                with database.read() as connection:
                    known = bool(files.count_files(connection))
                if not known:
                    return Finding("full text", "ok", "no index yet")
                return Finding("full text", "warning", "no index", f"the next command makes one, or {REINDEX}")
            if broken := full_text.damaged_files():
                return Finding("full text", "problem", f"{broken[0]} is damaged", REINDEX)
            agreement = sync.compare(database, full_text)
        except FullTextError as error:
            return Finding("full text", "problem", str(error).removesuffix(f": {REMEDY}"), REINDEX)
    message = f"{agreement.photos:,} photos"
    if agreement.waiting:
        message += f", {agreement.waiting:,} have words that are yet to be written to it"
    if agreement.lacking or agreement.extra:
        message += f"; it lacks {agreement.lacking:,} photos of the catalogue and has {agreement.extra:,} too many"
        return Finding("full text", "problem", message, REINDEX)
    return Finding("full text", "ok", message)


def check_terms(folder: Path, database: Database) -> Finding:
    """Check the impact matrix, which searches rebuild by themselves."""
    damaged = matrix_file.damaged(folder)
    if damaged:
        message = f"{damaged[0]} is damaged; searches read the catalogue instead"
        return Finding("terms", "warning", message, REINDEX)
    agreement = term_index.compare(database, folder)
    if not agreement.photos:
        return Finding("terms", "ok", "no photo has learned terms yet")
    message = f"{agreement.photos:,} photos have learned terms"
    if not agreement.made:
        if agreement.photos <= term_index.FEW:
            return Finding("terms", "ok", f"{message}, too few to need a matrix")
        return Finding("terms", "warning", f"{message}, and there is no matrix of them", REINDEX)
    if not agreement.agrees:
        return Finding("terms", "problem", f"{message}, and the matrix is of others", REINDEX)
    return Finding(
        "terms", "ok", message + (f", {agreement.changed:,} newer than the matrix" if agreement.changed else "")
    )


def check_queue(database: Database, machine: Machine) -> Finding:
    """Count the jobs that wait, those whose processes died, and the failures by their kinds."""
    with database.read() as connection:
        jobs = jobqueue.counts(connection)
        abandoned = jobqueue.count_abandoned(connection, machine.now())
        failures = jobqueue.failures(connection)
    message = f"{jobs['queued']:,} waiting, {jobs['running']:,} at work"
    advice = []
    if abandoned:
        message += f" ({abandoned:,} claimed by processes that have died)"
        advice.append("the next photoindex index or watch takes the claimed ones back")
    if failures:
        kinds = Counter(failure.kind for failure in failures).most_common(REASONS_SHOWN)
        message += f"; {len(failures):,} failed: " + ", ".join(f"{kind} {count:,}" for kind, count in kinds)
        advice.append("photoindex failures list says why")
    return Finding("queue", "warning" if advice else "ok", message, "; ".join(advice) or None)


def check_roots(database: Database, settings: Settings, machine: Machine) -> Iterator[Finding]:
    """Check each folder, and the watches that all of them need together."""
    with database.read() as connection:
        roots = list_roots(connection)
        counts, notes = files.count_files(connection), watch_notes(connection)
    folders: dict[Path, int] = {}  # watches needed, by real path
    for root in roots:
        name = f"folder {shown(root.path)}"
        yield from _guarded(
            name, partial(_check_root, name, root, notes[root.id], counts.get(root.id, (0, 0))[0], machine)
        )
        if is_url(root.path):  # it takes no watches
            continue
        with suppress(FolderError, OSError):  # what is wrong with it has just been said
            folders[Path(os.path.realpath(root.path))] = survey(
                root.path, PhotoFilter(settings.hidden_files, settings.own_folders)
            ).folders
    if folders:
        # A root inside another takes no watches of its own.
        needed = sum(count for path, count in folders.items() if folders.keys().isdisjoint(path.parents))
        yield check_watches(needed, machine.limits)


def check_watches(needed: int, limits: InotifyLimits) -> Finding:
    """Check that the kernel allows as many watches as there are folders."""
    allowed = limits.allowed()
    if allowed is None:
        return Finding("watches", "ok", f"{needed:,} folders; this system has no limit of watches")
    message = f"watching takes {needed:,} of the {allowed:,} inotify watches that this user may hold"
    if needed <= allowed:
        return Finding("watches", "ok", message)
    enough = max(FEW_WATCHES, 2 ** (2 * needed).bit_length())
    advice = (
        f"write 'fs.inotify.max_user_watches = {enough}' to /etc/sysctl.d/60-photoindex.conf and run "
        "`sudo sysctl --system`; folders without a watch are scanned again and again instead"
    )
    return Finding("watches", "warning", message, advice)


def _check_root(name: str, root: Root, note: WatchNote, known: int, machine: Machine) -> Finding:
    kept = f"its {known:,} photos are kept"
    try:
        store = storage_of(root.path)
        with store.scan(root.path) as entries:
            empty = next(entries, None) is None
        device = device_of(store.stat(root.path))
    except StoreUnavailable as error:
        return Finding(name, "problem", f"cannot be read: {error.strerror}; {kept}", "see that this machine reaches it")
    except FileNotFoundError:
        return Finding(name, "problem", f"is not there; {kept}", "mount its disk, or put it back where it was")
    except OSError as error:
        advice = "give yourself the right to read it, or check its disk"
        return Finding(name, "problem", f"cannot be read: {error.strerror or error}; {kept}", advice)
    if root.suspended_photos is not None:
        message = f"{root.suspended_photos:,} of its photos vanished at once and are kept until they are back"
        return Finding(name, "problem", message, f"bring them back, or if you removed them, {remedy(root.path)}")
    if empty and known and device != root.device:
        return Finding(name, "problem", f"is empty and on another disk than before; {kept}", "mount its disk")
    kind = None if is_url(root.path) else machine.file_system(root.path)
    how = f"last watched by {root.mode}" if root.mode else "indexed by hand"
    if note.reason:
        how += f" as {note.reason}"
    message = f"{known:,} files, {how}" + (f", on {kind}" if kind else "")
    if mounts.is_network(kind) and root.mode == "events":
        advice = "what other machines change there sends no events; it is found when the whole folder is compared"
        return Finding(name, "warning", message, advice)
    return Finding(name, "ok", message)


# ---- inside


def _readable_catalogue(settings: Settings) -> Database | None:
    """Return the catalogue if it is there, readable, and has the tables of this version."""
    try:
        if not settings.catalogue and not is_there(settings.catalogue_path):
            return None
        database = open_database_as_is(settings.catalogue_place)
    except (PhotoindexError, OSError):
        return None
    if database.revision() == HEAD:
        database.mounts = settings.mounts
        return database
    database.close()
    return None


def _guarded(name: str, check: Callable[[], Finding | Iterable[Finding]]) -> Iterator[Finding]:
    """Return the findings of a check; when it fails, that is a finding."""
    try:
        result = check()
        yield from (result,) if isinstance(result, Finding) else result
    except PhotoindexError as error:
        yield Finding(name, "problem", str(error))
    except OSError as error:
        place = "" if error.filename is None else f" {os.fsdecode(error.filename)}"
        yield Finding(name, "problem", f"cannot read{place}: {reason_of(error)}", "see to its rights and its disk")
    except Exception as error:  # whatever is broken here, the rest is examined
        yield Finding(name, "problem", f"could not be examined: {in_one_line(error)}")
