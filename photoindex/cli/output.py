"""How photos and hits are written: for people, as JSON, CSV and templates."""

from __future__ import annotations

import dataclasses
import os
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from photoindex.cli.context import write_path
from photoindex.errors import ConfigError
from photoindex.system.paths import printable

if TYPE_CHECKING:
    from photoindex.catalogue.status import Status
    from photoindex.types import Caption, Hit, Photo, PhotoFacts, Prediction

__all__ = [
    "ALL_COLUMNS", "as_dict", "caption_pieces", "photo_dict", "prediction_dict", "status_dict", "visible", "write_csv",
    "write_list", "write_path", "write_template",
]  # fmt: skip

# What --csv has when nothing is chosen; and what can be chosen with --columns, which --format knows as well.
COLUMNS = ("path", "score", "caption", "caption_source", "taken_at", "camera", "width", "height")
ALL_COLUMNS = (
    *COLUMNS, "lens", "keywords", "people", "rating", "place", "latitude", "longitude", "altitude", "taken_source",
    "taken_offset", "format", "copies",
)  # fmt: skip
# Columns of text that may be anybody's, and what a cell begins with that a spreadsheet calculates.
_TEXT_COLUMNS = frozenset({"caption", "camera", "lens", "keywords", "people", "place"})
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def as_dict(hit: Hit) -> dict[str, Any]:
    """A hit as JSON has it."""
    return {
        "path": hit.path,
        "score": round(hit.score, 4),
        "caption": hit.caption,
        "caption_source": hit.caption_source,
        "matched": [{"layer": m.layer, "word": m.word, "weight": round(m.weight, 4)} for m in hit.matched],
        "terms": [{"text": term.text, "weight": round(term.weight, 4), "source": term.source} for term in hit.terms],
        "taken_at": hit.taken_at,
        "camera": hit.camera,
        "width": hit.width,
        "height": hit.height,
        "other_paths": list(hit.other_paths),
        "lens": hit.facts.lens if hit.facts else None,
        "keywords": list(hit.keywords),
        "people": list(hit.people),
        **_metadata_dict(hit.facts),
    }


def _metadata_dict(facts: PhotoFacts | None) -> dict[str, Any]:
    """What hits and photos say alike of where, when and how good."""
    if facts is None:
        return {"taken_source": None, "taken_offset": None, "gps": None, "place": None, "rating": None}
    gps = None
    if facts.latitude is not None:
        gps = {"latitude": facts.latitude, "longitude": facts.longitude, "altitude": facts.altitude}
    offset = None
    if facts.taken_offset is not None:
        from photoindex.media.metadata.dates import offset_text

        offset = offset_text(facts.taken_offset)
    return {
        "taken_source": facts.taken_source,
        "taken_offset": offset,
        "gps": gps,
        "place": None if facts.place is None else dataclasses.asdict(facts.place),
        "rating": facts.rating,
    }


def write_list(hits: Sequence[Hit], *, explain: bool, terminal: bool, pictures: Sequence[bytes | None] = ()) -> None:
    """For people: the path, and below it the caption, the words that were found in bold. In a pipe: path, tab, caption,
    a line each. What would control a terminal is written as an escape.

    ``pictures``: for each hit what makes the terminal show it, if any.
    """
    bold = terminal and not os.environ.get("NO_COLOR")  # as no-color.org has it
    for hit, picture in zip_longest(hits, pictures):
        if picture:
            click.echo(picture)
        if terminal:
            name = printable(hit.path)
            click.echo(os.fsencode(hit.path) if visible(name) == name else visible(name))
            pieces = ((visible(piece), found) for piece, found in caption_pieces(hit))
            caption = "".join(click.style(piece, bold=True) if found and bold else piece for piece, found in pieces)
            click.echo(f"    {caption}")
        else:
            write_path(hit.path, end=b"\t")
            click.echo(visible(hit.caption))
        if explain:
            matched = ", ".join(f"{word} ({layer}) {weight:.2f}" for layer, word, weight in hit.matched)
            click.echo(f"    score {hit.score:.2f}: {matched}")


def visible(text: str) -> str:
    """``text`` with control characters as escapes: ``\\x1b``, ``\\n``."""
    return "".join(
        ascii(letter)[1:-1] if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter for letter in text
    )


def caption_pieces(hit: Hit) -> Iterator[tuple[str, bool]]:
    """The caption in pieces; True marks the words that were found."""
    from photoindex.search.ranking.highlight import marked  # brings Whoosh along

    return marked(hit.caption, {word for layer, word, *_ in hit.matched if layer == "caption"})


def flat_dict(hit: Hit) -> dict[str, Any]:
    """A hit as columns: one plain value each, lists joined by ``; ``, and "" for what is not known."""
    row, facts = as_dict(hit), hit.facts
    gps = row["gps"] or {}
    row.update(
        keywords="; ".join(hit.keywords),
        people="; ".join(hit.people),
        place=None if facts is None or facts.place is None else str(facts.place),
        latitude=gps.get("latitude"),
        longitude=gps.get("longitude"),
        altitude=gps.get("altitude"),
        format=None if facts is None else facts.format,
        copies=len(hit.other_paths),
    )
    return {name: "" if row[name] is None else row[name] for name in ALL_COLUMNS}


def write_csv(hits: Sequence[Hit], columns: Sequence[str] = COLUMNS) -> None:
    """CSV with a header; paths that are no text keep their bytes.

    Captions and names may come from anywhere, and most tables are opened in a spreadsheet, which would calculate a cell
    that begins like a formula, or run what it names. Such a cell gets an apostrophe in front (OWASP, CSV Injection).
    """
    import csv
    import io

    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for hit in hits:
        row = flat_dict(hit)
        writer.writerow([_harmless(row[name]) if name in _TEXT_COLUMNS else row[name] for name in columns])
    click.echo(buffer.getvalue().encode("utf-8", "surrogateescape"), nl=False)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_template(template: str, hits: Sequence[Hit]) -> None:
    """One line a hit. Raises :class:`ConfigError` for a template that names something else."""
    for hit in hits:
        try:
            line = template.format(**flat_dict(hit))
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            known = " ".join(f"{{{name}}}" for name in ALL_COLUMNS)
            raise ConfigError(f"--format {template!r} cannot be filled in ({error}); it may name {known}") from error
        click.echo(line.encode("utf-8", "surrogateescape"))


def prediction_dict(path: Path, prediction: Prediction) -> dict[str, Any]:
    """What the model says of a photo, as JSON has it."""
    return {
        "path": path,
        "caption": prediction.caption,
        "candidates": [
            {"text": c.text, "log_probability": round(c.log_probability, 4), "score": round(c.score, 4)}
            for c in prediction.candidates
        ],
        "labels": [{"name": label.name, "probability": round(label.probability, 4)} for label in prediction.labels],
        "kinds": [{"name": kind.name, "probability": round(kind.probability, 4)} for kind in prediction.kinds],
    }


def photo_dict(photo: Photo) -> dict[str, Any]:
    """Everything known of a photo, as JSON has it."""
    facts = photo.facts
    return {
        "paths": list(photo.paths),
        "missing_paths": list(photo.missing_paths),
        "companions": [{"path": companion.path, "kind": companion.kind} for companion in photo.companions],
        "sha256": photo.content_hash,
        "bytes": photo.size,
        "caption": None if photo.caption is None else _caption_dict(photo.caption),
        "candidates": [_caption_dict(caption) for caption in photo.candidates],
        "overruled": [_caption_dict(caption) for caption in photo.overruled],
        "history": [_caption_dict(caption) for caption in photo.history],
        "tags": list(photo.tags),
        "terms": [{"text": t.text, "weight": round(t.weight, 4), "source": t.source} for t in photo.terms],
        "format": facts.format if facts else None,
        "width": facts.width if facts else None,
        "height": facts.height if facts else None,
        "taken_at": facts.taken_at if facts else None,
        "camera": facts.camera if facts else None,
        "lens": facts.lens if facts else None,
        "latitude": facts.latitude if facts else None,
        "longitude": facts.longitude if facts else None,
        **_metadata_dict(facts),
    }


def _caption_dict(caption: Caption) -> dict[str, Any]:
    return {
        "text": caption.text,
        "source": caption.source,
        "model": caption.model,
        "log_probability": caption.log_probability,
        "settings": caption.settings,
        "created_at": caption.created_at,
        "locked": caption.locked,
    }


def status_dict(state: Status) -> dict[str, Any]:
    """The state of the library, as JSON has it."""
    return {
        "data_dir": state.data_dir,
        "photos": state.photos,
        "captioned": state.captioned,
        "searchable": state.searchable,
        "waiting_for_index": state.waiting_for_index,
        "jobs": state.jobs,
        "roots": [
            {
                "path": root.path,
                "mode": root.mode,
                "mode_reason": root.mode_reason,
                "watcher": None if root.watcher is None else dataclasses.asdict(root.watcher),
                "watches": root.watches,
                "settling": root.settling,
                "last_event_at": root.last_event_at,
                "last_reconcile_at": root.last_reconcile_at,
                "present": root.present,
                "missing": root.missing,
                "jobs": root.jobs,
                "suspended_at": root.suspended_at,
                "suspended_photos": root.suspended_photos,
            }
            for root in state.roots
        ],
        "watches_allowed": state.watches_allowed,
        "catalogue_bytes": state.catalogue_bytes,
        "index_bytes": state.index_bytes,
    }
