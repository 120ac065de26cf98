"""Which folders of a shared catalogue this machine reaches. What lies below the others is left to other machines.

Nor is a folder reached that holds other photos than the catalogue has there, as where the wrong disk is mounted: a
worker would find each photo of it absent and put it off, for all machines, faster than others caption them. The process
that compares the folder knows better: it has just marked what is gone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from photoindex.catalogue.database import Database
from photoindex.catalogue.fast_queries import list_roots, some_present
from photoindex.catalogue.raw_sql import Asker
from photoindex.system.paths import printable
from photoindex.system.storage import is_there
from photoindex.system.url_paths import is_url

LOOK_SECONDS: Final = 30.0  # between two looks which folders are there


class ReachableRoots:
    """The roots whose folders this machine sees, looked at now and then, and at once when there is another one.

    ``notice`` receives a line about each folder that holds other photos.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float] = time.monotonic,
        notice: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._notice = notice
        self._looked_at: float | None = None
        self._known: dict[int, tuple[Path, bool]] = {}
        self._here: set[int] = set()
        self._noticed: set[int] = set()

    def __call__(self) -> set[int] | None:
        """Return the ids of the roots that are here; ``None`` for all."""
        with self._database.ask() as asker:
            roots = {root.id: (root.path, self._database.judges(root.path)) for root in list_roots(asker)}
            now = self._clock()
            if self._looked_at is None or now - self._looked_at > LOOK_SECONDS:
                self._looked_at, self._known = now, {}
            # One that was moved lies elsewhere now, and one that this process has just added is to be worked on.
            unseen = {number for number, root in roots.items() if self._known.get(number) != root}
            samples = {number: self._sample(asker, number, *roots[number]) for number in unseen}
        came = {number for number in unseen if self._is_here(number, roots[number][0], samples[number])}
        self._here = ((self._here - unseen) & roots.keys()) | came
        self._known = roots
        return None if self._here.issuperset(roots) else set(self._here)

    def _sample(self, asker: Asker, number: int, folder: Path, judged: bool) -> list[str]:
        """Return the names of some photos that should be in a folder, where that is to be seen."""
        if judged or is_url(folder) or not self._database.is_shared:
            return []
        return some_present(asker, number)

    def _is_here(self, number: int, folder: Path, sample: list[str]) -> bool:
        """Return whether a folder is there, and not empty, as a mount point without its disk is, nor another one."""
        if is_url(folder):
            return is_there(folder)
        try:
            with os.scandir(folder) as entries:
                if next(entries, None) is None:
                    return False
        except OSError:
            return False
        if not sample or any(os.path.lexists(folder / name) for name in sample):
            self._noticed.discard(number)
            return True
        if number not in self._noticed:
            self._noticed.add(number)
            self._notice(
                f"{printable(folder)} holds none of the photos that the catalogue has there, so they are left to other "
                "machines: mount the right disk, or correct the setting mounts"
            )
        return False


def all_roots() -> None:
    """Return ``None``, as :class:`ReachableRoots` does where all roots are here."""
