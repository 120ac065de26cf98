"""``photoindex reindex`` and ``photoindex jobs``: captioning anew, as batches that can be looked at and stopped."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any

import click

from photoindex.cli.context import (
    EXIT_INTERRUPTED,
    EXIT_SOME_FAILED,
    Context,
    batch_option,
    beam_option,
    device_option,
    engine_option,
    json_option,
    model_option,
    nice_option,
    rate_option,
    stop_on_signals,
    threads_option,
    write_json,
)
from photoindex.cli.output import visible
from photoindex.cli.progress import ProgressDisplay
from photoindex.system.units import human_seconds
from photoindex.types import Tally

if TYPE_CHECKING:
    from photoindex.catalogue.batches import Batch
    from photoindex.catalogue.jobs import Priority
    from photoindex.library import Library

FAILURES_SHOWN = 10


@click.command()
@click.option("--stale", "what", flag_value="stale", help="Photos captioned by another model than the one in use.")
@click.option("--all", "what", flag_value="all", help="Every photo.")
@click.option("--failed", "what", flag_value="failed", help="Photos that could not be captioned.")
@click.option("--resume", "what", flag_value="resume", help="What is queued already, with no new batch.")
@click.option("--fulltext", "what", flag_value="fulltext", help="Only make the full-text index anew; no captioning.")
@click.option("--where", "query", metavar="QUERY",
              help="Photos that answer a query of `search`; with --stale, the stale ones of them.")  # fmt: skip
@click.option("--priority", type=click.Choice(["low", "normal", "high"]), default="low", show_default=True,
              help="low: new and changed photos go first; normal: what waits longest; high: these.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say how many photos it would do and how long it would take; do nothing.")
@json_option
@device_option
@engine_option
@model_option
@beam_option
@batch_option
@threads_option
@nice_option
@rate_option
@click.pass_obj
def reindex(
    context: Context, /, what: str | None, query: str | None, priority: Priority, dry_run: bool, as_json: bool,
    **flags: Any,
) -> None:  # fmt: skip
    """Caption photos anew as a batch, or rebuild the search index.

    Old captions stay searchable until each is replaced, and are kept as history; your own are never touched. A run that
    is stopped goes on with the next `reindex --resume`, `index` or `watch`. `photoindex jobs` shows how far it is and
    stops it, from any terminal.

    \b
      photoindex reindex --stale                       after a change of the model
      photoindex reindex --where 'taken:2023 dog'      photos that a query finds
      photoindex reindex --all --dry-run               how many, and how long
    """
    if what is None and query is None:
        raise click.UsageError("say what: --stale, --all, --where QUERY, --failed, --resume or --fulltext")
    if query is not None and what not in (None, "stale", "all"):
        raise click.UsageError(f"--where does not go with --{what}")
    if as_json and not dry_run:
        raise click.UsageError("--json goes with --dry-run")
    chosen: dict[str, Any] = {"everything": what in (None, "all"), "failed": what == "failed", "query": query}
    with context.work(**flags) as library, stop_on_signals() as stop:
        if what == "fulltext":
            with ProgressDisplay(context.quiet) as display:
                count = library.status().captioned if dry_run else library.rebuild_full_text(display)
            context.say(f"{count} photos {'would be ' if dry_run else ''}indexed")
            return
        if dry_run:
            _plan(context, library, what, chosen, as_json)
            return
        number, tally = _work(context, library, what, chosen, priority, stop)
        _tell(context, library, number, tally, stop.is_set())
    if stop.is_set():
        raise SystemExit(EXIT_INTERRUPTED)
    if tally.failed:
        raise SystemExit(EXIT_SOME_FAILED)


def _plan(context: Context, library: Library, what: str | None, chosen: dict[str, Any], as_json: bool) -> None:
    if what == "resume":
        waiting = sum(batch.left for batch in library.batches.find() if batch.state != "paused")
        context.say(f"{waiting + library.batches.others()['queued']} photos are queued")
        return
    plan = library.plan_recaption(**chosen)
    if as_json:
        write_json({**dataclasses.asdict(plan), "seconds": plan.seconds})
        return
    context.say(f"{plan.photos} photos would be captioned")
    for model, count in plan.by_model.items():
        context.say(f"  {count} now by {model}")
    if plan.seconds is not None and plan.rate is not None:
        context.say(
            f"about {human_seconds(plan.seconds)}, at {plan.rate:.1f} photos a second (measured by {plan.rate_from})"
        )


def _work(
    context: Context, library: Library, what: str | None, chosen: dict[str, Any], priority: Priority,
    stop: threading.Event,
) -> tuple[int | None, Tally]:  # fmt: skip
    made: list[int | None] = [None]

    def started(number: int | None, photos: int) -> None:
        made[0] = number
        if number is not None:
            context.say(f"batch {number}: {photos} photos")

    with ProgressDisplay(context.quiet) as display:
        if what == "resume":
            return None, library.work_off(progress=display, stop=stop)
        tally = library.recaption(**chosen, priority=priority, progress=display, stop=stop, started=started)
    return made[0], tally


def _tell(context: Context, library: Library, number: int | None, tally: Tally, stopped: bool) -> None:
    context.say(f"{tally.captioned} captioned" + (f", {tally.failed} failed" if tally.failed else ""))
    for _, error in tally.errors[:FAILURES_SHOWN]:
        context.say(f"  {error}")
    if number is None and not tally.done:
        for paused in (batch for batch in library.batches.find() if batch.state == "paused"):
            context.say(f"batch {paused.id} has {paused.left} to do and is paused: photoindex jobs resume {paused.id}")
    batch = next((each for each in library.batches.find(ended=True) if each.id == number), None)
    if batch is None or batch.state == "done":
        return
    if batch.state == "cancelled":
        context.say(f"batch {batch.id} was cancelled")
    elif batch.state == "paused":
        context.say(f"batch {batch.id} is paused, {batch.left} left: photoindex jobs resume {batch.id}")
    elif batch.workers and not stopped:
        context.say(f"another process does the last {batch.left}: photoindex jobs list")
    else:
        context.say(f"{batch.left} left: photoindex reindex --resume goes on")


@click.group()
def jobs() -> None:
    """List batches of photos that are captioned anew, and pause, resume or cancel them.

    A process that works on a batch notices within a few photos, whichever terminal it runs in.
    """


@jobs.command("list")
@click.option("--all", "everything", is_flag=True, help="List those that have ended, too.")
@json_option
@click.pass_obj
def list_jobs(context: Context, /, everything: bool, as_json: bool) -> None:
    """List the batches: what was asked, how far each is, its rate and the time left."""
    with context.open() as library:
        found = library.batches.find(ended=everything)
        others = library.batches.others()
    if as_json:
        batches = [{**dataclasses.asdict(batch), "seconds_left": batch.seconds_left} for batch in found]
        write_json({"batches": batches, "new": others})
        return
    for batch in found:
        click.echo(_line(batch))
    if others["queued"] or others["running"]:
        click.echo(f"new or changed photos: {others['queued']} waiting, {others['running']} at work")
    if not found:
        context.say("no batches" + ("" if everything else " at work; --all lists those that have ended"))


def _line(batch: Batch) -> str:
    asked = f"--{batch.kind}" + (f" {visible(batch.query)!r}" if batch.kind == "where" and batch.query else "")
    if batch.query and batch.kind != "where":
        asked += f" --where {visible(batch.query)!r}"
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
        _say_changed(context, library.batches.pause(*ids), "paused")


@jobs.command("resume")
@click.argument("ids", nargs=-1, type=int, metavar="[ID…]")
@click.pass_obj
def resume(context: Context, /, ids: tuple[int, ...]) -> None:
    """Go on with batches that are paused (all when none is named).

    A `watch` that runs takes them up again; `photoindex reindex --resume` does it here and now.
    """
    with context.open() as library:
        changed = library.batches.resume(*ids)
    _say_changed(context, changed, "resumed")
    if changed:
        context.say("a running watch goes on with it; so does photoindex reindex --resume")


@jobs.command("cancel")
@click.argument("ids", nargs=-1, type=int, metavar="[ID…]")
@click.pass_obj
def cancel(context: Context, /, ids: tuple[int, ...]) -> None:
    """Drop what is left of a batch; captions that are made already stay. ID may be left out when there is only one."""
    with context.open() as library:
        if not ids:
            found = library.batches.find()
            if len(found) > 1:
                raise click.UsageError(f"say which: {', '.join(str(batch.id) for batch in found)}")
        _say_changed(context, library.batches.cancel(*ids), "cancelled")


def _say_changed(context: Context, ids: list[int], what: str) -> None:
    if not ids:
        context.say(f"nothing to be {what}")
    for number in ids:
        context.say(f"{what} batch {number}")
