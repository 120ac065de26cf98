"""``photoindex failures``."""

from __future__ import annotations

from pathlib import Path

import click

from photoindex.cli.context import EXIT_SOME_FAILED, Context, json_option, stop_on_signals, write_json
from photoindex.cli.progress import ProgressDisplay
from photoindex.cli.terminal import print_line
from photoindex.library.json_forms import failure_json
from photoindex.system.units import counted


@click.group()
def failures() -> None:
    """List the photos that could not be captioned, and retry or ignore them."""


@failures.command("list")
@click.option("--ignored", is_flag=True, help="List the ignored ones too.")
@json_option
@click.pass_obj
def list_failures(context: Context, /, ignored: bool, as_json: bool) -> None:
    """List each failed file and why it failed."""
    with context.open() as library:
        entries = library.failures(include_ignored=ignored)
    if as_json:
        write_json([failure_json(failure) for failure in entries])
        return
    for failure in entries:
        again = f", next try {failure.next_try_at:%Y-%m-%d %H:%M} UTC" if failure.next_try_at else ""
        print_line(f"{failure.kind} ({failure.state}{again}): {failure.message}")
    if not entries:
        context.say("no failures")


@failures.command("retry")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE…]")
@click.pass_obj
def retry(context: Context, /, files: tuple[Path, ...]) -> None:
    """Try failed files again: all, or these."""
    with context.work() as library, stop_on_signals() as stop:
        queued = library.retry_failures(*files)
        with ProgressDisplay(context.quiet) as display:
            tally = library.work_off(progress=display, stop=stop)
    context.say(
        f"{counted(queued, 'file')} tried again: {tally.captioned + tally.recognised} captioned, {tally.failed} failed"
    )
    for _, error in tally.errors:
        context.say(f"  {error}")
    if tally.failed:
        raise SystemExit(EXIT_SOME_FAILED)


@failures.command("ignore")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.pass_obj
def ignore(context: Context, /, files: tuple[Path, ...]) -> None:
    """Stop reporting these files until they change."""
    with context.open() as library:
        context.say(f"{counted(library.ignore_failures(*files), 'file')} ignored")
