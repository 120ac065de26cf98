"""``photoindex failures``, ``reindex`` and ``models``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from photoindex.captioner import model_folder, shipped_models
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
    printable,
    stop_on_signals,
    threads_option,
    write_json,
)
from photoindex.cli.progress import ProgressDisplay
from photoindex.units import human_size


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
        found = library.failures(include_ignored=ignored)
    if as_json:
        write_json(
            [
                {
                    "path": failure.path,
                    "kind": failure.kind,
                    "message": failure.message,
                    "attempts": failure.attempts,
                    "state": failure.state,
                    "next_try_at": failure.next_try_at,
                }
                for failure in found
            ]
        )
        return
    for failure in found:
        again = f", next try {failure.next_try_at:%Y-%m-%d %H:%M} UTC" if failure.next_try_at else ""
        click.echo(f"{failure.kind} ({failure.state}{again}): {failure.message}")
    if not found:
        context.say("no failures")


@failures.command("retry")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE…]")
@click.pass_obj
def retry(context: Context, /, files: tuple[Path, ...]) -> None:
    """Try failed files again: all, or these."""
    with context.open() as library, stop_on_signals() as stop:
        queued = library.retry_failures(*files)
        with ProgressDisplay(context.quiet) as display:
            tally = library.work_off(progress=display, stop=stop)
    context.say(f"{queued} tried again: {tally.captioned + tally.recognised} captioned, {tally.failed} failed")
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
        context.say(f"{library.ignore_failures(*files)} ignored")


@click.command()
@click.option("--stale", "what", flag_value="stale", help="Photos captioned by another model than the one in use.")
@click.option("--all", "what", flag_value="all", help="Every photo.")
@click.option("--failed", "what", flag_value="failed", help="Photos that could not be captioned.")
@click.option("--fulltext", "what", flag_value="fulltext", help="Only make the full-text index anew; no captioning.")
@click.option("--dry-run", is_flag=True, help="Say how many photos it would do, and do nothing.")
@device_option
@engine_option
@model_option
@beam_option
@batch_option
@threads_option
@click.pass_obj
def reindex(context: Context, /, what: str | None, dry_run: bool, **flags: Any) -> None:
    """Caption photos anew, or rebuild the search index.

    Old captions stay searchable until each is replaced, and are kept as history; your own are never touched. A run that
    is stopped goes on with the next `reindex`, `index` or `watch`.
    """
    if what is None:
        raise click.UsageError("say what: --stale, --all, --failed or --fulltext")
    with context.open(**flags) as library, stop_on_signals() as stop, ProgressDisplay(context.quiet) as display:
        if what == "fulltext":
            count = library.status().captioned if dry_run else library.rebuild_full_text(display)
            context.say(f"{count} photos {'would be' if dry_run else ''} indexed".replace("  ", " "))
            return
        if dry_run:
            count = len(library.failures()) if what == "failed" else len(library.outdated(everything=what == "all"))
            context.say(f"{count} photos would be captioned")
            return
        if what == "failed":
            library.retry_failures()
            tally = library.work_off(progress=display, stop=stop)
        else:
            tally = library.recaption(everything=what == "all", progress=display, stop=stop)
    context.say(f"{tally.captioned} captioned" + (f", {tally.failed} failed" if tally.failed else ""))
    if stop.is_set():
        raise SystemExit(EXIT_INTERRUPTED)
    if tally.failed:
        raise SystemExit(EXIT_SOME_FAILED)


@click.group()
def models() -> None:
    """List the models that came with photoindex, or describe one."""


@models.command("list")
@json_option
@click.pass_obj
def list_models(context: Context, /, as_json: bool) -> None:
    """List the shipped models; the default is marked."""
    default = model_folder("default").name
    found: list[dict[str, Any]] = [
        {"name": name, "default": name == default, "bytes": _size(model_folder(name))} for name in shipped_models()
    ]
    if as_json:
        write_json(found)
        return
    for model in found:
        click.echo(f"{model['name']}  {human_size(model['bytes'])}{'  (default)' if model['default'] else ''}")


@models.command("info")
@click.argument("name", default="default")
@click.pass_obj
def info(context: Context, /, name: str) -> None:
    """Print a model's card: its data, figures, weaknesses and licences. NAME is a shipped model or a folder."""
    folder = model_folder(name)
    card = folder / "MODEL_CARD.md"
    if card.is_file():
        click.echo(card.read_text(encoding="utf-8"))
    else:
        context.say(f"{printable(folder)} has no model card")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
