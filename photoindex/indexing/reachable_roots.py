"""Which folders of a shared catalogue this machine reaches. What lies below the others is left to other machines."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from photoindex.catalogue.database import Database
from photoindex.catalogue.fast_queries import list_roots
from photoindex.system.storage import is_there
from photoindex.system.url_paths import is_url

LOOK_SECONDS: Final = 30.0  # between two looks which folders are there


class ReachableRoots:
    """The roots whose folders this machine sees, looked at now and then, and at once when there is another one."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._looked_at: float | None = None
        self._known: dict[int, Path] = {}
        self._here: set[int] = set()

    def __call__(self) -> set[int] | None:
        """Return the ids of the roots that are here; ``None`` for all."""
        with self._database.ask() as asker:
            roots = {root.id: root.path for root in list_roots(asker)}
        now = self._clock()
        if self._looked_at is None or now - self._looked_at > LOOK_SECONDS:
            self._looked_at, self._known = now, {}
        # One that was moved lies elsewhere now, and one that this process has just added is to be worked on.
        unseen = {number for number, path in roots.items() if self._known.get(number) != path}
        self._here = ((self._here - unseen) & roots.keys()) | {number for number in unseen if _is_here(roots[number])}
        self._known = roots
        return None if self._here.issuperset(roots) else set(self._here)


def all_roots() -> None:
    """Return ``None``, as :class:`ReachableRoots` does where all roots are here."""


def _is_here(folder: Path) -> bool:
    """Return whether a folder is there and not empty, as a mount point without its disk is."""
    if is_url(folder):
        return is_there(folder)
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False
