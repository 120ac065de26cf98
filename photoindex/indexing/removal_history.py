"""What a root lost lately: how many files it held at most, and which photos went since.

Each removal is placed at the time when its event arrived, not when it was handled, and goes with the number of files
that the root held by then as far as events say. So it does not matter how far the handling lags behind: photos that
were removed one by one over minutes were not removed at once, and those that others replaced are no loss.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

BURST_SECONDS: Final = 5.0  # removals that follow each other faster than this are one burst,
LONGEST_BURST: Final = 60.0  # of which no more than this counts: in a busy folder removals never cease


@dataclass(slots=True)
class _Step:
    arrived: float
    held: int
    photos: list[int] = field(default_factory=list)


class RemovalHistory:
    """The removals of one root's photos since it held the most files, within one burst.

    Steps are in the order of arrival, each with fewer files held than the one before it: a step at which as many were
    held as earlier begins the history again, as the loss until then was made up for.
    """

    def __init__(self) -> None:
        self._steps: deque[_Step] = deque()
        self._last = 0.0
        self._left = 0

    @property
    def peak(self) -> int:
        """The most files that the root held."""
        return self._steps[0].held if self._steps else 0

    @property
    def photos(self) -> list[int]:
        """The ids of the photos' files that went since, in their order."""
        return [photo for step in self._steps for photo in step.photos]

    def add(self, arrived: float, held: int, left: int, photos: Sequence[int]) -> None:
        """Add photos that went at ``arrived`` (seconds), when the root held ``held`` files before and ``left`` after.

        Files that went otherwise since the last step, as by a rule that leaves them out, are no loss.
        """
        if arrived - self._last > BURST_SECONDS:
            self._steps.clear()
        while self._steps and arrived - self._steps[0].arrived > LONGEST_BURST:
            self._steps.popleft()
        for step in self._steps if held < self._left else ():
            step.held -= self._left - held
        while self._steps and self._steps[-1].held <= held:
            before = self._steps.pop()
            if self._steps:
                self._steps[-1].photos += before.photos
        self._steps.append(_Step(arrived, held, list(photos)))
        self._last, self._left = max(arrived, self._last), left
