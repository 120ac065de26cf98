"""``photoindex search``, ``show``, ``status`` and ``caption``."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

from photoindex.cli import output
from photoindex.cli.context import (
    EXIT_SOME_FAILED,
    Context,
    beam_option,
    device_option,
    engine_option,
    json_option,
    model_option,
    stderr_is_terminal,
    threads_option,
    write_json,
)
from photoindex.errors import PhotoError
from photoindex.system.clock import utc_now
from photoindex.system.lazy_imports import importing
from photoindex.system.paths import printable
from photoindex.system.units import human_seconds, human_size
from photoindex.types.hit import SortKey

if TYPE_CHECKING:
    from photoindex.catalogue.status import RootStatus
    from photoindex.library import Library
    from photoindex.types import Photo, PhotoFacts

EXIT_NOTHING_FOUND = 1
TERMS_SHOWN = 12  # of up to 128; --json has them all


# Unknown options are words: `photoindex search beach -people` excludes people.
@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("query", nargs=-1, metavar="QUERY…")
@click.option("--like", type=click.Path(path_type=Path), metavar="FILE",
              help="Find photos like this one of the library; with a QUERY, among those that answer it.")  # fmt: skip
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="Show at most this many.")
@click.option("--sort", type=click.Choice(get_args(SortKey)), default="score", show_default=True,
              help="Best first, oldest first, by name, most stars first, or first added first.")  # fmt: skip
@click.option("--reverse", is_flag=True, help="Turn the order round.")
@click.option("--all", "everything", is_flag=True, help="Show every match.")
@click.option("--explain", is_flag=True, help="Say which words matched where, and what each adds to the score.")
@click.option("--json", "style", flag_value="json", help="Print one JSON list.")
@click.option("--jsonl", "style", flag_value="jsonl", help="Print a JSON object a line.")
@click.option("--csv", "style", flag_value="csv", help="Print CSV with a header.")
@click.option("--columns", metavar="NAME,NAME…", callback=lambda _context, _option, text: _columns(text),
              help=f"What --csv has, in this order: {', '.join(output.ALL_COLUMNS)}.")  # fmt: skip
@click.option("-0", "--print0", "style", flag_value="print0", help="Print paths only, each ended by NUL, for xargs -0.")
@click.option("--format", "template", metavar="TEMPLATE",
              help="Print each hit so: '{path}: {caption}'; the names are those of --columns.")  # fmt: skip
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write a page with the photos found: one file that holds the pictures.")  # fmt: skip
@click.option("--pictures", type=click.Choice(["auto", "kitty", "iterm2"]),
              help="Show the photos on the terminal, by this protocol or the one it is known to have.")  # fmt: skip
@click.option("--open", "open_first", is_flag=True, help="Open the best match (with --html: the page) in its program.")
@click.pass_obj
def search(
    context: Context,
    /,
    query: tuple[str, ...],
    like: Path | None,
    limit: int,
    sort: SortKey,
    reverse: bool,
    everything: bool,
    explain: bool,
    style: str | None,
    columns: tuple[str, ...] | None,
    template: str | None,
    html: Path | None,
    pictures: Literal["auto", "kitty", "iterm2"] | None,
    open_first: bool,
) -> None:
    """Find photos by what they show.

    Plain words are enough: photos that fit more of them come first. Also "an exact phrase", -word (not this word),
    AND, OR, NOT, begin*, fuzzy~, and fields: caption: label: tag: person: place: title: name: folder: camera: lens:
    format: path:/photos/2023; days: taken:2023-06..2023-08 taken:last-week; numbers: rating:>=4 rating:3.. width:
    height: mp:; facts: has:gps has:date has:place has:caption has:keywords has:people has:rating has:title has:camera
    has:lens. Quote the query, or put -- before it, when it begins with a dash.

    \b
      photoindex search giraffes in grass
      photoindex search 'dog beach -people taken:2023'
      photoindex search '"birthday cake"' -0 | xargs -0 cp -t cakes/
      photoindex search 'beach place:portugal rating:4..' --sort taken
      photoindex search --like beach.jpg -n 5

    Exit status: 0 when something was found, 1 when nothing was.
    """
    text = " ".join(_requoted(query))
    if not query and like is None:
        raise click.UsageError("name something to search for: a QUERY, or a photo with --like")
    if like is not None and (sort != "score" or reverse):
        raise click.UsageError("--like puts the most alike first: leave --sort and --reverse out")
    if columns is not None and style != "csv":
        raise click.UsageError("--columns says what --csv has: add --csv, or use --format")
    most = None if everything else limit
    with importing():  # what the library would import in the middle of the search, with the garbage collector at work
        import_module("photoindex.search.searcher")
    with context.open() as library:
        hits = (
            library.search(text, most, sort=sort, reverse=reverse) if like is None else library.like(like, most, text)
        )
        asked = like is None and (not hits or stderr_is_terminal())
        advice = _advice(library, text, bool(hits)) if asked else None
        thumbnails = list(library.thumbnails(hits)) if html is not None or pictures is not None else []
    if like is not None:
        text = f"{text} like {printable(like)}".strip()
        advice = None if hits else f"no photo matches {text!r}"
    if html is not None:
        from photoindex.cli.contactsheet import write_contact_sheet

        write_contact_sheet(html, text, hits, thumbnails)
        context.say(f"wrote {printable(html)}")
    if style == "json":
        write_json([output.as_dict(hit) for hit in hits])
    elif style == "jsonl":
        for hit in hits:
            write_json(output.as_dict(hit), indent=None)
    elif style == "csv":
        output.write_csv(hits, columns or output.COLUMNS)
    elif style == "print0":
        for hit in hits:
            output.write_path(hit.path, end=b"\0")
    elif template is not None:
        output.write_template(template, hits)
    else:
        shown = [] if pictures is None else _shown(context, pictures, thumbnails)
        output.write_list(hits, explain=explain, terminal=sys.stdout.isatty(), pictures=shown)
    if advice:
        context.say(advice)
    if not hits:
        raise SystemExit(EXIT_NOTHING_FOUND)
    if open_first:
        _open(context, html if html is not None else hits[0].path)


def _columns(text: str | None) -> tuple[str, ...] | None:
    """The names in a list with commas. Raises for one that is no column."""
    if text is None:
        return None
    names = tuple(name for part in text.split(",") if (name := part.strip()))
    unknown = [name for name in names if name not in output.ALL_COLUMNS]
    if unknown or not names:
        wrong = f"{unknown[0]!r} is no column" if unknown else "name a column"
        raise click.BadParameter(f"{wrong}; there are {', '.join(output.ALL_COLUMNS)}")
    return names


def _shown(
    context: Context, wanted: Literal["auto", "kitty", "iterm2"], thumbnails: list[bytes | None]
) -> list[bytes | None]:
    """What makes the terminal show each photo; nothing when it is not known how."""
    from photoindex.cli.pictures import protocol_of, sequence

    protocol = wanted if wanted != "auto" else protocol_of(os.environ) if sys.stdout.isatty() else None
    if protocol is None:
        context.say("this is no terminal that is known to show pictures: name its protocol, or use --html FILE")
        return []
    return [None if picture is None else sequence(picture, protocol) for picture in thumbnails]


def _open(context: Context, path: Path) -> None:
    """In the program that the desktop has for it."""
    if click.launch(str(path.absolute())) != 0:
        context.say(f"cannot open {printable(path)}: no program is set for it")


def _advice(library: Library, query: str, found: bool) -> str | None:
    """What to tell of a search that found nothing, or not all of its words."""
    if not found:
        suggestions = ", ".join(map(output.visible, library.suggest(query)))
        return f"no photo matches {query!r}" + (f". Did you mean: {suggestions}?" if suggestions else "")
    nearest = {word: near[0] for word, near in library.corrections(query).items()}
    if not nearest:
        return None
    from photoindex.search.query.parser import respell

    instead = next(iter(nearest.values())) if len(nearest) == 1 else respell(query, nearest)
    return f"no photo has {' or '.join(map(repr, nearest))}; did you mean {instead!r}?"


def _requoted(query: tuple[str, ...]) -> list[str]:
    """The shell took the quotes off: an argument of several words among other arguments is a phrase again."""
    if len(query) == 1:
        return list(query)
    return [f'"{part}"' if " " in part and '"' not in part and ":" not in part else part for part in query]


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--history", is_flag=True, help="Also show what you changed, when, and what was undone.")
@json_option
@click.pass_obj
def show(context: Context, /, path: Path, history: bool, as_json: bool) -> None:
    """Show everything known of one photo."""
    with context.open() as library:
        photo = library.show(path)
        failure = library.failure_at(path)
        changes = () if photo is None or not history else library.editor().history([photo.id]).get(photo.id, ())
    if as_json:
        value: dict[str, Any] = {"path": str(path), "photo": None if photo is None else output.photo_dict(photo)}
        if history:
            value["corrections"] = [dataclasses.asdict(change) for change in changes]
        value["failure"] = None if failure is None else {"kind": failure.kind, "message": failure.message}
        write_json(value)
        return
    if photo is not None:
        _show(photo)
    if changes:
        from photoindex.cli.edit import history_line

        for change in changes:
            click.echo(f"{'change':<12}{history_line(change)}")
    if failure is not None:
        click.echo(f"failed      {failure.message} ({failure.attempts} tries, {failure.state})")
    elif photo is None:
        click.echo("waiting     not captioned yet: run photoindex index")


def _show(photo: Photo) -> None:
    lines: list[tuple[str, str]] = [("file", printable(path)) for path in photo.paths]
    lines += [(companion.kind, printable(companion.path)) for companion in photo.companions]
    lines += [("missing", printable(path)) for path in photo.missing_paths]
    if photo.caption is not None:
        lines.append(("caption", photo.caption.text))
        source: str = photo.caption.source
        if photo.caption.model:
            source += f" {photo.caption.model}"
        if photo.caption.log_probability is not None:
            source += f", log-probability {photo.caption.log_probability:.2f}"
        locked = ", locked" if photo.caption.locked else ""
        lines.append(("by", f"{source}, {photo.caption.created_at:%Y-%m-%d %H:%M} UTC{locked}"))
    lines += [("overruled", f"{caption.text} ({caption.model or caption.source})") for caption in photo.overruled]
    lines += [("or", candidate.text) for candidate in photo.candidates]
    for name, source in (("title", "title"), ("tags", "tag"), ("keywords", "keyword"), ("people", "person")):
        words = [term.text for term in photo.terms if term.source == source]
        if words:
            lines.append((name, ", ".join(words)))
    for name, sources in (("labels", ("label",)), ("kinds", ("kind",)), ("terms", ("model",))):
        terms = [term for term in photo.terms if term.source in sources][:TERMS_SHOWN]
        if terms:
            lines.append((name, ", ".join(f"{term.text} {term.weight:.2f}" for term in terms)))
    if photo.facts is not None:
        facts = photo.facts
        lines.append(("size", f"{facts.width} x {facts.height} {facts.format}, {human_size(photo.size)}"))
        if facts.taken_at:
            lines.append(("taken", _taken(facts)))
        if facts.camera:
            lines.append(("camera", facts.camera + (f", {facts.lens}" if facts.lens else "")))
        if facts.latitude is not None and facts.longitude is not None:
            height = "" if facts.altitude is None else f", {facts.altitude:.0f} m"
            lines.append(("position", f"{facts.latitude:.5f}, {facts.longitude:.5f}{height}"))
        if facts.place is not None:
            lines.append(("place", str(facts.place)))
        if facts.rating is not None:
            lines.append(("rating", "rejected" if facts.rating < 0 else "\u2605" * facts.rating))
    lines += [("before", f"{old.text} ({old.model or old.source})") for old in photo.history]
    lines.append(("sha256", photo.content_hash))
    for name, value in lines:
        click.echo(f"{name:<12}{value}")


def _taken(facts: PhotoFacts) -> str:
    """When, and who says so."""
    from photoindex.media.metadata.dates import offset_text

    assert facts.taken_at is not None
    offset = "" if facts.taken_offset is None else f" {offset_text(facts.taken_offset)}"
    said = {"name": "the file's name", "mtime": "when the file was changed", "takeout": "Google Takeout"}
    source = said.get(str(facts.taken_source))
    return f"{facts.taken_at:%Y-%m-%d %H:%M:%S}{offset} (by {source or str(facts.taken_source).upper()})"


@click.command()
@json_option
@click.pass_obj
def status(context: Context, /, as_json: bool) -> None:
    """Show what the library holds, what waits and what failed."""
    with context.open() as library:
        state = library.status()
        batches = library.batches.find()
    if as_json:
        write_json(output.status_dict(state))
        return
    jobs = state.jobs
    click.echo(f"photos      {state.photos} known, {state.captioned} captioned, {state.searchable} searchable")
    click.echo(f"queue       {jobs['queued']} waiting, {jobs['running']} at work, {jobs['retrying']} to be retried")
    for batch in batches:
        click.echo(f"batch {batch.id:<6}{batch.state}, {batch.left} of {batch.total} left: photoindex jobs list")
    click.echo(f"failures    {jobs['failed']}" + (f", {jobs['ignored']} ignored" if jobs["ignored"] else ""))
    if state.waiting_for_index:
        click.echo(f"index       {state.waiting_for_index} photos have words the index lacks; the next run adds them")
    click.echo(f"data        {printable(state.data_dir)}: catalogue {human_size(state.catalogue_bytes)}, "
               f"index {human_size(state.index_bytes)}")  # fmt: skip
    for root in state.roots:
        for name, value in _root_lines(root, state.watches_allowed, utc_now()):
            click.echo(f"{name:<12}{value}")


def _root_lines(root: RootStatus, allowed: int | None, now: datetime) -> Iterator[tuple[str, str]]:
    """What is said of a folder: its files, its queue, how it is watched, by whom, and how up to date it is."""
    gone = f", {root.missing} gone" if root.missing else ""
    yield "folder", f"{printable(root.path)}: {root.present} files{gone}"
    waiting = root.jobs["queued"] + root.jobs["retrying"]
    parts = [(root.settling or 0, "still being written"), (waiting, "waiting"), (root.jobs["running"], "at work")]
    if root.suspended_photos is not None and root.suspended_at is not None:
        count, since = f"{root.suspended_photos:,}", _ago(root.suspended_at, now)
        yield "", f"suspended {since}: {count} of its photos vanished at once and are kept until they are back"
        from photoindex.indexing.missing_photos import remedy

        yield "", f"if you removed them, {remedy(root.path)}"
    at_work = [f"{count} {what}" for count, what in [*parts, (root.jobs["failed"], "failed")] if count]
    if at_work:
        yield "", ", ".join(at_work)
    watcher = root.watcher
    if watcher is None or watcher.runs is False:
        died = f" (process {watcher.pid} died, seen {_ago(watcher.seen_at, now)})" if watcher is not None else ""
        how = f"not watched now, last by {root.mode}" if root.mode else "not watched"
        yield "", how + died
    else:
        where = f" on {watcher.host}" if watcher.runs is None else ""
        how = f"watched by {root.mode}" if root.mode else "watched"
        yield "", f"{how}; watcher seen {_ago(watcher.seen_at, now)} (pid {watcher.pid}{where})"
        if root.mode_reason:
            yield "", f"scanned again and again: {root.mode_reason}"
        if root.watches is not None:
            yield "", f"{root.watches} watches held" + (f" of {allowed} allowed" if allowed is not None else "")
    event = f", last event {_ago(root.last_event_at, now)}" if root.last_event_at else ""
    compared = (
        f"compared whole {_ago(root.last_reconcile_at, now)}" if root.last_reconcile_at else "never compared whole"
    )
    yield "", compared + event


def _ago(then: datetime, now: datetime) -> str:
    """``12 s ago``; after a day the day itself."""
    seconds = (now - then).total_seconds()
    if seconds >= 24 * 3600:
        return f"at {then:%Y-%m-%d %H:%M} UTC"
    return f"{human_seconds(max(0.0, seconds))} ago"


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@device_option
@engine_option
@model_option
@beam_option
@threads_option
@json_option
@click.pass_obj
def caption(context: Context, /, files: tuple[Path, ...], as_json: bool, **flags: Any) -> None:
    """Caption photos without storing anything.

    With --json: all candidates with their natural-log probabilities, the object labels and their kinds.
    """
    failed = 0
    answers = []
    with context.open(**flags) as library:
        for path, answer in library.caption(*files):
            if isinstance(answer, PhotoError):
                failed += 1
                click.echo(f"photoindex: {answer}", err=True)
                answers.append({"path": str(path), "error": answer.kind, "message": str(answer)})
                continue
            answers.append(output.prediction_dict(path, answer))
            if not as_json:
                prefix = f"{printable(path)}: " if len(files) > 1 else ""
                click.echo(prefix + answer.caption)
    if as_json:
        write_json(answers)
    if failed:
        raise SystemExit(EXIT_SOME_FAILED)
