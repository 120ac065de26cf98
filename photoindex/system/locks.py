"""Locks between processes, by files that the system unlocks when their process dies."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from photoindex.errors import PhotoindexError

SILENT_SECONDS: Final = 2.0  # that a lock is waited for without a word
_LOOK_SECONDS: Final = 0.25  # between two looks whether to wait on

_log = logging.getLogger(__name__)


@contextmanager
def locked(
    path: Path,
    holder: str,
    error: type[PhotoindexError],
    *,
    seconds: float = math.inf,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Hold the lock at ``path`` for the block.

    ``holder`` says who else may hold it and what for, as the beginning of a line; one that has it for long, as it has
    much to do or is itself stopped, is told of once. Raises ``error`` when it still has it after ``seconds``, or when
    nobody is to wait any more (``stopped``), and OSError when the disk refuses.
    """
    from filelock import FileLock, Timeout  # imported here: it loads asyncio, which a search does without

    lock = FileLock(path)
    began = time.monotonic()
    is_told = False
    while True:
        try:
            lock.acquire(timeout=min(_LOOK_SECONDS, seconds))
            break
        except Timeout:
            waited = time.monotonic() - began
            if waited >= seconds or stopped():
                raise error(f"{holder}: wait for it, or stop it") from None
            if waited >= SILENT_SECONDS and not is_told:
                _log.warning("%s: waiting for it", holder)
                is_told = True
    try:
        yield
    finally:
        lock.release()
