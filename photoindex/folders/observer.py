"""Report changes below watched folders: by events where they arrive, by polling where they do not.

watchdog delivers the events. It does not report four problems that would lose photos: a tree too large for the kernel's
watch limit is watched in part, a watch ends when its folder is unmounted or replaced, linked folders are not watched,
and changes by another machine on a network file system send no events. So a second thread checks each root every
``poll_seconds`` and polls what has no events.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, EventEmitter, ObservedWatch
from watchdog.observers.polling import PollingObserver

from photoindex.errors import FolderError
from photoindex.folders.filters import PhotoFilter
from photoindex.folders.inotify import (
    close_reader,
    explain,
    explain_missing,
    hide_repeated_watches,
    is_dead,
    report_overflow,
)
from photoindex.folders.mounts import file_system, mounted_below, read_mountinfo, sends_no_events
from photoindex.folders.polling import PolledTree
from photoindex.folders.walk import Survey, check_folder, survey
from photoindex.folders.watchdog_events import respelt, translated
from photoindex.system.error_lines import in_one_line
from photoindex.system.inotify_limits import InotifyLimits
from photoindex.system.paths import is_at_or_below, shown
from photoindex.system.storage import is_folder
from photoindex.system.url_paths import is_url
from photoindex.types import FileEvent

logger = logging.getLogger(__name__)

Mode = Literal["events", "polling"]
POLLING_SHARE = 0.1  # the most of its time that is spent on scanning a root: a large one is scanned less often


class _EventsLost(FileSystemEvent):
    """Says that events were lost. It goes through watchdog's queue, to keep its place among the other events."""

    event_type = "overflow"


@dataclass(slots=True)
class _Watched:
    """A root that is watched by events."""

    root: Path
    real: Path  # what watchdog is given: it would watch a link itself, not the folder behind it
    identity: tuple[int, int]
    survey: Survey
    watch: ObservedWatch | None = None
    emitter: EventEmitter | None = None
    grew: bool = False  # a folder or a link has come since the last survey
    exchanged: bool = False  # a folder may have exchanged its name with something, which watchdog does not follow
    short: bool = False  # the last survey found fewer watches than folders


class FolderObserver:
    """Watches folders and calls ``on_event`` with each :class:`FileEvent`.

    Files are reported when ``photo_filter`` accepts them and every folder on the way; so are ignore files, where events
    arrive (where they do not, the photos are reported that appear or disappear by their rules). A folder's event stands
    for everything in it: ``written`` means that the folder is new and must be scanned; ``moved`` and ``removed`` apply
    to everything below. ``overflow`` means that events of that root were lost and all of it must be compared. A written
    file may be incomplete: see :class:`~photoindex.folders.settle.Settler`. A change behind a link to a single file is
    seen only where the root is polled, or by the next full comparison.

    ``on_event`` is called by threads of this object, one call at a time, from before :meth:`start` returns. Later
    events wait for it, so it should return soon. It must not call :meth:`stop`. An exception that it raises is logged
    and listed by :meth:`problems`, and that event is lost.

    ``poll_seconds`` is how often roots without events are scanned and the health of the others is checked; a root whose
    scans take long is scanned less often. ``mode``: ``polling`` scans all roots, ``events`` relies on events also on
    network and FUSE file systems, which are otherwise (``auto``) polled. To miss nothing, start the observer first and
    then compare the whole tree. ``mountinfo`` is as :func:`photoindex.folders.mounts.file_system` has it.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        photo_filter: PhotoFilter,
        on_event: Callable[[FileEvent], None],
        poll_seconds: float = 10.0,
        *,
        mode: str = "auto",
        wait_for_roots: bool = False,
        make_observer: Callable[[], BaseObserver] = Observer,
        limits: InotifyLimits | None = None,
        mountinfo: Callable[[], str] = read_mountinfo,
    ) -> None:
        self._roots = tuple(dict.fromkeys(Path(os.path.abspath(root)) for root in roots))
        self._filter = photo_filter
        self._on_event = on_event
        self._poll_seconds = poll_seconds
        self._make_observer = make_observer
        self._limits = limits or InotifyLimits()
        self._wanted = mode
        self._wait_for_roots = wait_for_roots
        self._refusal: str | None = None  # why watchdog cannot be used, if so
        self._absent: set[Path] = set()  # roots that are waited for
        self._mountinfo = mountinfo
        self._observer: BaseObserver | None = None
        self._keeper: threading.Thread | None = None
        self._stopping = threading.Event()
        self._delivery = threading.Lock()
        self._watched: dict[Path, _Watched] = {}
        self._polled: dict[Path, PolledTree] = {}
        self._notices: dict[tuple[str, Path | None], str] = {}
        self._reasons: dict[Path, str] = {}  # why a root is polled

    def start(self) -> None:
        """Start watching: every change after the return is reported. Do nothing when already started.

        Takes one walk of each root. Raises :class:`FolderError` when a root does not exist or is not a folder; then
        nothing is watched. With ``wait_for_roots`` such a root is watched as soon as it is a folder, which an
        ``overflow`` event reports.
        """
        if self._keeper is not None:
            return
        self._absent = {root for root in self._roots if self._wait_for_roots and not is_folder(root)}
        for root in self._roots:
            if root not in self._absent:
                check_folder(root)
        hide_repeated_watches()
        self._stopping.clear()
        self._notices.clear()
        self._reasons.clear()
        try:
            self._refusal = self._start_observer()
            for root in self._roots:
                if root in self._absent:
                    self._poll_instead(root, "it is not there yet")
                else:
                    self._begin(root, self._refusal)
        except BaseException:
            self.stop()
            raise
        self._keeper = threading.Thread(target=self._keep, name="photoindex-watch", daemon=True)
        self._keeper.start()

    def stop(self) -> None:
        """Stop watching and wait for the threads to end; no event is reported afterwards. May be called again, or
        before start."""
        if threading.current_thread() in (self._keeper, self._observer):
            raise RuntimeError("stop() was called from on_event, which it would wait for")
        self._stopping.set()
        if self._keeper is not None:
            self._keeper.join()
            self._keeper = None
        for tree in list(self._watched.values()):
            self._unwatch(tree)
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            observer.join()
        self._watched.clear()
        self._polled.clear()

    def mode(self, root: Path) -> Mode:
        """Return how ``root`` is watched now. Raises :class:`FolderError` when it is no root, or before the start."""
        root = Path(os.path.abspath(root))
        if root in self._watched:
            return "events"
        if root in self._polled:
            return "polling"
        raise FolderError(f"{shown(root)} is not being watched")

    def problems(self) -> list[str]:
        """Return the problems of watching, a line each, oldest first."""
        return list(self._notices.values())

    def why_polled(self, root: Path) -> str | None:
        """Return why ``root`` is polled instead of watched by events; ``None`` when it is not polled."""
        return self._reasons.get(Path(os.path.abspath(root)))

    def watches(self, root: Path) -> int | None:
        """Return the number of system watches that ``root`` uses, one a folder; ``None`` where the system does not
        count them and for a polled root. A root inside another uses none of its own."""
        tree = self._watched.get(Path(os.path.abspath(root)))
        if tree is None or self._limits.allowed() is None:
            return None
        others = {other.real for other in list(self._watched.values())}
        return tree.survey.folders if others.isdisjoint(tree.real.parents) else 0

    def _start_observer(self) -> str | None:
        """Start watchdog. Return why it cannot be used, or ``None``."""
        if self._wanted == "polling":
            return "watch_mode is polling"
        try:
            observer = self._make_observer()
            if isinstance(observer, PollingObserver):
                return "this system reports no file events"
            observer.start()
        except OSError as error:
            return explain(error)
        self._observer = observer
        return None

    def _begin(self, root: Path, refusal: str | None) -> None:
        status = check_folder(root)
        if is_url(root):
            refusal = "stores behind URLs report no events"
        if refusal is None:
            real = Path(os.path.realpath(root))
            tree = _Watched(root, real, (status.st_dev, status.st_ino), survey(root, self._filter))
            refusal = self._watch(tree)
            if refusal is None:
                self._poll_links(tree)
                return
        self._poll_instead(root, refusal)
        self._polled[root].look()

    def _watch(self, tree: _Watched) -> str | None:
        """Watch the tree with watchdog. Return why its events cannot be relied on, or ``None``."""
        assert self._observer is not None
        silent = self._why_no_events(tree)
        if silent is not None:
            return silent
        allowed = self._limits.allowed()
        if allowed is not None and tree.survey.folders + self._folders_watched() > allowed:
            return f"it has {tree.survey.folders} folders and fs.inotify.max_user_watches is {allowed}"
        # Known before the first event, which may come before schedule() returns.
        self._watched[tree.root] = tree
        try:
            tree.watch = self._observer.schedule(_Handler(self, tree), str(tree.real), recursive=True)
        except OSError as error:
            del self._watched[tree.root]
            return explain(error)
        tree.emitter = next((emitter for emitter in self._observer.emitters if emitter.watch == tree.watch), None)
        if not report_overflow(tree.emitter, partial(self._queue_overflow, tree)):
            self._notices["overflow", None] = (
                "this version of watchdog does not say when events are lost (7.1 does); "
                "only the next full comparison finds those files"
            )
        missing = self._unwatched_folders()
        if missing:  # look again: folders may have gone since they were counted
            tree.survey = survey(tree.root, self._filter)
            missing = self._unwatched_folders()
        if missing:
            self._unwatch(tree)
            return explain_missing(missing, tree.survey.folders)
        return None

    def _why_no_events(self, tree: _Watched) -> str | None:
        """Return why the file systems at and below a root do not report all changes, or ``None``."""
        if self._wanted == "events":
            return None
        kind = file_system(tree.real, self._mountinfo)
        if sends_no_events(kind):
            return f"it is on {kind}, where changes may come without events"
        for place, mounted in mounted_below(tree.real, self._mountinfo).items():
            path = tree.root / place.relative_to(tree.real)
            entered = self._filter.accepts_below(tree.root, path) and self._filter.enters_folder(path)
            if entered and sends_no_events(mounted):
                return f"{path} is on {mounted}, where changes may come without events"
        return None

    def _folders_watched(self) -> int:
        """Return the number of folders of all watched roots; a root inside another needs no watches of its own."""
        folders = {tree.real: tree.survey.folders for tree in list(self._watched.values())}
        return sum(count for real, count in folders.items() if folders.keys().isdisjoint(real.parents))

    def _unwatched_folders(self) -> int:
        held = self._limits.held()
        return 0 if held is None else max(0, self._folders_watched() - held)

    def _poll_links(self, tree: _Watched, *, report: bool = False) -> None:
        """Poll the linked folders below a watched root. ``report`` says whether new ones are reported."""
        targets = {os.path.realpath(polled.root) for polled in self._polled.values()}
        for link in tree.survey.links:
            target = Path(os.path.realpath(link))
            if link in self._polled or str(target) in targets or self._sees_into(tree, target):
                continue
            targets.add(str(target))
            polled = self._polled[link] = PolledTree(link, self._filter, linked=True)
            polled.look()
            if report:
                self._deliver(FileEvent("written", link, is_directory=True))
        self._note_links(tree.root)

    def _sees_into(self, tree: _Watched, target: Path) -> bool:
        """Return whether a scan of the tree reports files in ``target`` by their real paths, or treats it as a loop."""
        if is_at_or_below(tree.real, target):
            return True
        if not is_at_or_below(target, tree.real):
            return False
        path = tree.root / target.relative_to(tree.real)
        return self._filter.accepts_below(tree.root, path) and self._filter.enters_folder(path)

    def _note_links(self, root: Path) -> None:
        links = sum(polled.linked and is_at_or_below(polled.root, root) for polled in self._polled.values())
        text = f"{links} linked folder(s) send no events: scanned every {self._poll_seconds:g} s"
        self._note("links", root, text if links else None)

    def _poll_instead(self, root: Path, reason: str) -> None:
        for link in [link for link, polled in self._polled.items() if polled.linked and is_at_or_below(link, root)]:
            del self._polled[link]  # a scan of the root follows it
        self._reasons[root] = reason
        self._polled[root] = PolledTree(root, self._filter)
        self._note_links(root)
        self._note("mode", root, f"scanned every {self._poll_seconds:g} s instead of watched: {reason}")

    def _note(self, topic: str, root: Path, text: str | None) -> None:
        """Set the problem of one topic of one root, or clear it with ``None``."""
        if text is None:
            self._notices.pop((topic, root), None)
        else:
            self._notices[topic, root] = f"{shown(root)}: {text}"

    # ---- watchdog's thread

    def _queue_overflow(self, tree: _Watched) -> None:
        if tree.emitter is not None:
            tree.emitter.queue_event(_EventsLost(str(tree.real)))

    def _receive(self, tree: _Watched, event: FileSystemEvent) -> None:
        if self._watched.get(tree.root) is not tree:
            return  # polled by now
        if event.event_type == "overflow":
            self._deliver(FileEvent("overflow", tree.root))
            return
        if event.event_type in ("opened", "closed_no_write"):
            return
        source = respelt(event.src_path, tree.root, tree.real)
        destination = respelt(event.dest_path, tree.root, tree.real)
        if event.event_type in ("created", "moved", "attrib"):
            tree.grew = tree.grew or event.is_directory or os.path.islink(destination or source or "")
        translation = translated(event, source, destination, tree.root, self._filter)
        if translation is None:
            return
        if event.event_type == "moved":
            tree.exchanged = tree.exchanged or _is_exchange(source, destination)
        is_there = os.path.isdir if translation.is_directory else os.path.lexists
        if translation.kind == "removed" and is_there(translation.path):
            # Written again meanwhile, or the word of a folder that was moved away and is still watched there.
            translation = replace(translation, kind="written")
        self._deliver(translation)

    def _deliver(self, event: FileEvent) -> None:
        with self._delivery:
            if self._stopping.is_set():
                return
            try:
                self._on_event(event)
            except Exception as error:  # it would end watchdog's thread, and with it all events
                logger.exception("an event of %s was lost", event.path)
                self._notices["lost", None] = f"an event of {event.path} was lost: {in_one_line(error)}"

    # ---- the keeper's thread

    def _keep(self) -> None:
        while not self._stopping.wait(self._poll_seconds):
            for root in [root for root in self._absent if is_folder(root)]:
                self._guarded(root, partial(self._begin_late, root))
            for tree in list(self._watched.values()):
                self._guarded(tree.root, partial(self._check, tree))
            for polled in list(self._polled.values()):
                if time.monotonic() >= polled.rests_until:
                    self._guarded(polled.root, partial(self._poll, polled))

    def _begin_late(self, root: Path) -> None:
        """Watch a root that did not exist at the start."""
        self._polled.pop(root, None)
        self._reasons.pop(root, None)
        self._note("mode", root, None)
        self._note("look", root, None)
        self._begin(root, self._refusal)
        self._absent.discard(root)
        self._deliver(FileEvent("overflow", root))

    def _guarded(self, root: Path, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # one root's trouble must not end the care for the others
            logger.exception("cannot look after %s", root)
            self._note("care", root, f"the last look failed: {in_one_line(error)}")
        else:
            self._note("care", root, None)

    def _check(self, tree: _Watched) -> None:
        """Check that events of this tree still arrive; fall back to polling when they do not."""
        reason = self._why_silent(tree)
        if reason is None and tree.exchanged:
            reason = self._watch_again(tree)
            if reason is None:
                return
        # A shortfall of watches means folders that watchdog could not add, or watches that an unmount has ended.
        if reason is None and (tree.grew or tree.short or self._unwatched_folders()):
            tree.grew = False
            tree.survey = survey(tree.root, self._filter)
            missing = self._unwatched_folders()
            # Twice in a row: watchdog may not have got round to new folders at the first look.
            if missing and tree.short:
                reason = self._watch_again(tree)
                if reason is None:
                    return
            tree.short = missing > 0
            self._poll_links(tree, report=True)
        if reason is not None:
            self._poll_instead(tree.root, reason)  # its first look, next, reports an overflow
            self._unwatch(tree)

    def _watch_again(self, tree: _Watched) -> str | None:
        """Watch a tree again from the start: watchdog may have lost folders that were moved while files were added, and
        takes folders that exchanged their names for one another.

        Return why events cannot be relied on, or ``None``.
        """
        self._unwatch(tree)
        again = _Watched(tree.root, tree.real, tree.identity, survey(tree.root, self._filter))
        refusal = self._watch(again)
        if refusal is None:
            self._poll_links(again, report=True)
            self._deliver(FileEvent("overflow", tree.root))  # what happened there was not seen
        return refusal

    def _why_silent(self, tree: _Watched) -> str | None:
        try:
            status = os.stat(tree.root)
        except OSError as error:
            return f"it could not be reached for a while ({error.strerror})"
        if (status.st_dev, status.st_ino) != tree.identity:
            return "another folder or disk has taken its place"
        if self._observer is None or not self._observer.is_alive() or is_dead(tree.emitter):
            return "its events have stopped"
        return self._why_no_events(tree)  # something may have been mounted below it since

    def _unwatch(self, tree: _Watched) -> None:
        self._watched.pop(tree.root, None)
        if self._observer is not None and tree.watch is not None:
            try:
                self._observer.unschedule(tree.watch)
            except Exception:  # the watch is dead already; what still comes from it is ignored
                logger.debug("cannot unschedule %s", tree.root, exc_info=True)
                close_reader(tree.emitter)

    def _poll(self, polled: PolledTree) -> None:
        began = time.monotonic()
        events = polled.look(self._stopping.is_set)
        polled.rests_until = time.monotonic() + (time.monotonic() - began) * (1 / POLLING_SHARE - 1)
        for event in events:
            self._deliver(event)
        if polled.gone:
            del self._polled[polled.root]
        self._note("look", polled.root, None if polled.gone else polled.problem)


def _is_exchange(source: Path | None, destination: Path | None) -> bool:
    """Return whether a move may have been one of two, of which a folder is one, that exchanged their names."""
    if source is None or destination is None:
        return False
    return os.path.lexists(source) and (os.path.isdir(source) or os.path.isdir(destination))


class _Handler(FileSystemEventHandler):
    def __init__(self, owner: FolderObserver, tree: _Watched) -> None:
        self._owner = owner
        self._tree = tree

    def dispatch(self, event: FileSystemEvent) -> None:
        self._owner._receive(self._tree, event)
