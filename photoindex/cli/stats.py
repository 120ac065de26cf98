"""``photoindex stats``."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from photoindex.cli.context import Context, json_option, write_json
from photoindex.cli.output import visible
from photoindex.system.units import human_size

WIDEST = 80  # columns
NAME_WIDTH = 40
MONTHS_SHOWN = 24


@click.command()
@click.option("-n", "--limit", type=click.IntRange(1), default=10, show_default=True,
              help="Show at most so many cameras, folders, words and labels.")  # fmt: skip
@json_option
@click.pass_obj
def stats(context: Context, /, limit: int, as_json: bool) -> None:
    """Show what the library holds: years, months, cameras, formats, folders, most frequent words and labels."""
    with context.open() as library:
        found = library.stats(limit)
    if as_json:
        write_json(dataclasses.asdict(found))
        return
    click.echo(f"{found.photos} photos, {human_size(found.bytes)}; {found.captioned} captioned")
    click.echo(f"{found.undated} without a date, {found.unknown_camera} without a camera, {found.located} with a place")
    months = dict(list(found.months.items())[-MONTHS_SHOWN:])
    earlier = len(found.months) - len(months)
    tables: dict[str, Mapping[str, int]] = {
        "years": found.years,
        f"months (the last {MONTHS_SHOWN} that have photos)" if earlier else "months": months,
        "cameras": found.cameras,
        "formats": found.formats,
        "folders": found.folders,
        "captions by": found.caption_sources,
        "words of captions": found.words,
        "labels": found.labels,
    }
    for title, counts in tables.items():
        if counts:
            click.echo(f"\n{title}")
            for line in bars(counts, _columns(), solid=_can_draw(sys.stdout)):
                click.echo(line)


def bars(counts: Mapping[str, int], columns: int, *, solid: bool = True) -> Iterator[str]:
    """A line for each count: its name, a bar as long as it is large, and the number. ``columns``: the widest line."""
    names = {name: _shortened(visible(_text(name))) for name in counts}
    width = max(map(len, names.values()))
    digits = max(len(str(count)) for count in counts.values())
    room = max(1, columns - width - digits - 6)
    most = max(counts.values())
    for name, count in counts.items():
        length = max(1, round(room * count / most))
        yield f"  {names[name]:<{width}}  {('█' if solid else '#') * length} {count}"


def _text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _shortened(name: str) -> str:
    """The end of a long name says more: of paths it is the folder itself."""
    return name if len(name) <= NAME_WIDTH else "…" + name[-NAME_WIDTH + 1 :]


def _columns() -> int:
    return min(WIDEST, shutil.get_terminal_size().columns)


def _can_draw(stream: Any) -> bool:
    try:
        "█…".encode(getattr(stream, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return False
    return True
