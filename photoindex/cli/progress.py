"""Progress of long work: a bar with rate and time left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

import click

from photoindex.cli.context import stderr_is_terminal
from photoindex.system.units import human_seconds
from photoindex.types import Progress

LINE_SECONDS = 30.0  # between two plain lines
DRAW_SECONDS = 0.1


class ProgressDisplay:
    """Call it with each :class:`Progress`; use it in a ``with`` block."""

    def __init__(self, quiet: bool = False, unit: str = "photos") -> None:
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
        self._close()

    def __call__(self, progress: Progress) -> None:
        if self._quiet:
            return
        now = time.monotonic()
        if progress.stage != self._stage:
            self._close()
            self._stage, self._started, self._first = progress.stage, now, progress.done
            self._shown = now - (LINE_SECONDS if not stderr_is_terminal() else 1)
        finished = progress.done >= progress.total
        pause = DRAW_SECONDS if stderr_is_terminal() else LINE_SECONDS
        if now - self._shown < pause and not finished:
            return
        self._shown = now
        if stderr_is_terminal():
            self._draw(progress)
        else:
            click.echo(self._line(progress, now), err=True)

    def _line(self, progress: Progress, now: float) -> str:
        done = progress.done - self._first
        line = f"{progress.stage}: {progress.done} of {progress.total} {self._unit}"
        if done and now > self._started:
            rate = done / (now - self._started)
            left = (progress.total - progress.done) / rate
            line += f", {rate:.1f}/s, {human_seconds(left)} left" if left >= 1 else f", {rate:.1f}/s"
        extra = "".join(f", {key} {value}" for key, value in progress.detail.items())
        return line + extra

    def _draw(self, progress: Progress) -> None:
        # Imported here: a search or a script's run never draws a bar.
        from rich.console import Console
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
            )
            self._bar.start()
            self._task = self._bar.add_task(progress.stage, total=progress.total, rate="", extra="")
        spent = time.monotonic() - self._started
        done = progress.done - self._first
        rate = f"{done / spent:.1f}/s" if done and spent > 0 else ""
        extra = " ".join(f"{key} {value}" for key, value in progress.detail.items())
        self._bar.update(self._task, completed=progress.done, total=progress.total, rate=rate, extra=extra)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
