"""``photoindex index`` and ``photoindex watch``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from photoindex.cli.context import (
    EXIT_INTERRUPTED,
    EXIT_SOME_FAILED,
    Context,
    captioning_options,
    json_option,
    stop_on_signals,
    write_json,
)
from photoindex.cli.progress import ProgressDisplay
from photoindex.config import WATCH_MODES
from photoindex.library.json_forms import index_json
from photoindex.system.paths import shown
from photoindex.system.units import counted, human_seconds
from photoindex.types import IndexReport, Tally

FAILURES_SHOWN = 10


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@captioning_options
@click.option("--accept-missing", is_flag=True,
              help="Take photos that are gone as removed, even when most of a folder vanished at once.")  # fmt: skip
@click.option("--queue-only", is_flag=True, help="Find new photos and leave them to `photoindex worker`.")
@json_option
@click.pass_obj
def index(
    context: Context, /, paths: tuple[Path, ...], accept_missing: bool, queue_only: bool, as_json: bool, **flags: Any
) -> None:
    """Caption the photos in folders (or single photos), once. A PATH may be a URL such as s3://bucket/prefix.

    Only new and changed photos are captioned; a photo that was moved, renamed or copied is recognised by its content.
    Photos that are gone leave the search. When more than half of a folder's photos (and at least 50) vanish at once,
    as when a disk is not mounted, they are kept until they are back; --accept-missing says that they were removed.
    When it is interrupted, the same command goes on where it stopped.

    Exit status: 0 done; 1 an error; 2 wrong usage; 4 some photos failed, or a folder could not be read.
    """
    with context.work(create=True, **flags) as library, stop_on_signals() as stop:
        with ProgressDisplay(context.quiet) as display:
            report = library.index(
                *paths, progress=display, notice=context.say, stop=stop, accept_missing=accept_missing,
                queue_only=queue_only,
            )  # fmt: skip
        if as_json:
            write_json(index_json(report))
        _summarise(context, report)
        if queue_only and not stop.is_set():
            context.say(f"{counted(library.status().jobs['queued'], 'photo')} queued: photoindex worker captions them")
        if stop.is_set():
            left = counted(library.status().jobs["queued"], "photo")
            context.say(f"stopped; {left} left: run the same command to go on")
            raise SystemExit(EXIT_INTERRUPTED)
    if report.failed or report.unreadable:
        raise SystemExit(EXIT_SOME_FAILED)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@click.option("--settle-seconds", type=click.FloatRange(0), metavar="S",
              help="Read a file when it has not changed for this long. [default: 2]")  # fmt: skip
@click.option("--watch-mode", type=click.Choice(WATCH_MODES),
              help="Notice changes by the system's events or by scanning again and again. [default: auto: by events, "
                   "except on network and FUSE file systems and behind URLs]")  # fmt: skip
@captioning_options
@click.pass_obj
def watch(context: Context, /, paths: tuple[Path, ...], **flags: Any) -> None:
    """Caption the photos in folders, then keep up with them until stopped. A PATH may be a URL such as s3://bucket/prefix.

    New photos are captioned as they come, renamed and moved ones are followed, removed ones leave the search. Stop it
    with Ctrl-C, SIGTERM or by closing its terminal; when it starts again, it compares the folders with what it knew.
    """
    with (
        context.work(create=True, **flags) as library,
        stop_on_signals() as stop,
        ProgressDisplay(context.quiet) as display,
    ):

        def ready(report: IndexReport) -> None:
            _summarise(context, report)
            context.say(f"watching {', '.join(map(shown, paths))}; Ctrl-C stops")

        def worked(tally: Tally) -> None:
            parts = [
                f"{number} {what}"
                for number, what in (
                    (tally.captioned, "captioned"),
                    (tally.moved, "moved"),
                    (tally.recognised, "recognised (moved or copied)"),
                    (tally.refreshed_only - min(tally.moved, tally.refreshed_only), "with other metadata"),
                    (tally.verified, "touched and unchanged"),
                    (tally.failed, "failed"),
                )
                if number
            ]
            if parts:
                context.say(", ".join(parts))
            for _, error in tally.errors[:FAILURES_SHOWN]:
                context.say(f"  {error}")

        library.watch(*paths, stop=stop, progress=display, notice=context.say, ready=ready, worked=worked)
    context.say("stopped")


def _summarise(context: Context, report: IndexReport) -> None:
    for failure in report.failures[:FAILURES_SHOWN]:
        context.say(f"  {failure.message}")
    if len(report.failures) > FAILURES_SHOWN:
        context.say(f"  … and {len(report.failures) - FAILURES_SHOWN:,} more: photoindex failures list")
    parts = [f"{report.captioned:,} captioned"]
    if report.moved:
        parts.append(f"{report.moved:,} moved")
    if report.recognised > report.moved:
        parts.append(f"{report.recognised - report.moved:,} recognised (copies of known photos)")
    parts.append(f"{report.unchanged:,} unchanged")
    if report.refreshed_only:
        parts.append(f"{report.refreshed_only:,} with other metadata")
    if report.missing > report.moved:
        parts.append(f"{report.missing - report.moved:,} gone")
    if report.failed:
        parts.append(f"{report.failed:,} failed (photoindex failures list)")
    if report.unreadable:
        parts.append(f"{counted(len(report.unreadable), 'folder or file', 'folders or files')} could not be looked at")
    context.say(f"{counted(report.seen, 'photo')} in {human_seconds(report.seconds)}: " + ", ".join(parts))
