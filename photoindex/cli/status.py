"""``photoindex status``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click

from photoindex.cli.context import Context, json_option, write_json
from photoindex.cli.terminal import print_line
from photoindex.library.json_forms import status_json
from photoindex.system.clock import utc_now
from photoindex.system.units import counted, human_seconds, human_size

if TYPE_CHECKING:
    from photoindex.library import RootStatus


@click.command()
@json_option
@click.pass_obj
def status(context: Context, /, as_json: bool) -> None:
    """Show what the library holds, what is waiting and what failed."""
    with context.open() as library:
        state = library.status()
        batches = library.batches.find()
    if as_json:
        write_json(status_json(state))
        return
    jobs = state.jobs
    print_line(f"photos      {state.photos} known, {state.captioned} captioned, {state.searchable} searchable")
    print_line(f"queue       {jobs['queued']} waiting, {jobs['running']} running, {jobs['retrying']} to be retried")
    text = state.text
    if state.text_is_read or text.read:
        waiting = f", {text.waiting} to be looked at" if state.text_is_read else "; none is read now"
        failed = f", {text.failed} failed" if text.failed else ""
        print_line(f"text        {text.with_text} of {text.read} photos hold text{waiting}{failed}")
    for batch in batches:
        print_line(f"batch {batch.id:<6}{batch.state}, {batch.left} of {batch.total} left: photoindex jobs list")
    print_line(f"failures    {jobs['failed']}" + (f", {jobs['ignored']} ignored" if jobs["ignored"] else ""))
    if state.waiting_for_index:
        waiting = counted(state.waiting_for_index, "photo")
        print_line(f"index       {waiting} not yet in the search index; the next run adds what is missing")
    print_line(f"data        {state.data_dir}: catalogue {human_size(state.catalogue_bytes)}, "
               f"index {human_size(state.index_bytes)}")  # fmt: skip
    for root in state.roots:
        for name, value in _root_lines(root, state.watches_allowed, utc_now()):
            print_line(f"{name:<12}{value}")
    if not state.roots:
        context.say("the library is empty: photoindex index FOLDER adds the photos of a folder")


def _root_lines(root: RootStatus, allowed: int | None, now: datetime) -> Iterator[tuple[str, str]]:
    """Describe a folder: its files, its queue, how and by which process it is watched, and how up to date it is."""
    gone = f", {root.missing} gone" if root.missing else ""
    yield "folder", f"{root.path}: {counted(root.present, 'file')}{gone}"
    if root.suspended_photos is not None and root.suspended_at is not None:
        from photoindex.library import remedy

        since = _ago(root.suspended_at, now)
        vanished = counted(root.suspended_photos, "photo")
        yield "", f"suspended {since}: {vanished} vanished at once and stay in the search until they are back"
        yield "", f"if you removed them, {remedy(root.path)}"
    waiting = root.jobs["queued"] + root.jobs["retrying"]
    counts = [(root.settling or 0, "still being written"), (waiting, "waiting"), (root.jobs["running"], "running")]
    work = [f"{count} {what}" for count, what in [*counts, (root.jobs["failed"], "failed")] if count]
    if work:
        yield "", ", ".join(work)
    yield from _watcher_lines(root, allowed, now)
    event = f", last event {_ago(root.last_event_at, now)}" if root.last_event_at else ""
    compared = (
        f"compared whole {_ago(root.last_reconcile_at, now)}" if root.last_reconcile_at else "never compared whole"
    )
    yield "", compared + event


def _watcher_lines(root: RootStatus, allowed: int | None, now: datetime) -> Iterator[tuple[str, str]]:
    watcher = root.watcher
    if watcher is None or watcher.runs is False:
        died = f" (process {watcher.pid} died, seen {_ago(watcher.seen_at, now)})" if watcher is not None else ""
        how = f"not watched now, last by {root.mode}" if root.mode else "not watched"
        yield "", how + died
        return
    where = f" on {watcher.host}" if watcher.runs is None else ""
    how = f"watched by {root.mode}" if root.mode else "watched"
    yield "", f"{how}; watcher seen {_ago(watcher.seen_at, now)} (pid {watcher.pid}{where})"
    if root.mode_reason:
        yield "", f"scanned again and again: {root.mode_reason}"
    if root.watches is not None:
        yield "", f"{root.watches} watches held" + (f" of {allowed} allowed" if allowed is not None else "")


def _ago(then: datetime, now: datetime) -> str:
    """``12 s ago``; after a day the day itself."""
    seconds = (now - then).total_seconds()
    if seconds >= 24 * 3600:
        return f"at {then:%Y-%m-%d %H:%M} UTC"
    return f"{human_seconds(max(0.0, seconds))} ago"
