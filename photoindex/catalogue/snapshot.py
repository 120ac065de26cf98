"""A copy of a catalogue whose folder cannot be written, with the log that was left beside it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path


class CatalogueCopy:
    """The catalogue at ``source`` and its log as they are now, in a folder of their own, where SQLite can read the log.

    Raises :class:`OSError` when they cannot be copied.
    """

    def __init__(self, source: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="photoindex-")
        self.path = Path(self._folder.name, source.name)
        try:
            for end in ("", "-wal"):
                shutil.copyfile(f"{source}{end}", f"{self.path}{end}")
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Delete the copy."""
        self._folder.cleanup()
