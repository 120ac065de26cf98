"""``photoindex worker``."""

from __future__ import annotations

from typing import Any

import click

from photoindex.cli.context import Context, captioning_options, stop_on_signals
from photoindex.cli.progress import ProgressDisplay
from photoindex.system.units import counted
from photoindex.types import Tally

ERRORS_SHOWN = 10


def _address(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, int] | None:
    """Return the address and the port that an option says."""
    if value is None:
        return None
    address, _, port = value.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise click.BadParameter(f"{value!r} is no port, nor an address and a port as in 0.0.0.0:9420")
    return address.strip("[]") or "127.0.0.1", int(port)


@click.command()
@captioning_options
@click.option("--claim", type=click.IntRange(1), metavar="N",
              help="Take at most this many photos from the queue at once. [default: 64]")  # fmt: skip
@click.option("--metrics", metavar="[ADDRESS:]PORT", callback=_address,
              help="Answer there with figures for Prometheus: the queue, and what this worker did. [default address: "
                   "127.0.0.1]")  # fmt: skip
@click.pass_obj
def worker(context: Context, /, metrics: tuple[str, int] | None, **flags: Any) -> None:
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
        total = library.work_until(stop, progress=display, notice=context.say, worked=worked, metrics=metrics)
    context.say(f"stopped; {counted(total.captioned, 'photo')} captioned")
