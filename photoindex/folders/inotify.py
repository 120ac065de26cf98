"""What Linux and watchdog do not say aloud about inotify: its limits, lost events and dead readers.

The one module that looks behind watchdog's public interface. Where another version or system has nothing there, each
function says that it does not know, and nothing breaks.
"""

from __future__ import annotations

import errno
import threading
import warnings
from collections.abc import Callable

from watchdog.observers.api import EventEmitter


def report_overflow(emitter: EventEmitter | None, report: Callable[[], None]) -> bool:
    """Have ``report`` called, in a thread of watchdog's, after the kernel dropped events; False if that cannot be had.

    watchdog has no event for it. Since 7.1 it calls ``on_queue_overflow`` of each watch group, which sets the watches
    up again; ``report`` comes after that, so that a scan started then misses nothing. Earlier versions skip the
    overflow without a trace.
    """
    if emitter is None or not type(emitter).__module__.endswith(".inotify"):
        return True  # other systems' emitters have no such queue
    group = getattr(emitter, "_inotify", None)
    recover = getattr(group, "on_queue_overflow", None)
    if recover is None:
        return False

    def recover_and_report() -> None:
        recover()
        report()

    setattr(group, "on_queue_overflow", recover_and_report)  # noqa: B010
    return True


def hide_repeated_watches() -> None:
    """Have the process print none of watchdog's warnings that a folder is watched a second time by the same callback.

    It comes of folders that move while others are made, and does no harm; a warning lists all folders of the library.
    """
    warnings.filterwarnings("ignore", "Callback with id .* already exists", RuntimeWarning)


def close_reader(emitter: EventEmitter | None) -> None:
    """End the thread of an emitter that watchdog failed to end: it fails where two folders exchanged their names, after
    it has given back what the kernel watched, and before it closes what the thread reads from."""
    close = getattr(getattr(getattr(emitter, "_inotify", None), "_move_event_grouper", None), "close", None)
    if close is not None:
        close()


def is_dead(emitter: EventEmitter | None) -> bool:
    """Whether the emitter, or the thread that reads from the kernel for it, has ended."""
    threads = [emitter, *(getattr(emitter, name, None) for name in ("_inotify", "_inotify_fd"))]
    return any(isinstance(thread, threading.Thread) and not thread.is_alive() for thread in threads)


def explain(error: OSError) -> str:
    """Why watching failed, and what to do about it."""
    if error.errno == errno.ENOSPC:
        return "the limit of inotify watches is reached (raise fs.inotify.max_user_watches)"
    if error.errno == errno.EMFILE:
        return "the limit of inotify instances or open files is reached (raise fs.inotify.max_user_instances)"
    return f"events cannot be had there ({error.strerror or error})"


def explain_missing(missing: int, folders: int) -> str:
    return f"{missing} of its {folders} folders are not watched (the limit is fs.inotify.max_user_watches)"
