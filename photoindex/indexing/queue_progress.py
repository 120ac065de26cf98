"""Progress of work on a queue that grows, and that other processes work off, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from photoindex.types import Progress


class QueueProgress:
    """Reports one stage of a run to ``progress``, if anybody listens. What waits was counted a while ago: the last
    report says that all is done."""

    def __init__(self, stage: str, progress: Callable[[Progress], None] | None) -> None:
        self._stage = stage
        self._progress = progress
        self._is_open = False  # work was reported to be left

    @property
    def is_wanted(self) -> bool:
        """Whether anybody listens."""
        return self._progress is not None

    def report(self, done: int, left: int, path: Path | None = None) -> None:
        """Say how many are done and how many are left, at ``path``."""
        if self._progress is not None:
            self._progress(Progress(self._stage, done, done + left, path))
            self._is_open = left > 0

    def end(self, done: int) -> None:
        """Say that nothing is left, unless that was said, or nothing of this stage."""
        if self._is_open:
            self.report(done, 0)
