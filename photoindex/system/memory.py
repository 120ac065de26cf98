"""When memory that is not needed any more goes back to the system, and when it had better not."""

from __future__ import annotations

import ctypes
import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

SHARE: Final = 50  # a collection waits until this many times as long as the last one took has gone by
# Bytes. glibc's own limit rises to 32 MB with what is freed, and a tenth of a model's room is lost.
LARGE: Final = 1 << 20
MANY_OBJECTS: Final = 50_000
M_TRIM_THRESHOLD: Final = -1  # mallopt(3), malloc.h
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8


class GarbageCollector:
    """Garbage collections that take at most one part in :data:`SHARE` of the time."""

    def __init__(self) -> None:
        self._due_at = 0.0  # by the monotonic clock

    def collect(self) -> bool:
        """Drop what nobody can reach, unless that was done a moment ago; return whether it was done."""
        began = time.monotonic()
        if began < self._due_at:
            return False
        gc.collect()
        ended = time.monotonic()
        self._due_at = ended + SHARE * (ended - began)
        return True


_collector: Final = GarbageCollector()


def give_back() -> None:
    """Drop what nobody can reach, and hand the pages that this left empty to the system.

    For after work that took much memory, in a process that goes on for days: Python looks for reference cycles when so
    many objects were made, however large they are, and glibc keeps what was freed below something that is still in use
    (malloc_trim(3)). Looking for cycles takes some 20 ms, and 130 ms where torch is loaded; so that is not done each
    time where this is called every second.
    """
    _collector.collect()
    trim = from_glibc("malloc_trim")
    if trim is not None:
        trim(0)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for reference cycles more rarely in this block, which makes many objects that stay and few cycles: Python
    looks each time a few hundred more have been made, and through all that stay now and then."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], MANY_OBJECTS) if before[0] else 0, *before[1:])  # 0: never
    try:
        yield
    finally:
        gc.set_threshold(*before)


def keep_for_good() -> None:
    """Leave all that is there now out of later collections, once it is known to stay: torch alone is half a million
    objects, which take 130 ms to look through. Large blocks that are freed from now on go back at once."""
    gc.collect()
    gc.freeze()
    set_option = from_glibc("mallopt")
    if set_option is not None:
        set_option(M_MMAP_THRESHOLD, LARGE)


def keep_freed(most: int) -> None:
    """Keep up to ``most`` bytes that were freed for what comes next, in blocks of up to a fourth of that.

    For a process that needs the same few megabytes again and again: glibc gives them back each time, and the system
    then hands out every page again, cleared. Does nothing with another C library.
    """
    set_option = from_glibc("mallopt")
    if set_option is not None:
        set_option(M_MMAP_THRESHOLD, most // 4)
        set_option(M_TRIM_THRESHOLD, most)


def share_arenas(most: int) -> None:
    """Let all threads take their memory from so many heaps.

    For a process with more threads than processors: glibc makes up to eight heaps a processor, and each keeps what was
    freed below something that is still in use. To be called before the threads begin. Does nothing with another C
    library.
    """
    set_option = from_glibc("mallopt")
    if set_option is not None:
        set_option(M_ARENA_MAX, most)


@cache
def from_glibc(name: str) -> Any:
    """A function of glibc; ``None`` with another C library."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return getattr(library, name) if hasattr(library, "gnu_get_libc_version") and hasattr(library, name) else None
