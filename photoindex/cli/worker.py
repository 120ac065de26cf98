"""``photoindex worker``."""

from __future__ import annotations

from typing import Any

import click

from photoindex.cli.context import Context, captioning_options, stop_on_signals
from photoindex.cli.progress import ProgressDisplay
from photoindex.system.units import counted
from photoindex.types import Tally

ERRORS_SHOWN = 10


@click.command()
@captioning_options
@click.option("--claim", type=click.IntRange(1), metavar="N",
              help="Take at most this many photos from the queue at once. [default: 64]")  # fmt: skip
@click.pass_obj
def worker(context: Context, /, **flags: Any) -> None:
    """Caption what is queued, until stopped.

    Any number of workers may run, on any machine that reaches the catalogue (the setting `catalogue`) and the photos
    by the same paths. `photoindex index --queue-only` and `photoindex watch` fill the queue. One that is killed loses
    nothing: its photos are taken by others when its lease ends (the setting lease_seconds).
    """
    with (
        context.work(**flags) as library,
        stop_on_signals() as stop,
        ProgressDisplay(context.quiet) as display,
    ):

        def worked(tally: Tally) -> None:
            parts = [f"{tally.captioned:,} captioned"]
            parts += [f"{number:,} {what}" for number, what in (
                (tally.recognised, "recognised"), (tally.failed, "failed")) if number]  # fmt: skip
            context.say(", ".join(parts))
            for _, error in tally.errors[:ERRORS_SHOWN]:
                context.say(f"  {error}")

        context.say("waiting for photos; Ctrl-C stops")
        total = library.work_until(stop, progress=display, notice=context.say, worked=worked)
    context.say(f"stopped; {counted(total.captioned, 'photo')} captioned")
