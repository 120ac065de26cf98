"""The model that a pipeline holds: loaded when it is needed, and given up when it dies or hangs.

A process that captions may be ended for want of memory, be killed by a driver, or never answer again. What it was
working on is then captioned photo by photo, so that a photo that is to blame fails alone; a GPU that fails with a photo
that was alone is left for the CPU.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from photoindex.captioner import Captioner
from photoindex.captioner.answers import ask
from photoindex.catalogue.jobs import LONE_TRIES
from photoindex.config import Settings
from photoindex.errors import CaptionerCrashed, CaptionerHung
from photoindex.indexing.save_results import Result
from photoindex.system import memory
from photoindex.types import Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CPU_SECONDS = 3600.0  # for so long the CPU captions in the place of a GPU that hung


class HeldModel:
    """Holds the captioner of the settings. ``notice`` receives a line when it goes over to the CPU.

    Threads load it once, and ask it one after the other: a captioner need not be safe to use from two at once.
    """

    def __init__(
        self,
        load: Callable[[Settings], Captioner],
        settings: Settings,
        notice: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._settings = settings
        self._notice = notice
        self._clock = clock
        self._captioner: Captioner | None = None
        self._loading = threading.Lock()
        self._asking = threading.Lock()
        self._cpu_until: float | None = None
        self._device = ""  # of the captioner that was loaded last, for a person

    @property
    def is_loaded(self) -> bool:
        return self._captioner is not None

    def get(self) -> Captioner:
        """Return the captioner; load it first if need be. Raises :class:`photoindex.errors.ModelError`."""
        with self._loading:
            if self._captioner is None:
                try:
                    captioner = self._load(self._chosen())
                except CaptionerHung as error:
                    self._device = ""
                    if not self.use_cpu(error):
                        raise
                    captioner = self._load(self._chosen())
                self._device = captioner.info.device
                self._captioner = captioner
                memory.keep_for_good()
            return self._captioner

    def caption(self, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Return what the captioner says of photos. Raises :class:`photoindex.errors.ModelError`."""
        captioner = self.get()
        with self._asking:
            return ask(captioner, photos)

    def close(self) -> None:
        """Let go of the model. May be called again."""
        if self._captioner is not None:
            self._captioner.close()
            self._captioner = None

    def use_cpu(self, error: CaptionerCrashed) -> bool:
        """Have the CPU caption from the next loading on, for a while; return whether that is another device."""
        if self._settings.device == "cpu" or self._cpu_until is not None or self._device.lower().startswith("cpu"):
            return False
        self._cpu_until = self._clock() + CPU_SECONDS
        self._notice(f"{error}, again on {self._device or 'its device'}: captioning goes on, slower, on the CPU")
        return True

    def _chosen(self) -> Settings:
        if self._cpu_until is not None and self._clock() >= self._cpu_until:
            self._cpu_until = None
        return self._settings if self._cpu_until is None else dataclasses.replace(self._settings, device="cpu")


class Suspects:
    """Photos, by content, that were with the captioner when it died or hung. Each is captioned alone from then on."""

    def __init__(self) -> None:
        self._deaths: dict[str, int] = {}  # of the captioner, when it had this photo alone

    def parts(self, batch: Sequence[Result]) -> list[Sequence[Result]]:
        """Return the batch in the parts to be captioned: all without suspicion together, each suspect alone."""
        together = [result for result in batch if _content(result) not in self._deaths]
        alone = [[result] for result in batch if _content(result) in self._deaths]
        return [*([together] if together else []), *alone]

    def is_to_blame(self, part: Sequence[Result], error: CaptionerCrashed) -> bool:
        """Note an end of the captioner with this part; return whether it was one suspect, alone, often enough.

        A captioner that ends may do so for want of memory, which passes; one that hangs twice will hang again.
        """
        known = len(part) == 1 and _content(part[0]) in self._deaths
        for result in part:
            self._deaths[_content(result)] = self._deaths.get(_content(result), 0) + known
        return known and (isinstance(error, CaptionerHung) or self._deaths[_content(part[0])] >= LONE_TRIES)

    def begin_again(self, part: Sequence[Result]) -> None:
        """Count from the start, as on another device."""
        self._deaths.update((_content(result), 0) for result in part)

    def clear(self, part: Sequence[Result]) -> None:
        """Suspect these photos no longer: they are done."""
        for result in part:
            self._deaths.pop(_content(result), None)


def _content(result: Result) -> str:
    return result.group[0].content_hash
