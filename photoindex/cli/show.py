"""``photoindex show``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from photoindex.cli.context import Context, json_option, write_json
from photoindex.cli.terminal import print_line
from photoindex.library.json_forms import show_json
from photoindex.system.terminal import shell_quoted
from photoindex.system.units import counted, human_size

if TYPE_CHECKING:
    from photoindex.types import Caption, Photo, PhotoFacts

LINES_SHOWN = 20  # of text that was read in the photo
TERMS_SHOWN = 12  # of up to 128; --json has them all
SOURCES = {
    "name": "the file's name",
    "folder": "its folders' names",
    "mtime": "when the file was changed",
    "takeout": "Google Takeout",
}


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--history", is_flag=True, help="Also show what you changed, when, and what was undone.")
@json_option
@click.pass_obj
def show(context: Context, /, path: Path, history: bool, as_json: bool) -> None:
    """Show everything known about one photo."""
    with context.open() as library:
        photo = library.show(path)
        failure = library.failure_at(path)
        changes = () if photo is None or not history else library.editor().history([photo.id]).get(photo.id, ())
    if as_json:
        write_json(show_json(path, photo, failure, changes if history else None))
        return
    if photo is not None:
        for name, value in _lines(photo):
            print_line(f"{name:<12}{value}")
    if changes:
        from photoindex.cli.edit import history_line

        for change in changes:
            print_line(f"{'change':<12}{history_line(change)}")
    if failure is not None:
        tries = counted(failure.attempts, "try")
        print_line(f"{'failed':<12}{failure.message} ({tries}, {failure.state})")
    elif photo is None:
        print_line(f"{'waiting':<12}not captioned yet: photoindex index {shell_quoted(path)}")


def _lines(photo: Photo) -> Iterator[tuple[str, str]]:
    yield from (("file", str(path)) for path in photo.paths)
    yield from ((companion.kind, str(companion.path)) for companion in photo.companions)
    yield from (("missing", str(path)) for path in photo.missing_paths)
    if photo.caption is not None:
        yield "caption", photo.caption.text
        yield "by", _source(photo.caption)
    yield from (("overruled", f"{caption.text} ({caption.model or caption.source})") for caption in photo.overruled)
    yield from (("or", candidate.text) for candidate in photo.candidates)
    for name, source in (("title", "title"), ("tags", "tag"), ("keywords", "keyword"), ("people", "person")):
        words = [term.text for term in photo.terms if term.source == source]
        if words:
            yield name, ", ".join(words)
    for name, source in (("labels", "label"), ("kinds", "kind"), ("terms", "model")):
        terms = [term for term in photo.terms if term.source == source][:TERMS_SHOWN]
        if terms:
            yield name, ", ".join(f"{term.text} {term.weight:.2f}" for term in terms)
    yield from (("text", f"{line.text} ({line.confidence:.0%} sure)") for line in photo.text[:LINES_SHOWN])
    if len(photo.text) > LINES_SHOWN:
        yield "", f"… and {counted(len(photo.text) - LINES_SHOWN, 'line')} more: --json"
    if photo.facts is not None:
        yield "size", f"{photo.facts.width} x {photo.facts.height} {photo.facts.format}, {human_size(photo.size)}"
        yield "is", ", ".join(photo.is_)
        yield from _fact_lines(photo.facts)
    yield from (("before", f"{old.text} ({old.model or old.source})") for old in photo.history)
    yield "sha256", photo.content_hash


def _fact_lines(facts: PhotoFacts) -> Iterator[tuple[str, str]]:
    if facts.taken_at:
        yield "taken", _taken(facts)
    if facts.camera:
        yield "camera", facts.camera + (f", {facts.lens}" if facts.lens else "")
    if facts.latitude is not None and facts.longitude is not None:
        height = "" if facts.altitude is None else f", {facts.altitude:.0f} m"
        yield "position", f"{facts.latitude:.5f}, {facts.longitude:.5f}{height}"
    if facts.place is not None:
        yield "place", str(facts.place)
    if facts.rating is not None:
        yield "rating", "rejected" if facts.rating < 0 else "\u2605" * facts.rating


def _source(caption: Caption) -> str:
    """Return the author of a caption, when it was made, and how sure a model was."""
    source = "text in the photo" if caption.source == "text" else str(caption.source)
    if caption.model:
        source += f" {caption.model}"
    if caption.log_probability is not None:
        source += f", log-probability {caption.log_probability:.2f}"
    if caption.confidence is not None:
        source += f", {caption.confidence:.0%} likely to be right"
    return f"{source}, {caption.created_at:%Y-%m-%d %H:%M} UTC{', locked' if caption.locked else ''}"


def _taken(facts: PhotoFacts) -> str:
    """Return when a photo was taken, with the source of that date."""
    from photoindex.library import offset_text

    assert facts.taken_at is not None
    offset = "" if facts.taken_offset is None else f" {offset_text(facts.taken_offset)}"
    source = SOURCES.get(str(facts.taken_source), str(facts.taken_source).upper())
    return f"{facts.taken_at:%Y-%m-%d %H:%M:%S}{offset} (by {source})"
