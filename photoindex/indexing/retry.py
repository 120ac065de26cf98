"""Try again what failed for a reason that may pass: exponential backoff, for a program that runs for years."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar

from photoindex.errors import CaptionerCrashed, CatalogueUnavailable, DecoderUnavailable, FullTextError

FIRST_PAUSE: Final = 1.0  # seconds; each pause is twice as long as the one before
LONGEST_PAUSE: Final = 300.0
# A full disk, a lock that somebody holds, an input/output error, too little memory, too many processes. Not: a
# catalogue that is damaged, was replaced, or was taken over by a newer version, which must not be written to again.
PASSING: Final = (CatalogueUnavailable, FullTextError, CaptionerCrashed, DecoderUnavailable, OSError)
_NUMBER: Final = re.compile(r"\d+")

Result = TypeVar("Result")


class Retry:
    """Repeats steps until they succeed, as long as they fail with one of :data:`PASSING`.

    ``notice`` receives each trouble once, in one line, and a line when it is over. ``pause`` waits so many seconds, or
    less when the program is to stop, as ``stopped`` says. ``release`` is called before a pause, to free what is held.
    """

    def __init__(
        self,
        notice: Callable[[str], None],
        pause: Callable[[float], object],
        stopped: Callable[[], bool],
        release: Callable[[], None],
    ) -> None:
        self._notice = notice
        self._pause = pause
        self._stopped = stopped
        self._release = release
        self._noticed: str | None = None

    @property
    def is_retrying(self) -> bool:
        """Whether the current step has failed before."""
        return self._noticed is not None

    def until_done(self, step: Callable[[], Result]) -> Result | None:
        """Return what ``step`` returns at last; ``None`` when stopped before. The step must allow to be repeated."""
        seconds = FIRST_PAUSE
        while not self._stopped():
            try:
                result = step()
            except PASSING as error:
                self._report(error)
                self._release()
                self._pause(seconds)
                seconds = min(2 * seconds, LONGEST_PAUSE)
            else:
                if self.is_retrying:
                    self._notice("it works again; going on")
                    self._noticed = None
                return result
        return None

    def _report(self, error: Exception) -> None:
        line = str(error)
        trouble = _NUMBER.sub("0", line)  # a server with a full disk names another one of its files each time
        if trouble != self._noticed:
            self._notice(f"{line}; nothing is lost, trying again until it works")
        self._noticed = trouble
