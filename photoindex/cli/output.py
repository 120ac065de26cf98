"""How hits are written: as lists for people, as CSV, and by a template."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from photoindex.cli.terminal import print_bytes, print_line, print_marked, print_path
from photoindex.errors import ConfigError
from photoindex.library.json_forms import hit_json
from photoindex.system.terminal import visible
from photoindex.system.url_paths import url_text
from photoindex.types.hit import NOT_THERE

if TYPE_CHECKING:
    from photoindex.types import Hit

# The columns of --csv when none are chosen; and those that --columns and --format know.
COLUMNS: Final = (
    "path", "score", "caption", "caption_source", "taken_at", "camera", "width", "height", "taken_source", "present",
)  # fmt: skip
ALL_COLUMNS: Final = (
    *COLUMNS, "lens", "keywords", "people", "rating", "place", "latitude", "longitude", "altitude", "taken_offset",
    "format", "copies", "confidence", "is", "sureness",
)  # fmt: skip
# Columns of text that may be anybody's, and how a cell begins that a spreadsheet calculates.
_TEXT_COLUMNS: Final = frozenset({"caption", "camera", "lens", "keywords", "people", "place"})
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
WIDEST: Final = 1000  # characters that a template may ask for


def write_list(hits: Sequence[Hit], *, explain: bool, terminal: bool, pictures: Sequence[bytes | None] = ()) -> None:
    """Write hits for people: the path, and below it the caption, with the matched words in bold. In a pipe: a line
    each, of path, tab and caption. A photo whose file is not there now is marked.

    ``pictures``: for each hit the bytes that make the terminal show it, if any.
    """
    from photoindex.library import marked_caption

    bold = terminal and not os.environ.get("NO_COLOR")  # see no-color.org
    for hit, picture in zip_longest(hits, pictures):
        if picture:
            print_bytes(picture + b"\n")
        if terminal:
            print_line(str(hit.path) + ("" if hit.present else f"  ({NOT_THERE})"))
            print_marked(((piece, matched and bold) for piece, matched in marked_caption(hit)), start="    ")
        else:
            print_path(hit.path, end="\t")
            print_line(hit.caption, end="\n" if hit.present else f"\t{NOT_THERE}\n")
        if explain:
            matched = ", ".join(f"{word} ({layer}) {weight:.2f}" for layer, word, weight in hit.matched)
            sure = "" if hit.sureness is None else f", {hit.sureness:.0%} sure"
            print_line(f"    score {hit.score:.2f}{sure}: {matched}")
            for line in hit.text:
                print_line(f"    says: {line.text}")


def flat_dict(hit: Hit) -> dict[str, Any]:
    """Return a hit as columns: one plain value each, lists joined by ``; ``, and "" for what is not known."""
    row, facts = hit_json(hit), hit.facts
    gps = row["gps"] or {}
    row.update(
        path=url_text(hit.path),
        keywords="; ".join(hit.keywords),
        people="; ".join(hit.people),
        place=None if facts is None or facts.place is None else str(facts.place),
        latitude=gps.get("latitude"),
        longitude=gps.get("longitude"),
        altitude=gps.get("altitude"),
        format=None if facts is None else facts.format,
        copies=len(hit.other_paths),
        **{"is": "; ".join(hit.is_)},
        present="yes" if hit.present else "no",
    )
    return {name: "" if row[name] is None else row[name] for name in ALL_COLUMNS}


def write_csv(hits: Sequence[Hit], columns: Sequence[str] = COLUMNS, *, terminal: bool = False) -> None:
    """Write CSV with a header; paths that are no text keep their bytes.

    Captions and names may come from anywhere, and most tables are opened in a spreadsheet, which would calculate a cell
    that begins like a formula, or run the program that it names. Such a cell gets an apostrophe in front (OWASP, CSV
    Injection).
    """
    import csv
    import io

    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for hit in hits:
        row = _safe(flat_dict(hit)) if terminal else flat_dict(hit)
        writer.writerow([_harmless(row[name]) if name in _TEXT_COLUMNS else row[name] for name in columns])
    print_bytes(buffer.getvalue().encode("utf-8", "surrogateescape"))


def _harmless(text: str) -> str:
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _safe(row: dict[str, Any]) -> dict[str, Any]:
    """Return the columns as they may be written to a terminal."""
    return {name: visible(value) if isinstance(value, str) else value for name, value in row.items()}


def check_template(template: str) -> None:
    """Raise :class:`ConfigError` for a template that cannot be filled in for any hit."""
    known = " ".join(f"{{{name}}}" for name in ALL_COLUMNS)
    try:
        fields = [(name, spec or "") for _, name, spec, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise ConfigError(f"--format {template!r} is not valid: {error}") from error
    for name, spec in fields:
        if name not in ALL_COLUMNS:
            raise ConfigError(f"--format {template!r} names {{{name}}}, which is no column; there are {known}")
        if "{" in spec:
            raise ConfigError(f"--format {template!r} has a column inside a column, which is not possible")
        if any(int(number) > WIDEST for number in re.findall(r"\d+", spec)):
            raise ConfigError(f"--format {template!r} asks for more than {WIDEST} characters")


def write_template(template: str, hits: Sequence[Hit], *, terminal: bool = False) -> None:
    """Write a line for each hit. Raises :class:`ConfigError` for a format that does not fit its column."""
    parts = list(string.Formatter().parse(template))
    for hit in hits:
        row = _safe(flat_dict(hit)) if terminal else flat_dict(hit)
        line = "".join(text + ("" if name is None else _filled(row[name], name, conversion, spec or ""))
                       for text, name, spec, conversion in parts)  # fmt: skip
        print_bytes(line.encode("utf-8", "surrogateescape") + b"\n")


def _filled(value: Any, name: str, conversion: str | None, spec: str) -> str:
    """Return a column's value in the format asked for; nothing is "" in every format, padded where it has a width."""
    try:
        return format(string.Formatter().convert_field(value, conversion), spec)
    except (ValueError, TypeError) as error:
        if value == "":
            return ""
        raise ConfigError(f"--format: {{{name}:{spec}}} cannot be filled in: {error}") from error
