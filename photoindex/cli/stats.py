"""``photoindex stats``."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from photoindex.cli.context import Context, json_option, write_json
from photoindex.cli.terminal import print_line
from photoindex.system.terminal import visible
from photoindex.system.units import counted, human_size

WIDEST = 80  # columns
NAME_WIDTH = 40
MONTHS_SHOWN = 24


@click.command()
@click.option("-n", "--limit", type=click.IntRange(1), default=10, show_default=True,
              help="Show at most this many cameras, folders, words and labels.")  # fmt: skip
@json_option
@click.pass_obj
def stats(context: Context, /, limit: int, as_json: bool) -> None:
    """Show what the library holds: years, months, cameras, formats, folders, most frequent words and labels."""
    with context.open() as library:
        held = library.stats(limit)
    if as_json:
        write_json(dataclasses.asdict(held))
        return
    print_line(f"{counted(held.photos, 'photo')}, {human_size(held.bytes)}; {held.captioned} captioned")
    print_line(f"{held.undated} without a date, {held.unknown_camera} without a camera, {held.located} with a place")
    months = dict(list(held.months.items())[-MONTHS_SHOWN:])
    earlier = len(held.months) - len(months)
    tables: dict[str, Mapping[str, int]] = {
        "years": held.years,
        f"months (the last {MONTHS_SHOWN} that have photos)" if earlier else "months": months,
        "cameras": held.cameras,
        "formats": held.formats,
        "is": held.looks,
        "folders": held.folders,
        "captions by": held.caption_sources,
        "words of captions": held.words,
        "labels": held.labels,
    }
    for title, counts in tables.items():
        if counts:
            print_line()
            print_line(title)
            for line in bars(counts, _columns(), solid=_can_draw(sys.stdout)):
                print_line(line)


def bars(counts: Mapping[str, int], columns: int, *, solid: bool = True) -> Iterator[str]:
    """A line for each count: its name, a bar as long as it is large, and the number. ``columns``: the widest line."""
    names = {name: _shortened(visible(name)) for name in counts}
    width = max(map(len, names.values()))
    digits = max(len(str(count)) for count in counts.values())
    room = max(1, columns - width - digits - 6)
    most = max(counts.values())
    for name, count in counts.items():
        length = max(1, round(room * count / most))
        yield f"  {names[name]:<{width}}  {('█' if solid else '#') * length} {count}"


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
