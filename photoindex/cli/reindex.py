"""``photoindex reindex``: captioning photos again, as batches that can be looked at and stopped."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import click

from photoindex.cli.context import (
    ENGINES_HELP,
    EXIT_INTERRUPTED,
    EXIT_SOME_FAILED,
    Context,
    address_option,
    captioning_options_without_engine,
    json_option,
    stop_on_signals,
    write_json,
)
from photoindex.cli.parameters import flag_of
from photoindex.cli.plans import show_plan
from photoindex.cli.progress import ProgressDisplay
from photoindex.config import ENGINES
from photoindex.system.units import counted
from photoindex.types import Tally

if TYPE_CHECKING:
    from photoindex.library import Library, Priority

FAILURES_SHOWN = 10
RAY = "ray"


@click.command()
@flag_of("what", "--stale", value="stale", help="Photos captioned by another model than the one in use.")
@flag_of("what", "--all", value="all", help="Every photo.")
@flag_of("what", "--failed", value="failed", help="Photos that could not be captioned.")
@flag_of("what", "--text", value="text", help="Read the text in photos again; no captioning.")
@flag_of("what", "--resume", value="resume", help="Only what is queued already, without a new batch.")
@flag_of("what", "--fulltext", value="fulltext", help="Only rebuild the full-text index; no captioning.")
@click.option("--where", "query", metavar="QUERY",
              help="Photos that match a query of `search`; with --stale, the stale ones among them; with --text, those "
                   "to read.")  # fmt: skip
@click.option("--priority", type=click.Choice(["low", "normal", "high"]), default="low", show_default=True,
              help="low: after new and changed photos; normal: in the order of waiting; high: first.")  # fmt: skip
@click.option(
    "--dry-run", is_flag=True, help="Print how many photos it would caption and how long that takes; do nothing."
)
@json_option
@click.option("--engine", type=click.Choice([*ENGINES, RAY]),
              help=f"{ENGINES_HELP}; ray: workers of a Ray cluster caption, by the shared catalogue. "
                   "[default: auto]")  # fmt: skip
@address_option
@click.option("--workers", type=click.IntRange(1), metavar="N",
              help="How many workers Ray runs. [default: one a GPU, or one a machine without any]")  # fmt: skip
@captioning_options_without_engine
@click.pass_obj
def reindex(
    context: Context, /, what: str | None, query: str | None, priority: Priority, dry_run: bool, as_json: bool,
    engine: str | None, address: str | None, workers: int | None, **flags: Any,
) -> None:  # fmt: skip
    """Caption photos again as a batch, or rebuild the search index.

    Old captions stay searchable until each is replaced, and are kept as history; your own are never touched. A run that
    is stopped goes on with the next `reindex --resume`, `index` or `watch`. `photoindex jobs` shows its progress and
    stops it, from any terminal.

    \b
      photoindex reindex --stale                       after a change of the model
      photoindex reindex --where 'taken:2023 dog'      photos that a query finds
      photoindex reindex --all --dry-run               how many, and how long
      photoindex reindex --text --where is:document    read these photos again
      photoindex reindex --stale --engine ray          on the machines of a Ray cluster
    """
    _check_together(what, query, dry_run, as_json, engine, address or workers)
    chosen: dict[str, Any] = {"everything": what in (None, "all"), "failed": what == "failed", "query": query}
    if engine == RAY:
        from photoindex.cli.cluster import reindex_by_ray

        reindex_by_ray(context, flags, chosen, priority, address, workers, dry_run=dry_run, as_json=as_json)
        return
    if what == "fulltext":
        # Signals end it at once: the index that is there answers until the new one is whole.
        with context.work(engine=engine, **flags) as library, ProgressDisplay(context.quiet) as display:
            count = library.status().captioned if dry_run else library.rebuild_full_text(display)
        context.say(f"{counted(count, 'photo')} {'would be ' if dry_run else ''}indexed")
        return
    with context.work(engine=engine, **flags) as library, stop_on_signals() as stop:
        if what == "text":
            _read_text(context, library, query, priority, dry_run, as_json, stop)
            return
        if dry_run:
            _plan(context, library, what, chosen, as_json)
            return
        number, tally = _work(context, library, what, chosen, priority, stop)
        _summarise(context, library, number, tally, stop.is_set())
    if stop.is_set():
        raise SystemExit(EXIT_INTERRUPTED)
    if tally.failed:
        raise SystemExit(EXIT_SOME_FAILED)


def _check_together(
    what: str | None, query: str | None, dry_run: bool, as_json: bool, engine: str | None, of_ray: str | int | None
) -> None:
    """Raise :class:`click.UsageError` for options that do not go together; ``of_ray`` is set where one of Ray's is."""
    if what is None and query is None:
        raise click.UsageError("choose one of --stale, --all, --where QUERY, --failed, --text, --resume and --fulltext")
    if query is not None and what not in (None, "stale", "all", "text"):
        raise click.UsageError(f"--where does not go with --{what}")
    if as_json and not dry_run:
        raise click.UsageError("--json goes with --dry-run")
    if engine != RAY and of_ray:
        raise click.UsageError("--address and --workers go with --engine ray")
    if engine == RAY and what in ("text", "resume", "fulltext"):
        raise click.UsageError(f"--engine ray does not go with --{what}")


def _plan(context: Context, library: Library, what: str | None, chosen: dict[str, Any], as_json: bool) -> None:
    if what == "resume":
        waiting = sum(batch.left for batch in library.batches.find() if batch.state != "paused")
        context.say(f"{counted(waiting + library.batches.others()['queued'], 'photo')} queued")
        return
    show_plan(context, library.plan_recaption(**chosen), as_json)


def _work(
    context: Context, library: Library, what: str | None, chosen: dict[str, Any], priority: Priority,
    stop: threading.Event,
) -> tuple[int | None, Tally]:  # fmt: skip
    made: list[int | None] = [None]

    def started(number: int | None, photos: int) -> None:
        made[0] = number
        if number is not None:
            context.say(f"batch {number}: {counted(photos, 'photo')}")

    with ProgressDisplay(context.quiet) as display:
        if what == "resume":
            return None, library.work_off(progress=display, stop=stop)
        tally = library.recaption(**chosen, priority=priority, progress=display, stop=stop, started=started)
    return made[0], tally


def _summarise(context: Context, library: Library, number: int | None, tally: Tally, stopped: bool) -> None:
    context.say(f"{tally.captioned:,} captioned" + (f", {tally.failed:,} failed" if tally.failed else ""))
    for _, error in tally.errors[:FAILURES_SHOWN]:
        context.say(f"  {error}")
    paused_ones = [batch for batch in library.batches.find() if batch.state == "paused"] if number is None else []
    if not tally.done:
        for paused in paused_ones:
            context.say(f"batch {paused.id} has {paused.left} to do and is paused: photoindex jobs resume {paused.id}")
    if number is None:
        waiting = library.status().jobs
        if (left := waiting["queued"] + waiting["retrying"]) and not paused_ones:
            context.say(f"{left:,} wait, for a file that cannot be reached now or for another try: photoindex status")
        return
    batch = library.batches.get(number)
    if batch.state == "done":
        return
    if batch.state == "cancelled":
        context.say(f"batch {batch.id} was cancelled")
    elif batch.state == "paused":
        context.say(f"batch {batch.id} is paused, {batch.left} left: photoindex jobs resume {batch.id}")
    elif batch.workers and not stopped:
        context.say(f"another process does the last {batch.left}: photoindex jobs list")
    else:
        context.say(f"{batch.left} left: photoindex reindex --resume goes on")


def _read_text(
    context: Context, library: Library, query: str | None, priority: Priority, dry_run: bool, as_json: bool,
    stop: threading.Event,
) -> None:  # fmt: skip
    if dry_run:
        count = library.text_files(query)
        if as_json:
            write_json({"photos": count})
        else:
            context.say(f"the text in {counted(count, 'photo')} would be read")
        return

    def started(number: int | None, photos: int) -> None:
        if number is not None:
            context.say(f"batch {number}: {counted(photos, 'photo')}")

    with ProgressDisplay(context.quiet) as display:
        tally = library.reread_text(
            query=query, priority=priority, progress=display, stop=stop, started=started, notice=context.say
        )
    parts = [f"{tally.text_read:,} read", f"{tally.with_text:,} with text"]
    context.say(", ".join([*parts, *([f"{tally.text_failed:,} failed"] if tally.text_failed else [])]))
    for _, error in tally.errors[:FAILURES_SHOWN]:
        context.say(f"  {error}")
    if stop.is_set():
        context.say("what is left is read by the next index, watch or reindex --resume")
        raise SystemExit(EXIT_INTERRUPTED)
    if tally.text_failed:
        raise SystemExit(EXIT_SOME_FAILED)
