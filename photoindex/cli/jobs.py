"""``photoindex jobs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from photoindex.cli.context import Context, json_option, write_json
from photoindex.cli.terminal import print_line
from photoindex.library.json_forms import batch_json
from photoindex.system.units import human_seconds

if TYPE_CHECKING:
    from photoindex.library import Batch


@click.group()
def jobs() -> None:
    """List batches of photos to be captioned again, and pause, resume or cancel them.

    A process that works on a batch notices within a few photos, whichever terminal it runs in.
    """


@jobs.command("list")
@click.option("--all", "everything", is_flag=True, help="Also list those that have ended.")
@json_option
@click.pass_obj
def list_jobs(context: Context, /, everything: bool, as_json: bool) -> None:
    """List the batches: what was asked for, progress, speed and time left."""
    with context.open() as library:
        batches = library.batches.find(ended=everything)
        others = library.batches.others()
    if as_json:
        write_json({"batches": [batch_json(batch) for batch in batches], "new": others})
        return
    for batch in batches:
        print_line(_line(batch))
    if others["queued"] or others["running"]:
        print_line(f"new or changed photos: {others['queued']} waiting, {others['running']} running")
    if not batches:
        context.say("no batches" + ("" if everything else " to do; --all lists those that have ended"))


def _line(batch: Batch) -> str:
    asked = f"--{batch.kind}" + (f" {batch.query!r}" if batch.kind == "where" and batch.query else "")
    if batch.query and batch.kind != "where":
        asked += f" --where {batch.query!r}"
    parts = [f"{batch.done} of {batch.total} done"]
    if batch.failed:
        parts.append(f"{batch.failed} failed")
    if batch.state in ("running", "waiting", "paused"):
        parts.append(f"{batch.priority} priority")
    if batch.rate is not None:
        parts.append(f"{batch.rate:.1f}/s" + (f" by {batch.workers} processes" if batch.workers > 1 else ""))
    if batch.seconds_left is not None:
        parts.append(f"{human_seconds(batch.seconds_left)} left")
    when = batch.finished_at or batch.created_at
    return f"{batch.id}  {batch.state:<9} {asked}: {', '.join(parts)} ({when:%Y-%m-%d %H:%M} UTC)"


@jobs.command("pause")
@click.argument("ids", nargs=-1, type=int, metavar="[ID…]")
@click.pass_obj
def pause(context: Context, /, ids: tuple[int, ...]) -> None:
    """Stop working on batches (all when none is named) until they are resumed."""
    with context.open() as library:
        _report_changed(context, library.batches.pause(*ids), "paused")


@jobs.command("resume")
@click.argument("ids", nargs=-1, type=int, metavar="[ID…]")
@click.pass_obj
def resume(context: Context, /, ids: tuple[int, ...]) -> None:
    """Go on with batches that are paused (all when none is named).

    A `watch` that runs takes them up again; `photoindex reindex --resume` does it here and now.
    """
    with context.open() as library:
        changed = library.batches.resume(*ids)
    _report_changed(context, changed, "resumed")
    if changed:
        context.say("a running watch goes on with it; so does photoindex reindex --resume")


@jobs.command("cancel")
@click.argument("ids", nargs=-1, type=int, metavar="[ID…]")
@click.pass_obj
def cancel(context: Context, /, ids: tuple[int, ...]) -> None:
    """Drop what is left of a batch; captions already made stay. ID may be left out when there is only one."""
    with context.open() as library:
        if not ids:
            batches = library.batches.find()
            if len(batches) > 1:
                raise click.UsageError(f"name one of the batches {', '.join(str(batch.id) for batch in batches)}")
        _report_changed(context, library.batches.cancel(*ids), "cancelled")


def _report_changed(context: Context, ids: list[int], what: str) -> None:
    if not ids:
        context.say(f"nothing to be {what}")
    for number in ids:
        context.say(f"{what} batch {number}")
