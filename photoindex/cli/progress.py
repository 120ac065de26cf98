"""Progress of long work: a bar with speed and time left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from contextlib import suppress
from types import TracebackType
from typing import Any

from photoindex.cli.terminal import print_error, set_bar, stderr_is_terminal
from photoindex.system.terminal import visible
from photoindex.system.units import counted, human_seconds
from photoindex.types import Progress

LINE_SECONDS = 30.0  # between two plain lines
DRAW_SECONDS = 0.1


class ProgressDisplay:
    """Shows each :class:`Progress` that it is called with; use it in a ``with`` block.

    The bar leaves the terminal when its work is done, and while another line is written. A terminal that is gone,
    as that of a process which outlives it, is no reason to stop.
    """

    def __init__(self, quiet: bool = False, unit: str = "photo") -> None:
        self._quiet = quiet
        self._unit = unit
        self._stage = ""
        self._started = self._shown = time.monotonic()
        self._first = 0
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> ProgressDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hide()

    def __call__(self, progress: Progress) -> None:
        if self._quiet:
            return
        now = time.monotonic()
        terminal = stderr_is_terminal()
        if progress.stage != self._stage:
            self._hide()
            self._stage, self._started, self._first = progress.stage, now, progress.done
            self._shown = now - (1 if terminal else LINE_SECONDS)
        finished = progress.done >= progress.total and not progress.counting
        if now - self._shown < (DRAW_SECONDS if terminal else LINE_SECONDS) and not finished:
            return
        self._shown = now
        if not terminal:
            print_error(self._line(progress, now))
        elif not finished:
            self._draw(progress)
        if finished:
            self._hide()
            self._stage = ""  # what comes next is other work: the time between is not part of its speed

    def _line(self, progress: Progress, now: float) -> str:
        done = progress.done - self._first
        if progress.counting:
            return f"{progress.stage}: {counted(progress.done, progress.unit or self._unit)}"
        line = f"{progress.stage}: {progress.done:,} of {counted(progress.total, progress.unit or self._unit)}"
        if done and now > self._started:
            rate = done / (now - self._started)
            left = (progress.total - progress.done) / rate
            line += f", {rate:.1f}/s, {human_seconds(left)} left" if left >= 1 else f", {rate:.1f}/s"
        extra = "".join(f", {key} {value}" for key, value in progress.detail.items())
        return line + extra

    def _draw(self, progress: Progress) -> None:
        # Imported here: a search or a script's run never draws a bar.
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        if self._bar is None:
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(compact=True),
                TextColumn("{task.fields[extra]}"),
                console=Console(stderr=True),
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            stage = escape(visible(progress.stage))
            self._task = self._bar.add_task(stage, total=None, rate="", extra="")
            self._bar.start()
        set_bar(self._hide)
        spent = time.monotonic() - self._started
        done = progress.done - self._first
        rate = f"{done / spent:.1f}/s" if done and spent > 0 else ""
        extra = escape(visible(" ".join(f"{key} {value}" for key, value in progress.detail.items())))
        total = None if progress.counting else progress.total
        self._bar.update(self._task, completed=progress.done, total=total, rate=rate, extra=extra)

    def _hide(self) -> None:
        """Take the bar off the terminal; the next progress draws it again."""
        if self._bar is not None:
            set_bar(None)
            bar, self._bar = self._bar, None
            with suppress(OSError):  # the terminal is gone
                bar.stop()
