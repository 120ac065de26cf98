"""Trying again what failed for a reason that may pass: exponential backoff, for a program that runs for years."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from photoindex.errors import CaptionerCrashed, CatalogueUnavailable, DecoderUnavailable, FullTextError

FIRST_PAUSE: Final = 1.0  # seconds; each pause is twice as long as the one before
LONGEST_PAUSE: Final = 300.0
# A full disk, a lock that somebody holds, an input/output error, too little memory, too many processes. Not: a damaged
# catalogue, or one that a newer version has taken over, which must not be written to again.
PASSING: Final = (CatalogueUnavailable, FullTextError, CaptionerCrashed, DecoderUnavailable, OSError)

Result = TypeVar("Result")


class Retry:
    """Repeats steps until they succeed, as long as they fail with one of :data:`PASSING`.

    ``notice`` hears of each trouble once, in one line, and when it is over. ``pause`` waits so many seconds, or less
    when the program is to stop, which ``stopped`` tells. ``let_go`` is called before a pause, to free what is held.
    """

    def __init__(
        self,
        notice: Callable[[str], None],
        pause: Callable[[float], object],
        stopped: Callable[[], bool],
        let_go: Callable[[], None],
    ) -> None:
        self._notice = notice
        self._pause = pause
        self._stopped = stopped
        self._let_go = let_go
        self._told: str | None = None

    @property
    def held_up(self) -> bool:
        """Whether the step at hand has failed before."""
        return self._told is not None

    def until_done(self, step: Callable[[], Result]) -> Result | None:
        """What ``step`` returns at last; ``None`` when told to stop before. It must bear being repeated."""
        seconds = FIRST_PAUSE
        while not self._stopped():
            try:
                result = step()
            except PASSING as error:
                self._tell(error)
                self._let_go()
                self._pause(seconds)
                seconds = min(2 * seconds, LONGEST_PAUSE)
            else:
                if self.held_up:
                    self._notice("that is over; going on")
                    self._told = None
                return result
        return None

    def _tell(self, error: Exception) -> None:
        line = str(error)
        if line != self._told:
            self._notice(f"{line}; nothing is lost, trying again until it works")
        self._told = line
